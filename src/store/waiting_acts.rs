//! Sharp acts that wait for a person. Rows are written whole; what is asked is sealed.

use uuid::Uuid;

use super::{
    credentials::{code_of, person_of},
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpKind, WaitingAct, WaitingState},
        two_persons::StaffId,
    },
    keys::vault::{Place, Vault},
};

/// In the order of the columns that every statement here selects.
type Row = (
    Uuid,
    String,
    String,
    String,
    String,
    i64,
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Vec<u8>,
);

fn place(row: &Uuid) -> Place<'_> {
    Place { table: "waiting_acts", row, column: "sealed_act" }
}

fn waiting_of(vault: &Vault, row: Row) -> Result<WaitingAct, StoreError> {
    let (id, organization, state, asked_by_organization, asked_by, asked_at, not_before, expires_at, ..) = row;
    let (.., first_organization, first_by, first_at, helper, decided_by_organization, decided_by, decided_at, sealed) =
        row;
    let text = vault.unseal_text(place(&id), &sealed)?;
    let at = |person: Option<StaffId>, at: Option<i64>| person.zip(at.map(Timestamp::from_micros));
    Ok(WaitingAct {
        id,
        organization: code_of(&organization)?,
        act: serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("waiting act"))?,
        state: state.parse().map_err(|_| StoreError::Corrupt("waiting state"))?,
        asked_by: StaffId { organization: code_of(&asked_by_organization)?, officer: asked_by },
        asked_at: Timestamp::from_micros(asked_at),
        not_before: Timestamp::from_micros(not_before),
        expires_at: Timestamp::from_micros(expires_at),
        first: at(person_of(first_organization, first_by)?, first_at),
        helper: helper.as_deref().map(code_of).transpose()?,
        decided: at(person_of(decided_by_organization, decided_by)?, decided_at),
    })
}

/// One waiting act, however far it is.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Option<WaitingAct>, StoreError> {
    let row = fetch_optional!(
        tx,
        Row,
        "/* waiting_act */ SELECT id, organization, state, asked_by_organization, asked_by, asked_at, not_before,
             expires_at, first_organization, first_by, first_at, helper, decided_by_organization, decided_by,
             decided_at, sealed_act FROM waiting_acts WHERE id = $1",
        id,
    )?;
    row.map(|row| waiting_of(vault, row)).transpose()
}

/// What stands in an organization's list, its own and what it may lend a person to, newest first.
///
/// # Errors
/// As [`find`].
pub async fn listed(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
    most: i64,
) -> Result<Vec<WaitingAct>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* waiting_acts */ SELECT id, organization, state, asked_by_organization, asked_by, asked_at, not_before,
             expires_at, first_organization, first_by, first_at, helper, decided_by_organization, decided_by,
             decided_at, sealed_act FROM waiting_acts WHERE organization = $1 OR helper = $1
         ORDER BY id DESC LIMIT $2",
        organization.as_str(),
        most,
    )?;
    rows.into_iter().map(|row| waiting_of(vault, row)).collect()
}

/// The newest act of a kind about a subject, in one organization's list and in one state.
///
/// # Errors
/// As [`find`].
pub async fn newest(
    tx: &mut Tx,
    vault: &Vault,
    organization: &OrganizationCode,
    (kind, subject): (SharpKind, &str),
    state: WaitingState,
) -> Result<Option<WaitingAct>, StoreError> {
    let row = fetch_optional!(
        tx,
        Row,
        "/* newest_waiting_act */ SELECT id, organization, state, asked_by_organization, asked_by, asked_at,
             not_before, expires_at, first_organization, first_by, first_at, helper, decided_by_organization,
             decided_by, decided_at, sealed_act FROM waiting_acts
         WHERE organization = $1 AND kind = $2 AND subject = $3 AND state = $4 ORDER BY id DESC LIMIT 1",
        organization.as_str(),
        kind.as_str(),
        subject,
        state.as_str(),
    )?;
    row.map(|row| waiting_of(vault, row)).transpose()
}

/// Ids of acts whose time has run out.
///
/// # Errors
/// The database failed.
pub async fn overdue(tx: &mut Tx, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid,),
        "/* overdue_waiting_acts */ SELECT id FROM waiting_acts WHERE state IN ('waiting', 'approved')
         AND expires_at <= $1 ORDER BY id LIMIT 200",
        now.as_micros(),
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(crate) async fn put(tx: &mut Tx, vault: &Vault, waiting: &WaitingAct) -> Result<(), StoreError> {
    let text = serde_json::to_string(&waiting.act).map_err(|_| StoreError::Corrupt("waiting act"))?;
    let sealed_act = vault.seal_text(place(&waiting.id), &text)?;
    let (first, decided) = (waiting.first.as_ref(), waiting.decided.as_ref());
    execute!(
        tx,
        "/* put_waiting_act */ INSERT INTO waiting_acts (id, organization, kind, subject, state,
             asked_by_organization, asked_by, asked_at, not_before, expires_at, first_organization, first_by, first_at,
             helper, decided_by_organization, decided_by, decided_at, sealed_act)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         ON CONFLICT (id) DO UPDATE SET organization = excluded.organization, kind = excluded.kind,
             subject = excluded.subject, state = excluded.state,
             asked_by_organization = excluded.asked_by_organization, asked_by = excluded.asked_by,
             asked_at = excluded.asked_at, not_before = excluded.not_before, expires_at = excluded.expires_at,
             first_organization = excluded.first_organization, first_by = excluded.first_by,
             first_at = excluded.first_at, helper = excluded.helper,
             decided_by_organization = excluded.decided_by_organization, decided_by = excluded.decided_by,
             decided_at = excluded.decided_at, sealed_act = excluded.sealed_act",
        waiting.id,
        waiting.organization.as_str(),
        waiting.act.kind().as_str(),
        waiting.act.subject(),
        waiting.state.as_str(),
        waiting.asked_by.organization.as_str(),
        waiting.asked_by.officer.as_str(),
        waiting.asked_at.as_micros(),
        waiting.not_before.as_micros(),
        waiting.expires_at.as_micros(),
        first.map(|(by, _)| by.organization.as_str()),
        first.map(|(by, _)| by.officer.as_str()),
        first.map(|(_, at)| at.as_micros()),
        waiting.helper.as_ref().map(OrganizationCode::as_str),
        decided.map(|(by, _)| by.organization.as_str()),
        decided.map(|(by, _)| by.officer.as_str()),
        decided.map(|(_, at)| at.as_micros()),
        sealed_act,
    )?;
    Ok(())
}
