//! What the fuzz targets run, one function for each: bytes from outside in, and a panic where the gateway would do
//! what it must not. `tests/gateway/fuzz_seeds.rs` includes these files and runs every seed through them.
//!
//! Nothing that holds a seed's text is printed by the gateway's own types: they have no `Debug`.

pub mod certificate;
pub mod cursor;
pub mod headers;
pub mod json;
pub mod message;
pub mod query;
pub mod xml;

mod called;
