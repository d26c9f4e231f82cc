//! The gate. Not one byte of record data leaves but through here.
//!
//! Comes in: a [`sealed::Sealed`] value from the store, a caller, facts. Goes out: a [`gate::Disclosed`] value, after the
//! ledger entry that accounts for it is durable. Never done here: reading requests or writing answers.
//!
//! The chain is held by types. Only the one writer of a node makes a [`Receipt`](crate::journal::writer::Receipt), and
//! only of a committed entry. Only this room opens a sealed value. Only [`gate`] makes a disclosed one, and it consumes
//! a receipt.

pub mod done;
pub mod gate;
pub mod grant;
pub mod sealed;
pub mod view;
