//! The witness: an outsider who keeps a gateway from ever showing two histories.
//!
//! A witness keeps, of each log it knows, the largest tree it has signed. It signs a larger one only with the proof that
//! nothing before was changed (C2SP `tlog-witness`). It sees sizes and hashes and nothing else: no entry, no name.
//!
//! [`keeper`] and [`serve`] are a process of its own that somebody other than the gateway's operator runs. [`request`] is
//! what a gateway sends it (its side is [`publish`](crate::publish)). Never done here: looking into an entry.

pub mod keeper;
pub mod request;
pub mod serve;
