//! What there is to do: worked out from the states of things, for whoever may do it.

use serde_json::{Value, json as j};
use time::Duration;
use tsunagi::client::{Client, Reply};
use tsunagi_testkit::{people::Family, persons::DeskPerson, world::Party};

use crate::harness::*;

fn as_officer(stage: &Stage, party: &Party, officer: &str) -> Client {
    Client::new(stage.world.address, &stage.world.premises.credentials(&party.name), Some(officer)).unwrap()
}

async fn today(client: &Client) -> Reply {
    let reply = client.get("/v1/today").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

/// What there is to do, by kind and subject.
async fn lines(client: &Client) -> Vec<Value> {
    json(&today(client).await)["lines"].as_array().unwrap().clone()
}

async fn kinds(client: &Client) -> Vec<String> {
    lines(client).await.iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect()
}

/// Entries of what a party did, newest first.
async fn entries_by(party: &Party, act: &str) -> Vec<Value> {
    let page = json(&party.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let entries = page["disclosures"].as_array().unwrap().iter().map(|line| line["entry"].clone());
    entries.filter(|entry| entry["act"] == act).collect()
}

async fn post(client: &Client, path: &str, body: Value) -> Value {
    let reply = client.post(path).json(&body).send().await.unwrap();
    assert!(reply.status.is_success(), "{path}: {}", reply.text());
    json(&reply)
}

fn offer(record: &str, urgent: bool) -> Value {
    let missing = j!({ "state": "missing", "reason": "なし" });
    j!({ "record": record, "receiver": CITY_B, "urgent": urgent,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } })
}

async fn break_glass(person: &DeskPerson, record: &str) -> String {
    let glass = person.post(&format!("/v1/records/{record}/break-glass"), &j!({ "reason": "当直" })).await.unwrap();
    assert_eq!(glass.status, 201, "{}", glass.text());
    json(&glass)["break_glass"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_waits_for_whoever_has_to_act_in_its_state() {
    let stage = Stage::new().await;
    let (a, b) = (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await);
    stage.world.add_staff(&b, "w1", &["caseworker"]).await.unwrap();
    let record = register(&a, &family(CITY_A)).await;
    assert!(kinds(&a.client).await.is_empty());
    let asked = post(&b.client, "/v1/transfers/requests", j!({ "record": record, "reason": "当市に転入した" })).await;
    let transfer = asked["transfer"].as_str().unwrap();
    let of_owner = lines(&a.client).await.remove(0);
    assert_eq!((&of_owner["kind"], &of_owner["subject"]), (&j!("transfer_requested"), &j!(transfer)));
    assert_eq!((&of_owner["other"], &of_owner["child"]["name"]), (&j!(CITY_B), &j!("髙橋 花子")));
    assert!(kinds(&b.client).await.is_empty(), "whoever asked waits for the owner");

    let mut offered = offer(&record, true);
    for given in ["record", "receiver"] {
        offered.as_object_mut().unwrap().remove(given);
    }
    post(&a.client, &format!("/v1/transfers/{transfer}/offer"), offered).await;
    assert_eq!(kinds(&a.client).await, ["transfer_unconfirmed"]);
    let [check, confirm] = lines(&b.client).await.try_into().unwrap();
    assert_eq!((&check["kind"], &confirm["kind"]), (&j!("safety_check"), &j!("transfer_offered")));
    assert_eq!((&confirm["other"], &confirm["record"]), (&j!(CITY_A), &j!(record)));
    assert!(confirm.get("child").is_none(), "it is not the receiver's own yet: {confirm}");
    assert_eq!((&check["overdue"], &confirm["overdue"]), (&j!(false), &j!(false)));
    stage.world.clock.advance(Duration::hours(49));
    assert_eq!(lines(&b.client).await[0]["overdue"], true);

    post(&b.client, &format!("/v1/transfers/{transfer}/confirm"), j!({})).await;
    assert!(kinds(&a.client).await.is_empty());
    assert_eq!(kinds(&b.client).await, ["safety_check", "transfer_confirmed"]);
    assert_eq!(kinds(&as_officer(&stage, &b, "w1")).await, ["safety_check"], "a supervisor takes it over");
    post(&b.client, &format!("/v1/transfers/{transfer}/take-over"), j!({})).await;
    let left = lines(&b.client).await;
    assert_eq!((left.len(), &left[0]["kind"]), (1, &j!("safety_check")));
    assert_eq!(left[0]["child"], j!({ "name": "髙橋 花子", "birth_date": "2018-04-01" }), "now it is its own");
    post(&b.client, &format!("/v1/transfers/{transfer}/safety-check"), j!({})).await;
    assert!(kinds(&b.client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_expired_waits_for_nobody() {
    let stage = Stage::new().await;
    let (a, b) = (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await);
    let record = register(&a, &family(CITY_A)).await;
    post(&a.client, "/v1/transfers", offer(&record, false)).await;
    assert_eq!(kinds(&b.client).await, ["transfer_offered"]);
    stage.world.clock.advance(Duration::days(31));
    assert!(kinds(&a.client).await.is_empty() && kinds(&b.client).await.is_empty());
}

/// A question, a broken glass and a search that came upon a shield, each for those who deal with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_did_to_own_records_waits_for_those_who_deal_with_it() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    for (officer, role) in [("v1", "viewer"), ("w1", "caseworker"), ("s1", "supervisor"), ("a1", "auditor")] {
        stage.world.add_staff(&city, officer, &[role]).await.unwrap();
    }
    let night = stage.world.seat(&far, "o1").await.unwrap();
    let record = register(&city, &family(CITY_A)).await;
    let glass = break_glass(&night, &record).await;
    let inquiry = post(&far.client, &format!("/v1/records/{record}/inquiries"), j!({ "text": "来所した児童か" })).await;
    let shielded = Family { shield_since: Some("R8.4.1".into()), child: "架空 太郎".into(), ..family(CITY_A) };
    register(&city, &shielded).await;
    search(&far, j!({ "child_name": "架空太郎" })).await;

    let of = async |officer| kinds(&as_officer(&stage, &city, officer)).await;
    assert!(of("v1").await.is_empty());
    assert_eq!(of("w1").await, ["shield_approached"]);
    assert_eq!(of("s1").await, ["shield_approached", "break_glass", "inquiry"]);
    assert_eq!(of("a1").await, ["shield_approached", "break_glass"]);
    let listed = lines(&as_officer(&stage, &city, "s1")).await;
    assert_eq!((&listed[1]["subject"], &listed[2]["subject"]), (&j!(glass), &inquiry["inquiry"]));
    for line in &listed {
        assert_eq!(line["other"], FAR_CENTER, "{line}");
        assert!(line["child"]["name"].is_string(), "{line}");
    }
    // Whoever broke the glass, asked and searched has nothing to do, and learns nothing of the owner.
    assert!(!today(&far.client).await.text().contains(CITY_A));

    let acknowledge = listed[0]["position"].as_i64().unwrap();
    post(&city.client, "/v1/inbox/acknowledgements", j!({ "position": acknowledge })).await;
    post(&city.client, &format!("/v1/break-glass/{glass}/review"), j!({})).await;
    let answer = format!("/v1/inquiries/{}/answer", inquiry["inquiry"].as_str().unwrap());
    post(&city.client, &answer, j!({ "text": "当方の児童である" })).await;
    assert!(of("s1").await.is_empty() && of("a1").await.is_empty());
}

/// An alert is for supervisors and auditors, of one's own body's searches for auditors alone: nobody else's acknowledgement
/// takes it away, whatever position it names.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_stays_until_whoever_deals_with_it_acknowledges() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    for (officer, role) in [("w1", "caseworker"), ("s1", "supervisor")] {
        stage.world.add_staff(&city, officer, &[role]).await.unwrap();
    }
    let shielded = Family { shield_since: Some("R8.4.1".into()), child: "架空 太郎".into(), ..family(CITY_A) };
    register(&city, &shielded).await;
    search(&far, j!({ "child_name": "架空太郎" })).await;
    let of = |officer| as_officer(&stage, &city, officer);
    let alert = lines(&of("s1")).await[0]["position"].as_i64().unwrap();
    let latest = json(&today(&of("w1")).await)["latest"].as_i64().unwrap();
    assert!(latest >= alert);
    let acknowledged = post(&of("w1"), "/v1/inbox/acknowledgements", j!({ "position": latest })).await;
    assert_eq!(acknowledged["position"], alert - 1, "as far as a caseworker may");
    assert_eq!(kinds(&of("s1")).await, ["shield_approached"]);
    let acknowledged = post(&of("s1"), "/v1/inbox/acknowledgements", j!({ "position": latest })).await;
    assert_eq!(acknowledged["position"], latest);
    assert!(kinds(&of("s1")).await.is_empty() && kinds(&of("w1")).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_anybody_takes_away_is_noticed() {
    let test = "today::an_alert_stays_until_whoever_deals_with_it_acknowledges";
    fails_with("acknowledge-anything", test, "as far as a caseworker may").await;
}

/// Law 1: each child that is named is an entry, and whoever reads no record is told no name.
#[tokio::test(flavor = "multi_thread")]
async fn children_are_named_to_those_who_read_records_each_by_an_entry() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    stage.world.add_staff(&city, "a1", &["auditor"]).await.unwrap();
    let night = stage.world.seat(&far, "o1").await.unwrap();
    let record = register(&city, &family(CITY_A)).await;
    let other = register(&city, &family(CITY_A)).await;
    break_glass(&night, &record).await;
    for _ in 0..2 {
        post(&far.client, &format!("/v1/records/{record}/inquiries"), j!({ "text": "来所した児童か" })).await;
    }
    let shown = today(&city.client).await;
    assert_eq!(json(&shown)["lines"].as_array().unwrap().len(), 3);
    // The list, and the one child on it.
    assert_eq!(shown.entries().len(), 2);
    let entries = entries_by(&city, "today_read").await;
    let outcomes: Vec<_> =
        entries.iter().map(|entry| (&entry["outcome"], &entry["record"], &entry["groups"])).collect();
    assert_eq!(outcomes[0].0, "done");
    assert_eq!(outcomes[1], (&j!("disclosed"), &j!(record), &j!(["index"])));
    assert!(entries.iter().all(|entry| entry["record"] != other));
    let of_record = city.client.get(&format!("/v1/disclosures?record={record}")).send().await.unwrap();
    assert!(of_record.text().contains("today_read"), "who was told of the child is told to its owner");

    let auditor = today(&as_officer(&stage, &city, "a1")).await;
    assert_eq!(json(&auditor)["lines"].as_array().unwrap().len(), 1);
    assert!(!auditor.text().contains("髙橋"), "an auditor reads no record");
    assert_eq!(auditor.entries().len(), 1);
    assert_eq!(entries_by(&city, "today_read").await[0]["outcome"], "no_hit");
}

/// The twin: a name that goes to whoever asks is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_goes_to_anybody_is_noticed() {
    let test = "today::children_are_named_to_those_who_read_records_each_by_an_entry";
    fails_with("name-to-anybody", test, "an auditor reads no record").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_child_comes_first_until_the_center_has_answered() {
    let stage = Stage::new().await;
    let (issuer, far) = (stage.party("issuer", CENTER_A).await, stage.party("far", FAR_CENTER).await);
    let city = stage.party("city", CITY_A).await;
    let notice = |status: &str| {
        j!({ "status": status, "circumstances": "紺色の上着", "contact": "当直 03-0000-0000", "child": {
            "name": "髙橋 花子", "sex": "2", "birth_date": "H30.4.1", "guardians": [] } })
    };
    let sent = post(&issuer.client, "/v1/missing-notices", notice("actual")).await;
    let exercise = post(&issuer.client, "/v1/missing-notices", notice("exercise")).await;
    let path = format!("/v1/missing-notices/{}", sent["notice"].as_str().unwrap());
    let listed = lines(&far.client).await;
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["subject"], &listed[0]["other"]), (&sent["notice"], &j!(CENTER_A)));
    assert_eq!((listed[0].get("exercise"), &listed[1]["exercise"]), (None, &j!(true)));
    assert!(kinds(&issuer.client).await.is_empty() && kinds(&city.client).await.is_empty());
    // Whoever has it on a list has received it.
    let centers = json(&issuer.client.get(&format!("{path}/centers")).send().await.unwrap());
    let state = centers["centers"].as_array().unwrap().iter().find(|state| state["center"] == FAR_CENTER).unwrap();
    assert!(state["delivered_at"].is_string() && state.get("read_at").is_none(), "{state}");
    post(&far.client, &format!("{path}/answers"), j!({ "answer": "not_here" })).await;
    let left = lines(&far.client).await;
    assert_eq!((left.len(), &left[0]["subject"]), (1, &exercise["notice"]));
    let cancel = format!("/v1/missing-notices/{}/cancel", exercise["notice"].as_str().unwrap());
    assert_eq!(issuer.client.post(&cancel).if_match(1).send().await.unwrap().status, 200);
    assert!(kinds(&far.client).await.is_empty());
}

/// An alert of the watch is for those who review; of the body's own officers, for its auditors.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_the_watch_waits_for_those_who_review() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    for party in [&city, &far] {
        for (officer, role) in [("w1", "caseworker"), ("s1", "supervisor"), ("a1", "auditor")] {
            stage.world.add_staff(party, &format!("{}-{officer}", party.name), &[role]).await.unwrap();
        }
    }
    register(&city, &family(CITY_A)).await;
    for _ in 0..3 {
        let body =
            j!({ "purpose": "casework", "case_reference": "なし", "child_name": "高橋花子", "near_misses": "never" });
        assert_eq!(far.client.post("/v1/searches").json(&body).send().await.unwrap().status, 200);
        stage.world.clock.advance(Duration::hours(2));
    }
    let of = async |party: &Party, officer: &str| {
        kinds(&as_officer(&stage, party, &format!("{}-{officer}", party.name))).await
    };
    assert_eq!(of(&far, "a1").await, ["search_alert"]);
    assert!(of(&far, "s1").await.is_empty() && of(&far, "w1").await.is_empty());
    assert_eq!((of(&city, "a1").await.len(), of(&city, "s1").await.len()), (1, 1));
    assert!(of(&city, "w1").await.is_empty());
    let alert = lines(&as_officer(&stage, &far, "far-a1")).await.remove(0);
    assert_eq!(alert["message"], "search_repeated");
    // What the watch noticed is a line or nothing, never a count.
    let counts = json(&today(&as_officer(&stage, &far, "far-s1")).await)["new"].clone();
    assert!(!counts.to_string().contains("search_"), "{counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sharp_act_waits_for_whoever_does_not_stand_for_it_yet() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    stage.world.add_staff(&city, "w1", &["caseworker"]).await.unwrap();
    let two = two_supervisors(&stage, &city).await;
    let shielded = Family { shield_since: Some("R8.4.1".into()), ..family(CITY_A) };
    let record = register(&city, &shielded).await;
    let asked = two[0].post(&format!("/v1/records/{record}/shield/lift-requests"), &Value::Null).await.unwrap();
    let act = json(&asked)["waiting_act"].as_str().unwrap().to_owned();
    let [first, second] = [two[0].client().await.unwrap(), two[1].client().await.unwrap()];
    assert!(kinds(&first).await.is_empty(), "it waits for another");
    let line = lines(&second).await.remove(0);
    assert_eq!((&line["kind"], &line["subject"], &line["act"]), (&j!("sharp_act"), &j!(act), &j!("lift_shield")));
    assert_eq!((&line["record"], &line["child"]["name"]), (&j!(record), &j!("髙橋 花子")));
    assert!(line["due"].is_string());
    assert!(kinds(&as_officer(&stage, &city, "w1")).await.is_empty(), "a caseworker cannot stand for it");
    assert_eq!(two[1].confirm(&act).await.unwrap().status, 200);
    assert!(kinds(&second).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn routine_is_counted_by_kind_since_it_was_acknowledged() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let before = json(&today(&center.client).await);
    post(&center.client, "/v1/inbox/acknowledgements", j!({ "position": before["latest"] })).await;
    for _ in 0..3 {
        register(&city, &family(CITY_A)).await;
    }
    let now = json(&today(&center.client).await);
    assert_eq!((&now["new"], &now["older"]), (&j!({ "record_registered": 3 }), &j!(false)));
    assert_eq!(now["acknowledged"], before["latest"]);
    post(&center.client, "/v1/inbox/acknowledgements", j!({ "position": now["latest"] })).await;
    assert_eq!(json(&today(&center.client).await)["new"], j!({}));
    // A body that has no records has what waits for it all the same.
    let ministry = stage.party("ministry", "ministry").await;
    assert_eq!(json(&today(&ministry.client).await)["lines"], j!([]));
}
