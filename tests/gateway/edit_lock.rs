//! The edit lock: while one officer works on a record nobody else of the owner writes it, and nobody outside notices.

use serde_json::{Value, json as j};
use tsunagi::client::{Client, Reply};
use tsunagi_testkit::world::Party;

use crate::harness::*;

/// A city with three more officers: two caseworkers and a supervisor.
async fn office(stage: &Stage) -> Party {
    let city = stage.party("city", CITY_A).await;
    for (officer, roles) in [("w1", &["caseworker"][..]), ("w2", &["caseworker"]), ("s1", &["supervisor"])] {
        stage.world.add_staff(&city, officer, roles).await.unwrap();
    }
    city
}

fn as_officer(stage: &Stage, party: &Party, officer: &str) -> Client {
    Client::new(stage.world.address, &stage.world.premises.credentials(&party.name), Some(officer)).unwrap()
}

async fn take(client: &Client, record: &str) -> Reply {
    client.put(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap()
}

async fn release(client: &Client, record: &str) -> Reply {
    let path = format!("/v1/records/{record}/edit-lock");
    client.request(axum::http::Method::DELETE, &path).send().await.unwrap()
}

async fn update(client: &Client, record: &str, version: i64) -> Reply {
    client.put(&format!("/v1/records/{record}")).if_match(version).xml(family(CITY_A).to_xml()).send().await.unwrap()
}

fn offer(record: &str) -> Value {
    let missing = j!({ "state": "missing", "reason": "なし" });
    j!({ "record": record, "receiver": CITY_B,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } })
}

async fn set_shield(client: &Client, record: &str) -> Reply {
    let shield = j!({ "kind": "1", "since": "R8.4.1" });
    client.put(&format!("/v1/records/{record}/shield")).json(&shield).send().await.unwrap()
}

/// Everything that another officer of the owner may not do meanwhile.
async fn writes(client: &Client, record: &str) -> Vec<Reply> {
    let path = format!("/v1/records/{record}");
    vec![
        update(client, record, 1).await,
        client.post(&format!("{path}/close")).if_match(1).send().await.unwrap(),
        client.post(&format!("{path}/attachments")).body("image/png", crate::photos::png(8)).send().await.unwrap(),
        client.post("/v1/transfers").json(&offer(record)).send().await.unwrap(),
        take(client, record).await,
        release(client, record).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_refused_by_name_and_time_until_it_is_given_back() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let record = register(&city, &family(CITY_A)).await;
    let (w1, other) = (as_officer(&stage, &city, "w1"), as_officer(&stage, &city, "o1"));
    let taken = take(&w1, &record).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    let held = json(&taken);
    assert_eq!((&held["officer"], &held["terminal"]), (&j!("w1"), &j!(city.serial)));
    for refused in writes(&other, &record).await {
        assert_refused(&refused, 423, "record_locked");
        let told = json(&refused);
        assert_eq!(told["edit_lock"], j!({ "officer": "w1", "terminal": city.serial, "until": held["until"] }));
        for language in ["detail", "detail_ja"] {
            let detail = told[language].as_str().unwrap();
            assert!(detail.contains("w1") && detail.contains(held["until"].as_str().unwrap()), "{detail}");
        }
    }
    let state = json(&other.get(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap());
    assert_eq!(state["held"], held);
    assert_eq!(view(&city, &record).await.status, 200, "reading goes on");
    // The holder works; renewing lengthens it; a repeated request does nothing twice.
    assert_eq!(update(&w1, &record, 1).await.status, 200);
    let path = format!("/v1/records/{record}/edit-lock");
    let renewed = json(&w1.put(&path).header("idempotency-key", "renew-0001").send().await.unwrap());
    assert!(renewed["until"].as_str() > held["until"].as_str());
    assert_eq!(json(&w1.put(&path).header("idempotency-key", "renew-0001").send().await.unwrap()), renewed);
    assert_eq!(json(&release(&w1, &record).await)["released"], true);
    assert_eq!(json(&release(&w1, &record).await)["released"], false);
    assert_refused(&update(&other, &record, 1).await, 412, "stale_version");
    assert_eq!(update(&other, &record, 2).await.status, 200, "without a lock If-Match alone decides");

    let acts: Vec<(Value, Value)> =
        disclosures(&city).await.iter().rev().map(|entry| (entry["act"].clone(), entry["outcome"].clone())).collect();
    for act in ["edit_lock_take", "edit_lock_renew", "edit_lock_release"] {
        assert!(acts.contains(&(j!(act), j!("done"))), "{act}: {acts:?}");
    }
}

/// The twin: without the lock each of the same writes is done, or refused for another reason.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_writes_are_not_refused_without_a_lock() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let record = register(&city, &family(CITY_A)).await;
    for reply in writes(&as_officer(&stage, &city, "o1"), &record).await {
        assert_ne!(reply.status, 423, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_by_itself() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let record = register(&city, &family(CITY_A)).await;
    let (w1, w2) = (as_officer(&stage, &city, "w1"), as_officer(&stage, &city, "w2"));
    take(&w1, &record).await;
    stage.world.clock.advance(time::Duration::minutes(14));
    assert_refused(&update(&w2, &record, 1).await, 423, "record_locked");
    stage.world.clock.advance(time::Duration::seconds(61));
    assert_eq!(update(&w2, &record, 1).await.status, 200);
    assert_refused(&update(&w1, &record, 1).await, 412, "stale_version");
    let state = json(&w1.get(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap());
    assert_eq!(state.get("held"), None);
    // One that a wrong clock made does not hold until that clock would have been right.
    stage.world.clock.advance(time::Duration::days(20));
    assert_eq!(take(&w1, &record).await.status, 200);
    stage.world.clock.advance(time::Duration::days(-20));
    assert_eq!(update(&w2, &record, 2).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_hold_up_setting_a_shield_and_the_holder_reads_again() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let outside = stage.party("outside", FAR_CITY).await;
    let record = register(&city, &family(CITY_A)).await;
    let (w1, w2) = (as_officer(&stage, &city, "w1"), as_officer(&stage, &city, "w2"));
    take(&w1, &record).await;
    assert_eq!(children(&search(&outside, j!({ "child_name": "髙橋花子" })).await).len(), 1);
    assert_eq!(json(&set_shield(&w2, &record).await)["version"], 2);
    assert!(children(&search(&outside, j!({ "child_name": "髙橋花子" })).await).is_empty());
    // The lock stays with its holder, whose text is from before the shield.
    let state = json(&w2.get(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap());
    assert_eq!(state["held"]["officer"], "w1");
    assert_refused(&update(&w1, &record, 1).await, 412, "stale_version");
    assert_refused(&update(&w1, &record, 2).await, 409, "shield_needs_two");
    // Lifting one waits.
    let path = format!("/v1/records/{record}/shield");
    let two = two_supervisors(&stage, &city).await;
    let ask = format!("{path}/lift-requests");
    assert_refused(&by_two(&two, &ask, &serde_json::Value::Null).await, 423, "record_locked");
    release(&w1, &record).await;
    assert_eq!(by_two(&two, &ask, &serde_json::Value::Null).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_takes_it_over_with_a_reason_and_the_organization_is_told() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let record = register(&city, &family(CITY_A)).await;
    let (w1, w2, s1) =
        (as_officer(&stage, &city, "w1"), as_officer(&stage, &city, "w2"), as_officer(&stage, &city, "s1"));
    take(&w1, &record).await;
    let path = format!("/v1/records/{record}/edit-lock/take-over");
    let reason = j!({ "reason": "担当者が不在のため" });
    assert_refused(&w2.post(&path).json(&reason).send().await.unwrap(), 403, "not_allowed");
    let empty = s1.post(&path).json(&j!({ "reason": " " })).send().await.unwrap();
    assert_refused(&empty, 422, "field_refused");
    let taken = s1.post(&path).json(&reason).send().await.unwrap();
    assert_eq!((taken.status.as_u16(), &json(&taken)["officer"]), (200, &j!("s1")), "{}", taken.text());
    assert_refused(&update(&w1, &record, 1).await, 423, "record_locked");
    assert_eq!(update(&s1, &record, 1).await.status, 200);
    release(&s1, &record).await;
    assert_refused(&update(&w1, &record, 1).await, 412, "stale_version");

    let told = inbox(&city).await;
    let told = told.iter().find(|message| message["kind"] == "edit_lock_taken_over").expect("the organization is told");
    assert_eq!((&told["record"], &told["from_officer"]), (&j!(record), &j!("s1")));
    let entries = disclosures(&city).await;
    let entry = entries.iter().find(|entry| entry["act"] == "edit_lock_take_over").expect("it is in the ledger");
    assert_eq!((&entry["officer"], &entry["subject"], &entry["id"]), (&j!("s1"), &j!("w1"), &told["entry"]));
    assert!(entry["note"].is_string(), "the entry commits to the reason");
    assert!(!entry.to_string().contains("不在"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_belongs_to_an_officer_at_a_terminal() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let other = stage.world.add_terminal("city-2", &city, "o1").await.unwrap();
    let record = register(&city, &family(CITY_A)).await;
    take(&city.client, &record).await;
    // The case system names the same officer: what it sends would overwrite what is being typed.
    assert_refused(&update(&other.client, &record, 1).await, 423, "record_locked");
    assert_eq!(json(&take(&other.client, &record).await)["terminal"], j!(other.serial), "the officer goes there");
    assert_refused(&update(&city.client, &record, 1).await, 423, "record_locked");
    assert_eq!(update(&other.client, &record, 1).await.status, 200);
    assert_eq!(json(&release(&city.client, &record).await)["released"], true, "and may give it back from anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_has_it_and_whoever_has_it_is_never_too_late() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let mut officers = Vec::new();
    for number in 0..12 {
        let officer = format!("w{number}");
        stage.world.add_staff(&city, &officer, &["caseworker"]).await.unwrap();
        officers.push(as_officer(&stage, &city, &officer));
    }
    let taken = futures_util::future::join_all(officers.iter().map(|client| take(client, &record))).await;
    assert_eq!(taken.iter().filter(|reply| reply.status == 200).count(), 1);
    assert!(taken.iter().all(|reply| matches!(reply.status.as_u16(), 200 | 423)));
    let holder = taken.iter().position(|reply| reply.status == 200).unwrap();
    release(&officers[holder], &record).await;
    // Each in turn: takes it, reads, writes, gives it back.
    let work = officers.iter().map(|client| {
        let record = &record;
        async move {
            while take(client, record).await.status != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            let path = format!("/v1/records/{record}");
            let seen = client.get(&path).purpose("casework").send().await.unwrap();
            let done = update(client, record, json(&seen)["version"].as_i64().unwrap()).await;
            release(client, record).await;
            done.status.as_u16()
        }
    });
    let done = futures_util::future::join_all(work).await;
    assert_eq!(done, vec![200; 12], "nobody's work was in vain");
    assert_eq!(json(&view(&city, &record).await)["version"], 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_hold_up_a_body_that_takes_the_record_over() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let b = stage.party("b", CITY_B).await;
    let record = register(&city, &family(CITY_A)).await;
    let offered = city.client.post("/v1/transfers").json(&offer(&record)).send().await.unwrap();
    let transfer = json(&offered)["transfer"].as_str().unwrap().to_owned();
    take(&as_officer(&stage, &city, "w1"), &record).await;
    for step in ["confirm", "take-over"] {
        let reply = b.client.post(&format!("/v1/transfers/{transfer}/{step}")).send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let state = json(&b.client.get(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap());
    assert_eq!(state.get("held"), None, "whose staff worked on it is not the new owner's to know");
    assert_eq!(update(&b.client, &record, 2).await.status, 200);
    assert_refused(&take(&as_officer(&stage, &city, "w1"), &record).await, 404, "record_not_available");
}

/// What a caller is told of a record, without what differs between any two requests.
async fn told(client: &Client, record: &str) -> Vec<(u16, String)> {
    let path = format!("/v1/records/{record}");
    let mut replies = writes(client, record).await;
    for path in [path.clone(), format!("{path}/history"), format!("{path}/edit-lock")] {
        replies.push(client.get(&path).purpose("casework").send().await.unwrap());
    }
    let reason = j!({ "reason": "理由" });
    replies.push(client.post(&format!("{path}/edit-lock/take-over")).json(&reason).send().await.unwrap());
    replies.push(set_shield(client, record).await);
    let id = regex::Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}").unwrap();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap();
    let plain = |reply: Reply| {
        let text = id.replace_all(&reply.text(), "ID").into_owned();
        (reply.status.as_u16(), time.replace_all(&text, "TIME").into_owned())
    };
    replies.into_iter().map(plain).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_can_tell_that_there_is_a_lock() {
    let stage = Stage::new().await;
    let city = office(&stage).await;
    let outsiders = [
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
        stage.party("b", CITY_B).await,
        stage.party("ministry", "ministry").await,
    ];
    let (open, locked) = (register(&city, &family(CITY_A)).await, register(&city, &family(CITY_A)).await);
    take(&as_officer(&stage, &city, "w1"), &locked).await;
    for party in &outsiders {
        assert_eq!(told(&party.client, &open).await, told(&party.client, &locked).await, "{}", party.name);
    }
    // The twin: the same questions tell the owner's own staff.
    let own = as_officer(&stage, &city, "w2");
    assert_ne!(told(&own, &open).await, told(&own, &locked).await);
}
