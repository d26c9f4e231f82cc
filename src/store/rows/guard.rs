//! Says of a row whether it is what the gateway wrote.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use uuid::Uuid;

use super::{
    mark::{MARK, Mark, Marker, Tag, tag_of},
    name::{Differs, RowName},
    notes::RowRemark,
    remembered::{ReadWhen, Remembered},
    row::{Row, Values, name_of},
    table::MarkedTable,
    tables::RECORDS,
};
use crate::{domain::organization::OrganizationCode, keys::vault::Key, store::error::StoreError};

/// What a node needs to tell its own rows from others: the key of marks, and what memory remembers.
pub struct RowGuard {
    pub marker: Marker,
    pub remembered: Remembered,
    /// Whether other nodes write to the same database.
    is_shared: bool,
    rounds: Rounds,
    /// What was met in a state that memory does not know, with the round that had begun last.
    suspects: Mutex<HashMap<(u64, Option<Tag>), u64>>,
    refuted: Mutex<RefutedRows>,
    /// Records that could not be loaded.
    set_aside: Mutex<HashMap<Uuid, RecordAside>>,
    /// Rows that should be there and are not.
    removed: Mutex<BTreeSet<RowName>>,
}

/// Suspicions that are kept; one that is forgotten begins anew.
const MAX_SUSPICIONS: usize = 10_000;

/// Rounds in which memory takes in what other nodes committed, from 1.
#[derive(Default)]
struct Rounds {
    begun: AtomicU64,
    done: AtomicU64,
}

/// A record that could not be loaded: where its rows lie, and whose it is where that is known for sure.
struct RecordAside {
    prefecture: String,
    owner: Option<OrganizationCode>,
}

#[derive(Default)]
struct RefutedRows {
    all: BTreeMap<RowName, Differs>,
    /// Those of which nobody was told yet.
    untold: Vec<RowName>,
}

impl RowGuard {
    pub fn new(key: &Key, is_shared: bool) -> Self {
        let (marker, remembered) = (Marker::new(key), Remembered::default());
        Self {
            marker,
            remembered,
            is_shared,
            rounds: Rounds::default(),
            suspects: Mutex::default(),
            refuted: Mutex::default(),
            set_aside: Mutex::default(),
            removed: Mutex::default(),
        }
    }

    /// Takes a row for what it is, if its mark is right and memory remembers it so.
    ///
    /// # Errors
    /// [`StoreError::Refuted`], which names the row; [`StoreError::Outdated`] where another node may have written it a moment
    /// ago.
    pub fn check(&self, values: Values, mark: Option<&[u8]>, when: ReadWhen) -> Result<Row, StoreError> {
        let row = self.check_mark(values, mark)?;
        if row.table().is_remembered {
            self.check_memory(row.table(), name_of(&row.values), Some(tag_of(&row.mark)), when)?;
        }
        Ok(row)
    }

    /// Takes that a row is not there, if memory remembers none.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(super) fn check_absent(&self, table: &MarkedTable, name: String, when: ReadWhen) -> Result<(), StoreError> {
        self.check_memory(table, name, None, when)
    }

    fn check_memory(
        &self,
        table: &MarkedTable,
        name: String,
        tag: Option<Tag>,
        when: ReadWhen,
    ) -> Result<(), StoreError> {
        let key = self.remembered.key(table.number, &name);
        let differs = match tag {
            Some(tag) if self.remembered.is_wrong(key, tag) => {
                return Err(self.refute_as(table, name, Differs::SetBack));
            }
            Some(_) => Differs::SetBack,
            None => Differs::Removed,
        };
        if self.remembered.knows(table.number, key, tag, when) {
            return Ok(());
        }
        let may_be_news = self.is_shared && when == ReadWhen::AtSomeTime && !self.is_convicted(key, tag);
        Err(if may_be_news { StoreError::Outdated } else { self.refute_as(table, name, differs) })
    }

    /// Takes a row, if its mark is right.
    ///
    /// # Errors
    /// [`StoreError::Refuted`].
    pub(super) fn check_mark(&self, values: Values, mark: Option<&[u8]>) -> Result<Row, StoreError> {
        let right = self.marker.mark(&values);
        if mark == Some(right.as_slice()) {
            Ok(Row { values, mark: right })
        } else {
            Err(self.refute(values.table, name_of(&values)))
        }
    }

    /// Whether a row is still in a state that memory does not know after a whole round that began when it had been met so:
    /// what another node wrote would be known by then.
    fn is_convicted(&self, key: u64, tag: Option<Tag>) -> bool {
        let done = self.rounds.done.load(Ordering::SeqCst);
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.len() >= MAX_SUSPICIONS {
            suspects.clear();
        }
        let met_in = *suspects.entry((key, tag)).or_insert_with(|| self.rounds.begun.load(Ordering::SeqCst));
        met_in < done
    }

    /// A round begins in which memory takes in what other nodes committed; returns its number.
    pub fn begin_round(&self) -> u64 {
        self.rounds.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Memory holds what was committed when that round began.
    pub fn end_round(&self, round: u64) {
        self.rounds.done.fetch_max(round, Ordering::SeqCst);
    }

    /// A commit is under way that leaves rows so.
    pub fn announce(&self, remarks: &[RowRemark]) {
        self.remembered.announce(&self.keyed(remarks));
    }

    /// Some node committed these, and memory is about to take them in.
    pub fn announce_committed(&self, remarks: &[RowRemark]) {
        self.remembered.announce_committed(&self.keyed(remarks));
    }

    /// It holds.
    pub fn settle(&self, remarks: &[RowRemark]) {
        self.remembered.settle(&self.keyed(remarks));
    }

    fn keyed(&self, remarks: &[RowRemark]) -> Vec<(u64, Option<Tag>)> {
        remarks.iter().map(|remark| (self.remembered.key(remark.table, &remark.row), remark.tag)).collect()
    }

    /// Notes a row that is not what the gateway wrote.
    pub fn refute(&self, table: &MarkedTable, row: String) -> StoreError {
        self.refute_as(table, row, Differs::Edited)
    }

    /// The same, and in what it differs.
    pub fn refute_as(&self, table: &MarkedTable, row: String, how: Differs) -> StoreError {
        let name = RowName { table: table.name, row };
        self.refute_name(name.clone(), how);
        StoreError::Refuted(Box::new(name))
    }

    /// The same of what has no mark of its own.
    pub fn refute_name(&self, name: RowName, how: Differs) {
        let mut refuted = self.refuted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = refuted.all.insert(name.clone(), how).is_some();
        if !is_known {
            let (table, row, how) = (name.table, &name.row, how.as_str());
            tracing::error!(table, row, how, "a row is not what the gateway wrote; it is set aside");
            refuted.untold.push(name);
        }
    }

    /// Notes that a row which should be there is not.
    pub(super) fn note_removed(&self, table: &MarkedTable, row: &str) {
        let name = RowName { table: table.name, row: row.to_owned() };
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }

    /// Names of the rows of a table that should be there and are not.
    pub fn removed(&self, table: &MarkedTable) -> Vec<String> {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.iter().filter(|name| name.table == table.name).map(|name| name.row.clone()).collect()
    }

    /// In what a row that was found wrong differs from what the gateway wrote.
    pub fn differs(&self, name: &RowName) -> Option<Differs> {
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).all.get(name).copied()
    }

    /// Notes that a record is not in memory: it is not found, and whoever looks for it has to know. Its owner is given where
    /// that is known for sure.
    pub fn set_record_aside(&self, id: Uuid, prefecture: &str, owner: Option<OrganizationCode>) {
        let mut set_aside = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        if owner.is_none() && set_aside.contains_key(&id) {
            return;
        }
        set_aside.insert(id, RecordAside { prefecture: prefecture.to_owned(), owner });
    }

    /// What an owner is told of a record that is not in memory; `None` for everybody else.
    pub fn set_aside_from(&self, id: Uuid, owner: &OrganizationCode) -> Option<StoreError> {
        let set_aside = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        let is_theirs = set_aside.get(&id)?.owner.as_ref() == Some(owner);
        is_theirs.then(|| StoreError::Refuted(Box::new(RowName { table: RECORDS.name, row: id.to_string() })))
    }

    /// How many records of an owner are not in memory.
    pub fn count_set_aside_from(&self, owner: &OrganizationCode) -> usize {
        let set_aside = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        set_aside.values().filter(|aside| aside.owner.as_ref() == Some(owner)).count()
    }

    /// Notes that a record is in memory again, or gone for good.
    pub fn take_record_back(&self, id: uuid::Uuid) {
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Records that are not in memory, by the prefecture in which their rows lie.
    pub fn set_aside(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for RecordAside { prefecture, .. } in self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).values() {
            *counts.entry(prefecture.clone()).or_default() += 1;
        }
        counts
    }

    /// There never was such a record, or it is gone: nobody misses it.
    pub(super) fn forget_set_aside(&self, id: Uuid) {
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Every row that was found wrong since the start.
    pub fn refuted(&self) -> Vec<RowName> {
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).all.keys().cloned().collect()
    }

    /// Whether a row was found wrong.
    pub fn is_refuted(&self, table: &MarkedTable, row: &str) -> bool {
        let name = RowName { table: table.name, row: row.to_owned() };
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).all.contains_key(&name)
    }

    /// Forgets what was found: somebody has put the rows right.
    pub fn forget_refuted(&self) {
        *self.refuted.lock().unwrap_or_else(PoisonError::into_inner) = RefutedRows::default();
    }

    /// Nobody could be told of these.
    pub fn put_back_untold(&self, names: Vec<RowName>) {
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).untold.extend(names);
    }

    /// Those of which nobody was told yet; they count as told.
    pub fn take_untold(&self) -> Vec<RowName> {
        std::mem::take(&mut self.refuted.lock().unwrap_or_else(PoisonError::into_inner).untold)
    }
}

/// A mark as a column holds it.
pub(super) fn mark_of(column: Option<&[u8]>) -> Option<Mark> {
    column.and_then(|bytes| bytes.try_into().ok()).filter(|mark: &Mark| mark.len() == MARK)
}
