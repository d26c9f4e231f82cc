//! Whether what was asked for can still be done, and from when on, by what is there now. Looked up when it is asked, and
//! again whenever somebody stands for it or carries it out: what was true at the asking may have changed since.

use time::Duration;

use crate::{
    clock::Timestamp,
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::{SharpAct, WaitingAct},
        two_persons::StaffId,
    },
    error::{AccountError, SharpError},
    gateway::Gateway,
    journal::journal::Declined,
    ledger::entry::{Act, Entry, Outcome},
    operations::{
        Acting,
        accounts::standing::{Consent, can_sign_in, consent_to_terminal},
    },
    planted::Planted,
    store::{self, error::StoreError, ledger::entries_between, tx::Tx},
};

/// Entries read at a time.
const PAGE: u32 = 1_000;
/// By so much the clocks of two nodes may differ.
const CLOCKS_APART: Duration = Duration::hours(1);

/// On what an act stands.
pub(crate) enum Footing {
    /// It may be done from this moment on.
    From(Timestamp),
    /// The body has people: the operator has no say in who administers it.
    HasPeople,
    /// What it rested on is not there any more.
    Changed,
}

/// On what an act that waits, or was approved, stands now.
///
/// # Errors
/// The database failed.
pub(crate) async fn footing_of(tx: &mut Tx, node: &Gateway, waiting: &WaitingAct) -> Result<Footing, StoreError> {
    let footing = match &waiting.act {
        SharpAct::ReopenBody { code } => of_reopening(tx, node, code, (&waiting.asked_by, waiting.asked_at)).await?,
        SharpAct::RegisterTerminal { organization, .. } => {
            let is_in_own_list = waiting.organization == *organization;
            let stands = match consent_to_terminal(tx, node, organization).await? {
                Consent::OneOperator => true,
                Consent::OwnAdministrator => is_in_own_list,
                Consent::TwoOperators => !is_in_own_list && waiting.persons() == 2,
            };
            if stands { Footing::From(waiting.not_before) } else { Footing::Changed }
        }
        _ => Footing::From(waiting.not_before),
    };
    Ok(match footing {
        Footing::From(at) => Footing::From(at.max(waiting.not_before)),
        nothing => nothing,
    })
}

/// The same, or why not; returns from when on it may be done.
///
/// # Errors
/// [`AccountError::BodyIsOpen`], [`SharpError::Outdated`].
pub(crate) async fn stands_from(tx: &mut Tx, acting: &Acting, waiting: &WaitingAct) -> Result<Timestamp, Declined> {
    match footing_of(tx, &acting.node, waiting).await? {
        Footing::From(at) => Ok(at),
        Footing::HasPeople => Err(acting.declined(waiting.id, AccountError::BodyIsOpen)),
        Footing::Changed => Err(acting.declined(waiting.id, SharpError::Outdated)),
    }
}

/// The operator asks for bodies alone in which nobody is active. An officer of the body asks for as long as they are one;
/// while a colleague can sign in, those who would know better have time to object, as they have with the operator. They
/// have it too where nobody can sign in because somebody saw to that a short while ago.
///
/// # Errors
/// The database failed.
pub(super) async fn of_reopening(
    tx: &mut Tx,
    node: &Gateway,
    body: &OrganizationCode,
    (asked_by, asked_at): (&StaffId, Timestamp),
) -> Result<Footing, StoreError> {
    let after_all_are_told = asked_at.plus(node.config.accounts.takeover());
    if asked_by.organization.kind() == OrganizationKind::Operator {
        let has_people = node.directory().staff_of(body).iter().any(|staff| staff.active);
        return Ok(if has_people { Footing::HasPeople } else { Footing::From(after_all_are_told) });
    }
    let asker = store::accounts::staff_member(tx, &node.vault, &asked_by.organization, &asked_by.officer).await?;
    let is_officer = asker.is_some_and(|staff| staff.active && !staff.roles.is_empty());
    if !is_officer && !Planted::GoneStillAsk.is_planted() {
        return Ok(Footing::Changed);
    }
    let since = asked_at.plus(-node.config.accounts.takeover());
    let waits = match can_sign_in(tx, node, body).await? {
        true => !Planted::ReopenAtOnce.is_planted(),
        false => !Planted::ReopenDeserted.is_planted() && lost_somebody(tx, body, (since, node.clock.now())).await?,
    };
    Ok(Footing::From(if waits { after_all_are_told } else { asked_at }))
}

/// Whether somebody of a body was revoked between two moments, or got a code in place of what they signed in with, by
/// whoever's hand: who holds one of its machines revokes in its name. The ledger knows.
async fn lost_somebody(
    tx: &mut Tx,
    body: &OrganizationCode,
    (since, until): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let (mut after, until) = (since.first_id(), until.plus(CLOCKS_APART).first_id());
    loop {
        let page = entries_between(tx, body, (after, until), PAGE).await?;
        let Some(last) = page.last() else { return Ok(false) };
        after = last.id;
        let takes = |entry: &Entry| matches!(entry.act, Act::StaffRevoke | Act::CredentialIssue);
        let mut entries = page.iter().filter_map(|stored| Entry::from_bytes(&stored.body));
        if entries.any(|entry| entry.outcome == Outcome::Done && takes(&entry)) {
            return Ok(true);
        }
    }
}
