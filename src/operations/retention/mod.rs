//! Retention, disposal, the destruction of keys.

pub mod borne_out;
pub mod carry_out_disposals;
pub mod destroy_keys;
pub mod dispose_records;
pub mod list_due;
pub mod retain_records;
pub mod run_out;
