//! A gateway in a temporary directory, and the parties of the story.

use serde_json::Value;
use tempfile::TempDir;
use tsunagi::{client::Reply, clock::Clock, domain::organization::OrganizationCode};
use tsunagi_testkit::{
    people::{Family, People},
    persons::DeskPerson,
    world::{Party, Premises, World},
};

use crate::postgres;

pub const CITY_A: &str = "122327";
pub const CENTER_A: &str = "120006-04";
pub const CITY_B: &str = "172014";
pub const CENTER_B: &str = "172014-01";
pub const FAR_CENTER: &str = "010006-01";
pub const FAR_CITY: &str = "012025";

pub const ALL_ROLES: [&str; 6] =
    ["viewer", "caseworker", "supervisor", "auditor", "user_administrator", "credential_manager"];

/// Limits that no test meets by accident. A test may add keys of `[limits]`.
pub const GENEROUS: &str = "[search]\nofficer_per_hour = 1000000\nofficer_burst = 1000000\n\
organization_per_hour = 1000000\norganization_burst = 1000000\n[limits]\nterminal_per_second = 100000\n\
terminal_burst = 100000\nofficer_per_second = 100000\nofficer_burst = 100000\nsign_ins_per_hour = 100000\n\
terminal_tries_per_hour = 100000\nmachine_revocations_per_hour = 100000\n";

/// The same with more keys of `[search]`.
pub fn generous_with_search(keys: &str) -> String {
    GENEROUS.replace("[search]\n", &format!("[search]\n{keys}\n"))
}

/// A world that goes with its directory.
pub struct Stage {
    pub world: World,
    pub directory: TempDir,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(GENEROUS).await
    }

    pub async fn with(extra: &str) -> Self {
        Self::at(extra, Clock::system()).await
    }

    /// A gateway whose clock says that it is so many years ago. [`Clock::advance`] brings it back to today.
    pub async fn years_ago(years: i64) -> Self {
        let clock = Clock::system();
        clock.advance(-time::Duration::days(years * 366));
        Self::at(GENEROUS, clock).await
    }

    async fn at(extra: &str, clock: Clock) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let database = postgres::database().await;
        let made = Premises::create_at(directory.path(), database.as_deref(), (any, any), extra, clock.clone()).await;
        let world = World::start(made.unwrap(), clock).await.unwrap();
        Self { world, directory }
    }

    /// An organization with one terminal and one officer of every role.
    pub async fn party(&self, name: &str, code: &str) -> Party {
        self.world.connect(name, code, "o1", &ALL_ROLES).await.unwrap()
    }
}

/// Two supervisors at a party's desk, who count as two.
pub async fn two_supervisors(stage: &Stage, party: &Party) -> [DeskPerson; 2] {
    let seat = async |officer| stage.world.seat_new(party, officer, &["supervisor"]).await.unwrap();
    [seat("sup1").await, seat("sup2").await]
}

/// One asks for a sharp act, and both stand for it then.
pub async fn by_two(two: &[DeskPerson; 2], path: &str, message: &Value) -> Reply {
    let asked = two[0].post(path, message).await.unwrap();
    assert_eq!(asked.status, 202, "{}", asked.text());
    two[1].confirm(json(&asked)["waiting_act"].as_str().unwrap()).await.unwrap()
}

/// A family of which every test knows the names.
pub fn family(municipality: &str) -> Family {
    Family {
        child: "髙橋 花子".into(),
        child_kana: "タカハシ ハナコ".into(),
        sex: "2".into(),
        birth_date: "2018-04-01".into(),
        guardian: "髙橋 誠".into(),
        guardian_kana: "タカハシ マコト".into(),
        former_guardian: Some("渡邊 誠".into()),
        ..People::seeded(7).family(municipality)
    }
}

/// Registers a family; returns the record's id.
pub async fn register(party: &Party, family: &Family) -> String {
    let reply = party.client.post("/v1/records").xml(family.to_xml()).send().await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    json(&reply)["record"].as_str().unwrap().to_owned()
}

pub fn json(reply: &Reply) -> Value {
    reply.json().unwrap_or_else(|_| panic!("not JSON: {}", reply.text()))
}

/// Asserts a refusal by its stable code.
pub fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(json(reply)["code"], code);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
}

/// What a body is told while it is opened and its staff are appointed.
const ADMINISTRATION: [&str; 13] = [
    "terminal_registered",
    "terminal_revoked",
    "organization_connected",
    "counterpart_changed",
    "settings_changed",
    "sign_in_policy_changed",
    "sign_in_unlocked",
    "body_opened",
    "credential_issued",
    "second_factor_enrolled",
    "passkey_registered",
    "sharp_act_asked",
    "sharp_act_done",
];

/// The messages in a party's inbox, but for those about its own people and terminals.
pub async fn inbox(party: &Party) -> Vec<Value> {
    let reply = party.client.get("/v1/inbox").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let messages = json(&reply)["messages"].as_array().unwrap().clone();
    messages.into_iter().filter(|message| !ADMINISTRATION.contains(&message["kind"].as_str().unwrap())).collect()
}

/// The kinds of the messages in a party's inbox, in order.
pub async fn inbox_kinds(party: &Party) -> Vec<String> {
    inbox(party).await.iter().map(|message| message["kind"].as_str().unwrap().to_owned()).collect()
}

/// Entries about a party's records, newest first, and not about the body itself.
pub async fn disclosures(party: &Party) -> Vec<Value> {
    let acts = ["organization_connect", "terminal_", "body_", "credential_", "session_", "staff_", "sharp_act_"];
    let is_about_people = |entry: &Value| acts.iter().any(|act| entry["act"].as_str().unwrap().starts_with(act));
    about_body(party).await.into_iter().filter(|entry| !is_about_people(entry)).collect()
}

/// Entries about a party and its records, newest first.
pub async fn about_body(party: &Party) -> Vec<Value> {
    let reply = party.client.get("/v1/disclosures").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(&reply)["disclosures"].as_array().unwrap().iter().map(|line| line["entry"].clone()).collect()
}

/// A search by a fragment of the child's name.
pub async fn search(party: &Party, criteria: Value) -> Reply {
    let mut body = serde_json::json!({ "purpose": "new_report", "case_reference": "R8-1" });
    body.as_object_mut().unwrap().extend(criteria.as_object().unwrap().clone());
    party.client.post("/v1/searches").json(&body).send().await.unwrap()
}

pub fn children(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(reply)["children"].as_array().unwrap().clone()
}

/// Views a record for what a body of its kind looks for.
pub async fn view(party: &Party, record: &str) -> Reply {
    let purpose = if party.code == OrganizationCode::ministry() { "serious_case_review" } else { "casework" };
    party.client.get(&format!("/v1/records/{record}")).purpose(purpose).send().await.unwrap()
}

/// A twin: a test of this program, run again in a process of its own with a planted defect, fails by its own words.
pub async fn fails_with(defect: &str, test: &str, words: &str) {
    let mut again = tokio::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]).env("PLANTED_DEFECT", defect).kill_on_drop(true);
    let output = again.output().await.unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("running 1 test"), "there is no {test}: {said}");
    assert!(!output.status.success(), "{defect} went unnoticed by {test}");
    assert!(said.contains(words), "{defect} is noticed otherwise: {said}");
}
