//! Staff: by two persons in, by one out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, administers, told_to_body};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, organization::OrganizationCode, sharp_act::SharpOutcome, two_persons::StaffId},
    error::{AccountError, Error},
    gateway::Gateway,
    identity::{
        Caller, Role,
        directory::{DirectoryChange, StaffMember},
        sharp::TwoPersons,
    },
    journal::{
        inbox::InboxKind,
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    planted::Planted,
    store::{self, staff_grants::StaffGrant, tx::Tx},
};

/// A staff member as it is to be: name and roles. Nobody else sets what a person signs in with.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestStaff)]
pub struct NewStaff {
    /// Id within the organization: 1 to 40 letters, digits, `-` or `_`. Never given twice.
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
}

/// What two persons approved of one.
pub(crate) struct StaffAsked<'a> {
    pub(crate) body: &'a OrganizationCode,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) roles: Vec<Role>,
}

/// Holds id and name against their rules.
///
/// # Errors
/// The one that is not right.
pub(crate) fn check(id: &str, name: &str) -> Result<(), Error> {
    written("name", name, 120)?;
    let is_id =
        (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    is_id.then_some(()).ok_or(Error::field(
        "id",
        "半角の英数字、「-」および「_」を使い、1～40文字で指定してください。",
        "must be 1 to 40 letters, digits, - or _",
    ))
}

/// Holds an id against all that were ever given.
///
/// # Errors
/// [`AccountError::StaffIdTaken`], also where its person was revoked.
pub(crate) async fn check_unused(
    tx: &mut Tx,
    acting: &Acting,
    (body, id): (&OrganizationCode, &str),
) -> Result<(), Declined> {
    match store::accounts::staff_member(tx, &acting.node.vault, body, id).await? {
        Some(_) if !Planted::GiveIdsAgain.is_planted() => Err(acting.declined(None, AccountError::StaffIdTaken)),
        _ => Ok(()),
    }
}

/// An active staff member of a body.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn active(
    tx: &mut Tx,
    acting: &Acting,
    (body, id): (&OrganizationCode, &str),
) -> Result<StaffMember, Declined> {
    let known = store::accounts::staff_member(tx, &acting.node.vault, body, id).await?;
    known.filter(|staff| staff.active).ok_or_else(|| acting.declined(None, Error::NotFound("staff")))
}

/// Registers a person for whom two stand.
///
/// # Errors
/// [`AccountError::StaffIdTaken`].
pub(crate) async fn register_staff(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    asked: StaffAsked<'_>,
) -> Result<Effect<SharpOutcome>, Declined> {
    check_unused(tx, acting, (asked.body, &asked.id)).await?;
    grant(tx, acting, two, (None, asked)).await
}

/// Changes a person's name or roles, for which two stand.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn change_staff(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    asked: StaffAsked<'_>,
) -> Result<Effect<SharpOutcome>, Declined> {
    let known = active(tx, acting, (asked.body, &asked.id)).await?;
    grant(tx, acting, two, (Some(known), asked)).await
}

async fn grant(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    (known, StaffAsked { body, id, name, roles }): (Option<StaffMember>, StaffAsked<'_>),
) -> Result<Effect<SharpOutcome>, Declined> {
    let (vault, now) = (&acting.node.vault, acting.node.clock.now());
    let to = StaffId { organization: body.clone(), officer: id.clone() };
    let (asked_by, approved_by) = (Some(two.first().clone()), Some(two.second().caller().person()));
    let grant = StaffGrant { to: to.clone(), asked_by, approved_by, opening: None, at: now };
    store::staff_grants::put(tx, &grant).await?;
    store::staff_grants::note_name(tx, vault, &to, (known.as_ref(), &name), now).await?;
    put(tx, acting, StaffMember { organization: body.clone(), id, name, roles, active: true }).await
}

/// Takes roles from a person, where that is all that is asked; `None` where more is.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn take_roles(
    tx: &mut Tx,
    acting: &Acting,
    StaffAsked { body, id, name, roles }: StaffAsked<'_>,
) -> Result<Option<Effect<SharpOutcome>>, Declined> {
    let known = active(tx, acting, (body, &id)).await?;
    if known.name != name || roles.iter().any(|role| !known.roles.contains(role)) {
        return Ok(None);
    }
    put(tx, acting, StaffMember { roles, ..known }).await.map(Some)
}

async fn put(tx: &mut Tx, acting: &Acting, staff: StaffMember) -> Result<Effect<SharpOutcome>, Declined> {
    store::accounts::put_staff(tx, &acting.node.vault, &staff).await?;
    let entry = acting.entry().about(format!("{}/{}", staff.organization, staff.id)).of_body(&staff.organization);
    let done = SharpOutcome { administered: Some((staff.id.clone(), staff.active)), ..SharpOutcome::default() };
    let scope = Scope::Organization(staff.organization.clone());
    Ok(Effect::new(done, entry)
        .then(Change::Directory(DirectoryChange::Staff(Box::new(staff))))
        .then(Change::Visibility(scope)))
}

/// A staff member is to be revoked.
pub struct RevokeStaff {
    pub organization: String,
    pub id: String,
    pub idempotency: Idempotency,
}

/// Revokes a staff member: one person, at once. What the person signed in with is destroyed in the same commit.
///
/// # Errors
/// [`Error::NotFound`] for staff of another organization.
pub async fn revoke_staff(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RevokeStaff { organization, id, idempotency }: RevokeStaff,
) -> Result<Done<Administered>, Error> {
    let staff = OrganizationCode::parse(&organization)
        .filter(|organization| administers(caller, organization))
        .and_then(|organization| gateway.directory().staff(&organization, &id))
        .ok_or(Error::NotFound("staff"))?;
    let person = StaffId { organization: staff.organization, officer: staff.id };
    let acting = Acting::new(gateway, caller, Act::StaffRevoke);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let vault = &acting.node.vault;
            let known = store::accounts::staff_member(tx, vault, &person.organization, &person.officer).await?;
            let known = known.ok_or(Error::NotFound("staff"))?;
            if !Planted::KeepCredentials.is_planted() {
                store::credentials::destroy(tx, &person).await?;
            }
            let told = told_to_body(&acting, &person.organization, InboxKind::StaffRevoked);
            let done = Administered { id: known.id.clone(), active: false };
            let ended = DirectoryChange::Sessions(person.organization, person.officer, Vec::new());
            let effect = put(tx, &acting, StaffMember { active: false, ..known }).await?;
            Ok(effect.map(|_| done).tell(told).then(Change::Directory(ended)))
        })
    })
    .await
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct StaffLine {
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub active: bool,
}

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct StaffLines {
    pub staff: Vec<StaffLine>,
}

/// Lists the staff of the caller's own organization.
///
/// # Errors
/// None of its own.
pub async fn list_staff(gateway: &Gateway, caller: &Caller) -> Result<Done<StaffLines>, Error> {
    let line = |StaffMember { id, name, roles, active, .. }| StaffLine { id, name, roles, active };
    let staff = gateway.directory().staff_of(caller.organization()).into_iter().map(line).collect();
    Ok(Done::told(StaffLines { staff }))
}
