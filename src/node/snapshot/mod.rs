//! The snapshot: a sealed file of what memory holds, so that a start need not read every record.

pub mod file;
pub mod read;
pub mod write;
