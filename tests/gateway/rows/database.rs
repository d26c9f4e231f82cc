//! The database of a gateway, in the hands of whoever owns it.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::harness::Stage;

/// A connection with every right.
pub enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
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
        Self::at(&stage.world.premises.config.database).await
    }

    /// The database of a configuration. Nothing that hangs together stands in the way of who owns it.
    pub async fn at(database: &str) -> Self {
        match database.strip_prefix("sqlite:") {
            Some(file) => {
                let options = SqliteConnectOptions::new().filename(file).foreign_keys(false);
                let options = options.pragma("ignore_check_constraints", "ON");
                Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
            None => {
                let name = database.rsplit('/').next().unwrap().split('?').next().unwrap();
                let server = std::env::var("TEST_POSTGRES").unwrap();
                let mut connection = PgConnection::connect(&format!("{server}/{name}")).await.unwrap();
                connection.execute("SET session_replication_role = replica").await.unwrap();
                Self::Postgres(connection)
            }
        }
    }

    /// What a column of bytes holds in the rows of a clause, as hexadecimal digits.
    async fn bytes(&mut self, table: &str, column: &str, clause: &str) -> Vec<String> {
        let hex = match self {
            Self::Sqlite(_) => format!("SELECT lower(hex({column})) FROM {table} {clause}"),
            Self::Postgres(_) => format!("SELECT encode({column}, 'hex') FROM {table} {clause}"),
        };
        fetch!(&mut *self, (String,), hex).unwrap().into_iter().map(|(hex,)| hex).collect()
    }

    /// Flips the last bit of what a column of bytes holds in a row of a clause; doing it to `column = …`, which it returns,
    /// undoes it. `None` where there is no row.
    pub async fn flip(&mut self, table: &str, column: &str, clause: &str) -> Option<String> {
        let old = self.bytes(table, column, clause).await.pop()?;
        let (digits, last) = old.split_at(old.len() - 2);
        let new = format!("{digits}{:02x}", u8::from_str_radix(last, 16).unwrap() ^ 1);
        let literal = |hex: &str| match self {
            Self::Sqlite(_) => format!("x'{hex}'"),
            Self::Postgres(_) => format!("'\\x{hex}'"),
        };
        let (old, new) = (literal(&old), literal(&new));
        let done = self.run(&format!("UPDATE {table} SET {column} = {new} WHERE {column} = {old}")).await.unwrap();
        assert_eq!(done, 1, "{table}.{column}");
        Some(format!("WHERE {column} = {new}"))
    }

    pub async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
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

    /// Bytes as the database writes them.
    pub fn bytes_of(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sqlite(_) => format!("x'{hex}'"),
            Self::Postgres(_) => format!("'\\x{hex}'"),
        }
    }

    /// Whether it is SQLite's.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
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

    /// What a statement that selects texts returns, row by row; an empty text for nothing.
    pub async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<String>>, sqlx::Error> {
        macro_rules! texts {
            ($connection:expr) => {{
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all($connection).await?;
                let text = |row: &_, at| Row::try_get::<Option<String>, _>(row, at).map(Option::unwrap_or_default);
                rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
            }};
        }
        match self {
            Self::Sqlite(connection) => texts!(connection),
            Self::Postgres(connection) => texts!(connection),
        }
    }

    /// An id as the database writes it.
    pub fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'"),
        }
    }
}
