//! Case records: registered, updated, viewed, listed, closed, shielded, edited, with their files.

pub mod attach_file;
pub mod close_record;
pub mod edit_lock;
pub mod list_records;
pub mod register_batch;
pub mod register_record;
pub mod registration;
mod rules;
pub mod search_own_records;
pub mod shield_record;
pub mod update_record;
pub mod view_record;
