//! What leaves without being record data: ids, codes, times and counts.

use serde::Serialize;
pub use tsunagi_derive::CarriesNoRecordData;
use uuid::Uuid;

use crate::journal::writer::Receipt;

/// A message of ids, codes, times and counts alone. Each type opts in by a derive beside its fields, where a reviewer can
/// see it.
pub trait CarriesNoRecordData: Serialize {
    /// The version of what was written, for `ETag`.
    fn version(&self) -> Option<i64> {
        None
    }

    /// Whether it was not done yet, and waits for a person.
    fn is_waiting(&self) -> bool {
        false
    }
}

/// What an operation did or found out, with the ledger entries that account for it. It holds no record data.
#[derive(Debug)]
pub struct Done<T> {
    value: T,
    /// `None` where nothing was to be accounted for.
    entries: Option<Vec<Uuid>>,
}

impl<T: CarriesNoRecordData> Done<T> {
    /// What was done, once its entries are durable.
    pub fn new(value: T, receipt: &Receipt) -> Self {
        Self { value, entries: Some(receipt.entries().to_vec()) }
    }

    /// A reply for which nothing has to be accounted.
    pub fn told(value: T) -> Self {
        Self { value, entries: None }
    }

    /// Another reply that the same entries account for.
    pub fn answering<U>(self, value: U) -> Done<U> {
        Done { value, entries: self.entries }
    }

    /// With the first of its entries alone, which represents the others.
    pub fn by_its_first_entry(mut self) -> Self {
        if let Some(entries) = &mut self.entries {
            entries.truncate(1);
        }
        self
    }

    /// Where it took no entry.
    pub fn without_entries(self) -> Self {
        Self { entries: None, ..self }
    }

    pub fn value(&self) -> &T {
        &self.value
    }

    /// Ids of the ledger entries; `None` where nothing was to be accounted for.
    pub fn entries(&self) -> Option<&[Uuid]> {
        self.entries.as_deref()
    }
}

/// A text without record data: a checkpoint, a table of numbers.
pub struct PlainText(pub(crate) String);

/// A table of texts without record data, for a spreadsheet: the names of its columns, and its rows.
pub struct Table {
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<String>>,
}

/// A file without record data: evidence of the ledger.
pub struct Archive {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Ledger entries that account for it.
    pub(crate) entries: Vec<Uuid>,
}
