//! Organizations, terminals, staff and keys.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    identity::{
        Role,
        directory::{Organization, StaffMember, Terminal, TerminalKind},
    },
    keys::vault::{Place, Vault, WrappedKey, generation_of},
};

type OrganizationRow = (String, i64, String, String, Option<i64>);

fn organization_of(row: OrganizationRow) -> Result<Organization, StoreError> {
    let (code, active, relay_desk, settings, last_upload_at) = row;
    Ok(Organization {
        code: code_of(&code)?,
        active: active != 0,
        relay_desk,
        settings: serde_json::from_str(&settings).map_err(|_| StoreError::Corrupt("settings"))?,
        last_upload_at: last_upload_at.map(Timestamp::from_micros),
    })
}

fn code_of(text: &str) -> Result<OrganizationCode, StoreError> {
    OrganizationCode::parse(text).ok_or(StoreError::Corrupt("organization code"))
}

/// Every organization that was ever connected.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn organizations(tx: &mut Tx) -> Result<Vec<Organization>, StoreError> {
    let rows = fetch_all!(
        tx,
        OrganizationRow,
        "/* organizations */ SELECT code, active, relay_desk, settings, last_upload_at FROM organizations"
    )?;
    rows.into_iter().map(organization_of).collect()
}

/// One organization, if it was ever connected.
///
/// # Errors
/// As [`organizations`].
pub async fn organization(tx: &mut Tx, code: &OrganizationCode) -> Result<Option<Organization>, StoreError> {
    let row = fetch_optional!(
        tx,
        OrganizationRow,
        "/* organization */ SELECT code, active, relay_desk, settings, last_upload_at FROM organizations
         WHERE code = $1",
        code.as_str(),
    )?;
    row.map(organization_of).transpose()
}

pub(crate) async fn put_organization(
    tx: &mut Tx,
    organization: &Organization,
    now: Timestamp,
) -> Result<(), StoreError> {
    let settings = serde_json::to_string(&organization.settings).map_err(|_| StoreError::Corrupt("settings"))?;
    execute!(
        tx,
        "/* put_organization */ INSERT INTO organizations (code, active, relay_desk, settings, connected_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (code) DO UPDATE SET active = excluded.active, relay_desk = excluded.relay_desk,
             settings = excluded.settings",
        organization.code.as_str(),
        i64::from(organization.active),
        organization.relay_desk.as_str(),
        settings,
        now.as_micros(),
    )?;
    Ok(())
}

pub(crate) async fn set_uploaded(tx: &mut Tx, code: &OrganizationCode, at: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_uploaded */ UPDATE organizations SET last_upload_at = $2 WHERE code = $1",
        code.as_str(),
        at.as_micros(),
    )?;
    Ok(())
}

/// Every terminal that was ever registered.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn terminals(tx: &mut Tx) -> Result<Vec<Terminal>, StoreError> {
    let rows =
        fetch_all!(tx, TerminalRow, "/* terminals */ SELECT serial, organization, kind, label, active FROM terminals")?;
    rows.into_iter().map(terminal_of).collect()
}

/// One terminal, if it was ever registered.
///
/// # Errors
/// As [`terminals`].
pub async fn terminal(tx: &mut Tx, serial: &str) -> Result<Option<Terminal>, StoreError> {
    let row = fetch_optional!(
        tx,
        TerminalRow,
        "/* terminal */ SELECT serial, organization, kind, label, active FROM terminals WHERE serial = $1",
        serial,
    )?;
    row.map(terminal_of).transpose()
}

type TerminalRow = (String, String, String, String, i64);

fn terminal_of((serial, organization, kind, label, active): TerminalRow) -> Result<Terminal, StoreError> {
    Ok(Terminal {
        serial,
        organization: code_of(&organization)?,
        kind: if kind == TerminalKind::Machine.as_str() { TerminalKind::Machine } else { TerminalKind::Desk },
        label,
        active: active != 0,
    })
}

pub(crate) async fn put_terminal(tx: &mut Tx, terminal: &Terminal, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_terminal */ INSERT INTO terminals (serial, organization, kind, label, active, registered_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (serial) DO UPDATE SET active = excluded.active",
        terminal.serial.as_str(),
        terminal.organization.as_str(),
        terminal.kind.as_str(),
        terminal.label.as_str(),
        i64::from(terminal.active),
        now.as_micros(),
    )?;
    Ok(())
}

/// Every staff member that was ever registered.
///
/// # Errors
/// The database failed, or a name does not open.
pub async fn staff(tx: &mut Tx, vault: &Vault) -> Result<Vec<StaffMember>, StoreError> {
    let rows = fetch_all!(tx, StaffRow, "/* staff */ SELECT organization, id, roles, active, sealed_name FROM staff")?;
    rows.into_iter().map(|row| staff_of(vault, row)).collect()
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
    let row = fetch_optional!(
        tx,
        StaffRow,
        "/* staff_member */ SELECT organization, id, roles, active, sealed_name FROM staff
         WHERE organization = $1 AND id = $2",
        organization.as_str(),
        id,
    )?;
    row.map(|row| staff_of(vault, row)).transpose()
}

type StaffRow = (String, String, String, i64, Vec<u8>);

fn staff_of(vault: &Vault, row: StaffRow) -> Result<StaffMember, StoreError> {
    let (organization, id, roles, active, sealed_name) = row;
    let name = vault.unseal_text(name_place(&format!("{organization}:{id}")), &sealed_name)?;
    Ok(StaffMember {
        organization: code_of(&organization)?,
        id,
        name,
        roles: roles.split_whitespace().filter_map(Role::parse).collect(),
        active: active != 0,
    })
}

pub(crate) async fn put_staff(tx: &mut Tx, vault: &Vault, staff: &StaffMember) -> Result<(), StoreError> {
    let sealed_name = vault.seal_text(name_place(&format!("{}:{}", staff.organization, staff.id)), &staff.name)?;
    execute!(
        tx,
        "/* put_staff */ INSERT INTO staff (organization, id, roles, active, sealed_name)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (organization, id) DO UPDATE SET roles = excluded.roles, active = excluded.active,
             sealed_name = excluded.sealed_name",
        staff.organization.as_str(),
        staff.id.as_str(),
        staff.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" "),
        i64::from(staff.active),
        sealed_name,
    )?;
    Ok(())
}

fn name_place(row: &String) -> Place<'_> {
    Place { table: "staff", row, column: "sealed_name" }
}

/// The wrapped prefecture keys.
///
/// # Errors
/// The database failed.
pub async fn prefecture_keys(tx: &mut Tx) -> Result<Vec<WrappedKey>, StoreError> {
    let rows = fetch_all!(
        tx,
        (String, i64, i64, Vec<u8>),
        "/* prefecture_keys */ SELECT prefecture, generation, master_generation, sealed_key FROM prefecture_keys"
    )?;
    rows.into_iter()
        .map(|(prefecture, generation, master_generation, sealed)| {
            let number = |n: i64| u32::try_from(n).map_err(|_| StoreError::Corrupt("key generation"));
            Ok(WrappedKey {
                prefecture,
                generation: number(generation)?,
                master_generation: number(master_generation)?,
                sealed,
            })
        })
        .collect()
}

/// Adds a new key. One that is there is never replaced: records may be wrapped with it.
///
/// # Errors
/// [`StoreError::Outdated`]: the generation is taken.
pub(crate) async fn add_prefecture_key(tx: &mut Tx, key: &WrappedKey) -> Result<(), StoreError> {
    let added = execute!(
        tx,
        "/* add_prefecture_key */ INSERT INTO prefecture_keys (prefecture, generation, master_generation, sealed_key)
         VALUES ($1, $2, $3, $4) ON CONFLICT (prefecture, generation) DO NOTHING",
        key.prefecture.as_str(),
        i64::from(key.generation),
        i64::from(key.master_generation),
        key.sealed.as_slice(),
    )?;
    if added == 1 { Ok(()) } else { Err(StoreError::Outdated) }
}

/// Writes a key as another master key wraps it. One that is gone stays gone.
pub(crate) async fn rewrap_prefecture_key(tx: &mut Tx, key: &WrappedKey) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* rewrap_prefecture_key */ UPDATE prefecture_keys SET master_generation = $3, sealed_key = $4
         WHERE prefecture = $1 AND generation = $2",
        key.prefecture.as_str(),
        i64::from(key.generation),
        i64::from(key.master_generation),
        key.sealed.as_slice(),
    )?;
    Ok(())
}

/// Whether a record's key was wrapped with the latest key of its prefecture. Asked in the transaction that writes it: once
/// a pass over all keys has begun, nothing is wrapped with an older one any more, and the pass can end.
///
/// # Errors
/// [`StoreError::Outdated`]: it has to be wrapped again.
pub(crate) async fn check_wrapped(tx: &mut Tx, prefecture: &str, sealed_key: &[u8]) -> Result<(), StoreError> {
    let known = fetch_optional!(
        tx,
        (i64,),
        "/* check_wrapped */ SELECT generation FROM prefecture_keys WHERE prefecture = $1 AND generation = $2
             AND generation = (SELECT MAX(generation) FROM prefecture_keys WHERE prefecture = $1)",
        prefecture,
        i64::from(generation_of(sealed_key)?),
    )?;
    known.map(|_| ()).ok_or(StoreError::Outdated)
}
