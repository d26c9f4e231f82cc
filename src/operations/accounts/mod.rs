//! Organizations, terminals, staff, sessions, settings.

pub mod administer;
pub mod bootstrap;
pub mod sign_in;
pub mod who_am_i;
