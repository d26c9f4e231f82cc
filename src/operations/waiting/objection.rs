//! Objections: whoever is told that a body is to be taken in hand may take the request off the list, also once it was
//! approved. One person does, by machine too and at any hour: taking away is never sharp.

use uuid::Uuid;

use super::confirm::open_act;
use crate::{
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpAct, WaitingAct, WaitingState},
    },
    error::SharpError,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Declined,
    },
    ledger::entry::Entry,
    operations::{Acting, accounts::standing::concerned},
    planted::Planted,
    store::{self, tx::Tx},
};

/// The body that others would take in hand by an act, where they would: then all are told who could know better.
fn taken_in_hand(waiting: &WaitingAct) -> Option<&OrganizationCode> {
    match &waiting.act {
        SharpAct::ReopenBody { code } => Some(code),
        SharpAct::RegisterTerminal { organization, .. } if waiting.persons() == 2 => Some(organization),
        _ => None,
    }
}

/// Those who are told of an act at once, and may object.
pub(super) fn alarmed(node: &Gateway, waiting: &WaitingAct) -> Vec<OrganizationCode> {
    taken_in_hand(waiting).map(|body| concerned(node, body)).unwrap_or_default()
}

/// What they are told.
pub(super) fn alarm(waiting: &WaitingAct) -> InboxKind {
    match &waiting.act {
        SharpAct::ReopenBody { .. } => InboxKind::BodyReopenAsked,
        _ => InboxKind::TerminalAsked,
    }
}

/// Whether a body is one of those who were told that another is to be taken in hand. Anybody of it objects.
pub(super) fn may_object(node: &Gateway, waiting: &WaitingAct, body: &OrganizationCode) -> bool {
    waiting.organization != *body && alarmed(node, waiting).contains(body)
}

/// An act that the caller may take off the list: as one of those in whose list it stands, as who asked, or as who was
/// told. One of a body that was to be opened anew may have come as far as its code: that is worth nothing from then on.
///
/// # Errors
/// As [`open_act`]; [`SharpError::State`] once the code was used.
pub(super) async fn withdrawable(tx: &mut Tx, acting: &Acting, id: Uuid) -> Result<WaitingAct, Declined> {
    let (node, own) = (&acting.node, acting.caller.organization());
    let found = store::waiting_acts::find(tx, &node.vault, id).await?;
    let may = |waiting: &WaitingAct| {
        let is_in_hand = taken_in_hand(waiting).is_some();
        is_in_hand && waiting.organization == *own
            || waiting.asked_by == acting.caller.person()
            || may_object(node, waiting, own)
    };
    let Some(waiting) = found.filter(may).filter(|_| !Planted::HearNoObjection.is_planted()) else {
        return open_act(tx, acting, id).await;
    };
    let can_be_ended = match (waiting.state, &waiting.act) {
        (WaitingState::Waiting | WaitingState::Approved, _) => node.clock.now() < waiting.expires_at,
        (WaitingState::Done, SharpAct::ReopenBody { code }) => {
            store::credentials::remove_opening_code(tx, code).await?
        }
        _ => false,
    };
    let state = if waiting.state.is_open() { WaitingState::Expired } else { waiting.state };
    if can_be_ended { Ok(waiting) } else { Err(acting.declined(id, SharpError::State(state.as_str()))) }
}

/// That it ended is told to those whom it alarmed, but for those who are told as its list, as who asked, or as the body
/// itself.
pub(super) fn told_of_end(acting: &Acting, waiting: &WaitingAct, entry: &Entry) -> Vec<InboxItem> {
    let told_anyway = [Some(&waiting.organization), Some(&waiting.asked_by.organization), taken_in_hand(waiting)];
    let told =
        |to| InboxItem::new(to, InboxKind::SharpActEnded).subject(waiting.id).from(&acting.caller).because_of(entry);
    alarmed(&acting.node, waiting).into_iter().filter(|to| !told_anyway.contains(&Some(to))).map(told).collect()
}
