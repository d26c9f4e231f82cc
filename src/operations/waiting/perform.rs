//! Carries a sharp act out, once it is known which persons stand for it.

use crate::{
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpAct, SharpOutcome, WaitingAct},
    },
    identity::{
        Caller,
        sharp::{NotSharp, SharpCaller, TwoPersons},
    },
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    ledger::entry::Entry,
    operations::{
        Acting,
        accounts::{organizations::connect, staff, terminals::register},
        oversight::break_glass::break_glass,
        records::shield_record::{lift_shield, name_bodies},
        retention::dispose_records::approve,
    },
    planted::Planted,
    store::tx::Tx,
};

/// Which persons stand for an act.
pub(super) enum SharpPersons {
    One(SharpCaller),
    Two(TwoPersons),
}

/// Does what was asked for in the name of `body`.
pub(super) async fn perform(
    tx: &mut Tx,
    acting: &Acting,
    persons: &SharpPersons,
    (body, act): (&OrganizationCode, SharpAct),
) -> Result<Effect<SharpOutcome>, Declined> {
    match (act, persons) {
        (SharpAct::LiftShield { record }, SharpPersons::Two(two)) => lift_shield(tx, acting, two, (body, record)).await,
        (SharpAct::NameBodies { record, named }, SharpPersons::Two(two)) => {
            name_bodies(tx, acting, two, (body, record, &named)).await
        }
        (SharpAct::Dispose { disposal }, SharpPersons::Two(two)) => approve(tx, acting, two, (body, disposal)).await,
        (SharpAct::BreakGlass { record, reason }, SharpPersons::One(person)) => {
            break_glass(tx, acting, person, (record, &reason)).await
        }
        (SharpAct::RegisterStaff { id, name, roles }, SharpPersons::Two(two)) => {
            staff::register_staff(tx, acting, two, staff::StaffAsked { body, id, name, roles }).await
        }
        (SharpAct::ChangeStaff { id, name, roles }, SharpPersons::Two(two)) => {
            staff::change_staff(tx, acting, two, staff::StaffAsked { body, id, name, roles }).await
        }
        (SharpAct::ConnectOrganization { code, relay_desk }, SharpPersons::One(person)) => {
            connect(tx, acting, person, (code, relay_desk)).await
        }
        (SharpAct::RegisterTerminal { serial, organization, terminal, label }, SharpPersons::One(person)) => {
            register(tx, acting, person, (serial, organization, terminal, label)).await
        }
        (SharpAct::RegisterTerminal { serial, organization, terminal, label }, SharpPersons::Two(two)) => {
            register(tx, acting, two.second(), (serial, organization, terminal, label)).await
        }
        // Approved here, and carried out by a call of its own.
        (
            SharpAct::ReissueCredential { .. } | SharpAct::ReopenBody { .. } | SharpAct::RetireKeys { .. },
            SharpPersons::Two(_),
        ) => Ok(Effect::bare(SharpOutcome::default())),
        _ => Err(acting.declined(None, NotSharp::NoPerson)),
    }
}

/// The body on which an act of another is done: what the operator does to it.
pub(super) fn acted_on(act: &SharpAct) -> Option<&OrganizationCode> {
    match act {
        SharpAct::ReopenBody { code } | SharpAct::ConnectOrganization { code, .. } => Some(code),
        SharpAct::RegisterTerminal { organization, .. } => Some(organization),
        SharpAct::LiftShield { .. }
        | SharpAct::NameBodies { .. }
        | SharpAct::Dispose { .. }
        | SharpAct::BreakGlass { .. }
        | SharpAct::RegisterStaff { .. }
        | SharpAct::ChangeStaff { .. }
        | SharpAct::ReissueCredential { .. }
        | SharpAct::RetireKeys { .. } => None,
    }
}

/// A refusal of an act on a body stands in that body's disclosures.
pub(super) fn of_acted_on(declined: Declined, body: Option<&OrganizationCode>) -> Declined {
    match body {
        Some(body) => declined.saying(|entry| entry.of_body(body)),
        None => declined,
    }
}

/// What is told to the body that an act is done on, where it stands in another's list.
pub(super) fn told_to_acted_on(
    waiting: &WaitingAct,
    (kind, by): (InboxKind, Option<&Caller>),
    entry: &Entry,
) -> Option<InboxItem> {
    let body = acted_on(&waiting.act).filter(|body| **body != waiting.organization)?;
    let item = InboxItem::new(body.clone(), kind).subject(waiting.id).because_of(entry);
    let item = by.into_iter().fold(item, InboxItem::from);
    (!Planted::TellNoBody.is_planted()).then_some(item)
}

/// The body that an act is about, whose disclosures it stands in.
pub(super) fn about_body(entry: Entry, act: &SharpAct, list: &OrganizationCode) -> Entry {
    let entry = entry.of_body(acted_on(act).unwrap_or(list));
    match act {
        // A record of that body's own.
        SharpAct::LiftShield { record } | SharpAct::NameBodies { record, .. } => entry.on_record(*record),
        _ => entry,
    }
}
