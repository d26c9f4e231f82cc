//! Tsunagi (繋ぎ): the gateway through which municipalities, child guidance centers and the ministry share what
//! they know of a child at risk.
//!
//! # The way through
//!
//! A request goes one way. [`server`] accepts the connection, checks the certificate and the limits and finds the
//! route; [`identity`] says who calls; a face ([`wire`] for the API, [`web`] for the pages) turns a call into a typed
//! request; one file of [`operations`] does what is asked, by the pure rules of [`domain`] and with the index of
//! [`search`]; [`store`] reads and writes; and [`disclosure`] lets data out, after the ledger entry that accounts for it
//! is durable. Then the face turns a [`disclosure::gate::Disclosed`] value into bytes. Data does not go back to a room
//! it has left.
//!
//! # Where to begin
//!
//! * [`wire::routes`]: every call of the API by subject, with who may make it; [`web::all`]: every page.
//! * [`domain::visibility`]: who may see what; the matrix itself is `policy/standard_visibility.txt`.
//! * [`disclosure::gate`] and [`journal::journal`]: the one door, and the way to the one writer.
//! * [`operations::search::search_nationwide`]: an operation that uses all of it.
//! * [`domain::format`]: the national format, from one definition.
//!
//! # What holds it together
//!
//! A record comes out of the store as [`disclosure::sealed::Sealed`], which has no way to be printed, cloned or serialised.
//! Only the gate opens it, and only a [`journal::writer::Receipt`], which only a committed ledger entry yields,
//! turns it into a [`disclosure::gate::Disclosed`] value. Answers take nothing else.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod disclosure;
pub mod domain;
pub mod error;
pub mod face;
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
pub mod web;
pub mod wire;
pub mod witness;

#[cfg(any(tsunagi_cheats = "types", tsunagi_cheats = "fields"))]
#[path = "../tests/compile_fail/cheats.rs"]
mod cheats;
