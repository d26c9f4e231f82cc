//! TLS 1.3 alone, client certificate required, no resumption: every connection shows its certificate.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, ResolvesServerCert, danger::ClientCertVerifier},
    version::TLS13,
};
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;

/// What is wrong with the server's own certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{0}: not a certificate chain or key in PEM")]
    File(PathBuf),
    /// Terminals would refuse it; or it is the clock that is wrong, and then nothing else must be decided by it.
    #[error("{file}: not valid at {now}, but from {from} until {until}. Renew it, or set the clock")]
    Dates { file: PathBuf, now: String, from: String, until: String },
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// The one crypto provider of the gateway.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What accepts connections.
///
/// # Errors
/// The provider knows no TLS 1.3.
pub fn acceptor(
    certificate: Arc<dyn ResolvesServerCert>,
    verifier: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
    clock: &Clock,
) -> Result<TlsAcceptor, TlsError> {
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(clock.clone()))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    // A ticket taken before a revocation would get in without the certificate being looked at.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
