//! How people came to their roles, and what they were called when.

use super::{
    credentials::{self, person_of},
    error::StoreError,
    tx::{Tx, execute, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::{
        organization::OrganizationCode,
        two_persons::{Provenance, StaffId},
    },
    identity::directory::StaffMember,
    keys::vault::{Place, Vault},
};

/// How a person came to the present roles.
pub struct StaffGrant {
    pub to: StaffId,
    pub asked_by: Option<StaffId>,
    pub approved_by: Option<StaffId>,
    /// Digest of the code by which the person opened the body.
    pub opening: Option<Vec<u8>>,
    pub at: Timestamp,
}

type Row = (Option<String>, Option<String>, Option<String>, Option<String>, Option<Vec<u8>>, i64);

/// How a person came to act; what is not known of staff of before is left out. Without a credential there is nothing to
/// act with.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn provenance(tx: &mut Tx, vault: &Vault, of: &StaffId) -> Result<Option<Provenance>, StoreError> {
    let Some(credential) = credentials::find(tx, vault, of).await? else { return Ok(None) };
    let row = fetch_optional!(
        tx,
        Row,
        "/* staff_grant */ SELECT asked_by_organization, asked_by, approved_by_organization, approved_by, opening, at
         FROM staff_grants WHERE organization = $1 AND officer = $2",
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    let (asked_organization, asked, approved_organization, approved, opening, _) = row.unwrap_or_default();
    Ok(Some(Provenance {
        person: of.clone(),
        asked_by: person_of(asked_organization, asked)?,
        approved_by: person_of(approved_organization, approved)?,
        opening,
        issued_by: credential.issued_by,
        issued_at: credential.issued_at,
        reissued: credential.reissued,
    }))
}

/// When a person got the present roles; `None` of staff of before.
///
/// # Errors
/// The database failed.
pub async fn granted_at(tx: &mut Tx, of: &StaffId) -> Result<Option<Timestamp>, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "/* granted_at */ SELECT at FROM staff_grants WHERE organization = $1 AND officer = $2",
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    Ok(row.map(|(at,)| Timestamp::from_micros(at)))
}

pub(crate) async fn put(tx: &mut Tx, grant: &StaffGrant) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_staff_grant */ INSERT INTO staff_grants (organization, officer, asked_by_organization, asked_by,
             approved_by_organization, approved_by, opening, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (organization, officer) DO UPDATE SET asked_by_organization = excluded.asked_by_organization,
             asked_by = excluded.asked_by, approved_by_organization = excluded.approved_by_organization,
             approved_by = excluded.approved_by, opening = excluded.opening, at = excluded.at",
        grant.to.organization.as_str(),
        grant.to.officer.as_str(),
        grant.asked_by.as_ref().map(|by| by.organization.as_str()),
        grant.asked_by.as_ref().map(|by| by.officer.as_str()),
        grant.approved_by.as_ref().map(|by| by.organization.as_str()),
        grant.approved_by.as_ref().map(|by| by.officer.as_str()),
        grant.opening.as_deref(),
        grant.at.as_micros(),
    )?;
    Ok(())
}

fn place(row: &String) -> Place<'_> {
    Place { table: "staff_names", row, column: "sealed_name" }
}

fn row_of(of: &StaffId, since: i64) -> String {
    format!("{}:{}:{since}", of.organization, of.officer)
}

/// Notes what a person is called from a moment on. Of one who had a name before that no row tells, that one is noted
/// too, as of the beginning.
pub(crate) async fn note_name(
    tx: &mut Tx,
    vault: &Vault,
    of: &StaffId,
    (before, name): (Option<&StaffMember>, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    if before.is_some_and(|before| before.name == name) {
        return Ok(());
    }
    if let Some(before) = before
        && name_at(tx, vault, of, now).await?.is_none()
    {
        insert_name(tx, vault, of, &before.name, 0).await?;
    }
    insert_name(tx, vault, of, name, now.as_micros()).await
}

async fn insert_name(tx: &mut Tx, vault: &Vault, of: &StaffId, name: &str, since: i64) -> Result<(), StoreError> {
    let sealed_name = vault.seal_text(place(&row_of(of, since)), name)?;
    execute!(
        tx,
        "/* put_staff_name */ INSERT INTO staff_names (organization, officer, since, sealed_name)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (organization, officer, since) DO UPDATE SET sealed_name = excluded.sealed_name",
        of.organization.as_str(),
        of.officer.as_str(),
        since,
        sealed_name,
    )?;
    Ok(())
}

/// What a person was called at a moment; `None` of staff of before whose name never changed.
///
/// # Errors
/// The database failed, or a name does not open.
pub async fn name_at(tx: &mut Tx, vault: &Vault, of: &StaffId, at: Timestamp) -> Result<Option<String>, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64, Vec<u8>),
        "/* staff_name */ SELECT since, sealed_name FROM staff_names
         WHERE organization = $1 AND officer = $2 AND since <= $3 ORDER BY since DESC LIMIT 1",
        of.organization.as_str(),
        of.officer.as_str(),
        at.as_micros(),
    )?;
    row.map(|(since, sealed)| Ok(vault.unseal_text(place(&row_of(of, since)), &sealed)?)).transpose()
}

/// Whether an organization ever had staff or records of its own.
///
/// # Errors
/// The database failed.
pub async fn had_staff_or_records(tx: &mut Tx, organization: &OrganizationCode) -> Result<bool, StoreError> {
    let staff = fetch_optional!(
        tx,
        (String,),
        "/* any_staff */ SELECT id FROM staff WHERE organization = $1 LIMIT 1",
        organization.as_str(),
    )?;
    let record = fetch_optional!(
        tx,
        (String,),
        "/* any_record */ SELECT owner FROM records WHERE owner = $1 LIMIT 1",
        organization.as_str(),
    )?;
    Ok(staff.is_some() || record.is_some())
}

/// When a terminal was registered.
///
/// # Errors
/// The database failed.
pub async fn terminal_registered_at(tx: &mut Tx, serial: &str) -> Result<Option<Timestamp>, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "/* terminal_registered_at */ SELECT registered_at FROM terminals WHERE serial = $1",
        serial,
    )?;
    Ok(row.map(|(at,)| Timestamp::from_micros(at)))
}
