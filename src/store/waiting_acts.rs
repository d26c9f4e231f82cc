//! Sharp acts that wait for a person. Rows are written whole; what is asked is sealed.

use uuid::Uuid;

use super::{
    credentials::{person_of, with_person},
    error::StoreError,
    rows::{
        access::{SoundRows, all, all_sound, find as find_row, put as put_row, sound},
        row::{Row, Values},
        tables::WAITING_ACTS,
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpKind, WaitingAct, WaitingState},
    },
    keys::vault::{Place, Vault},
    planted::Planted,
};

fn place(row: &Uuid) -> Place<'_> {
    Place { table: "waiting_acts", row, column: "sealed_act" }
}

fn waiting_of(vault: &Vault, row: &Row) -> Result<WaitingAct, StoreError> {
    let id = row.id("id")?;
    let text = vault.unseal_text(place(&id), row.bytes("sealed_act")?)?;
    let asked_by = person_of(row, "asked_by_organization", "asked_by")?;
    let (act, about) = serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("waiting act"))?;
    Ok(WaitingAct {
        id,
        organization: row.code("organization")?,
        act,
        about,
        state: row.text("state")?.parse().map_err(|_| StoreError::Corrupt("waiting state"))?,
        asked_by: asked_by.ok_or(StoreError::Corrupt("asked_by"))?,
        asked_at: row.at("asked_at")?,
        not_before: row.at("not_before")?,
        expires_at: row.at("expires_at")?,
        first: person_of(row, "first_organization", "first_by")?.zip(row.optional_at("first_at")?),
        helper: row.optional_text("helper")?.map(|_| row.code("helper")).transpose()?,
        decided: person_of(row, "decided_by_organization", "decided_by")?.zip(row.optional_at("decided_at")?),
    })
}

async fn act_row(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, StoreError> {
    find_row(tx, &WAITING_ACTS, &[id.into()]).await
}

/// One waiting act, however far it is.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Option<WaitingAct>, StoreError> {
    act_row(tx, id).await?.map(|row| waiting_of(vault, &row)).transpose()
}

/// Acts of a list, and how many of it are not what the gateway wrote.
pub struct ListedActs {
    pub acts: Vec<WaitingAct>,
    pub set_aside: usize,
}

fn listed_of(vault: &Vault, SoundRows { rows, set_aside }: SoundRows) -> Result<ListedActs, StoreError> {
    let acts = rows.iter().map(|row| waiting_of(vault, row)).collect::<Result<_, _>>()?;
    Ok(ListedActs { acts, set_aside })
}

/// What stands in an organization's list, its own and what it may lend a person to: first what may still be done, its own
/// before that of others, newest first.
///
/// # Errors
/// The database failed.
pub async fn listed(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
    most: i64,
) -> Result<ListedActs, StoreError> {
    let clause = "WHERE organization = $1 OR helper = $1 \
                  ORDER BY CASE WHEN state IN ('waiting', 'approved') THEN 0 ELSE 1 END, \
                  CASE WHEN organization = $1 THEN 0 ELSE 1 END, id DESC LIMIT $2";
    listed_of(vault, sound(tx, &WAITING_ACTS, clause, &[organization.into(), most.into()]).await?)
}

/// What may still be done of an organization's list, and of those for which it may lend a person, newest first.
///
/// # Errors
/// The database failed.
pub async fn open_of(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
    most: i64,
) -> Result<ListedActs, StoreError> {
    let clause = "WHERE (organization = $1 OR helper = $1) AND state IN ('waiting', 'approved')
         ORDER BY id DESC LIMIT $2";
    listed_of(vault, sound(tx, &WAITING_ACTS, clause, &[organization.into(), most.into()]).await?)
}

/// What the operator's persons may do once others had time to object, and have not done yet, newest first.
///
/// # Errors
/// The database failed.
pub async fn open_of_operator(tx: &mut Tx, vault: &Vault, most: i64) -> Result<ListedActs, StoreError> {
    let clause = "WHERE organization = $1 AND state IN ('waiting', 'approved') ORDER BY id DESC LIMIT $2";
    let operator = OrganizationCode::operator();
    listed_of(vault, sound(tx, &WAITING_ACTS, clause, &[(&operator).into(), most.into()]).await?)
}

/// How many acts wait in an organization's list, as far as `most`.
///
/// # Errors
/// The database failed.
pub async fn count_waiting(tx: &mut Tx, organization: &OrganizationCode, most: i64) -> Result<usize, StoreError> {
    let clause = "WHERE organization = $1 AND state = 'waiting' ORDER BY id LIMIT $2";
    Ok(all_sound(tx, &WAITING_ACTS, clause, &[organization.into(), most.into()]).await?.len())
}

/// The newest act of a kind about a subject, in one organization's list and in one state. What somebody forged beside it
/// neither stands for it nor covers it: what takes something away looks for these, and is not stopped by that.
///
/// # Errors
/// The database failed.
pub async fn newest(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
    (kind, subject): (SharpKind, &str),
    state: WaitingState,
) -> Result<Option<WaitingAct>, StoreError> {
    let clause = "WHERE organization = $1 AND kind = $2 AND subject = $3 AND state = $4 ORDER BY id DESC";
    let binds = [organization.into(), kind.as_str().into(), subject.into(), state.as_str().into()];
    let found = if Planted::StumbleOverForged.is_planted() {
        all(tx, &WAITING_ACTS, clause, &binds).await?
    } else {
        all_sound(tx, &WAITING_ACTS, clause, &binds).await?
    };
    found.first().map(|row| waiting_of(vault, row)).transpose()
}

/// Ids of acts whose time has run out.
///
/// # Errors
/// The database failed.
pub async fn overdue(tx: &mut Tx, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    let clause = "WHERE state IN ('waiting', 'approved') AND expires_at <= $1 ORDER BY id LIMIT 200";
    all_sound(tx, &WAITING_ACTS, clause, &[now.into()]).await?.iter().map(|row| row.id("id")).collect()
}

pub(crate) async fn put(tx: &mut Tx, vault: &Vault, waiting: &WaitingAct) -> Result<(), StoreError> {
    let asked = (&waiting.act, &waiting.about);
    let text = serde_json::to_string(&asked).map_err(|_| StoreError::Corrupt("waiting act"))?;
    let sealed_act = vault.seal_text(place(&waiting.id), &text)?;
    let (first, decided) = (waiting.first.as_ref(), waiting.decided.as_ref());
    let known = act_row(tx, waiting.id).await?;
    let values = Values::of(&WAITING_ACTS)
        .set("id", waiting.id)
        .set("organization", &waiting.organization)
        .set("kind", waiting.act.kind().as_str())
        .set("subject", waiting.act.subject())
        .set("state", waiting.state.as_str())
        .set("asked_at", waiting.asked_at)
        .set("not_before", waiting.not_before)
        .set("expires_at", waiting.expires_at)
        .set("first_at", first.map(|(_, at)| *at))
        .set("helper", waiting.helper.as_ref())
        .set("decided_at", decided.map(|(_, at)| *at))
        .set("sealed_act", sealed_act);
    let values = with_person(values, ("asked_by_organization", "asked_by"), Some(&waiting.asked_by));
    let values = with_person(values, ("first_organization", "first_by"), first.map(|(by, _)| by));
    let values = with_person(values, ("decided_by_organization", "decided_by"), decided.map(|(by, _)| by));
    put_row(tx, known.as_ref(), values).await
}
