//! The rules of the house, without any input or output.
//!
//! Comes in: plain values (a document tree, facts about a record, a caller's relation). Goes out: plain values
//! (a validated document, a decision). Never done here: reading a clock, a database, a socket or a file.

pub mod attachment;
pub mod batch;
pub mod calendar;
pub mod case_record;
pub mod disposal;
pub mod draft;
pub mod edit_lock;
pub mod format;
pub mod idempotency;
pub mod missing_notice;
pub mod organization;
pub mod oversight;
pub mod photo;
pub mod postal;
pub mod purpose;
pub mod registry;
pub mod relation;
pub mod retention;
pub mod sharp_act;
pub mod staffing;
pub mod transfer;
pub mod transfer_note;
pub mod two_persons;
pub mod visibility;
