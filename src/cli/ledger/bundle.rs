//! Verifies an evidence bundle with nothing but public keys.

use super::{Refuted, Verified, line, verify_evidence};
use crate::{
    ledger::evidence::Evidence,
    ledger::{
        bundle::{self, BundleError},
        checkpoint::Checkpoint,
        cosignature::{TrustPolicy, Vouched},
    },
};

/// Why a bundle does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BundleRefuted {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("{name}: {0}", name = bundle::EVIDENCE)]
    Evidence(#[from] Refuted),
    #[error("{name}: not evidence", name = bundle::EVIDENCE)]
    Form,
}

/// What a bundle says, verified.
pub struct VerifiedBundle {
    /// Log, organization and time, as the manifest names them.
    pub about: Vec<String>,
    pub verified: Verified,
    /// What witnesses signed; `None` where none was named or there is nothing of theirs in it.
    pub witnessed: Option<Vouched>,
}

/// Verifies the manifest and every file by it, then the evidence, with its witnesses where any are named.
///
/// # Errors
/// The first thing that does not hold, naming the file.
pub fn verify_bundle(trust: &TrustPolicy, bytes: &[u8]) -> Result<VerifiedBundle, BundleRefuted> {
    let (about, files) = bundle::read(bytes, &trust.log)?;
    let evidence = files.get(bundle::EVIDENCE).ok_or_else(|| BundleError::Missing(bundle::EVIDENCE.to_owned()))?;
    let evidence: Evidence = serde_json::from_slice(evidence).map_err(|_| BundleRefuted::Form)?;
    let witnessed = files.get(bundle::WITNESSED).map(|note| String::from_utf8_lossy(note).into_owned());
    let verified = verify_evidence(trust, &evidence, witnessed.as_deref())?;
    let witnessed = match witnessed {
        Some(note) if !trust.witnesses.is_empty() => Some(trust.verify(&note).map_err(Refuted::from)?),
        _ => None,
    };
    Ok(VerifiedBundle { about, verified, witnessed })
}

impl VerifiedBundle {
    pub(super) fn print(&self) {
        self.about.iter().for_each(|line| say!("{line}"));
        for (position, entry) in &self.verified.entries {
            say!("{}", line(*position, entry));
        }
        let Checkpoint { origin, size, .. } = &self.verified.checkpoint;
        say!("verified: {} entries in the log {origin} of {size} entries", self.verified.entries.len());
        match &self.witnessed {
            Some(vouched) => {
                let beyond = self.verified.entries.iter().filter(|(position, _)| *position >= vouched.size()).count();
                let names: Vec<_> = vouched.by.iter().map(|(name, _)| name.as_str()).collect();
                let size = vouched.size();
                say!("witnessed: the first {size} entries of the log, by {}", names.join(", "));
                say!("{beyond} of the entries listed are newer than that and signed by the log alone");
            }
            None => say!("signed by the log alone: no witness was asked for"),
        }
    }
}
