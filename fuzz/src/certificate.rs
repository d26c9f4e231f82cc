//! The certificate profile: DER that somebody presents.

use tsunagi::{domain::organization::OrganizationCode, identity::certificate::TerminalCertificate};

/// Nothing panics, and what is read is of its form: a certificate cannot smuggle a text into the registry of
/// terminals or into the ledger.
pub fn enter(bytes: &[u8]) {
    let Ok(certificate) = TerminalCertificate::from_der(bytes) else { return };
    assert!(OrganizationCode::parse(certificate.organization.as_str()).as_ref() == Some(&certificate.organization));
    assert!(certificate.serial.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    assert!(!certificate.serial.starts_with('0'));
    // Room for it in an entry of the ledger, whatever the certificate's size.
    certificate.not_after.to_rfc3339();
}
