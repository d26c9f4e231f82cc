//! Story step 5: a center's child has vanished.

use serde_json::{Value, json as j};
use tsunagi_testkit::world::Party;

use crate::harness::*;

fn notice(status: &str) -> Value {
    j!({
        "status": status,
        "child": { "name": "髙橋 花子", "kana": "タカハシ ハナコ", "sex": "2", "birth_date": "H30.4.1", "guardians": ["髙橋 誠"] },
        "circumstances": "紺色の上着。夕方から所在不明。", "contact": "当直 03-0000-0000",
    })
}

/// What a center answered, as the issuer sees it.
async fn answer_of(issuer: &Party, path: &str, center: &str) -> Value {
    let reply = json(&issuer.client.get(&format!("{path}/centers")).send().await.unwrap());
    reply["centers"].as_array().unwrap().iter().find(|state| state["center"] == center).unwrap().clone()
}

/// Entries of what a party did, newest first.
async fn entries_by(party: &Party, act: &str) -> Vec<Value> {
    let page = json(&party.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let entries = page["disclosures"].as_array().unwrap().iter().map(|line| line["entry"].clone());
    entries.filter(|entry| entry["act"] == act).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_center_is_told_and_only_the_issuer_sees_the_answers() {
    let stage = Stage::new().await;
    let (issuer, far, third, city) = (
        stage.party("issuer", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
        stage.party("third", CENTER_B).await,
        stage.party("city", CITY_B).await,
    );
    let sent = issuer.client.post("/v1/missing-notices").json(&notice("exercise")).send().await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text());
    let sent = json(&sent);
    assert!(sent["centers"].as_u64().unwrap() > 200, "{sent}");
    let path = format!("/v1/missing-notices/{}", sent["notice"].as_str().unwrap());
    let states = || async {
        let reply = json(&issuer.client.get(&format!("{path}/centers")).send().await.unwrap());
        let state = |code: &str| {
            let all = reply["centers"].as_array().unwrap();
            let one = all.iter().find(|center| center["center"] == code).unwrap();
            ["delivered_at", "read_at", "answered_at"].map(|key| one.get(key).is_some())
        };
        (state(FAR_CENTER), state(CENTER_B), reply.clone())
    };
    assert_eq!(states().await.0, [false, false, false]);
    let message = inbox(&far).await.pop().unwrap();
    assert_eq!((&message["kind"], &message["from_organization"]), (&j!("missing_notice"), &j!(CENTER_A)));
    assert_eq!(states().await.0, [true, false, false]);
    let read = json(&far.client.get(&path).send().await.unwrap());
    assert_eq!((&read["exercise"], &read["content"]["child"]["name"]), (&j!(true), &j!("髙橋 花子")));
    assert_eq!(states().await.0, [true, true, false]);
    let sighted = j!({ "answer": "sighted", "details": "駅前で見かけた" });
    let answered = far.client.post(&format!("{path}/answers")).json(&sighted).send().await.unwrap();
    assert_eq!(answered.status, 200, "{}", answered.text());
    let (far_state, third_state, all) = states().await;
    assert_eq!((far_state, third_state), ([true, true, true], [false, false, false]));
    assert!(all.to_string().contains("駅前で見かけた"));
    assert_eq!(inbox(&issuer).await.pop().unwrap()["kind"], "notice_answered");

    // Another officer of the same center has seen nothing, or something more: what the first one saw stays.
    let answer = |body: Value| far.client.post(&format!("{path}/answers")).json(&body).send();
    assert_refused(&answer(j!({ "answer": "not_here" })).await.unwrap(), 409, "notice_sighted");
    assert_eq!(inbox_kinds(&issuer).await, ["notice_answered"]);
    assert_eq!(entries_by(&far, "notice_answer").await[0]["refusal"], "notice_sighted");
    let more = answer(j!({ "answer": "sighted", "details": "改札を通った" })).await.unwrap();
    assert_eq!(more.status, 200, "{}", more.text());
    let told = answer_of(&issuer, &path, FAR_CENTER).await;
    assert_eq!((&told["answer"], &told["details"]), (&j!("sighted"), &j!("駅前で見かけた\n改札を通った")));
    // The other way round a center may learn more.
    for body in
        [j!({ "answer": "not_here" }), j!({ "answer": "not_here" }), j!({ "answer": "sighted", "details": "夜に来所" })]
    {
        let answered = third.client.post(&format!("{path}/answers")).json(&body).send().await.unwrap();
        assert_eq!(answered.status, 200, "{}", answered.text());
    }
    let told = answer_of(&issuer, &path, CENTER_B).await;
    assert_eq!((&told["answer"], &told["details"]), (&j!("sighted"), &j!("夜に来所")));

    let peek = third.client.get(&format!("{path}/centers")).send().await.unwrap();
    assert_refused(&peek, 404, "not_found");
    assert!(!third.client.get(&path).send().await.unwrap().text().contains("駅前"));
    assert_refused(&city.client.get(&path).send().await.unwrap(), 403, "not_allowed");
    let bare = j!({ "answer": "sighted" });
    let bare = third.client.post(&format!("{path}/answers")).json(&bare).send().await.unwrap();
    assert_refused(&bare, 422, "field_refused");
    let foreign = far.client.put(&path).if_match(1).json(&notice("exercise")).send().await.unwrap();
    assert_refused(&foreign, 404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_updated_cancelled_and_found_later() {
    let stage = Stage::new().await;
    let (issuer, far) = (stage.party("issuer", CENTER_A).await, stage.party("far", FAR_CENTER).await);
    let sent = issuer.client.post("/v1/missing-notices").json(&notice("actual")).send().await.unwrap();
    let path = format!("/v1/missing-notices/{}", json(&sent)["notice"].as_str().unwrap());
    let update = issuer.client.put(&path).if_match(1).json(&notice("actual")).send().await.unwrap();
    assert_eq!((&json(&update)["version"], &json(&update)["state"]), (&j!(2), &j!("update")));
    let stale = issuer.client.put(&path).if_match(1).json(&notice("actual")).send().await.unwrap();
    assert_refused(&stale, 412, "stale_version");
    let cancelled = issuer.client.post(&format!("{path}/cancel")).if_match(2).send().await.unwrap();
    assert_eq!(json(&cancelled)["state"], "cancel");
    let late = far.client.post(&format!("{path}/answers")).json(&j!({ "answer": "not_here" })).send().await.unwrap();
    assert_refused(&late, 409, "notice_cancelled");
    let kinds = inbox_kinds(&far).await;
    assert_eq!(kinds, ["missing_notice", "missing_notice_updated", "missing_notice_cancelled"]);
    let found = far.client.post("/v1/missing-notices/searches").json(&j!({ "name": "たかはし" })).send().await.unwrap();
    let found = json(&found);
    assert_eq!((&found[0]["state"], &found[0]["issuer"]), (&j!("cancel"), &j!(CENTER_A)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_search_is_in_the_ledger_like_any_other() {
    let stage = Stage::with(&generous_with_search("most_hits = 2")).await;
    let (issuer, far) = (stage.party("issuer", CENTER_A).await, stage.party("far", FAR_CENTER).await);
    let search =
        |name: &'static str| far.client.post("/v1/missing-notices/searches").json(&j!({ "name": name })).send();
    assert_refused(&search("た").await.unwrap(), 422, "search_too_broad");
    for _ in 0..3 {
        issuer.client.post("/v1/missing-notices").json(&notice("actual")).send().await.unwrap();
    }
    assert_refused(&search("たかはし").await.unwrap(), 422, "too_many_hits");
    assert_eq!(json(&search("すずき").await.unwrap()), j!([]));
    let entries = entries_by(&far, "notice_search").await;
    let outcomes: Vec<_> = entries.iter().map(|entry| (entry["outcome"].clone(), entry["refusal"].clone())).collect();
    let refused = |code: &str| (j!("refused"), j!(code));
    assert_eq!(outcomes, [(j!("no_hit"), Value::Null), refused("too_many_hits"), refused("search_too_broad")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_registrations_and_searches_that_match_alert_the_issuer() {
    let stage = Stage::new().await;
    let (issuer, city, far) = (
        stage.party("issuer", CENTER_B).await,
        stage.party("city", CITY_A).await,
        stage.party("far", FAR_CENTER).await,
    );
    issuer.client.post("/v1/missing-notices").json(&notice("actual")).send().await.unwrap();
    let mut other = family(CITY_A);
    other.birth_date = "2017-04-01".into();
    register(&city, &other).await;
    assert!(inbox(&issuer).await.is_empty(), "another birth date is another child");
    let record = register(&city, &family(CITY_A)).await;
    let message = inbox(&issuer).await.pop().unwrap();
    assert_eq!((&message["kind"], &message["record"]), (&j!("missing_child_registered"), &j!(record)));
    search(&far, j!({ "child_name": "はなこ" })).await;
    let message = inbox(&issuer).await.pop().unwrap();
    assert_eq!((&message["kind"], &message["from_organization"]), (&j!("missing_child_searched"), &j!(FAR_CENTER)));
    let mut shielded = family(CITY_A);
    shielded.shield_since = Some("2026-04-01".into());
    register(&city, &shielded).await;
    let message = inbox(&issuer).await.pop().unwrap();
    assert_eq!(message["kind"], "missing_child_registered");
    assert!(message.get("from_organization").is_none(), "who shields a child is itself a location");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_waits_for_news_and_remembers_what_was_acknowledged() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    // What it was told while it was opened.
    let told = json(&center.client.get("/v1/inbox").send().await.unwrap())["cursor"].as_i64().unwrap();
    let path = format!("/v1/inbox?after={told}&wait=20");
    let waiting = async { json(&center.client.get(&path).send().await.unwrap()) };
    let (news, _) = tokio::join!(waiting, async { register(&city, &family(CITY_A)).await });
    assert_eq!((news["messages"].as_array().unwrap().len(), &news["cursor"]), (1, &j!(told + 1)));
    let acknowledge =
        |position: i64| center.client.post("/v1/inbox/acknowledgements").json(&j!({ "position": position })).send();
    assert_refused(&acknowledge(told + 2).await.unwrap(), 422, "field_refused");
    assert_eq!(acknowledge(told + 1).await.unwrap().status, 200);
    let after = json(&center.client.get(&format!("/v1/inbox?after={}", told + 1)).send().await.unwrap());
    assert_eq!((after["messages"].as_array().unwrap().len(), &after["acknowledged"]), (0, &j!(told + 1)));
}
