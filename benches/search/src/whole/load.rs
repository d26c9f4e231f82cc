//! A store full of records, written without the API: sealed as the gateway seals them, each with its entry in the
//! ledger. Bodies are empty: neither start nor search reads them, and the review of rows only looks whether they are there.

use base64::{Engine, prelude::BASE64_STANDARD};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteConnectOptions};
use tsunagi::{
    clock::Clock,
    gateway::Gateway,
    keys::vault::{Key, Place, Vault},
    ledger::{
        entry::{Act, Entry, RecordRef},
        merkle::{Frontier, leaf_hash},
    },
    store::rows::{
        mark::{Mark, Marker, NO_PARTS},
        row::Values,
        tables::{RECORD_VERSIONS, RECORDS},
    },
};
use tsunagi_testkit::world::Premises;
use uuid::Uuid;

use crate::{
    engine::halves,
    population::{Population, Sample},
};

const BATCH: u64 = 65_536;
/// Rows in one statement.
const TOGETHER: usize = 256;
const OFFICER: &str = "officer";
const REGISTERED: &str = "registered";

struct Row {
    sample: Sample,
    sealed_key: Vec<u8>,
    sealed_index: Vec<u8>,
    mark: Mark,
    sealed_body: Vec<u8>,
    version_mark: Mark,
    entry: Uuid,
    body: Vec<u8>,
}

pub async fn records(premises: &Premises, population: &Population, records: u64) {
    let gateway = Gateway::open(premises.config.clone(), Clock::system()).await.expect("gateway");
    gateway.begin_run().await.expect("a run of keys");
    let mut frontier = gateway.journal.memory().tree.read().expect("tree").frontier();
    let path = premises.config.database.trim_start_matches("sqlite:");
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    let options = options.pragma("synchronous", "OFF").pragma("cache_size", "-1048576");
    let mut connection = options.connect().await.expect("SQLite opens");
    let (mut from, mut sums) = (0, gateway.journal.memory().sums());
    let marker = &gateway.journal.memory().guard.marker;
    while from < records {
        let until = (from + BATCH).min(records);
        let (vault, clock) = (&gateway.vault, &gateway.clock);
        let rows = tokio::task::block_in_place(|| {
            halves(from, until, |number| Row::new(population.sample(number), vault, marker, clock))
        });
        for row in &rows {
            sums.add(&RECORDS, marker.share(&row.mark));
            sums.add(&RECORD_VERSIONS, marker.share(&row.version_mark));
        }
        write(&mut connection, &gateway.config.node, &mut frontier, &rows).await;
        from = until;
    }
    // The last entry says what all rows are by now.
    let node = &gateway.config.node;
    let mut last = Entry::of_gateway(Act::RowsChange, &gateway.clock);
    let word = marker.word(node, last.id, &sums, &[]).expect("a word on the rows");
    last.rows = Some(BASE64_STANDARD.encode(word.word));
    let body = last.to_bytes();
    sqlx::query("INSERT INTO ledger (node, position, id, organization, body) VALUES ($1, $2, $3, 'operator', $4)")
        .bind(node)
        .bind(frontier.size() as i64)
        .bind(last.id)
        .bind(body.as_slice())
        .execute(&mut connection)
        .await
        .expect("the last entry");
    frontier.push(leaf_hash(&body));
    let (size, root) = frontier.head();
    let sealed = marker.seal_sums(node, &sums).expect("sums");
    let head = sqlx::query("UPDATE ledger_heads SET size = $1, root = $2, sealed_sums = $3");
    let head = head.bind(size as i64).bind(root.to_vec()).bind(sealed);
    head.execute(&mut connection).await.expect("head");
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.expect("checkpoint");
    connection.close().await.expect("close");
    gateway.store.close().await;
}

impl Row {
    fn new(sample: Sample, vault: &Vault, marker: &Marker, clock: &Clock) -> Self {
        let (id, owner) = (sample.facts.id, sample.facts.owner.clone());
        let key = Key::generate().expect("key");
        let row = format!("{id}:1");
        let items = postcard::to_stdvec(&sample.items).expect("items");
        let place = Place { table: "records", row: &row, column: "sealed_index" };
        let entry =
            Entry::of_gateway(Act::Register, clock).on(&RecordRef { record: id, version: 1, owner: owner.clone() });
        let sealed_key = vault.wrap(owner.prefecture(), id, &key).expect("wrapped");
        let sealed_index = key.seal(place, &items).expect("sealed");
        let facts = &sample.facts;
        let values = Values::of(&RECORDS)
            .set("id", id)
            .set("prefecture", owner.prefecture())
            .set("owner", &owner)
            .set("version", 1)
            .set("owned_since", 1)
            .set("closed", facts.closed)
            .set("serious", false)
            .set("searchable", facts.searchable)
            .set("abuse_case", true)
            .set("residence", &facts.residence)
            .set("shielded", facts.shield.active)
            .set("shield_named", "")
            .set("sealed_key", sealed_key.as_slice())
            .set("sealed_index", sealed_index.as_slice())
            .set("registered_at", 0)
            .set("updated_at", 0)
            .set("parts", NO_PARTS.as_slice());
        let version = Values::of(&RECORD_VERSIONS)
            .set("record", id)
            .set("version", 1)
            .set("organization", &owner)
            .set("officer", OFFICER)
            .set("change_kind", REGISTERED)
            .set("at", 0);
        let place = Place { table: "record_versions", row: &row, column: "sealed_body" };
        let sealed_body = key.seal(place, &[]).expect("sealed");
        let (mark, version_mark) = (marker.mark(&values), marker.mark(&version));
        let (entry, body) = (entry.id, entry.to_bytes());
        Self { sample, sealed_key, sealed_index, mark, sealed_body, version_mark, entry, body }
    }
}

async fn write(connection: &mut SqliteConnection, node: &str, frontier: &mut Frontier, rows: &[Row]) {
    let mut tx = connection.begin().await.expect("transaction");
    for some in rows.chunks(TOGETHER) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO records (id, prefecture, owner, version, owned_since, closed, serious, searchable, abuse_case,
                 residence, shielded, shield_named, sealed_key, sealed_index, mark, registered_at, updated_at) ",
        );
        insert.push_values(some, |mut values, row| {
            let facts = &row.sample.facts;
            values
                .push_bind(facts.id)
                .push_bind(facts.owner.prefecture())
                .push_bind(facts.owner.as_str())
                .push_bind(1)
                .push_bind(1)
                .push_bind(i64::from(facts.closed))
                .push_bind(0)
                .push_bind(i64::from(facts.searchable))
                .push_bind(1)
                .push_bind(facts.residence.as_str())
                .push_bind(i64::from(facts.shield.active))
                .push_bind("")
                .push_bind(row.sealed_key.as_slice())
                .push_bind(row.sealed_index.as_slice())
                .push_bind(row.mark.to_vec())
                .push_bind(0)
                .push_bind(0);
        });
        insert.build().execute(&mut *tx).await.expect("records");
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO record_versions (record, version, prefecture, organization, officer, change_kind, at, \
                 sealed_body, mark) ",
        );
        insert.push_values(some, |mut values, row| {
            let facts = &row.sample.facts;
            values
                .push_bind(facts.id)
                .push_bind(1)
                .push_bind(facts.owner.prefecture())
                .push_bind(facts.owner.as_str())
                .push_bind(OFFICER)
                .push_bind(REGISTERED)
                .push_bind(0)
                .push_bind(row.sealed_body.as_slice())
                .push_bind(row.version_mark.to_vec());
        });
        insert.build().execute(&mut *tx).await.expect("versions");
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT INTO ledger (node, position, id, organization, owner, record, body) ");
        let first = frontier.size() as i64;
        insert.push_values(some.iter().zip(first..), |mut values, (row, position)| {
            values
                .push_bind(node)
                .push_bind(position)
                .push_bind(row.entry)
                .push_bind("operator")
                .push_bind(row.sample.facts.owner.as_str())
                .push_bind(row.sample.facts.id)
                .push_bind(row.body.as_slice());
        });
        insert.build().execute(&mut *tx).await.expect("ledger");
        some.iter().for_each(|row| frontier.push(leaf_hash(&row.body)));
    }
    tx.commit().await.expect("commit");
}
