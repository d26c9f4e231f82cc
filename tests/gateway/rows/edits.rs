//! Edits of the database, drawn by chance over all its columns: none may change an answer unnoticed, and each edit of a
//! column that decides is named. `EDITS` says how many; `make tamper-test` makes 10,000.

use std::collections::BTreeMap;

use serde_json::{Value, json as j};
use tsunagi::store::rows::{table::Weight, tables};
use tsunagi_testkit::world::Party;

use super::{database::Database, reviewed};
use crate::harness::*;

/// Numbers by chance, the same each time (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// A life with rows in most tables, and what is asked of it.
async fn story(stage: &Stage) -> (Vec<Party>, Vec<String>) {
    let city = stage.party("city", CITY_A).await;
    let other = stage.party("other", CITY_B).await;
    let center = stage.party("center", CENTER_A).await;
    let mut records = Vec::new();
    for _ in 0..4 {
        records.push(register(&city, &family(CITY_A)).await);
    }
    let photo = [&[0xFF, 0xD8, 0xFF][..], b"photo"].concat();
    let path = |record: &str, what: &str| format!("/v1/records/{record}/{what}");
    let attach = city.client.post(&path(&records[0], "attachments")).body("image/jpeg", photo);
    assert_eq!(attach.send().await.unwrap().status, 201);
    let update = city.client.put(&format!("/v1/records/{}", records[1])).if_match(1).xml(family(CITY_A).to_xml());
    assert_eq!(update.send().await.unwrap().status, 200);
    let shield = city.client.put(&path(&records[2], "shield")).json(&j!({ "kind": "1", "since": "2026-04-01" }));
    assert_eq!(shield.send().await.unwrap().status, 200);
    let lock = city.client.put(&path(&records[3], "edit-lock")).send().await.unwrap();
    assert_eq!(lock.status, 200, "{}", lock.text());
    search(&other, j!({ "child_name": "髙橋" })).await;
    let asked = ["/v1/inbox", "/v1/records", "/v1/staff", "/v1/terminals", "/v1/transfers", "/v1/organizations"];
    let mut paths: Vec<String> = asked.map(str::to_owned).to_vec();
    for record in &records {
        paths.extend([format!("/v1/records/{record}"), path(record, "history"), path(record, "edit-lock")]);
    }
    (vec![city, other, center], paths)
}

/// What everybody is answered, without what differs each time.
async fn answers(parties: &[Party], paths: &[String]) -> BTreeMap<String, (u16, Value)> {
    let mut answers = BTreeMap::new();
    for party in parties {
        for path in paths {
            let reply = party.client.get(path).purpose("casework").send().await.unwrap();
            let mut body = reply.json().unwrap_or_else(|_| Value::String(reply.text()));
            if let Some(body) = body.as_object_mut() {
                for each_time in ["instance", "request_id"] {
                    body.remove(each_time);
                }
                // That something was found wrong is told meanwhile.
                if let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) {
                    messages.retain(|message| message["kind"] != "row_refuted");
                }
            }
            answers.insert(format!("{} {path}", party.name), (reply.status.as_u16(), body));
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn no_edit_by_chance_changes_an_answer_unnoticed() {
    let edits: usize = std::env::var("EDITS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let stage = Stage::new().await;
    let (parties, paths) = story(&stage).await;
    let mut database = Database::of(&stage).await;
    let before = answers(&parties, &paths).await;
    // Rows that asking itself adds are not edited: they would not be there the next time.
    let columns: Vec<_> = tables::ALL
        .into_iter()
        .filter(|table| !matches!(table.name, "sessions" | "idempotency"))
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
        .collect();
    let (mut draw, mut made, mut noticed, mut named, mut drawn) = (Draw(13), 0, 0, 0, 0);
    while made < edits && drawn < edits * 20 {
        drawn += 1;
        let (table, column) = columns[draw.below(columns.len())];
        let copies = draw.below(2) == 0;
        let Some(edit) = database.edit(table.name, column.name, copies, |bound| draw.below(bound)).await else {
            continue;
        };
        made += 1;
        let review = reviewed(&stage).await;
        let is_named = review.refuted.iter().any(|name| name.table == table.name)
            // A row that hangs on another may be named by that one.
            || table.hangs_on.is_some_and(|(on, _)| review.refuted.iter().any(|name| name.table == on));
        stage.world.gateway().unwrap().journal.memory().guard.remembered.expire();
        let after = answers(&parties, &paths).await;
        let changed: Vec<_> = before.iter().filter(|(asked, answer)| after.get(*asked) != Some(answer)).collect();
        let unnoticed = changed.iter().map(|(asked, _)| (asked, after[*asked].0)).find(|(_, status)| *status != 503);
        let what = format!("{}.{} {edit}", table.name, column.name);
        assert!(is_named || unnoticed.is_none(), "{what} changed {unnoticed:?} unnoticed");
        match column.weight {
            Weight::Key | Weight::Decides => assert!(is_named, "{what} is not named: {:?}", review.refuted),
            Weight::Elsewhere(_) => {}
            Weight::Harmless(_) => assert!(changed.is_empty(), "{what} changed an answer"),
        }
        noticed += usize::from(!changed.is_empty());
        named += usize::from(is_named);
        database.undo(&edit).await;
    }
    println!("{made} edits, {named} named, {noticed} changed an answer, none unnoticed");
    assert!(made >= edits.min(20) && named > made / 2, "{made} edits, {named} named");
    assert_eq!(answers(&parties, &paths).await, before, "what was undone is as before");
}
