//! `tsunagi ledger`: fetches evidence, and verifies it with nothing but the checkpoint's public key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Subcommand;

use super::{
    Connection,
    demo::world::{WorldError, expect},
};
use crate::{
    disclosure::{
        checkpoint::{Checkpoint, CheckpointError, PublicKey},
        entry::Entry,
        merkle::{Hash, leaf_hash, verify_consistency, verify_inclusion},
    },
    operations::prove_ledger::Evidence,
};

#[derive(Subcommand)]
pub enum Ledger {
    /// Verify evidence offline.
    Verify {
        /// File with the checkpoint's public key (`vkey` line).
        #[arg(long)]
        key: PathBuf,
        /// Evidence as fetched from the gateway (JSON).
        evidence: PathBuf,
        /// An earlier checkpoint that must be a prefix of this one.
        #[arg(long)]
        earlier: Option<PathBuf>,
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
    #[error("the earlier checkpoint is of another log")]
    OtherLog,
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
    let key = PublicKey::parse(key)?;
    let checkpoint = Checkpoint::verify(&evidence.checkpoint, &key)?;
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
        entries.push((position, entry));
    }
    if let Some(earlier) = earlier {
        let earlier = Checkpoint::verify(earlier, &key)?;
        if earlier.origin != checkpoint.origin {
            return Err(Refuted::OtherLog);
        }
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

impl Ledger {
    pub(super) async fn run(self) -> Result<(), WorldError> {
        match self {
            Self::Verify { key, evidence, earlier } => {
                let evidence: Evidence = serde_json::from_str(&read(&evidence)?)
                    .map_err(|error| WorldError::Unexpected(format!("evidence: {error}")))?;
                let earlier = earlier.map(|path| read(&path)).transpose()?;
                let verified = verify(&read(&key)?, &evidence, earlier.as_deref())
                    .map_err(|refuted| WorldError::Unexpected(format!("NOT VERIFIED: {refuted}")))?;
                for (position, entry) in &verified.entries {
                    println!("{}", line(*position, entry));
                }
                println!(
                    "verified: {} entries in the log {} of {} entries",
                    verified.entries.len(),
                    verified.checkpoint.origin,
                    verified.checkpoint.size
                );
            }
            Self::Evidence { connection, from } => {
                let path = match from {
                    Some(from) => format!("/v1/ledger/evidence?from={from}"),
                    None => "/v1/ledger/evidence".to_owned(),
                };
                println!("{}", expect(connection.client()?.get(&path).send().await?, 200)?.text());
            }
        }
        Ok(())
    }
}

fn line(position: u64, entry: &Entry) -> String {
    let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{position} {} {} {} organization={} terminal={} officer={} record={} groups={} purpose={}",
        entry.at,
        word_of(&entry.act),
        word_of(&entry.outcome),
        entry.organization,
        entry.terminal,
        entry.officer,
        word(entry.record.map(|record| record.to_string())),
        entry.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join("+"),
        word(entry.purpose.map(|purpose| purpose.as_str().to_owned())),
    )
}

/// The word under which a value is written.
fn word_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn read(path: &Path) -> Result<String, WorldError> {
    fs::read_to_string(path).map_err(|error| WorldError::Unexpected(format!("{}: {error}", path.display())))
}
