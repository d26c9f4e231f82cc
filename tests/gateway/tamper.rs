//! Every row of a log, tampered with in every way: all of it must be found, and named.
//!
//! The same code that `tsunagi ledger verify` runs decides here. Rows in memory are judged one by one; a sample is really
//! done in the database and judged by the program itself. `ROWS` and `SAMPLE` set how much; `make tamper-test` sets 10,000
//! and 50.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use sqlx::SqlitePool;
use tempfile::TempDir;
use tsunagi::{
    clock::Clock,
    domain::organization::OrganizationCode,
    gateway::Gateway,
    keys::keyring::Keyring,
    ledger::{
        audit::{Against, Audited, Auditor, Finding, LedgerRow, RowFault},
        checkpoint::{SignedNote, Signer},
        cosignature::Cosigner,
        entry::{Act, Entry, Logged, RecordRef},
        merkle::{Frontier, Hash, leaf_hash},
    },
    publish::leaves,
    store::{self, reading},
};
use tsunagi_testkit::world::Premises;
use uuid::Uuid;

use crate::harness::*;

const NODE: &str = "node-1";
const ORIGIN: &str = "localhost/log/node-1";
const SECONDS: u64 = 1_800_000_000;

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One way of tampering with one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Edit(&'static str),
    NoteRemoved,
    Delete,
    Duplicate,
    Swap,
}

const COLUMNS: [&str; 9] =
    ["node", "position", "id", "organization", "owner", "record", "body", "sealed_note", "owner_salt"];

fn ways() -> Vec<Way> {
    let others = [Way::NoteRemoved, Way::Delete, Way::Duplicate, Way::Swap];
    COLUMNS.into_iter().map(Way::Edit).chain(others).collect()
}

/// What is in the place of row `at` (and the next, for a swap) afterwards; `None` where the way does nothing there.
fn tampered(rows: &[LedgerRow], at: usize, way: Way) -> Option<(usize, Vec<LedgerRow>)> {
    let row = rows[at].clone();
    Some(match way {
        Way::Edit(column) => (1, vec![edited(row, column)]),
        Way::NoteRemoved => {
            row.sealed_note.as_ref()?;
            (1, vec![LedgerRow { sealed_note: None, ..row }])
        }
        Way::Delete => (1, Vec::new()),
        Way::Duplicate => (1, vec![row.clone(), row]),
        Way::Swap => {
            let next = rows.get(at + 1)?.clone();
            let (here, there) = (row.position, next.position);
            (2, vec![LedgerRow { position: here, ..next }, LedgerRow { position: there, ..row }])
        }
    })
}

fn edited(mut row: LedgerRow, column: &str) -> LedgerRow {
    let flip = |bytes: Option<Vec<u8>>| match bytes {
        Some(mut bytes) => {
            bytes[0] ^= 1;
            Some(bytes)
        }
        None => Some(vec![7; 16]),
    };
    let other = |text: Option<String>| Some(if text.as_deref() == Some(CITY_A) { CITY_B } else { CITY_A }.to_owned());
    match column {
        "node" => row.node = "node-2".to_owned(),
        "position" => row.position += 1_000_000,
        "id" => row.id = Uuid::from_u128(row.id.as_u128() ^ 1),
        "organization" => row.organization = CITY_A.to_owned(),
        "owner" => row.owner = other(row.owner),
        "record" => row.record = Some(Uuid::from_u128(row.record.map_or(7, |record| record.as_u128() ^ 1))),
        // Still an entry, of another outcome.
        "body" => row.body = String::from_utf8(row.body).unwrap().replacen("\"done\"", "\"no_hit\"", 1).into_bytes(),
        "sealed_note" => row.sealed_note = flip(row.sealed_note),
        _ => row.owner_salt = flip(row.owner_salt),
    }
    row
}

/// A ledger in a database, as the journal wrote it, with what an auditor has.
struct Ledger {
    directory: TempDir,
    rows: Vec<LedgerRow>,
    head: (u64, Hash),
    witness: Cosigner,
}

impl Ledger {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `keyring`: of another ledger, whose log key this one takes over.
    async fn of(rows: usize, keyring: Option<&Path>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let premises = Premises::create(directory.path(), None, any, any, GENEROUS).await.unwrap();
        if let Some(keyring) = keyring {
            // Whoever has the key can sign for the log; what is sealed matters to nobody here.
            fs::copy(keyring, directory.path().join("stolen.toml")).unwrap();
        } else {
            fs::copy(directory.path().join("keyring.toml"), directory.path().join("stolen.toml")).unwrap();
        }
        let gateway = Gateway::open(premises.config.clone(), Clock::system()).await.unwrap();
        let database = directory.path().join("tsunagi.db");
        let mut written = gateway.journal.memory().tree.read().unwrap().size() as usize;
        let mut number = 0;
        while written < rows {
            if written >= rows / 2 && !directory.path().join("earlier.db").exists() {
                copy_database(&database, &directory.path().join("earlier.db")).await;
            }
            let batch: Vec<Logged> = (0..200.min(rows - written)).map(|n| logged(&gateway.clock, number + n)).collect();
            number += batch.len();
            written += batch.len();
            gateway.journal.note(batch, Vec::new()).await.unwrap();
        }
        gateway.store.close().await;
        drop(gateway);
        let (rows, head) = read(&database).await;
        let witness = Cosigner::from_seed("witness.example/1", &[9; 32]).unwrap();
        let ledger = Self { directory, rows, head, witness };
        ledger.write_trust();
        ledger
    }

    fn log_key(&self) -> Signer {
        Signer::from_seed(ORIGIN, Keyring::load(&self.path("stolen.toml")).unwrap().checkpoint_seed()).unwrap()
    }

    /// Key, witnessed checkpoint, own checkpoint and leaves, as files.
    fn write_trust(&self) {
        let log = self.log_key();
        let note = log.sign(self.head.0, self.head.1);
        let text = SignedNote::parse(&note).unwrap().text.to_owned();
        fs::write(self.path("log.vkey"), log.verifier_key()).unwrap();
        fs::write(self.path("witnessed.txt"), format!("{note}{}", self.witness.cosign(&text, SECONDS))).unwrap();
        fs::write(self.path("own.txt"), note).unwrap();
        let hashes: Vec<Hash> = self.rows.iter().map(|row| leaf_hash(&row.body)).collect();
        let slice = |range: std::ops::Range<u64>| hashes[range.start as usize..range.end as usize].to_vec();
        leaves::follow(&self.path("leaves"), &mut 0, self.head.0, slice).unwrap();
    }

    fn against(&self, with_leaves: bool) -> Against {
        let leaves = leaves::of_tree(&self.path("leaves"), self.head.0, &self.head.1).unwrap().unwrap();
        let leaves = if with_leaves { leaves } else { Vec::new() };
        Against::new(NODE, Some(self.head), vec![self.head], leaves).unwrap()
    }

    /// Runs the program over a database, with the auditor's trust.
    async fn verify(&self, database: &Path, checkpoint: Option<&Path>, defect: Option<&str>) -> Result<String, String> {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        command.args(["ledger", "verify", "--database"]).arg(database).arg("--key").arg(self.path("log.vkey"));
        command.arg("--leaves").arg(self.path("leaves"));
        if let Some(checkpoint) = checkpoint {
            command.arg("--checkpoint").arg(checkpoint);
            command.args(["--witness", &self.witness.public_key().line()]);
        }
        if let Some(defect) = defect {
            command.env("PLANTED_DEFECT", defect);
        }
        let output = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// Entries as operations write them: plain, with a sealed note, with an owner whom the actor may not know.
fn logged(clock: &Clock, number: usize) -> Logged {
    let owner = OrganizationCode::parse(CITY_B).unwrap();
    let record = RecordRef { record: Uuid::from_u128(number as u128 + 1), version: 1, owner };
    let entry = Entry::of_gateway(Act::View, clock);
    match number % 4 {
        0 => entry.into(),
        1 => entry.on(&record).into(),
        2 => {
            let note = format!("sealed {number}").into_bytes();
            Logged::noted(entry.on(&record).with_note(&note), note)
        }
        _ => Logged::hiding(entry.on_hidden(&record).unwrap()),
    }
}

async fn read(database: &Path) -> (Vec<LedgerRow>, (u64, Hash)) {
    let mut tx = reading::open(database.to_str().unwrap()).await.unwrap().read().await.unwrap();
    let rows = store::ledger::rows_from(&mut tx, NODE, i64::MIN, u32::MAX).await.unwrap();
    let head = store::ledger::head(&mut tx, NODE).await.unwrap().unwrap();
    (rows, head)
}

async fn copy_database(from: &Path, to: &Path) {
    let pool = SqlitePool::connect(&format!("sqlite:{}", from.display())).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(to.to_str().unwrap()).execute(&pool).await.unwrap();
    pool.close().await;
}

/// Without what the schema puts in the way.
async fn open_up(database: &Path) -> SqlitePool {
    let pool = SqlitePool::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    for statement in ["DROP TRIGGER ledger_is_append_only_update", "DROP TRIGGER ledger_is_append_only_delete"] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    pool
}

async fn exchange(pool: &SqlitePool, out: &[LedgerRow], back: &[LedgerRow]) {
    let mut tx = pool.begin().await.unwrap();
    for row in out {
        let deleted = sqlx::query("DELETE FROM ledger WHERE node = $1 AND position = $2")
            .bind(&row.node)
            .bind(row.position)
            .execute(&mut *tx)
            .await
            .unwrap();
        assert_eq!(deleted.rows_affected(), 1);
    }
    for row in back {
        sqlx::query(
            "INSERT INTO ledger (node, position, id, organization, owner, record, body, sealed_note, owner_salt)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&row.node)
        .bind(row.position)
        .bind(row.id.as_bytes().as_slice())
        .bind(&row.organization)
        .bind(&row.owner)
        .bind(row.record.map(|record| record.as_bytes().to_vec()))
        .bind(&row.body)
        .bind(&row.sealed_note)
        .bind(&row.owner_salt)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
}

/// The verdict over a log in which, from row `at` on, there are other rows.
fn judge(auditor: &Auditor<'_>, replaced: Vec<LedgerRow>, rest: &[LedgerRow]) -> Result<Audited, Finding> {
    let mut auditor = auditor.clone();
    for row in replaced.iter().chain(rest) {
        auditor.push(row)?;
    }
    auditor.finish()
}

/// How often a way was tried, found, and found with the row named.
#[derive(Default)]
struct Score(BTreeMap<Way, [usize; 3]>);

impl Score {
    fn count(&mut self, way: Way, found: bool, named: bool) {
        let counts = self.0.entry(way).or_default();
        counts[0] += 1;
        counts[1] += usize::from(found);
        counts[2] += usize::from(named);
    }

    fn print(&self, what: &str) {
        println!("{what}\n{:<22} {:>8} {:>8} {:>8}", "way", "tried", "found", "named");
        for (way, [tried, found, named]) in &self.0 {
            println!("{:<22} {tried:>8} {found:>8} {named:>8}", format!("{way:?}"));
        }
    }

    fn missed(&self) -> Vec<Way> {
        self.0.iter().filter(|(_, [tried, found, _])| tried != found).map(|(way, _)| *way).collect()
    }

    fn unnamed(&self) -> Vec<Way> {
        self.0.iter().filter(|(_, [tried, _, named])| tried != named).map(|(way, _)| *way).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_tampered_with_in_every_way_is_found_and_named() {
    let ledger = Ledger::of(number("ROWS", 300), None).await;
    let (with, without) = (ledger.against(true), ledger.against(false));
    let rows = &ledger.rows;
    // Without the file of hashes a change shows only at the next checkpoint: fewer rows, each to the end.
    let step = (rows.len() / 25).max(1);
    let (mut by_row, mut by_root) = (Score::default(), Score::default());
    let (mut known, mut unknown) = (Auditor::new(&with), Auditor::new(&without));
    for (at, row) in rows.iter().enumerate() {
        for way in ways() {
            let Some((width, replaced)) = tampered(rows, at, way) else { continue };
            assert_ne!(replaced, rows[at..at + width], "{way:?} does nothing to row {at}");
            let verdict = judge(&known, replaced.clone(), &rows[at + width..]);
            let named = matches!(&verdict, Err(Finding::Row { position, .. }) if *position == at as u64)
                // The last row's absence has no row after it to show it.
                || (at + 1 == rows.len() && matches!(verdict, Err(Finding::Truncated { rows, .. }) if rows == at as u64));
            by_row.count(way, verdict.is_err(), named);
            if at % step == 0 {
                let verdict = judge(&unknown, replaced, &rows[at + width..]);
                by_root.count(way, verdict.is_err(), matches!(verdict, Err(Finding::Row { .. })));
            }
        }
        known.push(row).unwrap();
        unknown.push(row).unwrap();
    }
    let untouched = known.finish().unwrap();
    assert_eq!((untouched.size, untouched.vouched), (ledger.head.0, ledger.head.0));
    by_row.print(&format!("{} rows, with the file of hashes", rows.len()));
    by_root.print(&format!("every {step}th row, without the file of hashes"));
    assert_eq!((by_row.missed(), by_row.unnamed()), (vec![], vec![]));
    assert_eq!(by_root.missed(), vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_row_is_held_against_the_rows_and_the_checkpoints() {
    let ledger = Ledger::of(40, None).await;
    let (size, root) = ledger.head;
    let verdict = |head: Option<(u64, Hash)>, checkpoints: Vec<(u64, Hash)>| {
        let against = Against::new(NODE, head, checkpoints, Vec::new())?;
        judge(&Auditor::new(&against), Vec::new(), &ledger.rows)
    };
    assert!(verdict(Some((size, root)), vec![(size, root)]).is_ok());
    let mut flipped = root;
    flipped[0] ^= 1;
    for head in [None, Some((size + 1, root)), Some((size - 1, root)), Some((size, flipped))] {
        assert!(verdict(head, vec![(size, root)]).is_err(), "{head:?}");
        assert!(verdict(head, Vec::new()).is_err(), "{head:?}");
    }
    let two = verdict(Some((size, root)), vec![(size, root), (size, flipped)]);
    assert_eq!(two, Err(Finding::TwoHistories { node: NODE.to_owned(), size }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_done_in_the_database_and_found_by_the_program() {
    let ledger = Ledger::of(number("ROWS", 300), None).await;
    let sample = number("SAMPLE", 2);
    let score = sampled(&ledger, sample, None).await;
    score.print(&format!("{sample} rows in a database of {}, by the program", ledger.rows.len()));
    assert_eq!(score.missed(), vec![]);
    // The twin: a verifier that believes the columns misses what only they show.
    let blind = sampled(&ledger, 1, Some("believe-columns")).await;
    let missed = blind.missed();
    for column in ["id", "organization", "owner", "record", "owner_salt"] {
        assert!(missed.contains(&Way::Edit(column)), "{column} is guarded by something else, too");
    }
    assert!(!missed.contains(&Way::Edit("body")));
}

async fn sampled(ledger: &Ledger, sample: usize, defect: Option<&str>) -> Score {
    let copy = ledger.path("copy.db");
    let _ = fs::remove_file(&copy);
    copy_database(&ledger.path("tsunagi.db"), &copy).await;
    let pool = open_up(&copy).await;
    let checkpoint = ledger.path("witnessed.txt");
    let mut score = Score::default();
    for number in 0..sample {
        let at = 3 + number * (ledger.rows.len() - 5) / sample;
        for way in ways() {
            let Some((width, mut replaced)) = tampered(&ledger.rows, at, way) else { continue };
            let original = &ledger.rows[at..at + width];
            if way == Way::Duplicate {
                // The table has one row for each position: the copy takes the next free one.
                replaced[1].position = ledger.rows.len() as i64;
            }
            exchange(&pool, original, &replaced).await;
            let verdict = ledger.verify(&copy, Some(&checkpoint), defect).await;
            let place = if way == Way::Duplicate { ledger.rows.len() } else { at };
            let named = matches!(&verdict, Err(error) if error.contains(&format!("position {place}: ")));
            score.count(way, verdict.is_err(), named);
            if let Err(error) = verdict {
                assert!(error.contains("NOT VERIFIED"), "{error}");
            }
            exchange(&pool, &replaced, original).await;
        }
    }
    let restored = ledger.verify(&copy, Some(&checkpoint), defect).await.unwrap();
    assert!(restored.contains("verified: all") && restored.contains("witness.example/1"), "{restored}");
    pool.close().await;
    score
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_the_whole_log_is_found_by_checkpoints_and_witnesses() {
    let ledger = Ledger::of(number("ROWS", 300), None).await;
    let (size, witnessed) = (ledger.head.0, ledger.path("witnessed.txt"));
    // The tail cut off, the head row set back to fit.
    let cut = ledger.path("cut.db");
    copy_database(&ledger.path("tsunagi.db"), &cut).await;
    let pool = open_up(&cut).await;
    let mut frontier = Frontier::default();
    ledger.rows[..ledger.rows.len() - 5].iter().for_each(|row| frontier.push(leaf_hash(&row.body)));
    exchange(&pool, &ledger.rows[ledger.rows.len() - 5..], &[]).await;
    sqlx::query("UPDATE ledger_heads SET size = $1, root = $2")
        .bind(size as i64 - 5)
        .bind(frontier.root().as_slice())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = ledger.verify(&cut, Some(&witnessed), None).await.unwrap_err();
    assert!(error.contains(&format!("position {}: the entries from here on were cut off", size - 5)), "{error}");
    // By itself the database is without fault: only what others hold shows it.
    assert!(ledger.verify(&cut, None, None).await.unwrap().contains("nothing but the database vouches"));

    // The whole database set back to an earlier copy.
    let earlier = ledger.path("earlier.db");
    let error = ledger.verify(&earlier, Some(&witnessed), None).await.unwrap_err();
    assert!(error.contains("were cut off") && error.contains(&format!("there were {size}")), "{error}");
    assert!(ledger.verify(&earlier, None, None).await.is_ok());

    // Everything written anew by somebody who has the database and the log's key.
    let forged = Ledger::of(number("ROWS", 300), Some(&ledger.path("keyring.toml"))).await;
    assert_eq!(forged.log_key().verifier_key(), ledger.log_key().verifier_key());
    let (database, own) = (forged.path("tsunagi.db"), forged.path("own.txt"));
    let error = ledger.verify(&database, Some(&own), None).await.unwrap_err();
    assert!(error.contains("signatures of 0 of the given witnesses"), "{error}");
    let error = ledger.verify(&database, Some(&witnessed), None).await.unwrap_err();
    assert!(error.contains("NOT VERIFIED"), "{error}");
    // The key alone says that all is well: without witnesses this attack is not found.
    assert!(forged.verify(&database, None, None).await.is_ok());
    println!("cut, set back, rewritten: found by the witnessed checkpoint of {size} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_log_is_verified_as_the_database_is() {
    let ledger = Ledger::of(120, None).await;
    let program = || tokio::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    let database = ledger.path("tsunagi.db");
    let exported = program().args(["ledger", "export", "--database"]).arg(&database).output().await.unwrap();
    assert!(exported.status.success());
    let text = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(text.lines().count(), ledger.rows.len() + 1);
    let file = ledger.path("export.jsonl");
    let verify = |text: String| {
        fs::write(&file, text).unwrap();
        let mut command = program();
        command.args(["ledger", "verify", "--export"]).arg(&file).arg("--key").arg(ledger.path("log.vkey"));
        command.arg("--checkpoint").arg(ledger.path("witnessed.txt")).arg("--leaves").arg(ledger.path("leaves"));
        command.args(["--witness", &ledger.witness.public_key().line(), "--organization", CITY_B]);
        async move {
            let output = command.output().await.unwrap();
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8(text).unwrap())
        }
    };
    let (good, said) = verify(text.clone()).await;
    assert!(good, "{said}");
    // Three of four entries are on a record of city B, hidden or not.
    let listed = said.lines().filter(|line| line.contains(" view ")).count();
    let expected = ledger.rows.iter().filter(|row| row.is_party(CITY_B)).count();
    assert_eq!(listed, expected);
    // One record's disclosures, from the database.
    let row = ledger.rows.iter().skip(30).find(|row| row.record.is_some()).unwrap();
    let record = row.record.unwrap().to_string();
    let mut command = program();
    command.args(["ledger", "verify", "--record", &record, "--database"]).arg(&database);
    let output = command.arg("--key").arg(ledger.path("log.vkey")).output().await.unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(listed.lines().filter(|line| line.contains(&format!("record={record}"))).count(), 1, "{listed}");
    assert!(listed.starts_with(&format!("{} ", row.position)), "{listed}");
    // A name that is no node's is not a log without entries.
    let mut command = program();
    command.args(["ledger", "verify", "--node", "node-l", "--database"]).arg(&database);
    let output = command.arg("--key").arg(ledger.path("log.vkey")).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("no log of a node node-l"), "{said}");
    let without = |gone: usize| -> String {
        text.lines().enumerate().filter(|(n, _)| *n != gone).map(|(_, line)| format!("{line}\n")).collect()
    };
    let (good, said) = verify(without(41)).await;
    assert!(!good && said.contains("position 40: the entry is missing"), "{said}");
    let (good, said) = verify(text.replacen(CITY_B, CITY_A, 1)).await;
    assert!(!good && said.contains("the column owner"), "{said}");
}

/// What each fault is called, for those who read the message.
#[test]
fn faults_are_said_in_plain_words() {
    let finding = Finding::Row { node: NODE.to_owned(), position: 17, fault: RowFault::Column("owner") };
    assert_eq!(finding.to_string(), "node node-1, position 17: the column owner differs from the body");
}
