//! What there is to do.

mod line;
mod sources;
pub mod view_today;
