//! The gate. Not one byte of record data leaves but through here.
//!
//! Comes in: a [`Sealed`] value from the store, a caller, facts. Goes out: a [`Disclosed`] value, after the ledger
//! entry that accounts for it is durable. Never done here: reading requests or writing answers.
//!
//! The chain is held by types. Only the one writer of a node makes a [`journal::Receipt`], and only of a committed entry.
//! Only this room opens a [`Sealed`] value. Only [`gate`] makes a [`Disclosed`] one, and it consumes a receipt.

pub mod audit;
pub mod checkpoint;
mod commit;
pub mod cosignature;
pub mod entry;
pub mod following;
pub mod gate;
pub mod journal;
pub mod memory;
pub mod merkle;
pub mod messages;
mod note;
pub(crate) mod planted;
pub mod recent;
mod sealed;
mod writer;

pub use gate::Disclosed;
pub use note::KeyKind;
pub(crate) use note::parse_size;
pub use sealed::Sealed;
