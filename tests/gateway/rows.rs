//! What somebody does who has the database and no key: every row that decides something is authenticated, and each edit
//! is found and named. Nothing that rests on it is answered, and everything else goes on.

pub mod database;
mod edits;
mod hidden;
mod set_aside;

use serde_json::json as j;
use tsunagi::{
    client::Client,
    operations::accounting::tell_refuted::tell_refuted,
    store::rows::{
        name::RowName,
        review::{Pace, Review, review},
        table::MarkedTable,
        tables,
    },
};
use tsunagi_testkit::world::Party;
use uuid::Uuid;

use self::database::Database;
use crate::harness::*;

/// Runs a statement as whoever owns the database.
async fn tamper(stage: &Stage, sql: &str) -> u64 {
    Database::of(stage).await.run(sql).await.unwrap()
}

/// An id as the database writes it.
async fn literal(stage: &Stage, id: &str) -> String {
    Database::of(stage).await.id(id)
}

/// Looks at every row, as the gateway does after its start and once a day.
async fn reviewed(stage: &Stage) -> Review {
    let gateway = stage.world.gateway().unwrap();
    review(&gateway.store, &gateway.vault, Pace::Alone).await.unwrap()
}

/// Sets every column of a table to what was kept of a row.
fn set_from(kept: &str, table: &MarkedTable) -> String {
    let columns = table.columns.iter().map(|column| column.name).chain(["mark"]);
    columns.map(|name| format!("{name} = (SELECT {name} FROM {kept})")).collect::<Vec<_>>().join(", ")
}

fn names(review: &Review, table: &str, row: &str) -> bool {
    review.refuted.iter().any(|RowName { table: of, row: name }| *of == table && name == row)
}

/// What a test says that has to fail with a planted defect.
async fn fails_with(defect: &str, test: &str, more: &[(&str, &str)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("PLANTED_DEFECT", defect).envs(more.iter().copied());
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    said
}

/// What an administrator of the database tries, and the row that is named for it.
struct Attempt {
    what: &'static str,
    sql: String,
    table: &'static str,
    row: String,
}

/// The twelve edits by which the gateway was once taken in, and two more.
async fn attempts(stage: &Stage, records: &[String], (thief, lost): (&str, &str)) -> Vec<Attempt> {
    let database = Database::of(stage).await;
    let mut attempts = on_records(&database, records, thief);
    attempts.extend(on_access(&database, lost));
    attempts
}

fn attempt(what: &'static str, sql: String, table: &'static str, row: &str) -> Attempt {
    Attempt { what, sql, table, row: row.to_owned() }
}

fn on_records(database: &Database, records: &[String], thief: &str) -> Vec<Attempt> {
    let id = |number: usize| database.id(&records[number]);
    let new = |number: u128| database.id(&Uuid::from_u128(number).to_string());
    let record = |what, number: usize, set: &str| {
        attempt(what, format!("UPDATE records SET {set} WHERE id = {}", id(number)), "records", &records[number])
    };
    vec![
        record("another owner", 0, &format!("owner = '{thief}'")),
        record("no shield", 1, "shielded = 0"),
        record("a serious case", 2, "serious = 1"),
        record("set back to its first version", 3, &set_from("kept_record", &tables::RECORDS)),
        attempt("deleted", format!("DELETE FROM records WHERE id = {}", id(7)), "records", &records[7]),
        attempt(
            "a provision",
            format!(
                "INSERT INTO provisions (record, organization, version, item_groups, at) VALUES ({}, '{thief}', 1, 32767, 1)",
                id(4)
            ),
            "provisions",
            &format!("{}:{thief}", records[4]),
        ),
        attempt(
            "a confirmed transfer",
            format!(
                "INSERT INTO transfers (id, record, owner, receiver, state, urgent, version, item_groups, opened_at, \
                 offered_at, expires_at, sealed_note) SELECT {}, id, owner, '{thief}', 'confirmed', 0, 1, 32767, 1, 1, \
                 9000000000000000, sealed_key FROM records WHERE id = {}",
                new(1),
                id(5)
            ),
            "transfers",
            &Uuid::from_u128(1).to_string(),
        ),
        attempt(
            "a broken glass",
            format!(
                "INSERT INTO break_glass (id, record, organization, officer, until_at, sealed_reason) \
                 SELECT {}, id, '{thief}', 'o1', 9000000000000000, sealed_key FROM records WHERE id = {}",
                new(2),
                id(6)
            ),
            "break_glass",
            &Uuid::from_u128(2).to_string(),
        ),
        attempt(
            "a version is gone",
            format!("DELETE FROM record_versions WHERE record = {} AND version = 1", id(8)),
            "record_versions",
            &format!("{}:1", records[8]),
        ),
    ]
}

fn on_access(database: &Database, lost: &str) -> Vec<Attempt> {
    let listed = Uuid::from_u128(3).to_string();
    vec![
        attempt(
            "settings",
            format!("UPDATE organizations SET settings = '{{}}', relay_desk = 'x' WHERE code = '{CITY_A}'"),
            "organizations",
            CITY_A,
        ),
        attempt(
            "a role",
            format!("UPDATE staff SET roles = 'user_administrator' WHERE organization = '{CITY_A}' AND id = 'o1'"),
            "staff",
            &format!("{CITY_A}:o1"),
        ),
        attempt(
            "an approved disposal",
            format!(
                "INSERT INTO disposals (id, organization, state, asked_by, asked_at, decided_by, decided_at) \
                 VALUES ({}, '{CITY_A}', 'approved', 'o1', 1, 'o2', 2)",
                database.id(&listed)
            ),
            "disposals",
            &listed,
        ),
        attempt(
            "a session",
            format!(
                "INSERT INTO sessions (token_digest, organization, officer, terminal, expires_at, second_factor, idle_at) \
                 VALUES ({}, '{CITY_A}', 'o1', '{lost}', 9000000000000000, 1, 9000000000000000)",
                database.bytes_of(&[7; 32])
            ),
            "sessions",
            &"07".repeat(32),
        ),
        attempt(
            "a terminal in force again",
            format!("UPDATE terminals SET active = 1 WHERE serial = '{lost}'"),
            "terminals",
            lost,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_edit_of_the_database_is_found_and_named() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let thief = stage.party("thief", CITY_B).await;
    let mut records = Vec::new();
    for _ in 0..10 {
        records.push(register(&city, &family(CITY_A)).await);
    }
    let shield = j!({ "kind": "1", "since": "2026-04-01" });
    let set = city.client.put(&format!("/v1/records/{}/shield", records[1])).json(&shield).send().await.unwrap();
    assert_eq!(set.status, 200, "{}", set.text());
    let kept =
        format!("CREATE TABLE kept_record AS SELECT * FROM records WHERE id = {}", literal(&stage, &records[3]).await);
    tamper(&stage, &kept).await;
    let update = city.client.put(&format!("/v1/records/{}", records[3])).if_match(1).xml(family(CITY_A).to_xml());
    assert_eq!(update.send().await.unwrap().status, 200);
    let lost = stage.world.add_terminal("lost", &city, "o1").await.unwrap();
    let revoke = format!("/v1/terminals/{}/revoke", lost.serial);
    assert_eq!(stage.world.operator.post(&revoke).send().await.unwrap().status, 200);
    let clean = reviewed(&stage).await;
    assert!(clean.refuted.is_empty() && clean.rows > 50, "{clean:?}");
    for Attempt { what, sql, table, row } in attempts(&stage, &records, (CITY_B, &lost.serial)).await {
        assert_eq!(tamper(&stage, &sql).await, 1, "{what}");
        let found = reviewed(&stage).await;
        assert!(names(&found, table, &row), "{what}: {table} {row} is not among {:?}", found.refuted);
    }
    // What rests on them is answered to nobody; the thief learns nothing, not even that something is wrong.
    for record in &records[..7] {
        assert_refused(&view(&thief, record).await, 404, "record_not_available");
    }
    stage.world.gateway().unwrap().journal.memory().guard.remembered.expire();
    for record in [&records[..4], &records[7..8]].concat() {
        assert_refused(&view(&city, &record).await, 503, "row_refuted");
    }
    assert_refused(&view(&lost, &records[9]).await, 401, "terminal_revoked");
    // The rest goes on.
    assert_eq!(view(&city, &records[9]).await.status, 200);
    each_is_told(&stage, &city, &records).await;
}

/// Operator and body are told of each, and the ledger names it in the body's disclosures.
async fn each_is_told(stage: &Stage, city: &Party, records: &[String]) {
    let gateway = stage.world.gateway().unwrap();
    let found = gateway.journal.memory().guard.refuted();
    assert_eq!(tell_refuted(gateway).await.unwrap(), found.len());
    let told = async |client: &Client| {
        let inbox = json(&client.get("/v1/inbox").send().await.unwrap());
        inbox["messages"].as_array().unwrap().iter().filter(|message| message["kind"] == "row_refuted").count()
    };
    assert_eq!(told(&stage.world.operator).await, found.len());
    // Each of them is the city's.
    assert_eq!(told(&city.client).await, found.len(), "{found:?}");
    let disclosed = json(&city.client.get("/v1/disclosures").send().await.unwrap()).to_string();
    assert!(records[..4].iter().all(|record| disclosed.contains(record)), "{disclosed}");
}

/// A row that was right once is put back as it was: its own mark is right, and memory knows better.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_set_back_is_found_when_it_is_read() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let id = literal(&stage, &record).await;
    tamper(&stage, &format!("CREATE TABLE kept_row AS SELECT * FROM records WHERE id = {id}")).await;
    let update = city.client.put(&format!("/v1/records/{record}")).if_match(1).xml(family(CITY_A).to_xml());
    assert_eq!(update.send().await.unwrap().status, 200);
    let columns = tables::RECORDS.columns.iter().map(|column| column.name).chain(["mark"]);
    let back: Vec<String> = columns.map(|name| format!("{name} = (SELECT {name} FROM kept_row)")).collect();
    tamper(&stage, &format!("UPDATE records SET {} WHERE id = {id}", back.join(", "))).await;
    // What was read a moment before a commit counts for twenty seconds; then it does not any more.
    stage.world.gateway().unwrap().journal.memory().guard.remembered.expire();
    assert_refused(&view(&city, &record).await, 503, "row_refuted");
    assert!(names(&reviewed(&stage).await, "records", &record));
}

/// A transfer that was withdrawn is put back: its record says that it is not as it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_a_record_and_is_removed_or_set_back_is_found_by_the_record() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let records = [register(&city, &family(CITY_A)).await, register(&city, &family(CITY_A)).await];
    for record in &records {
        let photo = crate::photos::jpeg("photo");
        let attach = city.client.post(&format!("/v1/records/{record}/attachments")).body("image/jpeg", photo);
        assert_eq!(attach.send().await.unwrap().status, 201);
        assert_eq!(view(&city, record).await.status, 200);
    }
    tamper(&stage, &format!("DELETE FROM attachments WHERE record = {}", literal(&stage, &records[0]).await)).await;
    tamper(
        &stage,
        &format!("UPDATE attachments SET withheld = 1 WHERE record = {}", literal(&stage, &records[1]).await),
    )
    .await;
    for record in &records {
        assert_refused(&view(&city, record).await, 503, "row_refuted");
    }
    let found = reviewed(&stage).await;
    assert!(names(&found, "records", &records[0]), "{:?}", found.refuted);
    assert!(found.refuted.iter().any(|name| name.table == "attachments" && name.row.starts_with(&records[1])));
}

/// A position that somebody made up leaves billions out: the review names the first of them one by one, and comes to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_somebody_made_up_does_not_use_up_the_memory() {
    let stage = Stage::new().await;
    stage.party("city", CITY_A).await;
    let newest = format!("SELECT MAX(position) FROM inbox WHERE organization = '{CITY_A}'");
    let of_newest = format!("WHERE organization = '{CITY_A}' AND position = ({newest})");
    tamper(&stage, &format!("UPDATE inbox SET position = 486103131940 {of_newest}")).await;
    let found = reviewed(&stage).await;
    assert!(found.refuted.iter().any(|name| name.table == "inbox" && name.row.ends_with(" to 486103131939")));
    assert!(found.refuted.len() < 200, "{} names", found.refuted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_record_is_told_of_a_row_that_hangs_on_it() {
    let stage = Stage::new().await;
    let (city, other) = (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await);
    let record = register(&city, &family(CITY_A)).await;
    let wanted = j!({ "record": record, "reason": "転入した" });
    let asked = other.client.post("/v1/transfers/requests").json(&wanted).send().await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    // The row names another owner too: whom it concerns is what memory knows of its record.
    let edit = format!(
        "UPDATE transfers SET owner = '{CITY_B}', urgent = 1 WHERE record = {}",
        literal(&stage, &record).await
    );
    assert_eq!(tamper(&stage, &edit).await, 1);
    assert_refused(&view(&city, &record).await, 503, "row_refuted");
    assert!(tell_refuted(stage.world.gateway().unwrap()).await.unwrap() > 0);
    let told = |messages: Vec<serde_json::Value>| {
        messages.into_iter().filter(|message| message["kind"] == "row_refuted").collect::<Vec<_>>()
    };
    let alarms = told(inbox(&city).await);
    assert!(alarms.len() == 1 && alarms[0]["record"] == record, "{alarms:?}");
    assert!(told(inbox(&other).await).is_empty());
}

/// Every column of the database is declared: as deciding, or as harmless or found elsewhere, with its reason.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_and_column_is_declared() {
    let stage = Stage::new().await;
    let found = undeclared(&stage).await;
    assert!(found.is_empty(), "{found:?}");
    tamper(&stage, "CREATE TABLE planted (id BIGINT)").await;
    tamper(&stage, "ALTER TABLE terminals ADD COLUMN planted BIGINT").await;
    let planted = undeclared(&stage).await;
    assert_eq!(planted, ["planted", "terminals.planted"], "the check can fail");
}

async fn undeclared(stage: &Stage) -> Vec<String> {
    let mut undeclared: Vec<String> = Database::of(stage)
        .await
        .columns()
        .await
        .into_iter()
        .filter_map(|(table, column)| match tables::by_name(&table) {
            _ if tables::OTHERS.iter().any(|(name, reason)| *name == table && !reason.is_empty()) => None,
            Some(known) => {
                let is_known = column == "mark" || known.position(&column).is_some();
                (!is_known).then(|| format!("{table}.{column}"))
            }
            None => Some(table),
        })
        .collect();
    undeclared.sort();
    undeclared.dedup();
    undeclared
}
