//! Signing in at a desk: password and second factor, wrong tries, sessions and their ends.

use serde_json::{Value, json as j};
use time::Duration;

use crate::{harness::*, persons::post};

/// A password is one's own, and a code works once.
#[tokio::test(flavor = "multi_thread")]
async fn signing_in_needs_both_and_a_code_works_once() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let desk = person.desk().clone();
    assert_refused(&person.sign_in_at(&desk, None).await.unwrap(), 401, "second_factor_missing");
    let code = person.next_code();
    assert_eq!(person.sign_in_at(&desk, Some(&code)).await.unwrap().status, 201);
    assert_refused(&person.sign_in_at(&desk, Some(&code)).await.unwrap(), 401, "second_factor_wrong");
    // The body's own rule, and the person's own new password.
    let policy = j!({ "password_days": 1 });
    assert_eq!(city.client.put("/v1/sign-in-policy").json(&policy).send().await.unwrap().status, 200);
    stage.world.clock.advance(Duration::hours(25));
    let code = person.next_code();
    assert_refused(&person.sign_in_at(&desk, Some(&code)).await.unwrap(), 403, "password_expired");
    let message = |new: &str| j!({ "officer": "d1", "password": person.password, "second_factor": person.next_code(), "new_password": new });
    let change =
        async |new: &str| desk.client().unwrap().post("/v1/sessions").json(&message(new)).send().await.unwrap();
    assert_refused(&change("password1234").await, 422, "password_refused");
    assert_refused(&change("d1d1d1d1d1d1d1").await, 422, "password_refused");
    assert_eq!(change("a quite different one").await.status, 201);
    assert_refused(&person.sign_in_at(&desk, Some(&person.next_code())).await.unwrap(), 401, "sign_in_refused");
}

/// Wrong tries are of an id at a terminal: they hold up nobody else there, and not that person elsewhere. The allowance of
/// tries is the standard one.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_tries_kept_up_lock_no_colleague_out() {
    let stage = Stage::with(&GENEROUS.replace("sign_ins_per_hour = 100000\n", "")).await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let colleague = stage.world.seat_new(&city, "d2", &["caseworker"]).await.unwrap();
    let (desk, other) = (person.desk().clone(), stage.world.add_desk("city-desk-2", &city).await.unwrap());
    let wrong = j!({ "officer": "d1", "password": "not the right one at all" });
    let try_wrong = async || desk.client().unwrap().post("/v1/sessions").json(&wrong).send().await.unwrap();
    let locked_for = async || {
        let locked = person.sign_in_at(&desk, Some("000000")).await.unwrap();
        assert_refused(&locked, 429, "sign_in_locked");
        locked.header("retry-after").unwrap().parse::<i64>().unwrap()
    };
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(json(&try_wrong().await)["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes.iter().filter(|code| *code == "sign_in_refused").count(), 5, "{codes:?}");
    assert_eq!(codes.last().unwrap(), "sign_in_locked");
    let seconds = locked_for().await;
    assert!((20..=60).contains(&seconds), "{seconds}");
    // The same person at another desk, and a colleague at this one.
    assert_eq!(person.sign_in_at(&other, Some(&person.next_code())).await.unwrap().status, 201);
    assert_eq!(colleague.sign_in_at(&desk, Some(&colleague.next_code())).await.unwrap().status, 201);
    // It grows with each wrong try after it, and ends by time.
    stage.world.clock.advance(Duration::seconds(61));
    assert_refused(&try_wrong().await, 401, "sign_in_refused");
    let seconds = locked_for().await;
    assert!((61..=120).contains(&seconds), "{seconds}");
    stage.world.clock.advance(Duration::seconds(121));
    assert_eq!(person.sign_in_at(&desk, Some(&person.next_code())).await.unwrap().status, 201);
    // Or by a supervisor.
    for _ in 0..5 {
        assert_refused(&try_wrong().await, 401, "sign_in_refused");
    }
    assert!(locked_for().await > 0);
    let unlocked = post(&city.first.administrator, "/v1/credentials/d1/unlock", Value::Null).await;
    assert_eq!(unlocked.status, 200, "{}", unlocked.text());
    assert_eq!(person.sign_in_at(&desk, Some(&person.next_code())).await.unwrap().status, 201);
}

/// A session stands idle for half an hour, lasts ten hours whatever happens, and all of them end at a word.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_idle_by_time_and_at_a_word() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let signed_in = async || {
        let token = person.sign_in_anew().await.unwrap();
        person.desk().client().unwrap().with_token(token)
    };
    let client = signed_in().await;
    let is_in = async |client: &tsunagi::client::Client| client.get("/v1/session").send().await.unwrap().status == 200;
    for _ in 0..3 {
        stage.world.clock.advance(Duration::minutes(25));
        assert!(is_in(&client).await, "it is used");
    }
    stage.world.clock.advance(Duration::minutes(31));
    assert!(!is_in(&client).await, "it stood idle");
    let client = signed_in().await;
    for _ in 0..23 {
        stage.world.clock.advance(Duration::minutes(25));
        assert!(is_in(&client).await);
    }
    stage.world.clock.advance(Duration::minutes(26));
    assert!(!is_in(&client).await, "ten hours are over");
    // A token is worth nothing at another desk of the same body.
    let token = person.sign_in_anew().await.unwrap();
    let elsewhere = stage.world.add_desk("city-desk-2", &city).await.unwrap();
    assert!(is_in(&person.desk().client().unwrap().with_token(token.clone())).await);
    assert!(!is_in(&elsewhere.client().unwrap().with_token(token)).await, "it is of another terminal");
    let (one, other) = (signed_in().await, signed_in().await);
    assert_eq!(one.request(axum::http::Method::DELETE, "/v1/sessions/all").send().await.unwrap().status, 200);
    assert!(!is_in(&one).await && !is_in(&other).await);
}

/// The twins: without its guard each of these stories fails, by its own words.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_guard_each_of_these_stories_fails() {
    let sessions = "signing_in::sessions_end_idle_by_time_and_at_a_word";
    for (defect, story, words) in [
        ("accept-replays", "signing_in::signing_in_needs_both_and_a_code_works_once", "token"),
        ("never-lock", "signing_in::wrong_tries_kept_up_lock_no_colleague_out", "sign_in_refused"),
        ("idle-forever", sessions, "it stood idle"),
        ("sessions-forever", sessions, "ten hours are over"),
    ] {
        fails_with(defect, story, words).await;
    }
}
