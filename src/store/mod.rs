//! The databases: SQLite where one process serves, PostgreSQL in production.
//!
//! Comes in: ids, facts and values to seal. Goes out: facts in the clear and content as [`Sealed`], which only the
//! disclosure room opens. Never done here: deciding who may see what, or writing but for the journal.
//!
//! SQL is written once for both databases. [`Tx`] is a transaction on either; [`execute!`], [`fetch_optional!`] and
//! [`fetch_all!`] run a statement on whichever it is. What differs between the two stands in `migrations/`, and in two
//! files of one database each: `append.rs` and `append_shared.rs`, which append and commit as one statement.
//!
//! [`Sealed`]: crate::disclosure::sealed::Sealed

pub mod accounts;
pub mod append;
pub mod append_shared;
pub mod attachments;
pub mod batches;
pub mod changes;
pub mod credentials;
pub mod disposals;
pub mod drafts;
pub mod edit_locks;
pub mod error;
pub mod idempotency;
pub mod inbox;
pub mod index_rows;
pub mod kept;
pub mod ledger;
pub mod log;
pub mod migrate;
pub mod notices;
pub mod open;
pub mod oversight;
pub mod passkeys;
pub mod reading;
pub mod reads;
pub mod records;
pub mod rewraps;
pub mod rows;
pub mod sessions;
pub mod sign_in_locks;
pub mod staff_grants;
pub mod transfers;
pub mod trust;
pub mod tx;
pub mod versions;
pub mod waiting_acts;
