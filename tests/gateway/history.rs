//! A search sees every registration, update, transfer, shield and closure that was acknowledged before it began.
//!
//! Clients act at the same time. What they are told must be what they would be told were the same calls made one after
//! another, in an order in which each comes between its call and its answer (linearizability, Herlihy and Wing 1990).

mod board;
mod checker;
pub mod clients;
mod model;

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use tsunagi::server::start::Server;

use self::{
    checker::{Call, linearize},
    model::{Act, Asked, Body, Name, Op, Outcome, Query, Record, Step},
};
use crate::harness::*;

/// What clients wrote down about the records of one family.
#[derive(Clone)]
pub struct History {
    pub records: Vec<String>,
    pub calls: Vec<Call<Op>>,
}

impl History {
    /// Holds each record's calls against the model. That is what law 5 asks: nothing is said of how a search that finds
    /// two records orders changes of one against changes of the other.
    pub fn verdict(&self) -> Result<(), String> {
        for call in &self.calls {
            let Outcome::Found(hits) = &call.op.outcome else { continue };
            let found: HashSet<&String> = hits.iter().map(|hit| &hit.record).collect();
            if found.len() < hits.len() || !found.iter().all(|record| self.records.contains(record)) {
                return Err(format!("a record twice, or one of another family: {call:?}"));
            }
        }
        self.records.iter().try_for_each(|record| {
            let concerns = |op: &Op| matches!(op.act, Act::Search(_)) || op.record == *record;
            let calls: Vec<Call<Op>> = self.calls.iter().filter(|call| concerns(&call.op)).cloned().collect();
            linearize(&Record::unregistered(record), &calls).map_err(|stuck| {
                let lines = calls.iter().enumerate().map(|(at, call)| {
                    let mark = if stuck.left.contains(&at) { "??" } else { "ok" };
                    format!("{mark} {:?} to {:?}: {:?}\n", call.called, call.answered, call.op)
                });
                format!("after the longest order {:?}\n{}", stuck.state, lines.collect::<String>())
            })
        })
    }

    /// Counts what was done, by its kind.
    pub fn count(&self, done: &mut BTreeMap<&'static str, usize>) {
        for Call { op: Op { act, outcome, .. }, .. } in &self.calls {
            let kind = match outcome {
                Outcome::Done { .. } => act.kind(),
                Outcome::Found(hits) if hits.is_empty() => "found nothing",
                Outcome::Found(_) => "found",
                Outcome::Viewed(_) => "viewed",
                Outcome::Refused(_) => "refused",
                Outcome::Unknown => "unknown",
            };
            *done.entry(kind).or_default() += 1;
        }
    }
}

/// Histories, unless `HISTORIES` says otherwise.
const HISTORIES: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn every_history_is_linearizable() {
    let histories = std::env::var("HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(HISTORIES);
    let stage = Stage::new().await;
    clients::connect(&stage).await;
    let desks = clients::desks(&stage, stage.world.address).await;
    let wanted = ["register", "update", "close", "shield", "lift", "offer", "confirm", "take-over", "found", "viewed"];
    let missing = |done: &BTreeMap<&str, usize>| wanted.into_iter().find(|kind| !done.contains_key(kind));
    let mut done = BTreeMap::new();
    let mut seed = 0;
    // What clients come to do is theirs to choose; where none came to something, more are played.
    while seed < histories || histories >= HISTORIES && missing(&done).is_some() && seed < 4 * histories {
        let history = clients::play(&desks, seed).await;
        if let Err(why) = history.verdict() {
            panic!("the history of seed {seed} is not linearizable: {why}");
        }
        history.count(&mut done);
        seed += 1;
    }
    println!("{seed} histories: {done:?}");
    if let Some(kind) = missing(&done).filter(|_| histories >= HISTORIES) {
        panic!("{kind} was never done: {done:?}");
    }
}

/// The twin: one node serves a copy of the database and never hears of what was registered after.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_index_is_caught() {
    let stage = Stage::new().await;
    clients::connect(&stage).await;
    let stale = left_behind(&stage).await;
    let desks = clients::desks(&stage, stale.address).await;
    let mut caught = 0;
    for seed in 0..3 {
        caught += usize::from(clients::play(&desks, seed).await.verdict().is_err());
    }
    drop(desks);
    stale.stop().await;
    assert!(caught > 0, "a planted defect went unnoticed");
}

async fn left_behind(stage: &Stage) -> Server {
    let mut config = stage.world.premises.config.clone();
    let copy = stage.directory.path().join("copy.db").display().to_string();
    let pool = sqlx::SqlitePool::connect(&config.database).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(copy.clone()).execute(&pool).await.unwrap();
    pool.close().await;
    config.database = format!("sqlite:{copy}");
    Server::start(config, stage.world.clock.clone()).await.unwrap()
}

/// The twin for each change that a search shows: a client that gives the answer it remembers from before is caught.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_before_an_acknowledged_change_is_caught() {
    let stage = Stage::new().await;
    clients::connect(&stage).await;
    let desks = clients::desks(&stage, stage.world.address).await;
    let desk = |body: Body| desks.iter().find(|desk| desk.body == body).unwrap();
    let (since, guardian, birth_date) = (Instant::now(), Name(0), "2018-04-01");
    let search = Act::Search(Query { name: Asked::Guardian(guardian), birth_date: None });
    let far = desk(Body::FarCenter);
    let mut calls = vec![far.call(search.clone(), "", guardian, None, since).await];
    let (mut record, mut transfer) = (String::new(), String::new());
    for (body, act) in [
        (Body::City, Act::Register { name: Name(1), birth_date }),
        (Body::City, Act::Update { sent: 1, name: Name(2), birth_date, shielded: false }),
        (Body::City, Act::Offer),
        (Body::OtherCity, Act::Step(Step::Confirm, String::new())),
        (Body::OtherCity, Act::Step(Step::TakeOver, String::new())),
        (Body::OtherCity, Act::Shield),
    ] {
        let act = match act {
            Act::Step(step, _) => Act::Step(step, transfer.clone()),
            act => act,
        };
        let call = desk(body).call(act, &record, guardian, None, since).await;
        let Outcome::Done { transfer: opened, .. } = &call.op.outcome else { panic!("refused: {call:?}") };
        (record, transfer) = (call.op.record.clone(), opened.clone().unwrap_or_default());
        calls.push(call);
        calls.push(far.call(search.clone(), "", guardian, None, since).await);
    }
    let history = History { records: vec![record], calls };
    assert_eq!(history.verdict(), Ok(()));

    let mut planted = 0;
    // There is a search at every other place.
    for at in (2..history.calls.len()).step_by(2) {
        let remembered = history.calls[at - 2].op.outcome.clone();
        if remembered != history.calls[at].op.outcome {
            let mut altered = history.clone();
            altered.calls[at].op.outcome = remembered;
            assert!(altered.verdict().is_err(), "a planted defect went unnoticed at {at}");
            planted += 1;
        }
    }
    assert_eq!(planted, 4, "a registration, a new name, a new owner and a shield are seen");
}
