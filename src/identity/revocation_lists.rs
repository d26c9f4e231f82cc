//! The file of revocation lists: PEM or DER, one list of each CA, each signed by its CA.
//!
//! A file without a list is refused. It does not say that nobody is revoked: it was emptied, or holds what is not read.

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateRevocationListDer, pem::PemObject},
};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::certificate::serial_text;
use crate::{clock::Timestamp, planted::Planted};

/// Why a file of revocation lists is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(
        "no revocation list is in it, neither in PEM (BEGIN X509 CRL) nor in DER. Publish the list of the CA there; \
         only without the setting are no lists asked for"
    )]
    Nothing,
    #[error("of no CA in client_ca is there a list in it. Publish the list of the CA that signs the terminals")]
    OfOthers,
    #[error("what is in it is damaged, or no revocation list: {0}. Publish the list anew")]
    Damaged(String),
    #[error("a list is not signed by its CA, or by one that may not sign lists. Publish the CA's own")]
    Unsigned,
}

/// A list of a CA, known here or not.
pub(super) struct RevocationList {
    pub der: CertificateRevocationListDer<'static>,
    /// The CA's name, as people read it.
    pub issuer: String,
    /// The same, as it is encoded.
    pub issuer_name: Vec<u8>,
    /// RFC 5280 section 5.2.3, hexadecimal without leading zeros; empty where it has none.
    pub number: String,
    pub issued_at: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub revoked: Vec<String>,
    /// The CAs whose key signed it, by their places; none where it is of a CA that is not known here.
    pub signers: Vec<usize>,
}

/// Every list that a file holds, of which one at least is a CA's own.
///
/// # Errors
/// As [`ListError`] says.
pub(super) fn read_lists(
    bytes: &[u8],
    cas: &[X509Certificate<'_>],
    provider: &CryptoProvider,
) -> Result<Vec<RevocationList>, ListError> {
    let lists = if is_pem(bytes) { from_pem(bytes)? } else { from_der(bytes)? };
    let lists = lists.into_iter().map(|der| read_list(der, cas, provider)).collect::<Result<Vec<_>, _>>()?;
    if Planted::BelieveAnEmptyList.is_planted() {
        return Ok(lists);
    }
    if lists.is_empty() {
        return Err(ListError::Nothing);
    }
    if lists.iter().all(|list| list.signers.is_empty()) {
        return Err(ListError::OfOthers);
    }
    Ok(lists)
}

/// Whether a file of certificates or lists is text.
pub fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(10).any(|window| window == b"-----BEGIN")
}

fn from_pem(bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, ListError> {
    let lists = CertificateRevocationListDer::pem_slice_iter(bytes);
    lists.collect::<Result<_, _>>().map_err(|error| ListError::Damaged(error.to_string()))
}

/// One list behind the other.
fn from_der(bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, ListError> {
    const SEQUENCE: u8 = 0x30;
    let (mut lists, mut rest) = (Vec::new(), bytes);
    while rest.first() == Some(&SEQUENCE) {
        let (behind, _) = parse(rest)?;
        let (list, _) = rest.split_at(rest.len() - behind.len());
        lists.push(CertificateRevocationListDer::from(list.to_vec()));
        rest = behind;
    }
    if !lists.is_empty() && !rest.is_empty() {
        return Err(ListError::Damaged("something follows the last list".to_owned()));
    }
    Ok(lists)
}

fn parse(der: &[u8]) -> Result<(&[u8], CertificateRevocationList<'_>), ListError> {
    CertificateRevocationList::from_der(der).map_err(|error| ListError::Damaged(error.to_string()))
}

fn read_list(
    der: CertificateRevocationListDer<'static>,
    cas: &[X509Certificate<'_>],
    provider: &CryptoProvider,
) -> Result<RevocationList, ListError> {
    let (_, list) = parse(&der)?;
    let bears_the_name = |ca: &X509Certificate<'_>| ca.subject().as_raw() == list.issuer().as_raw();
    let named = || cas.iter().enumerate().filter(|(_, ca)| bears_the_name(ca));
    let signers: Vec<usize> =
        named().filter(|(_, ca)| is_signed_by(&list, ca, provider)).map(|(place, _)| place).collect();
    // A list that only bears the CA's name would unrevoke at once, and every handshake would fail on it.
    if signers.is_empty() && named().next().is_some() {
        return Err(ListError::Unsigned);
    }
    let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    Ok(RevocationList {
        issuer: list.issuer().to_string(),
        issuer_name: list.issuer().as_raw().to_vec(),
        number: list.crl_number().map(|number| serial_text(&number.to_bytes_be())).unwrap_or_default(),
        issued_at: moment(list.last_update().timestamp()),
        valid_until: list.next_update().map(|at| moment(at.timestamp())),
        revoked: list.iter_revoked_certificates().map(|entry| serial_text(entry.raw_serial())).collect(),
        signers,
        der: der.clone(),
    })
}

fn is_signed_by(list: &CertificateRevocationList<'_>, ca: &X509Certificate<'_>, provider: &CryptoProvider) -> bool {
    // RFC 5280 section 6.3.3 (f). The library asks it of no CA that is trusted by itself.
    let may_sign_lists = match ca.key_usage() {
        Ok(Some(usage)) => usage.value.crl_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    let (key, signature) = (&ca.public_key().subject_public_key.data, &list.signature_value.data);
    let algorithms = provider.signature_verification_algorithms.all;
    may_sign_lists
        && algorithms.iter().any(|by| by.verify_signature(key, list.tbs_cert_list.as_ref(), signature).is_ok())
}
