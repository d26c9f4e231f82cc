//! Signing in: what it costs others, what counts as a try, what stands in the ledger; passwords and codes.

use std::sync::mpsc;

use futures_util::future::join_all;
use serde_json::{Value, json as j};
use tsunagi::{
    client::{Client, Reply},
    domain::organization::OrganizationCode,
    identity::hashing::{HashingPlaces, MAX_OF_TERMINAL},
    ledger::entry::{Entry, Outcome},
    store,
};
use tsunagi_testkit::persons::{DeskPlace, Enrolling, enrol};
use uuid::Uuid;

use crate::harness::*;

async fn sign_in(desk: &DeskPlace, message: &Value) -> Reply {
    desk.client().unwrap().post("/v1/sessions").json(message).send().await.unwrap()
}

fn code_of(reply: &Reply) -> String {
    json(reply)["code"].as_str().unwrap_or_default().to_owned()
}

/// Forty at once are five that are hashed, as forty one after the other are.
#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_are_no_more_than_tries_one_after_the_other() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let other = stage.world.add_desk("city-desk-2", &city).await.unwrap();
    let clients: Vec<Client> = (0..40).map(|_| person.desk().client().unwrap()).collect();
    // All are connected before the first is sent.
    for reply in join_all(clients.iter().map(|client| client.get("/v1/session").send())).await {
        assert_refused(&reply.unwrap(), 401, "officer_missing");
    }
    let wrong = j!({ "officer": "d1", "password": "not the right one at all" });
    let replies = join_all(clients.iter().map(|client| client.post("/v1/sessions").json(&wrong).send())).await;
    let replies: Vec<Reply> = replies.into_iter().map(Result::unwrap).collect();
    let hashed = replies.iter().filter(|reply| code_of(reply) == "sign_in_refused").count();
    assert_eq!(hashed, 5, "tries were hashed");
    for reply in replies.iter().filter(|reply| reply.status != 401) {
        assert_eq!(reply.status, 429, "{}", reply.text());
        assert!(reply.header("retry-after").is_some(), "{}", reply.text());
    }
    // Nobody else is held up, and not the person elsewhere.
    assert_eq!(person.sign_in_at(&other, Some(&person.next_code())).await.unwrap().status, 201);
}

/// What is hashed until it is told to end, and when it began.
fn held(begun: &mpsc::Sender<&'static str>, of: &'static str) -> (mpsc::Sender<()>, impl FnOnce() + Send + use<>) {
    let (end, ended) = mpsc::channel();
    let begun = begun.clone();
    (end, move || {
        begun.send(of).unwrap();
        let _ = ended.recv();
    })
}

/// One desk that sends whatever it likes has one password hashed at a time; another desk's is next.
#[tokio::test]
async fn desks_take_turns_at_hashing() {
    let places = HashingPlaces::new(2);
    let (begun, begins) = mpsc::channel();
    let mut ends = Vec::new();
    let mut hash = |of: &'static str| {
        let place = places.enter(of);
        let (end, work) = held(&begun, of);
        ends.push(end);
        place.map(|place| tokio::spawn(async move { place.run(work).await }))
    };
    let mut running: Vec<_> = (0..MAX_OF_TERMINAL).map(|_| hash("a").expect("there is room")).collect();
    // Those wait before the other desk comes.
    for _ in 0..MAX_OF_TERMINAL {
        tokio::task::yield_now().await;
    }
    running.push(hash("b").expect("another desk has room of its own"));
    tokio::task::yield_now().await;
    let first = [begins.recv().unwrap(), begins.recv().unwrap()];
    assert!(first.contains(&"a") && first.contains(&"b"), "both cores are of one desk: {first:?}");
    assert!(hash("a").is_none(), "more wait than a person would mind");
    assert_eq!(places.terminals(), 2);
    drop(ends);
    for task in running {
        assert_eq!(task.await.unwrap(), Some(()));
    }
    assert_eq!(places.terminals(), 0, "nobody is kept who has gone");
}

/// The caller may go: what is hashed keeps its place to its end.
#[tokio::test]
async fn what_is_hashed_keeps_its_place_to_its_end() {
    let places = HashingPlaces::new(1);
    let (begun, begins) = mpsc::channel();
    let (end, work) = held(&begun, "a");
    let place = places.enter("a").unwrap();
    let caller = tokio::spawn(async move { place.run(work).await });
    tokio::task::yield_now().await;
    assert_eq!(begins.recv().unwrap(), "a");
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(places.terminals(), 1);
    drop(end);
    assert_eq!(places.enter("b").unwrap().run(|| 7).await, Some(7));
}

/// The twins of both.
#[tokio::test(flavor = "multi_thread")]
async fn counting_late_and_hashing_in_any_order_are_caught() {
    fails_with(
        "count-after-hash",
        "credentials::tries_at_once_are_no_more_than_tries_one_after_the_other",
        "tries were hashed",
    )
    .await;
    fails_with("hash-first-come", "credentials::desks_take_turns_at_hashing", "both cores are of one desk").await;
}

/// Whoever makes ids up at a desk uses that desk's tries up, and no other's.
#[tokio::test(flavor = "multi_thread")]
async fn made_up_ids_come_to_an_end_at_their_desk() {
    let few = GENEROUS.replace("terminal_tries_per_hour = 100000", "terminal_tries_per_hour = 30");
    let stage = Stage::with(&few).await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let other = stage.world.add_desk("city-desk-2", &city).await.unwrap();
    let mut codes = Vec::new();
    for number in 0..33 {
        let made_up = j!({ "officer": format!("nobody{number}"), "password": "not the right one at all" });
        codes.push(code_of(&sign_in(&other, &made_up).await));
    }
    let (tried, refused) = codes.split_at(30);
    assert!(tried.iter().all(|code| code == "sign_in_refused"), "{codes:?}");
    assert!(refused.iter().all(|code| code == "rate_limited"), "{codes:?}");
    assert_eq!(person.sign_in_at(person.desk(), Some(&person.next_code())).await.unwrap().status, 201);
}

/// Who types the password where the id belongs leaves it in no entry, and in no row.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_as_an_id_is_kept_nowhere() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let desk = person.desk();
    let typed = ["Himitsu no password!", "HimitsuNoPassword", &"Himitsu".repeat(20), "ひみつHimitsu"];
    for officer in typed {
        let refused = sign_in(desk, &j!({ "officer": officer, "password": "x" })).await;
        assert_refused(&refused, 401, "sign_in_refused");
    }
    let begun = j!({ "code": "x", "officer": typed[0] });
    let refused = desk.client().unwrap().post("/v1/enrolments/tickets").json(&begun).send().await.unwrap();
    assert_refused(&refused, 422, "field_refused");

    let mut tx = stage.world.gateway().unwrap().store.read().await.unwrap();
    let of = OrganizationCode::parse(CITY_A).unwrap();
    let entries = store::ledger::entries_by(&mut tx, &of, Uuid::max(), 200).await.unwrap();
    drop(tx);
    let entries: Vec<Entry> = entries.iter().map(|entry| Entry::from_bytes(&entry.body).unwrap()).collect();
    let refused: Vec<&Entry> = entries.iter().filter(|entry| entry.outcome == Outcome::Refused).collect();
    assert_eq!(refused.len(), 5, "each refusal is an entry");
    assert!(refused.iter().all(|entry| entry.officer == "?"));
    for file in std::fs::read_dir(stage.directory.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(7).any(|window| window == b"Himitsu"), "{}", path.display());
        }
    }
}

/// A page asks for the password first and for the code then: that locks nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_without_its_code_is_no_wrong_try() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    for _ in 0..7 {
        assert_refused(&person.sign_in_at(person.desk(), None).await.unwrap(), 401, "second_factor_missing");
    }
    assert_eq!(person.sign_in_at(person.desk(), Some(&person.next_code())).await.unwrap().status, 201);
    // A wrong code beside it is one.
    for _ in 0..5 {
        let wrong = person.sign_in_at(person.desk(), Some("000000")).await.unwrap();
        assert_refused(&wrong, 401, "second_factor_wrong");
        assert!(wrong.text().contains("回復用コードが正しくありません"), "{}", wrong.text());
    }
    assert_refused(&person.sign_in_at(person.desk(), None).await.unwrap(), 429, "sign_in_locked");
}

/// Keyboards give letters of one width or the other: it is the same password.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_the_same_however_wide_it_is_typed() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let change = async |new: &str| {
        let message = j!({ "officer": "d1", "password": person.password, "second_factor": person.next_code(),
            "new_password": new });
        sign_in(person.desk(), &message).await
    };
    for weak in ["ｐａｓｓｗｏｒｄ１２３４", "tab\tbetween the words", "an invisible\u{200B} space"] {
        assert_refused(&change(weak).await, 422, "password_refused");
    }
    assert_eq!(change("ｃｏｒｒｅｃｔ　ｈｏｒｓｅ　４２").await.status, 201);
    for typed in ["correct horse 42", "ｃｏｒｒｅｃｔ　ｈｏｒｓｅ　４２"] {
        let message = j!({ "officer": "d1", "password": typed, "second_factor": person.next_code() });
        assert_eq!(sign_in(person.desk(), &message).await.status, 201, "{typed}");
    }
}

/// Whoever is revoked lets nobody in any more: codes that were handed out and not used end with it.
#[tokio::test(flavor = "multi_thread")]
async fn codes_of_a_revoked_manager_end_with_the_revocation() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    city.first.appoint("d1", &["caseworker"]).await.unwrap();
    let manager = &city.first.credential_manager;
    let issued = manager.post(&format!("/v1/staff/{CITY_A}/d1/credential"), &Value::Null).await.unwrap();
    let code = json(&issued)["code"].as_str().unwrap().to_owned();
    let revoke = format!("/v1/staff/{CITY_A}/manager/revoke");
    assert_eq!(city.client.post(&revoke).send().await.unwrap().status, 200);
    let persons = [Enrolling { officer: "d1", name: None }];
    let refused = enrol(manager.desk(), &city.code, (&code, &persons)).await.err();
    let refused = refused.expect("the code lets somebody in").to_string();
    assert!(refused.contains("enrolment_code_refused"), "{refused}");
}

/// A person knows how many codes are left, and replaces them with a code of the device; neither a machine nor a recovery
/// code does.
#[tokio::test(flavor = "multi_thread")]
async fn recovery_codes_are_counted_and_renewed() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let signed = person.sign_in_at(person.desk(), Some(&person.recovery_codes[0])).await.unwrap();
    assert_eq!(json(&signed)["recovery_codes_left"], 7, "{}", signed.text());
    let client = person.desk().client().unwrap().with_token(json(&signed)["token"].as_str().unwrap().to_owned());
    assert_eq!(json(&client.get("/v1/session").send().await.unwrap())["recovery_codes_left"], 7);
    assert_eq!(json(&city.client.get("/v1/session").send().await.unwrap()).get("recovery_codes_left"), None);

    let renew = async |client: &Client, code: &str| {
        client.post("/v1/recovery-codes").json(&j!({ "second_factor": code })).send().await.unwrap()
    };
    assert_refused(&renew(&city.client, "000000").await, 403, "sharp_act_needs_person");
    assert_refused(&renew(&client, &person.recovery_codes[1]).await, 401, "second_factor_wrong");
    let code = person.next_code();
    let renewed = renew(&client, &code).await;
    assert_eq!(renewed.status, 201, "{}", renewed.text());
    assert_refused(&renew(&client, &code).await, 401, "second_factor_wrong");
    let new: Vec<Value> = json(&renewed)["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(new.len(), 8);
    let old = person.sign_in_at(person.desk(), Some(&person.recovery_codes[1])).await.unwrap();
    assert_refused(&old, 401, "second_factor_wrong");
    let signed = person.sign_in_at(person.desk(), new[0].as_str()).await.unwrap();
    assert_eq!((signed.status.as_u16(), &json(&signed)["recovery_codes_left"]), (201, &j!(7)), "{}", signed.text());
    // Guessing in an open session is counted like guessing at the door.
    for _ in 0..5 {
        assert_refused(&renew(&client, "000000").await, 401, "second_factor_wrong");
    }
    assert_refused(&renew(&client, &person.next_code()).await, 429, "sign_in_locked");
}
