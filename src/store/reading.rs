//! Opens a database to look at it: nothing is migrated, nothing can be written.

use std::{path::Path, str::FromStr};

use sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{error::StoreError, kept::KeptConnections, open::Store};

/// Opens `sqlite:PATH`, the path of a SQLite file, or a `postgres://` URL.
///
/// # Errors
/// It cannot be opened.
pub async fn open(database: &str) -> Result<Store, StoreError> {
    if database.starts_with("postgres://") {
        let options = PgConnectOptions::from_str(database)?.options([
            ("default_transaction_read_only", "on"),
            // One state from the first row to the last, whatever is written meanwhile.
            ("default_transaction_isolation", "serializable"),
        ]);
        let readers = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let kept = KeptConnections::new(PgPoolOptions::new().max_connections(1).connect_lazy_with(options));
        return Ok(Store::Postgres { writer: kept.clone(), readers, glances: kept, guard: Default::default() });
    }
    let path = database.strip_prefix("sqlite:").unwrap_or(database);
    let options = SqliteConnectOptions::new().filename(Path::new(path)).read_only(true);
    let readers = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let kept = KeptConnections::new(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options));
    Ok(Store::Sqlite {
        writer: kept.clone(),
        readers,
        glances: kept,
        emptying: None,
        follower: Default::default(),
        guard: Default::default(),
    })
}
