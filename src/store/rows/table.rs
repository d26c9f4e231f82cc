//! What a table and its columns are to the authentication of rows.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Id,
    Text,
    Int,
    Bytes,
}

/// What rests on a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It names the row.
    Key,
    /// It decides something, or is shown to somebody: the mark covers it.
    Decides,
    /// Something else finds an edit of it, as the reason says.
    Elsewhere(&'static str),
    /// An edit of it changes no answer to anybody, for the reason given.
    Harmless(&'static str),
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
    pub weight: Weight,
    /// Whether a row is looked for by it too: what a table is partitioned by.
    pub locates: bool,
}

impl Column {
    const fn of(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, weight: Weight::Decides, locates: false }
    }

    pub const fn key(mut self) -> Self {
        self.weight = Weight::Key;
        self.locates = true;
        self
    }

    /// The prefecture in whose partition the row lies.
    pub const fn place(mut self) -> Self {
        self.locates = true;
        self
    }

    pub const fn elsewhere(mut self, reason: &'static str) -> Self {
        self.weight = Weight::Elsewhere(reason);
        self
    }

    pub const fn harmless(mut self, reason: &'static str) -> Self {
        self.weight = Weight::Harmless(reason);
        self
    }

    /// Whether the mark covers it.
    pub const fn is_marked(&self) -> bool {
        matches!(self.weight, Weight::Key | Weight::Decides)
    }
}

pub const fn id(name: &'static str) -> Column {
    Column::of(name, ColumnKind::Id)
}

pub const fn text(name: &'static str) -> Column {
    Column::of(name, ColumnKind::Text)
}

pub const fn int(name: &'static str) -> Column {
    Column::of(name, ColumnKind::Int)
}

pub const fn bytes(name: &'static str) -> Column {
    Column::of(name, ColumnKind::Bytes)
}

/// A table whose rows are authenticated.
#[derive(Debug)]
pub struct MarkedTable {
    /// Number in the sums; it is never given again.
    pub number: u8,
    pub name: &'static str,
    pub columns: &'static [Column],
    /// The table on one row of which each row hangs, and the column that names it.
    pub hangs_on: Option<(&'static str, &'static str)>,
    /// Whether memory remembers the mark of each row, so that one which is set back is found when it is read.
    pub is_remembered: bool,
}

impl PartialEq for MarkedTable {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for MarkedTable {}

impl MarkedTable {
    pub const fn new(number: u8, name: &'static str, columns: &'static [Column]) -> Self {
        Self { number, name, columns, hangs_on: None, is_remembered: false }
    }

    /// Each row is part of a row of another table.
    pub const fn hanging_on(mut self, table: &'static str, column: &'static str) -> Self {
        self.hangs_on = Some((table, column));
        self
    }

    pub const fn remembered(mut self) -> Self {
        self.is_remembered = true;
        self
    }

    /// Where a column stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Names of the columns, with commas.
    pub fn column_names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// Whether other rows hang on its rows: the mark covers them as `parts`.
    pub fn has_parts(&self) -> bool {
        self.position("parts").is_some()
    }
}
