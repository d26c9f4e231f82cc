//! Exports evidence to be kept for years: one signed file with entries, proofs, checkpoints, keys and a page to read.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::prove_ledger::{Evidence, Evidenced, evidence};
use crate::{
    error::Error,
    gateway::Gateway,
    ledger::{
        bundle,
        entry::{Act, Entry},
        evidence_page::{About, page},
    },
    store::{self, error::StoreError},
    wire::{
        answer::{Answer, Archive},
        call::Call,
    },
};

/// `GET /v1/ledger/bundle?record=ID`: the evidence about the caller's records, or about one of them, as one file.
///
/// # Errors
/// As [`super::prove_ledger::read_evidence`].
pub async fn export_evidence(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let entry = Entry::of(&call.caller, Act::DisclosuresRead, &gateway.clock);
    let receipt = gateway.journal.record(call.decided_at, vec![entry.into()], Vec::new()).await?;
    // What witnesses signed is a beginning of what is proved: the one proof binds the other.
    let witnessed = gateway.witnessed.newest(1);
    let from = witnessed.as_ref().map(|witnessed| witnessed.checkpoint.size);
    let Evidenced { evidence, size, more } = evidence(gateway, &call, from).await?;
    let heads = store::ledger::heads(&mut gateway.store.read().await?).await?;
    // Each node proves its own log.
    let others: Vec<String> =
        heads.into_iter().map(|head| head.node).filter(|node| *node != gateway.config.node).collect();
    let entries = entries(&evidence)?;
    let made = gateway.clock.now().to_rfc3339();
    let organization = call.caller.organization();
    let origin = gateway.signer.origin();
    let about = About { organization, made: &made, origin, size, witnessed: from, more, others: &others };
    let page = page(&about, &entries, &gateway.registry);
    let keys: Vec<String> = std::iter::once(gateway.signer.verifier_key())
        .chain(gateway.config.ledger.witnesses.iter().map(|witness| witness.key.clone()))
        .collect();
    let json = serde_json::to_vec_pretty(&evidence).map_err(|_| StoreError::Corrupt("evidence"))?;
    let mut files = bundle::Files::from([
        (bundle::EVIDENCE.to_owned(), json),
        (bundle::KEYS.to_owned(), (keys.join("\n") + "\n").into_bytes()),
        (bundle::PAGE.to_owned(), page.into_bytes()),
    ]);
    if let Some(witnessed) = witnessed {
        files.insert(bundle::WITNESSED.to_owned(), witnessed.note().into_bytes());
    }
    let lines = [format!("log {origin}"), format!("for {organization}"), format!("made {made}")];
    let bytes = bundle::write(&files, &lines, &gateway.signer).map_err(|_| StoreError::Corrupt("manifest"))?;
    Ok(Answer::archive(Archive(bytes), "evidence.tar").with_entries(receipt.entries()))
}

fn entries(evidence: &Evidence) -> Result<Vec<(u64, Entry)>, Error> {
    let read = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|_| StoreError::Corrupt("ledger entry"));
    let entries = evidence.entries.iter().map(|proved| {
        let bytes = BASE64_STANDARD.decode(&proved.entry).map_err(|_| StoreError::Corrupt("ledger entry"))?;
        Ok((proved.position, read(&bytes)?))
    });
    Ok(entries.collect::<Result<_, StoreError>>()?)
}
