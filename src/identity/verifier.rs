//! Verification of client certificates: path, dates, revocation lists that are reloaded while running, profile.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::certificate::{TerminalCertificate, serial_text};
use crate::clock::Timestamp;

/// Why the trust files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}: not certificates or revocation lists in PEM")]
    Pem(PathBuf),
    #[error("the certificates of the CA cannot be used: {0}")]
    Unusable(String),
}

/// The trust in force: the library's verifier and the serials its lists revoke.
struct Trust {
    verifier: Arc<dyn ClientCertVerifier>,
    revoked: HashSet<String>,
    /// Earliest `nextUpdate` of the lists; `None` where there is no list.
    lists_valid_until: Option<Timestamp>,
}

/// Verifies terminals. Clones share the trust in force.
#[derive(Clone)]
pub struct TerminalVerifier {
    ca_file: PathBuf,
    crl_file: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    hints: Arc<[DistinguishedName]>,
    trust: Arc<ArcSwap<Trust>>,
}

impl std::fmt::Debug for TerminalVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalVerifier").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

impl TerminalVerifier {
    /// Reads the CA's certificates and its revocation lists (PEM).
    ///
    /// # Errors
    /// A file is missing or is not what it should be.
    pub fn load(ca_file: &Path, crl_file: Option<&Path>, provider: Arc<CryptoProvider>) -> Result<Self, TrustError> {
        let trust = read_trust(ca_file, crl_file, &provider)?;
        let hints = trust.verifier.root_hint_subjects().into();
        Ok(Self {
            ca_file: ca_file.to_owned(),
            crl_file: crl_file.map(Path::to_owned),
            provider,
            hints,
            trust: Arc::new(ArcSwap::from_pointee(trust)),
        })
    }

    /// Reads the files again. The trust in force stays where they cannot be used.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn reload(&self) -> Result<(), TrustError> {
        let trust = read_trust(&self.ca_file, self.crl_file.as_deref(), &self.provider)?;
        self.trust.store(Arc::new(trust));
        Ok(())
    }

    /// Whether a list in force revokes this serial. Asked on every request: a handshake may be hours old.
    pub fn is_revoked(&self, serial: &str) -> bool {
        self.trust.load().revoked.contains(serial)
    }

    /// When the first revocation list expires; `None` where there is no list.
    pub fn lists_valid_until(&self) -> Option<Timestamp> {
        self.trust.load().lists_valid_until
    }
}

fn read_trust(ca_file: &Path, crl_file: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Trust, TrustError> {
    let ca_pem = read(ca_file)?;
    let mut roots = RootCertStore::empty();
    let mut subjects = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&ca_pem) {
        let certificate = certificate.map_err(|_| TrustError::Pem(ca_file.to_owned()))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| TrustError::Pem(ca_file.to_owned()))?;
        subjects.push(parsed.subject().as_raw().to_vec());
        roots.add(certificate).map_err(|error| TrustError::Unusable(error.to_string()))?;
    }
    let mut lists = Vec::new();
    let mut revoked = HashSet::new();
    let mut lists_valid_until = None;
    if let Some(crl_file) = crl_file {
        for list in CertificateRevocationListDer::pem_slice_iter(&read(crl_file)?) {
            let list = list.map_err(|_| TrustError::Pem(crl_file.to_owned()))?;
            let (_, parsed) =
                CertificateRevocationList::from_der(&list).map_err(|_| TrustError::Pem(crl_file.to_owned()))?;
            if subjects.iter().any(|subject| subject == parsed.issuer().as_raw()) {
                revoked.extend(parsed.iter_revoked_certificates().map(|entry| serial_text(entry.raw_serial())));
            }
            let until = parsed.next_update().map(|at| Timestamp::from_micros(at.timestamp().saturating_mul(1_000_000)));
            lists_valid_until = match (lists_valid_until, until) {
                (Some(first), Some(until)) => Some(std::cmp::min(first, until)),
                (known, until) => known.or(until),
            };
            lists.push(list);
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .with_crls(lists)
        .only_check_end_entity_revocation();
    // Without a list the state of every certificate is unknown; the registry of terminals decides then.
    let builder = if crl_file.is_none() { builder.allow_unknown_revocation_status() } else { builder };
    let verifier = builder.build().map_err(|error| TrustError::Unusable(error.to_string()))?;
    Ok(Trust { verifier, revoked, lists_valid_until })
}

fn read(file: &Path) -> Result<Vec<u8>, TrustError> {
    fs::read(file).map_err(|error| TrustError::File(file.to_owned(), error))
}

impl ClientCertVerifier for TerminalVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.trust.load().verifier.verify_client_cert(end_entity, intermediates, now)?;
        TerminalCertificate::from_der(end_entity).map_err(|fault| {
            tracing::warn!(%fault, "a client certificate does not fit the profile");
            rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
        })?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.load().verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.load().verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.load().verifier.supported_verify_schemes()
    }
}
