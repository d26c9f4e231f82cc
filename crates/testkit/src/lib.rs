//! What the demonstration, tests and benchmarks share: certificates, a gateway of its own in a directory, parties that
//! call it, families that do not exist. It is for development: nothing that serves depends on it.

pub mod demo;
pub mod people;
pub mod persons;
pub mod pki;
pub mod stage;
pub mod world;
