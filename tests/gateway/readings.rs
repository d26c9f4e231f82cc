//! What people read lists of: notices, inquiries, broken glasses, settings, own records by name.

use serde_json::{Value, json as j};
use tsunagi::client::{Client, Reply};
use tsunagi_testkit::{people::Family, world::Party};

use crate::harness::*;

fn as_officer(stage: &Stage, party: &Party, officer: &str) -> Client {
    Client::new(stage.world.address, &stage.world.premises.credentials(&party.name), Some(officer)).unwrap()
}

async fn get(client: &Client, path: &str) -> Value {
    let reply = client.get(path).send().await.unwrap();
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    json(&reply)
}

async fn post(client: &Client, path: &str, body: Value) -> Value {
    let reply = client.post(path).json(&body).send().await.unwrap();
    assert!(reply.status.is_success(), "{path}: {}", reply.text());
    json(&reply)
}

/// Entries of what a party did, newest first.
async fn entries_by(party: &Party, act: &str) -> Vec<Value> {
    let page = get(&party.client, "/v1/disclosures?of=by_us").await;
    let entries = page["disclosures"].as_array().unwrap().iter().map(|line| line["entry"].clone());
    entries.filter(|entry| entry["act"] == act).collect()
}

fn notice(name: &str) -> Value {
    j!({ "status": "actual", "circumstances": "紺色の上着", "contact": "当直 03-0000-0000",
        "child": { "name": name, "sex": "2", "birth_date": "H30.4.1", "guardians": [] } })
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_stand_and_old_ones_are_listed_to_every_center() {
    let stage = Stage::new().await;
    let (issuer, far, city) = (
        stage.party("issuer", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
        stage.party("city", CITY_B).await,
    );
    let mut ids = Vec::new();
    for number in 0..22 {
        let sent = post(&issuer.client, "/v1/missing-notices", notice(&format!("架空 {number}"))).await;
        ids.push(sent["notice"].as_str().unwrap().to_owned());
    }
    let cancel = format!("/v1/missing-notices/{}/cancel", ids[1]);
    assert_eq!(issuer.client.post(&cancel).if_match(1).send().await.unwrap().status, 200);
    let answer = format!("/v1/missing-notices/{}/answers", ids[21]);
    post(&far.client, &answer, j!({ "answer": "sighted", "details": "駅前で見かけた" })).await;

    let first = far.client.get("/v1/missing-notices").send().await.unwrap();
    let page = json(&first);
    let of = |page: &Value, member: &str| -> Vec<Value> {
        page["notices"].as_array().unwrap().iter().map(|notice| notice[member].clone()).collect()
    };
    let newest: Vec<Value> = ids.iter().rev().take(20).map(|id| j!(id)).collect();
    assert_eq!(of(&page, "notice"), newest);
    let line = &page["notices"][0];
    assert_eq!((&line["name"], &line["issuer"], &line["own"]), (&j!("架空 21"), &j!(CENTER_A), &j!(false)));
    assert_eq!((&line["addressed"], &line["answer"]), (&j!(true), &j!("sighted")));
    assert!(!first.text().contains("駅前"), "what a center told is for the issuer");
    assert!(page["notices"][1].get("read_at").is_none());
    let second = get(&far.client, &format!("/v1/missing-notices?before={}", page["next"].as_str().unwrap())).await;
    assert_eq!((of(&second, "notice"), second.get("next")), (vec![j!(ids[1]), j!(ids[0])], None));
    let ended = get(&far.client, "/v1/missing-notices?of=ended").await;
    assert_eq!(of(&ended, "notice"), [j!(ids[1])]);
    assert_eq!(get(&far.client, "/v1/missing-notices?of=standing").await["notices"].as_array().unwrap().len(), 20);
    // Law 1: the list, and each child on it.
    assert_eq!(first.entries().len(), 21);
    let entries = entries_by(&far, "notice_list").await;
    assert!(entries.iter().any(|entry| entry["subject"] == ids[21] && entry["outcome"] == "disclosed"));
    // On a list it was delivered and not read.
    let centers = get(&issuer.client, &format!("/v1/missing-notices/{}/centers", ids[20])).await;
    let state = centers["centers"].as_array().unwrap().iter().find(|state| state["center"] == FAR_CENTER).unwrap();
    assert!(state["delivered_at"].is_string() && state.get("read_at").is_none(), "{state}");
    let own = get(&issuer.client, "/v1/missing-notices?of=ended").await;
    assert_eq!((&own["notices"][0]["own"], &own["notices"][0]["addressed"]), (&j!(true), &j!(false)));
    assert_refused(&city.client.get("/v1/missing-notices").send().await.unwrap(), 403, "not_allowed");
    for unknown in ["of=old", "before=1"] {
        let refused = far.client.get(&format!("/v1/missing-notices?{unknown}")).send().await.unwrap();
        assert_refused(&refused, 422, "field_refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inquiries_are_listed_open_ones_first_and_the_asker_learns_no_owner() {
    let stage = Stage::new().await;
    let (city, far, third) =
        (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await, stage.party("third", CENTER_B).await);
    let shielded = Family { shield_since: Some("R8.4.1".into()), ..family(CITY_A) };
    let record = register(&city, &shielded).await;
    let mut ids = Vec::new();
    for _ in 0..52 {
        let asked =
            post(&far.client, &format!("/v1/records/{record}/inquiries"), j!({ "text": "来所した児童か" })).await;
        ids.push(asked["inquiry"].as_str().unwrap().to_owned());
    }
    for answered in [&ids[51], &ids[50]] {
        post(&city.client, &format!("/v1/inquiries/{answered}/answer"), j!({ "text": "当方の児童である" })).await;
    }
    let of = |page: &Value| -> Vec<String> {
        let all = page["inquiries"].as_array().unwrap().iter();
        all.map(|inquiry| inquiry["inquiry"].as_str().unwrap().to_owned()).collect()
    };
    let page = get(&city.client, "/v1/inquiries").await;
    let open: Vec<String> = ids[..50].iter().rev().cloned().collect();
    assert_eq!(of(&page), open);
    let line = &page["inquiries"][0];
    assert_eq!((&line["asker"], &line["way"], &line["record"]), (&j!(FAR_CENTER), &j!("asked"), &j!(record)));
    let rest = get(&city.client, &format!("/v1/inquiries?before={}", page["next"].as_str().unwrap())).await;
    assert_eq!(of(&rest), [ids[51].clone(), ids[50].clone()]);
    assert!(rest["inquiries"][0]["answered_at"].is_string() && rest.get("next").is_none(), "{rest}");

    let asking = far.client.get("/v1/inquiries").send().await.unwrap();
    assert_eq!(json(&asking)["inquiries"][0]["way"], "asking");
    assert!(!asking.text().contains(CITY_A), "whoever asks is told no owner");
    assert_eq!(get(&third.client, "/v1/inquiries").await["inquiries"], j!([]));
    let refused = far.client.get("/v1/inquiries?before=x").send().await.unwrap();
    assert_refused(&refused, 422, "field_refused");
}

/// The twin: an owner who is named to whoever asks is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_named_to_the_asker_is_noticed() {
    let test = "readings::inquiries_are_listed_open_ones_first_and_the_asker_learns_no_owner";
    fails_with("name-the-asked", test, "whoever asks is told no owner").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_glasses_are_listed_to_the_owner_and_while_they_are_open_to_who_broke_them() {
    let stage = Stage::new().await;
    let (city, far, other) =
        (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await, stage.party("other", CITY_B).await);
    stage.world.add_staff(&city, "w1", &["caseworker"]).await.unwrap();
    let night = stage.world.seat(&far, "o1").await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let record = register(&city, &family(CITY_A)).await;
        let glass = night.post(&format!("/v1/records/{record}/break-glass"), &j!({ "reason": "当直" })).await.unwrap();
        ids.push((record, json(&glass)["break_glass"].as_str().unwrap().to_owned()));
    }
    post(&city.client, &format!("/v1/break-glass/{}/review", ids[0].1), j!({})).await;
    let listed = get(&city.client, "/v1/break-glass").await;
    let of = |all: &Value| -> Vec<Value> {
        all.as_array().unwrap().iter().map(|glass| glass["break_glass"].clone()).collect()
    };
    assert_eq!(of(&listed["on_ours"]), [j!(ids[1].1), j!(ids[0].1)]);
    let newest = &listed["on_ours"][0];
    assert_eq!((&newest["organization"], &newest["officer"]), (&j!(FAR_CENTER), &j!("o1")));
    assert_eq!((&newest["record"], newest.get("reviewed_at")), (&j!(ids[1].0), None));
    assert!(newest["at"].as_str() < newest["until"].as_str() && listed["on_ours"][1]["reviewed_at"].is_string());
    assert_eq!(listed["by_us"], j!([]));
    let older = get(&city.client, &format!("/v1/break-glass?before={}", ids[1].1)).await;
    assert_eq!(of(&older["on_ours"]), [j!(ids[0].1)]);
    // Who reviews nothing sees what the body itself has open.
    assert_eq!(get(&as_officer(&stage, &city, "w1"), "/v1/break-glass").await["on_ours"], j!([]));

    let by_far = far.client.get("/v1/break-glass").send().await.unwrap();
    assert_eq!(of(&json(&by_far)["by_us"]), [j!(ids[1].1), j!(ids[0].1)]);
    assert!(json(&by_far)["on_ours"] == j!([]) && !by_far.text().contains(CITY_A));
    let of_other = get(&other.client, "/v1/break-glass").await;
    assert_eq!((&of_other["on_ours"], &of_other["by_us"]), (&j!([]), &j!([])));
    stage.world.clock.advance(time::Duration::hours(5));
    assert_eq!(get(&far.client, "/v1/break-glass").await["by_us"], j!([]), "they are closed by then");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_beside_the_national_standard() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let cell = |view: &Value, relation: &str, group: &str| -> Value {
        let row = view["rows"].as_array().unwrap().iter().find(|row| row["relation"] == relation).unwrap().clone();
        let found = row["groups"].as_array().unwrap().iter().find(|cell| cell["group"] == group).unwrap().clone();
        j!([found["shown"], found["standard"], found["may_show"], found["may_hide"]])
    };
    let before = get(&city.client, "/v1/settings").await;
    assert_eq!(before["settings"], j!({ "hide": {}, "show": {} }));
    assert_eq!(before["rows"].as_array().unwrap().len(), 8);
    assert_eq!(cell(&before, "counterpart", "support"), j!([true, true, true, true]));
    assert_eq!(cell(&before, "counterpart", "welfare"), j!([false, false, true, true]));
    assert_eq!(cell(&before, "counterpart", "reporter"), j!([false, false, false, true]));
    assert_eq!(cell(&before, "outsider", "index"), j!([true, true, true, false]));
    assert_eq!(cell(&before, "owner", "case"), j!([true, true, true, false]));
    let settings = j!({ "hide": { "counterpart": ["support"] }, "show": { "counterpart": ["welfare"] } });
    let person = city.first.administrator.client().await.unwrap();
    assert_eq!(person.put("/v1/settings").json(&settings).send().await.unwrap().status, 200);
    let after = get(&city.client, "/v1/settings").await;
    assert_eq!(after["settings"], settings);
    assert_eq!(cell(&after, "counterpart", "support"), j!([false, true, true, true]));
    assert_eq!(cell(&after, "counterpart", "welfare"), j!([true, false, true, true]));
    let ministry = stage.party("ministry", "ministry").await;
    assert_refused(&ministry.client.get("/v1/settings").send().await.unwrap(), 403, "not_allowed");
}

async fn own_search(party: &Party, body: Value) -> Reply {
    party.client.post("/v1/records/searches").json(&body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn own_records_are_found_by_a_name_and_those_of_others_are_not() {
    let stage = Stage::new().await;
    let (city, other, center) =
        (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    let foreign = register(&other, &family(CITY_B)).await;
    let told = inbox_kinds(&other).await;
    let found = own_search(&city, j!({ "name": "たかはし" })).await;
    assert_eq!(found.status, 200, "{}", found.text());
    assert!(!found.text().contains(&foreign), "a record of others was found");
    let records = json(&found)["records"].clone();
    assert_eq!((records.as_array().unwrap().len(), &records[0]["record"]), (1, &j!(record)));
    // Lines like those of the whole list.
    assert_eq!(records, get(&city.client, "/v1/records").await["records"]);
    assert_eq!(found.entries().len(), 2);
    let search = entries_by(&city, "search_own").await.remove(0);
    assert!(search["note"].is_string() && search.get("purpose").is_none(), "{search}");
    let shown = entries_by(&city, "list_own").await;
    assert!(shown.iter().any(|entry| entry["record"] == record && entry["outcome"] == "disclosed"));
    assert_eq!(inbox_kinds(&other).await, told, "nobody else is told");
    // A counterpart's record is not one's own.
    let none = own_search(&center, j!({ "name": "たかはし" })).await;
    assert_eq!(json(&none)["records"], j!([]));
    assert_eq!(entries_by(&center, "search_own").await[0]["outcome"], "no_hit");
    for (of, name, count) in
        [("guardian", "渡辺", 1), ("guardian", "花子", 0), ("child", "花子", 1), ("relative", "高橋", 0)]
    {
        let found = json(&own_search(&city, j!({ "name": name, "of": of })).await);
        assert_eq!(found["records"].as_array().unwrap().len(), count, "{of} {name}");
    }
}

/// The twin: a search that answers from everybody's records is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_everybodys_records_is_noticed() {
    let test = "readings::own_records_are_found_by_a_name_and_those_of_others_are_not";
    fails_with("search-everybodys", test, "a record of others was found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_own_records_goes_by_pages_and_refuses_what_is_too_broad() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    for _ in 0..52 {
        register(&city, &family(CITY_A)).await;
    }
    let first = json(&own_search(&city, j!({ "name": "高橋" })).await);
    assert_eq!((first["records"].as_array().unwrap().len(), &first["next_page"]), (50, &j!(2)));
    let second = json(&own_search(&city, j!({ "name": "高橋", "page": 2 })).await);
    assert_eq!((second["records"].as_array().unwrap().len(), second.get("next_page")), (2, None));
    assert_refused(&own_search(&city, j!({ "name": "た" })).await, 422, "search_too_broad");
    assert_eq!(entries_by(&city, "search_own").await[0]["refusal"], "search_too_broad");
    for (body, status, code) in [
        (j!({ "name": "" }), 422, "field_refused"),
        (j!({ "name": "高橋", "page": 0 }), 422, "field_refused"),
        (j!({ "name": "高橋", "of": "anybody" }), 400, "body_unreadable"),
        (j!({ "child_name": "高橋" }), 400, "body_unreadable"),
    ] {
        assert_refused(&own_search(&city, body).await, status, code);
    }
}
