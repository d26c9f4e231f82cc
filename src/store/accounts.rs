//! Organizations, terminals, staff and keys.

use super::{
    error::StoreError,
    rows::{
        access::{all_sound, find, insert, one, put, raw_values, replace},
        row::{Row, Values},
        tables::{ORGANIZATIONS, PREFECTURE_KEYS, STAFF, TERMINALS},
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    identity::{
        Role,
        directory::{Organization, StaffMember, Terminal, TerminalKind},
    },
    keys::{
        error::KeyError,
        vault::{Place, Vault, WrappedKey, generation_of},
    },
};

fn organization_of(row: &Row) -> Result<Organization, StoreError> {
    Ok(Organization {
        code: row.code("code")?,
        active: row.flag("active")?,
        relay_desk: row.text("relay_desk")?.to_owned(),
        settings: serde_json::from_str(row.text("settings")?).map_err(|_| StoreError::Corrupt("settings"))?,
        last_upload_at: row.optional_at("last_upload_at")?,
    })
}

/// Every organization that was ever connected; one whose row is not what the gateway wrote is set aside.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn organizations(tx: &mut Tx) -> Result<Vec<Organization>, StoreError> {
    all_sound(tx, &ORGANIZATIONS, "", &[]).await?.iter().map(organization_of).collect()
}

/// One organization, if it was ever connected.
///
/// # Errors
/// As [`organizations`].
pub async fn organization(tx: &mut Tx, code: &OrganizationCode) -> Result<Option<Organization>, StoreError> {
    organization_row(tx, code).await?.as_ref().map(organization_of).transpose()
}

async fn organization_row(tx: &mut Tx, code: &OrganizationCode) -> Result<Option<Row>, StoreError> {
    find(tx, &ORGANIZATIONS, &[code.into()]).await
}

pub(crate) async fn put_organization(
    tx: &mut Tx,
    organization: &Organization,
    now: Timestamp,
) -> Result<(), StoreError> {
    let settings = serde_json::to_string(&organization.settings).map_err(|_| StoreError::Corrupt("settings"))?;
    let known = organization_row(tx, &organization.code).await?;
    let values = known.as_ref().map_or_else(|| Values::of(&ORGANIZATIONS).set("connected_at", now), Row::values);
    let values = values
        .set("code", &organization.code)
        .set("active", organization.active)
        .set("relay_desk", organization.relay_desk.as_str())
        .set("settings", settings);
    put(tx, known.as_ref(), values).await
}

pub(crate) async fn set_uploaded(tx: &mut Tx, code: &OrganizationCode, at: Timestamp) -> Result<(), StoreError> {
    match organization_row(tx, code).await? {
        Some(row) => replace(tx, &row, row.values().set("last_upload_at", at)).await,
        None => Ok(()),
    }
}

/// Every terminal that was ever registered; one whose row is not what the gateway wrote is set aside.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn terminals(tx: &mut Tx) -> Result<Vec<Terminal>, StoreError> {
    all_sound(tx, &TERMINALS, "", &[]).await?.iter().map(terminal_of).collect()
}

/// One terminal, if it was ever registered.
///
/// # Errors
/// As [`terminals`].
pub async fn terminal(tx: &mut Tx, serial: &str) -> Result<Option<Terminal>, StoreError> {
    terminal_row(tx, serial).await?.as_ref().map(terminal_of).transpose()
}

async fn terminal_row(tx: &mut Tx, serial: &str) -> Result<Option<Row>, StoreError> {
    find(tx, &TERMINALS, &[serial.into()]).await
}

fn terminal_of(row: &Row) -> Result<Terminal, StoreError> {
    let is_machine = row.text("kind")? == TerminalKind::Machine.as_str();
    Ok(Terminal {
        serial: row.text("serial")?.to_owned(),
        organization: row.code("organization")?,
        kind: if is_machine { TerminalKind::Machine } else { TerminalKind::Desk },
        label: row.text("label")?.to_owned(),
        active: row.flag("active")?,
    })
}

pub(crate) async fn put_terminal(tx: &mut Tx, terminal: &Terminal, now: Timestamp) -> Result<(), StoreError> {
    match terminal_row(tx, &terminal.serial).await? {
        Some(row) => replace(tx, &row, row.values().set("active", terminal.active)).await,
        None => {
            let values = Values::of(&TERMINALS)
                .set("serial", terminal.serial.as_str())
                .set("organization", &terminal.organization)
                .set("kind", terminal.kind.as_str())
                .set("label", terminal.label.as_str())
                .set("active", terminal.active)
                .set("registered_at", now);
            insert(tx, values).await
        }
    }
}

/// Every staff member that was ever registered; one whose row is not what the gateway wrote is set aside.
///
/// # Errors
/// The database failed, or a name does not open.
pub async fn staff(tx: &mut Tx, vault: &Vault) -> Result<Vec<StaffMember>, StoreError> {
    let guard = tx.rows.guard()?;
    let mut staff = Vec::new();
    for row in all_sound(tx, &STAFF, "", &[]).await? {
        match staff_of(vault, &row) {
            // Its mark is right, and so the name is what the gateway wrote; the key is not there.
            Err(StoreError::Key(KeyError::Unsealed | KeyError::Missing { .. })) => {
                guard.refute(&STAFF, format!("{}:{}", row.text("organization")?, row.text("id")?));
            }
            member => staff.push(member?),
        }
    }
    Ok(staff)
}

/// One staff member, if ever registered.
///
/// # Errors
/// As [`staff`].
pub async fn staff_member(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
    id: &str,
) -> Result<Option<StaffMember>, StoreError> {
    staff_row(tx, organization, id).await?.map(|row| staff_of(vault, &row)).transpose()
}

async fn staff_row(tx: &mut Tx, organization: &OrganizationCode, id: &str) -> Result<Option<Row>, StoreError> {
    find(tx, &STAFF, &[organization.into(), id.into()]).await
}

fn staff_of(vault: &Vault, row: &Row) -> Result<StaffMember, StoreError> {
    let (organization, id) = (row.code("organization")?, row.text("id")?.to_owned());
    let name = vault.unseal_text(name_place(&format!("{organization}:{id}")), row.bytes("sealed_name")?)?;
    Ok(StaffMember { organization, id, name, roles: roles_of(row.text("roles")?), active: row.flag("active")? })
}

fn roles_of(roles: &str) -> Vec<Role> {
    roles.split_whitespace().filter_map(Role::parse).collect()
}

pub(crate) async fn put_staff(tx: &mut Tx, vault: &Vault, staff: &StaffMember) -> Result<(), StoreError> {
    let sealed_name = vault.seal_text(name_place(&format!("{}:{}", staff.organization, staff.id)), &staff.name)?;
    let known = staff_row(tx, &staff.organization, &staff.id).await?;
    let values = Values::of(&STAFF)
        .set("organization", &staff.organization)
        .set("id", staff.id.as_str())
        .set("roles", staff.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" "))
        .set("active", staff.active)
        .set("sealed_name", sealed_name);
    put(tx, known.as_ref(), values).await
}

fn name_place(row: &String) -> Place<'_> {
    Place { table: "staff", row, column: "sealed_name" }
}

/// The wrapped prefecture keys, as they stand in the database: each opens under the master key alone, and only in its place.
///
/// # Errors
/// The database failed.
pub async fn prefecture_keys(tx: &mut Tx) -> Result<Vec<WrappedKey>, StoreError> {
    // A number that cannot be one names no key that opens.
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX);
    let rows = raw_values(tx, &PREFECTURE_KEYS, "").await?;
    let wrapped = rows.iter().map(|row| WrappedKey {
        prefecture: row.text("prefecture").unwrap_or_default().to_owned(),
        generation: number(row.int("generation")),
        master_generation: number(row.int("master_generation")),
        sealed: row.bytes("sealed_key").unwrap_or_default().to_vec(),
    });
    Ok(wrapped.collect())
}

/// Adds a new key. One that is there is never replaced: records may be wrapped with it.
///
/// # Errors
/// [`StoreError::Outdated`]: the generation is taken.
pub(crate) async fn add_prefecture_key(tx: &mut Tx, key: &WrappedKey) -> Result<(), StoreError> {
    if key_row(tx, &key.prefecture, key.generation).await?.is_some() {
        return Err(StoreError::Outdated);
    }
    let values = Values::of(&PREFECTURE_KEYS)
        .set("prefecture", key.prefecture.as_str())
        .set("generation", i64::from(key.generation))
        .set("master_generation", i64::from(key.master_generation))
        .set("sealed_key", key.sealed.as_slice());
    insert(tx, values).await
}

async fn key_row(tx: &mut Tx, prefecture: &str, generation: u32) -> Result<Option<Row>, StoreError> {
    let binds = [prefecture.into(), i64::from(generation).into()];
    one(tx, &PREFECTURE_KEYS, "WHERE prefecture = $1 AND generation = $2", &binds).await
}

/// Writes a key as another master key wraps it. One that is gone stays gone.
pub(crate) async fn rewrap_prefecture_key(tx: &mut Tx, key: &WrappedKey) -> Result<(), StoreError> {
    let Some(row) = key_row(tx, &key.prefecture, key.generation).await? else { return Ok(()) };
    let values = row.values();
    let values =
        values.set("master_generation", i64::from(key.master_generation)).set("sealed_key", key.sealed.as_slice());
    replace(tx, &row, values).await
}

/// Whether a record's key was wrapped with the latest key of its prefecture. Asked in the transaction that writes it: once
/// a pass over all keys has begun, nothing is wrapped with an older one any more, and the pass can end.
///
/// # Errors
/// [`StoreError::Outdated`]: it has to be wrapped again.
pub(crate) async fn check_wrapped(tx: &mut Tx, prefecture: &str, sealed_key: &[u8]) -> Result<(), StoreError> {
    let clause = "WHERE prefecture = $1 ORDER BY generation DESC LIMIT 1";
    let latest = one(tx, &PREFECTURE_KEYS, clause, &[prefecture.into()]).await?;
    let latest = latest.map(|row| row.int("generation")).transpose()?;
    if latest == Some(i64::from(generation_of(sealed_key)?)) { Ok(()) } else { Err(StoreError::Outdated) }
}
