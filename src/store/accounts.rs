//! Organizations, terminals, staff and keys.

use super::{
    StoreError, Tx, execute, fetch_all,
    vault::{Place, Vault, WrappedKey},
};
use crate::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    identity::{
        Role,
        directory::{Organization, StaffMember, Terminal, TerminalKind},
    },
};

/// Every organization that was ever connected.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn organizations(tx: &mut Tx) -> Result<Vec<Organization>, StoreError> {
    fetch_all!(
        tx,
        (String, i64, String, String, Option<i64>),
        "/* organizations */ SELECT code, active, relay_desk, settings, last_upload_at FROM organizations"
    )?
    .into_iter()
    .map(|(code, active, relay_desk, settings, last_upload_at)| {
        Ok(Organization {
            code: OrganizationCode::parse(&code).ok_or(StoreError::Corrupt("organization code"))?,
            active: active != 0,
            relay_desk,
            settings: serde_json::from_str(&settings).map_err(|_| StoreError::Corrupt("settings"))?,
            last_upload_at: last_upload_at.map(Timestamp::from_micros),
        })
    })
    .collect()
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
    fetch_all!(
        tx,
        (String, String, String, String, i64),
        "/* terminals */ SELECT serial, organization, kind, label, active FROM terminals"
    )?
    .into_iter()
    .map(|(serial, organization, kind, label, active)| {
        Ok(Terminal {
            serial,
            organization: OrganizationCode::parse(&organization).ok_or(StoreError::Corrupt("organization code"))?,
            kind: if kind == TerminalKind::Machine.as_str() { TerminalKind::Machine } else { TerminalKind::Desk },
            label,
            active: active != 0,
        })
    })
    .collect()
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
    fetch_all!(
        tx,
        (String, String, String, i64, Vec<u8>, Option<String>),
        "/* staff */ SELECT organization, id, roles, active, sealed_name, password_hash FROM staff"
    )?
    .into_iter()
    .map(|(organization, id, roles, active, sealed_name, password_hash)| {
        let name = vault.unseal_text(name_place(&format!("{organization}:{id}")), &sealed_name)?;
        Ok(StaffMember {
            organization: OrganizationCode::parse(&organization).ok_or(StoreError::Corrupt("organization code"))?,
            id,
            name,
            roles: roles.split_whitespace().filter_map(Role::parse).collect(),
            active: active != 0,
            password_hash,
        })
    })
    .collect()
}

pub(crate) async fn put_staff(tx: &mut Tx, vault: &Vault, staff: &StaffMember) -> Result<(), StoreError> {
    let sealed_name = vault.seal_text(name_place(&format!("{}:{}", staff.organization, staff.id)), &staff.name)?;
    execute!(
        tx,
        "/* put_staff */ INSERT INTO staff (organization, id, roles, active, sealed_name, password_hash)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (organization, id) DO UPDATE SET roles = excluded.roles, active = excluded.active,
             sealed_name = excluded.sealed_name, password_hash = excluded.password_hash",
        staff.organization.as_str(),
        staff.id.as_str(),
        staff.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" "),
        i64::from(staff.active),
        sealed_name,
        staff.password_hash.as_deref(),
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

pub(crate) async fn put_prefecture_key(tx: &mut Tx, key: &WrappedKey) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_prefecture_key */ INSERT INTO prefecture_keys (prefecture, generation, master_generation, sealed_key)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (prefecture, generation) DO UPDATE SET master_generation = excluded.master_generation,
             sealed_key = excluded.sealed_key",
        key.prefecture.as_str(),
        i64::from(key.generation),
        i64::from(key.master_generation),
        key.sealed.as_slice(),
    )?;
    Ok(())
}
