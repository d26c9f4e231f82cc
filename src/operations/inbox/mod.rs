//! What an organization is told.

pub mod read_inbox;
