//! Whether an edit was noticed, by whom, and whether it had to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use tsunagi::{
    ledger::audit::Finding,
    store::{
        error::StoreError,
        rows::{name::RowName, table::Weight, tables},
    },
};

use super::{
    questions::{Answer, Answers},
    ways::Edit,
};

/// What came of an edit.
pub struct Seen {
    /// Answers that are others than without it: status and call.
    pub changed: Vec<String>,
    /// Rows that were found wrong when they were read.
    pub read: Vec<RowName>,
    /// Rows that the audit names.
    pub review: Result<Vec<RowName>, StoreError>,
    /// What the audit of the ledger finds.
    pub ledger: Option<Finding>,
}

/// What rests on an edit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// The audit of rows names it.
    Decides,
    /// Where it changes an answer, somebody notices.
    Elsewhere,
    /// It changes no answer.
    Harmless,
    /// The audit of the ledger finds it.
    OfLedger,
}

fn stands(table: &str, column: &str, edit: &Edit) -> Stands {
    match (tables::by_name(table), table) {
        (None, "ledger") => Stands::OfLedger,
        (None, "record_places" | "inbox_positions") => Stands::Decides,
        (None, _) => Stands::Elsewhere,
        (Some(known), _) if edit.way.is_of_column() => {
            match known.position(column).map(|at| known.columns[at].weight) {
                Some(Weight::Harmless(_)) => Stands::Harmless,
                Some(Weight::Elsewhere(_)) => Stands::Elsewhere,
                _ => Stands::Decides,
            }
        }
        (Some(_), _) => Stands::Decides,
    }
}

/// Answers that differ, and how.
pub fn difference(before: &Answers, after: &Answers) -> Vec<String> {
    let mut differ = Vec::new();
    for (asked, answer) in before {
        let now = after.get(asked);
        if now != Some(answer) {
            let text = |answer: Option<&Answer>| {
                answer.map(|answer| format!("{} {}", answer.status, answer.body)).unwrap_or_default()
            };
            let (before, after) = (text(Some(answer)), text(now));
            let same = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
            let from = |text: &str| {
                let bytes = text.as_bytes();
                String::from_utf8_lossy(&bytes[same.saturating_sub(60).min(bytes.len())..bytes.len().min(same + 120)])
                    .into_owned()
            };
            differ.push(format!("{} {asked}: {} / {}", &after[..after.len().min(3)], from(&before), from(&after)));
        }
    }
    differ
}

#[derive(Default)]
pub struct Tally {
    pub made: usize,
    pub copying: usize,
    pub before_a_start: usize,
    pub refused_starts: usize,
    pub named: usize,
    pub changed: usize,
    /// Of these, found by who read them; the others by the audit alone, or by a start that was refused.
    pub read: usize,
    pub by_the_audit: BTreeMap<String, usize>,
    pub copies: usize,
    pub not_editable: BTreeSet<String>,
    pub faults: Vec<String>,
}

impl Tally {
    pub fn judge(&mut self, (table, column): (&str, &str), edit: &Edit, seen: Seen) {
        self.made += 1;
        self.copying += usize::from(edit.way.copies());
        let what = &edit.what;
        let review = seen.review.unwrap_or_else(|error| {
            self.faults.push(format!("{what}: the audit does not come to an end: {error}"));
            Vec::new()
        });
        let is_named = is_named(table, edit, &review);
        let is_found = is_named || (seen.ledger.is_some() && table.starts_with("ledger"));
        let stands = stands(table, column, edit);
        self.named += usize::from(is_found);
        match stands {
            Stands::Decides if !is_named => {
                self.faults.push(format!("{what} {:?} is not named: {review:?}", edit.rows))
            }
            Stands::OfLedger if !is_found => self.faults.push(format!("{what} is not found")),
            Stands::Harmless if !seen.changed.is_empty() => {
                self.faults.push(format!("{what} is harmless and changed {:#?}", seen.changed));
            }
            _ => {}
        }
        if seen.changed.is_empty() {
            return;
        }
        self.changed += 1;
        // 503 says that something is wrong; so does a row that is set aside when it is read.
        if seen.changed.iter().all(|answer| answer.starts_with("503")) || is_named_so(table, edit, &seen.read) {
            self.read += 1;
        } else if is_found {
            let first = seen.changed.iter().find(|answer| !answer.starts_with("503")).cloned().unwrap_or_default();
            let first: String = first.chars().take(60).collect();
            *self.by_the_audit.entry(format!("{table}.{column} {:?}: {first}", edit.way)).or_default() += 1;
        } else {
            self.faults.push(format!("{what} changed unnoticed {:#?}", seen.changed));
        }
    }

    /// The gateway did not start on it.
    pub fn refused(&mut self, (table, column): (&str, &str), edit: &Edit, error: &str) {
        self.made += 1;
        self.copying += usize::from(edit.way.copies());
        self.refused_starts += 1;
        self.named += usize::from(error.contains(table));
        if stands(table, column, edit) == Stands::Harmless {
            self.faults.push(format!("{} is harmless, and the gateway does not start: {error}", edit.what));
        }
        let error: String = error.chars().take(100).collect();
        *self.by_the_audit.entry(format!("{table}.{column} {:?}: no start: {error}", edit.way)).or_default() += 1;
    }

    pub fn merge(&mut self, other: Self) {
        self.made += other.made;
        self.copying += other.copying;
        self.before_a_start += other.before_a_start;
        self.refused_starts += other.refused_starts;
        self.named += other.named;
        self.changed += other.changed;
        self.read += other.read;
        self.copies += other.copies;
        for (what, count) in other.by_the_audit {
            *self.by_the_audit.entry(what).or_default() += count;
        }
        self.not_editable.extend(other.not_editable);
        self.faults.extend(other.faults);
    }
}

/// By its own row or, where it hangs on another, by that; of what is gone or stands there again, by its table.
fn is_named(table: &str, edit: &Edit, names: &[RowName]) -> bool {
    let of_table = |name: &RowName| !edit.way.is_of_column() && name.row.contains(" rows of ");
    is_named_so(table, edit, names) || names.iter().any(|name| name.table == table && of_table(name))
}

fn is_named_so(table: &str, edit: &Edit, names: &[RowName]) -> bool {
    let parent = tables::by_name(table).and_then(|table| table.hangs_on).map(|(on, _)| on);
    names.iter().any(|name| {
        (name.table == table && edit.rows.contains(&name.row)) || parent.is_some_and(|parent| name.table == parent)
    })
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} edits, {} of them copying, {} before a start, which was refused {} times; {} named by an audit or by that; {} \
             changed an answer, {} of them noticed by who read, the others by the audit; {} faults; {} copies thrown away",
            self.made,
            self.copying,
            self.before_a_start,
            self.refused_starts,
            self.named,
            self.changed,
            self.read,
            self.faults.len(),
            self.copies
        )?;
        for (what, count) in &self.by_the_audit {
            writeln!(f, "  not by who read: {what} ({count})")?;
        }
        writeln!(f, "  cannot be edited: {:?}", self.not_editable)
    }
}
