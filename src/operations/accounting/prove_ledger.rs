//! Proves the ledger: signed checkpoints, inclusion and consistency proofs, and the evidence for an audit.

use std::sync::PoisonError;

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::Error,
    gateway::Gateway,
    ledger::merkle::Hash,
    store::{self, ledger::StoredEntry},
    wire::{
        answer::{Answer, CarriesNoRecordData, PlainText},
        call::Call,
    },
};

/// An entry with its place in the tree.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvedEntry {
    /// Position in the log, from 0.
    pub position: u64,
    /// The bytes that were hashed, base64.
    pub entry: String,
    /// Audit path, base64 hashes from the leaf (RFC 6962 section 2.1.1).
    pub inclusion: Vec<String>,
}

/// Everything that is needed to verify offline.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Signed note of the tree head (C2SP tlog-checkpoint).
    pub checkpoint: String,
    pub entries: Vec<ProvedEntry>,
    /// Size of an earlier tree, and the proof that it is a prefix of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    pub from: u64,
    /// Base64 hashes (RFC 6962 section 2.1.2).
    pub proof: Vec<String>,
}

impl CarriesNoRecordData for Evidence {}
impl CarriesNoRecordData for ProvedEntry {}
impl CarriesNoRecordData for Consistency {}

/// `GET /v1/ledger/checkpoint`
///
/// # Errors
/// None of its own.
pub async fn read_checkpoint(gateway: &Gateway, _call: Call) -> Result<Answer, Error> {
    let (_, note) = checkpoint(gateway);
    Ok(Answer::text("text/plain; charset=utf-8", PlainText(note)))
}

fn checkpoint(gateway: &Gateway) -> (u64, String) {
    let frontier = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner).frontier();
    let (size, root) = frontier.head();
    (size, gateway.signer.sign(size, root))
}

/// `GET /v1/ledger/witnessed?witnesses=N`: the newest checkpoint that at least so many witnesses have signed (1 where it
/// is left out), with every signature.
///
/// # Errors
/// [`Error::NotFound`] where there is none.
pub async fn read_witnessed(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let needed = call.number("witnesses")?.and_then(|needed| usize::try_from(needed).ok()).unwrap_or(1);
    let witnessed = gateway.witnessed.newest(needed).ok_or(Error::NotFound("witnessed checkpoint"))?;
    Ok(Answer::text("text/plain; charset=utf-8", PlainText(witnessed.note())))
}

/// `GET /v1/ledger/key`: the public key of the checkpoints, as a `vkey` line. Compare it with the one you were given.
///
/// # Errors
/// None of its own.
pub async fn read_key(gateway: &Gateway, _call: Call) -> Result<Answer, Error> {
    Ok(Answer::text("text/plain; charset=utf-8", PlainText(gateway.signer.verifier_key() + "\n")))
}

/// `GET /v1/ledger/proofs/inclusion?entry=ID&size=SIZE`: for the parties of the entry.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn prove_inclusion(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let entry = call.query.get("entry").and_then(|text| Uuid::parse_str(text).ok()).ok_or(Error::NotFound("entry"))?;
    let mut tx = gateway.store.read().await?;
    let stored = store::ledger::entry_of(&mut tx, call.caller.organization(), entry).await?;
    drop(tx);
    // Each node proves its own log.
    let stored = stored.filter(|stored| stored.node == gateway.config.node).ok_or(Error::NotFound("entry"))?;
    let size = call.number("size")?.and_then(|size| u64::try_from(size).ok());
    let size = size.unwrap_or_else(|| checkpoint(gateway).0);
    Ok(Answer::message(StatusCode::OK, &proved(gateway, stored, size)?))
}

fn proved(gateway: &Gateway, stored: StoredEntry, size: u64) -> Result<ProvedEntry, Error> {
    let tree = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner);
    let path = tree.inclusion(stored.position, size).ok_or(Error::Field {
        field: "size",
        rule_ja: "項目の位置より大きく、現在の大きさ以下としてください",
        rule_en: "must lie above the entry's position and not above the present size",
    })?;
    Ok(ProvedEntry { position: stored.position, entry: BASE64_STANDARD.encode(&stored.body), inclusion: encode(&path) })
}

/// `GET /v1/ledger/proofs/consistency?from=SIZE&to=SIZE`
///
/// # Errors
/// Sizes that are not of this log.
pub async fn prove_consistency(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let from = call.number("from")?.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let to = call.number("to")?.and_then(|size| u64::try_from(size).ok()).unwrap_or_else(|| checkpoint(gateway).0);
    Ok(Answer::message(StatusCode::OK, &consistency(gateway, from, to)?))
}

fn consistency(gateway: &Gateway, from: u64, to: u64) -> Result<Consistency, Error> {
    let tree = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner);
    let proof = tree.consistency(from, to).ok_or(Error::Field {
        field: "from, to",
        rule_ja: "このログの大きさを小さい順に指定してください",
        rule_en: "must be sizes of this log, the smaller first",
    })?;
    Ok(Consistency { from, proof: encode(&proof) })
}

const MOST_EVIDENCE: u32 = 1_000;

/// `GET /v1/ledger/evidence?record=ID&from=SIZE`: the newest 1,000 entries about the caller's records, or about one
/// of them, each with its proof against one checkpoint, and the proof that an earlier tree is its prefix.
///
/// # Errors
/// As [`prove_consistency`].
pub async fn read_evidence(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let from = call.number("from")?.and_then(|from| u64::try_from(from).ok());
    Ok(Answer::message(StatusCode::OK, &evidence(gateway, &call, from).await?.evidence))
}

/// Evidence, and what is said of it.
pub(super) struct Evidenced {
    pub(super) evidence: Evidence,
    /// Size of the tree that it is proved against.
    pub(super) size: u64,
    /// Whether there are more entries than it holds.
    pub(super) more: bool,
}

pub(super) async fn evidence(gateway: &Gateway, call: &Call, from: Option<u64>) -> Result<Evidenced, Error> {
    let owner = call.caller.organization();
    let (size, note) = checkpoint(gateway);
    let record = call.query.get("record").and_then(|text| Uuid::parse_str(text).ok());
    let mut tx = gateway.store.read().await?;
    let node = &gateway.config.node;
    let entries = store::ledger::of_log_about(&mut tx, node, owner, record, size, MOST_EVIDENCE).await?;
    drop(tx);
    let more = entries.len() == MOST_EVIDENCE as usize;
    let entries = entries.into_iter().map(|stored| proved(gateway, stored, size)).collect::<Result<_, _>>()?;
    let consistency = from.map(|from| consistency(gateway, from, size)).transpose()?;
    Ok(Evidenced { evidence: Evidence { checkpoint: note, entries, consistency }, size, more })
}

fn encode(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}
