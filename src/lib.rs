//! Tsunagi (繋ぎ): the gateway through which municipalities, child guidance centers and the ministry share what
//! they know of a child at risk.
//!
//! # The way through
//!
//! A request goes one way. [`server`] accepts the connection, checks the certificate and the limits and finds the
//! route; [`identity`] says who calls; [`wire`] turns bytes into a typed message; one file of [`operations`] does what
//! is asked, by the pure rules of [`domain`] and with the index of [`search`]; [`store`] reads and writes; and
//! [`disclosure`] lets data out, after the ledger entry that accounts for it is durable. Then [`wire`] turns a
//! [`disclosure::Disclosed`] value into bytes. Data does not go back to a room it has left.
//!
//! # Where to begin
//!
//! * [`server::routes::ROUTES`]: every call of the API on one page, with who may make it.
//! * [`domain::visibility`]: who may see what; the matrix itself is `policy/standard_visibility.txt`.
//! * [`disclosure::gate`] and [`disclosure::journal`]: the one door, and the way to the one writer.
//! * [`operations::search_nationwide`]: an operation that uses all of it.
//! * [`domain::format`]: the national format, from one definition.
//!
//! # What holds it together
//!
//! A record comes out of the store as [`disclosure::Sealed`], which has no way to be printed, cloned or serialised.
//! Only the gate opens it, and only a [`disclosure::journal::Receipt`], which only a committed ledger entry yields,
//! turns it into a [`disclosure::Disclosed`] value. Answers take nothing else.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod disclosure;
pub mod domain;
pub mod error;
pub mod files;
pub mod gateway;
pub mod https;
pub mod identity;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod node;
pub mod operations;
mod planted;
pub mod publish;
pub mod search;
pub mod server;
pub mod store;
pub mod wire;
pub mod witness;

#[cfg(any(tsunagi_cheats = "types", tsunagi_cheats = "fields"))]
#[path = "../tests/compile_fail/cheats.rs"]
mod cheats;
