//! Shielded records: address and affiliation leave to nobody, and the owner's name is itself a location.

use serde_json::{Value, json as j};
use tsunagi_testkit::{people::Family, persons::DeskPerson};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_shield_takes_effect_at_once_and_is_lifted_by_two_persons() {
    let stage = Stage::new().await;
    let (city, center, far, other) = (
        stage.party("city", CITY_A).await,
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
        stage.party("other", CITY_B).await,
    );
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}");
    assert_eq!(children(&search(&other, j!({ "child_name": "高橋" })).await).len(), 1);
    let set =
        city.client.put(&format!("{path}/shield")).json(&j!({ "kind": "1", "since": "R8.4.1" })).send().await.unwrap();
    assert_eq!(set.status, 200, "{}", set.text());

    // An outside municipality: absent. An outside center: the four items and a relay desk.
    let absent = search(&other, j!({ "child_name": "高橋" })).await;
    assert!(children(&absent).is_empty());
    let relayed = search(&far, j!({ "child_name": "高橋" })).await;
    assert_eq!(children(&relayed)[0]["contact"]["kind"], "relay");
    assert!(!relayed.text().contains(CITY_A) && !relayed.text().contains("白井"), "{}", relayed.text());
    // The owner is told of both.
    let told: Vec<_> = inbox(&city).await.into_iter().filter(|m| m["kind"] == "shield_approached").collect();
    let from: Vec<_> = told.iter().map(|m| m["from_organization"].clone()).collect();
    assert_eq!(from, [CITY_B, FAR_CENTER]);
    // The counterpart sees the case, but neither address nor affiliation.
    let seen = json(&view(&center, &record).await);
    for group in ["contact", "affiliation", "shielded"] {
        assert_eq!(seen["items"][group], j!({ "withheld": true }), "{group}");
    }
    assert_eq!(seen["items"]["case"]["shown"]["caseClass"], "1");

    // An update cannot lift it, nor one person alone.
    let without = city.client.put(&path).if_match(2).xml(family(CITY_A).to_xml()).send().await.unwrap();
    assert_refused(&without, 409, "shield_needs_two");
    let two = two_supervisors(&stage, &city).await;
    let lift = format!("{path}/shield/lift-approvals");
    let approve = async |person: &DeskPerson| person.post(&lift, &Value::Null).await.unwrap();
    assert_refused(&approve(&two[0]).await, 409, "shield_lift_not_asked");
    // A machine asks, and stands for nothing.
    let asked = city.client.post(&format!("{path}/shield/lift-requests")).send().await.unwrap();
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_refused(&city.client.post(&lift).send().await.unwrap(), 403, "sharp_act_needs_person");
    assert_eq!(approve(&two[0]).await.status, 202);
    assert_refused(&approve(&two[0]).await, 409, "not_two_persons");
    assert!(children(&search(&other, j!({ "child_name": "高橋" })).await).is_empty());
    let lifted = approve(&two[1]).await;
    assert_eq!(lifted.status, 200, "{}", lifted.text());
    assert_eq!(children(&search(&other, j!({ "child_name": "高橋" })).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_the_owner_names_see_the_address() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}/shield");
    let shield = |named: Value| j!({ "kind": "1", "since": "R8.4.1", "named": named, "note": "架空" });
    let set = async |named| city.client.put(&path).json(&shield(named)).send().await.unwrap();
    // One machine shields at once, and names nobody: neither so, nor by an update, nor by registering.
    assert_refused(&set(j!([CENTER_A])).await, 409, "naming_needs_two");
    assert_eq!(set(j!([])).await.status, 200);
    let named = Family { shield_since: Some("R8.4.1".into()), ..family(CITY_A) }.to_xml();
    let named = named.replace("</since></shield>", &format!("</since><named>{CENTER_A}</named></shield>"));
    let update = city.client.put(&format!("/v1/records/{record}")).if_match(2).xml(named.clone()).send().await.unwrap();
    assert_refused(&update, 409, "naming_needs_two");
    assert_refused(&city.client.post("/v1/records").xml(named).send().await.unwrap(), 409, "naming_needs_two");
    assert_eq!(json(&view(&center, &record).await)["items"]["contact"], j!({ "withheld": true }));
    let two = two_supervisors(&stage, &city).await;
    let name = format!("{path}/naming-requests");
    let done = by_two(&two, &name, &j!({ "named": [CENTER_A] })).await;
    assert_eq!((done.status.as_u16(), &json(&done)["version"]), (200, &j!(3)), "{}", done.text());
    let seen = json(&view(&center, &record).await);
    assert!(seen["items"]["contact"]["shown"]["address"].as_str().unwrap().contains("架空町"));
    // Taking the name away again is one machine's to do, at once.
    assert_eq!(set(j!([])).await.status, 200);
    assert_eq!(json(&view(&center, &record).await)["items"]["contact"], j!({ "withheld": true }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_reaches_the_owner_and_its_answer_does_not_name_it() {
    let stage = Stage::new().await;
    let (city, far, other) =
        (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await, stage.party("other", CITY_B).await);
    let mut shielded = family(CITY_A);
    shielded.shield_since = Some("2026-04-01".into());
    let record = register(&city, &shielded).await;
    let inquire = format!("/v1/records/{record}/inquiries");
    let hidden = other.client.post(&inquire).json(&j!({ "text": "当市に転入か" })).send().await.unwrap();
    assert_refused(&hidden, 404, "record_not_available");
    let asked = far.client.post(&inquire).json(&j!({ "text": "当所に来所した児童か" })).send().await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    let inquiry = format!("/v1/inquiries/{}", json(&asked)["inquiry"].as_str().unwrap());
    assert_eq!(json(&city.client.get(&inquiry).send().await.unwrap())["question"], "当所に来所した児童か");
    let answered =
        city.client.post(&format!("{inquiry}/answer")).json(&j!({ "text": "折り返し連絡する" })).send().await;
    assert_eq!(answered.unwrap().status, 200);
    let message = inbox(&far).await.pop().unwrap();
    assert_eq!(message["kind"], "inquiry_answered");
    assert!(message.get("from_organization").is_none());
    let read = far.client.get(&inquiry).send().await.unwrap();
    assert_eq!(json(&read)["answer"], "折り返し連絡する");
    assert!(!read.text().contains(CITY_A));
    assert_refused(&other.client.get(&inquiry).send().await.unwrap(), 404, "not_found");

    // An answer that was read is not another one later.
    let again =
        city.client.post(&format!("{inquiry}/answer")).json(&j!({ "text": "該当しない" })).send().await.unwrap();
    assert_refused(&again, 409, "already_exists");
    assert_eq!(json(&far.client.get(&inquiry).send().await.unwrap())["answer"], "折り返し連絡する");
    assert_eq!(inbox_kinds(&far).await.iter().filter(|kind| *kind == "inquiry_answered").count(), 1);
    let by_us = json(&city.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let answers = by_us["disclosures"].as_array().unwrap().iter().map(|line| &line["entry"]);
    let refusals: Vec<_> =
        answers.filter(|entry| entry["act"] == "inquiry_answer").map(|entry| entry["refusal"].clone()).collect();
    assert_eq!(refusals, [j!("already_exists"), j!(null)]);

    // Asking for a transfer does not reveal the owner either.
    let request = j!({ "record": record, "reason": "当所管内に転入した" });
    let asked = far.client.post("/v1/transfers/requests").json(&request).send().await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    assert!(!asked.text().contains(CITY_A), "{}", asked.text());
    let listed = far.client.get("/v1/transfers").send().await.unwrap();
    assert!(!listed.text().contains(CITY_A), "{}", listed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn breaking_the_glass_needs_a_reason_and_tells_the_owner_at_once() {
    let stage = Stage::new().await;
    let (city, far, other) =
        (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await, stage.party("other", CITY_B).await);
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}/break-glass");
    let empty = far.client.post(&path).json(&j!({ "reason": " " })).send().await.unwrap();
    assert_refused(&empty, 422, "field_refused");
    let city_tries = other.client.post(&path).json(&j!({ "reason": "緊急" })).send().await.unwrap();
    assert_refused(&city_tries, 403, "not_allowed");
    // A machine asks; a person of that center does it.
    let reason = j!({ "reason": "夜間に負傷した児童を保護した" });
    let asked = far.client.post(&path).json(&reason).send().await.unwrap();
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_refused(&view(&far, &record).await, 404, "record_not_available");
    assert!(inbox_kinds(&city).await.is_empty());
    let night = stage.world.seat(&far, "o1").await.unwrap();
    let broken = night.confirm(json(&asked)["waiting_act"].as_str().unwrap()).await.unwrap();
    assert_eq!(broken.status, 200, "{}", broken.text());
    let seen = json(&view(&far, &record).await);
    assert_eq!(seen["relation"], "break_glass");
    assert!(seen["items"]["contact"]["shown"].is_object());
    for group in ["support", "reporter", "affiliation"] {
        assert_eq!(seen["items"][group], j!({ "withheld": true }), "{group}");
    }
    let kinds = inbox_kinds(&city).await;
    assert_eq!(kinds, ["break_glass", "record_viewed"]);
    let glass = format!("/v1/break-glass/{}", json(&broken)["break_glass"].as_str().unwrap());
    let reason = json(&city.client.get(&glass).send().await.unwrap());
    assert_eq!(reason["reason"], "夜間に負傷した児童を保護した");
    let reviewed = city.client.post(&format!("{glass}/review")).send().await.unwrap();
    assert_eq!(reviewed.status, 200, "{}", reviewed.text());
    stage.world.clock.advance(time::Duration::hours(5));
    assert_refused(&view(&far, &record).await, 404, "record_not_available");
}
