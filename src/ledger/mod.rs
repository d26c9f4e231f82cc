//! The ledger (閲覧履歴): what an entry says, the Merkle log that holds it, and how others verify it.
//!
//! Comes in: entries, tree heads, signed notes. Goes out: leaves, proofs, checkpoints, bundles of evidence. Never done
//! here: writing to the database ([`journal`](crate::journal) does), or deciding who may see what.

pub mod audit;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod entry;
pub mod evidence;
pub mod evidence_page;
pub mod merkle;
pub mod note;
