//! Whether the ledger bears out that a list of records may be disposed of.
//!
//! A row that says so is not enough: a key that is destroyed does not come back. The ledger must hold that the list was
//! asked for and approved, by two persons of the bodies that may lend them, each record by name; that the waiting time
//! is over since the approval; and that nobody withdrew it. Each entry that counts carries a mark made with a key that
//! the database does not have, and one of the node's own log is the leaf that memory holds at its position.

use std::sync::{PoisonError, RwLock};

use time::Duration;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    domain::{
        disposal::{Disposal, DisposalState},
        registry::Registry,
    },
    ledger::{
        entry::{Act, Entry, Outcome},
        merkle::{MerkleTree, leaf_hash},
    },
    planted::Planted,
    store::{
        self,
        disposals::Listed,
        error::StoreError,
        ledger::{StoredEntry, entries_between},
        rows::{guard::RowGuard, tables::DISPOSALS},
        tx::Tx,
    },
};

/// Entries read at a time.
const PAGE: u32 = 1_000;
/// By so much the clocks of two nodes may differ.
const CLOCKS_APART: Duration = Duration::hours(1);
/// Nothing is destroyed within this after its approval, however short the lists of today wait.
const SHORTEST_WAIT: Duration = Duration::days(1);

/// What a list is held against.
pub struct Grounds<'a> {
    pub guard: &'a RowGuard,
    pub registry: &'a Registry,
    /// The node's own log, once memory holds it.
    pub own: Option<(&'a str, &'a RwLock<MerkleTree>)>,
    /// How long a list waits after its approval.
    pub wait: Duration,
    pub now: Timestamp,
}

/// What the ledger says of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Borne {
    Out,
    /// The waiting time is not over.
    TooEarly,
    /// The ledger does not know what the list says; why.
    Unfounded(&'static str),
}

/// A part of what a list says, which the ledger does not bear out.
struct Unfounded(&'static str);

impl Grounds<'_> {
    /// Whether the ledger bears a list out. One that is unfounded is set aside, as a row that is not what the gateway
    /// wrote: the log names it, operator and body are told, and it is not looked at again before the next start.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bears_out(&self, tx: &mut Tx, listed: &Listed) -> Result<bool, StoreError> {
        let id = listed.disposal.id;
        if self.guard.is_refuted(&DISPOSALS, &id.to_string()) && !Planted::BelieveTheList.is_planted() {
            return Ok(false);
        }
        let borne = self.look(tx, listed).await?;
        if let Borne::Unfounded(why) = borne {
            tracing::error!(disposal = %id, why, "the ledger does not bear a disposal out: nothing of it is destroyed");
            self.guard.refute(&DISPOSALS, id.to_string());
        }
        Ok(borne == Borne::Out)
    }

    /// Those of some lists that the ledger bears out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn of_those(&self, tx: &mut Tx, lists: Vec<Listed>) -> Result<Vec<Listed>, StoreError> {
        let mut borne_out = Vec::with_capacity(lists.len());
        for listed in lists {
            if self.bears_out(tx, &listed).await? {
                borne_out.push(listed);
            }
        }
        Ok(borne_out)
    }

    /// Holds a list against the ledger. One that still waits is not looked up: the ledger of a body is long.
    ///
    /// # Errors
    /// The database failed.
    pub async fn look(&self, tx: &mut Tx, listed: &Listed) -> Result<Borne, StoreError> {
        if Planted::BelieveTheList.is_planted() {
            return Ok(Borne::Out);
        }
        let disposal = &listed.disposal;
        let waits_until = disposal.waits_until(self.wait).filter(|_| !Planted::DisposeAtOnce.is_planted());
        if waits_until.is_some_and(|until| self.now < until) {
            return Ok(Borne::TooEarly);
        }
        if is_of_before(disposal) && is_any_there(tx, listed).await? {
            return Ok(Borne::Unfounded("a record that is still there"));
        }
        let said = ListEntries { grounds: self, listed, entries: self.entries_about(tx, disposal).await? };
        Ok(match said.decide() {
            Ok(approved_at) if !Planted::DisposeAtOnce.is_planted() && !self.has_waited(listed, approved_at) => {
                Borne::TooEarly
            }
            Ok(_) => Borne::Out,
            Err(Unfounded(why)) => Borne::Unfounded(why),
        })
    }

    /// Counted from the entry of the approval, and never less than the owner was told. What was carried out had waited
    /// as long as lists did then.
    fn has_waited(&self, listed: &Listed, approved_at: Timestamp) -> bool {
        let told = listed.disposal.destroyed_after.unwrap_or(approved_at);
        let wait = match listed.disposal.state {
            DisposalState::Approved => self.wait,
            _ => self.wait.min(SHORTEST_WAIT),
        };
        approved_at.plus(wait).max(told) <= self.now
    }

    /// Entries of all logs that name the list, from its asking on.
    async fn entries_about(&self, tx: &mut Tx, disposal: &Disposal) -> Result<Vec<(StoredEntry, Entry)>, StoreError> {
        let until = disposal.destroyed_at.unwrap_or(self.now).plus(CLOCKS_APART).first_id();
        let mut after = disposal.asked_at.plus(-CLOCKS_APART).first_id();
        let (subject, mut about) = (disposal.id.to_string(), Vec::new());
        loop {
            let page = entries_between(tx, &disposal.organization, (after, until), PAGE).await?;
            let Some(last) = page.last() else { return Ok(about) };
            after = last.id;
            about.extend(page.into_iter().filter_map(|stored| {
                let entry = Entry::from_bytes(&stored.body)?;
                (entry.subject.as_deref() == Some(subject.as_str())).then_some((stored, entry))
            }));
        }
    }

    /// Whether an entry is what a gateway wrote.
    fn is_genuine(&self, (stored, entry): &(StoredEntry, Entry), of_before: bool, stands_for: &[u8]) -> bool {
        let marked = match &entry.mark {
            Some(_) => entry.has_mark(&self.guard.marker.of_entry(entry, stands_for)),
            // Entries from before there were marks carry none; then the list is from before as well.
            None => of_before,
        };
        marked && stored.columns_match() && self.is_leaf(stored)
    }

    /// Whether an entry of the node's own log is at its place in the tree. Another node holds its own tree against its
    /// log.
    fn is_leaf(&self, stored: &StoredEntry) -> bool {
        match self.own {
            Some((node, tree)) if node == stored.node => {
                let tree = tree.read().unwrap_or_else(PoisonError::into_inner);
                let at = usize::try_from(stored.position).ok();
                at.and_then(|at| tree.leaves().get(at)) == Some(&leaf_hash(&stored.body))
            }
            _ => true,
        }
    }
}

/// Approved before there was a waiting time: the records were removed with the approval, and no entry carried a mark.
fn is_of_before(disposal: &Disposal) -> bool {
    disposal.destroyed_after.is_none() && disposal.state != DisposalState::Approved
}

/// Whether a record on a list is there, or a row of its name that is not what the gateway wrote.
async fn is_any_there(tx: &mut Tx, listed: &Listed) -> Result<bool, StoreError> {
    for (record, _) in &listed.records {
        match store::records::find(tx, *record).await {
            Ok(None) => {}
            Ok(Some(_)) | Err(StoreError::Refuted(_)) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// What the ledger says of one list.
struct ListEntries<'a> {
    grounds: &'a Grounds<'a>,
    listed: &'a Listed,
    entries: Vec<(StoredEntry, Entry)>,
}

impl ListEntries<'_> {
    /// When the list was approved, where everything else is as it must be.
    fn decide(&self) -> Result<Timestamp, Unfounded> {
        if self.listed.records.is_empty() {
            return Err(Unfounded("it names no record"));
        }
        if self.entries.iter().any(|(_, entry)| entry.act == Act::DisposalWithdraw && entry.outcome == Outcome::Done) {
            return Err(Unfounded("it was withdrawn"));
        }
        let asked: Vec<&Entry> = self.of(Act::DisposalAsk, None, &[]).collect();
        let approved = self.of(Act::DisposalApprove, None, &[]).last().ok_or(Unfounded("no entry of the approval"))?;
        self.two_persons(&asked, approved)?;
        for (record, _) in &self.listed.records {
            self.of(Act::DisposalAsk, Some(*record), &[]).next().ok_or(Unfounded("a record that nobody asked for"))?;
            let approval = self.of(Act::DisposalApprove, Some(*record), &[]).next();
            approval.ok_or(Unfounded("a record that nobody approved"))?;
        }
        self.carried_out()?;
        Timestamp::from_rfc3339(&approved.at).ok_or(Unfounded("the approval has no time"))
    }

    /// Genuine entries of what was done about the list, or about one record on it.
    fn of<'s>(&'s self, act: Act, record: Option<Uuid>, stands_for: &'s [u8]) -> impl Iterator<Item = &'s Entry> {
        let wanted = move |entry: &Entry| entry.act == act && entry.outcome == Outcome::Done && entry.record == record;
        let is_genuine = move |found: &&'s (StoredEntry, Entry)| {
            wanted(&found.1) && self.grounds.is_genuine(found, is_of_before(&self.listed.disposal), stands_for)
        };
        self.entries.iter().filter(is_genuine).map(|(_, entry)| entry)
    }

    /// Somebody of the body asked; two persons stand for it, at least one of them of the body, and the other of the
    /// body or of its center or prefecture.
    fn two_persons(&self, asked: &[&Entry], approved: &Entry) -> Result<(), Unfounded> {
        let body = self.listed.disposal.organization.as_str();
        if !asked.iter().any(|asked| asked.organization == body) {
            return Err(Unfounded("no entry of the asking"));
        }
        // Where a case system asked, the first person confirmed it; else whoever asked at a desk is the first.
        let confirmed: Vec<&Entry> = self.of(Act::SharpActConfirm, None, &[]).collect();
        let first = if confirmed.is_empty() { asked } else { &confirmed };
        let is_other =
            |first: &&&Entry| (&first.organization, &first.officer) != (&approved.organization, &approved.officer);
        let stands =
            |first: &&&Entry| self.may_stand(first) && (first.organization == body || approved.organization == body);
        if self.may_stand(approved) && first.iter().filter(is_other).any(|first| stands(&first)) {
            Ok(())
        } else {
            Err(Unfounded("no entries of two persons who may stand for it"))
        }
    }

    fn may_stand(&self, entry: &Entry) -> bool {
        let (body, registry) = (&self.listed.disposal.organization, self.grounds.registry);
        let center = || {
            let day = Timestamp::from_rfc3339(&entry.at)?.day_in_japan();
            registry.center_of(body, day).cloned()
        };
        let is = |code: String| *entry.organization == code;
        is(body.to_string())
            || center().is_some_and(|center| is(center.to_string()))
            || registry.prefecture_of(body).is_some_and(|prefecture| is(prefecture.to_string()))
    }

    /// Where the records are removed, the ledger says so of each, and of the secret that goes with it.
    fn carried_out(&self) -> Result<(), Unfounded> {
        if is_of_before(&self.listed.disposal) || self.listed.disposal.state == DisposalState::Approved {
            return Ok(());
        }
        for (record, slot) in &self.listed.records {
            let slot = slot.ok_or(Unfounded("a record without its secret"))?.to_be_bytes();
            let removed = self.of(Act::DisposalCarryOut, Some(*record), &slot).next();
            removed.ok_or(Unfounded("a record that was not removed, or not with this secret"))?;
        }
        Ok(())
    }
}
