//! Ways to edit a row of which a column is drawn. Half of them copy what other rows have, or what stood there once.

use std::collections::BTreeMap;

use tsunagi::store::rows::{
    table::{ColumnKind, Weight},
    tables,
};

use super::super::database::Database;

/// Numbers by chance, the same each time (SplitMix64).
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// What is done to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The column has what another row has there.
    Copied,
    /// The column is that of another row, and the other has that of this one.
    Swapped,
    /// Everything but the key is another row's, its mark too.
    CopiedWhole,
    /// The column has what it had once.
    Older,
    /// The row is what it was once, its mark too.
    OlderRow,
    /// A row that was removed is there again, its mark too.
    BroughtBack,
    /// The row is there again under another key, its mark too.
    Doubled,
    /// The column has another value.
    Other,
    /// The column is empty.
    Empty,
    /// The column has what somebody makes up.
    MadeUp,
    /// The row is removed.
    Removed,
}

const COPYING: [Way; 10] = [
    Way::Copied,
    Way::Copied,
    Way::Copied,
    Way::Older,
    Way::Older,
    Way::Swapped,
    Way::CopiedWhole,
    Way::OlderRow,
    Way::BroughtBack,
    Way::Doubled,
];
const MAKING: [Way; 8] =
    [Way::Other, Way::Other, Way::Other, Way::Other, Way::Other, Way::Empty, Way::MadeUp, Way::Removed];

impl Way {
    pub fn copies(self) -> bool {
        COPYING.contains(&self)
    }

    /// Whether it is an edit of the drawn column alone.
    pub fn is_of_column(self) -> bool {
        matches!(self, Self::Copied | Self::Swapped | Self::Older | Self::Other | Self::Empty | Self::MadeUp)
    }
}

/// A row as it stood, as literals, and where.
#[derive(Clone)]
struct Image {
    place: String,
    literals: Vec<String>,
}

enum Step {
    Set { place: String, columns: Vec<(String, String)> },
    Insert(Image),
    Delete { place: String },
}

/// What was done, and how it is undone.
pub struct Edit {
    pub way: Way,
    pub what: String,
    /// Keys of the rows that were touched, as a row is named by them.
    pub rows: Vec<String>,
    undo: Vec<Step>,
}

/// The tables of a database, in the hands of whoever owns it, and as they were at the half of a life.
pub struct Tables {
    pub database: Database,
    columns: BTreeMap<String, Vec<String>>,
}

impl Tables {
    pub async fn of(mut database: Database) -> Self {
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, column) in database.columns().await {
            columns.entry(table).or_default().push(column);
        }
        Self { database, columns }
    }

    /// Every column of every table.
    pub fn all(&self) -> Vec<(String, String)> {
        let pairs = |(table, columns): (&String, &Vec<String>)| {
            columns.iter().map(|column| (table.clone(), column.clone())).collect::<Vec<_>>()
        };
        self.columns.iter().flat_map(pairs).collect()
    }

    /// Edits a row by chance: copying where it shall, if it can. `None` where the column cannot be edited at all.
    pub async fn edit(&mut self, table: &str, column: &str, copies: bool, draw: &mut Draw) -> Option<Edit> {
        for copies in [copies, !copies] {
            let mut ways = if copies { COPYING.to_vec() } else { MAKING.to_vec() };
            while !ways.is_empty() {
                let way = ways.swap_remove(draw.below(ways.len()));
                let begin = if matches!(self.database, Database::Sqlite(_)) { "BEGIN IMMEDIATE" } else { "BEGIN" };
                self.database.run(begin).await.unwrap();
                let edit = self.try_way(way, table, column, draw).await;
                let end = if edit.is_some() { "COMMIT" } else { "ROLLBACK" };
                if self.database.run(end).await.is_ok() && edit.is_some() {
                    return edit;
                }
            }
        }
        None
    }

    async fn try_way(&mut self, way: Way, table: &str, column: &str, draw: &mut Draw) -> Option<Edit> {
        let from = self.drawn(way, table, column, draw).await?;
        let at = self.columns[table].iter().position(|name| name == column)?;
        let mut edit = Edit {
            way,
            what: format!("{table}.{column} {way:?}"),
            rows: vec![self.name(table, &from.literals)],
            undo: Vec::new(),
        };
        match way {
            Way::Removed => {
                self.step(table, &Step::Delete { place: from.place.clone() }).await?;
                edit.undo.push(Step::Insert(from));
            }
            Way::BroughtBack | Way::Doubled => {
                let mut literals = from.literals;
                if way == Way::Doubled {
                    self.under_another_key(table, at, &mut literals, draw).await?;
                    edit.rows = vec![self.name(table, &literals)];
                }
                let image = Image { place: String::new(), literals };
                let place = self.step(table, &Step::Insert(image)).await?;
                edit.undo.push(Step::Delete { place });
            }
            Way::Swapped => {
                let other = self.another(table, column, &from, draw).await?;
                edit.rows.push(self.name(table, &other.literals));
                for (row, literal) in [(&from, &other.literals[at]), (&other, &from.literals[at])] {
                    self.set(&mut edit, table, row, vec![(column.to_owned(), literal.clone())]).await?;
                }
            }
            _ => {
                let new = self.new_values(way, table, column, &from, draw).await?;
                self.set(&mut edit, table, &from, new).await?;
            }
        }
        Some(edit)
    }

    /// The row that is edited: as it stands, or, of one that is to be brought back, as it stood.
    async fn drawn(&mut self, way: Way, table: &str, column: &str, draw: &mut Draw) -> Option<Image> {
        let (place, literals) = (self.place("a"), self.literals(table, "a"));
        let joined = self.same_key(table);
        let sql = match way {
            Way::Older | Way::OlderRow => {
                let differs = if way == Way::Older { column } else { "mark" };
                let differs = self.differ(&format!("a.{differs}"), &format!("b.{differs}"));
                format!("SELECT {place} FROM {table} a JOIN before.{table} b ON {} WHERE {differs}", joined?)
            }
            Way::BroughtBack => {
                let gone = format!("NOT EXISTS (SELECT 1 FROM {table} b WHERE {})", joined?);
                let sql = format!("SELECT {literals} FROM before.{table} a WHERE {gone}");
                let literals = draw.of(&self.try_select(&sql).await?)?.clone();
                return Some(Image { place: String::new(), literals });
            }
            _ => format!("SELECT {place} FROM {table} a"),
        };
        let places = self.try_select(&sql).await?;
        let place = draw.of(&places)?[0].clone();
        self.image(table, &place).await
    }

    async fn image(&mut self, table: &str, place: &str) -> Option<Image> {
        let (literals, found) = (self.literals(table, "a"), self.at(place));
        let rows = self.select(&format!("SELECT {literals} FROM {table} a WHERE {found}")).await;
        Some(Image { place: place.to_owned(), literals: rows.into_iter().next()? })
    }

    /// Another row with something else in a column.
    async fn another(&mut self, table: &str, column: &str, from: &Image, draw: &mut Draw) -> Option<Image> {
        let at = self.columns[table].iter().position(|name| name == column)?;
        let (place, differs) = (self.place("a"), self.differ(&format!("a.{column}"), &from.literals[at]));
        let places = self.try_select(&format!("SELECT {place} FROM {table} a WHERE {differs}")).await?;
        let place = draw.of(&places)?[0].clone();
        self.image(table, &place).await
    }

    /// The row as it was at the half.
    async fn older(&mut self, table: &str, from: &Image) -> Option<Vec<String>> {
        let (literals, joined, found) = (self.literals(table, "b"), self.same_key(table)?, self.at(&from.place));
        let sql = format!("SELECT {literals} FROM before.{table} b JOIN {table} a ON {joined} WHERE {found}");
        self.try_select(&sql).await?.into_iter().next()
    }

    async fn new_values(
        &mut self,
        way: Way,
        table: &str,
        column: &str,
        from: &Image,
        draw: &mut Draw,
    ) -> Option<Vec<(String, String)>> {
        let names = self.columns[table].clone();
        let at = names.iter().position(|name| name == column)?;
        let (one, keys) = (|literal: String| vec![(column.to_owned(), literal)], keys_of(table));
        let whole = |literals: Vec<String>| {
            let changed = names.iter().cloned().zip(literals).filter(|(name, _)| !keys.contains(&name.as_str()));
            changed.collect::<Vec<_>>()
        };
        let old = &from.literals[at];
        let new = match way {
            Way::Copied => one(self.another(table, column, from, draw).await?.literals[at].clone()),
            Way::CopiedWhole => whole(self.another(table, column, from, draw).await?.literals),
            Way::Older => one(self.older(table, from).await?[at].clone()),
            Way::OlderRow => whole(self.older(table, from).await?),
            Way::Empty => one("NULL".to_owned()),
            Way::MadeUp => one(made_up(old, draw)),
            _ => one(other(old, draw)?),
        };
        let is_new = new.iter().any(|(name, literal)| {
            names.iter().position(|known| known == name).is_none_or(|at| from.literals[at] != *literal)
        });
        is_new.then_some(new)
    }

    /// A key that no row has: a part of it is another row's, or another.
    async fn under_another_key(
        &mut self,
        table: &str,
        at: usize,
        literals: &mut [String],
        draw: &mut Draw,
    ) -> Option<()> {
        let names = self.columns[table].clone();
        let keys = keys_of(table);
        let key = if keys.contains(&names[at].as_str()) {
            at
        } else {
            let key = *draw.of(&keys)?;
            names.iter().position(|name| name == key)?
        };
        let from = Image { place: String::new(), literals: literals.to_vec() };
        let copied = self.another(table, &names[key], &from, draw).await.map(|row| row.literals[key].clone());
        literals[key] = match copied {
            Some(copied) if keys.len() > 1 => copied,
            _ => other(&literals[key], draw)?,
        };
        Some(())
    }

    async fn set(&mut self, edit: &mut Edit, table: &str, row: &Image, columns: Vec<(String, String)>) -> Option<()> {
        let names = &self.columns[table];
        let mut literals = row.literals.clone();
        let mut old = Vec::new();
        for (name, literal) in &columns {
            let at = names.iter().position(|known| known == name)?;
            old.push((name.clone(), std::mem::replace(&mut literals[at], literal.clone())));
        }
        edit.rows.push(self.name(table, &literals));
        let short = |columns: &[(String, String)]| match columns {
            [(_, literal)] => literal.chars().take(60).collect::<String>(),
            _ => "…".to_owned(),
        };
        edit.what += &format!(" from {} to {}", short(&old), short(&columns));
        let place = self.step(table, &Step::Set { place: row.place.clone(), columns }).await?;
        edit.undo.push(Step::Set { place, columns: old });
        Some(())
    }

    /// Puts back what was there; `false` where something else has changed the rows meanwhile.
    pub async fn undo(&mut self, table: &str, edit: &Edit) -> bool {
        for step in edit.undo.iter().rev() {
            if self.step(table, step).await.is_none() {
                return false;
            }
        }
        true
    }

    /// Returns where the row lies then.
    async fn step(&mut self, table: &str, step: &Step) -> Option<String> {
        let names = self.columns[table].join(", ");
        let sql = match step {
            Step::Set { place, columns } => {
                let set: Vec<String> = columns.iter().map(|(name, literal)| format!("{name} = {literal}")).collect();
                format!("UPDATE {table} AS a SET {} WHERE {}", set.join(", "), self.at(place))
            }
            Step::Insert(Image { place, literals }) => match &self.database {
                Database::Sqlite(_) if !place.is_empty() => {
                    format!("INSERT INTO {table} AS a (rowid, {names}) VALUES ({place}, {})", literals.join(", "))
                }
                _ => format!("INSERT INTO {table} AS a ({names}) VALUES ({})", literals.join(", ")),
            },
            Step::Delete { place } => format!("DELETE FROM {table} AS a WHERE {}", self.at(place)),
        };
        let returning = if matches!(self.database, Database::Sqlite(_)) {
            "CAST(rowid AS TEXT)"
        } else {
            "tableoid || ':' || ctid::text"
        };
        let rows = self.database.texts(&format!("{sql} RETURNING {returning}")).await.ok()?;
        if let [row] = rows.as_slice() { Some(row[0].clone()) } else { None }
    }

    async fn select(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.database.texts(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The same of what may not be there at the half.
    async fn try_select(&mut self, sql: &str) -> Option<Vec<Vec<String>>> {
        self.database.texts(sql).await.ok()
    }

    fn place(&self, row: &str) -> String {
        match self.database {
            Database::Sqlite(_) => format!("CAST({row}.rowid AS TEXT)"),
            Database::Postgres(_) => format!("{row}.tableoid || ':' || {row}.ctid::text"),
        }
    }

    fn at(&self, place: &str) -> String {
        match (&self.database, place.split_once(':')) {
            (Database::Postgres(_), Some((table, place))) => format!("a.tableoid = {table} AND a.ctid = '{place}'"),
            _ => format!("a.rowid = {place}"),
        }
    }

    fn literals(&self, table: &str, row: &str) -> String {
        let literal = |name: &String| match self.database {
            Database::Sqlite(_) => format!("quote({row}.{name})"),
            Database::Postgres(_) => format!("quote_nullable({row}.{name}::text)"),
        };
        self.columns[table].iter().map(literal).collect::<Vec<_>>().join(", ")
    }

    fn differ(&self, one: &str, other: &str) -> String {
        match self.database {
            Database::Sqlite(_) => format!("{one} IS NOT {other}"),
            Database::Postgres(_) => format!("{one} IS DISTINCT FROM {other}"),
        }
    }

    /// The condition that two rows have one key.
    fn same_key(&self, table: &str) -> Option<String> {
        let keys = keys_of(table);
        let equal: Vec<String> = keys.iter().map(|key| format!("a.{key} = b.{key}")).collect();
        (!equal.is_empty()).then(|| equal.join(" AND "))
    }

    /// What a row is named by: the values of its key.
    fn name(&self, table: &str, literals: &[String]) -> String {
        let names = &self.columns[table];
        let value = |key: &&str| {
            let literal = names.iter().position(|name| name == key).map_or("", |at| literals[at].as_str());
            let kind = tables::by_name(table).and_then(|table| Some(table.columns[table.position(key)?].kind));
            named(literal, kind.unwrap_or(ColumnKind::Text))
        };
        keys_of(table).iter().map(value).collect::<Vec<_>>().join(":")
    }
}

/// Columns that are a row's key.
fn keys_of(table: &str) -> Vec<&'static str> {
    match (tables::by_name(table), table) {
        (Some(table), _) => {
            let keys = table
                .columns
                .iter()
                .filter(|column| column.weight == Weight::Key || (column.locates && column.kind == ColumnKind::Int));
            keys.map(|column| column.name).collect()
        }
        (None, "ledger") => vec!["node", "position"],
        (None, "ledger_heads") => vec!["node"],
        (None, "changes") => vec!["position"],
        (None, "inbox_positions") => vec!["organization"],
        (None, "record_places") => vec!["id"],
        (None, "_sqlx_migrations") => vec!["version"],
        _ => Vec::new(),
    }
}

/// A literal as it stands in the name of a row.
fn named(literal: &str, kind: ColumnKind) -> String {
    if literal == "NULL" {
        return "null".to_owned();
    }
    let inner = match (literal.find('\''), literal.rfind('\'')) {
        (Some(first), Some(last)) if first < last => &literal[first + 1..last],
        _ => literal,
    };
    let hex = || inner.trim_start_matches('\\').trim_start_matches('x').to_lowercase();
    match kind {
        ColumnKind::Id => uuid::Uuid::parse_str(&hex()).map_or_else(|_| hex(), |id| id.to_string()),
        ColumnKind::Bytes => hex(),
        ColumnKind::Text | ColumnKind::Int => inner.to_owned(),
    }
}

/// Another value of the same kind.
fn other(old: &str, draw: &mut Draw) -> Option<String> {
    let near = |number: i64| if number == 0 || number == 1 { 1 - number } else { number - 1 };
    if let Ok(number) = old.parse::<i64>() {
        return Some(near(number).to_string());
    }
    let text = old.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    // A code keeps its length, so that it may still be one.
    if let Some(text) = text.filter(|text| text.len() < 20)
        && let Ok(number) = text.parse::<i64>()
    {
        return Some(format!("'{:0width$}'", near(number), width = text.len()));
    }
    // One letter becomes another: of bytes and ids a digit.
    let (start, end) = (old.find('\'')? + 1, old.rfind('\'')?);
    let places: Vec<usize> = (start..end).filter(|at| old.as_bytes()[*at].is_ascii_hexdigit()).collect();
    let at = *draw.of(&places)?;
    let mut bytes = old.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).ok()
}

/// Something that somebody makes up, of the kind of what was there.
fn made_up(old: &str, draw: &mut Draw) -> String {
    let number = draw.below(1 << 40);
    if old.parse::<i64>().is_ok() {
        number.to_string()
    } else if let Some(rest) = old.strip_prefix("X'") {
        format!("X'{:0width$x}'", number, width = (rest.len() - 1).max(2) / 2 * 2)
    } else if let Some(rest) = old.strip_prefix("E'\\\\x") {
        format!("E'\\\\x{:0width$x}'", number, width = (rest.len() - 1).max(2) / 2 * 2)
    } else if old == "NULL" {
        format!("'{number}'")
    } else {
        format!("'made up {number}'")
    }
}
