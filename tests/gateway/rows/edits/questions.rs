//! What everybody is asked, and what of an answer is the same each time.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::future::join_all;
use regex::Regex;
use serde_json::{Value, json as j};
use tsunagi::{
    client::{Client, Credentials, Reply},
    clock::{Clock, Timestamp},
};
use tsunagi_testkit::{persons::DeskPerson, world::OPERATOR_OFFICER};
use uuid::Uuid;

use super::story::{DRAFTS, Life, RECORDS};

/// Somebody who asks: a machine that names an officer, or a person who signed in at a desk.
pub struct Caller {
    pub name: &'static str,
    certificate: String,
    officer: Option<String>,
    token: Option<String>,
}

/// One call.
pub struct Question {
    caller: usize,
    pub path: String,
    purpose: &'static str,
    body: Option<Value>,
}

/// What was answered; two are the same where what does not differ each time is.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    bytes: Bytes,
    pub body: Arc<Value>,
}

impl Answer {
    /// What was asked of nobody: the outcome of an act of the gateway's own.
    pub fn of_ours(is_done: bool, outcome: Value) -> Self {
        Self { status: if is_done { 200 } else { 503 }, bytes: Bytes::new(), body: Arc::new(outcome) }
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status && (Arc::ptr_eq(&self.body, &other.body) || self.body == other.body)
    }
}

/// By whose and which call.
pub type Answers = BTreeMap<String, Answer>;

/// Everything that is asked, of the life as it was at its end.
pub struct Questions {
    pub callers: Vec<Caller>,
    asked: Vec<Question>,
    /// The end of the life: what is later was made since.
    pub end: Timestamp,
}

impl Questions {
    /// Everybody has been asked once, so that nothing is new to anybody.
    pub async fn about(life: &Life) -> Self {
        let machine = |name: &'static str, party: &tsunagi_testkit::world::Party| Caller {
            name,
            certificate: party.name.clone(),
            officer: Some(party.officer.clone()),
            token: None,
        };
        let mut callers = vec![
            machine("city", &life.city),
            machine("other", &life.other),
            machine("center", &life.center),
            machine("far", &life.far),
            machine("prefecture", &life.prefecture),
            machine("ministry", &life.ministry),
        ];
        let (certificate, officer) = ("operator".to_owned(), Some(OPERATOR_OFFICER.to_owned()));
        callers.push(Caller { name: "operator", certificate, officer, token: None });
        let operators = life.stage.world.operators().await.unwrap();
        let people = [("supervisor", &life.two[0]), ("night", &life.night), ("chair", &operators.administrator)];
        for (name, person) in people {
            callers.push(seated(name, person).await);
        }
        let asked = asked(&callers, life);
        let mut questions = Self { callers, asked, end: life.stage.world.clock.now() };
        for _ in 0..2 {
            let clients = questions.clients(life.stage.world.address, &life.stage.world.premises.credentials("x"));
            questions.answers(&clients, &Answers::new()).await;
        }
        questions.end = life.stage.world.clock.now();
        let before = format!("before={}", last_id(questions.end));
        for question in &mut questions.asked {
            question.path = question.path.replace("before=", &before);
        }
        questions
    }

    pub fn clients(&self, address: SocketAddr, credentials: &Credentials) -> Vec<Client> {
        let client = |caller: &Caller| {
            let credentials = Credentials { name: caller.certificate.clone(), ..credentials.clone() };
            let client = Client::new(address, &credentials, caller.officer.as_deref()).unwrap();
            match &caller.token {
                Some(token) => client.with_token(token.clone()),
                None => client,
            }
        };
        self.callers.iter().map(client).collect()
    }

    /// A clock that stands a second after the end of the life.
    pub fn clock(&self) -> Clock {
        let clock = Clock::system();
        let ahead = self.end.as_micros() - clock.now().as_micros();
        clock.advance(time::Duration::microseconds(ahead) + time::Duration::seconds(1));
        clock
    }

    /// Asks everybody everything: each caller one thing after another, the callers at once.
    pub async fn answers(&self, clients: &[Client], known: &Answers) -> Answers {
        let of = async |caller: usize| {
            let mut answers = Vec::new();
            for question in self.asked.iter().filter(|question| question.caller == caller) {
                let client = &clients[caller];
                let request = match &question.body {
                    Some(body) => client.post(&question.path).json(body),
                    None => client.get(&question.path).purpose(question.purpose),
                };
                let reply = request.send().await.unwrap();
                let name = format!("{} {}", self.callers[caller].name, question.name());
                // Most are the same to the byte: they need not be taken apart.
                let same = known.get(&name).filter(|known| known.bytes == reply.body);
                let answer = match same {
                    Some(same) => Answer { status: reply.status.as_u16(), ..same.clone() },
                    None => self.answer(&reply),
                };
                answers.push((name, answer));
            }
            answers
        };
        join_all((0..clients.len()).map(of)).await.into_iter().flatten().collect()
    }

    /// An answer without what was made since the end of the life.
    pub fn answer(&self, reply: &Reply) -> Answer {
        let mut body = reply.json().unwrap_or_else(|_| Value::String(reply.text()));
        self.strip(&mut body);
        Answer { status: reply.status.as_u16(), bytes: reply.body.clone(), body: Arc::new(body) }
    }

    fn strip(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for each_time in
                    ["instance", "request_id", "cursor", "latest", "new", "checkpoint", "consistency", "inclusion"]
                {
                    fields.remove(each_time);
                }
                // Evidence has entries as bytes.
                let entry = fields.get("entry").and_then(Value::as_str).and_then(decoded);
                entry.into_iter().for_each(|entry| _ = fields.insert("entry".to_owned(), entry));
                for secret in ["token", "recovery_codes", "secret", "ticket", "url"] {
                    fields.entry(secret).and_modify(|value| *value = Value::from("a secret"));
                }
                fields.values_mut().for_each(|field| self.strip(field));
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.strip(item));
                items.retain(|item| !is_later(item));
            }
            Value::String(text) => {
                static ID: LazyLock<Regex> = LazyLock::new(|| {
                    Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap()
                });
                static TIME: LazyLock<Regex> =
                    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap());
                let last = last_id(self.end).to_string();
                let later = |is_later: bool, text: &str| if is_later { LATER.to_owned() } else { text.to_owned() };
                let ids = ID.replace_all(text, |found: &regex::Captures<'_>| later(found[0] > *last, &found[0]));
                let times = TIME.replace_all(&ids, |found: &regex::Captures<'_>| {
                    later(Timestamp::from_rfc3339(&found[0]).is_some_and(|at| at > self.end), &found[0])
                });
                *text = times.into_owned();
            }
            _ => {}
        }
    }
}

const LATER: &str = "later";

/// A message or an entry that was made since.
fn is_later(item: &Value) -> bool {
    [&item["at"], &item["entry"]["at"]].iter().any(|at| at.as_str() == Some(LATER))
}

fn decoded(entry: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_STANDARD.decode(entry).ok()?).ok()
}

/// The greatest id that was made by then.
fn last_id(end: Timestamp) -> Uuid {
    let millis = u128::try_from(end.as_micros() / 1_000).unwrap();
    Uuid::from_u128(millis << 80 | 0x7FFF << 64 | 0xBFFF_FFFF_FFFF_FFFF)
}

async fn seated(name: &'static str, person: &DeskPerson) -> Caller {
    let token = person.sign_in_anew().await.unwrap();
    Caller { name, certificate: person.desk().credentials.name.clone(), officer: None, token: Some(token) }
}

impl Question {
    fn name(&self) -> String {
        match &self.body {
            Some(body) => format!("{} {body}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Every call that reads, by those to whom it says something, and by some to whom it must say nothing.
fn asked(callers: &[Caller], life: &Life) -> Vec<Question> {
    let at = |name: &str| callers.iter().position(|caller| caller.name == name).unwrap();
    let mut asked = Vec::new();
    let mut ask = |names: &[&str], path: String| {
        for name in names {
            let purpose = if *name == "ministry" { "serious_case_review" } else { "casework" };
            asked.push(Question { caller: at(name), path: path.clone(), purpose, body: None });
        }
    };
    for name in RECORDS.into_iter().chain(["old", "repeated"]) {
        let record = life.record(name);
        ask(&["city", "other", "center", "far"], record.clone());
        ask(&["city"], format!("{record}/history"));
        ask(&["city"], format!("{record}/versions/1"));
        ask(&["city"], format!("{record}/edit-lock"));
    }
    let [serious, photo, moved] = ["serious", "photo", "moved"].map(|name| life.record(name));
    ask(&["ministry"], serious);
    ask(&["other"], format!("{moved}/history"));
    ask(&["city", "center", "far"], format!("{photo}/attachments/{}", life.ids["attachment"]));
    ask(&["city", "ministry"], format!("/v1/serious-cases/{}/notes", life.ids["serious"]));
    ask(&["city", "far"], format!("/v1/inquiries/{}", life.ids["inquiry"]));
    ask(&["city", "far"], format!("/v1/break-glass/{}", life.ids["broken"]));
    for transfer in ["transfer", "handed"] {
        ask(&["city", "other", "center"], format!("/v1/transfers/{}", life.ids[transfer]));
    }
    let notice = format!("/v1/missing-notices/{}", life.ids["notice"]);
    ask(&["center", "far"], notice.clone());
    ask(&["center"], format!("{notice}/centers"));
    ask(&["city", "other"], format!("/v1/batches/{}", life.ids["batch"]));
    let everybody: Vec<&str> = callers.iter().map(|caller| caller.name).collect();
    for (_, draft) in DRAFTS {
        ask(&["city", "other"], format!("/v1/drafts/{draft}"));
    }
    for path in ["/v1/drafts", "/v1/inquiries", "/v1/break-glass", "/v1/settings"] {
        ask(&["city", "other", "far"], path.to_owned());
    }
    ask(&["center", "far"], "/v1/missing-notices".to_owned());
    for path in ["/v1/inbox", "/v1/disclosures?before=", "/v1/session", "/v1/waiting-acts", "/v1/today"] {
        ask(&everybody, path.to_owned());
    }
    ask(&["city", "far", "operator"], "/v1/disclosures?of=by_us&before=".to_owned());
    ask(&["city"], format!("/v1/disclosures?record={}&before=", life.ids["photo"]));
    for path in ["/v1/records", "/v1/transfers", "/v1/disposals", "/v1/disposals/due", "/v1/retention"] {
        ask(&["city", "other", "far"], path.to_owned());
    }
    ask(&["ministry"], "/v1/serious-cases".to_owned());
    ask(&["ministry", "center"], "/v1/staffing-reports/2026".to_owned());
    ask(&["ministry"], "/v1/staffing-reports/2026/export".to_owned());
    ask(&["city", "operator"], "/v1/staff".to_owned());
    for path in ["/v1/organizations", "/v1/terminals", "/v1/keys"] {
        ask(&["operator", "chair"], path.to_owned());
    }
    ask(&["city"], "/v1/ledger/key".to_owned());
    ask(&["city"], format!("/v1/ledger/evidence?record={}", life.ids["photo"]));
    searches(&mut asked, &at);
    asked
}

fn searches(asked: &mut Vec<Question>, at: &impl Fn(&str) -> usize) {
    let search = |child: &str| {
        let body = j!({ "purpose": "new_report", "case_reference": "R8-1", "child_name": child });
        ("/v1/searches", body)
    };
    let (found, nobody) = (search("髙橋"), search("該当なし"));
    let notices = ("/v1/missing-notices/searches", j!({ "name": "たかはし" }));
    let own = ("/v1/records/searches", j!({ "name": "たかはし" }));
    for name in ["city", "other", "center", "far"] {
        let of = if name == "far" { vec![&found, &nobody, &notices] } else { vec![&found, &nobody, &own] };
        for (path, body) in of {
            let (path, body) = ((*path).to_owned(), Some(body.clone()));
            asked.push(Question { caller: at(name), path, purpose: "casework", body });
        }
    }
}
