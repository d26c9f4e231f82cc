//! A whole log, from the database or from an exported file, held against checkpoints and witnesses.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ledger::{
        audit::{Against, Audited, Auditor, Finding, LedgerRow},
        checkpoint::{Checkpoint, CheckpointError},
        cosignature::{TrustPolicy, Vouched},
        entry::Entry,
        merkle::Hash,
    },
    publish::{board::notes_of, leaves},
    store::{self, error::StoreError, reading, tx::Tx},
};

/// Rows read at a time.
const PAGE: u32 = 8_192;

/// Which log, and what it is held against.
#[derive(Args, Clone, Default)]
pub struct Whole {
    /// The database: `sqlite:PATH`, the path of a SQLite file, or a postgres:// URL. It is only read.
    #[arg(long, conflicts_with = "export")]
    pub database: Option<String>,
    /// A file that `tsunagi ledger export` wrote.
    #[arg(long)]
    pub export: Option<PathBuf>,
    /// The node whose log it is; left out where there is only one.
    #[arg(long)]
    pub node: Option<String>,
    /// A signed checkpoint: as kept, as a witness keeps it, or the gateway's file of them. Repeat it.
    #[arg(long)]
    pub checkpoint: Vec<PathBuf>,
    /// Hashes of all entries, to name the row that was changed; left out, the file beside a SQLite database.
    #[arg(long)]
    pub leaves: Option<PathBuf>,
}

impl Whole {
    pub fn is_asked_for(&self) -> bool {
        self.database.is_some() || self.export.is_some()
    }
}

/// Which entries are listed.
#[derive(Args, Clone, Default)]
pub struct Selection {
    /// List the entries to which this organization is a party.
    #[arg(long)]
    pub organization: Option<String>,
    /// List the entries about this record.
    #[arg(long)]
    pub record: Option<Uuid>,
}

impl Selection {
    fn takes(&self, row: &LedgerRow) -> bool {
        let asked = self.organization.is_some() || self.record.is_some();
        asked
            && self.organization.as_ref().is_none_or(|organization| row.is_party(organization))
            && self.record.is_none_or(|record| row.record == Some(record) || names(row, record))
    }
}

/// Whether an entry is about a record without being of one: refused attempts are.
fn names(row: &LedgerRow, record: Uuid) -> bool {
    serde_json::from_slice::<Entry>(&row.body)
        .is_ok_and(|entry| entry.subject.as_deref() == Some(record.to_string().as_str()))
}

/// Why a log is not verified.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    #[error(transparent)]
    Finding(#[from] Finding),
    #[error("{0}: {1}")]
    Checkpoint(PathBuf, CheckpointError),
    #[error("{0}: {1}")]
    File(PathBuf, String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("name the log with --node: there are {0}")]
    Node(String),
    #[error("there is no log of a node {node}, and no entry of one: there are {there}")]
    NoSuchNode { node: String, there: String },
    #[error("witnesses were named, and no checkpoint of theirs: give one with --checkpoint")]
    NoCheckpoint,
}

/// What was verified.
pub struct Report {
    pub node: String,
    pub audited: Audited,
    /// The newest checkpoint that enough witnesses signed; with no witness asked for, the newest.
    pub vouched: Option<Vouched>,
    /// Whether single rows could be held against their hashes.
    pub by_row: bool,
    pub selected: Vec<(u64, Entry)>,
}

/// Where rows come from.
enum RowSource {
    Database(Box<Tx>),
    Export(Box<dyn BufRead>, PathBuf),
}

/// A log's name and what its head row says.
struct LogHead {
    node: String,
    head: Option<(u64, Hash)>,
    /// Rows that the table holds under this node; `None` for a file.
    counted: Option<u64>,
    /// A node with rows and no head.
    stray: Option<String>,
}

/// Verifies a whole log.
///
/// # Errors
/// The first thing that does not hold.
pub async fn verify(trust: &TrustPolicy, whole: &Whole, selection: &Selection) -> Result<Report, NotVerified> {
    let (checkpoints, vouched) = checkpoints(trust, &whole.checkpoint)?;
    let (mut source, log) = open(whole).await?;
    let heads = vouched.as_ref().map(|vouched| (vouched.size(), vouched.root())).into_iter().chain(log.head);
    let leaves = leaves_for(whole, heads)?;
    let by_row = !leaves.is_empty();
    let against = Against::new(&log.node, log.head, checkpoints, leaves)?;
    let mut auditor = Auditor::new(&against);
    let (mut selected, mut read, mut from) = (Vec::new(), 0, i64::MIN);
    loop {
        let page = source.page(&log.node, from).await?;
        let Some(last) = page.last() else { break };
        from = last.position.saturating_add(1);
        for row in &page {
            let entry = auditor.push(row)?;
            if selection.takes(row) {
                selected.push((read, entry));
            }
            read += 1;
        }
    }
    let audited = auditor.finish()?;
    match (log.counted, log.stray) {
        (Some(counted), _) if counted != read => Err(Finding::OutOfPlace { node: log.node, counted, read }.into()),
        (_, Some(stray)) => Err(Finding::NoHead { node: stray }.into()),
        _ => Ok(Report { node: log.node, audited, vouched, by_row, selected }),
    }
}

/// Every checkpoint must be the log's; at least one must be vouched for by enough witnesses.
fn checkpoints(trust: &TrustPolicy, files: &[PathBuf]) -> Result<(Vec<(u64, Hash)>, Option<Vouched>), NotVerified> {
    let (mut all, mut newest, mut refused): (Vec<_>, Option<Vouched>, _) = (Vec::new(), None, None);
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, error))?;
        for note in notes_of(&text) {
            let wrong = |error| NotVerified::Checkpoint(file.clone(), error);
            let checkpoint = Checkpoint::verify(&note, &trust.log).map_err(wrong)?;
            all.push((checkpoint.size, checkpoint.root));
            match trust.verify(&note) {
                Ok(vouched) if newest.as_ref().is_none_or(|newest| newest.size() < vouched.size()) => {
                    newest = Some(vouched);
                }
                Ok(_) => {}
                Err(error) => refused = Some(wrong(error)),
            }
        }
    }
    match (newest, refused) {
        (Some(newest), _) => Ok((all, Some(newest))),
        (None, Some(refused)) => Err(refused),
        (None, None) if trust.needed > 0 => Err(NotVerified::NoCheckpoint),
        (None, None) => Ok((all, None)),
    }
}

/// The hashes of single entries, as far as they add up to a root; none where they do not.
fn leaves_for(whole: &Whole, heads: impl Iterator<Item = (u64, Hash)>) -> Result<Vec<Hash>, NotVerified> {
    let beside = || {
        let path = whole.database.as_deref().filter(|database| !database.starts_with("postgres://"))?;
        let path = format!("{}.leaves", path.strip_prefix("sqlite:").unwrap_or(path));
        Some(PathBuf::from(path)).filter(|path| path.exists())
    };
    let Some(file) = whole.leaves.clone().or_else(beside) else { return Ok(Vec::new()) };
    for (size, root) in heads {
        let found = leaves::of_tree(&file, size, &root).map_err(|error| unreadable(&file, error))?;
        if let Some(leaves) = found {
            return Ok(leaves);
        }
    }
    Ok(Vec::new())
}

fn unreadable(file: &Path, error: impl std::fmt::Display) -> NotVerified {
    NotVerified::File(file.to_owned(), error.to_string())
}

async fn open(whole: &Whole) -> Result<(RowSource, LogHead), NotVerified> {
    match (&whole.database, &whole.export) {
        (Some(database), _) => open_database(database, whole.node.as_deref()).await,
        (None, Some(file)) => open_export(file),
        (None, None) => Err(NotVerified::Node("neither --database nor --export".to_owned())),
    }
}

async fn open_database(database: &str, node: Option<&str>) -> Result<(RowSource, LogHead), NotVerified> {
    let mut tx = reading::open(database).await?.read().await?;
    let heads = store::ledger::heads(&mut tx).await?;
    let counts = store::ledger::counts(&mut tx).await?;
    let node = match (node, heads.as_slice()) {
        (Some(node), _) => node.to_owned(),
        (None, [head]) => head.node.clone(),
        (None, []) => counts.first().map(|(node, _)| node.clone()).unwrap_or_default(),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|head| head.node.as_str()).collect();
            return Err(NotVerified::Node(names.join(", ")));
        }
    };
    let head = heads.iter().find(|head| head.node == node).map(|head| (head.size, head.root));
    let counted = counts.iter().find(|(of, _)| *of == node).map_or(0, |(_, count)| *count);
    if head.is_none() && counted == 0 && !node.is_empty() {
        let names: Vec<_> = heads.iter().map(|head| head.node.as_str()).collect();
        return Err(NotVerified::NoSuchNode { node, there: names.join(", ") });
    }
    let stray = counts.into_iter().map(|(of, _)| of).find(|of| !heads.iter().any(|head| head.node == *of));
    Ok((RowSource::Database(Box::new(tx)), LogHead { node, head, counted: Some(counted), stray }))
}

/// First line of an exported log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportHead {
    tsunagi_ledger_export: u8,
    node: String,
    size: u64,
    root: String,
}

/// A row of an exported log; bytes are base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportRow {
    node: String,
    position: i64,
    id: Uuid,
    organization: String,
    owner: Option<String>,
    record: Option<Uuid>,
    body: String,
    sealed_note: Option<String>,
    owner_salt: Option<String>,
}

impl ExportRow {
    fn of(row: LedgerRow) -> Self {
        let encode = |bytes: Vec<u8>| BASE64_STANDARD.encode(bytes);
        let LedgerRow { node, position, id, organization, owner, record, body, sealed_note, owner_salt } = row;
        let (sealed_note, owner_salt) = (sealed_note.map(encode), owner_salt.map(encode));
        Self { node, position, id, organization, owner, record, body: encode(body), sealed_note, owner_salt }
    }

    fn into_row(self) -> Option<LedgerRow> {
        let decode = |text: String| BASE64_STANDARD.decode(text).ok();
        let optional = |text: Option<String>| text.map_or(Some(None), |text| decode(text).map(Some));
        let Self { node, position, id, organization, owner, record, body, sealed_note, owner_salt } = self;
        let (sealed_note, owner_salt) = (optional(sealed_note)?, optional(owner_salt)?);
        Some(LedgerRow {
            node,
            position,
            id,
            organization,
            owner,
            record,
            body: decode(body)?,
            sealed_note,
            owner_salt,
        })
    }
}

fn open_export(file: &Path) -> Result<(RowSource, LogHead), NotVerified> {
    let mut lines = BufReader::new(File::open(file).map_err(|error| unreadable(file, error))?);
    let mut first = String::new();
    lines.read_line(&mut first).map_err(|error| unreadable(file, error))?;
    let head = serde_json::from_str::<ExportHead>(&first).ok().filter(|head| head.tsunagi_ledger_export == 1);
    let head = head.ok_or_else(|| unreadable(file, "not an exported ledger"))?;
    let root = BASE64_STANDARD.decode(&head.root).ok().and_then(|root| root.try_into().ok());
    let root = root.ok_or_else(|| unreadable(file, "the root is not a hash"))?;
    let log = LogHead { node: head.node, head: Some((head.size, root)), counted: None, stray: None };
    Ok((RowSource::Export(Box::new(lines), file.to_owned()), log))
}

impl RowSource {
    /// The next rows; of a database those from a position on, of a file those that come.
    async fn page(&mut self, node: &str, from: i64) -> Result<Vec<LedgerRow>, NotVerified> {
        match self {
            Self::Database(tx) => Ok(store::ledger::rows_from(tx, node, from, PAGE).await?),
            Self::Export(lines, file) => {
                let mut rows = Vec::new();
                for line in lines.lines().take(PAGE as usize) {
                    let line = line.map_err(|error| unreadable(file, error))?;
                    let row = serde_json::from_str(&line).ok().and_then(ExportRow::into_row);
                    rows.push(row.ok_or_else(|| unreadable(file, "a line is not a row of a ledger"))?);
                }
                Ok(rows)
            }
        }
    }
}

/// Writes a whole log as lines of JSON, as it is, without judging it.
///
/// # Errors
/// It cannot be read or written.
pub async fn export(database: &str, node: Option<&str>, out: &mut dyn Write) -> Result<u64, NotVerified> {
    let (mut source, log) = open_database(database, node).await?;
    let (size, root) = log.head.ok_or_else(|| Finding::NoHead { node: log.node.clone() })?;
    let root = BASE64_STANDARD.encode(root);
    let head = ExportHead { tsunagi_ledger_export: 1, node: log.node.clone(), size, root };
    let unwritable = |error| NotVerified::File("output".into(), error);
    line(out, &head).map_err(|error| unwritable(error.to_string()))?;
    let (mut from, mut written) = (i64::MIN, 0);
    loop {
        let page = source.page(&log.node, from).await?;
        let Some(last) = page.last() else { return Ok(written) };
        from = last.position.saturating_add(1);
        for row in page {
            line(out, &ExportRow::of(row)).map_err(|error| unwritable(error.to_string()))?;
            written += 1;
        }
    }
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
