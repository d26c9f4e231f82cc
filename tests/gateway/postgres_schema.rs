//! What the schema of PostgreSQL itself keeps from a node, from a prefecture, and from a program of another version.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tsunagi::{clock::Clock, gateway::Gateway, store::open::Store};

use crate::{harness::*, postgres};

/// A database with one record, and a connection of a node's role and of the owner.
async fn filled() -> Option<(Stage, PgConnection, PgConnection)> {
    let stage = Stage::new().await;
    let url = stage.world.premises.config.database.clone();
    if url.starts_with("sqlite:") {
        return None;
    }
    let city = stage.party("city", CITY_A).await;
    register(&city, &family(CITY_A)).await;
    let node = PgConnection::connect(&url).await.unwrap();
    let owner = PgConnection::connect(&postgres::for_owner(&url)).await.unwrap();
    Some((stage, node, owner))
}

/// SQLSTATE of what a statement was refused with; empty where it was done.
async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    let mut tx = connection.begin().await.unwrap();
    let done = (&mut *tx).execute(AssertSqlSafe(statement.to_owned())).await;
    let code = done.err().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    tx.rollback().await.unwrap();
    code.unwrap_or_default()
}

const INSUFFICIENT_PRIVILEGE: &str = "42501";
const RAISED_BY_A_TRIGGER: &str = "P0001";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cannot_change_the_ledger_or_the_schema() {
    let Some((_stage, mut node, mut owner)) = filled().await else { return };
    for statement in [
        "UPDATE ledger SET owner = NULL",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "DELETE FROM ledger_heads",
        "ALTER TABLE ledger DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_is_append_only ON ledger",
        "CREATE TABLE more (id BIGINT)",
        "DROP TABLE records",
        "ALTER TABLE records DISABLE ROW LEVEL SECURITY",
        "UPDATE record_places SET prefecture = '00'",
        "DELETE FROM _sqlx_migrations",
    ] {
        assert_eq!(refusal(&mut node, statement).await, INSUFFICIENT_PRIVILEGE, "{statement}");
    }
    // Even its owner is stopped, unless the triggers go first.
    for statement in ["UPDATE ledger SET owner = NULL", "DELETE FROM ledger", "TRUNCATE ledger"] {
        assert_eq!(refusal(&mut owner, statement).await, RAISED_BY_A_TRIGGER, "{statement}");
    }
    // The twin: with the grant and without the trigger the same statement goes through.
    owner.execute("GRANT UPDATE ON ledger TO tsunagi_gateway").await.unwrap();
    owner.execute("ALTER TABLE ledger DISABLE TRIGGER ledger_is_append_only").await.unwrap();
    assert_eq!(refusal(&mut node, "UPDATE ledger SET owner = NULL").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefecture_meets_its_own_rows_alone() {
    let Some((stage, _node, mut owner)) = filled().await else { return };
    let other = stage.party("other", CITY_B).await;
    register(&other, &family(CITY_B)).await;
    // Roles are of the whole server, where other tests may have made them.
    for prefecture in [&CITY_A[..2], &CITY_B[..2]] {
        let role = format!("reader_{}_{prefecture}", std::process::id());
        owner.execute(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN IN ROLE tsunagi_prefecture"))).await.unwrap();
        let url = stage.world.premises.config.database.replace("tsunagi_node@", &format!("{role}@"));
        let mut reader = PgConnection::connect(&url).await.unwrap();
        for table in ["records", "record_versions"] {
            let seen: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(format!("SELECT prefecture FROM {table}")))
                .fetch_all(&mut reader)
                .await
                .unwrap();
            assert_eq!(seen, [(prefecture.to_owned(),)], "{table}");
        }
        for statement in
            ["SELECT * FROM records_00", "SELECT * FROM ledger", "SELECT * FROM staff", "DELETE FROM records"]
        {
            assert_eq!(refusal(&mut reader, statement).await, INSUFFICIENT_PRIVILEGE, "{statement}");
        }
        // The twin: without the policy the rows of the other one are there.
        owner.execute("ALTER TABLE records DISABLE ROW LEVEL SECURITY").await.unwrap();
        let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM records").fetch_one(&mut reader).await.unwrap();
        assert_eq!(seen, 2);
        owner.execute("ALTER TABLE records ENABLE ROW LEVEL SECURITY").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_program_is_not_served() {
    let Some((stage, _node, mut owner)) = filled().await else { return };
    let config = stage.world.premises.config.clone();
    for (change, says) in [
        ("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1", "not its own"),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', true, '\\x00', 0)",
            "newer than this program",
        ),
        ("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)", "tsunagi migrate"),
        ("DROP TABLE _sqlx_migrations", "tsunagi migrate"),
    ] {
        owner.execute("CREATE TABLE IF NOT EXISTS kept AS TABLE _sqlx_migrations").await.unwrap();
        owner.execute(change).await.unwrap();
        let opened = Store::open_postgres(&config.database).await;
        let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(says), "{change}: {error}");
        if !change.starts_with("DROP") {
            owner.execute("DELETE FROM _sqlx_migrations").await.unwrap();
            owner.execute("INSERT INTO _sqlx_migrations TABLE kept").await.unwrap();
            assert!(Store::open_postgres(&config.database).await.is_ok(), "{change}");
        }
    }
}

/// Rows edited by the owner, with the triggers out of the way, are noticed by the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_ledger_is_not_served() {
    let Some((stage, _node, mut owner)) = filled().await else { return };
    let config = stage.world.premises.config.clone();
    stage.world.stop().await;
    for trigger in ["ledger_is_append_only", "ledger_is_not_emptied"] {
        owner.execute(AssertSqlSafe(format!("DROP TRIGGER {trigger} ON ledger"))).await.unwrap();
    }
    owner.execute("CREATE TABLE kept_ledger AS TABLE ledger").await.unwrap();
    for tamper in [
        "UPDATE ledger SET body = body || '\\x20' WHERE position = 3",
        "UPDATE ledger SET owner = NULL WHERE owner IS NOT NULL AND owner_salt IS NULL",
        "DELETE FROM ledger WHERE position = (SELECT MAX(position) FROM ledger)",
        "DELETE FROM ledger WHERE position = 2",
    ] {
        let touched = owner.execute(tamper).await.unwrap().rows_affected();
        assert!(touched >= 1, "{tamper}");
        let error = Gateway::open(config.clone(), Clock::system()).await.err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("does not match its head"), "{tamper}: {error}");
        owner.execute("DELETE FROM ledger").await.unwrap();
        owner.execute("INSERT INTO ledger TABLE kept_ledger").await.unwrap();
    }
    assert!(Gateway::open(config, Clock::system()).await.is_ok());
}
