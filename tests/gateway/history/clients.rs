//! Clients that act at the same time, each on a connection of its own, and write down what they asked and were told.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json as j};
use tokio::sync::Barrier;
use tsunagi::{
    client::{Client, Reply, RequestBuilder},
    domain::organization::OrganizationCode,
};
use tsunagi_testkit::{people::Family, persons::DeskPerson};

use super::{
    History,
    board::{Board, Dice},
    checker::Call,
    model::{Act, Asked, Body, Hit, Name, Op, Outcome, Query, RELAY, Shown, Step},
};
use crate::{crash, harness::*};

/// Who acts in a history, all at once.
const DESKS: [Body; 6] = [Body::City, Body::City, Body::OtherCity, Body::OtherCity, Body::Center, Body::FarCenter];
/// What each of them does, one thing after another.
const TURNS: usize = 8;
/// Records of a history. The first desk registers them.
const RECORDS: usize = 2;

/// Connects the bodies, each with two officers who can sign in.
pub async fn connect(stage: &Stage) {
    for body in Body::ALL {
        let party = stage.party(body.name(), body.code()).await;
        stage.world.add_staff(&party, "o2", &ALL_ROLES).await.unwrap();
        for officer in ["o1", "o2"] {
            stage.world.seat(&party, officer).await.unwrap();
        }
    }
}

/// The tokens of sessions of both officers of each body.
async fn signed_in(stage: &Stage) -> HashMap<Body, [String; 2]> {
    let mut tokens = HashMap::new();
    for body in Body::ALL {
        let code = OrganizationCode::parse(body.code()).unwrap();
        let place =
            stage.world.premises.desk(stage.world.address, &stage.world.clock, &format!("{}-desk", body.name()));
        let sign_in = async |officer| DeskPerson::known(&place, &code, officer).sign_in_anew().await.unwrap();
        tokens.insert(body, [sign_in("o1").await, sign_in("o2").await]);
    }
    tokens
}

/// A desk's machine, and the two who are signed in at its own desk.
fn desk_at(
    stage: &Stage,
    (body, address): (Body, SocketAddr),
    tokens: &HashMap<Body, [String; 2]>,
    breaks: Option<SocketAddr>,
) -> Arc<Desk> {
    let premises = &stage.world.premises;
    let client = Client::new(address, &premises.credentials(body.name()), Some("o1")).unwrap();
    let person = |token: &String| {
        let credentials = premises.credentials(&format!("{}-desk", body.name()));
        Client::new(address, &credentials, None).unwrap().with_token(token.clone())
    };
    let [asker, second] = &tokens[&body];
    Arc::new(Desk { body, client, asker: person(asker), second: person(second), breaks })
}

/// The desks of a history; that of the far center is at another address.
pub async fn desks(stage: &Stage, far: SocketAddr) -> Vec<Arc<Desk>> {
    let tokens = signed_in(stage).await;
    let desk = |body: Body| {
        let address = if body == Body::FarCenter { far } else { stage.world.address };
        desk_at(stage, (body, address), &tokens, None)
    };
    DESKS.into_iter().map(desk).collect()
}

/// The same, all but those of the first city at a node that may be killed, whose monitor says when it is back.
pub async fn desks_at_two_nodes(stage: &Stage, node: SocketAddr, monitor: SocketAddr) -> Vec<Arc<Desk>> {
    let tokens = signed_in(stage).await;
    let desk = |body: Body| {
        let stays = body == Body::City;
        let address = if stays { stage.world.address } else { node };
        desk_at(stage, (body, address), &tokens, (!stays).then_some(monitor))
    };
    DESKS.into_iter().map(desk).collect()
}

/// Lets the desks act and returns what they wrote down, in the order of the calls.
pub async fn play(desks: &[Arc<Desk>], seed: u32) -> History {
    let board = Arc::new(Mutex::new(Board::new(seed)));
    let start = Arc::new(Barrier::new(desks.len()));
    let since = Instant::now();
    let clients: Vec<_> = (0_u64..)
        .zip(desks)
        .map(|(number, desk)| {
            let (desk, board, start) = (desk.clone(), board.clone(), start.clone());
            let dice = Dice::seeded(u64::from(seed) << 8 | number);
            let registers = if number == 0 { RECORDS } else { 0 };
            tokio::spawn(async move {
                start.wait().await;
                desk.act(registers, &board, dice, since).await
            })
        })
        .collect();
    let mut calls: Vec<Call<Op>> = Vec::new();
    for client in clients {
        calls.extend(client.await.unwrap());
    }
    calls.sort_by_key(|call| call.called);
    let records = board.lock().unwrap().records();
    History { records, calls }
}

/// A body's terminal, with two officers.
pub struct Desk {
    pub body: Body,
    client: Client,
    asker: Client,
    second: Client,
    /// The monitor of its node, where that may be killed.
    breaks: Option<SocketAddr>,
}

impl Desk {
    async fn act(&self, registers: usize, board: &Mutex<Board>, mut dice: Dice, since: Instant) -> Vec<Call<Op>> {
        let guardian = board.lock().unwrap().guardian();
        let mut calls = Vec::new();
        for turn in 0..TURNS {
            let (record, act) = if turn < registers {
                (String::new(), board.lock().unwrap().register(&mut dice))
            } else {
                board.lock().unwrap().choose(self.body, &mut dice)
            };
            // Now and then a client hangs up, whatever has become of its update.
            let hangs_up = matches!(act, Act::Update { .. }) && dice.below(6) == 0;
            let patience = hangs_up.then(|| Duration::from_millis(dice.below(4) as u64));
            let call = self.call(act, &record, guardian, patience, since).await;
            board.lock().unwrap().note(&call.op);
            calls.push(call);
        }
        calls
    }

    /// Asks for one thing, and waits for the answer as long as there is patience.
    pub async fn call(
        &self,
        act: Act,
        record: &str,
        guardian: Name,
        patience: Option<Duration>,
        since: Instant,
    ) -> Call<Op> {
        let request = self.request(&act, record, guardian);
        let called = since.elapsed();
        let reply = match patience {
            None => match (request.send().await, self.breaks) {
                (Ok(reply), _) => Some(reply),
                (Err(_), Some(_)) => None,
                (Err(error), None) => panic!("{error}"),
            },
            Some(patience) => tokio::time::timeout(patience, request.send()).await.ok().and_then(Result::ok),
        };
        let answered = since.elapsed();
        let outcome = match &reply {
            Some(reply) => outcome_of(&act, reply),
            None => {
                self.client.disconnect().await;
                self.asker.disconnect().await;
                self.second.disconnect().await;
                self.is_back().await;
                Outcome::Unknown
            }
        };
        let record = match (&act, &reply) {
            (Act::Register { .. }, Some(reply)) => text(&json(reply)["record"]),
            _ => record.to_owned(),
        };
        let answered = (outcome != Outcome::Unknown).then_some(answered);
        Call { op: Op { by: self.body, record, act, outcome }, called, answered }
    }

    async fn is_back(&self) {
        let Some(monitor) = self.breaks else { return };
        while !crash::is_ready(monitor).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn request(&self, act: &Act, record: &str, guardian: Name) -> RequestBuilder<'_> {
        let path = format!("/v1/records/{record}");
        match act {
            Act::Register { name, birth_date } => {
                self.client.post("/v1/records").xml(document(*name, birth_date, guardian, false))
            }
            Act::Update { sent, name, birth_date, shielded } => {
                self.client.put(&path).if_match(*sent).xml(document(*name, birth_date, guardian, *shielded))
            }
            Act::Close { sent } => self.client.post(&format!("{path}/close")).if_match(*sent),
            Act::Shield => {
                let shield = j!({ "kind": "1", "since": SINCE, "named": [] });
                self.client.put(&format!("{path}/shield")).json(&shield)
            }
            Act::AskLift => self.asker.post(&format!("{path}/shield/lift-requests")),
            Act::ApproveLift => self.second.post(&format!("{path}/shield/lift-approvals")),
            Act::Offer => {
                let missing = j!({ "state": "missing", "reason": "なし" });
                let completeness = j!({ "photos": missing, "risk_sheet": missing, "urgency": missing });
                let receiver = self.body.receiver().code();
                let offer = j!({ "record": record, "receiver": receiver, "completeness": completeness });
                self.client.post("/v1/transfers").json(&offer)
            }
            Act::Step(step, transfer) => {
                let request = self.client.post(&format!("/v1/transfers/{transfer}/{}", step.as_str()));
                match step {
                    Step::Withdraw | Step::Reject => request.json(&j!({ "reason": "別の児童だった" })),
                    Step::Confirm | Step::TakeOver => request,
                }
            }
            Act::Search(query) => self.client.post("/v1/searches").json(&criteria(query)),
            Act::View => self.client.get(&path).purpose("casework"),
        }
    }
}

const SINCE: &str = "2026-04-01";

fn document(name: Name, birth_date: &str, guardian: Name, shielded: bool) -> String {
    let family = Family {
        child: name.child(),
        child_kana: format!("{} ハナコ", name.family_kana()),
        guardian: format!("{} 誠", guardian.family()),
        guardian_kana: format!("{} マコト", guardian.family_kana()),
        birth_date: birth_date.to_owned(),
        shield_since: shielded.then(|| SINCE.to_owned()),
        ..family(CITY_A)
    };
    family.to_xml()
}

fn criteria(query: &Query) -> Value {
    let (field, name) = match query.name {
        Asked::Child(name) => ("child_name", name.family()),
        Asked::ChildInKana(name) => ("child_name", name.family_kana()),
        Asked::Guardian(name) => ("guardian_name", name.family()),
    };
    let mut body = j!({ "purpose": "new_report", "case_reference": "R8-1", "near_misses": "never" });
    body[field] = name.into();
    if let Some(birth_date) = query.birth_date {
        body["birth"] = j!({ "on": birth_date });
    }
    body
}

fn outcome_of(act: &Act, reply: &Reply) -> Outcome {
    let body = json(reply);
    match (act, reply.status.as_u16()) {
        (Act::Search(_), 200) => Outcome::Found(children(reply).iter().map(hit).collect()),
        (Act::View, 200) if body["relation"] == "owner" => {
            Outcome::Viewed(body["version"].as_i64().zip(body["closed"].as_bool()))
        }
        (Act::View, 200 | 404) => Outcome::Viewed(None),
        (_, 200..=202) => {
            Outcome::Done { version: body["version"].as_i64(), transfer: body["transfer"].as_str().map(str::to_owned) }
        }
        (_, 400..500) => Outcome::Refused(text(&body["code"])),
        // A write may have been done all the same.
        _ => Outcome::Unknown,
    }
}

fn hit(child: &Value) -> Hit {
    let contact = &child["contact"];
    let contact = if contact["kind"] == RELAY { RELAY.to_owned() } else { text(&contact["organization"]) };
    let shown = Shown { name: text(&child["name"]), birth_date: text(&child["birth_date"]), contact };
    Hit { record: text(&child["record"]), shown }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
