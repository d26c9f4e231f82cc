//! Tsunagi (繋ぎ): the gateway through which municipalities, child guidance centers and the ministry share what
//! they know of a child at risk.
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod disclosure;
pub mod domain;
pub mod error;
pub mod gateway;
pub mod identity;
pub mod operations;
pub mod pki;
pub mod search;
pub mod server;
pub mod store;
pub mod wire;

#[cfg(any(tsunagi_cheats = "types", tsunagi_cheats = "fields"))]
#[path = "../tests/compile_fail/cheats.rs"]
mod cheats;
