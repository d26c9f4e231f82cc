//! The database of a gateway, in the hands of whoever owns it.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::harness::Stage;

/// A connection with every right.
pub enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// One column of one row, as literals.
pub struct Edit {
    table: String,
    column: String,
    /// Physical place of the row now.
    row: String,
    old: String,
    new: String,
}

impl std::fmt::Display for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| text.chars().take(60).collect::<String>();
        write!(f, "from {} to {}", short(&self.old), short(&self.new))
    }
}

macro_rules! fetch {
    ($on:expr, $row:ty, $sql:expr) => {{
        let sql = AssertSqlSafe($sql);
        match $on {
            Database::Sqlite(connection) => sqlx::query_as::<_, $row>(sql).fetch_all(connection).await,
            Database::Postgres(connection) => sqlx::query_as::<_, $row>(sql).fetch_all(connection).await,
        }
    }};
}

impl Database {
    pub async fn of(stage: &Stage) -> Self {
        let database = &stage.world.premises.config.database;
        match database.strip_prefix("sqlite:") {
            Some(file) => Self::Sqlite(SqliteConnection::connect(&format!("sqlite:{file}")).await.unwrap()),
            None => {
                let name = database.rsplit('/').next().unwrap().split('?').next().unwrap();
                let server = std::env::var("TEST_POSTGRES").unwrap();
                Self::Postgres(PgConnection::connect(&format!("{server}/{name}")).await.unwrap())
            }
        }
    }

    /// Runs a statement; returns how many rows it touched.
    pub async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(connection) => sqlx::query(sql).execute(connection).await?.rows_affected(),
            Self::Postgres(connection) => sqlx::query(sql).execute(connection).await?.rows_affected(),
        })
    }

    /// Every column of every table, by the table's name.
    pub async fn columns(&mut self) -> Vec<(String, String)> {
        let sql = match self {
            Self::Sqlite(_) => {
                "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
            }
            Self::Postgres(_) => {
                "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c
                 WHERE c.table_schema = 'public' AND c.table_name !~ '^(records|record_versions|attachments)_[0-9]{2}$'"
            }
        };
        fetch!(&mut *self, (String, String), sql).unwrap()
    }

    /// An id as the database writes it.
    pub fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'"),
        }
    }

    /// Edits a column of a row that is drawn: to what another row has there, or to something else. `None` where there is
    /// nothing to edit, or the database refuses.
    pub async fn edit(
        &mut self,
        table: &str,
        column: &str,
        copies: bool,
        mut draw: impl FnMut(usize) -> usize,
    ) -> Option<Edit> {
        let values = match self {
            Self::Sqlite(_) => format!("SELECT CAST(rowid AS TEXT), quote({column}) FROM {table} ORDER BY rowid"),
            Self::Postgres(_) => format!(
                "SELECT tableoid || ':' || ctid::text, quote_nullable({column}::text) FROM {table} ORDER BY ctid"
            ),
        };
        let rows = fetch!(&mut *self, (String, String), values).unwrap();
        if rows.is_empty() {
            return None;
        }
        let (row, old) = rows[draw(rows.len())].clone();
        let new = if copies { rows[draw(rows.len())].1.clone() } else { other(&old, &mut draw)? };
        if new == old {
            return None;
        }
        let edit = Edit { table: table.to_owned(), column: column.to_owned(), row, old, new: new.clone() };
        let row = self.set(&edit, &new).await?;
        Some(Edit { row, ..edit })
    }

    /// Puts back what was there.
    pub async fn undo(&mut self, edit: &Edit) {
        self.set(edit, &edit.old).await.expect("what was there can be put back");
    }

    /// Returns where the row lies then.
    async fn set(&mut self, Edit { table, column, row, .. }: &Edit, value: &str) -> Option<String> {
        match self {
            Self::Sqlite(_) => {
                let done = self.run(&format!("UPDATE {table} SET {column} = {value} WHERE rowid = {row}")).await;
                (done.ok()? == 1).then(|| row.clone())
            }
            Self::Postgres(_) => {
                let kind = format!(
                    "SELECT format_type(atttypid, NULL) FROM pg_attribute
                     WHERE attrelid = '{table}'::regclass AND attname = '{column}'"
                );
                let kind = fetch!(&mut *self, (String,), kind).unwrap().remove(0).0;
                let (partition, place) = row.split_once(':').unwrap();
                let update = format!(
                    "UPDATE {table} SET {column} = {value}::{kind} WHERE tableoid = {partition} AND ctid = '{place}'
                     RETURNING tableoid || ':' || ctid::text"
                );
                Some(fetch!(&mut *self, (String,), update).ok()?.pop()?.0)
            }
        }
    }
}

/// Another value of the same kind.
fn other(old: &str, draw: &mut impl FnMut(usize) -> usize) -> Option<String> {
    if let Ok(number) = old.parse::<i64>() {
        return Some(if number == 0 || number == 1 { 1 - number } else { number - 1 }.to_string());
    }
    let text = old.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    if let Some(number) = text.and_then(|text| text.parse::<i64>().ok()) {
        return Some(format!("'{}'", if number == 0 || number == 1 { 1 - number } else { number - 1 }));
    }
    // One letter becomes another: of bytes and ids a digit.
    let (start, end) = (old.find('\'')? + 1, old.rfind('\'')?);
    let start = if old[start..].starts_with("\\x") { start + 2 } else { start };
    let places: Vec<usize> = (start..end).filter(|at| old.as_bytes()[*at].is_ascii_hexdigit()).collect();
    let at = *places.get(draw(places.len().max(1)))?;
    let mut bytes = old.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).ok()
}
