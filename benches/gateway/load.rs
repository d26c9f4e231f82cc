//! The calls, and who makes them: each client visits one body after another, and there is one officer after another.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tsunagi::{
    client::{Client, Reply, RequestBuilder},
    config,
};
use tsunagi_testkit::people::{Family, People};

use crate::{
    bodies::{self, BODIES, Body, OFFICER, OFFICERS, OWNERS},
    gateway::Gateway,
    table::Line,
};

pub const RECORDS: usize = 5_000;
/// Connections over which they are registered.
const AT_ONCE: usize = 16;
/// Questions about one family under its case reference: as many as the watch takes for one person.
const QUESTIONS: usize = 4;
/// Cases that an officer searches for: the watch tells of the twelfth person within an hour.
const CASES: usize = 11;
/// Calls of a visit: each officer asks for one case.
const VISIT: usize = OFFICERS.len() * QUESTIONS;
/// How often the size of SQLite's log is looked at.
const LOOKS: Duration = Duration::from_millis(20);

/// What the benchmark asks for.
#[derive(Clone, Copy, PartialEq)]
pub enum Act {
    Empty,
    View,
    Search,
    Register,
}

impl Act {
    pub const ALL: [Self; 4] = [Self::Empty, Self::View, Self::Search, Self::Register];

    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty authenticated route",
            Self::View => "view",
            Self::Search => "search",
            Self::Register => "register",
        }
    }
}

pub struct Load<'a> {
    gateway: &'a Gateway,
    bodies: Vec<Body>,
    /// Records with their families; the n-th is of the owner n modulo [`OWNERS`].
    records: Vec<(String, Family)>,
    /// Bodies whose turn it is next, as places among all: of the owners, and of all.
    owners: RefCell<VecDeque<usize>>,
    all: RefCell<VecDeque<usize>>,
    /// Families that are still to come.
    people: RefCell<People>,
    refused: Cell<usize>,
}

impl<'a> Load<'a> {
    /// Connects the bodies and registers the records.
    pub async fn new(gateway: &'a Gateway) -> Self {
        let allowance = config::SearchConfig::default();
        let of_officer = CASES * QUESTIONS;
        let of_body = of_officer * OFFICERS.len();
        assert!(of_officer <= allowance.officer_burst as usize && of_body <= allowance.organization_burst as usize);
        let bodies = bodies::connect(gateway).await;
        let mut people = People::seeded(42);
        let records = register_all(&bodies, &mut people).await;
        // What all this wrote is not to be waited for by what is measured.
        assert!(Command::new("sync").status().unwrap().success());
        Self {
            gateway,
            bodies,
            records,
            owners: RefCell::new((0..OWNERS).collect()),
            all: RefCell::new((0..BODIES).collect()),
            people: RefCell::new(people),
            refused: Cell::new(0),
        }
    }

    pub fn gateway(&self) -> &Gateway {
        self.gateway
    }

    /// Calls that were not answered as they should.
    pub fn refused(&self) -> usize {
        self.refused.get()
    }

    pub async fn measure(&self, act: Act, clients: usize, seconds: f64) -> Line {
        let (cpu, journal) = (self.gateway.cpu(), self.gateway.journal().await);
        let started = Instant::now();
        let until = started + Duration::from_secs_f64(seconds);
        let loops = (0..clients).map(|_| self.visits(act, until));
        let micros: Vec<f64> = futures_util::future::join_all(loops).await.into_iter().flatten().collect();
        let elapsed = started.elapsed().as_secs_f64();
        let (cpu, after) = (self.gateway.cpu() - cpu, self.gateway.journal().await);
        let count = micros.len() as f64;
        let commits = after.0 - journal.0;
        let per_commit = (commits > 0.0).then(|| (after.1 - journal.1) / commits);
        Line { cpu: Some(cpu / count), per_commit, ..Line::of(micros, elapsed) }
    }

    /// One client for long, and the largest size of SQLite's log meanwhile.
    pub async fn go_on(&self, act: Act, seconds: f64) -> (Line, Option<u64>) {
        let mut largest = self.gateway.log_bytes();
        let looking = async {
            loop {
                tokio::time::sleep(LOOKS).await;
                largest = largest.max(self.gateway.log_bytes());
            }
        };
        let line = tokio::select! {
            line = self.measure(act, 1, seconds) => line,
            () = looking => unreachable!("it looks on"),
        };
        (line, largest)
    }

    /// A new connection for each call.
    pub async fn handshakes(&self, seconds: f64) -> Line {
        let cpu = self.gateway.cpu();
        let started = Instant::now();
        let mut micros = Vec::new();
        let client = self.gateway.client(self.bodies[0].code.as_str(), OFFICERS[0]);
        while started.elapsed().as_secs_f64() < seconds {
            let begun = Instant::now();
            client.get("/v1/session").send().await.unwrap();
            client.disconnect().await;
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        let count = micros.len() as f64;
        Line { cpu: Some((self.gateway.cpu() - cpu) / count), ..Line::of(micros, started.elapsed().as_secs_f64()) }
    }

    /// One client: the microseconds of each call. Nobody else has the connection of the body that it visits.
    async fn visits(&self, act: Act, until: Instant) -> Vec<f64> {
        let turns = if matches!(act, Act::View | Act::Register) { &self.owners } else { &self.all };
        let mut micros = Vec::new();
        while Instant::now() < until {
            let place = turns.borrow_mut().pop_front().expect("fewer clients than bodies");
            let body = &self.bodies[place];
            let case = body.cases.get();
            if act == Act::Search {
                assert!(case < CASES, "so fast a gateway needs more officers");
                body.cases.set(case + 1);
            }
            for turn in 0..VISIT {
                let request = self.request(act, place, case, turn);
                let begun = Instant::now();
                if begun >= until {
                    break;
                }
                let reply = request.send().await.unwrap();
                micros.push(begun.elapsed().as_secs_f64() * 1e6);
                self.check(act, &reply);
            }
            turns.borrow_mut().push_back(place);
        }
        micros
    }

    fn request(&self, act: Act, place: usize, case: usize, turn: usize) -> RequestBuilder<'_> {
        let Body { code, client, .. } = &self.bodies[place];
        let (officer, question) = (turn / QUESTIONS, turn % QUESTIONS);
        let request = match act {
            Act::Empty => client.get("/v1/session"),
            Act::Register => client.post("/v1/records").xml(self.people.borrow_mut().family(code.as_str()).to_xml()),
            Act::View => {
                let own = self.records.len() / OWNERS;
                let (record, _) = &self.records[place + fastrand::usize(..own) * OWNERS];
                client.get(&format!("/v1/records/{record}")).purpose("casework")
            }
            Act::Search => {
                // Another family for each officer and case.
                let number = (place * OFFICERS.len() + officer) * CASES + case;
                let (_, family) = &self.records[number % self.records.len()];
                client.post("/v1/searches").json(&criteria(family, case, question))
            }
        };
        request.header(OFFICER, OFFICERS[officer])
    }

    fn check(&self, act: Act, reply: &Reply) {
        if !reply.status.is_success() {
            self.refused.set(self.refused.get() + 1);
            eprintln!("{}", reply.text());
        } else if act == Act::Search {
            let answer: Value = reply.json().unwrap();
            assert!(!answer["children"].as_array().unwrap().is_empty(), "the child is registered");
        }
    }
}

/// A child and its guardian by their names, and what is known of the birth: the day, or less.
fn criteria(family: &Family, case: usize, question: usize) -> Value {
    let (year, month) = (&family.birth_date[..4], &family.birth_date[..7]);
    let birth = match question {
        0 => json!({ "on": family.birth_date }),
        1 => json!({ "on": month }),
        2 => json!({ "on": year }),
        _ => json!({ "from": month, "to": format!("{year}-12") }),
    };
    json!({ "purpose": "new_report", "case_reference": format!("R8-{}", case + 101), "child_name": family.child,
        "guardian_name": family.guardian, "birth": birth })
}

async fn register_all(bodies: &[Body], people: &mut People) -> Vec<(String, Family)> {
    let owners = &bodies[..OWNERS];
    let families: Vec<Family> = (0..RECORDS).map(|n| people.family(owners[n % OWNERS].code.as_str())).collect();
    let mut records = vec![String::new(); RECORDS];
    let each = (0..AT_ONCE).map(|first| {
        let families = &families;
        async move {
            let mut registered = Vec::new();
            for place in (first..RECORDS).step_by(AT_ONCE) {
                registered.push((place, register(&owners[place % OWNERS].client, &families[place]).await));
            }
            registered
        }
    });
    for (place, record) in futures_util::future::join_all(each).await.into_iter().flatten() {
        records[place] = record;
    }
    records.into_iter().zip(families).collect()
}

async fn register(client: &Client, family: &Family) -> String {
    let request = client.post("/v1/records").xml(family.to_xml()).header(OFFICER, OFFICERS[0]);
    let reply = request.send().await.unwrap();
    let body: Value = reply.json().unwrap();
    body["record"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}
