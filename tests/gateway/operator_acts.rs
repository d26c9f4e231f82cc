//! Every act of the operator on a body is in that body's disclosures and in its inbox: route by route.

use std::collections::BTreeSet;

use serde_json::{Value, json as j};
use time::Duration;
use tsunagi::{
    client::Client,
    domain::organization::{OrganizationCode, OrganizationKind},
    face::route::RouteHandler,
    ledger::entry::{Entry, Outcome},
    operations::elapse::elapse,
    store,
    wire::routes,
};
use tsunagi_testkit::{
    persons::{DeskPerson, FirstPersons},
    world::Party,
};
use uuid::Uuid;

use crate::harness::*;

/// What the operator can do by a route: something to a body, or nothing but to itself, and why.
const ROUTES: &[(&str, &str)] = &[
    ("POST /v1/organizations", "body"),
    ("POST /v1/organizations/{code}/suspend", "body"),
    ("POST /v1/organizations/{code}/opening-codes", "body"),
    ("POST /v1/organizations/{code}/reopenings", "body"),
    ("POST /v1/terminals", "body"),
    ("POST /v1/terminals/{serial}/revoke", "body"),
    ("POST /v1/staff/{organization}/{id}/revoke", "body"),
    ("POST /v1/staff/{organization}/{id}/credential", "body"),
    ("POST /v1/waiting-acts/{id}/confirmation", "body"),
    ("POST /v1/waiting-acts/{id}/withdrawal", "body"),
    ("POST /v1/staff", "its own staff"),
    ("PUT /v1/staff", "its own staff"),
    ("POST /v1/credentials/{id}/reissues", "its own staff"),
    ("POST /v1/credentials/{id}/unlock", "its own staff"),
    ("PUT /v1/sign-in-policy", "its own staff"),
    ("DELETE /v1/sessions", "one's own session"),
    ("DELETE /v1/sessions/all", "one's own sessions"),
    ("POST /v1/second-factor", "one's own second factor"),
    ("POST /v1/second-factor/tickets", "one's own second factor"),
    ("POST /v1/recovery-codes", "one's own recovery codes"),
    ("DELETE /v1/passkeys/{id}", "one's own passkey"),
    ("POST /v1/inbox/acknowledgements", "its own inbox"),
    ("POST /v1/keys/retirement-requests", "keys of all bodies alike"),
    ("POST /v1/keys/retirements", "keys of all bodies alike"),
    ("POST /v1/keys/rewraps", "keys of all bodies alike"),
];

/// What stands in the body's disclosures after the story below, and is told to it each time.
const DONE: &[&str] = &[
    "organization_connect_ask",
    "organization_connect",
    "organization_suspend",
    "terminal_register_ask",
    "terminal_register",
    "terminal_revoke",
    "staff_revoke",
    "body_open",
    "body_reopen_ask",
    "body_reopen_approve",
    "sharp_act_confirm",
    "sharp_act_withdraw",
    // Of the gateway itself, in the operator's name.
    "sharp_act_expire",
];

/// What was refused stands in the disclosures; it was not done, and is no message.
const REFUSED: &[&str] =
    &["body_open", "body_reopen_ask", "credential_issue", "sharp_act_confirm", "terminal_register_ask"];

#[test]
fn every_route_of_the_operators_is_in_the_table() {
    let open: BTreeSet<String> = routes::all()
        .map(|api| &api.route)
        .filter(|route| route.kinds.contains(&OrganizationKind::Operator) && route.method != "GET")
        .filter(|route| !matches!(route.run, RouteHandler::AtDesk(_)))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let table: BTreeSet<String> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(open, table);
}

async fn sent(client: &Client, path: &str, message: Value) -> Value {
    let request = client.post(path);
    let reply = if message.is_null() { request.send().await } else { request.json(&message).send().await }.unwrap();
    assert!(reply.status.is_success(), "{path}: {}", reply.text());
    json(&reply)
}

async fn refused(client: &Client, path: &str) {
    let reply = client.post(path).send().await.unwrap();
    assert!(reply.status.is_client_error(), "{path}: {}", reply.text());
}

fn terminal(serial: &str) -> Value {
    j!({ "serial": serial, "organization": CITY_A, "kind": "machine", "label": "架空" })
}

/// What the operator does to a city, from its desk and by machine, until nobody is left in it, and it is opened anew.
struct Chair<'s> {
    stage: &'s Stage,
    city: &'s Party,
    desk: Client,
    other: &'s DeskPerson,
    machine: Client,
}

impl<'s> Chair<'s> {
    async fn of(stage: &'s Stage, city: &'s Party) -> Self {
        let operators = stage.world.operators().await.unwrap();
        let credentials = stage.world.premises.credentials("operator");
        let machine = Client::new(stage.world.address, &credentials, Some("op1")).unwrap();
        let desk = operators.administrator.client().await.unwrap();
        Self { stage, city, desk, other: &operators.credential_manager, machine }
    }

    async fn waiting(&self, path: &str, message: Value) -> String {
        sent(&self.machine, path, message).await["waiting_act"].as_str().unwrap().to_owned()
    }

    /// Connects it otherwise, suspends it and lets it in again, asks for terminals and takes one away.
    async fn administers(&self) {
        let connected = |desk: &str| j!({ "code": CITY_A, "relay_desk": desk });
        let asked = self.waiting("/v1/organizations", connected("当直 1")).await;
        sent(&self.desk, &format!("/v1/waiting-acts/{asked}/confirmation"), Value::Null).await;
        sent(&self.machine, &format!("/v1/organizations/{CITY_A}/suspend"), Value::Null).await;
        sent(&self.desk, "/v1/organizations", connected("当直 2")).await;
        let asked = self.waiting("/v1/terminals", terminal("abc1")).await;
        assert_eq!(self.city.first.administrator.confirm(&asked).await.unwrap().status, 200);
        sent(&self.machine, "/v1/terminals/abc1/revoke", Value::Null).await;
        let again = self.machine.post("/v1/terminals").json(&terminal("abc1")).send().await.unwrap();
        assert_refused(&again, 409, "already_exists");
        let asked = self.waiting("/v1/terminals", terminal("abc2")).await;
        sent(&self.machine, &format!("/v1/waiting-acts/{asked}/withdrawal"), Value::Null).await;
        self.waiting("/v1/terminals", terminal("abc3")).await;
        self.stage.world.clock.advance(Duration::days(8));
        elapse(self.stage.world.gateway().unwrap()).await.unwrap();
    }

    /// Tries what it may not do to a body that has people; then takes them away, and has it opened anew.
    async fn takes_over(&mut self) -> String {
        let (opening, reopening) =
            (format!("/v1/organizations/{CITY_A}/opening-codes"), format!("/v1/organizations/{CITY_A}/reopenings"));
        self.desk = self.stage.world.operators().await.unwrap().administrator.client().await.unwrap();
        refused(&self.desk, &opening).await;
        refused(&self.desk, &reopening).await;
        refused(&self.desk, &format!("/v1/staff/{CITY_A}/o1/credential")).await;
        for id in ["o1", "admin", "manager"] {
            sent(&self.machine, &format!("/v1/staff/{CITY_A}/{id}/revoke"), Value::Null).await;
        }
        let asked = self.waiting(&reopening, Value::Null).await;
        sent(&self.machine, &format!("/v1/waiting-acts/{asked}/withdrawal"), Value::Null).await;
        let asked = self.waiting(&reopening, Value::Null).await;
        let confirmation = format!("/v1/waiting-acts/{asked}/confirmation");
        sent(&self.desk, &confirmation, Value::Null).await;
        refused(&self.desk, &confirmation).await;
        assert_eq!(self.other.confirm(&asked).await.unwrap().status, 200);
        let another = sent(&self.desk, "/v1/terminals", terminal("abc4")).await["waiting_act"].clone();
        self.stage.world.clock.advance(Duration::hours(73));
        assert_eq!(self.other.confirm(another.as_str().unwrap()).await.unwrap().status, 200);
        let chair = &self.stage.world.operators().await.unwrap().administrator;
        sent(&chair.client().await.unwrap(), &opening, Value::Null).await["code"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_of_the_operator_on_a_body_is_in_its_disclosures_and_its_inbox() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let mut chair = Chair::of(&stage, &city).await;
    chair.administers().await;
    let opening = chair.takes_over().await;
    let desk = stage.world.premises.desk(stage.world.address, &stage.world.clock, "city-desk");
    let first = FirstPersons::enrol(&desk, &city.code, (&opening, ["new1", "new2"])).await.unwrap();
    first.appoint("o2", &ALL_ROLES).await.unwrap();
    let officer = Client::new(stage.world.address, &stage.world.premises.credentials("city"), Some("o2")).unwrap();

    let messages = json(&officer.get("/v1/inbox").send().await.unwrap())["messages"].clone();
    let told: BTreeSet<&str> =
        messages.as_array().unwrap().iter().filter_map(|message| message["entry"].as_str()).collect();
    let of_operator = entries_of_operator(&stage).await;
    for entry in of_operator.iter().filter(|entry| entry.outcome == Outcome::Done) {
        assert!(told.contains(entry.id.to_string().as_str()), "the body is not told of {}", entry.act.as_str());
    }
    let acts = |outcome| -> BTreeSet<&str> {
        of_operator.iter().filter(|entry| entry.outcome == outcome).map(|entry| entry.act.as_str()).collect()
    };
    assert_eq!(acts(Outcome::Done), DONE.iter().copied().collect());
    let missing: Vec<_> = REFUSED.iter().filter(|act| !acts(Outcome::Refused).contains(*act)).collect();
    assert!(missing.is_empty(), "refused, and not in the disclosures of the body: {missing:?}");
    let ended = messages.as_array().unwrap().iter().filter(|message| message["kind"] == "sharp_act_ended").count();
    assert_eq!(ended, 3, "two were withdrawn, and one ran out");
}

/// What stands in the city's disclosures as the operator's.
async fn entries_of_operator(stage: &Stage) -> Vec<Entry> {
    let city = OrganizationCode::parse(CITY_A).unwrap();
    let mut tx = stage.world.gateway().unwrap().store.read().await.unwrap();
    let entries = store::ledger::entries_about(&mut tx, &city, Uuid::max(), 1_000).await.unwrap();
    let entries = entries.iter().map(|stored| Entry::from_bytes(&stored.body).unwrap());
    entries.filter(|entry| entry.organization == "operator").collect()
}

/// The twin: an operator that tells bodies nothing is caught.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_tells_nobody_is_caught() {
    let test = "operator_acts::every_act_of_the_operator_on_a_body_is_in_its_disclosures_and_its_inbox";
    fails_with("tell-no-body", test, "the body is not told of ").await;
}
