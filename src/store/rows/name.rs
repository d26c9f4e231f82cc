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

/// In what a row differs from what the gateway wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    /// No mark of the gateway fits it: it was edited, added, or damaged.
    Edited,
    /// It is not there any more.
    Removed,
    /// It is as it was once.
    SetBack,
    /// It was removed by the gateway, and is there again.
    BroughtBack,
}

impl Differs {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited, added or damaged",
            Self::Removed => "removed",
            Self::SetBack => "set back",
            Self::BroughtBack => "brought back",
        }
    }
}
