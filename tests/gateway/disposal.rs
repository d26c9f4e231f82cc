//! Disposal: only what is due, by two officers, after a waiting time, where the ledger bears it out; and then no backup
//! opens the record, while the ledger still proves it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json as j};
use tsunagi::{
    client::Reply,
    clock::{Clock, Timestamp},
    config::Config,
    domain::{
        disposal::{Disposal, DisposalState},
        organization::OrganizationCode,
    },
    error::Error,
    gateway::Gateway,
    keys::{
        error::KeyError,
        keyring::Keyring,
        shreds::{Shreds, Slot},
        vault::{Vault, slot_of},
    },
    operations::{
        elapse::elapse,
        retention::{
            borne_out::{Borne, Grounds},
            destroy_keys::follow_destruction,
        },
    },
    store::{
        self,
        disposals::Listed,
        error::StoreError,
        open::Store,
        rows::{
            guard::RowGuard,
            mark::tag_of,
            row::Values,
            tables::{DISPOSAL_RECORDS, DISPOSALS},
        },
    },
};
use tsunagi_testkit::{
    people::Family,
    persons::DeskPerson,
    pki::Authority,
    world::{Party, Premises, World},
};
use uuid::Uuid;

use crate::{harness::*, rows::database::Database};

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

/// Asks for a list that two persons stand for then; returns its id.
async fn approved(party: &Party, two: &[DeskPerson; 2], records: &[&str]) -> String {
    let asked = ask(party, records).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let list = json(&asked)["disposal"].as_str().unwrap().to_owned();
    assert_eq!(approve(two, &list).await["state"], "approved");
    list
}

/// Days go by, and the clock does what is due.
async fn days_pass(stage: &Stage, days: i64) -> Result<usize, Error> {
    stage.world.clock.advance(time::Duration::days(days));
    elapse(stage.world.gateway().unwrap()).await
}

/// A list as its organization sees it.
async fn seen(party: &Party, list: &str) -> Value {
    let lists = json(&party.client.get("/v1/disposals").send().await.unwrap());
    lists["disposals"].as_array().unwrap().iter().find(|line| line["disposal"] == list).unwrap().clone()
}

/// Asks, approves and waits; returns the list as it is then.
async fn dispose(stage: &Stage, party: &Party, records: &[&str]) -> Value {
    let list = approved(party, &two_supervisors(stage, party).await, records).await;
    days_pass(stage, 8).await.unwrap();
    seen(party, &list).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_officers_dispose_of_a_record_and_no_backup_opens_it() {
    let stage = Stage::years_ago(8).await;
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
    assert_eq!((&json(&approved)["state"], &json(&approved)["decided_by"]), (&j!("approved"), &j!("sup2")));
    assert_refused(&two[1].post(&approval, &Value::Null).await.unwrap(), 409, "sharp_act_decided");

    // The waiting time goes by; until then everything is as it was.
    assert_eq!(view(&city, &goes).await.status, 200);
    days_pass(&stage, 8).await.unwrap();
    let line = seen(&city, &list).await;
    assert_eq!((&line["state"], &line["decided_by"]), (&j!("destroyed"), &j!("sup2")));

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
    for act in ["retention_review", "disposal_ask", "disposal_approve", "disposal_carry_out", "key_destroy"] {
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
    let stage = Stage::years_ago(8).await;
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
    let stage = Stage::years_ago(8).await;
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
    let stage = Stage::years_ago(8).await;
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
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let config = stage.world.premises.config.clone();
    // The shreds cannot be written: where the new file would be, there is a directory.
    let mut staged = Shreds::path_beside(&config.keyring).into_os_string();
    staged.push(".new");
    fs::create_dir(&staged).unwrap();
    let list = approved(&city, &two_supervisors(&stage, &city).await, &[&goes]).await;
    days_pass(&stage, 8).await.expect_err("the shreds cannot be written");
    assert_eq!(seen(&city, &list).await["state"], "removed", "it does not say that the key is destroyed");
    assert!(!inbox_kinds(&city).await.contains(&"disposal_done".to_owned()));
    assert_refused(&view(&city, &goes).await, 404, "record_not_available");
    fs::remove_dir(&staged).unwrap();
    elapse(stage.world.gateway().unwrap()).await.unwrap();
    assert_eq!(seen(&city, &list).await["state"], "destroyed");
    assert_eq!(inbox_kinds(&city).await.last().unwrap(), "disposal_done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_removal_and_destruction_is_taken_up_at_the_next_start() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let backup = back_up(&stage, "backup.db").await;
    let config = stage.world.premises.config.clone();
    let mut staged = Shreds::path_beside(&config.keyring).into_os_string();
    staged.push(".new");
    fs::create_dir(&staged).unwrap();
    let list = approved(&city, &two_supervisors(&stage, &city).await, &[&goes]).await;
    days_pass(&stage, 8).await.expect_err("the shreds cannot be written");
    let Stage { world, directory } = stage;
    world.stop().await;
    fs::remove_dir(&staged).unwrap();
    let gateway = Gateway::open(config.clone(), Clock::system()).await.unwrap();
    elapse(&gateway).await.unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let found = store::disposals::find(&mut tx, list.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.state, DisposalState::Destroyed);
    drop(tx);
    gateway.store.close().await;
    drop(gateway);
    let outcome = opened(&backup, &config.keyring, &goes).await;
    assert!(matches!(outcome, Err(StoreError::Key(KeyError::Destroyed))), "{outcome:?}");
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_waits_and_can_be_taken_back_until_its_time_is_over() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let two = two_supervisors(&stage, &city).await;
    let list = approved(&city, &two, &[&goes]).await;
    let line = seen(&city, &list).await;
    let at = |field: &str| Timestamp::from_rfc3339(line[field].as_str().unwrap()).unwrap();
    let waits = at("destroyed_after").as_micros() - at("decided_at").as_micros();
    assert!((waits - 7 * 86_400_000_000).abs() < 1_000_000, "{line}");
    assert!(inbox_kinds(&city).await.contains(&"disposal_approved".to_owned()));
    // It is on no other list meanwhile, and nothing happens to it.
    assert!(due(&city).await.is_empty());
    assert_refused(&ask(&city, &[&goes]).await, 409, "disposal_not_due");
    days_pass(&stage, 6).await.unwrap();
    assert_eq!(view(&city, &goes).await.status, 200, "it was disposed of before its time");
    assert_eq!(seen(&city, &list).await["state"], "approved", "it was disposed of before its time");
    // One person takes it back, by machine too: taking back is never sharp.
    let withdrawn = city.client.post(&format!("/v1/disposals/{list}/withdrawal")).send().await.unwrap();
    assert_eq!(
        (withdrawn.status.as_u16(), &json(&withdrawn)["state"]),
        (200, &j!("withdrawn")),
        "{}",
        withdrawn.text()
    );
    days_pass(&stage, 30).await.unwrap();
    assert_eq!(view(&city, &goes).await.status, 200);
    assert_eq!(seen(&city, &list).await["state"], "withdrawn");
    // It can be asked for again; what was carried out cannot be taken back.
    let again = dispose_again(&stage, &city, &goes).await;
    assert_eq!(again["state"], "destroyed");
    let path = format!("/v1/disposals/{}/withdrawal", again["disposal"].as_str().unwrap());
    assert_refused(&city.client.post(&path).send().await.unwrap(), 409, "disposal_state");
}

/// The same where two other supervisors are needed: sessions have ended.
async fn dispose_again(stage: &Stage, party: &Party, record: &str) -> Value {
    let seat = async |officer| stage.world.seat_new(party, officer, &["supervisor"]).await.unwrap();
    let list = approved(party, &[seat("sup3").await, seat("sup4").await], &[record]).await;
    days_pass(stage, 8).await.unwrap();
    seen(party, &list).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_a_record_that_is_not_due_any_more_comes_to_nothing() {
    let stage = Stage::years_ago(8).await;
    let (city, b) = (stage.party("city", CITY_A).await, stage.party("b", CITY_B).await);
    let records = [closed(&city, &grown_up()).await, closed(&city, &grown_up()).await];
    years_pass(&stage, 7);
    let two = two_supervisors(&stage, &city).await;
    let list = approved(&city, &two, &[&records[0], &records[1]]).await;
    let wanted = j!({ "record": records[1], "reason": "転入した" });
    assert_eq!(b.client.post("/v1/transfers/requests").json(&wanted).send().await.unwrap().status, 201);
    days_pass(&stage, 8).await.unwrap();
    let line = seen(&city, &list).await;
    assert_eq!((&line["state"], &line["lapsed_because"]), (&j!("lapsed"), &j!("transfer_open")), "{line}");
    for record in &records {
        assert_eq!(view(&city, record).await.status, 200, "nothing is half done");
    }
    let told = inbox(&city).await.into_iter().find(|message| message["kind"] == "disposal_lapsed").unwrap();
    assert_eq!((&told["subject"], &told["record"]), (&j!(list), &j!(records[1])));
    let entries = disclosures(&city).await;
    let lapsed = entries.iter().find(|entry| entry["act"] == "disposal_carry_out").unwrap();
    assert_eq!((&lapsed["outcome"], &lapsed["refusal"]), (&j!("refused"), &j!("transfer_open")));
    // The other record is due as before.
    assert_eq!(due(&city).await.len(), 1);
}

/// A body with one supervisor: its center lends the second person, who sees no record.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_for_which_a_center_lends_a_person_is_carried_out() {
    let stage = Stage::years_ago(8).await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let own = stage.world.seat_new(&city, "sup1", &["supervisor"]).await.unwrap();
    let lent = stage.world.seat_new(&center, "sup2", &["supervisor"]).await.unwrap();
    let list = json(&ask(&city, &[&goes]).await)["disposal"].as_str().unwrap().to_owned();
    let first = own.post(&format!("/v1/disposals/{list}/approval"), &Value::Null).await.unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    let second = lent.confirm(&list).await.unwrap();
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(seen(&city, &list).await["state"], "approved");
    days_pass(&stage, 8).await.unwrap();
    assert_eq!(seen(&city, &list).await["state"], "destroyed");
}

/// Nobody stands for it in time: it is withdrawn, and its records are asked for again. So is a list of before there were
/// acts that wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_stands_for_is_withdrawn_and_asked_for_again() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let records = [closed(&city, &grown_up()).await, closed(&city, &grown_up()).await];
    years_pass(&stage, 7);
    let list = json(&ask(&city, &[&records[0]]).await)["disposal"].as_str().unwrap().to_owned();
    days_pass(&stage, 6).await.unwrap();
    assert_eq!(seen(&city, &list).await["state"], "asked");
    // What was asked for before has no act that two persons could stand for.
    let of_before = forge(&stage, "asked", &records[1], None).await;
    let two = two_supervisors(&stage, &city).await;
    let path = format!("/v1/disposals/{of_before}/approval");
    assert_refused(&two[0].post(&path, &Value::Null).await.unwrap(), 404, "not_found");
    for record in &records {
        assert_refused(&ask(&city, &[record]).await, 409, "disposal_not_due");
    }
    days_pass(&stage, 2).await.unwrap();
    let entries = disclosures(&city).await;
    for list in [&list, &of_before] {
        assert_eq!(seen(&city, list).await["state"], "withdrawn");
        let told = inbox(&city).await.into_iter().filter(|message| message["subject"] == list.as_str());
        assert_eq!(told.filter(|message| message["kind"] == "disposal_withdrawn").count(), 1);
        let is_withdrawal = |entry: &&Value| entry["act"] == "disposal_withdraw" && entry["subject"] == list.as_str();
        let withdrawal = entries.iter().find(is_withdrawal).unwrap();
        assert_eq!((&withdrawal["outcome"], &withdrawal["organization"]), (&j!("done"), &j!("operator")));
    }
    assert_eq!(seen(&city, &list).await.get("decided_by"), None);
    // Nothing happens to it twice; and the records are due.
    elapse(stage.world.gateway().unwrap()).await.unwrap();
    assert_eq!(inbox_kinds(&city).await.iter().filter(|kind| *kind == "disposal_withdrawn").count(), 2);
    assert_eq!(dispose_again(&stage, &city, &records[0]).await["state"], "destroyed");
    assert_eq!(due(&city).await[0]["record"], records[1]);
}

/// The operator lengthens the wait: the list shows it, and is not held against the ledger before.
#[tokio::test(flavor = "multi_thread")]
async fn a_longer_wait_is_shown_and_nothing_is_looked_up_before() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let list = approved(&city, &two_supervisors(&stage, &city).await, &[&goes]).await;
    let mut database = Database::of(&stage).await;
    let Stage { world, directory } = stage;
    let (mut config, clock) = (world.premises.config.clone(), world.clock.clone());
    world.stop().await;
    config.retention.disposal_wait_days = 20;
    let authority = Authority::open(&directory.path().join("certs")).unwrap();
    let premises = Premises { directory: directory.path().to_owned(), config, authority };
    let stage = Stage { world: World::start(premises, clock).await.unwrap(), directory };
    let city = Party { client: stage.world.another(&city).unwrap(), ..city };
    let line = seen(&city, &list).await;
    let at = |field: &str| Timestamp::from_rfc3339(line[field].as_str().unwrap()).unwrap();
    assert_eq!(at("destroyed_after"), at("decided_at").plus(time::Duration::days(20)), "{line}");
    // Whoever looked now would find that the ledger does not bear it out.
    edit_approval(&mut database, &list, ["sup2", "sup1"]).await;
    days_pass(&stage, 8).await.unwrap();
    assert_eq!(seen(&city, &list).await["state"], "approved");
    let refuted = stage.world.gateway().unwrap().journal.memory().guard.refuted();
    assert!(refuted.iter().all(|name| name.table != "disposals"), "{refuted:?}");
    edit_approval(&mut database, &list, ["sup1", "sup2"]).await;
    days_pass(&stage, 13).await.unwrap();
    assert_eq!(seen(&city, &list).await["state"], "destroyed");
}

/// What was disposed of before there was a waiting time is gone: a list that says so of a record that is there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_before_is_borne_out_only_where_its_records_are_gone() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let list = approved(&city, &two_supervisors(&stage, &city).await, &[&goes]).await;
    let (id, record, slot) = (list.parse().unwrap(), goes.parse().unwrap(), slot(&stage, &goes).await);
    let looked_at = async || {
        let gateway = stage.world.gateway().unwrap();
        let memory = gateway.journal.memory();
        let mut tx = gateway.store.read().await.unwrap();
        let found = store::disposals::find(&mut tx, id).await.unwrap().unwrap();
        let disposal = Disposal { state: DisposalState::Removed, destroyed_after: None, destroyed_at: None, ..found };
        let listed = Listed { disposal, records: vec![(record, Some(slot))] };
        let grounds = Grounds {
            guard: &memory.guard,
            registry: &gateway.registry,
            own: Some((&gateway.config.node, &memory.tree)),
            wait: gateway.config.retention.disposal_wait(),
            now: gateway.clock.now().plus(time::Duration::days(8)),
        };
        grounds.look(&mut tx, &listed).await.unwrap()
    };
    let there = looked_at().await;
    assert_eq!(there, Borne::Unfounded("a record that is still there"), "its record is there");
    days_pass(&stage, 8).await.unwrap();
    assert_eq!(looked_at().await, Borne::Out);
}

/// A literal of bytes.
fn bytes(stage: &Stage, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if stage.world.premises.config.database.starts_with("sqlite:") {
        format!("x'{hex}'")
    } else {
        format!("'\\x{hex}'")
    }
}

/// What somebody writes into the database who has even the key of rows and a hand in memory: a list with right marks.
/// The ledger knows nothing of it.
async fn forge(stage: &Stage, state: &str, record: &str, slot: Option<Slot>) -> String {
    let (list, record) = (stage.world.clock.new_id(), record.parse::<Uuid>().unwrap());
    let guard = &stage.world.gateway().unwrap().journal.memory().guard;
    let ago = stage.world.clock.now().plus(-time::Duration::days(30));
    let slot = slot.map(|slot| i64::try_from(slot).unwrap());
    let listed = Values::of(&DISPOSAL_RECORDS).set("disposal", list).set("record", record).set("slot", slot);
    let listed = guard.marker.mark(&listed);
    let parts = guard.marker.parts(vec![listed]);
    let values = Values::of(&DISPOSALS)
        .set("id", list)
        .set("organization", CITY_A)
        .set("state", state)
        .set("asked_by", "o1")
        .set("asked_at", ago)
        .set("decided_by", "o2")
        .set("decided_at", ago)
        .set("destroyed_after", ago)
        .set("parts", parts.to_vec());
    let mark = guard.marker.mark(&values);
    guard.remembered.remember([(guard.remembered.key(DISPOSALS.number, &list.to_string()), tag_of(&mark))]);
    let mut database = Database::of(stage).await;
    let (id, record) = (database.id(&list.to_string()), database.id(&record.to_string()));
    let (ago, parts, mark) = (ago.as_micros(), bytes(stage, &parts), bytes(stage, &mark));
    let insert = format!(
        "INSERT INTO disposals (id, organization, state, asked_by, asked_at, decided_by, decided_at, destroyed_after, parts, \
         mark) VALUES ({id}, '{CITY_A}', '{state}', 'o1', {ago}, 'o2', {ago}, {ago}, {parts}, {mark})"
    );
    assert_eq!(database.run(&insert).await.unwrap(), 1);
    let slot = slot.map_or_else(|| "NULL".to_owned(), |slot| slot.to_string());
    let listed = bytes(stage, &listed);
    let insert = format!(
        "INSERT INTO disposal_records (disposal, record, slot, mark) VALUES ({id}, {record}, {slot}, {listed})"
    );
    assert_eq!(database.run(&insert).await.unwrap(), 1);
    list.to_string()
}

/// Edits or removes entries of the ledger, as whoever owns the database.
async fn edit_ledger(database: &mut Database, sqlite: &str, postgres: &str) {
    let (free, edit): (&[&str], _) = match database {
        Database::Sqlite(_) => (
            &[
                "DROP TRIGGER IF EXISTS ledger_is_append_only_update",
                "DROP TRIGGER IF EXISTS ledger_is_append_only_delete",
            ],
            sqlite,
        ),
        Database::Postgres(_) => (&["ALTER TABLE ledger DISABLE TRIGGER USER"], postgres),
    };
    for statement in free {
        database.run(statement).await.unwrap();
    }
    assert!(database.run(edit).await.unwrap() > 0, "{edit}");
}

/// Names another officer in the entry by which a list was approved; `back` undoes it.
async fn edit_approval(database: &mut Database, list: &str, [from, to]: [&str; 2]) {
    let (from, to) = (format!("\"officer\":\"{from}\""), format!("\"officer\":\"{to}\""));
    let of = |body: &str| format!("{body} LIKE '%disposal_approve%' AND {body} LIKE '%{list}%'");
    let (text, wide) = ("CAST(body AS TEXT)", "convert_from(body, 'UTF8')");
    edit_ledger(
        database,
        &format!("UPDATE ledger SET body = CAST(replace({text}, '{from}', '{to}') AS BLOB) WHERE {}", of(text)),
        &format!("UPDATE ledger SET body = convert_to(replace({wide}, '{from}', '{to}'), 'UTF8') WHERE {}", of(wide)),
    )
    .await;
}

async fn slot(stage: &Stage, record: &str) -> Slot {
    let mut tx = stage.world.gateway().unwrap().store.read().await.unwrap();
    let stored = store::records::find(&mut tx, record.parse().unwrap()).await.unwrap().unwrap();
    slot_of(&stored.sealed_key).unwrap()
}

/// How often the operator was told of a row that is not what the gateway wrote.
async fn operator_told(stage: &Stage) -> usize {
    let mut tx = stage.world.gateway().unwrap().store.read().await.unwrap();
    let told = store::inbox::after(&mut tx, &OrganizationCode::operator(), (0, 0), (1_000, Clock::system().now()))
        .await
        .unwrap();
    told.iter().filter(|message| message.kind == "row_refuted").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_the_ledger_does_not_bear_out_destroys_nothing() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let mut records = Vec::new();
    for _ in 0..5 {
        records.push(closed(&city, &grown_up()).await);
    }
    years_pass(&stage, 7);
    let two = two_supervisors(&stage, &city).await;
    let edited = approved(&city, &two, &[&records[0]]).await;
    let missing = approved(&city, &two, &[&records[1]]).await;
    // One list that the ledger does bear out, so that the others are seen not to be kept by something else.
    let sound = approved(&city, &two, &[&records[4]]).await;
    stage.world.clock.advance(time::Duration::days(8));
    let lists = [
        edited.clone(),
        missing.clone(),
        forge(&stage, "approved", &records[2], None).await,
        forge(&stage, "removed", &records[3], Some(slot(&stage, &records[3]).await)).await,
    ];
    let mut database = Database::of(&stage).await;
    edit_approval(&mut database, &edited, ["sup2", "sup1"]).await;
    let of =
        |body: &str| format!("DELETE FROM ledger WHERE {body} LIKE '%disposal_ask%' AND {body} LIKE '%{missing}%'");
    edit_ledger(&mut database, &of("CAST(body AS TEXT)"), &of("convert_from(body, 'UTF8')")).await;
    // And one without a mark.
    let (id, before) = (database.id(&Uuid::from_u128(7).to_string()), operator_told(&stage).await);
    let insert = format!(
        "INSERT INTO disposals (id, organization, state, asked_by, asked_at, decided_by, decided_at, destroyed_after) \
         VALUES ({id}, '{CITY_A}', 'approved', 'o1', 1, 'o2', 2, 3)"
    );
    assert_eq!(database.run(&insert).await.unwrap(), 1);
    // Twice: what the first round finds, the second tells.
    for _ in 0..2 {
        elapse(stage.world.gateway().unwrap()).await.unwrap();
    }
    for record in &records[..4] {
        assert_eq!(view(&city, record).await.status, 200, "a list that the ledger does not bear out was carried out");
    }
    assert_eq!(seen(&city, &sound).await["state"], "destroyed");
    // The body and the operator are told, of each list once.
    assert_eq!(operator_told(&stage).await - before, 5);
    let alarms: Vec<_> = inbox(&city).await.into_iter().filter(|message| message["kind"] == "row_refuted").collect();
    let told: BTreeSet<_> = alarms.iter().map(|message| message["subject"].as_str().unwrap().to_owned()).collect();
    assert!(lists.iter().all(|list| told.contains(list)) && told.len() == 5, "{told:?}");
    elapse(stage.world.gateway().unwrap()).await.unwrap();
    assert_eq!(operator_told(&stage).await - before, 5);
}

/// A node whose shreds still hold the secret of what another one disposed of.
#[tokio::test(flavor = "multi_thread")]
async fn another_node_destroys_only_what_the_ledger_bears_out() {
    let stage = Stage::years_ago(8).await;
    let city = stage.party("city", CITY_A).await;
    let goes = closed(&city, &grown_up()).await;
    years_pass(&stage, 7);
    let backup = back_up(&stage, "backup.db").await;
    let config = stage.world.premises.config.clone();
    let shreds = Shreds::path_beside(&config.keyring);
    let older = fs::read(&shreds).unwrap();
    let list = dispose(&stage, &city, &[&goes]).await["disposal"].as_str().unwrap().to_owned();
    let mut database = Database::of(&stage).await;
    let Stage { world, directory } = stage;
    world.stop().await;
    fs::write(&shreds, older).unwrap();
    let other = Config { node: "node-2".into(), ..config.clone() };
    let start = async || {
        let gateway = Gateway::open(other.clone(), Clock::system()).await.unwrap();
        let followed = follow_destruction(&gateway).await;
        let refuted = gateway.journal.memory().guard.refuted();
        gateway.store.close().await;
        followed.unwrap();
        refuted
    };
    edit_approval(&mut database, &list, ["sup2", "sup1"]).await;
    let refuted = start().await;
    opened(&backup, &config.keyring, &goes).await.expect("the ledger was edited: nothing is destroyed");
    assert!(refuted.iter().any(|name| name.table == "disposals" && name.row == list), "{refuted:?}");
    // The twin: the ledger as it was.
    edit_approval(&mut database, &list, ["sup1", "sup2"]).await;
    assert!(start().await.is_empty());
    let outcome = opened(&backup, &config.keyring, &goes).await;
    assert!(matches!(outcome, Err(StoreError::Key(KeyError::Destroyed))), "{outcome:?}");
    drop(directory);
}

/// The tests of above fail where the gateway believes lists, or does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_believed_and_lists_that_do_not_wait_are_noticed() {
    let twins = [
        (
            "believe-the-list",
            "a_list_that_the_ledger_does_not_bear_out_destroys_nothing",
            "does not bear out was carried out",
        ),
        ("believe-the-list", "a_list_of_before_is_borne_out_only_where_its_records_are_gone", "its record is there"),
        ("dispose-at-once", "a_list_waits_and_can_be_taken_back_until_its_time_is_over", "disposed of before its time"),
    ];
    for (defect, test, noticed) in twins {
        let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
        let test = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
        command.args(["--exact", &test, "--nocapture"]).env("PLANTED_DEFECT", defect);
        let output = command.output().await.unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && said.contains(noticed), "a planted defect went unnoticed: {said}");
    }
}
