//! Exports evidence to be kept for years: one signed file with entries, proofs, checkpoints, keys and a page to read.

use std::sync::Arc;

use uuid::Uuid;

use super::prove_ledger::{Evidenced, ReadEvidence, evidence};
use crate::{
    disclosure::done::Archive,
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::{
        bundle,
        entry::{Act, Entry},
        evidence::{Evidence, ProvedEntry},
        evidence_page::{About, page},
    },
    store::{self, error::StoreError},
};

/// Evidence is asked for as a file: about all of the caller's records, or about one.
pub struct ExportEvidence {
    pub record: Option<Uuid>,
}

/// Exports the evidence about the caller's records, or about one of them, as one file.
///
/// # Errors
/// As [`read_evidence`](super::prove_ledger::read_evidence).
pub async fn export_evidence(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ExportEvidence { record }: ExportEvidence,
) -> Result<Archive, Error> {
    let entry = Entry::of(caller, Act::DisclosuresRead, &gateway.clock);
    let receipt = gateway.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
    // What witnesses signed is a beginning of what is proved: the one proof binds the other.
    let witnessed = gateway.witnessed.newest(1);
    let from = witnessed.as_ref().map(|witnessed| witnessed.checkpoint.size);
    let Evidenced { evidence, size, more } = evidence(gateway, caller, ReadEvidence { record, from }).await?;
    let heads = store::ledger::heads(&mut gateway.store.read().await?).await?;
    // Each node proves its own log.
    let others: Vec<String> =
        heads.into_iter().map(|head| head.node).filter(|node| *node != gateway.config.node).collect();
    let entries = entries(&evidence)?;
    let made = gateway.clock.now().to_rfc3339();
    let organization = caller.organization();
    let origin = gateway.signer.origin();
    let about = About { organization, made: &made, origin, size, witnessed: from, more, others: &others };
    let page = page(&about, &entries, &gateway.registry);
    let keys: Vec<String> = std::iter::once(gateway.signer.verifier_key())
        .chain(gateway.config.ledger.witnesses.iter().map(|witness| witness.key.clone()))
        .collect();
    let mut files = bundle::Files::from([
        (bundle::EVIDENCE.to_owned(), evidence.to_bytes()),
        (bundle::KEYS.to_owned(), (keys.join("\n") + "\n").into_bytes()),
        (bundle::PAGE.to_owned(), page.into_bytes()),
    ]);
    if let Some(witnessed) = witnessed {
        files.insert(bundle::WITNESSED.to_owned(), witnessed.note().into_bytes());
    }
    let lines = [format!("log {origin}"), format!("for {organization}"), format!("made {made}")];
    let bytes = bundle::write(&files, &lines, &gateway.signer).map_err(|_| StoreError::Corrupt("manifest"))?;
    Ok(Archive { name: "evidence.tar", bytes, entries: receipt.entries().to_vec() })
}

fn entries(evidence: &Evidence) -> Result<Vec<(u64, Entry)>, Error> {
    let read = |proved: &ProvedEntry| Some((proved.position, proved.read()?));
    let entries: Option<Vec<_>> = evidence.entries.iter().map(read).collect();
    Ok(entries.ok_or(StoreError::Corrupt("ledger entry"))?)
}
