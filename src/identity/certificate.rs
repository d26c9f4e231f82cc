//! The certificate profile of terminals, on top of the path check (RFC 5280).
//!
//! The TLS library verifies the path, the dates and the revocation lists. It does not ask for the clientAuth key
//! usage of an end entity that has no such extension, nor does it know organizations. This profile asks for:
//! clientAuth among the extended key usages, no CA certificate, exactly one organization URI among the subject
//! alternative names, and a serial number.

use data_encoding::HEXLOWER;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::{clock::Timestamp, domain::organization::OrganizationCode};

/// Prefix of the organization URI; the organization code follows.
pub const ORGANIZATION_URI: &str = "urn:tsunagi:organization:";

/// What a verified terminal certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalCertificate {
    pub organization: OrganizationCode,
    /// Serial number, lower-case hexadecimal without leading zeros.
    pub serial: String,
    /// After this moment the certificate is worth nothing, on open connections either.
    pub not_after: Timestamp,
}

/// Why a certificate does not fit the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileFault {
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("a CA certificate is not a terminal's")]
    IsCa,
    #[error("the extended key usage clientAuth is missing")]
    NotForClients,
    #[error("exactly one organization URI is required among the subject alternative names")]
    OrganizationUri,
    #[error("the organization URI does not hold an organization code")]
    OrganizationCode,
}

impl TerminalCertificate {
    /// Reads a certificate whose path has been verified.
    ///
    /// # Errors
    /// The first rule of the profile that it breaks.
    pub fn from_der(der: &[u8]) -> Result<Self, ProfileFault> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| ProfileFault::Unreadable)?;
        if !rest.is_empty() {
            return Err(ProfileFault::Unreadable);
        }
        if certificate.is_ca() {
            return Err(ProfileFault::IsCa);
        }
        let usage = certificate.extended_key_usage().map_err(|_| ProfileFault::Unreadable)?;
        if !usage.is_some_and(|usage| usage.value.client_auth) {
            return Err(ProfileFault::NotForClients);
        }
        let names = certificate.subject_alternative_name().map_err(|_| ProfileFault::Unreadable)?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) => uri.strip_prefix(ORGANIZATION_URI),
                _ => None,
            })
            .collect();
        let [code] = uris.as_slice() else { return Err(ProfileFault::OrganizationUri) };
        let organization = OrganizationCode::parse(code).ok_or(ProfileFault::OrganizationCode)?;
        let not_after = Timestamp::from_micros(certificate.validity().not_after.timestamp().saturating_mul(1_000_000));
        Ok(Self { organization, serial: serial_text(certificate.raw_serial()), not_after })
    }
}

/// Whether a text is a serial number as the registry of terminals keeps it.
pub fn is_serial(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A serial number as the registry of terminals keeps it.
pub fn serial_text(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes).trim_start_matches('0').to_owned()
}
