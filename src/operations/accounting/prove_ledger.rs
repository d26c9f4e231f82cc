//! Proves the ledger: signed checkpoints, inclusion and consistency proofs, and the evidence for an audit.

use std::sync::PoisonError;

use uuid::Uuid;

use crate::{
    disclosure::done::{Done, PlainText},
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::evidence::{Consistency, Evidence, ProvedEntry},
    store::{self, ledger::StoredEntry},
};

/// The signed checkpoint of the tree as it is now.
///
/// # Errors
/// None of its own.
pub async fn read_checkpoint(gateway: &Gateway, _caller: &Caller) -> Result<PlainText, Error> {
    let (_, note) = checkpoint(gateway);
    Ok(PlainText(note))
}

fn checkpoint(gateway: &Gateway) -> (u64, String) {
    let frontier = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner).frontier();
    let (size, root) = frontier.head();
    (size, gateway.signer.sign(size, root))
}

/// The newest witnessed checkpoint is asked for.
pub struct ReadWitnessed {
    /// How many witnesses must have signed it.
    pub witnesses: usize,
}

/// The newest checkpoint that at least so many witnesses have signed, with every signature.
///
/// # Errors
/// [`Error::NotFound`] where there is none.
pub async fn read_witnessed(
    gateway: &Gateway,
    _caller: &Caller,
    ReadWitnessed { witnesses }: ReadWitnessed,
) -> Result<PlainText, Error> {
    let witnessed = gateway.witnessed.newest(witnesses).ok_or(Error::NotFound("witnessed checkpoint"))?;
    Ok(PlainText(witnessed.note()))
}

/// The public key of the checkpoints, as a `vkey` line. Compare it with the one you were given.
///
/// # Errors
/// None of its own.
pub async fn read_key(gateway: &Gateway, _caller: &Caller) -> Result<PlainText, Error> {
    Ok(PlainText(gateway.signer.verifier_key() + "\n"))
}

/// An inclusion proof is asked for.
pub struct ProveInclusion {
    pub entry: Uuid,
    /// Size of the tree; the present one where it is left out.
    pub size: Option<u64>,
}

/// Proves to the parties of an entry that it is in the log. Each node proves its own log.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn prove_inclusion(
    gateway: &Gateway,
    caller: &Caller,
    ProveInclusion { entry, size }: ProveInclusion,
) -> Result<Done<ProvedEntry>, Error> {
    let mut tx = gateway.store.read().await?;
    let stored = store::ledger::entry_of(&mut tx, caller.organization(), entry).await?;
    drop(tx);
    let stored = stored.filter(|stored| stored.node == gateway.config.node).ok_or(Error::NotFound("entry"))?;
    let size = size.unwrap_or_else(|| checkpoint(gateway).0);
    Ok(Done::told(proved(gateway, &stored, size)?))
}

fn proved(gateway: &Gateway, stored: &StoredEntry, size: u64) -> Result<ProvedEntry, Error> {
    let tree = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner);
    let path = tree.inclusion(stored.position, size).ok_or(Error::field(
        "size",
        "項目の位置より大きく、記録簿の現在の大きさ以下の値を指定してください。",
        "must be above the entry's position and at most the present size of the log",
    ))?;
    Ok(ProvedEntry::new(stored.position, &stored.body, &path))
}

/// A consistency proof is asked for.
pub struct ProveConsistency {
    /// The smaller size.
    pub from: u64,
    /// The larger one; the present one where it is left out.
    pub to: Option<u64>,
}

/// Proves that an earlier tree is the beginning of a later one.
///
/// # Errors
/// Sizes that are not of this log.
pub async fn prove_consistency(
    gateway: &Gateway,
    _caller: &Caller,
    ProveConsistency { from, to }: ProveConsistency,
) -> Result<Done<Consistency>, Error> {
    let to = to.unwrap_or_else(|| checkpoint(gateway).0);
    Ok(Done::told(consistency(gateway, from, to)?))
}

fn consistency(gateway: &Gateway, from: u64, to: u64) -> Result<Consistency, Error> {
    let tree = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner);
    let proof = tree.consistency(from, to).ok_or(Error::field(
        "from, to",
        "この記録簿の大きさを、小さい順に指定してください。",
        "must be sizes of this log, the smaller first",
    ))?;
    Ok(Consistency::new(from, &proof))
}

const MAX_ENTRIES: u32 = 1_000;

/// Evidence is asked for: about all of the caller's records, or about one.
pub struct ReadEvidence {
    pub record: Option<Uuid>,
    /// Size of an earlier tree.
    pub from: Option<u64>,
}

/// The newest 1,000 entries about the caller's records, or about one of them, each with its proof against one
/// checkpoint, and the proof that an earlier tree is its prefix.
///
/// # Errors
/// As [`prove_consistency`].
pub async fn read_evidence(gateway: &Gateway, caller: &Caller, asked: ReadEvidence) -> Result<Done<Evidence>, Error> {
    Ok(Done::told(evidence(gateway, caller, asked).await?.evidence))
}

/// Evidence, and what is said of it.
pub(super) struct Evidenced {
    pub(super) evidence: Evidence,
    /// Size of the tree that it is proved against.
    pub(super) size: u64,
    /// Whether there are more entries than it holds.
    pub(super) more: bool,
}

pub(super) async fn evidence(
    gateway: &Gateway,
    caller: &Caller,
    ReadEvidence { record, from }: ReadEvidence,
) -> Result<Evidenced, Error> {
    let (size, checkpoint) = checkpoint(gateway);
    let mut tx = gateway.store.read().await?;
    let node = &gateway.config.node;
    let owner = caller.organization();
    let entries = store::ledger::of_log_about(&mut tx, node, owner, record, size, MAX_ENTRIES).await?;
    drop(tx);
    let more = entries.len() == MAX_ENTRIES as usize;
    let entries = entries.iter().map(|stored| proved(gateway, stored, size)).collect::<Result<_, _>>()?;
    let consistency = from.map(|from| consistency(gateway, from, size)).transpose()?;
    Ok(Evidenced { evidence: Evidence { checkpoint, entries, consistency }, size, more })
}
