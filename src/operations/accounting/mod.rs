//! Who saw what, and the proof of it.

pub mod export_evidence;
pub mod prove_ledger;
pub mod read_disclosures;
pub mod tell_refuted;
