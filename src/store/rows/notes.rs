//! What one transaction has done to rows so far.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    guard::RowGuard,
    mark::{Mark, Tag, tag_of},
    row::{Values, name_of},
    sums::Sums,
    table::MarkedTable,
};
use crate::store::error::StoreError;

/// A row with parts, as far as this transaction has to do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WholeState {
    /// What hangs on it is what its mark says.
    Checked,
    /// Something that hangs on it was changed; its mark is not yet.
    Changed,
}

/// What one transaction has done to rows so far. An effect that is undone takes its notes with it.
#[derive(Clone, Default)]
pub struct RowNotes {
    guard: Option<Arc<RowGuard>>,
    pub(super) sums: Sums,
    /// Rows that memory remembers, as this transaction leaves them.
    remarks: BTreeMap<(u8, String), Option<Mark>>,
    pub(super) wholes: BTreeMap<(u8, String), WholeState>,
}

impl RowNotes {
    pub fn guarded_by(guard: Option<Arc<RowGuard>>) -> Self {
        Self { guard, ..Self::default() }
    }

    pub(in crate::store) fn guard(&self) -> Result<Arc<RowGuard>, StoreError> {
        self.guard.clone().ok_or(StoreError::Unguarded)
    }

    pub(super) fn added(&mut self, guard: &RowGuard, values: &Values, mark: Mark) {
        self.sums.add(values.table, guard.marker.share(&mark));
        self.remark(values, Some(mark));
    }

    pub(super) fn replaced(&mut self, guard: &RowGuard, values: &Values, (old, new): (Mark, Mark)) {
        self.sums.take_away(values.table, guard.marker.share(&old));
        self.sums.add(values.table, guard.marker.share(&new));
        self.remark(values, Some(new));
    }

    pub(super) fn removed(&mut self, guard: &RowGuard, values: &Values, mark: Mark) {
        self.sums.take_away(values.table, guard.marker.share(&mark));
        self.remark(values, None);
    }

    fn remark(&mut self, values: &Values, mark: Option<Mark>) {
        if values.table.is_remembered {
            self.remarks.insert((values.table.number, name_of(values)), mark);
        }
    }

    /// The mark of a row as this transaction left it, where it wrote it.
    pub(super) fn written(&self, table: &MarkedTable, name: &str) -> Option<Option<Mark>> {
        self.remarks.get(&(table.number, name.to_owned())).copied()
    }

    /// Takes in what others write in this transaction.
    pub fn merge(&mut self, sums: &Sums) {
        self.sums.merge(sums);
    }

    /// What the transaction changes of the sums.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// What memory will remember once this is committed.
    pub fn remarks(&self) -> Vec<RowRemark> {
        let remark = |((table, row), mark): (&(u8, String), &Option<Mark>)| RowRemark {
            table: *table,
            row: row.clone(),
            tag: mark.as_ref().map(tag_of),
        };
        self.remarks.iter().map(remark).collect()
    }
}

/// What has become of a row that memory remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowRemark {
    /// Number of its table.
    pub table: u8,
    pub row: String,
    /// `None` where it is gone.
    pub tag: Option<Tag>,
}

impl RowRemark {
    /// As other nodes read it: `6/ID=0123456789abcdef`, `-` in place of the tag of a row that is gone.
    pub fn to_text(&self) -> String {
        let tag = self.tag.map_or_else(|| "-".to_owned(), |tag| format!("{tag:016x}"));
        format!("{}/{}={tag}", self.table, self.row)
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, tag) = text.rsplit_once('=')?;
        let (table, row) = place.split_once('/')?;
        let tag = if tag == "-" { None } else { Some(Tag::from_str_radix(tag, 16).ok()?) };
        Some(Self { table: table.parse().ok()?, row: row.to_owned(), tag })
    }
}
