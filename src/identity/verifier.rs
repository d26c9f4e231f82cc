//! Verification of client certificates: path, dates, revocation lists that are reloaded while running, profile.
//!
//! A revocation list is taken where its CA has signed it and where it is no older than the one before. Whoever can put
//! a file in its place must not be able to bring a revoked terminal back. Both are known of the CAs in `client_ca`
//! alone: where there are lists, a terminal's certificate is signed by one of these itself.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    certificate::TerminalCertificate,
    revocation_lists::{ListError, RevocationList, read_lists},
};
use crate::{
    clock::Timestamp,
    files::{FileStamp, stamp},
};

/// Why the trust files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}: not certificates in PEM")]
    Pem(PathBuf),
    #[error("{0}: the certificates of the CA cannot be used: {1}")]
    Unusable(PathBuf, String),
    #[error("{0}: {1}")]
    Lists(PathBuf, ListError),
    /// An older list, or none, in place of one that was in force.
    #[error("{0}: the revocation list is older than the one before, or it is gone. Publish the newest")]
    RolledBack(PathBuf),
}

/// How new the revocation list of one CA is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMark {
    /// SHA-256 of the CA's name, hexadecimal.
    pub issuer: String,
    /// The list's number (RFC 5280 section 5.2.3), hexadecimal without leading zeros; empty where it has none.
    pub number: String,
    pub issued_at: Timestamp,
}

impl ListMark {
    fn of(list: &RevocationList) -> Self {
        Self { issuer: name_digest(&list.issuer_name), number: list.number.clone(), issued_at: list.issued_at }
    }

    /// By its number; where one of the two has none, by its date.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        if self.number.is_empty() || other.number.is_empty() {
            return self.issued_at < other.issued_at;
        }
        (self.number.len(), &self.number) < (other.number.len(), &other.number)
    }
}

impl RevocationList {
    /// Whether another list of the same CA is newer.
    fn is_replaced_by(&self, other: &Self) -> bool {
        let is_same_ca = self.issuer_name == other.issuer_name && self.signers == other.signers;
        is_same_ca && ListMark::of(self).is_older_than(&ListMark::of(other))
    }
}

fn name_digest(name: &[u8]) -> String {
    HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name).as_ref())
}

/// When a list ends, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEnd {
    /// The CA's name, as people read it.
    pub issuer: String,
    pub until: Timestamp,
}

impl ListEnd {
    fn of(list: &RevocationList) -> Option<Self> {
        Some(Self { issuer: list.issuer.clone(), until: list.valid_until? })
    }
}

/// The trust in force: the library's verifier and the serials its lists revoke.
struct TrustStore {
    verifier: Arc<dyn ClientCertVerifier>,
    revoked: HashSet<String>,
    marks: Vec<ListMark>,
    /// The CAs, as marks name them.
    issuers: Vec<String>,
    ends: Vec<ListEnd>,
    /// Names of the CAs that have no list where there are lists.
    without_list: Vec<String>,
    /// Whether there may be intermediate CAs between a terminal and these.
    intermediates_vouch: bool,
}

/// Verifies terminals. Clones share the trust in force.
#[derive(Clone)]
pub struct TerminalVerifier {
    ca_file: PathBuf,
    crl_file: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    hints: Arc<[DistinguishedName]>,
    trust: Arc<ArcSwap<TrustStore>>,
}

impl std::fmt::Debug for TerminalVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalVerifier").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

impl TerminalVerifier {
    /// Reads the CA's certificates (PEM) and its revocation lists (PEM or DER).
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

    /// Reads the files again. The trust in force stays where they cannot be used. Returns whether what is revoked has
    /// changed.
    ///
    /// # Errors
    /// As [`Self::load`]; [`TrustError::RolledBack`].
    pub fn reload(&self) -> Result<bool, TrustError> {
        let trust = read_trust(&self.ca_file, self.crl_file.as_deref(), &self.provider)?;
        let before = self.trust.load();
        self.check_no_older(&trust, &before.marks)?;
        let has_changed = trust.revoked != before.revoked;
        self.trust.store(Arc::new(trust));
        Ok(has_changed)
    }

    /// Holds the lists in force against those that were in force before the start.
    ///
    /// # Errors
    /// [`TrustError::RolledBack`].
    pub fn check_against(&self, seen: &[ListMark]) -> Result<(), TrustError> {
        self.check_no_older(&self.trust.load(), seen)
    }

    fn check_no_older(&self, trust: &TrustStore, seen: &[ListMark]) -> Result<(), TrustError> {
        let Some(file) = &self.crl_file else { return Ok(()) };
        let is_kept = |seen: &ListMark| trust.marks.iter().any(|m| m.issuer == seen.issuer && !m.is_older_than(seen));
        // A CA that signs no terminals any more needs no list.
        let mut expected = seen.iter().filter(|seen| trust.issuers.contains(&seen.issuer));
        if expected.all(is_kept) { Ok(()) } else { Err(TrustError::RolledBack(file.clone())) }
    }

    /// How new the lists in force are.
    pub fn marks(&self) -> Vec<ListMark> {
        self.trust.load().marks.clone()
    }

    /// What tells that a file was changed, without reading it: asked several times a second.
    pub fn stamps(&self) -> Vec<Option<FileStamp>> {
        std::iter::once(&self.ca_file).chain(&self.crl_file).map(|file| stamp(file)).collect()
    }

    /// Whether a list in force revokes this serial. Asked on every request: a handshake may be hours old.
    pub fn is_revoked(&self, serial: &str) -> bool {
        self.trust.load().revoked.contains(serial)
    }

    /// When the first revocation list expires, of the newest of each CA in `client_ca`; `None` where there is no list.
    pub fn lists_valid_until(&self) -> Option<Timestamp> {
        self.trust.load().ends.iter().map(|end| end.until).min()
    }

    /// When each of these lists ends.
    pub fn list_ends(&self) -> Vec<ListEnd> {
        self.trust.load().ends.clone()
    }

    /// Names of the CAs without a list: terminals that these signed are turned away. None where no list is asked for.
    pub fn without_list(&self) -> Vec<String> {
        self.trust.load().without_list.clone()
    }
}

fn read_trust(
    ca_file: &Path,
    crl_file: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<TrustStore, TrustError> {
    let ca_pem = read(ca_file)?;
    let not_pem = || TrustError::Pem(ca_file.to_owned());
    let certificates: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(&ca_pem).collect::<Result<_, _>>().map_err(|_| not_pem())?;
    let mut roots = RootCertStore::empty();
    let mut cas = Vec::new();
    let unusable = |error: String| TrustError::Unusable(ca_file.to_owned(), error);
    for certificate in &certificates {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| not_pem())?;
        cas.push(parsed);
        roots.add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
    }
    let not_taken = |error| TrustError::Lists(crl_file.unwrap_or(ca_file).to_owned(), error);
    let mut lists = match crl_file {
        Some(file) => read_lists(&read(file)?, &cas, provider).map_err(not_taken)?,
        None => Vec::new(),
    };
    // The library asks the first list of a CA that it finds.
    lists.sort_by_key(|list| std::cmp::Reverse((list.number.len(), list.number.clone(), list.issued_at)));
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .with_crls(lists.iter().map(|list| list.der.clone()))
        .only_check_end_entity_revocation();
    // Without a list the state of every certificate is unknown; the registry of terminals decides then.
    let builder = if crl_file.is_none() { builder.allow_unknown_revocation_status() } else { builder };
    let verifier = builder.build().map_err(|error| match error {
        VerifierBuilderError::InvalidCrl(error) => not_taken(ListError::Damaged(format!("{error:?}"))),
        error => unusable(error.to_string()),
    })?;
    let known = || lists.iter().filter(|list| !list.signers.is_empty());
    let is_newest = |list: &RevocationList| !known().any(|other| list.is_replaced_by(other));
    let has_list = |place: usize| crl_file.is_none() || lists.iter().any(|list| list.signers.contains(&place));
    let without_list = cas.iter().enumerate().filter(|(place, _)| !has_list(*place));
    Ok(TrustStore {
        verifier,
        revoked: known().flat_map(|list| list.revoked.iter().cloned()).collect(),
        marks: known().map(ListMark::of).collect(),
        issuers: cas.iter().map(|ca| name_digest(ca.subject().as_raw())).collect(),
        // A list of somebody else, or of last month beside the new one, ends nothing for anybody.
        ends: known().filter(|list| is_newest(list)).filter_map(ListEnd::of).collect(),
        without_list: without_list.map(|(_, ca)| ca.subject().to_string()).collect(),
        // On an open connection a list of any other CA would go unseen, and an older one could take its place.
        intermediates_vouch: crl_file.is_none(),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, TrustError> {
    fs::read(file).map_err(|error| TrustError::File(file.to_owned(), error))
}

/// RFC 5280 section 6.1.4 (n), which the library leaves out: an issuer whose key usage is stated states keyCertSign.
/// Asked of whatever is presented, since the library does not tell which of it made the path.
fn may_sign_certificates(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    }
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
        let trust = self.trust.load();
        let vouching = if trust.intermediates_vouch { intermediates } else { &[] };
        let verified = trust.verifier.verify_client_cert(end_entity, vouching, now).inspect_err(|error| {
            let is_unknown = matches!(error, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
            if is_unknown && vouching.len() < intermediates.len() {
                tracing::warn!("an intermediate CA signed a client certificate: with lists it must be in client_ca");
            }
        })?;
        if !intermediates.iter().all(|certificate| may_sign_certificates(certificate)) {
            tracing::warn!("an intermediate certificate may not sign certificates");
            return Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: &str, issued_at: i64) -> ListMark {
        ListMark { issuer: "ca".into(), number: number.into(), issued_at: Timestamp::from_micros(issued_at) }
    }

    #[test]
    fn the_number_decides_and_without_one_the_date() {
        assert!(mark("ff", 9).is_older_than(&mark("100", 1)), "numbers, not texts");
        assert!(mark("100", 1).is_older_than(&mark("101", 1)));
        assert!(!mark("101", 1).is_older_than(&mark("101", 2)), "the same list again");
        assert!(mark("", 1).is_older_than(&mark("5", 2)) && !mark("", 2).is_older_than(&mark("5", 2)));
    }
}
