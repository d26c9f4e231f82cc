//! Staff: by two persons in, by one out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, administers, is_damaged, put_aside, telling_body};
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::{SharpKind, SharpOutcome},
        two_persons::StaffId,
    },
    error::{AccountError, CallerError, Error, SharpError},
    gateway::Gateway,
    identity::{
        Caller, Role,
        directory::{DirectoryChange, StaffMember},
        sharp::{SharpCaller, TwoPersons},
    },
    journal::{
        inbox::InboxKind,
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, waiting::begin::end_about, written},
    planted::Planted,
    store::{self, error::StoreError, staff_grants::StaffGrant, tx::Tx},
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
    check_id(id)
}

/// Whether a text can be the id of a staff member.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Holds an id against its rule.
///
/// # Errors
/// It breaks it.
pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    is_id(id).then_some(()).ok_or(Error::field(
        "id",
        "「職員番号」は、半角の英数字、ハイフン（-）及び下線（_）の1～40文字で入力してください。",
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

/// Holds a change against the rules, before it is asked for.
///
/// # Errors
/// [`Error::NotFound`]; [`SharpError::ForOneself`] for more roles, by whom they are for.
pub(crate) async fn check_change(
    tx: &mut Tx,
    acting: &Acting,
    (body, id): (&OrganizationCode, &str),
    roles: &[Role],
) -> Result<(), Declined> {
    let known = active(tx, acting, (body, id)).await?;
    let caller = &acting.caller;
    let is_oneself = caller.organization() == body && caller.officer() == id;
    // Whom a machine names has asked for nothing.
    if is_oneself && adds_role(&known, roles) && SharpCaller::is_person(caller) {
        return Err(acting.declined(None, SharpError::ForOneself));
    }
    Ok(())
}

fn adds_role(known: &StaffMember, roles: &[Role]) -> bool {
    roles.iter().any(|role| !known.roles.contains(role))
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
/// [`Error::NotFound`]; [`SharpError::ForOneself`] where one of the two would get more roles.
pub(crate) async fn change_staff(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    asked: StaffAsked<'_>,
) -> Result<Effect<SharpOutcome>, Declined> {
    let known = active(tx, acting, (asked.body, &asked.id)).await?;
    let to = StaffId { organization: asked.body.clone(), officer: asked.id.clone() };
    let is_of_the_two = *two.first() == to || two.second().caller().person() == to;
    if is_of_the_two && adds_role(&known, &asked.roles) {
        return Err(acting.declined(None, SharpError::ForOneself));
    }
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
    // A name, or fewer roles, were given by nobody: what is known of how the person came to act stays.
    let adds = known.as_ref().is_none_or(|known| adds_role(known, &roles));
    if adds || Planted::ForgetThePair.is_planted() {
        put_grant(tx, (two, &to), (known.is_none(), now)).await?;
    }
    store::staff_grants::note_name(tx, vault, &to, (known.as_ref(), &name), now).await?;
    put(tx, acting, StaffMember { organization: body.clone(), id, name, roles, active: true }).await
}

/// Notes who gave a person roles. When the person was registered, and with whom the person opened the body, stay as they
/// were.
async fn put_grant(
    tx: &mut Tx,
    (two, to): (&TwoPersons, &StaffId),
    (is_new, now): (bool, Timestamp),
) -> Result<(), StoreError> {
    let before = store::staff_grants::find(tx, to).await?;
    let beginning = Timestamp::from_micros(0);
    let registered_at = before.as_ref().map_or(beginning, |before| before.registered_at);
    let grant = StaffGrant {
        to: to.clone(),
        asked_by: Some(two.first().clone()),
        approved_by: Some(two.second().caller().person()),
        opening: before.and_then(|before| before.opening).filter(|_| !Planted::ForgetThePair.is_planted()),
        registered_at: if is_new || Planted::RegisterAgain.is_planted() { now } else { registered_at },
    };
    store::staff_grants::put(tx, &grant).await
}

/// Takes roles from a person, where that is all that is asked; `None` where more is. What was asked of the roles before ends.
///
/// # Errors
/// [`Error::NotFound`]; [`CallerError::NotAllowed`] where the person answers for users, and the caller does not.
pub(crate) async fn take_roles(
    tx: &mut Tx,
    acting: &Acting,
    StaffAsked { body, id, name, roles }: StaffAsked<'_>,
) -> Result<Option<Effect<SharpOutcome>>, Declined> {
    let known = active(tx, acting, (body, &id)).await?;
    if known.name != name || adds_role(&known, &roles) {
        return Ok(None);
    }
    let answering = SharpKind::ChangeStaff.roles();
    let answers = known.roles.iter().any(|role| answering.contains(role));
    if answers && !acting.caller.has_any_role(answering) && !Planted::TakeFromAnybody.is_planted() {
        let roles = answering.iter().map(|role| role.as_str()).collect();
        return Err(acting.declined(None, CallerError::NotAllowed { kinds: OrganizationKind::ALL, roles }));
    }
    if known.roles.iter().any(|role| !roles.contains(role)) {
        end_about(tx, acting, body, (SharpKind::ChangeStaff, &id)).await?;
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

/// Revokes a staff member: one person, at once. What the person signed in with is destroyed in the same commit,
/// and so are the codes that the person issued and nobody used.
///
/// # Errors
/// [`Error::NotFound`] for staff of another organization;
/// [`ServiceError::RateLimited`](crate::error::ServiceError::RateLimited) for a machine of the operator's.
pub async fn revoke_staff(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RevokeStaff { organization, id, idempotency }: RevokeStaff,
) -> Result<Done<Administered>, Error> {
    let acting = Acting::new(gateway, caller, Act::StaffRevoke);
    let organization = OrganizationCode::parse(&organization).filter(|organization| administers(caller, organization));
    let staff = organization.and_then(|organization| gateway.directory().staff(&organization, &id));
    let Some(staff) = staff else { return Err(acting.refuse(Error::NotFound("staff")).await) };
    if let Err(error) = gateway.machine_revocations.take(caller, &staff.organization) {
        return Err(acting.refuse(error).await);
    }
    let person = StaffId { organization: staff.organization, officer: staff.id };
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let vault = &acting.node.vault;
            let known = store::accounts::staff_member(tx, vault, &person.organization, &person.officer).await;
            let known = match known.map_err(Declined::from) {
                Err(declined) if is_damaged(&declined) => None,
                known => Some(known?.ok_or_else(|| acting.declined(None, Error::NotFound("staff")))?),
            };
            if !Planted::KeepCredentials.is_planted() {
                store::credentials::destroy(tx, &person).await?;
                store::credentials::end_codes_issued_by(tx, &person).await?;
            }
            for kind in [SharpKind::ChangeStaff, SharpKind::ReissueCredential] {
                end_about(tx, &acting, &person.organization, (kind, &person.officer)).await?;
            }
            let StaffId { organization, officer } = person;
            let effect = match known {
                Some(known) => {
                    let done = Administered { id: known.id.clone(), active: false };
                    put(tx, &acting, StaffMember { active: false, ..known }).await?.map(|_| done)
                }
                None => {
                    let change = DirectoryChange::StaffSetAside(organization.clone(), officer.clone());
                    put_aside(&acting, (&officer, &organization), (format!("{organization}/{officer}"), change))
                }
            };
            let effect = telling_body(effect, &acting, (&organization, InboxKind::StaffRevoked));
            Ok(effect.then(Change::Directory(DirectoryChange::Sessions(organization, officer, Vec::new()))))
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
