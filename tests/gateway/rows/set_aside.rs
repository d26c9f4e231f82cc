//! What was done to the database while nothing served: the ledger names it, it is set aside, and the gateway starts.

use std::{
    process::Output,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json as j;
use tokio::process::Command;
use tsunagi::{
    clock::Clock,
    gateway::Gateway,
    keys::vault::ROWS,
    node::trust::trust_rows,
    operations::elapse::elapse,
    server::start::Server,
    store::rows::{
        review::{Pace, review},
        tables,
    },
};
use tsunagi_testkit::world::{Party, World};

use super::{database::Database, literal, names, reviewed, tamper};
use crate::{crash, faults::metric, harness::*};

/// A gateway whose address stays while it is stopped and started.
async fn stage() -> Stage {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    Stage { world: World::start(premises, Clock::system()).await.unwrap(), directory }
}

/// Stops the gateway; the next start reads the store.
async fn stop(stage: &mut Stage) {
    stage.world.server.take().unwrap().stop().await;
    if let Some(snapshot) = stage.world.premises.config.snapshot_file() {
        let _ = std::fs::remove_file(snapshot);
    }
}

async fn start(stage: &mut Stage) {
    let server = Server::start(stage.world.premises.config.clone(), Clock::system()).await;
    stage.world.server = Some(server.unwrap());
}

async fn restart(stage: &mut Stage) {
    stop(stage).await;
    start(stage).await;
}

/// The party with a connection to the gateway that runs now.
fn again(stage: &Stage, party: &Party) -> Party {
    Party {
        code: party.code.clone(),
        name: party.name.clone(),
        serial: party.serial.clone(),
        officer: party.officer.clone(),
        client: stage.world.another(party).unwrap(),
        first: party.first.clone(),
    }
}

/// Runs `tsunagi check`; returns what it says.
async fn check(stage: &Stage, defect: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    command.args(["check", "--config"]).arg(stage.directory.path().join("tsunagi.toml"));
    command.envs(defect.map(|defect| ("PLANTED_DEFECT", defect)));
    let Output { status, stdout, .. } = command.output().await.unwrap();
    (status.success(), String::from_utf8_lossy(&stdout).into_owned())
}

/// Whether a line of it names the row, and says in what it is wrong.
fn says(said: &str, table: &str, row: &str, how: &str) -> bool {
    said.lines().any(|line| line.contains(&format!("wrote: {table} {row}")) && line.contains(how))
}

/// What a search says it could not look at.
async fn set_aside(party: &Party) -> serde_json::Value {
    let found = search(party, j!({ "child_name": "存在 しない" })).await;
    assert_eq!(found.status, 200, "{}", found.text());
    json(&found)["coverage"]["records_set_aside"].clone()
}

/// Keeps a row as it is now.
async fn keep(stage: &Stage, table: &str, clause: &str) {
    tamper(stage, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {clause}")).await;
}

/// Puts back what was kept.
async fn put_back(stage: &Stage, table: &str, clause: &str) {
    let mut database = Database::of(stage).await;
    database.run(&format!("DELETE FROM {table} WHERE {clause}")).await.unwrap();
    assert_eq!(database.run(&format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await.unwrap(), 1);
}

async fn update(city: &Party, record: &str) {
    let update = city.client.put(&format!("/v1/records/{record}")).if_match(1).xml(family(CITY_A).to_xml());
    assert_eq!(update.send().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_removed_or_set_back_while_nothing_serves_are_named_and_set_aside() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let thief = stage.party("thief", CITY_B).await;
    let mut records = Vec::new();
    for _ in 0..3 {
        records.push(register(&city, &family(CITY_A)).await);
    }
    let [removed, set_back, stays] = records.as_slice() else { unreachable!() };
    let is_removed = format!("id = {}", literal(&stage, removed).await);
    let is_set_back = format!("id = {}", literal(&stage, set_back).await);
    keep(&stage, "records", &is_set_back).await;
    update(&city, set_back).await;
    let lock = format!("/v1/records/{stays}/edit-lock");
    assert_eq!(city.client.put(&lock).send().await.unwrap().status, 200);
    let is_locked = format!("record = {}", literal(&stage, stays).await);
    keep(&stage, "edit_locks", &is_locked).await;
    assert_eq!(city.client.request(axum::http::Method::DELETE, &lock).send().await.unwrap().status, 200);
    stop(&mut stage).await;
    assert!(check(&stage, None).await.0, "the twin: nothing is wrong yet");
    let mut database = Database::of(&stage).await;
    put_back(&stage, "edit_locks", &is_locked).await;
    put_back(&stage, "records", &is_set_back).await;
    database.run("DROP TABLE kept_records").await.unwrap();
    keep(&stage, "records", &is_removed).await;
    assert_eq!(database.run(&format!("DELETE FROM records WHERE {is_removed}")).await.unwrap(), 1);
    let (is_well, said) = check(&stage, None).await;
    assert!(!is_well && says(&said, "records", removed, "removed") && says(&said, "records", set_back, "set back"));
    assert!(says(&said, "edit_locks", stays, "brought back"), "{said}");
    assert!(!said.contains(&format!("records {stays}")), "{said}");
    // The twin: who holds no sum against what was written names neither.
    let (_, said) = check(&stage, Some("ignore-sums")).await;
    assert!(!says(&said, "records", removed, "") && !says(&said, "records", set_back, ""), "{said}");

    start(&mut stage).await;
    let (city, thief) = (again(&stage, &city), again(&stage, &thief));
    for record in [removed, set_back] {
        assert_refused(&view(&city, record).await, 503, "row_refuted");
        assert_refused(&view(&thief, record).await, 404, "record_not_available");
    }
    assert_eq!(view(&city, stays).await.status, 200);
    assert_eq!(set_aside(&thief).await, j!({ "12": 2 }));
    let monitor = stage.world.server.as_ref().unwrap().monitor_address;
    assert_eq!(metric(monitor, "tsunagi_set_aside{what=\"records\"}").await, 2);
    let gateway = stage.world.gateway().unwrap().clone();
    elapse(&gateway).await.unwrap();
    let told = json(&stage.world.operator.get("/v1/inbox").send().await.unwrap())["messages"].clone();
    let told = told.as_array().unwrap().iter().filter(|message| message["kind"] == "row_refuted").count();
    assert!(told >= 2, "the operator was told of {told}");
    let found = reviewed(&stage).await;
    assert!(names(&found, "records", removed) && names(&found, "records", set_back), "{:?}", found.refuted);

    // The newest copy is put back: the row is what the gateway wrote again.
    drop(gateway);
    put_back(&stage, "records", &is_removed).await;
    restart(&mut stage).await;
    let (city, thief) = (again(&stage, &city), again(&stage, &thief));
    assert_eq!(view(&city, removed).await.status, 200);
    assert_eq!(set_aside(&thief).await, j!({ "12": 1 }));
}

/// A terminal that was revoked is set back to what it was: it does not get in.
#[tokio::test(flavor = "multi_thread")]
async fn access_that_was_taken_away_is_not_given_again_by_setting_a_row_back() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let second = stage.world.add_terminal("second", &city, "o1").await.unwrap();
    let is_second = format!("serial = '{}'", second.serial);
    let is_officer = format!("organization = '{CITY_A}' AND id = 'o1'");
    keep(&stage, "terminals", &is_second).await;
    keep(&stage, "staff", &is_officer).await;
    for revoke in [format!("/v1/terminals/{}/revoke", second.serial), format!("/v1/staff/{CITY_A}/o1/revoke")] {
        assert_eq!(stage.world.operator.post(&revoke).send().await.unwrap().status, 200);
    }
    stop(&mut stage).await;
    put_back(&stage, "terminals", &is_second).await;
    put_back(&stage, "staff", &is_officer).await;
    // The twin: a gateway that starts and names nobody lets both in again.
    let mut careless = crash::serve(&stage.world.premises, Some("name-nobody")).await;
    assert_eq!(again(&stage, &second).client.get("/v1/session").send().await.unwrap().status, 200);
    careless.stop().await;

    start(&mut stage).await;
    let (city, second) = (again(&stage, &city), again(&stage, &second));
    let let_in = second.client.get("/v1/session").send().await.is_ok_and(|reply| reply.status == 200);
    assert!(!let_in);
    assert_ne!(city.client.get("/v1/records").send().await.unwrap().status, 200);
    let found = reviewed(&stage).await;
    assert!(names(&found, "terminals", &second.serial), "{:?}", found.refuted);
    assert!(names(&found, "staff", &format!("{CITY_A}:o1")), "{:?}", found.refuted);
    let (_, said) = check(&stage, None).await;
    assert!(says(&said, "terminals", &second.serial, "set back"), "{said}");
}

/// Who takes away what stands beside the ledger as well leaves nothing that names a row: nothing of the table is believed.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_ledger_cannot_say_which_row_it_is_the_start_refuses() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    stop(&mut stage).await;
    let mut database = Database::of(&stage).await;
    // What keeps the gateway from changing its ledger keeps no administrator from it.
    if let Database::Sqlite(_) = database {
        database.run("DROP TRIGGER ledger_is_append_only_update").await.unwrap();
    }
    database.run("UPDATE ledger SET sealed_rows = NULL").await.unwrap();
    let (is_well, said) = check(&stage, None).await;
    assert!(!is_well && says(&said, "ledger", "node-1:", "sealed_rows"), "{said}");
    // By itself it is no harm: no row is wrong.
    start(&mut stage).await;
    stop(&mut stage).await;
    let id = literal(&stage, &record).await;
    assert_eq!(database.run(&format!("DELETE FROM records WHERE id = {id}")).await.unwrap(), 1);
    let refused = Server::start(stage.world.premises.config.clone(), Clock::system()).await.err().unwrap().to_string();
    assert!(refused.contains("the table records holds 0 rows, and 1 were written"), "{refused}");
}

/// Who takes the key of rows out has nothing trusted anew, under whatever name of the node: the ledger says it was done.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_trusted_a_second_time() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    stop(&mut stage).await;
    let mut database = Database::of(&stage).await;
    assert!(database.run(&format!("DELETE FROM prefecture_keys WHERE prefecture = '{ROWS}'")).await.unwrap() > 0);
    let id = literal(&stage, &record).await;
    database.run(&format!("UPDATE records SET owner = '{CITY_B}' WHERE id = {id}")).await.unwrap();
    let mut config = stage.world.premises.config.clone();
    for node in ["node-1", "another"] {
        config.node = node.to_owned();
        let refused = trust_rows(&config, &Clock::system()).await.err().unwrap().to_string();
        assert!(refused.contains("were authenticated once"), "{node}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_damaged_row_of_any_table_prevents_no_start() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let other = stage.party("other", CITY_B).await;
    let record = register(&city, &family(CITY_A)).await;
    let photo = [&[0xFF, 0xD8, 0xFF][..], b"photo"].concat();
    let attach = city.client.post(&format!("/v1/records/{record}/attachments")).body("image/jpeg", photo);
    assert_eq!(attach.send().await.unwrap().status, 201);
    let lock = city.client.put(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap();
    assert_eq!(lock.status, 200, "{}", lock.text());
    search(&other, j!({ "child_name": "髙橋" })).await;
    stop(&mut stage).await;
    let mut database = Database::of(&stage).await;
    let mut damaged = 0;
    for table in tables::ALL {
        // Nothing can be read without these two keys.
        let clause = if table.name == "prefecture_keys" { "WHERE prefecture = '13'" } else { "" };
        let Some(damage) = database.flip(table.name, "mark", clause).await else { continue };
        let gateway = Gateway::open(stage.world.premises.config.clone(), Clock::system()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{}: {error}", table.name));
        let review = review(&gateway.store, &gateway.vault, Pace::Alone).await.unwrap();
        assert!(review.refuted.iter().any(|name| name.table == table.name), "{}: {:?}", table.name, review.refuted);
        gateway.store.close().await;
        drop(gateway);
        while tsunagi::node::open::lock(&stage.world.premises.config.database).is_err() {
            tokio::task::yield_now().await;
        }
        database.flip(table.name, "mark", &damage).await.unwrap();
        damaged += 1;
    }
    assert!(damaged > 15, "{damaged} tables have rows");
    let (is_well, said) = check(&stage, None).await;
    assert!(is_well, "every bit was flipped back: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_of_a_prefecture_sets_its_records_aside_and_no_others() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let other = stage.party("other", CITY_B).await;
    let (theirs, others) = (register(&city, &family(CITY_A)).await, register(&other, &family(CITY_B)).await);
    stop(&mut stage).await;
    let mut database = Database::of(&stage).await;
    for (place, is_used) in [("47", false), ("12", true)] {
        let key = format!("WHERE prefecture = '{place}'");
        database.flip("prefecture_keys", "sealed_key", &key).await.unwrap();
        start(&mut stage).await;
        let (city, other) = (again(&stage, &city), again(&stage, &other));
        assert!(names(&reviewed(&stage).await, "prefecture_keys", &format!("{place}:1")));
        assert_eq!(view(&other, &others).await.status, 200);
        if is_used {
            assert_refused(&view(&city, &theirs).await, 503, "row_refuted");
            assert_refused(&view(&other, &theirs).await, 404, "record_not_available");
            assert_eq!(set_aside(&other).await, j!({ "12": 1 }));
            let lost = city.client.post("/v1/records").xml(family(CITY_A).to_xml()).send().await.unwrap();
            assert_refused(&lost, 503, "row_refuted");
        } else {
            assert_eq!(view(&city, &theirs).await.status, 200);
        }
        let (is_well, said) = check(&stage, None).await;
        assert!(!is_well && says(&said, "prefecture_keys", &format!("{place}:1"), "any backup"), "{said}");
        stop(&mut stage).await;
        database.flip("prefecture_keys", "sealed_key", &key).await.unwrap();
    }
    start(&mut stage).await;
    assert_eq!(view(&again(&stage, &city), &theirs).await.status, 200);
    stop(&mut stage).await;
    // Without the key of rows nothing can be told from anything.
    database.flip("prefecture_keys", "sealed_key", "WHERE prefecture = 'rows'").await;
    let refused = Server::start(stage.world.premises.config.clone(), Clock::system()).await.err().unwrap().to_string();
    assert!(refused.contains("the key of place rows:1 in prefecture_keys does not open"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_is_opened_by_the_review() {
    let mut stage = stage().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let photo = [&[0xFF, 0xD8, 0xFF][..], b"photo"].concat();
    let attach = city.client.post(&format!("/v1/records/{record}/attachments")).body("image/jpeg", photo);
    assert_eq!(attach.send().await.unwrap().status, 201);
    update(&city, &record).await;
    assert!(reviewed(&stage).await.refuted.is_empty());
    let is_of = format!("record = {}", literal(&stage, &record).await);
    let mut database = Database::of(&stage).await;
    database.flip("record_versions", "sealed_body", &format!("WHERE {is_of} AND version = 1")).await.unwrap();
    database.flip("attachments", "sealed_content", &format!("WHERE {is_of}")).await.unwrap();
    let is_officer = format!("WHERE organization = '{CITY_A}' AND id = 'o1'");
    database.flip("staff", "sealed_name", &is_officer).await.unwrap();
    let found = reviewed(&stage).await;
    assert!(names(&found, "record_versions", &format!("{record}:1")), "{:?}", found.refuted);
    assert!(found.refuted.iter().any(|name| name.table == "attachments"), "{:?}", found.refuted);
    // One name that does not open prevents no start, and the record is there.
    restart(&mut stage).await;
    assert!(names(&reviewed(&stage).await, "staff", &format!("{CITY_A}:o1")));
    let person = again(&stage, &city);
    assert_ne!(person.client.get("/v1/records").send().await.unwrap().status, 200, "who it is cannot be told");
}

/// The review goes through the tables a page at a time while others write: what is written meanwhile is not taken for wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_review_finds_nothing_wrong_while_others_write() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let is_done = AtomicBool::new(false);
    let writing = async {
        for _ in 0..25 {
            let record = register(&city, &family(CITY_A)).await;
            update(&city, &record).await;
        }
        is_done.store(true, Ordering::SeqCst);
    };
    let reviewing = async {
        let mut reviews = 0;
        while !is_done.load(Ordering::SeqCst) {
            let found = reviewed(&stage).await;
            assert!(found.refuted.is_empty(), "{:?}", found.refuted);
            reviews += 1;
        }
        reviews
    };
    let ((), reviews) = tokio::join!(writing, reviewing);
    assert!(reviews > 1, "{reviews} reviews");
}
