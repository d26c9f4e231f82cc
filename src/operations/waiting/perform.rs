//! Carries a sharp act out, once it is known which persons stand for it.

use crate::{
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpAct, SharpOutcome},
    },
    identity::sharp::{NotSharp, SharpCaller, TwoPersons},
    journal::journal::{Declined, Effect},
    ledger::entry::Entry,
    operations::{
        Acting,
        accounts::{organizations::connect, staff, terminals::register},
        oversight::break_glass::break_glass,
        records::shield_record::{lift_shield, name_bodies},
        retention::dispose_records::dispose,
    },
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
        (SharpAct::Dispose { disposal }, SharpPersons::Two(two)) => dispose(tx, acting, two, (body, disposal)).await,
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
        // Approved here, and carried out by a call of its own.
        (
            SharpAct::ReissueCredential { .. } | SharpAct::ReopenBody { .. } | SharpAct::RetireKeys {},
            SharpPersons::Two(_),
        ) => Ok(Effect::bare(SharpOutcome::default())),
        _ => Err(acting.declined(None, NotSharp)),
    }
}

/// The body that an act is about, whose disclosures it stands in.
pub(super) fn about_body(entry: Entry, act: &SharpAct, list: &OrganizationCode) -> Entry {
    let body = match act {
        SharpAct::ReopenBody { code } | SharpAct::ConnectOrganization { code, .. } => code,
        SharpAct::RegisterTerminal { organization, .. } => organization,
        _ => list,
    };
    let entry = entry.of_body(body);
    match act {
        // A record of that body's own.
        SharpAct::LiftShield { record } | SharpAct::NameBodies { record, .. } => entry.on_record(*record),
        _ => entry,
    }
}
