//! Says of a row whether it is what the gateway wrote.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use super::{
    mark::{MARK, Mark, Marker, Tag, tag_of},
    name::RowName,
    notes::RowRemark,
    remembered::Remembered,
    row::{Row, Values, name_of},
    table::MarkedTable,
};
use crate::{keys::vault::Key, store::error::StoreError};

/// What a node needs to tell its own rows from others: the key of marks, and what memory remembers.
pub struct RowGuard {
    pub marker: Marker,
    pub remembered: Remembered,
    /// Whether other nodes write to the same database.
    is_shared: bool,
    suspects: Mutex<HashMap<u64, (Tag, u32)>>,
    refuted: Mutex<RefutedRows>,
    /// Records that could not be loaded, with the prefecture in which their rows lie.
    set_aside: Mutex<HashMap<uuid::Uuid, String>>,
}

/// So often a row that memory does not know is taken for news from another node.
const MAX_SUSPICIONS: u32 = 4;

#[derive(Default)]
struct RefutedRows {
    all: BTreeSet<RowName>,
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
            suspects: Mutex::default(),
            refuted: Mutex::default(),
            set_aside: Mutex::default(),
        }
    }

    /// Takes a row for what it is, if its mark is right and memory remembers it so.
    ///
    /// # Errors
    /// [`StoreError::Refuted`], which names the row; [`StoreError::Outdated`] where another node may have written it a moment
    /// ago.
    pub(in crate::store) fn check(&self, values: Values, mark: Option<&[u8]>) -> Result<Row, StoreError> {
        let row = self.check_mark(values, mark)?;
        let table = row.table();
        if table.is_remembered {
            let name = name_of(&row.values);
            let (key, tag) = (self.remembered.key(table.number, &name), tag_of(&row.mark));
            if !self.remembered.knows(table.number, key, tag) {
                return Err(if self.is_shared && self.suspect(key, tag) < MAX_SUSPICIONS {
                    StoreError::Outdated
                } else {
                    self.refute(table, name)
                });
            }
        }
        Ok(row)
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

    /// Counts how often a row was met so; memory learns of what other nodes write before a request is decided again.
    fn suspect(&self, key: u64, tag: Tag) -> u32 {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let met = suspects.entry(key).or_insert((tag, 0));
        if met.0 != tag {
            *met = (tag, 0);
        }
        met.1 += 1;
        met.1
    }

    /// A commit is under way that leaves rows so.
    pub fn announce(&self, remarks: &[RowRemark]) {
        self.remembered.announce(&self.keyed(remarks));
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
        let name = RowName { table: table.name, row };
        let mut refuted = self.refuted.lock().unwrap_or_else(PoisonError::into_inner);
        if refuted.all.insert(name.clone()) {
            tracing::error!(table = name.table, row = name.row, "a row is not what the gateway wrote; it is set aside");
            refuted.untold.push(name.clone());
        }
        StoreError::Refuted(Box::new(name))
    }

    /// Notes that a record is not in memory: it is not found, and whoever looks for it has to know.
    pub fn set_record_aside(&self, id: uuid::Uuid, prefecture: &str) {
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).insert(id, prefecture.to_owned());
    }

    /// Records that are not in memory, by the prefecture in which their rows lie.
    pub fn set_aside(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for prefecture in self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).values() {
            *counts.entry(prefecture.clone()).or_default() += 1;
        }
        counts
    }

    /// Every row that was found wrong since the start.
    pub fn refuted(&self) -> Vec<RowName> {
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).all.iter().cloned().collect()
    }

    /// Whether a row was found wrong.
    pub fn is_refuted(&self, table: &MarkedTable, row: &str) -> bool {
        let name = RowName { table: table.name, row: row.to_owned() };
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).all.contains(&name)
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
