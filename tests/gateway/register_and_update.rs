//! Story steps 1 and 2: register, refuse, tell the counterpart, update, refuse the stale, keep every version.

use serde_json::json as j;

use tsunagi::{domain::organization::OrganizationCode, operations::elapse, store};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_city_registers_and_its_center_finds_it_in_the_inbox_and_opens_it() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;

    let messages = inbox(&center).await;
    assert_eq!(messages.len(), 1);
    assert_eq!((&messages[0]["kind"], &messages[0]["record"]), (&j!("record_registered"), &j!(record)));

    let seen = json(&view(&center, &record).await);
    assert_eq!(seen["relation"], "counterpart");
    assert_eq!(seen["items"]["index"]["shown"]["child"]["name"]["written"], "髙橋 花子");
    assert_eq!(seen["items"]["contact"]["shown"]["municipality"], CITY_A);
    assert_eq!(seen["items"]["reporter"], j!({ "withheld": true }));

    let entry = &disclosures(&city).await[0];
    assert_eq!((&entry["act"], &entry["organization"], &entry["officer"]), (&j!("view"), &j!(CENTER_A), &j!("o1")));
    assert_eq!((&entry["terminal"], &entry["purpose"]), (&j!(center.serial), &j!("casework")));
    assert_eq!(entry["legal_basis"], "child_welfare_act_25_2");
    assert!(!entry["groups"].as_array().unwrap().contains(&j!("reporter")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_refused_with_line_path_and_rule_and_nothing_is_registered() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let bad = family(CITY_A).to_xml().replace("<sex>2</sex>", "<sex>7</sex>").replace("<abuseKind>2", "<abuseKind>x");
    let reply = city.client.post("/v1/records").xml(bad).send().await.unwrap();
    assert_refused(&reply, 422, "document_refused");
    let faults = json(&reply)["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 2);
    assert_eq!(faults[0]["path"], "/childRecord/index/child/sex");
    assert_eq!((&faults[0]["line"], &faults[0]["rule"]), (&j!(4), &j!("code_list")));
    assert!(faults[0]["message_ja"].as_str().unwrap().contains("性別"));
    assert_eq!(faults[1]["path"], "/childRecord/case/abuseKind[1]");

    let unknown = family("122321").to_xml();
    let reply = city.client.post("/v1/records").xml(unknown).send().await.unwrap();
    assert_eq!(json(&reply)["faults"][0]["rule"], "unknown_municipality");
    let future = family(CITY_A).to_xml().replace("2018-04-01", "2199-04-01");
    let reply = city.client.post("/v1/records").xml(future).send().await.unwrap();
    assert_eq!(json(&reply)["faults"][0]["rule"], "birth_date_in_future");

    let reply = city.client.post("/v1/records").body("text/plain", "x").send().await.unwrap();
    assert_refused(&reply, 415, "media_type");
    let own = json(&city.client.get("/v1/records").send().await.unwrap());
    assert_eq!(own["records"], j!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_under_the_same_key_registers_once() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let send = |key: &'static str, document: String| {
        city.client.post("/v1/records").header("idempotency-key", key).xml(document).send()
    };
    let document = family(CITY_A).to_xml();
    let first = json(&send("key-000001", document.clone()).await.unwrap());
    let again = json(&send("key-000001", document.clone()).await.unwrap());
    assert_eq!(first, again);
    let other = send("key-000001", document.replace("花子", "桃子")).await.unwrap();
    assert_refused(&other, 422, "idempotency_key_reused");
    let missing = city.client.post("/v1/records").without("idempotency-key").xml(document).send().await.unwrap();
    assert_refused(&missing, 400, "idempotency_key_missing");
    let own = json(&city.client.get("/v1/records").send().await.unwrap());
    assert_eq!(own["records"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_needs_the_version_and_history_keeps_each() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}");
    let changed = family(CITY_A).to_xml().replace("週1回", "週2回");

    let blind = city.client.put(&path).xml(changed.clone()).send().await.unwrap();
    assert_refused(&blind, 428, "if_match_missing");
    let updated = city.client.put(&path).if_match(1).xml(changed.clone()).send().await.unwrap();
    assert_eq!((updated.status.as_u16(), updated.header("etag")), (200, Some("\"2\"")));
    let stale = city.client.put(&path).if_match(1).xml(changed).send().await.unwrap();
    assert_refused(&stale, 412, "stale_version");
    let detail = json(&stale)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("version 1") && detail.contains("version is 2"), "{detail}");

    let client = &city.client;
    let get = |path: String| async move { client.get(&path).purpose("casework").send().await.unwrap() };
    let history = json(&get(format!("{path}/history")).await);
    let changes: Vec<_> = history["versions"].as_array().unwrap().iter().map(|v| v["change"].clone()).collect();
    assert_eq!(changes, ["registered", "updated"]);
    let first = json(&get(format!("{path}/versions/1")).await);
    assert_eq!(first["items"]["support"]["shown"]["policy"], "家庭訪問を週1回行う");
    let second = json(&get(path.clone()).await);
    assert_eq!(second["items"]["support"]["shown"]["policy"], "家庭訪問を週2回行う");
    assert_refused(&get(format!("{path}/versions/3")).await, 404, "record_not_available");
    assert_eq!(inbox_kinds(&center).await, ["record_registered", "record_updated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_comes_as_xml_where_it_is_asked_for() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}");
    let reply = center.client.get(&path).purpose("casework").header("accept", "application/xml").send().await.unwrap();
    assert_eq!(reply.header("content-type"), Some("application/xml"));
    assert!(reply.text().contains("<written>髙橋 花子</written>") && !reply.text().contains("reporter"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let own = city.client.get(&path).purpose("casework").header("accept", "application/xml").send().await.unwrap();
    let again = city.client.put(&path).if_match(1).xml(own.body.clone()).send().await.unwrap();
    assert_eq!(again.status, 200, "what the owner reads can be sent back: {}", again.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_record_is_found_but_not_changed() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}");
    let closed = city.client.post(&format!("{path}/close")).if_match(1).send().await.unwrap();
    assert_eq!(closed.status, 200, "{}", closed.text());
    let update = city.client.put(&path).if_match(1).xml(family(CITY_A).to_xml()).send().await.unwrap();
    assert_refused(&update, 409, "record_closed");
    assert_eq!(children(&search(&far, j!({ "child_name": "髙橋花子" })).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_are_attached_and_leave_through_the_gate() {
    let stage = Stage::new().await;
    let (city, center, far) = (
        stage.party("city", CITY_A).await,
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
    );
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}/attachments");
    let photo = crate::photos::jpeg("synthetic");
    let attach = |body: Vec<u8>| {
        city.client.post(&path).header("tsunagi-attachment-kind", "injury_photo").body("image/jpeg", body).send()
    };
    let attached = attach(photo.clone()).await.unwrap();
    assert_eq!(attached.status, 201, "{}", attached.text());
    assert_refused(&attach(b"<html>".to_vec()).await.unwrap(), 415, "media_type");
    let one = format!("{path}/{}", json(&attached)["attachment"].as_str().unwrap());
    let seen = center.client.get(&one).purpose("casework").send().await.unwrap();
    assert_eq!((seen.status.as_u16(), seen.body.as_ref()), (200, photo.as_slice()));
    assert_eq!(disclosures(&city).await[0]["groups"], j!(["attachments"]));
    let hidden = far.client.get(&one).purpose("casework").send().await.unwrap();
    assert_refused(&hidden, 404, "record_not_available");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_remembered_for_thirty_days() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let key = "remembered-0001";
    let request = city.client.post("/v1/records").header("idempotency-key", key).xml(family(CITY_A).to_xml());
    assert_eq!(request.send().await.unwrap().status, 201);
    let gateway = stage.world.gateway().unwrap().clone();
    let owner = OrganizationCode::parse(CITY_A).unwrap();
    let is_remembered = async || {
        while elapse::forget_old(&gateway).await.unwrap() {}
        let mut tx = gateway.store.read().await.unwrap();
        store::idempotency::outcome_of(&mut tx, &owner, key).await.unwrap().is_some()
    };
    stage.world.clock.advance(elapse::OUTCOMES_KEPT - time::Duration::hours(1));
    assert!(is_remembered().await);
    stage.world.clock.advance(time::Duration::hours(2));
    assert!(!is_remembered().await);
}
