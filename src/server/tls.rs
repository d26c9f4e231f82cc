//! TLS 1.3 alone, client certificate required, no resumption: every connection shows its certificate.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, danger::ClientCertVerifier},
    version::TLS13,
};
use tokio_rustls::TlsAcceptor;

/// What is wrong with the server's own certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{0}: not a certificate chain or key in PEM")]
    File(PathBuf),
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// The one crypto provider of the gateway.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// # Errors
/// Certificate and key cannot be read or do not belong together.
pub fn acceptor(
    certificate: &Path,
    key: &Path,
    verifier: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
) -> Result<TlsAcceptor, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|_| TlsError::File(certificate.to_owned()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::File(key.to_owned()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    // A ticket taken before a revocation would get in without the certificate being looked at.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
