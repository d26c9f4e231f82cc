//! Why a server does not start.

use std::net::SocketAddr;

use super::tls::TlsError;
use crate::{
    identity::verifier::TrustError,
    node::{open::OpenError, tick::ClockError},
    publish::publisher::PublishError,
};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("server certificate: {0}")]
    Tls(#[from] TlsError),
    #[error("{address}: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Publish(#[from] PublishError),
}
