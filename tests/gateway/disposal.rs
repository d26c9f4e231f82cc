//! Disposal: only what is due, by two officers; and then no backup opens the record, while the ledger still proves it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json as j};
use tsunagi::{
    client::Reply,
    clock::Clock,
    gateway::Gateway,
    keys::error::KeyError,
    keys::{keyring::Keyring, shreds::Shreds, vault::Vault},
    operations::elapse::elapse,
    store::{self, error::StoreError, open::Store, rows::guard::RowGuard},
};
use tsunagi_testkit::{people::Family, persons::DeskPerson, world::Party};
use uuid::Uuid;

use crate::harness::*;

/// Somebody who is 25 by now, so that only the years since the closure count.
fn grown_up() -> Family {
    Family { birth_date: "1990-04-01".into(), ..family(CITY_A) }
}

/// Closed under a lock that nobody released.
async fn closed(party: &Party, family: &Family) -> String {
    let record = register(party, family).await;
    let locked = party.client.put(&format!("/v1/records/{record}/edit-lock")).send().await.unwrap();
    assert_eq!(locked.status, 200, "{}", locked.text());
    let reply = party.client.post(&format!("/v1/records/{record}/close")).if_match(1).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    record
}

fn database(stage: &Stage) -> PathBuf {
    stage.world.premises.config.database.strip_prefix("sqlite:").unwrap().into()
}

/// Years go by.
fn years_pass(stage: &Stage, years: i64) {
    stage.world.clock.advance(time::Duration::days(years * 366));
}

pub async fn pool(database: &Path) -> sqlx::SqlitePool {
    sqlx::SqlitePool::connect(&format!("sqlite:{}", database.display())).await.unwrap()
}

/// A backup as an operator makes it, while the gateway serves.
async fn back_up(stage: &Stage, name: &str) -> PathBuf {
    let copy = stage.directory.path().join(name);
    let pool = pool(&database(stage)).await;
    sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM INTO '{}'", copy.display()))).execute(&pool).await.unwrap();
    pool.close().await;
    copy
}

/// What opening a record's body in a database comes to, with a keyring and the shreds beside it.
async fn opened(database: &Path, keyring: &Path, record: &str) -> Result<(), StoreError> {
    let store = Store::open_sqlite(database).await?;
    let mut tx = store.read().await?;
    let wrapped = store::accounts::prefecture_keys(&mut tx).await?;
    drop(tx);
    let vault = Vault::open(Keyring::load(keyring)?, &wrapped)?;
    store.guard_with(Arc::new(RowGuard::new(&vault.rows_key().unwrap(), false)));
    let mut tx = store.read().await?;
    let stored =
        store::records::find(&mut tx, record.parse().unwrap()).await?.ok_or(StoreError::Corrupt("no record"))?;
    let outcome = store::versions::current(&mut tx, &vault, &stored).await.map(|_| ());
    drop(tx);
    store.close().await;
    outcome
}

async fn ask(party: &Party, records: &[&str]) -> Reply {
    party.client.post("/v1/disposals").json(&j!({ "records": records })).send().await.unwrap()
}

async fn due(party: &Party) -> Vec<Value> {
    let reply = party.client.get("/v1/disposals/due").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(&reply)["records"].as_array().unwrap().clone()
}

/// Two persons stand for a list; returns it as it is then.
async fn approve(two: &[DeskPerson; 2], list: &str) -> Value {
    let path = format!("/v1/disposals/{list}/approval");
    let first = two[0].post(&path, &Value::Null).await.unwrap();
    assert_eq!((first.status.as_u16(), &json(&first)["state"]), (200, &j!("asked")), "{}", first.text());
    let approved = two[1].post(&path, &Value::Null).await.unwrap();
    assert_eq!(approved.status, 200, "{}", approved.text());
    json(&approved)
}

/// Asks and approves; returns the list as it is then.
async fn dispose(stage: &Stage, party: &Party, records: &[&str]) -> Value {
    let asked = ask(party, records).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let list = json(&asked)["disposal"].as_str().unwrap().to_owned();
    approve(&two_supervisors(stage, party).await, &list).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_officers_dispose_of_a_record_and_no_backup_opens_it() {
    let stage = Stage::years_ago(7).await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let goes = closed(&city, &grown_up()).await;
    let stays = closed(&city, &Family { child: "髙橋 次郎".into(), ..family(CITY_A) }).await;
    years_pass(&stage, 7);
    assert_eq!(children(&search(&far, j!({ "child_name": "高橋" })).await).len(), 2);

    // The dry run: ids, class, rule and day; no name.
    let reply = city.client.get("/v1/disposals/due").send().await.unwrap();
    let listed = json(&reply)["records"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1, "{}", reply.text());
    assert_eq!(listed[0]["record"], goes);
    assert_eq!(listed[0]["class"], "in_need_of_protection");
    assert_eq!(listed[0]["rule"], j!({ "years": 5, "age": 25 }));
    assert!(!reply.text().contains("髙橋") && !reply.text().contains("1990"), "{}", reply.text());

    // One officer asks; nothing happens yet; the same one cannot approve.
    let asked = ask(&city, &[&goes]).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let list = json(&asked)["disposal"].as_str().unwrap().to_owned();
    assert_refused(&ask(&city, &[&goes]).await, 409, "disposal_not_due");
    let approval = format!("/v1/disposals/{list}/approval");
    assert_refused(&city.client.post(&approval).send().await.unwrap(), 403, "sharp_act_needs_person");
    let two = two_supervisors(&stage, &city).await;
    assert_eq!(json(&two[0].post(&approval, &Value::Null).await.unwrap())["state"], "asked");
    assert_refused(&two[0].post(&approval, &Value::Null).await.unwrap(), 409, "not_two_persons");
    assert_eq!(view(&city, &goes).await.status, 200);

    let backup = back_up(&stage, "backup.db").await;
    let config = stage.world.premises.config.clone();
    let shreds = Shreds::path_beside(&config.keyring);
    let older_shreds = fs::read(&shreds).unwrap();
    opened(&backup, &config.keyring, &goes).await.expect("the twin: before, the backup opens");
    let snapshot = config.snapshot_file().unwrap();
    fs::write(&snapshot, "what an older stop left").unwrap();

    let approved = two[1].post(&approval, &Value::Null).await.unwrap();
    assert_eq!(approved.status, 200, "{}", approved.text());
    assert_eq!((&json(&approved)["state"], &json(&approved)["decided_by"]), (&j!("destroyed"), &j!("sup2")));
    assert_refused(&two[1].post(&approval, &Value::Null).await.unwrap(), 409, "sharp_act_decided");

    // It is gone: for its owner, for a search, from the database, and the snapshot with it.
    assert_refused(&view(&city, &goes).await, 404, "record_not_available");
    assert_eq!(children(&search(&far, j!({ "child_name": "高橋" })).await).len(), 1);
    assert_eq!(view(&city, &stays).await.status, 200);
    assert!(!snapshot.exists());
    let pool = pool(&database(&stage)).await;
    for table in ["record_versions", "edit_locks", "attachments", "provisions", "transfers", "inquiries"] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE record = $1");
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(goes.parse::<Uuid>().unwrap())
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
    pool.close().await;

    // The backup and the keyring as it is now: the body does not open, another one does.
    let destroyed = opened(&backup, &config.keyring, &goes).await;
    assert!(matches!(destroyed, Err(StoreError::Key(KeyError::Destroyed))), "{destroyed:?}");
    opened(&backup, &config.keyring, &stays).await.expect("an older backup still serves the others");
    // The twin: a disposal that leaves the key would be noticed.
    let now = fs::read(&shreds).unwrap();
    fs::write(&shreds, &older_shreds).unwrap();
    opened(&backup, &config.keyring, &goes).await.expect("a key that was left opens the backup");
    fs::write(&shreds, now).unwrap();

    // Every step is in the ledger of the owner, and its inbox heard of each.
    let acts: BTreeSet<String> =
        disclosures(&city).await.iter().map(|entry| entry["act"].as_str().unwrap().to_owned()).collect();
    for act in ["retention_review", "disposal_ask", "disposal_approve", "key_destroy"] {
        assert!(acts.contains(act), "{act} is not among {acts:?}");
    }
    let kinds = inbox_kinds(&city).await;
    let about: Vec<_> = kinds.iter().filter(|kind| kind.starts_with("disposal")).collect();
    assert_eq!(about, ["disposal_asked", "disposal_approved", "disposal_done"]);

    // A start reads the whole ledger and holds it against its head: the proofs stay valid.
    let Stage { world, directory } = stage;
    world.stop().await;
    assert!(!snapshot.exists(), "no snapshot is written after a disposal");
    let gateway = Gateway::open(config, Clock::system()).await.unwrap();
    assert!(!gateway.from_snapshot);
    assert_eq!(gateway.journal.memory().index.len(), 1);
    gateway.store.close().await;
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_closed_and_kept_long_enough_is_due() {
    let stage = Stage::years_ago(14).await;
    let (city, b) = (stage.party("city", CITY_A).await, stage.party("b", CITY_B).await);
    let open = register(&city, &grown_up()).await;
    let child = closed(&city, &Family { birth_date: "2008-04-01".into(), ..family(CITY_A) }).await;
    let serious = closed(&city, &grown_up()).await;
    let designated =
        city.client.post(&format!("/v1/records/{serious}/serious")).json(&j!({ "note": "重大" })).send().await.unwrap();
    assert!(designated.status.is_success(), "{}", designated.text());
    let moving = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let recent = closed(&city, &grown_up()).await;
    let asked = b
        .client
        .post("/v1/transfers/requests")
        .json(&j!({ "record": moving, "reason": "転入した" }))
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    assert!(due(&city).await.is_empty(), "{:?}", due(&city).await);
    for record in [&open, &child, &serious, &moving, &recent] {
        assert_refused(&ask(&city, &[record]).await, 409, "disposal_not_due");
    }
    assert_refused(&ask(&city, &[]).await, 422, "field_refused");
    assert_refused(&ask(&b, &[&recent]).await, 404, "record_not_available");
    // The twin: the same record, once the years have passed.
    years_pass(&stage, 7);
    assert_eq!(due(&city).await[0]["record"], recent);

    // The owner lengthens its rules, and may not shorten them.
    let rule = |years: u16| j!({ "rules": { "in_need_of_protection": { "years": years, "age": 25 } } });
    let set = |years| city.client.put("/v1/retention").json(&rule(years));
    assert_refused(&set(4).send().await.unwrap(), 422, "retention_shortened");
    let lengthened = set(20).send().await.unwrap();
    assert_eq!(lengthened.status, 200, "{}", lengthened.text());
    assert_eq!(json(&lengthened)["in_force"]["in_need_of_protection"]["years"], 20);
    assert!(due(&city).await.is_empty());
    assert_eq!(set(5).send().await.unwrap().status, 200);
    assert_eq!(due(&city).await.len(), 1);

    // What was asked for is decided on by what holds at the approval.
    let list = json(&ask(&city, &[&recent]).await)["disposal"].as_str().unwrap().to_owned();
    assert_eq!(set(20).send().await.unwrap().status, 200);
    let two = two_supervisors(&stage, &city).await;
    let approval = format!("/v1/disposals/{list}/approval");
    assert_eq!(two[0].post(&approval, &Value::Null).await.unwrap().status, 200);
    assert_refused(&two[1].post(&approval, &Value::Null).await.unwrap(), 409, "disposal_not_due");
    assert_eq!(view(&city, &recent).await.status, 200);
    let withdrawn = city.client.post(&format!("/v1/disposals/{list}/withdrawal")).send().await.unwrap();
    assert_eq!(json(&withdrawn)["state"], "withdrawn");
    let lists = json(&city.client.get("/v1/disposals").send().await.unwrap());
    assert_eq!(lists["disposals"][0]["records"], j!([recent]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_former_owner_set_holds_for_what_it_provided() {
    let stage = Stage::years_ago(7).await;
    let (city, b) = (stage.party("city", CITY_A).await, stage.party("b", CITY_B).await);
    let record = register(&city, &grown_up()).await;
    let missing = j!({ "state": "missing", "reason": "なし" });
    let offer = j!({ "record": record, "receiver": CITY_B,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } });
    let offered = json(&city.client.post("/v1/transfers").json(&offer).send().await.unwrap());
    let transfer = format!("/v1/transfers/{}", offered["transfer"].as_str().unwrap());
    for step in ["confirm", "take-over"] {
        let reply = b.client.post(&format!("{transfer}/{step}")).send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let reply = b.client.post(&format!("/v1/records/{record}/close")).if_match(2).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    years_pass(&stage, 7);
    assert_eq!(due(&b).await.len(), 1);
    let set = |years: u16| {
        let rules = j!({ "rules": { "in_need_of_protection": { "years": years, "age": 25 } } });
        city.client.put("/v1/retention").json(&rules)
    };
    assert_eq!(set(30).send().await.unwrap().status, 200);
    assert!(due(&b).await.is_empty());
    assert_eq!(set(5).send().await.unwrap().status, 200);
    assert_eq!(dispose(&stage, &b, &[&record]).await["state"], "destroyed");
    // The former owner is told, and sees no more of it.
    assert_eq!(inbox_kinds(&city).await.last().unwrap(), "record_disposed");
    assert_refused(&view(&city, &record).await, 404, "record_not_available");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_does_not_bring_a_disposed_record_back() {
    let stage = Stage::years_ago(7).await;
    let city = stage.party("city", CITY_A).await;
    let (goes, stays) = (closed(&city, &grown_up()).await, register(&city, &family(CITY_A)).await);
    years_pass(&stage, 7);
    let backup = back_up(&stage, "backup.db").await;
    let younger = {
        dispose(&stage, &city, &[&goes]).await;
        back_up(&stage, "younger.db").await
    };
    let config = stage.world.premises.config.clone();
    let database = database(&stage);
    let Stage { world, directory } = stage;
    world.stop().await;
    for (copy, leftovers) in [(&backup, 1), (&younger, 0)] {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", database.display()));
        }
        fs::copy(copy, &database).unwrap();
        let gateway = Gateway::open(config.clone(), Clock::system()).await.unwrap();
        assert_eq!(gateway.journal.memory().index.len(), 1, "it is not found");
        assert_eq!(present(&gateway, &goes).await, leftovers == 1);
        elapse(&gateway).await.unwrap();
        assert!(!present(&gateway, &goes).await, "what was brought back is removed");
        assert!(present(&gateway, &stays).await);
        gateway.store.close().await;
        drop(gateway);
        let _ = fs::remove_file(config.snapshot_file().unwrap());
    }
    drop(directory);
}

async fn present(gateway: &Gateway, record: &str) -> bool {
    let mut tx = gateway.store.read().await.unwrap();
    store::records::find(&mut tx, record.parse().unwrap()).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_shreds_is_brought_up_to_date_at_the_start() {
    let stage = Stage::years_ago(7).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let config = stage.world.premises.config.clone();
    let shreds = Shreds::path_beside(&config.keyring);
    let older = fs::read(&shreds).unwrap();
    let backup = back_up(&stage, "backup.db").await;
    dispose(&stage, &city, &[&goes]).await;
    let Stage { world, directory } = stage;
    world.stop().await;
    // An operator puts back a copy of the keyring that was made before the disposal.
    fs::write(&shreds, older).unwrap();
    opened(&backup, &config.keyring, &goes).await.expect("the twin: that copy opens the older backup");
    // And what memory held before it is beside it still: as where another node disposed of it while this one was away.
    let snapshot = config.snapshot_file().unwrap();
    fs::write(&snapshot, "what an older stop left").unwrap();
    let gateway = Gateway::open(config.clone(), Clock::system()).await.unwrap();
    gateway.store.close().await;
    drop(gateway);
    let outcome = opened(&backup, &config.keyring, &goes).await;
    assert!(matches!(outcome, Err(StoreError::Key(KeyError::Destroyed))), "{outcome:?}");
    assert!(!snapshot.exists(), "it may name what was disposed of");
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_is_interrupted_is_taken_up_and_not_claimed_before() {
    let stage = Stage::years_ago(7).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let config = stage.world.premises.config.clone();
    // The shreds cannot be written: where the new file would be, there is a directory.
    let mut staged = Shreds::path_beside(&config.keyring).into_os_string();
    staged.push(".new");
    fs::create_dir(&staged).unwrap();
    let list = dispose(&stage, &city, &[&goes]).await;
    assert_eq!(list["state"], "approved", "it does not say that the key is destroyed");
    assert!(!inbox_kinds(&city).await.contains(&"disposal_done".to_owned()));
    assert_refused(&view(&city, &goes).await, 404, "record_not_available");
    fs::remove_dir(&staged).unwrap();
    elapse(stage.world.gateway().unwrap()).await.unwrap();
    let lists = json(&city.client.get("/v1/disposals").send().await.unwrap());
    assert_eq!(lists["disposals"][0]["state"], "destroyed");
    assert_eq!(inbox_kinds(&city).await.last().unwrap(), "disposal_done");
}
