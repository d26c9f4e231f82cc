//! What the run left in the ledger.

use futures_util::TryStreamExt;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::gateway::Gateway;

const BODIES: &str = "SELECT body FROM ledger";

/// Entries of the watch, and entries of calls that were refused.
pub async fn alarms_and_refusals(gateway: &Gateway) -> (usize, usize) {
    let database = &gateway.premises.config.database;
    let mut counts = (0, 0);
    let mut count = |body: Vec<u8>| {
        let entry: serde_json::Value = serde_json::from_slice(&body).unwrap();
        counts.0 += usize::from(entry["act"] == "search_watch");
        counts.1 += usize::from(entry["outcome"] == "refused");
    };
    if database.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(database).await.unwrap();
        let mut rows = sqlx::query_scalar::<_, Vec<u8>>(BODIES).fetch(&mut connection);
        while let Some(body) = rows.try_next().await.unwrap() {
            count(body);
        }
    } else {
        let mut connection = PgConnection::connect(database).await.unwrap();
        let mut rows = sqlx::query_scalar::<_, Vec<u8>>(BODIES).fetch(&mut connection);
        while let Some(body) = rows.try_next().await.unwrap() {
            count(body);
        }
    }
    counts
}
