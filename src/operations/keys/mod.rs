//! Keys are made anew, wrapped anew, retired.

pub mod rewrap_keys;
