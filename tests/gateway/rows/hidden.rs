//! What is done behind the gateway for a moment only, and put back before anybody looks: rows that are hidden while it
//! decides, one-time things that are there a second time, triggers that write while it writes.

use serde_json::json as j;
use tsunagi::{
    client::Reply,
    keys::keyring::{Keyring, NewMaster},
    operations::elapse::elapse,
    store::rows::tables,
};
use tsunagi_testkit::{persons::DeskPerson, world::Party};
use uuid::Uuid;

use super::{Database, fails_with, literal, names, reviewed, set_from, tamper};
use crate::harness::*;

/// Hides rows of a table, and keeps them.
async fn hide(stage: &Stage, table: &str, clause: &str) {
    tamper(stage, &format!("CREATE TABLE kept AS SELECT * FROM {table} WHERE {clause}")).await;
    let mut database = Database::of(stage).await;
    assert!(database.run(&format!("DELETE FROM {table} WHERE {clause}")).await.unwrap() > 0);
}

async fn put_back(stage: &Stage, table: &str) {
    Database::of(stage).await.run(&format!("INSERT INTO {table} SELECT * FROM kept")).await.unwrap();
    tamper(stage, "DROP TABLE kept").await;
}

/// A body is not opened as if it never had staff, and nobody counts as a second person because it is hidden who gave them
/// their role.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_hidden_for_a_moment_open_nothing() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let chair = &stage.world.operators().await.unwrap().administrator;
    hide(&stage, "staff", &format!("organization = '{CITY_A}'")).await;
    let opened = chair.post(&format!("/v1/organizations/{CITY_A}/opening-codes"), &j!(null)).await.unwrap();
    put_back(&stage, "staff").await;
    assert_refused(&opened, 409, "body_is_open");
    hide(&stage, "staff", &format!("organization = '{CITY_A}'")).await;
    let terminal = j!({ "serial": "0badcafe", "organization": CITY_A, "kind": "machine", "label": "x" });
    let registered = chair.post("/v1/terminals", &terminal).await.unwrap();
    put_back(&stage, "staff").await;
    assert_ne!(registered.status, 200, "{}", registered.text());
    let terminals = json(&city.client.get("/v1/terminals").send().await.unwrap()).to_string();
    assert!(!terminals.contains("0badcafe"), "{terminals}");

    let (friend, waiting) = friend_and_what_waits(&city).await;
    assert_refused(&friend.confirm(&waiting).await.unwrap(), 409, "not_two_persons");
    hide(&stage, "staff_grants", "officer = 'friend'").await;
    assert_refused(&friend.confirm(&waiting).await.unwrap(), 503, "row_refuted");
    put_back(&stage, "staff_grants").await;
    assert_refused(&friend.confirm(&waiting).await.unwrap(), 409, "not_two_persons");
    elapse(stage.world.gateway().unwrap()).await.unwrap();
    let told = json(&stage.world.operator.get("/v1/inbox").send().await.unwrap());
    assert!(told["messages"].as_array().unwrap().iter().any(|message| message["kind"] == "row_refuted"), "{told}");
}

/// Somebody whose role the other of the two gave, and what waits for a second person.
async fn friend_and_what_waits(city: &Party) -> (DeskPerson, String) {
    city.first.appoint("friend", &["user_administrator"]).await.unwrap();
    let friend = city.first.seat("friend").await.unwrap();
    let staff = j!({ "id": "ghost", "name": "架空", "roles": ["supervisor"] });
    let asked = json(&city.first.credential_manager.post("/v1/staff", &staff).await.unwrap());
    (friend, asked["waiting_act"].as_str().unwrap().to_owned())
}

/// The twin: for who takes a row that is not there for one that never was, wrong tries are forgotten by removing what counts
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn believing_that_a_hidden_row_never_was_is_caught() {
    let said = fails_with("believe-absence", "rows::hidden::what_works_once_is_not_brought_back", &[]).await;
    assert!(said.contains("sign_in_refused") || said.contains("officer_not_active"), "{said}");
}

/// Wrong tries are not forgotten by removing what counts them, and what works once works once.
#[tokio::test(flavor = "multi_thread")]
async fn what_works_once_is_not_brought_back() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    stage.world.seat_new(&city, "d2", &["caseworker"]).await.unwrap();
    let desk = person.desk().clone();
    // A recovery code, within the twenty seconds in which a reader may still know it.
    tamper(&stage, "CREATE TABLE kept AS SELECT * FROM recovery_codes WHERE officer = 'd1'").await;
    let code = person.recovery_codes[0].clone();
    let signed_in = person.sign_in_at(&desk, Some(&code)).await.unwrap();
    assert_eq!(signed_in.status, 201, "{}", signed_in.text());
    let kept = "SELECT * FROM kept WHERE digest NOT IN (SELECT digest FROM recovery_codes)";
    assert_eq!(tamper(&stage, &format!("INSERT INTO recovery_codes {kept}")).await, 1);
    is_refuted_at_last(async || person.sign_in_at(&desk, Some(&code)).await.unwrap()).await;
    // A code of the device.
    tamper(&stage, "CREATE TABLE kept_row AS SELECT * FROM credentials WHERE officer = 'd1'").await;
    let code = person.next_code();
    let signed_in = person.sign_in_at(&desk, Some(&code)).await.unwrap();
    assert_eq!(signed_in.status, 201, "{}", signed_in.text());
    let back = set_from("kept_row", &tables::CREDENTIALS);
    tamper(&stage, &format!("UPDATE credentials SET {back} WHERE officer = 'd1'")).await;
    is_refuted_at_last(async || person.sign_in_at(&desk, Some(&code)).await.unwrap()).await;
    // What counts wrong tries.
    let wrong = j!({ "officer": "d2", "password": "not the right one at all" });
    let guess = async || desk.client().unwrap().post("/v1/sessions").json(&wrong).send().await.unwrap();
    for _ in 0..3 {
        guess().await;
        tamper(&stage, "DELETE FROM sign_in_locks WHERE officer = 'd2'").await;
    }
    stage.world.gateway().unwrap().journal.memory().guard.remembered.expire();
    is_refuted_at_last(guess).await;
}

/// With several nodes, what memory does not know is taken for news first, and the caller asked to try again.
async fn is_refuted_at_last(ask: impl AsyncFn() -> Reply) {
    let mut reply = ask().await;
    for _ in 0..4 {
        if json(&reply)["code"] != "changed_meanwhile" {
            break;
        }
        reply = ask().await;
    }
    assert_refused(&reply, 503, "row_refuted");
}

/// A trigger puts back what hung on a record once, while the gateway itself writes to it: it is not made authentic by that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_back_while_the_gateway_writes_is_found() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let other = stage.party("other", CITY_B).await;
    let record = register(&city, &family(CITY_A)).await;
    let missing = j!({ "state": "missing", "reason": "なし" });
    let offer = j!({ "record": record, "receiver": CITY_B,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } });
    let offered = json(&city.client.post("/v1/transfers").json(&offer).send().await.unwrap());
    let transfer = offered["transfer"].as_str().unwrap();
    assert_eq!(view(&other, &record).await.status, 200);
    tamper(&stage, "CREATE TABLE kept AS SELECT * FROM transfers").await;
    let withdraw = city.client.post(&format!("/v1/transfers/{transfer}/withdraw")).json(&j!({ "reason": "誤送信" }));
    assert_eq!(withdraw.send().await.unwrap().status, 200);
    let back = set_from("kept", &tables::TRANSFERS);
    let trigger = match Database::of(&stage).await.is_sqlite() {
        true => vec![format!("CREATE TRIGGER t AFTER INSERT ON attachments BEGIN UPDATE transfers SET {back}; END")],
        false => vec![
            format!(
                "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE transfers SET {back}; \
                 RETURN NULL; END $$"
            ),
            "CREATE TRIGGER t AFTER INSERT ON attachments FOR EACH ROW EXECUTE FUNCTION t()".to_owned(),
        ],
    };
    for sql in trigger {
        tamper(&stage, &sql).await;
    }
    let photo = crate::photos::jpeg("photo");
    city.client.post(&format!("/v1/records/{record}/attachments")).body("image/jpeg", photo).send().await.unwrap();
    assert_refused(&view(&other, &record).await, 503, "row_refuted");
    assert_refused(&view(&city, &record).await, 503, "row_refuted");
    assert!(names(&reviewed(&stage).await, "records", &record));
}

/// That a hidden record's row is gone is told to those who could see it, and looks like a record that never was to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_gone_is_told_to_nobody_who_could_not_see_it() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let outsider = stage.party("outsider", CITY_B).await;
    let record = register(&city, &family(CITY_A)).await;
    let other = register(&city, &family(CITY_A)).await;
    let id = literal(&stage, &record).await;
    Database::of(&stage).await.run(&format!("DELETE FROM records WHERE id = {id}")).await.unwrap();
    stage.world.gateway().unwrap().journal.memory().guard.remembered.expire();
    let never = view(&outsider, "01890a5d-ac96-774b-bcce-b302099a8057").await;
    let gone = view(&outsider, &record).await;
    assert_eq!((gone.status, json(&gone)["code"].clone()), (never.status, json(&never)["code"].clone()));
    let close = outsider.client.post(&format!("/v1/records/{record}/close")).if_match(1).send().await.unwrap();
    assert_refused(&close, 404, "record_not_available");
    assert_refused(&view(&city, &record).await, 503, "row_refuted");
    assert_eq!(view(&city, &other).await.status, 200);
}

/// A record is hidden while keys are wrapped anew, so that the key that it needs would be destroyed.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_goes_while_a_record_is_hidden() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    register(&city, &family(CITY_A)).await;
    let keyring = Keyring::load(&stage.world.premises.config.keyring).unwrap();
    keyring.rotate(NewMaster::AsBefore).unwrap();
    let id = literal(&stage, &record).await;
    tamper(&stage, &format!("CREATE TABLE kept AS SELECT * FROM records WHERE id = {id}")).await;
    Database::of(&stage).await.run(&format!("DELETE FROM records WHERE id = {id}")).await.unwrap();
    assert_eq!(stage.world.operator.post("/v1/keys/rewraps").send().await.unwrap().status, 202);
    let gateway = stage.world.gateway().unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    assert!(tsunagi::store::rewraps::used(&mut tx).await.is_err(), "no key is destroyed on what is there");
    drop(tx);
    Database::of(&stage).await.run("INSERT INTO records SELECT * FROM kept").await.unwrap();
    tamper(&stage, "DROP TABLE kept").await;
    assert_eq!(view(&city, &record).await.status, 200);
    let mut tx = gateway.store.read().await.unwrap();
    assert!(tsunagi::store::rewraps::used(&mut tx).await.is_ok());
}

/// What no column of this kind can hold is not what the gateway wrote, and stops nothing else. (Only SQLite takes it.)
#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_kind_is_named_and_stops_nothing() {
    let stage = Stage::new().await;
    if !Database::of(&stage).await.is_sqlite() {
        return;
    }
    let city = stage.party("city", CITY_A).await;
    let records = [register(&city, &family(CITY_A)).await, register(&city, &family(CITY_A)).await];
    let id = literal(&stage, &records[0]).await;
    for sql in [
        format!("UPDATE records SET residence = CAST(x'ff' AS TEXT) WHERE id = {id}"),
        format!("UPDATE staff SET roles = CAST(x'ff' AS TEXT) WHERE organization = '{CITY_A}' AND id = 'o1'"),
        format!("UPDATE terminals SET mark = 'x' WHERE organization = '{CITY_A}'"),
    ] {
        assert!(tamper(&stage, &sql).await > 0, "{sql}");
    }
    let found = reviewed(&stage).await;
    assert!(names(&found, "records", &records[0]) && names(&found, "staff", &format!("{CITY_A}:o1")), "{found:?}");
    assert!(found.refuted.iter().any(|name| name.table == "terminals"), "{found:?}");
    assert_refused(&view(&city, &records[0]).await, 503, "row_refuted");
    assert_eq!(view(&city, &records[1]).await.status, 200);
}

/// A message that was edited or removed, the newest among them, is named, and the others are read; so are the other records
/// of a list.
#[tokio::test(flavor = "multi_thread")]
async fn one_message_or_record_takes_no_inbox_or_list_with_it() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let records = [register(&city, &family(CITY_A)).await, register(&city, &family(CITY_A)).await];
    let inbox = async || json(&city.client.get("/v1/inbox").send().await.unwrap());
    let before = inbox().await["messages"].as_array().unwrap().clone();
    assert!(before.len() > 3, "{before:?}");
    let last = before.len() as i64;
    let of_city = format!("organization = '{CITY_A}' AND position");
    tamper(&stage, &format!("UPDATE inbox SET kind = 'transfer_offered' WHERE {of_city} = 1")).await;
    tamper(&stage, &format!("DELETE FROM inbox WHERE {of_city} IN (2, {last})")).await;
    let after = inbox().await;
    let messages = after["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &after["cursor"]), (before.len(), &j!(last)));
    for (at, (message, before)) in (1..).zip(messages.iter().zip(&before)) {
        if [1, 2, last].contains(&at) {
            assert_eq!((&message["kind"], message.get("entry")), (&j!("row_refuted"), None), "{message}");
        } else {
            assert_eq!(message, before);
        }
    }
    let found = reviewed(&stage).await;
    assert!([1, 2].iter().all(|at| names(&found, "inbox", &format!("{CITY_A}:{at}"))), "{found:?}");
    let refuted = stage.world.gateway().unwrap().journal.memory().guard.refuted();
    assert!(refuted.iter().any(|name| name.row == format!("{CITY_A}:{last}")), "{refuted:?}");

    let id = literal(&stage, &records[0]).await;
    tamper(&stage, &format!("UPDATE records SET serious = 1 WHERE id = {id}")).await;
    let list = json(&city.client.get("/v1/records").send().await.unwrap());
    let listed: Vec<_> = list["records"].as_array().unwrap().iter().map(|line| line["record"].clone()).collect();
    assert_eq!((listed, &list["set_aside"]), (vec![j!(records[1])], &j!(1)), "{list}");
}

/// A request that somebody forged, and a person, terminal or body whose row is damaged: what takes something away is done,
/// and everybody else's list is read.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_away_is_not_stopped_by_a_damaged_row() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let other = stage.party("other", CITY_B).await;
    stage.world.add_staff(&city, "o2", &["viewer"]).await.unwrap();
    let lost = stage.world.add_terminal("lost", &city, "o1").await.unwrap();
    let record = register(&city, &family(CITY_A)).await;
    let forge = async |number: u128, list: &str, kind: &str, subject: &str| {
        let id = literal(&stage, &Uuid::from_u128(number).to_string()).await;
        let forged = format!(
            "INSERT INTO waiting_acts (id, organization, kind, subject, state, asked_by_organization, asked_by, asked_at, \
             not_before, expires_at, sealed_act) VALUES ({id}, '{list}', '{kind}', '{subject}', 'waiting', '{list}', 'o1', \
             1, 1, 9000000000000000, {})",
            Database::of(&stage).await.bytes_of(&[7; 64])
        );
        assert_eq!(tamper(&stage, &forged).await, 1);
    };
    for (number, kind) in (1..).zip(["lift_shield", "name_bodies"]) {
        forge(number, CITY_A, kind, &record).await;
    }
    forge(3, CITY_A, "change_staff", "o2").await;
    forge(4, "operator", "reopen_body", CITY_B).await;
    let shield = j!({ "kind": "1", "since": "2026-04-01" });
    let set = city.client.put(&format!("/v1/records/{record}/shield")).json(&shield).send().await.unwrap();
    assert_eq!(set.status, 200, "{}", set.text());
    let list = json(&other.client.get("/v1/waiting-acts").send().await.unwrap());
    assert_eq!((&list["set_aside"], list["waiting_acts"].as_array().map(Vec::len)), (&j!(1), Some(1)), "{list}");

    tamper(
        &stage,
        &format!("UPDATE staff SET roles = 'viewer,caseworker' WHERE id = 'o2' AND organization = '{CITY_A}'"),
    )
    .await;
    tamper(&stage, &format!("UPDATE terminals SET label = 'other' WHERE serial = '{}'", lost.serial)).await;
    tamper(&stage, &format!("UPDATE organizations SET relay_desk = 'other' WHERE code = '{CITY_B}'")).await;
    for path in [
        format!("/v1/staff/{CITY_A}/o2/revoke"),
        format!("/v1/terminals/{}/revoke", lost.serial),
        format!("/v1/organizations/{CITY_B}/suspend"),
    ] {
        let done = stage.world.operator.post(&path).send().await.unwrap();
        assert_eq!(done.status, 200, "{path}: {}", done.text());
    }
    let of_o2 = city.client.get("/v1/records").header("tsunagi-officer", "o2").send().await.unwrap();
    assert_refused(&of_o2, 401, "officer_not_active");
    assert_refused(&lost.client.get("/v1/records").send().await.unwrap(), 401, "terminal_revoked");
    assert_refused(&other.client.get("/v1/records").send().await.unwrap(), 401, "terminal_not_recognized");
    assert_eq!(view(&city, &record).await.status, 200);
}

/// The twins: what stops at a forged request, and what revokes nobody whose row is damaged.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_at_a_damaged_row_is_caught() {
    for defect in ["stumble-over-forged", "keep-damaged"] {
        let said = fails_with(defect, "rows::hidden::what_takes_away_is_not_stopped_by_a_damaged_row", &[]).await;
        assert!(said.contains("row_refuted"), "{said}");
    }
}
