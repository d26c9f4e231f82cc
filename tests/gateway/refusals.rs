//! Refusals are entries too (law 1): whoever is refused an act on persons, terminals or bodies, or a sharp act, is in the
//! ledger with the act, before the answer.

use std::collections::BTreeSet;

use serde_json::{Value, json as j};
use time::Duration;
use tsunagi::{
    client::{Client, RequestBuilder},
    domain::organization::OrganizationCode,
    ledger::entry::{Entry, Outcome},
    store,
    wire::{accounts, json as json_form, waiting, xml},
};
use tsunagi_testkit::{people::Family, persons::DeskPerson};
use uuid::Uuid;

use crate::harness::*;

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

/// What is tried: method and route, path and body, and how it is refused: status, code, and the act in the ledger.
type Try = (&'static str, String, Value, u16, &'static str, &'static str);

fn tried(words: &'static str, path: &str, body: Value, refused: (u16, &'static str, &'static str)) -> Try {
    let (status, code, act) = refused;
    (words, path.to_owned(), body, status, code, act)
}

fn request<'c>(client: &'c Client, words: &str, path: &str, body: &Value) -> RequestBuilder<'c> {
    let method: axum::http::Method = words.split(' ').next().unwrap().parse().unwrap();
    let request = client.request(method, path).if_match(1);
    match body {
        Value::Null => request,
        Value::String(document) if path.contains("batches") => request.body("application/x-ndjson", document.clone()),
        Value::String(document) => request.xml(document.clone()),
        message => request.json(message),
    }
}

/// The newest entry of a body's own acts.
async fn newest(stage: &Stage, code: &OrganizationCode) -> Entry {
    let mut tx = stage.world.gateway().unwrap().store.read().await.unwrap();
    let newest = store::ledger::entries_by(&mut tx, code, Uuid::max(), 1).await.unwrap().pop().unwrap();
    Entry::from_bytes(&newest.body).unwrap()
}

/// Each is refused, and each refusal is one new entry that says so.
async fn all_are_refused(stage: &Stage, (code, client): (&str, &Client), tries: Vec<Try>) {
    let code = OrganizationCode::parse(code).unwrap();
    for (words, path, body, status, refusal, act) in tries {
        let before = newest(stage, &code).await;
        let reply = request(client, words, &path, &body).send().await.unwrap();
        assert_eq!((reply.status.as_u16(), &json(&reply)["code"]), (status, &j!(refusal)), "{words}: {}", reply.text());
        let entry = newest(stage, &code).await;
        assert_ne!(entry.id, before.id, "{words}: no entry of {refusal}");
        assert_eq!(
            (entry.act.as_str(), entry.outcome, entry.refusal.as_deref()),
            (act, Outcome::Refused, Some(refusal)),
            "{words}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_naming_of_a_body_is_an_entry_however_it_is_tried() {
    let stage = Stage::new().await;
    let (city, other) = (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await);
    let record = register(&city, &family(CITY_A)).await;
    let foreign = register(&other, &family(CITY_B)).await;
    let shielded = Family { shield_since: Some("R8.4.1".into()), ..family(CITY_A) }.to_xml();
    let named = shielded.replace("</since></shield>", &format!("</since><named>{CENTER_A}</named></shield>"));
    let as_json = |named: Value, since: &str| j!({ "kind": "1", "since": since, "named": named });
    let line = json_form::write(xml::read(named.as_bytes()).unwrap().sections()).to_string();
    let (shield, naming) =
        (format!("/v1/records/{record}/shield"), format!("/v1/records/{record}/shield/naming-requests"));
    let needs_two = |act| (409, "naming_needs_two", act);
    let foreign_shield = format!("/v1/records/{foreign}/shield");
    let tries = vec![
        tried("PUT a shield that names", &shield, as_json(j!([CENTER_A]), "R8.4.1"), needs_two("shield_set")),
        tried("PUT a shield of no date", &shield, as_json(j!([]), "?"), (422, "document_refused", "shield_set")),
        tried(
            "PUT a shield that names nobody there is",
            &shield,
            as_json(j!(["999999"]), "R8.4.1"),
            (422, "document_refused", "shield_set"),
        ),
        tried(
            "PUT a shield of another's",
            &foreign_shield,
            as_json(j!([CENTER_A]), "R8.4.1"),
            (404, "record_not_available", "shield_set"),
        ),
        tried("PUT an update that names", &format!("/v1/records/{record}"), j!(named), needs_two("update")),
        tried("POST a record that names", "/v1/records", j!(named), needs_two("register")),
        tried("POST a batch that names", "/v1/batches", j!(line), needs_two("register_batch")),
        tried("POST nobody", &naming, j!({ "named": [] }), (422, "field_refused", "shield_name_ask")),
        tried("POST without a shield", &naming, j!({ "named": [CENTER_A] }), (404, "not_found", "shield_name_ask")),
        tried(
            "POST another's",
            &format!("{foreign_shield}/naming-requests"),
            j!({ "named": [CENTER_A] }),
            (404, "record_not_available", "shield_name_ask"),
        ),
    ];
    all_are_refused(&stage, (CITY_A, &city.client), tries).await;
    assert_eq!(json(&view(&city, &record).await)["version"], 1, "nothing was done");
}

/// Every route by which people, terminals, bodies and what waits are changed has a refusal here; but one ends one's own
/// sessions, and nobody is refused that.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_act_on_persons_terminals_and_bodies_is_an_entry_whichever_it_is() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let record = register(&city, &family(CITY_A)).await;
    let asked = city.client.post("/v1/staff").json(&j!({ "id": "v1", "name": "架空", "roles": ["viewer"] }));
    let waits = json(&asked.send().await.unwrap())["waiting_act"].as_str().unwrap().to_owned();
    let names = [("RECORD", record.as_str()), ("WAITS", &waits), ("TERMINAL", &far.serial), ("NOBODY", NOBODY)];
    let tries = tries_of(OF_A_BODY, &names);
    let mut routes = routes_of(&tries);
    all_are_refused(&stage, (CITY_A, &city.client), tries).await;
    let glass = format!("/v1/records/{record}/break-glass");
    let tries = vec![tried(
        "POST /v1/records/{id}/break-glass",
        &glass,
        j!({ "reason": " " }),
        (422, "field_refused", "break_glass_ask"),
    )];
    all_are_refused(&stage, (FAR_CENTER, &far.client), tries).await;

    let operators = stage.world.operators().await.unwrap();
    let tries = tries_of(OF_THE_OPERATOR, &[]);
    routes.extend(routes_of(&tries));
    all_are_refused(&stage, ("operator", &operators.administrator.client().await.unwrap()), tries).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let tries = at_a_desk(&stage, &city.code, &person).await;
    routes.extend(routes_of(&tries));
    all_are_refused(&stage, (CITY_A, &person.desk().client().unwrap()), tries).await;

    let changing = accounts::ROUTES.iter().chain(waiting::ROUTES).filter(|api| api.route.method != "GET");
    let missing: Vec<String> = changing
        .map(|api| format!("{} {}", api.route.method, api.route.path))
        .filter(|route| !route.starts_with("DELETE /v1/sessions") && !routes.contains(route))
        .collect();
    assert!(missing.is_empty(), "no refusal is tried of {missing:?}");
}

fn routes_of(tries: &[Try]) -> BTreeSet<String> {
    tries.iter().map(|tried| tried.0.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

/// A line for each try: method and route, path, message, and how it is refused. `-` where there is no message, or the path
/// is the route.
const OF_A_BODY: &str = r#"
POST /v1/staff | - | {"id":"d 1","name":"架空","roles":["viewer"]} | 422 field_refused staff_request
POST /v1/staff | - | {"id":"d1","name":" ","roles":["viewer"]} | 422 field_refused staff_request
POST /v1/staff | - | {"id":"o1","name":"架空","roles":["viewer"]} | 409 staff_id_taken staff_request
POST /v1/staff | - | {"id":"v1","name":"別人","roles":["viewer"]} | 409 sharp_act_waiting staff_request
PUT /v1/staff | - | {"id":"nobody","name":"架空","roles":["viewer"]} | 404 not_found staff_request
PUT /v1/staff | - | {"id":"o1","name":"","roles":["viewer"]} | 422 field_refused staff_request
POST /v1/staff/{organization}/{id}/revoke | /v1/staff/010006-01/o1/revoke | - | 404 not_found staff_revoke
POST /v1/staff/{organization}/{id}/credential | /v1/staff/122327/o1/credential | - | 403 sharp_act_needs_person credential_issue
POST /v1/staff/{organization}/{id}/credential | /v1/staff/122327/nobody/credential | - | 403 sharp_act_needs_person credential_issue
POST /v1/credentials/{id}/reissues | /v1/credentials/nobody/reissues | - | 404 not_found credential_reissue_ask
POST /v1/credentials/{id}/unlock | /v1/credentials/nobody/unlock | - | 404 not_found sign_in_unlock
POST /v1/credentials/{id}/unlock | /v1/credentials/o1/unlock | - | 403 sharp_act_needs_person sign_in_unlock
POST /v1/recovery-codes | - | {"second_factor":"000000"} | 403 sharp_act_needs_person recovery_codes_renew
POST /v1/organizations/{code}/reopenings | /v1/organizations/122327/reopenings | - | 409 reopening_not_approved body_reopen_ask
POST /v1/organizations/{code}/reopenings | /v1/organizations/172014/reopenings | - | 404 not_found body_reopen_ask
POST /v1/terminals/{serial}/revoke | /v1/terminals/TERMINAL/revoke | - | 404 not_found terminal_revoke
PUT /v1/settings | - | {"show":{"outsider":["contact"]}} | 422 settings_unlawful settings_change
PUT /v1/settings | - | {"show":{"counterpart":["welfare"]}} | 403 sharp_act_needs_person settings_change
PUT /v1/sign-in-policy | - | {"password_days":4000} | 422 field_refused sign_in_policy_change
POST /v1/second-factor/tickets | - | - | 403 sharp_act_needs_person second_factor_enrol
DELETE /v1/passkeys/{id} | /v1/passkeys/NOBODY | - | 403 sharp_act_needs_person passkey_remove
POST /v1/second-factor | - | {"ticket":"x","second_factor":"000000"} | 403 sharp_act_needs_person second_factor_enrol
POST /v1/waiting-acts/{id}/confirmation | /v1/waiting-acts/NOBODY/confirmation | - | 404 not_found sharp_act_confirm
POST /v1/waiting-acts/{id}/confirmation | /v1/waiting-acts/WAITS/confirmation | - | 403 sharp_act_needs_person sharp_act_confirm
POST /v1/waiting-acts/{id}/withdrawal | /v1/waiting-acts/NOBODY/withdrawal | - | 404 not_found sharp_act_withdraw
POST /v1/records/{id}/shield/lift-requests | /v1/records/RECORD/shield/lift-requests | - | 404 not_found shield_lift_ask
POST /v1/records/{id}/shield/lift-approvals | /v1/records/RECORD/shield/lift-approvals | - | 409 shield_lift_not_asked sharp_act_confirm
POST /v1/disposals | - | {"records":[]} | 422 field_refused disposal_ask
POST /v1/disposals | - | {"records":["RECORD"]} | 409 disposal_not_due disposal_ask
POST /v1/disposals/{id}/approval | /v1/disposals/NOBODY/approval | - | 404 not_found sharp_act_confirm
"#;

const OF_THE_OPERATOR: &str = r#"
POST /v1/organizations | - | {"code":"122327","relay_desk":" "} | 422 field_refused organization_connect_ask
POST /v1/organizations/{code}/suspend | /v1/organizations/012025/suspend | - | 404 not_found organization_suspend
POST /v1/organizations/{code}/opening-codes | /v1/organizations/012025/opening-codes | - | 404 not_found body_open
POST /v1/organizations/{code}/opening-codes | /v1/organizations/122327/opening-codes | - | 409 body_is_open body_open
POST /v1/organizations/{code}/reopenings | /v1/organizations/122327/reopenings | - | 409 body_is_open body_reopen_ask
POST /v1/terminals | - | {"serial":"X","organization":"122327","kind":"desk","label":"架空"} | 422 field_refused terminal_register_ask
POST /v1/terminals | - | {"serial":"abc","organization":"012025","kind":"desk","label":"架空"} | 404 not_found terminal_register_ask
POST /v1/terminals/{serial}/revoke | /v1/terminals/abc/revoke | - | 404 not_found terminal_revoke
POST /v1/keys/retirements | - | - | 409 retirement_not_approved keys_retire
"#;

fn tries_of(table: &'static str, names: &[(&str, &str)]) -> Vec<Try> {
    let named = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let line = |line: &'static str| {
        let [route, path, message, refused] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [status, code, act] = refused.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let path = if path == "-" { route.split(' ').nth(1).unwrap().to_owned() } else { named(path) };
        let message = if message == "-" { Value::Null } else { serde_json::from_str(&named(message)).unwrap() };
        (route, path, message, status.parse().unwrap(), code, act)
    };
    table.lines().filter(|line| !line.is_empty()).map(line).collect()
}

/// What is refused at a desk before it is known who is there: the entry names who was claimed.
async fn at_a_desk(stage: &Stage, code: &OrganizationCode, person: &DeskPerson) -> Vec<Try> {
    // The body is opened anew, so that there is a code for first persons.
    stage.world.clock.advance(Duration::hours(73));
    let chair = &stage.world.operators().await.unwrap().administrator;
    let machine = Client::new(stage.world.address, &stage.world.premises.credentials("city"), Some("o1")).unwrap();
    let asked = machine.post(&format!("/v1/organizations/{code}/reopenings")).send().await.unwrap();
    let asked = json(&asked)["waiting_act"].as_str().unwrap().to_owned();
    assert_eq!(chair.confirm(&asked).await.unwrap().status, 200);
    stage.world.clock.advance(Duration::hours(73));
    let issued = chair.post(&format!("/v1/organizations/{code}/opening-codes"), &Value::Null).await.unwrap();
    let opening = json(&issued)["code"].clone();
    let one = |officer: &str, name: &str, password: &str| j!({ "officer": officer, "name": name, "password": password, "ticket": "x", "second_factor": "000000" });
    let enrolment = |persons: Value| j!({ "code": opening, "persons": persons });
    let right = "korekara mo zutto issho ni";
    let refused = |status, code| (status, code, "credential_enrol");
    let route = "POST /v1/enrolments";
    vec![
        tried(
            "POST /v1/sessions",
            "/v1/sessions",
            j!({ "officer": "d1", "password": "not the right one" }),
            (401, "sign_in_refused", "session_open"),
        ),
        tried(
            "POST /v1/sessions of nobody",
            "/v1/sessions",
            j!({ "officer": "nobody", "password": "x" }),
            (401, "sign_in_refused", "session_open"),
        ),
        tried(
            "POST /v1/sessions with one factor",
            "/v1/sessions",
            j!({ "officer": "d1", "password": person.password }),
            (401, "second_factor_missing", "session_open"),
        ),
        tried(
            "POST /v1/enrolments/tickets",
            "/v1/enrolments/tickets",
            j!({ "code": "x", "officer": "n1" }),
            refused(401, "enrolment_code_refused"),
        ),
        tried(
            route,
            "/v1/enrolments",
            j!({ "code": "x", "persons": [one("n1", "架空", right)] }),
            refused(401, "enrolment_code_refused"),
        ),
        tried(route, "/v1/enrolments", enrolment(j!([])), refused(422, "first_persons")),
        tried(route, "/v1/enrolments", enrolment(j!([one("n 1", "架空", right)])), refused(422, "field_refused")),
        tried(
            route,
            "/v1/enrolments",
            enrolment(j!([one("n1", "架空", "password1234")])),
            refused(422, "password_refused"),
        ),
        tried(route, "/v1/enrolments", enrolment(j!([one("n1", "架空", right)])), refused(401, "second_factor_wrong")),
    ]
}

/// The twin: a gateway that forgets refusals is caught by each table.
#[tokio::test(flavor = "multi_thread")]
async fn forgotten_refusals_are_caught() {
    for test in [
        "refusals::a_refused_naming_of_a_body_is_an_entry_however_it_is_tried",
        "refusals::a_refused_act_on_persons_terminals_and_bodies_is_an_entry_whichever_it_is",
    ] {
        fails_with("forget-refusals", test, "no entry of ").await;
    }
}
