//! How people came to their roles, and what they were called when.

use super::{
    credentials::{self, binds_of, person_of, with_person},
    error::StoreError,
    rows::{
        access::{SoundRows, all, find as find_row, put as put_row, sound},
        row::{Row, Values},
        tables::{RECORDS, STAFF, STAFF_GRANTS, STAFF_NAMES, TERMINALS},
    },
    tx::Tx,
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
#[derive(Clone)]
pub struct StaffGrant {
    pub to: StaffId,
    pub asked_by: Option<StaffId>,
    pub approved_by: Option<StaffId>,
    /// Digest of the code by which the person opened the body.
    pub opening: Option<Vec<u8>>,
    /// When the person was registered, whatever roles came later; the beginning, of staff from before that was kept.
    pub registered_at: Timestamp,
}

async fn grant_row(tx: &mut Tx, of: &StaffId) -> Result<Option<Row>, StoreError> {
    find_row(tx, &STAFF_GRANTS, &binds_of(of)).await
}

/// How a person came to act; what is not known, of staff from before it was kept, is left out. Without a credential
/// there is nothing to act with.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn provenance(tx: &mut Tx, vault: &Vault, of: &StaffId) -> Result<Option<Provenance>, StoreError> {
    let Some(credential) = credentials::find(tx, vault, of).await? else { return Ok(None) };
    let (asked_by, approved_by, opening) = match find(tx, of).await? {
        Some(grant) => (grant.asked_by, grant.approved_by, grant.opening),
        None => (None, None, None),
    };
    Ok(Some(Provenance {
        person: of.clone(),
        asked_by,
        approved_by,
        opening,
        issued_by: credential.issued_by,
        issued_at: credential.issued_at,
        reissued: credential.reissued,
    }))
}

/// How a person came to the present roles; `None` of staff from before that was kept.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &mut Tx, of: &StaffId) -> Result<Option<StaffGrant>, StoreError> {
    let Some(row) = grant_row(tx, of).await? else { return Ok(None) };
    Ok(Some(StaffGrant {
        to: of.clone(),
        asked_by: person_of(&row, "asked_by_organization", "asked_by")?,
        approved_by: person_of(&row, "approved_by_organization", "approved_by")?,
        opening: row.optional_bytes("opening")?.map(<[u8]>::to_vec),
        registered_at: row.at("registered_at")?,
    }))
}

pub(crate) async fn put(tx: &mut Tx, grant: &StaffGrant) -> Result<(), StoreError> {
    let known = grant_row(tx, &grant.to).await?;
    let values = Values::of(&STAFF_GRANTS)
        .set("organization", &grant.to.organization)
        .set("officer", grant.to.officer.as_str())
        .set("opening", grant.opening.as_deref())
        .set("registered_at", grant.registered_at);
    let values = with_person(values, ("asked_by_organization", "asked_by"), grant.asked_by.as_ref());
    let values = with_person(values, ("approved_by_organization", "approved_by"), grant.approved_by.as_ref());
    put_row(tx, known.as_ref(), values).await
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
        && names_of(tx, vault, of).await?.is_empty()
    {
        insert_name(tx, vault, of, &before.name, 0).await?;
    }
    insert_name(tx, vault, of, name, now.as_micros()).await
}

async fn insert_name(tx: &mut Tx, vault: &Vault, of: &StaffId, name: &str, since: i64) -> Result<(), StoreError> {
    let sealed_name = vault.seal_text(place(&row_of(of, since)), name)?;
    let [organization, officer] = binds_of(of);
    let known = find_row(tx, &STAFF_NAMES, &[organization, officer, since.into()]).await?;
    let values = Values::of(&STAFF_NAMES)
        .set("organization", &of.organization)
        .set("officer", of.officer.as_str())
        .set("since", since)
        .set("sealed_name", sealed_name);
    put_row(tx, known.as_ref(), values).await
}

/// What a person was called from when on, oldest first; nothing of staff from before names were kept, whose name never
/// changed.
///
/// # Errors
/// The database failed, or a name does not open.
pub async fn names_of(tx: &mut Tx, vault: &Vault, of: &StaffId) -> Result<Vec<(Timestamp, String)>, StoreError> {
    let rows = all(tx, &STAFF_NAMES, "WHERE organization = $1 AND officer = $2 ORDER BY since", &binds_of(of)).await?;
    let name = |row: &Row| {
        let since = row.int("since")?;
        let name = vault.unseal_text(place(&row_of(of, since)), row.bytes("sealed_name")?)?;
        Ok((Timestamp::from_micros(since), name))
    };
    rows.iter().map(name).collect()
}

/// Whether an organization ever had staff or records of its own; a row that is not what the gateway wrote says so too.
///
/// # Errors
/// The database failed.
pub async fn had_staff_or_records(tx: &mut Tx, organization: &OrganizationCode) -> Result<bool, StoreError> {
    let is_any = |found: SoundRows| !found.rows.is_empty() || found.set_aside > 0;
    let staff = sound(tx, &STAFF, "WHERE organization = $1 LIMIT 1", &[organization.into()]).await?;
    Ok(is_any(staff) || is_any(sound(tx, &RECORDS, "WHERE owner = $1 LIMIT 1", &[organization.into()]).await?))
}

/// When a terminal was registered.
///
/// # Errors
/// The database failed.
pub async fn terminal_registered_at(tx: &mut Tx, serial: &str) -> Result<Option<Timestamp>, StoreError> {
    find_row(tx, &TERMINALS, &[serial.into()]).await?.map(|row| row.at("registered_at")).transpose()
}
