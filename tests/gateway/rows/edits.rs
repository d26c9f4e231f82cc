//! Edits of the database, spread evenly over all its columns, half of them copying what other rows have or what stood there
//! once: none may change an answer unnoticed, and each edit of a column that decides is named. Each is judged alone, with
//! every call that reads: behind a gateway that serves, or, every eighth, before a start; then acts are tried as well.
//! `EDITS` says how many; `make tamper-test` makes 10,000 on each database.

mod acts;
mod house;
mod judge;
mod questions;
mod story;
mod ways;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tsunagi::{
    domain::organization::OrganizationCode,
    ledger::merkle::Hash,
    store::rows::{
        name::RowName,
        review::{Pace, review, review_chronicle},
    },
};

use self::{
    acts::act,
    house::{House, Served, leaves_of},
    judge::{Seen, Tally, difference},
    questions::Answers,
    ways::{Draw, Tables},
};
use super::fails_with;
use crate::harness::CITY_A;

/// Edits behind one gateway, before the database is another copy.
const BATCH: usize = 40;
/// Every so manieth edit is made before a start.
const BEFORE_A_START: usize = 8;

/// What is answered where nobody edits anything.
struct Unedited {
    read: Answers,
    acted: Answers,
}

struct Play {
    house: House,
    unedited: Unedited,
    columns: Vec<(String, String)>,
    edits: usize,
    next: AtomicUsize,
    seed: u64,
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Whether what is asked has brought so many messages that not all are counted as new any more: answers say so.
fn has_many_messages(served: &Served) -> bool {
    let city = OrganizationCode::parse(CITY_A).unwrap();
    served.gateway().journal.memory().inboxes.watch(&city).0 > 400
}

async fn started(house: &House, with_snapshot: bool) -> Served {
    Served::start(house, house.copy(with_snapshot).await).await.map_err(|(_, error)| error).unwrap()
}

impl Play {
    async fn of(edits: usize) -> Self {
        let house = House::build().await;
        let mut unedited: Option<Unedited> = None;
        // Thrice: what differs between two gateways that nobody tampered with would be found in each edit.
        for with_snapshot in [false, true, false] {
            let served = started(&house, with_snapshot).await;
            let read = house.questions.answers(&served.clients, &Answers::new()).await;
            let acted = act(&house, &served).await;
            served.end().await;
            if let Some(known) = &unedited {
                assert_eq!(difference(&known.read, &read), Vec::<String>::new());
                assert_eq!(difference(&known.acted, &acted), Vec::<String>::new());
            }
            unedited = Some(Unedited { read, acted });
        }
        let copy = house.copy(false).await;
        let mut columns = copy.tables().await.all();
        copy.remove().await;
        // For looking at one more closely.
        if let Ok(only) = std::env::var("EDITED") {
            columns.retain(|(table, column)| only.split(',').any(|name| *name == format!("{table}.{column}")));
        }
        let (next, seed) = (AtomicUsize::new(0), number("SEED", 13) as u64);
        Self { house, unedited: unedited.unwrap(), columns, edits, next, seed }
    }

    /// The column of an edit, and whether it copies: each column in turn, in another order each round.
    fn turn(&self, number: usize) -> (&(String, String), bool, Draw) {
        let (round, at) = (number / self.columns.len(), number % self.columns.len());
        let mut draw = Draw(self.seed.wrapping_add(round as u64));
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, draw.below(last + 1));
        }
        let column = &self.columns[order[at]];
        (
            column,
            (round + order[at]).is_multiple_of(2),
            Draw(self.seed.wrapping_add(number as u64).wrapping_mul(0x9E37)),
        )
    }

    async fn work(self: Arc<Self>) -> Tally {
        let (mut tally, mut told) = (Tally::default(), 0);
        loop {
            let first = self.next.fetch_add(BATCH, Ordering::SeqCst);
            if first >= self.edits {
                return tally;
            }
            let end = (first + BATCH).min(self.edits);
            let numbers = first..end;
            let (before, behind): (Vec<usize>, Vec<usize>) = numbers.partition(|number| number % BEFORE_A_START == 0);
            self.behind_a_gateway(&behind, &mut tally).await;
            for number in before {
                self.before_a_start(number, &mut tally).await;
            }
            if let Some(new) = tally.faults.get(told..).filter(|new| !new.is_empty()) {
                println!("{}", new.join("\n"));
            }
            told = tally.faults.len();
            println!("up to {end} of {}: {told} faults of this worker", self.edits);
        }
    }

    async fn behind_a_gateway(&self, numbers: &[usize], tally: &mut Tally) {
        let mut at: Option<(Served, Tables)> = None;
        for number in numbers {
            let ((table, column), copies, mut draw) = self.turn(*number);
            let (served, mut tables) = match at.take() {
                Some(at) => at,
                None => {
                    let served = started(&self.house, false).await;
                    let tables = served.copy.tables().await;
                    (served, tables)
                }
            };
            let Some(edit) = tables.edit(table, column, copies, &mut draw).await else {
                tally.not_editable.insert(format!("{table}.{column}"));
                at = Some((served, tables));
                continue;
            };
            let guard = &served.gateway().journal.memory().guard;
            // What was read a moment before a commit counts for twenty seconds; it would hide what is found after these.
            guard.remembered.expire();
            guard.forget_refuted();
            let answers = self.house.questions.answers(&served.clients, &self.unedited.read).await;
            let read = guard.refuted();
            let changed = difference(&self.unedited.read, &answers);
            let seen = self.audited(&served, table, (read, changed), Some(leaves_of(served.gateway()))).await;
            let has_changed = !seen.changed.is_empty();
            tally.judge((table, column), &edit, seen);
            let is_undone = tables.undo(table, &edit).await;
            guard.forget_refuted();
            guard.remembered.expire();
            // Whatever it has left behind would be held against the next: positions of messages, too, which a gateway has
            // heard of and, as those of other nodes, never takes back.
            let is_forgotten = table != "inbox_positions" && !has_many_messages(&served);
            if is_undone && is_forgotten && self.is_as_before(&served, has_changed).await {
                at = Some((served, tables));
            } else {
                tally.copies += 1;
                tables.database.close().await;
                served.end().await;
            }
        }
        if let Some((served, tables)) = at {
            tables.database.close().await;
            served.end().await;
        }
    }

    async fn is_as_before(&self, served: &Served, has_changed: bool) -> bool {
        let gateway = served.gateway();
        if has_changed {
            let answers = self.house.questions.answers(&served.clients, &self.unedited.read).await;
            if !difference(&self.unedited.read, &answers).is_empty() {
                return false;
            }
        }
        let review = review(&gateway.store, &gateway.vault, Pace::Alone).await;
        let is_all_in_memory = gateway.journal.memory().guard.set_aside().is_empty();
        is_all_in_memory && review.is_ok_and(|review| review.refuted.is_empty())
    }

    async fn before_a_start(&self, number: usize, tally: &mut Tally) {
        let ((table, column), copies, mut draw) = self.turn(number);
        let copy = self.house.copy(draw.below(2) == 0).await;
        let mut tables = copy.tables().await;
        let edit = tables.edit(table, column, copies, &mut draw).await;
        tables.database.close().await;
        let Some(edit) = edit else {
            tally.not_editable.insert(format!("{table}.{column}"));
            copy.remove().await;
            return;
        };
        tally.before_a_start += 1;
        match Served::start(&self.house, copy).await {
            Err((copy, error)) => {
                tally.refused((table, column), &edit, &error.to_string());
                copy.remove().await;
            }
            Ok(served) => {
                let answers = self.house.questions.answers(&served.clients, &self.unedited.read).await;
                let mut changed = difference(&self.unedited.read, &answers);
                let guard = &served.gateway().journal.memory().guard;
                let seen = self.audited(&served, table, (guard.refuted(), Vec::new()), None).await;
                changed.extend(difference(&self.unedited.acted, &act(&self.house, &served).await));
                let read = guard.refuted();
                tally.judge((table, column), &edit, Seen { changed, read, ..seen });
                served.end().await;
            }
        }
    }

    /// What the audits find.
    async fn audited(
        &self,
        served: &Served,
        table: &str,
        (read, changed): (Vec<RowName>, Vec<String>),
        known: Option<Vec<Hash>>,
    ) -> Seen {
        let gateway = served.gateway();
        let mut review = review(&gateway.store, &gateway.vault, Pace::Alone).await.map(|review| review.refuted);
        // An edit of another table leaves the ledger as it is.
        let is_of_ledger = table.starts_with("ledger");
        let ledger = if is_of_ledger { self.house.audit_ledger(gateway, known.as_deref()).await } else { None };
        if is_of_ledger && let Ok(named) = &mut review {
            named.extend(review_chronicle(&gateway.store).await.unwrap_or_default());
        }
        Seen { changed, read, review, ledger }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_edit_by_chance_changes_an_answer_unnoticed() {
    let edits = number("EDITS", 60);
    let play = Arc::new(Play::of(edits).await);
    let workers: Vec<_> = (0..number("WORKERS", 2)).map(|_| tokio::spawn(play.clone().work())).collect();
    let mut tally = Tally::default();
    for worker in workers {
        tally.merge(worker.await.unwrap());
    }
    println!("{} columns; {tally}", play.columns.len());
    assert!(tally.faults.is_empty(), "{}", tally.faults.join("\n"));
    let editable: BTreeSet<_> = play.columns.iter().map(|(table, column)| format!("{table}.{column}")).collect();
    assert!(tally.not_editable.is_subset(&editable) && tally.made > edits / 2, "{} of {edits}", tally.made);
}

/// A mark that leaves out one column: the test above has to fail on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_the_mark_leaves_out_is_caught() {
    let only = [("EDITED", "records.serious"), ("EDITS", "6")];
    let test = "rows::edits::no_edit_by_chance_changes_an_answer_unnoticed";
    let said = fails_with("leave-out-a-column", test, &only).await;
    assert!(said.contains("is not named") && said.contains("changed unnoticed"), "{said}");
}
