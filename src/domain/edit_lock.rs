//! The edit lock of a record (排他制御).

use super::organization::OrganizationCode;
use crate::clock::Timestamp;

/// A lock that is held: by one officer at one terminal, who may have another version of the record open elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditLock {
    pub organization: OrganizationCode,
    pub officer: String,
    /// Serial of the terminal's certificate.
    pub terminal: String,
    pub until: Timestamp,
}
