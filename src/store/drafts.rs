//! Drafts of record forms, each its officer's own. What is in one is sealed with the key of its body's prefecture, for its
//! row and for the save that wrote it: an older one does not open there any more.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access::{SoundRows, all_sound, find as find_row, put as put_row, remove as remove_row, replace, sound_light},
        row::{Row, Values},
        tables::DRAFTS,
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        draft::{Draft, DraftContent, KEPT_FOR},
        organization::OrganizationCode,
    },
    keys::{
        error::KeyError,
        vault::{Place, Vault, generation_of, places},
    },
};

fn draft_of(row: &Row) -> Result<Draft, StoreError> {
    Ok(Draft {
        id: row.id("id")?,
        organization: row.code("organization")?,
        officer: row.text("officer")?.to_owned(),
        record: row.optional_id("record")?,
        created_at: row.at("created_at")?,
        saved_at: row.at("saved_at")?,
    })
}

fn place(row: &String) -> Place<'_> {
    Place { table: "drafts", row, column: "sealed_content" }
}

/// A save of a draft, as the place of what is sealed names it.
fn save_of(id: Uuid, saved_at: Timestamp) -> String {
    format!("{id}:{}", saved_at.as_micros())
}

fn unseal(vault: &Vault, row: &Row) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
    let save = save_of(row.id("id")?, row.at("saved_at")?);
    Ok(vault.unseal(row.text("prefecture")?, place(&save), row.bytes("sealed_content")?)?)
}

/// Whether what is in a draft opens. Where its key is not there, nothing can be said of it.
pub(super) fn opens(vault: &Vault, row: &Row) -> Result<bool, StoreError> {
    match unseal(vault, row) {
        Ok(_) | Err(StoreError::Key(KeyError::Missing { .. })) => Ok(true),
        Err(StoreError::Key(KeyError::Unsealed)) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn draft_row(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, StoreError> {
    find_row(tx, &DRAFTS, &[id.into()]).await
}

/// A draft by its id, ended or not.
///
/// # Errors
/// The database failed; the row is not what the gateway wrote.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Draft>, StoreError> {
    draft_row(tx, id).await?.as_ref().map(draft_of).transpose()
}

/// What is in a draft, sealed again for the gate.
///
/// # Errors
/// As [`find`]; [`StoreError::Refuted`] where it does not open.
pub async fn content(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Option<Sealed<DraftContent>>, StoreError> {
    let Some(row) = draft_row(tx, id).await? else { return Ok(None) };
    match unseal(vault, &row) {
        Ok(content) => Ok(Some(Sealed::new(DraftContent { draft: draft_of(&row)?, content }))),
        Err(StoreError::Key(KeyError::Unsealed)) => Err(tx.rows.guard()?.refute(&DRAFTS, id.to_string())),
        Err(error) => Err(error),
    }
}

/// Writes a draft, new or over what was saved before.
pub(crate) async fn put(tx: &mut Tx, vault: &Vault, draft: &Draft, content: &[u8]) -> Result<(), StoreError> {
    let prefecture = draft.organization.prefecture();
    let sealed = vault.seal(prefecture, place(&save_of(draft.id, draft.saved_at)), content)?;
    let known = draft_row(tx, draft.id).await?;
    let values = Values::of(&DRAFTS)
        .set("id", draft.id)
        .set("organization", &draft.organization)
        .set("officer", draft.officer.as_str())
        .set("record", draft.record)
        .set("prefecture", prefecture)
        .set("key_generation", i64::from(generation_of(&sealed)?))
        .set("created_at", draft.created_at)
        .set("saved_at", draft.saved_at)
        .set("sealed_content", sealed);
    put_row(tx, known.as_ref(), values).await
}

/// Removes a draft, if it is there.
pub(crate) async fn remove(tx: &mut Tx, id: Uuid) -> Result<(), StoreError> {
    match draft_row(tx, id).await? {
        Some(row) => remove_row(tx, &row).await,
        None => Ok(()),
    }
}

/// Drafts of a list, and how many of it are not what the gateway wrote.
pub struct ListedDrafts {
    pub drafts: Vec<Draft>,
    pub set_aside: usize,
}

fn listed_of(SoundRows { rows, set_aside }: SoundRows) -> Result<ListedDrafts, StoreError> {
    Ok(ListedDrafts { drafts: rows.iter().map(draft_of).collect::<Result<_, _>>()?, set_aside })
}

/// An officer's drafts that have not ended, by id.
///
/// # Errors
/// The database failed.
pub async fn of_officer(
    tx: &mut Tx,
    (organization, officer): (&OrganizationCode, &str),
    (after, now, most): (Uuid, Timestamp, i64),
) -> Result<ListedDrafts, StoreError> {
    let clause = "WHERE organization = $1 AND officer = $2 AND id > $3 AND saved_at > $4 ORDER BY id LIMIT $5";
    let binds = [organization.into(), officer.into(), after.into(), now.plus(-KEPT_FOR).into(), most.into()];
    listed_of(sound_light(tx, &DRAFTS, clause, &binds).await?)
}

/// The drafts of all officers of a body that have not ended, by id.
///
/// # Errors
/// The database failed.
pub async fn of_organization(
    tx: &mut Tx,
    organization: &OrganizationCode,
    (after, now, most): (Uuid, Timestamp, i64),
) -> Result<ListedDrafts, StoreError> {
    let clause = "WHERE organization = $1 AND id > $2 AND saved_at > $3 ORDER BY id LIMIT $4";
    let binds = [organization.into(), after.into(), now.plus(-KEPT_FOR).into(), most.into()];
    listed_of(sound_light(tx, &DRAFTS, clause, &binds).await?)
}

/// Drafts that have ended and are still there. One that is not what the gateway wrote stays, set aside.
///
/// # Errors
/// The database failed.
pub async fn ended(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Draft>, StoreError> {
    let clause = "WHERE saved_at <= $1 ORDER BY saved_at LIMIT $2";
    let binds = [now.plus(-KEPT_FOR).into(), most.into()];
    Ok(listed_of(sound_light(tx, &DRAFTS, clause, &binds).await?)?.drafts)
}

/// Seals drafts anew that are not sealed with the latest key of their prefecture; returns how many it sealed. Their times
/// stay. One that does not open is passed over.
pub(crate) async fn seal_latest(tx: &mut Tx, vault: &Vault, most: i64) -> Result<u64, StoreError> {
    let clause = "WHERE prefecture = $1 AND key_generation < $2 ORDER BY id LIMIT $3";
    let mut sealed = 0;
    for prefecture in places() {
        let latest = i64::from(vault.latest_generation(&prefecture));
        let binds = [prefecture.as_str().into(), latest.into(), most.into()];
        for row in all_sound(tx, &DRAFTS, clause, &binds).await? {
            let Ok(content) = unseal(vault, &row) else { continue };
            let save = save_of(row.id("id")?, row.at("saved_at")?);
            let anew = vault.seal(&prefecture, place(&save), &content)?;
            let values = row.values().set("key_generation", i64::from(generation_of(&anew)?));
            replace(tx, &row, values.set("sealed_content", anew)).await?;
            sealed += 1;
        }
        if sealed > 0 {
            break;
        }
    }
    Ok(sealed)
}

/// Prefectures, and the generations of their keys with which drafts are sealed.
///
/// # Errors
/// The database failed; a row is not what the gateway wrote: its key may still be wanted when it is mended.
pub async fn used(tx: &mut Tx) -> Result<BTreeSet<(String, u32)>, StoreError> {
    // By what a row says of itself, which its mark covers; what is in it is not read.
    let SoundRows { rows, set_aside } = sound_light(tx, &DRAFTS, "ORDER BY id", &[]).await?;
    if set_aside > 0 {
        return Err(StoreError::Corrupt("drafts are not what the gateway wrote: no key is destroyed"));
    }
    let generation = |row: &Row| {
        let generation =
            u32::try_from(row.int("key_generation")?).map_err(|_| StoreError::Corrupt("key generation"))?;
        Ok((row.text("prefecture")?.to_owned(), generation))
    };
    rows.iter().map(generation).collect()
}
