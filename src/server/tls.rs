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

use crate::clock::{Clock, Timestamp};

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

/// What accepts connections, and until when its certificate is valid.
///
/// # Errors
/// Certificate and key cannot be read or do not belong together, or the certificate is not valid at this moment.
pub fn acceptor(
    certificate: &Path,
    key: &Path,
    verifier: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
    clock: &Clock,
) -> Result<(TlsAcceptor, Timestamp), TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|_| TlsError::File(certificate.to_owned()))?;
    let valid_until = check_dates(certificate, chain.first(), clock)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::File(key.to_owned()))?;
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(clock.clone()))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    // A ticket taken before a revocation would get in without the certificate being looked at.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), valid_until))
}

fn check_dates(file: &Path, certificate: Option<&CertificateDer<'_>>, clock: &Clock) -> Result<Timestamp, TlsError> {
    let unreadable = || TlsError::File(file.to_owned());
    let certificate = certificate.ok_or_else(unreadable)?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
    let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let (from, until) =
        (moment(parsed.validity().not_before.timestamp()), moment(parsed.validity().not_after.timestamp()));
    let now = clock.now();
    if now < from || until < now {
        let [now, from, until] = [now, from, until].map(Timestamp::to_rfc3339);
        return Err(TlsError::Dates { file: file.to_owned(), now, from, until });
    }
    Ok(until)
}
