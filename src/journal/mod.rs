//! The journal: the one writer of a node, and the memory that follows it.
//!
//! Comes in: effects with their ledger entries, messages and changes. Goes out: a [`writer::Receipt`], once they are
//! durable; changes of memory, in order. Never done here: deciding who may see what.
//!
//! Only the one writer makes a receipt, and only of a committed entry.

mod commit;
mod doubt;
pub mod error;
pub mod following;
pub mod inbox;
mod job;
#[expect(clippy::module_inception, reason = "the handle to the writer is the journal, in the room of its name")]
pub mod journal;
pub mod memory;
pub mod recent;
pub mod writer;
