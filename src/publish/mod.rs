//! The gateway's side of witnessing: its checkpoints go to outsiders who countersign them.
//!
//! Comes in: the head of the tree. Goes out: signed checkpoints to the witnesses, and their signatures on the
//! [`board`]. At a start [`guard`] asks whether the ledger has been set back behind what was witnessed. Never done here:
//! looking into an entry.

pub mod board;
pub mod client;
pub mod guard;
pub mod leaves;
pub mod publisher;
