//! Who is there at a body: whether it ever had people, whether any of them can sign in, and who else would know.

use crate::{
    domain::organization::{OrganizationCode, OrganizationKind},
    gateway::Gateway,
    identity::directory::TerminalKind,
    planted::Planted,
    store::{self, error::StoreError, rows::tables::STAFF, tx::Tx},
};

/// Who is there of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It never had staff or records.
    NeverWas,
    /// Somebody can sign in at one of its desks with two factors.
    Peopled,
    /// It had people or records, and nobody can sign in.
    Deserted,
}

/// Whose word it takes that a terminal speaks for a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The body never was; or the terminal is the operator's own.
    OneOperator,
    /// Somebody at the body answers for it.
    OwnAdministrator,
    /// Nobody at the body can: after a time in which those who would know may object.
    TwoOperators,
}

/// Whose word it takes that a terminal speaks for a body.
///
/// # Errors
/// The database failed.
pub(crate) async fn consent_to_terminal(
    tx: &mut Tx,
    node: &Gateway,
    body: &OrganizationCode,
) -> Result<Consent, StoreError> {
    if body.kind() == OrganizationKind::Operator || Planted::RegisterAlone.is_planted() {
        return Ok(Consent::OneOperator);
    }
    Ok(match presence_of(tx, node, body).await? {
        Presence::NeverWas => Consent::OneOperator,
        Presence::Peopled => Consent::OwnAdministrator,
        Presence::Deserted => Consent::TwoOperators,
    })
}

/// Whether a body ever had people or records. Memory knows of staff whose rows somebody hides, and of rows that are missing
/// since the start.
///
/// # Errors
/// The database failed.
pub(crate) async fn ever_was(tx: &mut Tx, node: &Gateway, body: &OrganizationCode) -> Result<bool, StoreError> {
    let memory = node.journal.memory();
    let was_theirs = |row: &String| row.split(':').next() == Some(body.as_str());
    Ok(!memory.directory.staff_of(body).is_empty()
        || memory.guard.removed(&STAFF).iter().any(was_theirs)
        || memory.guard.count_set_aside_from(body) > 0
        || store::staff_grants::had_staff_or_records(tx, body).await?)
}

/// A body without a desk in force is deserted too: nobody there could stand for anything.
async fn presence_of(tx: &mut Tx, node: &Gateway, body: &OrganizationCode) -> Result<Presence, StoreError> {
    if !ever_was(tx, node, body).await? {
        return Ok(Presence::NeverWas);
    }
    let terminals = node.directory().terminals_of(Some(body));
    let has_desk = terminals.iter().any(|terminal| terminal.active && terminal.kind == TerminalKind::Desk);
    let peopled = has_desk && can_sign_in(tx, node, body).await?;
    Ok(if peopled { Presence::Peopled } else { Presence::Deserted })
}

/// Whether anybody of a body, active, has a password and a second factor.
///
/// # Errors
/// The database failed.
pub(crate) async fn can_sign_in(tx: &mut Tx, node: &Gateway, body: &OrganizationCode) -> Result<bool, StoreError> {
    let credentials = store::credentials::of_organization(tx, &node.vault, body).await?;
    // Whoever damages what people sign in with does not make their body a deserted one.
    if credentials.set_aside > 0 {
        return Ok(true);
    }
    for credential in credentials.known {
        let of = &credential.of;
        let staff = store::accounts::staff_member(tx, &node.vault, &of.organization, &of.officer).await?;
        if credential.totp.is_some() && staff.is_some_and(|staff| staff.active) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Those who would know better where somebody takes a body in hand: the body itself, its counterparts, its prefecture and
/// the ministry. By code, each once.
pub(crate) fn concerned(node: &Gateway, body: &OrganizationCode) -> Vec<OrganizationCode> {
    let all = [Some(body.clone()), node.registry.prefecture_of(body), Some(OrganizationCode::ministry())];
    let mut concerned: Vec<OrganizationCode> = all.into_iter().flatten().chain(counterparts(node, body)).collect();
    concerned.sort();
    concerned.dedup();
    concerned
}

/// Those who work with a body: a center's municipalities, and of any other its center.
pub(super) fn counterparts(node: &Gateway, body: &OrganizationCode) -> Vec<OrganizationCode> {
    let day = node.clock.today_in_japan();
    match body.kind() {
        OrganizationKind::ChildGuidanceCenter => node.registry.municipalities_of(body, day),
        _ => node.registry.center_of(body, day).cloned().into_iter().collect(),
    }
}
