//! A file of many records: every line that is right is registered at once, the others are reported with their rules.

use serde_json::Value;
use tsunagi::{
    client::Reply,
    wire::{json as json_form, xml},
};
use tsunagi_testkit::{people::Family, world::Party};

use crate::harness::*;

fn line(family: &Family) -> String {
    let document = xml::read(family.to_xml().as_bytes()).unwrap();
    json_form::write(document.sections()).to_string()
}

async fn send(party: &Party, key: &str, lines: &[String]) -> Reply {
    let body = lines.join("\n");
    let request = party.client.post("/v1/batches").header("idempotency-key", key);
    request.body("application/x-ndjson", body).send().await.unwrap()
}

async fn report(party: &Party, batch: &Value) -> Reply {
    party.client.get(&format!("/v1/batches/{}", batch.as_str().unwrap())).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn right_lines_are_registered_and_wrong_ones_reported() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let other = stage.party("other", CITY_B).await;
    let named = |child: &str| Family { child: child.to_owned(), ..family(CITY_A) };
    let lines = [
        line(&named("架空 一")),
        "{ \"childRecord\": 1 }".to_owned(),
        String::new(),
        line(&named("架空 二")).replace("2018-04-01", "2999-04-01"),
        line(&named("架空 三")),
    ];
    let reply = send(&city, "first-batch", &lines).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let taken = json(&reply);
    assert_eq!((taken["registered"].as_u64(), taken["refused"].as_u64()), (Some(2), Some(2)));
    let told = report(&city, &taken["batch"]).await;
    assert_eq!(told.status, 200, "{}", told.text());
    assert!(!told.text().contains("架空"), "a report quotes no record");
    let told = json(&told)["lines"].as_array().unwrap().clone();
    let numbers: Vec<_> =
        told.iter().map(|line| (line["line"].as_u64().unwrap(), line["record"].is_string())).collect();
    assert_eq!(numbers, [(1, true), (2, false), (4, false), (5, true)]);
    assert!(told[1]["faults"][0]["rule"].is_string() && told[2]["faults"][0]["line"] == 4, "{told:?}");
    // Found at once, told to the counterpart, and in the ledger one by one.
    for child in ["架空 一", "架空 三"] {
        assert_eq!(children(&search(&center, serde_json::json!({ "child_name": child })).await).len(), 1);
    }
    assert_eq!(inbox_kinds(&center).await, ["record_registered", "record_registered"]);
    let acts: Vec<_> = disclosures(&city).await.iter().map(|entry| entry["act"].clone()).collect();
    assert_eq!(acts.iter().filter(|act| **act == "register").count(), 2);
    // Again under its key: the same answer, and nothing twice. Another file under it is refused.
    assert_eq!(json(&send(&city, "first-batch", &lines).await), taken);
    assert_refused(&send(&city, "first-batch", &lines[..1]).await, 422, "idempotency_key_reused");
    assert_eq!(inbox_kinds(&center).await.len(), 2);
    assert_refused(&report(&other, &taken["batch"]).await, 404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_none_and_another_form_are_refused() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let one = line(&family(CITY_A));
    assert_refused(&send(&city, "none-at-all", &[]).await, 422, "field_refused");
    assert_refused(&send(&city, "too-many-lines", &vec![one.clone(); 501]).await, 422, "field_refused");
    let reply = city.client.post("/v1/batches").body("text/plain", one).send().await.unwrap();
    assert_refused(&reply, 422, "field_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_no_larger_than_a_record_and_a_report_stays_small() {
    let stage = Stage::with(&format!("{GENEROUS}record_bytes = 20000\n")).await;
    let city = stage.party("city", CITY_A).await;
    // White space around a value counts, as it does in a record that is sent alone.
    let padded = |bytes: usize| {
        let line = line(&family(CITY_A));
        format!("{}{line}", " ".repeat(bytes - line.len()))
    };
    let reply = send(&city, "large-lines", &[padded(20_000), padded(20_001)]).await;
    assert_eq!((reply.status.as_u16(), json(&reply)["registered"].as_u64()), (201, Some(1)), "{}", reply.text());
    let told = json(&report(&city, &json(&reply)["batch"]).await);
    let large = &told["lines"][1];
    assert_eq!((&large["faults"][0]["rule"], &large["faults"][0]["line"]), (&"too_large".into(), &2.into()));
    assert_eq!((large.get("record"), large.get("more_faults")), (None, None));

    let wrong = |faults: usize| {
        let arrays = vec!["[]"; faults].join(",");
        line(&family(CITY_A)).replacen(
            '{',
            &format!("{{\"shield\":{{\"kind\":\"1\",\"since\":\"R8.4.1\",\"named\":[{arrays}]}},"),
            1,
        )
    };
    let reply = send(&city, "many-faults", &vec![wrong(5_000); 40]).await;
    assert_eq!(json(&reply)["refused"].as_u64(), Some(40), "{}", reply.text());
    let told = report(&city, &json(&reply)["batch"]).await;
    assert!(told.body.len() < 300_000, "{}", told.body.len());
    let told = json(&told)["lines"].as_array().unwrap().clone();
    let faults: Vec<usize> = told.iter().map(|line| line["faults"].as_array().unwrap().len()).collect();
    assert_eq!(faults.iter().sum::<usize>(), 40 + 500);
    assert_eq!((&faults[..7], faults[39]), (&[100, 100, 100, 100, 100, 6, 1][..], 1));
    let more: Vec<bool> = told.iter().map(|line| line["more_faults"] == true).collect();
    assert_eq!(more.iter().position(|more| *more), Some(5), "told where, and not told where there are no more");
    assert!(more[5..].iter().all(|more| *more));
}
