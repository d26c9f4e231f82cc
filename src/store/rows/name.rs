//! How a row is named in words: in the log, in errors, in the ledger.

/// A row by its table and the values of its key: ids and codes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct RowName {
    pub table: &'static str,
    pub row: String,
}

impl std::fmt::Display for RowName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.table, self.row)
    }
}
