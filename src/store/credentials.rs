//! What people sign in with at desks: password hashes, sealed secrets, digests of codes. Rows are written whole.

use super::{
    error::StoreError,
    rows::{
        access::{
            SoundRows, all_sound, find as find_row, insert, one, put as put_row, remove, remove_all, remove_sound,
            sound,
        },
        row::{Row, Value, Values},
        tables::{CREDENTIALS, ENROLMENT_CODES, PASSKEYS, RECOVERY_CODES, SIGN_IN_POLICIES},
    },
    tx::Tx,
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
    /// Secret of the second factor; none for staff from before there were any, until they enrol it.
    pub totp: Option<Vec<u8>>,
    /// The last time step whose code was used.
    pub totp_step: i64,
    pub issued_by: Option<StaffId>,
    pub issued_at: Timestamp,
    /// Whether it replaced another.
    pub reissued: bool,
}

fn place(row: &String) -> Place<'_> {
    Place { table: "credentials", row, column: "sealed_totp" }
}

fn row_of(of: &StaffId) -> String {
    format!("{}:{}", of.organization, of.officer)
}

/// A person by the two columns that name them.
pub(super) fn person_of(
    row: &Row,
    organization: &'static str,
    officer: &'static str,
) -> Result<Option<StaffId>, StoreError> {
    match (row.optional_text(organization)?, row.optional_text(officer)?) {
        (Some(_), Some(id)) => Ok(Some(StaffId { organization: row.code(organization)?, officer: id.to_owned() })),
        _ => Ok(None),
    }
}

/// The same two columns, of a person who may be missing.
pub(super) fn with_person(
    values: Values,
    (organization, officer): (&'static str, &'static str),
    person: Option<&StaffId>,
) -> Values {
    values
        .set(organization, person.map(|person| &person.organization))
        .set(officer, person.map(|person| person.officer.as_str()))
}

pub(super) const OF_PERSON: &str = "WHERE organization = $1 AND officer = $2";

/// What finds a person's rows.
pub(super) fn binds_of(of: &StaffId) -> [Value; 2] {
    [(&of.organization).into(), of.officer.as_str().into()]
}

fn credential_of(vault: &Vault, row: &Row) -> Result<Credential, StoreError> {
    let of = StaffId { organization: row.code("organization")?, officer: row.text("officer")?.to_owned() };
    let totp = match row.optional_bytes("sealed_totp")? {
        Some(sealed) => {
            let hex = vault.unseal_text(place(&row_of(&of)), sealed)?;
            Some(data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(|_| StoreError::Corrupt("second factor"))?)
        }
        None => None,
    };
    Ok(Credential {
        of,
        password_hash: row.text("password_hash")?.to_owned(),
        password_set_at: row.at("password_set_at")?,
        totp,
        totp_step: row.int("totp_step")?,
        issued_by: person_of(row, "issued_by_organization", "issued_by")?,
        issued_at: row.at("issued_at")?,
        reissued: row.flag("reissued")?,
    })
}

/// What a person signs in with, if anything.
///
/// # Errors
/// The database failed, or the secret does not open.
pub async fn find(tx: &mut Tx, vault: &Vault, of: &StaffId) -> Result<Option<Credential>, StoreError> {
    let row = find_row(tx, &CREDENTIALS, &binds_of(of)).await?;
    row.map(|row| credential_of(vault, &row)).transpose()
}

/// Those of one organization.
pub struct BodysCredentials {
    pub known: Vec<Credential>,
    /// How many are not what the gateway wrote. Whose they are can sign in for all anybody knows, and stands for nothing.
    pub set_aside: usize,
}

/// Those of one organization.
///
/// # Errors
/// The database failed.
pub async fn of_organization(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
) -> Result<BodysCredentials, StoreError> {
    let SoundRows { rows, set_aside } =
        sound(tx, &CREDENTIALS, "WHERE organization = $1", &[organization.into()]).await?;
    let known = rows.iter().map(|row| credential_of(vault, row)).collect::<Result<_, _>>()?;
    Ok(BodysCredentials { known, set_aside })
}

pub(crate) async fn put(tx: &mut Tx, vault: &Vault, credential: &Credential) -> Result<(), StoreError> {
    let row = row_of(&credential.of);
    let seal = |secret: &Vec<u8>| vault.seal_text(place(&row), &data_encoding::HEXLOWER.encode(secret));
    let sealed_totp = credential.totp.as_ref().map(seal).transpose()?;
    let known = find_row(tx, &CREDENTIALS, &binds_of(&credential.of)).await?;
    let values = Values::of(&CREDENTIALS)
        .set("organization", &credential.of.organization)
        .set("officer", credential.of.officer.as_str())
        .set("password_hash", credential.password_hash.as_str())
        .set("password_set_at", credential.password_set_at)
        .set("sealed_totp", sealed_totp)
        .set("totp_step", credential.totp_step)
        .set("issued_at", credential.issued_at)
        .set("reissued", credential.reissued);
    let values = with_person(values, ("issued_by_organization", "issued_by"), credential.issued_by.as_ref());
    put_row(tx, known.as_ref(), values).await
}

/// Destroys everything that a person signs in with: password, second factors, recovery codes, codes to enrol with and
/// sessions.
pub(crate) async fn destroy(tx: &mut Tx, of: &StaffId) -> Result<(), StoreError> {
    for table in [&CREDENTIALS, &RECOVERY_CODES, &ENROLMENT_CODES, &PASSKEYS] {
        remove_sound(tx, table, OF_PERSON, &binds_of(of)).await?;
    }
    super::sessions::end_all(tx, &of.organization, &of.officer).await
}

/// Replaces a person's recovery codes.
pub(crate) async fn put_recovery_codes(tx: &mut Tx, of: &StaffId, digests: &[[u8; 32]]) -> Result<(), StoreError> {
    remove_sound(tx, &RECOVERY_CODES, OF_PERSON, &binds_of(of)).await?;
    for digest in digests {
        let values = Values::of(&RECOVERY_CODES)
            .set("digest", digest.as_slice())
            .set("organization", &of.organization)
            .set("officer", of.officer.as_str());
        insert(tx, values).await?;
    }
    Ok(())
}

const RECOVERY_CODE: &str = "WHERE organization = $1 AND officer = $2 AND digest = $3";

fn recovery_binds(of: &StaffId, digest: &[u8; 32]) -> [Value; 3] {
    let [organization, officer] = binds_of(of);
    [organization, officer, digest.as_slice().into()]
}

/// Uses a recovery code up; whether it was one of the person's.
pub(crate) async fn use_recovery_code(tx: &mut Tx, of: &StaffId, digest: &[u8; 32]) -> Result<bool, StoreError> {
    Ok(remove_all(tx, &RECOVERY_CODES, RECOVERY_CODE, &recovery_binds(of, digest)).await? == 1)
}

/// Whether a code is one of a person's recovery codes.
///
/// # Errors
/// The database failed.
pub async fn has_recovery_code(tx: &mut Tx, of: &StaffId, digest: &[u8; 32]) -> Result<bool, StoreError> {
    Ok(one(tx, &RECOVERY_CODES, RECOVERY_CODE, &recovery_binds(of, digest)).await?.is_some())
}

/// How many of a person's recovery codes were not used.
///
/// # Errors
/// The database failed.
pub async fn recovery_codes_left(tx: &mut Tx, of: &StaffId) -> Result<usize, StoreError> {
    Ok(all_sound(tx, &RECOVERY_CODES, OF_PERSON, &binds_of(of)).await?.len())
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

/// Destroys the code that opens a body, where there is one; returns whether there was.
pub(crate) async fn remove_opening_code(tx: &mut Tx, body: &OrganizationCode) -> Result<bool, StoreError> {
    let opening = "WHERE organization = $1 AND officer IS NULL";
    let codes = all_sound(tx, &ENROLMENT_CODES, opening, &[body.into()]).await?;
    for code in &codes {
        remove(tx, code).await?;
    }
    Ok(!codes.is_empty())
}

/// Writes a code; earlier ones of the same person, or of the same body, are worth nothing any more.
pub(crate) async fn put_enrolment_code(tx: &mut Tx, digest: &[u8; 32], code: &EnrolmentCode) -> Result<(), StoreError> {
    let earlier = "WHERE organization = $1 AND COALESCE(officer, '') = $2";
    let officer = code.officer.as_deref().unwrap_or_default();
    remove_sound(tx, &ENROLMENT_CODES, earlier, &[(&code.organization).into(), officer.into()]).await?;
    let values = Values::of(&ENROLMENT_CODES)
        .set("digest", digest.as_slice())
        .set("organization", &code.organization)
        .set("officer", code.officer.as_deref())
        .set("issued_at", code.issued_at)
        .set("expires_at", code.expires_at)
        .set("reissued", code.reissued);
    insert(tx, with_person(values, ("issued_by_organization", "issued_by"), Some(&code.issued_by))).await
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
    let row = find_row(tx, &ENROLMENT_CODES, &[digest.as_slice().into()]).await?;
    let Some(row) = row else { return Ok(None) };
    let code = EnrolmentCode {
        organization: row.code("organization")?,
        officer: row.optional_text("officer")?.map(str::to_owned),
        issued_by: person_of(&row, "issued_by_organization", "issued_by")?.ok_or(StoreError::Corrupt("issued_by"))?,
        issued_at: row.at("issued_at")?,
        expires_at: row.at("expires_at")?,
        reissued: row.flag("reissued")?,
    };
    Ok(Some(code).filter(|code| code.expires_at > now))
}

/// Ends the codes that a person issued and nobody used: whoever is revoked lets nobody in any more.
pub(crate) async fn end_codes_issued_by(tx: &mut Tx, issuer: &StaffId) -> Result<(), StoreError> {
    let issued_by = "WHERE issued_by_organization = $1 AND issued_by = $2";
    remove_sound(tx, &ENROLMENT_CODES, issued_by, &binds_of(issuer)).await
}

/// Uses a code up.
pub(crate) async fn use_enrolment_code(tx: &mut Tx, digest: &[u8; 32]) -> Result<(), StoreError> {
    remove_sound(tx, &ENROLMENT_CODES, "WHERE digest = $1", &[digest.as_slice().into()]).await
}

/// Days after which a body's passwords are renewed; 0 for never.
///
/// # Errors
/// The database failed.
pub async fn password_days(tx: &mut Tx, organization: &OrganizationCode) -> Result<i64, StoreError> {
    policy(tx, organization).await?.map_or(Ok(0), |row| row.int("password_days"))
}

async fn policy(tx: &mut Tx, organization: &OrganizationCode) -> Result<Option<Row>, StoreError> {
    find_row(tx, &SIGN_IN_POLICIES, &[organization.into()]).await
}

pub(crate) async fn set_password_days(
    tx: &mut Tx,
    organization: &OrganizationCode,
    days: i64,
) -> Result<(), StoreError> {
    let known = policy(tx, organization).await?;
    let values = Values::of(&SIGN_IN_POLICIES).set("organization", organization).set("password_days", days);
    put_row(tx, known.as_ref(), values).await
}
