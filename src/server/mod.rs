//! The front of the house: accepts connections, checks certificates and limits, finds the route, answers.
//!
//! Comes in: TCP connections. Goes out: the bytes of an [`Answer`]. Never done here: anything that one operation needs
//! and another does not.
//!
//! [`Answer`]: crate::wire::answer::Answer

pub mod accept;
pub mod connection;
pub mod error;
pub mod limits;
pub mod metrics;
pub mod monitor;
pub mod openapi;
pub mod own_certificate;
mod sending;
pub mod serving;
pub mod start;
pub mod tls;
mod trust;
