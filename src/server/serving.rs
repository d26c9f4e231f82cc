//! What every connection of a server shares.

use std::sync::{Arc, atomic::AtomicBool};

use super::{limits::CallerLimits, metrics::Metrics};
use crate::{gateway::Gateway, identity::verifier::TerminalVerifier};

/// What every connection of a server shares.
pub struct Serving {
    pub gateway: Arc<Gateway>,
    pub verifier: TerminalVerifier,
    pub limits: CallerLimits,
    pub metrics: Metrics,
    /// Set before the node stops: `/readyz` says so while it still serves, and a balancer sends callers elsewhere.
    pub draining: AtomicBool,
}
