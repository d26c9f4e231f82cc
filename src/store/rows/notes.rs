//! What one transaction has done to rows so far.

use std::{collections::BTreeMap, sync::Arc};

use data_encoding::BASE64URL_NOPAD;

use super::{
    guard::RowGuard,
    mark::{Mark, RowMove, Tag, tag_of},
    parts::{WholeKey, WholeState, bearer_of},
    remembered::ReadWhen,
    row::{Values, name_of},
    sums::Sums,
    table::MarkedTable,
};
use crate::store::error::StoreError;

/// What a transaction made of a row.
#[derive(Clone)]
struct Moved {
    old: Option<Mark>,
    new: Option<Mark>,
    owner: Option<String>,
}

/// What one transaction has done to rows so far. An effect that is undone takes its notes with it.
#[derive(Clone, Default)]
pub struct RowNotes {
    guard: Option<Arc<RowGuard>>,
    when: ReadWhen,
    pub(super) sums: Sums,
    /// Rows that memory remembers, as this transaction found and leaves them.
    moved: BTreeMap<(u8, String), Moved>,
    pub(super) wholes: BTreeMap<WholeKey, WholeState>,
}

impl RowNotes {
    pub fn guarded_by(guard: Option<Arc<RowGuard>>) -> Self {
        Self { guard, ..Self::default() }
    }

    /// Says when what is read from here on is read; returns what was said before.
    pub(crate) fn read_when(&mut self, when: ReadWhen) -> ReadWhen {
        std::mem::replace(&mut self.when, when)
    }

    pub(super) fn when(&self) -> ReadWhen {
        self.when
    }

    pub(in crate::store) fn guard(&self) -> Result<Arc<RowGuard>, StoreError> {
        self.guard.clone().ok_or(StoreError::Unguarded)
    }

    pub(super) fn added(&mut self, guard: &RowGuard, values: &Values, mark: Mark) {
        self.sums.add(values.table, guard.marker.share(&mark));
        self.remark(values, None, Some(mark));
    }

    pub(super) fn replaced(&mut self, guard: &RowGuard, values: &Values, (old, new): (Mark, Mark)) {
        self.sums.take_away(values.table, guard.marker.share(&old));
        self.sums.add(values.table, guard.marker.share(&new));
        self.remark(values, Some(old), Some(new));
    }

    pub(super) fn removed(&mut self, guard: &RowGuard, values: &Values, mark: Mark) {
        self.sums.take_away(values.table, guard.marker.share(&mark));
        self.remark(values, Some(mark), None);
    }

    fn remark(&mut self, values: &Values, old: Option<Mark>, new: Option<Mark>) {
        if values.table.is_remembered {
            let moved = self.moved.entry((values.table.number, name_of(values)));
            let moved = moved.or_insert(Moved { old, new, owner: None });
            moved.new = new;
            moved.owner = values.text("owner").map(str::to_owned);
        }
        if let Ok(Some((bearer, id))) = bearer_of(values) {
            let parts = &mut self.wholes.entry((bearer.number, id)).or_default().parts;
            let name = (values.table.number, name_of(values));
            match new {
                Some(mark) => parts.insert(name, mark),
                None => parts.remove(&name),
            };
        }
    }

    /// The mark of a row as this transaction left it, where it wrote it.
    pub(super) fn written(&self, table: &MarkedTable, name: &str) -> Option<Option<Mark>> {
        self.moved.get(&(table.number, name.to_owned())).map(|moved| moved.new)
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
        let remark = |((table, row), moved): (&(u8, String), &Moved)| RowRemark {
            table: *table,
            row: row.clone(),
            tag: moved.new.as_ref().map(tag_of),
        };
        self.moved.iter().map(remark).collect()
    }

    /// What the ledger keeps of the rows that memory remembers.
    pub fn moves(&self) -> Vec<RowMove> {
        let changed = self.moved.iter().filter(|(_, moved)| moved.old != moved.new);
        let told = changed.map(|((table, row), Moved { old, new, owner })| RowMove {
            table: *table,
            row: row.clone(),
            old: *old,
            new: *new,
            owner: owner.clone(),
        });
        told.collect()
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
    /// As other nodes read it: `6/NAME=0123456789abcdef`, `-` in place of the tag of a row that is gone. The name may hold
    /// anything that somebody typed, and is in base64url.
    pub fn to_text(&self) -> String {
        let tag = self.tag.map_or_else(|| "-".to_owned(), |tag| format!("{tag:016x}"));
        format!("{}/{}={tag}", self.table, BASE64URL_NOPAD.encode(self.row.as_bytes()))
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, tag) = text.rsplit_once('=')?;
        let (table, row) = place.split_once('/')?;
        let tag = if tag == "-" { None } else { Some(Tag::from_str_radix(tag, 16).ok()?) };
        let row = String::from_utf8(BASE64URL_NOPAD.decode(row.as_bytes()).ok()?).ok()?;
        Some(Self { table: table.parse().ok()?, row, tag })
    }
}
