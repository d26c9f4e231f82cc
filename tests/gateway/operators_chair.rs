//! What one operator cannot do alone: speak for a body that has people, open it anew unheard, or let one in unseen.

use std::process::Command;

use serde_json::{Value, json as j};
use time::Duration;
use tsunagi::client::{Client, Reply};
use tsunagi_testkit::{
    people::Family,
    persons::{DeskPerson, Enrolling, FirstPersons, enrol},
    world::Party,
};

use crate::{harness::*, persons::village};

const PREFECTURE: &str = "120006";

async fn post(person: &DeskPerson, path: &str, message: Value) -> Reply {
    person.post(path, &message).await.unwrap()
}

fn waiting(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.text());
    json(reply)["waiting_act"].as_str().unwrap().to_owned()
}

fn state(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(reply)["state"].as_str().unwrap().to_owned()
}

async fn withdraw(client: &Client, waiting_act: &str) -> Reply {
    client.post(&format!("/v1/waiting-acts/{waiting_act}/withdrawal")).send().await.unwrap()
}

/// Messages of a kind in a party's inbox.
async fn messages(party: &Party, kind: &str) -> Vec<Value> {
    let messages = json(&party.client.get("/v1/inbox").send().await.unwrap())["messages"].clone();
    messages.as_array().unwrap().iter().filter(|message| message["kind"] == kind).cloned().collect()
}

async fn revoke(stage: &Stage, code: &str, ids: &[&str]) {
    for id in ids {
        let revoked = stage.world.operator.post(&format!("/v1/staff/{code}/{id}/revoke")).send().await.unwrap();
        assert_eq!(revoked.status, 200, "{}", revoked.text());
    }
}

/// A machine of the city with a certificate for which an operator asks; with the request and a client that names an
/// officer.
async fn planted(stage: &Stage, city: &Party, name: &str) -> (String, Client) {
    let operators = stage.world.operators().await.unwrap();
    let (_, reply) = stage.world.premises.ask_for_terminal(operators, (name, &city.code, "machine")).await.unwrap();
    let client = Client::new(stage.world.address, &stage.world.premises.credentials(name), Some("o1")).unwrap();
    (waiting(&reply), client)
}

/// A terminal speaks for a body: where somebody there can sign in, that body has the last word.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_for_a_body_with_people_waits_for_its_own_administrator() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let operators = stage.world.operators().await.unwrap();
    let (asked, client) = planted(&stage, &city, "planted").await;
    for operator in [&operators.administrator, &operators.credential_manager] {
        assert_refused(&operator.confirm(&asked).await.unwrap(), 404, "not_found");
    }
    assert_refused(&client.get("/v1/session").send().await.unwrap(), 401, "terminal_not_recognized");
    // By machine nobody stands for it, at the body neither.
    let confirm = format!("/v1/waiting-acts/{asked}/confirmation");
    assert_refused(&city.client.post(&confirm).send().await.unwrap(), 403, "sharp_act_needs_person");
    let listed = json(&city.client.get("/v1/waiting-acts").send().await.unwrap());
    let lines = listed["waiting_acts"].as_array().unwrap();
    let line = lines.iter().find(|line| line["waiting_act"] == asked.as_str()).unwrap();
    assert_eq!((&line["kind"], &line["asked_by_organization"]), (&j!("register_terminal"), &j!("operator")));
    assert_eq!(state(&city.first.credential_manager.confirm(&asked).await.unwrap()), "done");
    assert_eq!(client.get("/v1/session").send().await.unwrap().status, 200);
    assert_eq!(about_body(&city).await[0]["act"], "terminal_register", "in the body's own disclosures");

    // What the operator's machine asks waits in the same place, and the body may say no.
    let terminal = j!({ "serial": "abc", "organization": CITY_A, "kind": "desk", "label": "窓口" });
    let asked = waiting(&stage.world.operator.post("/v1/terminals").json(&terminal).send().await.unwrap());
    assert_eq!(state(&withdraw(&city.client, &asked).await), "withdrawn");
    assert_refused(&city.first.administrator.confirm(&asked).await.unwrap(), 409, "sharp_act_decided");
}

/// Nobody at the body can sign in any more: a second operator confirms, once all who would know had time to object.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_for_a_body_of_which_nobody_can_sign_in_takes_two_operators_and_time() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let prefecture = stage.party("prefecture", PREFECTURE).await;
    let ministry = stage.party("ministry", "ministry").await;
    revoke(&stage, CITY_A, &["admin", "manager"]).await;
    let operators = stage.world.operators().await.unwrap();
    let (asked, client) = planted(&stage, &city, "planted").await;
    assert_refused(&operators.administrator.confirm(&asked).await.unwrap(), 409, "not_two_persons");
    assert_refused(&operators.credential_manager.confirm(&asked).await.unwrap(), 409, "sharp_act_too_early");
    for told in [&center, &prefecture, &ministry] {
        let messages = messages(told, "terminal_asked").await;
        assert_eq!((messages.len(), &messages[0]["about"]), (1, &j!(CITY_A)), "{}", told.name);
    }
    assert_eq!(messages(&city, "terminal_asked").await[0].get("about"), None);
    stage.world.clock.advance(Duration::hours(73));
    assert_eq!(state(&operators.credential_manager.confirm(&asked).await.unwrap()), "done");
    assert_eq!(client.get("/v1/session").send().await.unwrap().status, 200);

    let (asked, client) = planted(&stage, &city, "again").await;
    let listed = center.client.get("/v1/waiting-acts").send().await.unwrap();
    assert!(listed.text().contains(&asked), "{}", listed.text());
    assert_eq!(state(&withdraw(&city.client, &asked).await), "withdrawn");
    stage.world.clock.advance(Duration::hours(73));
    assert_refused(&operators.credential_manager.confirm(&asked).await.unwrap(), 409, "sharp_act_decided");
    assert_refused(&client.get("/v1/session").send().await.unwrap(), 401, "terminal_not_recognized");
}

/// What an operator's machine asked for before a body was opened is not one operator's to confirm after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_was_asked_for_before_a_body_was_opened_is_asked_for_anew() {
    let stage = Stage::new().await;
    let operators = stage.world.operators().await.unwrap();
    let connected = j!({ "code": CITY_A, "relay_desk": "000-000-0000" });
    assert_eq!(post(&operators.administrator, "/v1/organizations", connected).await.status, 200);
    let terminal = j!({ "serial": "abc", "organization": CITY_A, "kind": "machine", "label": "業務システム" });
    let asked = waiting(&stage.world.operator.post("/v1/terminals").json(&terminal).send().await.unwrap());
    let _city = stage.party("city", CITY_A).await;
    assert_refused(&operators.administrator.confirm(&asked).await.unwrap(), 409, "sharp_act_outdated");
}

/// An officer who is a name in a machine's header asks; while colleagues can sign in, they hear of it in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_reopening_that_an_officer_asks_for_waits_while_a_colleague_can_sign_in() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    city.first.appoint("case", &["caseworker"]).await.unwrap();
    stage.world.clock.advance(Duration::hours(73));
    let chair = &stage.world.operators().await.unwrap().administrator;
    let opening = format!("/v1/organizations/{CITY_A}/opening-codes");
    // Any officer may ask: there may be caseworkers alone.
    let officer = Client::new(stage.world.address, &stage.world.premises.credentials("city"), Some("case")).unwrap();
    let asked = waiting(&officer.post(&format!("/v1/organizations/{CITY_A}/reopenings")).send().await.unwrap());
    assert_eq!(messages(&city, "body_reopen_asked").await.len(), 1);
    assert_eq!(state(&chair.confirm(&asked).await.unwrap()), "approved");
    assert_refused(&post(chair, &opening, Value::Null).await, 409, "sharp_act_too_early");
    stage.world.clock.advance(Duration::hours(73));
    assert_eq!(post(chair, &opening, Value::Null).await.status, 201);
}

/// Whoever was told objects: while it waits, once it was approved, and until the code was used.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_of_a_reopening_may_end_it() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let prefecture = stage.party("prefecture", PREFECTURE).await;
    let ministry = stage.party("ministry", "ministry").await;
    let stranger = stage.party("stranger", CITY_B).await;
    stage.world.clock.advance(Duration::hours(73));
    let chair = &stage.world.operators().await.unwrap().administrator;
    let opening = format!("/v1/organizations/{CITY_A}/opening-codes");
    let ask =
        async || waiting(&city.client.post(&format!("/v1/organizations/{CITY_A}/reopenings")).send().await.unwrap());
    // While it waits. Those who were told find it in their list.
    let asked = ask().await;
    for told in [&city, &center, &prefecture, &ministry] {
        let listed = told.client.get("/v1/waiting-acts").send().await.unwrap();
        assert!(listed.text().contains(&asked), "{}: {}", told.name, listed.text());
    }
    assert_refused(&withdraw(&stranger.client, &asked).await, 404, "not_found");
    assert_eq!(state(&withdraw(&center.client, &asked).await), "withdrawn");
    assert_refused(&chair.confirm(&asked).await.unwrap(), 409, "sharp_act_decided");
    // Once it was approved: the body itself.
    let asked = ask().await;
    assert_eq!(state(&chair.confirm(&asked).await.unwrap()), "approved");
    assert_eq!(state(&withdraw(&city.client, &asked).await), "withdrawn");
    stage.world.clock.advance(Duration::hours(73));
    assert_refused(&post(chair, &opening, Value::Null).await, 409, "body_is_open");
    // Once the code was made: it opens nothing.
    let code = reopened(&stage, (&ask().await, chair)).await;
    let asked = messages(&ministry, "body_opened").await.pop().unwrap()["subject"].as_str().unwrap().to_owned();
    assert_eq!(state(&withdraw(&ministry.client, &asked).await), "withdrawn");
    let desk = city.first.administrator.desk();
    let used = FirstPersons::enrol(desk, &city.code, (&code, ["mine1", "mine2"])).await;
    assert!(used.err().unwrap().to_string().contains("enrolment_code_refused"));
    assert_eq!(messages(&prefecture, "sharp_act_ended").await.len(), 3);
    // Once the code was used, there is nothing to end.
    let asked = ask().await;
    let code = reopened(&stage, (&asked, chair)).await;
    FirstPersons::enrol(desk, &city.code, (&code, ["new1", "new2"])).await.unwrap();
    assert_refused(&withdraw(&prefecture.client, &asked).await, 409, "sharp_act_decided");
}

/// Confirms a reopening, waits, and makes the code.
async fn reopened(stage: &Stage, (asked, chair): (&str, &DeskPerson)) -> String {
    assert_eq!(state(&chair.confirm(asked).await.unwrap()), "approved");
    stage.world.clock.advance(Duration::hours(73));
    let issued = post(chair, &format!("/v1/organizations/{CITY_A}/opening-codes"), Value::Null).await;
    assert_eq!(issued.status, 201, "{}", issued.text());
    json(&issued)["code"].as_str().unwrap().to_owned()
}

/// The operator revokes whoever asked, and two operators stand in their place: not for this request.
#[tokio::test(flavor = "multi_thread")]
async fn a_reopening_ends_with_the_officer_who_asked_for_it() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    for officer in ["o2", "o3"] {
        city.first.appoint(officer, &["caseworker"]).await.unwrap();
    }
    revoke(&stage, CITY_A, &["admin", "manager"]).await;
    stage.world.clock.advance(Duration::hours(73));
    let operators = stage.world.operators().await.unwrap();
    let (chair, other_chair) = (&operators.administrator, &operators.credential_manager);
    let (opening, path) =
        (format!("/v1/organizations/{CITY_A}/opening-codes"), format!("/v1/organizations/{CITY_A}/reopenings"));
    let ask = async |officer: &str| {
        let credentials = stage.world.premises.credentials("city");
        let client = Client::new(stage.world.address, &credentials, Some(officer)).unwrap();
        waiting(&client.post(&path).send().await.unwrap())
    };
    // Revoked while it waits.
    let asked = ask("o2").await;
    revoke(&stage, CITY_A, &["o2"]).await;
    assert_refused(&chair.confirm(&asked).await.unwrap(), 409, "sharp_act_outdated");
    assert_refused(&other_chair.confirm(&asked).await.unwrap(), 409, "sharp_act_outdated");
    // A colleague's is another one; revoked once it was approved.
    let again = ask("o3").await;
    assert_ne!(asked, again);
    assert_eq!(state(&chair.confirm(&again).await.unwrap()), "approved");
    revoke(&stage, CITY_A, &["o3"]).await;
    assert_refused(&post(chair, &opening, Value::Null).await, 409, "sharp_act_outdated");
    // Who is left asks, and nobody else can sign in: at once, but for the colleagues who were revoked a moment ago.
    let asked = ask("o1").await;
    assert_eq!(state(&chair.confirm(&asked).await.unwrap()), "approved");
    assert_refused(&post(chair, &opening, Value::Null).await, 409, "sharp_act_too_early");
    stage.world.clock.advance(Duration::hours(73));
    assert_eq!(post(chair, &opening, Value::Null).await.status, 201);
}

/// One operator makes sure that nobody can sign in, and names who is left, at a terminal kept from the opening; also where
/// it is that terminal which revokes. Whoever is told has the time to object.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_revokes_a_bodys_people_opens_it_no_sooner() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let far = stage.party("far", CITY_B).await;
    let center = stage.party("center", CENTER_A).await;
    for body in [&city, &far] {
        body.first.appoint("case", &["caseworker"]).await.unwrap();
    }
    stage.world.clock.advance(Duration::hours(73));
    let chair = &stage.world.operators().await.unwrap().administrator;
    for (body, revoker) in [(&city, &stage.world.operator), (&far, &far.client)] {
        let (opening, path) = (
            format!("/v1/organizations/{}/opening-codes", body.code),
            format!("/v1/organizations/{}/reopenings", body.code),
        );
        for id in ["admin", "manager"] {
            let revoked = revoker.post(&format!("/v1/staff/{}/{id}/revoke", body.code)).send().await.unwrap();
            assert_eq!(revoked.status, 200, "{}", revoked.text());
        }
        let named =
            Client::new(stage.world.address, &stage.world.premises.credentials(&body.name), Some("case")).unwrap();
        let ask = async || waiting(&named.post(&path).send().await.unwrap());
        let asked = ask().await;
        assert_eq!(state(&chair.confirm(&asked).await.unwrap()), "approved");
        assert_refused(&post(chair, &opening, Value::Null).await, 409, "sharp_act_too_early");
        stage.world.clock.advance(Duration::hours(71));
        assert_refused(&post(chair, &opening, Value::Null).await, 409, "sharp_act_too_early");
        if *body.code.as_str() == *CITY_A {
            assert_eq!(messages(&center, "body_reopen_asked").await.len(), 1);
            assert_eq!(state(&withdraw(&center.client, &asked).await), "withdrawn");
            assert_refused(&post(chair, &opening, Value::Null).await, 409, "body_is_open");
        } else {
            stage.world.clock.advance(Duration::hours(2));
            assert_eq!(post(chair, &opening, Value::Null).await.status, 201);
        }
    }
}

/// What the operator asked for a body without people ends where somebody of it is there again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reopening_by_operators_is_held_against_the_bodys_people_once_more() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    revoke(&stage, CITY_A, &["admin", "manager", "o1"]).await;
    let operators = stage.world.operators().await.unwrap();
    let (chair, other_chair) = (&operators.administrator, &operators.credential_manager);
    let (opening, path) =
        (format!("/v1/organizations/{CITY_A}/opening-codes"), format!("/v1/organizations/{CITY_A}/reopenings"));
    let first = waiting(&post(chair, &path, Value::Null).await);
    assert_eq!(state(&other_chair.confirm(&first).await.unwrap()), "approved");
    let second = waiting(&post(chair, &path, Value::Null).await);
    stage.world.clock.advance(Duration::hours(73));
    let issued = post(chair, &opening, Value::Null).await;
    let code = json(&issued)["code"].as_str().unwrap().to_owned();
    FirstPersons::enrol(city.first.administrator.desk(), &city.code, (&code, ["new1", "new2"])).await.unwrap();
    assert_refused(&other_chair.confirm(&second).await.unwrap(), 409, "body_is_open");
    assert_refused(&post(chair, &opening, Value::Null).await, 409, "body_is_open");
}

/// A caseworker lost the role since she asked: two persons of the center do not lift the village's shield between them.
#[tokio::test(flavor = "multi_thread")]
async fn whom_another_body_lends_never_stands_first() {
    let stage = Stage::new().await;
    let center = stage.party("center", CENTER_A).await;
    let _prefecture = stage.party("prefecture", PREFECTURE).await;
    let (code, mayor, village) = village(&stage).await;
    let [lender, supervisor] = two_supervisors(&stage, &center).await;
    let third = stage.world.seat_new(&center, "sup3", &["supervisor"]).await.unwrap();
    let staff = j!({ "id": "case", "name": "村 担当", "roles": ["caseworker", "supervisor"] });
    let asked = waiting(&post(&mayor, "/v1/staff", staff).await);
    assert_eq!(state(&lender.confirm(&asked).await.unwrap()), "done");
    let issued = post(&mayor, &format!("/v1/staff/{code}/case/credential"), Value::Null).await;
    let issued = json(&issued)["code"].as_str().unwrap().to_owned();
    let persons = [Enrolling { officer: "case", name: None }];
    let case = enrol(mayor.desk(), &code, (&issued, &persons)).await.unwrap().pop().unwrap();
    let record = register(&village, &Family { shield_since: Some("R8.4.1".into()), ..family(CITY_A) }).await;
    let lift = waiting(&post(&case, &format!("/v1/records/{record}/shield/lift-requests"), Value::Null).await);
    let fewer = j!({ "id": "case", "name": "村 担当", "roles": ["caseworker"] });
    let taken = mayor.client().await.unwrap().put("/v1/staff").json(&fewer).send().await.unwrap();
    assert_eq!(taken.status, 200, "{}", taken.text());
    for lent in [&supervisor, &third] {
        assert_refused(&lent.confirm(&lift).await.unwrap(), 409, "sharp_act_not_first");
    }
}

/// One operator alone lets in a body that never was: its counterparts, its prefecture and the ministry hear of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_let_in_is_told_to_those_who_would_know() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let prefecture = stage.party("prefecture", PREFECTURE).await;
    let ministry = stage.party("ministry", "ministry").await;
    let far = stage.party("far", FAR_CENTER).await;
    let about = async |party: &Party, kind: &str| {
        let messages = messages(party, kind).await;
        messages.iter().filter(|message| message.get("about").is_some_and(|about| about == CENTER_A)).count()
    };
    let center = stage.party("center", CENTER_A).await;
    for told in [&city, &prefecture, &ministry] {
        let counts = (about(told, "organization_connected").await, about(told, "body_opened").await);
        assert_eq!(counts, (1, 1), "{}", told.name);
    }
    assert_eq!((about(&far, "organization_connected").await, about(&far, "body_opened").await), (0, 0));
    // Whom to call from now on is told to those who would.
    let chair = &stage.world.operators().await.unwrap().administrator;
    let changed = j!({ "code": CENTER_A, "relay_desk": "児童相談所 000-000-0001" });
    assert_eq!(post(chair, "/v1/organizations", changed).await.status, 200);
    assert_eq!((about(&city, "organization_connected").await, about(&city, "counterpart_changed").await), (1, 1));
    assert_eq!(about(&prefecture, "counterpart_changed").await, 0);
    let own = messages(&center, "organization_connected").await;
    assert_eq!(own.iter().filter(|message| message.get("about").is_none()).count(), 2);
}

/// A stolen certificate of the operator's machine comes to an end; a person of the operator's goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_the_operator_revokes_a_few_an_hour() {
    let few = GENEROUS.replace("machine_revocations_per_hour = 100000", "machine_revocations_per_hour = 2");
    let stage = Stage::with(&few).await;
    let city = stage.party("city", CITY_A).await;
    for officer in ["c1", "c2", "c3"] {
        city.first.appoint(officer, &["caseworker"]).await.unwrap();
    }
    revoke(&stage, CITY_A, &["c1", "c2"]).await;
    for path in [format!("/v1/staff/{CITY_A}/c3/revoke"), format!("/v1/terminals/{}/revoke", city.serial)] {
        let refused = stage.world.operator.post(&path).send().await.unwrap();
        assert_refused(&refused, 429, "rate_limited");
        assert!(refused.header("retry-after").is_some());
    }
    // The body itself revokes its own as before.
    let own = city.client.post(&format!("/v1/staff/{CITY_A}/o1/revoke")).send().await.unwrap();
    assert_eq!(own.status, 200, "{}", own.text());
    let chair = &stage.world.operators().await.unwrap().administrator;
    for officer in ["c3", "manager", "admin"] {
        let path = format!("/v1/staff/{CITY_A}/{officer}/revoke");
        assert_eq!(post(chair, &path, Value::Null).await.status, 200, "{officer}");
    }
}

/// The twins: with each guard taken away, the test above that holds it fails, for what the guard keeps out.
#[test]
fn without_its_guard_each_of_these_tests_fails() {
    for (defect, test, shown) in [
        ("register-alone", "a_terminal_for_a_body_with_people_waits_for_its_own_administrator", r#""state":"done""#),
        ("reopen-at-once", "a_reopening_that_an_officer_asks_for_waits_while_a_colleague_can_sign_in", "expires_at"),
        ("reopen-deserted", "whoever_revokes_a_bodys_people_opens_it_no_sooner", "expires_at"),
        ("hear-no-objection", "whoever_is_told_of_a_reopening_may_end_it", "not_found"),
        ("gone-still-ask", "a_reopening_ends_with_the_officer_who_asked_for_it", r#""state":"waiting""#),
        ("lend-first", "whom_another_body_lends_never_stands_first", r#""state":"waiting""#),
        ("revoke-without-end", "a_machine_of_the_operator_revokes_a_few_an_hour", r#""active":false"#),
        ("tell-no-counterparts", "a_body_that_is_let_in_is_told_to_those_who_would_know", "(0, 0)"),
    ] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", &format!("operators_chair::{test}"), "--nocapture"]);
        let output = output.env("PLANTED_DEFECT", defect).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && said.contains(shown), "{defect}: {said}");
    }
}
