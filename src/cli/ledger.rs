//! `tsunagi ledger`: fetches evidence, and verifies it with nothing but the checkpoint's public key.

pub mod bundle;
pub mod whole;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::{Args, Subcommand};
use uuid::Uuid;

use self::{
    bundle::verify_bundle,
    whole::{Selection, Whole},
};
use super::{
    Connection,
    error::CommandError,
    rows::{print_review, review_database},
};
use crate::{
    client::expect,
    clock::Timestamp,
    ledger::evidence::Evidence,
    ledger::{
        audit::Audited,
        checkpoint::{Checkpoint, CheckpointError, SignedNote},
        cosignature::TrustPolicy,
        entry::Entry,
        merkle::{Hash, leaf_hash, verify_consistency, verify_inclusion},
    },
};

#[derive(Subcommand)]
pub enum LedgerCommand {
    /// Verify offline: a whole log (--database or --export), or evidence as fetched from the gateway.
    Verify(Box<Verify>),
    /// Write a whole log to standard output, as lines of JSON.
    Export {
        /// The database: `sqlite:PATH`, the path of a SQLite file, or a postgres:// URL. It is only read.
        #[arg(long)]
        database: String,
        /// The node whose log it is; left out where there is only one.
        #[arg(long)]
        node: Option<String>,
    },
    /// Fetch a signed bundle of evidence about one's own records, to be kept: one file with a page to read.
    ExportEvidence {
        #[command(flatten)]
        connection: Connection,
        /// One record; left out, all of them.
        #[arg(long)]
        record: Option<Uuid>,
        /// Where to write it.
        #[arg(long, default_value = "evidence.tar")]
        out: PathBuf,
    },
    /// Verify a bundle of evidence, without the gateway.
    VerifyBundle {
        #[command(flatten)]
        trusted: Trusted,
        bundle: PathBuf,
    },
    /// Fetch the evidence about one's own records.
    Evidence {
        #[command(flatten)]
        connection: Connection,
        /// Size of an earlier checkpoint, to prove that it is a prefix.
        #[arg(long)]
        from: Option<u64>,
    },
}

/// What is verified, with which keys.
#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    trusted: Trusted,
    #[command(flatten)]
    whole: Whole,
    #[command(flatten)]
    selection: Selection,
    /// The gateway's keyring: the rows of the database are held against their marks as well.
    #[arg(long, requires = "database")]
    keyring: Option<PathBuf>,
    /// Evidence as fetched from the gateway (JSON).
    #[arg(conflicts_with_all = ["database", "export"])]
    evidence: Option<PathBuf>,
    /// An earlier checkpoint that must be a prefix of the evidence's; witnesses named must have signed it.
    #[arg(long)]
    earlier: Option<PathBuf>,
}

/// Whose signatures are believed.
#[derive(Args)]
pub struct Trusted {
    /// File with the public key of the log's checkpoints (`vkey` line).
    #[arg(long)]
    key: PathBuf,
    /// Public key of a witness (`vkey` line). Repeat it.
    #[arg(long)]
    witness: Vec<String>,
    /// How many of them must have signed; left out, all.
    #[arg(long)]
    witnesses_needed: Option<usize>,
}

impl Trusted {
    fn trust(&self) -> Result<TrustPolicy, CommandError> {
        // What one was given wrongly refutes nothing.
        let named = |error| CommandError::Unexpected(format!("{} or a --witness: {error}", self.key.display()));
        TrustPolicy::new(&read(&self.key)?, &self.witness, self.witnesses_needed).map_err(named)
    }
}

fn not_verified(what: impl std::fmt::Display) -> CommandError {
    CommandError::Unexpected(format!("NOT VERIFIED: {what}"))
}

/// Why evidence does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refuted {
    #[error("public key or checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("entry {position}: {what}")]
    Entry { position: u64, what: &'static str },
    #[error("the earlier checkpoint is not a prefix of this one: history was rewritten")]
    Rewritten,
    #[error("the evidence has no consistency proof from size {0}")]
    NoConsistencyProof(u64),
    #[error("witnesses were named, and the evidence is signed by the log alone: give what they signed with --earlier")]
    NotWitnessed,
}

/// What was verified.
#[derive(Debug)]
pub struct Verified {
    pub checkpoint: Checkpoint,
    pub entries: Vec<(u64, Entry)>,
}

/// Verifies evidence: the checkpoint's signature, each entry's inclusion, and the consistency with an earlier
/// checkpoint where one is given.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(key: &str, evidence: &Evidence, earlier: Option<&str>) -> Result<Verified, Refuted> {
    verify_evidence(&TrustPolicy::new(key, &[], None)?, evidence, earlier)
}

/// The same with witnesses: those that are needed must have signed the earlier checkpoint or, without one, the evidence's.
///
/// # Errors
/// As [`verify`].
pub fn verify_evidence(trust: &TrustPolicy, evidence: &Evidence, earlier: Option<&str>) -> Result<Verified, Refuted> {
    let checkpoint = Checkpoint::verify(&evidence.checkpoint, &trust.log)?;
    if earlier.is_none() && trust.verify(&evidence.checkpoint).is_err() {
        return Err(Refuted::NotWitnessed);
    }
    let mut entries = Vec::with_capacity(evidence.entries.len());
    for proved in &evidence.entries {
        let position = proved.position;
        let fault = |what| Refuted::Entry { position, what };
        let bytes = BASE64_STANDARD.decode(&proved.entry).map_err(|_| fault("not base64"))?;
        let path = decode(&proved.inclusion).ok_or_else(|| fault("the proof is not hashes in base64"))?;
        if !verify_inclusion(&leaf_hash(&bytes), position, checkpoint.size, &path, &checkpoint.root) {
            return Err(fault("is not in the tree of the checkpoint"));
        }
        let entry = serde_json::from_slice(&bytes).map_err(|_| fault("is not a ledger entry"))?;
        if entries.iter().any(|(listed, _)| *listed == position) {
            return Err(fault("is listed twice"));
        }
        entries.push((position, entry));
    }
    if let Some(earlier) = earlier {
        let earlier = trust.verify(earlier)?.checkpoint;
        let consistency = evidence
            .consistency
            .as_ref()
            .filter(|consistency| consistency.from == earlier.size)
            .ok_or(Refuted::NoConsistencyProof(earlier.size))?;
        let proof = decode(&consistency.proof).ok_or(Refuted::Rewritten)?;
        if !verify_consistency(earlier.size, &earlier.root, checkpoint.size, &checkpoint.root, &proof) {
            return Err(Refuted::Rewritten);
        }
    }
    Ok(Verified { checkpoint, entries })
}

fn decode(hashes: &[String]) -> Option<Vec<Hash>> {
    hashes.iter().map(|hash| BASE64_STANDARD.decode(hash).ok()?.try_into().ok()).collect()
}

impl LedgerCommand {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Verify(verify) => verify.run().await?,
            Self::Export { database, node } => {
                let mut out = std::io::BufWriter::new(std::io::stdout().lock());
                let wrong = |error: whole::NotVerified| CommandError::Unexpected(error.to_string());
                let written = whole::export(&database, node.as_deref(), &mut out).await.map_err(wrong)?;
                out.flush()?;
                eprintln!("{written} entries");
            }
            Self::ExportEvidence { connection, record, out } => {
                let query = record.map(|record| format!("?record={record}")).unwrap_or_default();
                let path = format!("/v1/ledger/bundle{query}");
                let reply = expect(connection.client()?.get(&path).send().await?, 200)?;
                fs::write(&out, &reply.body)?;
                say!("{}: {} bytes", out.display(), reply.body.len());
            }
            Self::VerifyBundle { trusted, bundle } => {
                let trust = trusted.trust()?;
                let bytes = fs::read(&bundle)
                    .map_err(|error| CommandError::Unexpected(format!("{}: {error}", bundle.display())))?;
                let verified = verify_bundle(&trust, &bytes).map_err(not_verified)?;
                verified.print();
            }
            Self::Evidence { connection, from } => {
                let path = match from {
                    Some(from) => format!("/v1/ledger/evidence?from={from}"),
                    None => "/v1/ledger/evidence".to_owned(),
                };
                say!("{}", expect(connection.client()?.get(&path).send().await?, 200)?.text());
            }
        }
        Ok(())
    }
}

impl Verify {
    async fn run(self) -> Result<(), CommandError> {
        let trust = self.trusted.trust()?;
        match &self.evidence {
            Some(evidence) => self.evidence(&trust, evidence),
            None if self.whole.is_asked_for() => {
                let report = whole::verify(&trust, &self.whole, &self.selection).await.map_err(not_verified)?;
                print_report(&trust, &report);
                self.rows().await
            }
            None => Err(CommandError::Unexpected("name --database, --export or a file of evidence".to_owned())),
        }
    }

    /// Whether the rows are what the gateway wrote, where the keyring is there to tell.
    async fn rows(&self) -> Result<(), CommandError> {
        match (&self.whole.database, &self.keyring) {
            (Some(database), Some(keyring)) => print_review(&review_database(database, keyring).await?),
            (Some(_), None) => {
                say!("rows: not looked at, only the log: give --keyring to hold them against their marks");
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    fn evidence(&self, trust: &TrustPolicy, evidence: &Path) -> Result<(), CommandError> {
        let evidence: Evidence = serde_json::from_str(&read(evidence)?)
            .map_err(|error| CommandError::Unexpected(format!("evidence: {error}")))?;
        let earlier = self.earlier.as_deref().map(read).transpose()?;
        // An extra blank line, as a shell adds one, makes no other note.
        let earlier = earlier.map(|note| format!("{}\n", note.trim_end()));
        let verified = verify_evidence(trust, &evidence, earlier.as_deref()).map_err(not_verified)?;
        for (position, entry) in verified.entries.iter().filter(|(_, entry)| self.selection.selects(entry)) {
            say!("{}", line(*position, entry));
        }
        say!(
            "verified: {} entries in the log {} of {} entries",
            verified.entries.len(),
            verified.checkpoint.origin,
            verified.checkpoint.size
        );
        if let Some(earlier) = &earlier {
            let size = SignedNote::parse(earlier).and_then(|note| Checkpoint::read(note.text)).map_or(0, |c| c.size);
            let newer = verified.entries.iter().filter(|(position, _)| *position >= size).count();
            say!("{newer} of them are newer than the earlier checkpoint: nobody but the log signed for those");
        }
        Ok(())
    }
}

impl Selection {
    /// Whether an entry of evidence is about what was asked for.
    fn selects(&self, entry: &Entry) -> bool {
        let party = |code: &String| {
            // An owner whom the actor may not know is committed to, not named.
            entry.organization == *code || entry.owner.as_ref().map_or(entry.owner_commitment.is_some(), |o| o == code)
        };
        let names = |record: Uuid| {
            entry.record == Some(record) || entry.subject.as_deref() == Some(record.to_string().as_str())
        };
        self.organization.as_ref().is_none_or(party) && self.record.is_none_or(names)
    }
}

fn print_report(trust: &TrustPolicy, report: &whole::Report) {
    for (position, entry) in &report.selected {
        say!("{}", line(*position, entry));
    }
    let Audited { size, vouched, .. } = report.audited;
    say!("verified: all {size} entries of node {}, log {}", report.node, trust.log.name());
    match &report.vouched {
        Some(by) if !by.by.is_empty() => {
            let signed = |(name, seconds): &(String, u64)| {
                let at = i64::try_from(*seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                format!("{name} at {}", Timestamp::from_micros(at).to_rfc3339())
            };
            let names: Vec<_> = by.by.iter().map(signed).collect();
            say!("witnessed: the first {} entries, by {}", by.size(), names.join(", "));
        }
        Some(_) => say!("signed by the log alone: the first {vouched} entries; no witness was asked for"),
        None => say!("no checkpoint was given: nothing but the database vouches for the database"),
    }
    if !report.by_row {
        say!("no usable file of hashes: a change would be told between two checkpoints, not by its row");
    }
}

fn line(position: u64, entry: &Entry) -> String {
    let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{position} {} {} {} organization={} terminal={} officer={} record={} groups={} purpose={}",
        entry.at,
        entry.act.as_str(),
        entry.outcome.as_str(),
        entry.organization,
        entry.terminal,
        entry.officer,
        word(entry.record.map(|record| record.to_string())),
        entry.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join("+"),
        word(entry.purpose.map(|purpose| purpose.as_str().to_owned())),
    )
}

fn read(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|error| CommandError::Unexpected(format!("{}: {error}", path.display())))
}
