//! Passkeys of people. Rows are written whole; what the person calls it and the key are sealed.

use uuid::Uuid;

use super::{
    credentials::{OF_PERSON, binds_of, person_of},
    error::StoreError,
    rows::{
        access::{all_sound, find as find_row, put as put_row, remove},
        row::{Row, Value, Values},
        tables::PASSKEYS,
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    domain::two_persons::StaffId,
    identity::passkey::KeptKey,
    keys::vault::{Place, Vault},
};

/// A passkey of a person's. No `Debug`: what it is called may say whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPasskey {
    pub of: StaffId,
    pub id: Uuid,
    /// What the person calls it.
    pub label: String,
    pub key: KeptKey,
    pub registered_at: Timestamp,
    /// When the gateway asked that to which it answered last.
    pub asked_at: Timestamp,
}

fn row_of(of: &StaffId, id: Uuid) -> String {
    format!("{}:{}:{id}", of.organization, of.officer)
}

fn place(row: &String) -> Place<'_> {
    Place { table: "passkeys", row, column: "sealed_key" }
}

fn key_of(of: &StaffId, id: Uuid) -> [Value; 3] {
    let [organization, officer] = binds_of(of);
    [organization, officer, id.into()]
}

fn passkey_of(vault: &Vault, row: &Row) -> Result<StoredPasskey, StoreError> {
    let of = person_of(row, "organization", "officer")?.ok_or(StoreError::Corrupt("passkey"))?;
    let id = row.id("id")?;
    let text = vault.unseal_text(place(&row_of(&of, id)), row.bytes("sealed_key")?)?;
    let (label, key) = serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("passkey"))?;
    Ok(StoredPasskey {
        of,
        id,
        label,
        key: KeptKey::from_text(key),
        registered_at: row.at("registered_at")?,
        asked_at: row.at("asked_at")?,
    })
}

/// A person's passkeys, oldest first. One whose row is not what the gateway wrote is set aside, and signs nobody in.
///
/// # Errors
/// The database failed, or a key does not open.
pub async fn of_person(tx: &mut Tx, vault: &Vault, of: &StaffId) -> Result<Vec<StoredPasskey>, StoreError> {
    let rows = all_sound(tx, &PASSKEYS, OF_PERSON, &binds_of(of)).await?;
    let mut passkeys = rows.iter().map(|row| passkey_of(vault, row)).collect::<Result<Vec<_>, _>>()?;
    passkeys.sort_by_key(|passkey| passkey.id);
    Ok(passkeys)
}

/// One of a person's passkeys.
///
/// # Errors
/// As [`of_person`].
pub async fn find(tx: &mut Tx, vault: &Vault, of: &StaffId, id: Uuid) -> Result<Option<StoredPasskey>, StoreError> {
    let row = find_row(tx, &PASSKEYS, &key_of(of, id)).await?;
    row.map(|row| passkey_of(vault, &row)).transpose()
}

pub(crate) async fn put(tx: &mut Tx, vault: &Vault, passkey: &StoredPasskey) -> Result<(), StoreError> {
    let row = row_of(&passkey.of, passkey.id);
    let text = serde_json::to_string(&(&passkey.label, passkey.key.as_text()));
    let sealed = vault.seal_text(place(&row), &text.map_err(|_| StoreError::Corrupt("passkey"))?)?;
    let known = find_row(tx, &PASSKEYS, &key_of(&passkey.of, passkey.id)).await?;
    let values = Values::of(&PASSKEYS)
        .set("organization", &passkey.of.organization)
        .set("officer", passkey.of.officer.as_str())
        .set("id", passkey.id)
        .set("registered_at", passkey.registered_at)
        .set("asked_at", passkey.asked_at)
        .set("sealed_key", sealed);
    put_row(tx, known.as_ref(), values).await
}

/// Removes one of a person's passkeys; whether it was there.
pub(crate) async fn take_away(tx: &mut Tx, of: &StaffId, id: Uuid) -> Result<bool, StoreError> {
    match find_row(tx, &PASSKEYS, &key_of(of, id)).await? {
        Some(row) => remove(tx, &row).await.map(|()| true),
        None => Ok(false),
    }
}
