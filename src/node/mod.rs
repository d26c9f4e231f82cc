//! A node: how it is opened, what fills its memory, what the clock makes it do, how it is backed up.
//!
//! Comes in: the configuration. Goes out: a [`Gateway`](crate::gateway::Gateway) that is ready to serve. Never done here:
//! answering a request.

pub mod audit;
pub mod backup;
pub mod load;
pub mod open;
pub mod snapshot;
pub mod tick;
pub mod trust;
