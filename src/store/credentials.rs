//! What people sign in with at desks: password hashes, sealed secrets, digests of codes. Rows are written whole.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::{organization::OrganizationCode, two_persons::StaffId},
    keys::vault::{Place, Vault},
};

/// What one person signs in with. No `Debug`: it holds a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub of: StaffId,
    /// Argon2id in PHC form.
    pub password_hash: String,
    pub password_set_at: Timestamp,
    /// Secret of the second factor; none for staff of before, until they enrol it.
    pub totp: Option<Vec<u8>>,
    /// The last time step whose code was used.
    pub totp_step: i64,
    pub issued_by: Option<StaffId>,
    pub issued_at: Timestamp,
    /// Whether it replaced another.
    pub reissued: bool,
}

type Row = (String, String, String, i64, Option<Vec<u8>>, i64, Option<String>, Option<String>, i64, i64);

fn place(row: &String) -> Place<'_> {
    Place { table: "credentials", row, column: "sealed_totp" }
}

fn row_of(of: &StaffId) -> String {
    format!("{}:{}", of.organization, of.officer)
}

pub(super) fn code_of(text: &str) -> Result<OrganizationCode, StoreError> {
    OrganizationCode::parse(text).ok_or(StoreError::Corrupt("organization code"))
}

/// A person who may be missing, by the two columns that name them.
pub(super) fn person_of(organization: Option<String>, officer: Option<String>) -> Result<Option<StaffId>, StoreError> {
    match (organization, officer) {
        (Some(organization), Some(officer)) => Ok(Some(StaffId { organization: code_of(&organization)?, officer })),
        _ => Ok(None),
    }
}

fn credential_of(vault: &Vault, row: Row) -> Result<Credential, StoreError> {
    let (organization, officer, password_hash, set_at, sealed, totp_step, by_organization, by, issued_at, reissued) =
        row;
    let of = StaffId { organization: code_of(&organization)?, officer };
    let totp = match sealed {
        Some(sealed) => {
            let hex = vault.unseal_text(place(&row_of(&of)), &sealed)?;
            Some(data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(|_| StoreError::Corrupt("second factor"))?)
        }
        None => None,
    };
    Ok(Credential {
        of,
        password_hash,
        password_set_at: Timestamp::from_micros(set_at),
        totp,
        totp_step,
        issued_by: person_of(by_organization, by)?,
        issued_at: Timestamp::from_micros(issued_at),
        reissued: reissued != 0,
    })
}

/// What a person signs in with, if anything.
///
/// # Errors
/// The database failed, or the secret does not open.
pub async fn find(tx: &mut Tx, vault: &Vault, of: &StaffId) -> Result<Option<Credential>, StoreError> {
    let row = fetch_optional!(
        tx,
        Row,
        "/* credential */ SELECT organization, officer, password_hash, password_set_at, sealed_totp, totp_step,
             issued_by_organization, issued_by, issued_at, reissued
         FROM credentials WHERE organization = $1 AND officer = $2",
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    row.map(|row| credential_of(vault, row)).transpose()
}

/// Those of one organization.
///
/// # Errors
/// As [`find`].
pub async fn of_organization(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
) -> Result<Vec<Credential>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* credentials_of */ SELECT organization, officer, password_hash, password_set_at, sealed_totp, totp_step,
             issued_by_organization, issued_by, issued_at, reissued
         FROM credentials WHERE organization = $1",
        organization.as_str(),
    )?;
    rows.into_iter().map(|row| credential_of(vault, row)).collect()
}

pub(crate) async fn put(tx: &mut Tx, vault: &Vault, credential: &Credential) -> Result<(), StoreError> {
    let row = row_of(&credential.of);
    let seal = |secret: &Vec<u8>| vault.seal_text(place(&row), &data_encoding::HEXLOWER.encode(secret));
    let sealed_totp = credential.totp.as_ref().map(seal).transpose()?;
    execute!(
        tx,
        "/* put_credential */ INSERT INTO credentials (organization, officer, password_hash, password_set_at,
             sealed_totp, totp_step, issued_by_organization, issued_by, issued_at, reissued)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (organization, officer) DO UPDATE SET password_hash = excluded.password_hash,
             password_set_at = excluded.password_set_at, sealed_totp = excluded.sealed_totp,
             totp_step = excluded.totp_step, issued_by_organization = excluded.issued_by_organization,
             issued_by = excluded.issued_by, issued_at = excluded.issued_at, reissued = excluded.reissued",
        credential.of.organization.as_str(),
        credential.of.officer.as_str(),
        credential.password_hash.as_str(),
        credential.password_set_at.as_micros(),
        sealed_totp,
        credential.totp_step,
        credential.issued_by.as_ref().map(|by| by.organization.as_str()),
        credential.issued_by.as_ref().map(|by| by.officer.as_str()),
        credential.issued_at.as_micros(),
        i64::from(credential.reissued),
    )?;
    Ok(())
}

/// Destroys everything that a person signs in with: password, second factor, recovery codes, codes to enrol with and
/// sessions.
pub(crate) async fn destroy(tx: &mut Tx, of: &StaffId) -> Result<(), StoreError> {
    let (organization, officer) = (of.organization.as_str(), of.officer.as_str());
    execute!(
        tx,
        "/* destroy_credential */ DELETE FROM credentials WHERE organization = $1 AND officer = $2",
        organization,
        officer,
    )?;
    execute!(
        tx,
        "/* destroy_recovery_codes */ DELETE FROM recovery_codes WHERE organization = $1 AND officer = $2",
        organization,
        officer,
    )?;
    execute!(
        tx,
        "/* destroy_enrolment_codes */ DELETE FROM enrolment_codes WHERE organization = $1 AND officer = $2",
        organization,
        officer,
    )?;
    super::sessions::end_all(tx, &of.organization, &of.officer).await
}

/// Replaces a person's recovery codes.
pub(crate) async fn put_recovery_codes(tx: &mut Tx, of: &StaffId, digests: &[[u8; 32]]) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* forget_recovery_codes */ DELETE FROM recovery_codes WHERE organization = $1 AND officer = $2",
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    for digest in digests {
        execute!(
            tx,
            "/* put_recovery_code */ INSERT INTO recovery_codes (digest, organization, officer) VALUES ($1, $2, $3)",
            digest.to_vec(),
            of.organization.as_str(),
            of.officer.as_str(),
        )?;
    }
    Ok(())
}

/// Uses a recovery code up; whether it was one of the person's.
pub(crate) async fn use_recovery_code(tx: &mut Tx, of: &StaffId, digest: &[u8; 32]) -> Result<bool, StoreError> {
    let used = execute!(
        tx,
        "/* use_recovery_code */ DELETE FROM recovery_codes WHERE digest = $1 AND organization = $2 AND officer = $3",
        digest.to_vec(),
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    Ok(used == 1)
}

/// Whether a code is one of a person's recovery codes.
///
/// # Errors
/// The database failed.
pub async fn has_recovery_code(tx: &mut Tx, of: &StaffId, digest: &[u8; 32]) -> Result<bool, StoreError> {
    let found = fetch_optional!(
        tx,
        (String,),
        "/* recovery_code */ SELECT officer FROM recovery_codes
         WHERE digest = $1 AND organization = $2 AND officer = $3",
        digest.to_vec(),
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    Ok(found.is_some())
}

/// A code with which a person sets password and second factor, once.
#[derive(Clone)]
pub struct EnrolmentCode {
    pub organization: OrganizationCode,
    /// For whom; none for the code that opens a body.
    pub officer: Option<String>,
    pub issued_by: StaffId,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether the credential that comes of it replaces another.
    pub reissued: bool,
}

/// Writes a code; earlier ones of the same person, or of the same body, are worth nothing any more.
pub(crate) async fn put_enrolment_code(tx: &mut Tx, digest: &[u8; 32], code: &EnrolmentCode) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* replace_enrolment_codes */ DELETE FROM enrolment_codes
         WHERE organization = $1 AND COALESCE(officer, '') = $2",
        code.organization.as_str(),
        code.officer.as_deref().unwrap_or_default(),
    )?;
    execute!(
        tx,
        "/* put_enrolment_code */ INSERT INTO enrolment_codes (digest, organization, officer, issued_by_organization,
             issued_by, issued_at, expires_at, reissued)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        digest.to_vec(),
        code.organization.as_str(),
        code.officer.as_deref(),
        code.issued_by.organization.as_str(),
        code.issued_by.officer.as_str(),
        code.issued_at.as_micros(),
        code.expires_at.as_micros(),
        i64::from(code.reissued),
    )?;
    Ok(())
}

/// A code that has not expired.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn enrolment_code(
    tx: &mut Tx,
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<Option<EnrolmentCode>, StoreError> {
    let row = fetch_optional!(
        tx,
        (String, Option<String>, String, String, i64, i64, i64),
        "/* enrolment_code */ SELECT organization, officer, issued_by_organization, issued_by, issued_at, expires_at,
             reissued FROM enrolment_codes WHERE digest = $1 AND expires_at > $2",
        digest.to_vec(),
        now.as_micros(),
    )?;
    let Some((organization, officer, by_organization, by, issued_at, expires_at, reissued)) = row else {
        return Ok(None);
    };
    Ok(Some(EnrolmentCode {
        organization: code_of(&organization)?,
        officer,
        issued_by: StaffId { organization: code_of(&by_organization)?, officer: by },
        issued_at: Timestamp::from_micros(issued_at),
        expires_at: Timestamp::from_micros(expires_at),
        reissued: reissued != 0,
    }))
}

/// Uses a code up.
pub(crate) async fn use_enrolment_code(tx: &mut Tx, digest: &[u8; 32]) -> Result<(), StoreError> {
    execute!(tx, "/* use_enrolment_code */ DELETE FROM enrolment_codes WHERE digest = $1", digest.to_vec())?;
    Ok(())
}

/// Days after which a body's passwords are renewed; 0 for never.
///
/// # Errors
/// The database failed.
pub async fn password_days(tx: &mut Tx, organization: &OrganizationCode) -> Result<i64, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "/* password_days */ SELECT password_days FROM sign_in_policies WHERE organization = $1",
        organization.as_str(),
    )?;
    Ok(row.map_or(0, |(days,)| days))
}

pub(crate) async fn set_password_days(
    tx: &mut Tx,
    organization: &OrganizationCode,
    days: i64,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_password_days */ INSERT INTO sign_in_policies (organization, password_days) VALUES ($1, $2)
         ON CONFLICT (organization) DO UPDATE SET password_days = excluded.password_days",
        organization.as_str(),
        days,
    )?;
    Ok(())
}
