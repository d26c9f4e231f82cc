//! What an act was asked about, and whether that is still so when somebody stands for it.

use crate::{
    domain::{
        organization::OrganizationCode,
        sharp_act::{AskedAbout, SharpAct, WaitingAct},
    },
    error::SharpError,
    journal::journal::Declined,
    operations::Acting,
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// What an act of a body is about, as it is now.
pub(super) async fn about(
    tx: &mut Tx,
    acting: &Acting,
    (body, act): (&OrganizationCode, &SharpAct),
) -> Result<AskedAbout, StoreError> {
    let vault = &acting.node.vault;
    let found = match act {
        SharpAct::LiftShield { record } | SharpAct::NameBodies { record, .. } => {
            match store::records::find(tx, *record).await? {
                Some(stored) if stored.facts.owner == *body => {
                    let document = store::versions::current(tx, vault, &stored).await?;
                    document.shield_digest().map(|digest| AskedAbout::Shield { digest })
                }
                _ => None,
            }
        }
        SharpAct::ChangeStaff { id, .. } | SharpAct::ReissueCredential { id } => {
            let known = store::accounts::staff_member(tx, vault, body, id).await?;
            known.filter(|staff| staff.active).map(|staff| AskedAbout::Member { name: staff.name, roles: staff.roles })
        }
        SharpAct::ConnectOrganization { code, .. } => {
            let known = store::accounts::organization(tx, code).await?;
            known.map(|known| AskedAbout::Body { active: known.active, relay_desk: known.relay_desk })
        }
        // Whether another body's record changed meanwhile is nobody's to learn; each of the others finds out by itself.
        SharpAct::BreakGlass { .. }
        | SharpAct::Dispose { .. }
        | SharpAct::RegisterStaff { .. }
        | SharpAct::ReopenBody { .. }
        | SharpAct::RegisterTerminal { .. }
        | SharpAct::RetireKeys { .. } => None,
    };
    Ok(found.unwrap_or(AskedAbout::Nothing {}))
}

/// Holds what an act was asked about against what is there now.
///
/// # Errors
/// [`SharpError::Outdated`].
pub(super) async fn hold(tx: &mut Tx, acting: &Acting, waiting: &WaitingAct) -> Result<(), Declined> {
    let now = about(tx, acting, (&waiting.organization, &waiting.act)).await?;
    if now == waiting.about || Planted::ConfirmWhatChanged.is_planted() {
        return Ok(());
    }
    Err(acting.declined(waiting.id, SharpError::Outdated))
}
