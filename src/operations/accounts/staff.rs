//! Registers staff, and revokes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, administers, organizations::connected};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, organization::OrganizationCode},
    error::{AccountError, Error, ServiceError},
    gateway::Gateway,
    identity::{
        Caller, Role,
        directory::{DirectoryChange, StaffMember},
        session::{SHORTEST_PASSWORD, hash_password},
    },
    journal::{
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, hashing, written},
    store,
};

/// A staff member as it is from now on: name, roles, password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegisterStaff)]
pub struct NewStaff {
    /// Left out: the caller's own. The operator alone names another, for its first administrator.
    #[serde(default)]
    pub organization: Option<OrganizationCode>,
    /// Id within the organization: 1 to 40 letters, digits, `-` or `_`.
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
    /// For desks: at least 12 characters.
    #[serde(default)]
    pub password: Option<String>,
}

/// A staff member is to be registered, or changed.
pub struct RegisterStaff {
    pub staff: NewStaff,
    pub idempotency: Idempotency,
}

/// Registers a staff member, or changes name, roles or password.
///
/// # Errors
/// A field that breaks its rule; [`Error::NotFound`] for another organization; [`AccountError::FirstAdministratorOnly`].
pub async fn register_staff(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RegisterStaff { staff, idempotency }: RegisterStaff,
) -> Result<Done<Administered>, Error> {
    let NewStaff { organization, id, name, roles, password } = staff;
    written("name", &name, 120)?;
    check_id(&id)?;
    let organization = organization.unwrap_or_else(|| caller.organization().clone());
    if !administers(caller, &organization) {
        return Err(Error::NotFound("organization"));
    }
    connected(gateway, organization.as_str())?;
    let new_hash = match password {
        Some(password) => Some(hashed(password).await?),
        None => None,
    };
    let is_foreign = organization != *caller.organization();
    let who = (organization.clone(), id.clone());
    let register = move |known: Option<StaffMember>, administered: bool| {
        if is_foreign && (known.is_some() || administered || roles != [Role::UserAdministrator]) {
            // The operator runs the system without seeing inside it: there it appoints the one who appoints all others.
            return Err(AccountError::FirstAdministratorOnly.into());
        }
        // Names and roles change without the password.
        let password_hash = new_hash.or_else(|| known.and_then(|staff| staff.password_hash));
        Ok(StaffMember { organization, id, name, roles, active: true, password_hash })
    };
    change_staff(Acting::new(gateway, caller, Act::StaffRegister), who, idempotency, register).await
}

fn check_id(id: &str) -> Result<(), Error> {
    let is_id =
        (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    is_id.then_some(()).ok_or(Error::field(
        "id",
        "半角の英数字、「-」および「_」を使い、1～40文字で指定してください。",
        "must be 1 to 40 letters, digits, - or _",
    ))
}

async fn hashed(password: String) -> Result<String, Error> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(Error::field("password", "12文字以上で指定してください。", "must have at least 12 characters"));
    }
    hashing(move || hash_password(&password)).await?.ok_or(ServiceError::Overloaded.into())
}

/// A staff member is to be revoked.
pub struct RevokeStaff {
    pub organization: String,
    pub id: String,
    pub idempotency: Idempotency,
}

/// Revokes a staff member.
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
    let revoke = |known: Option<StaffMember>, _| {
        known.map(|known| StaffMember { active: false, ..known }).ok_or(Error::NotFound("staff"))
    };
    let acting = Acting::new(gateway, caller, Act::StaffRevoke);
    change_staff(acting, (staff.organization, staff.id), idempotency, revoke).await
}

/// Writes a staff member as it becomes of what it is inside the journal's transaction, and of whether its organization
/// is administered: a new password is not undone by a new name that was sent at the same moment, and of two first
/// administrators one is refused.
async fn change_staff(
    acting: Acting,
    (organization, id): (OrganizationCode, String),
    idempotency: Idempotency,
    becoming: impl FnOnce(Option<StaffMember>, bool) -> Result<StaffMember, Error> + Send + 'static,
) -> Result<Done<Administered>, Error> {
    let Acting { node, caller, .. } = acting.clone();
    carry_out(&node, &caller, idempotency, move |tx| {
        Box::pin(async move {
            let vault = &acting.node.vault;
            let known = store::accounts::staff_member(tx, vault, &organization, &id).await?;
            let administered = store::accounts::is_administered(tx, &organization).await?;
            let staff = becoming(known, administered).map_err(|error| {
                let entry = acting.entry().refused(error.code()).about(format!("{organization}/{id}"));
                Declined { error, entry: Some(Box::new(entry)) }
            })?;
            store::accounts::put_staff(tx, vault, &staff).await?;
            let entry = acting.entry().about(format!("{}/{}", staff.organization, staff.id));
            let done = Administered { id: staff.id.clone(), active: staff.active };
            // A new password or a revocation ends what was signed in with the old one.
            store::sessions::end_all(tx, &staff.organization, &staff.id).await?;
            let ended = DirectoryChange::Sessions(staff.organization.clone(), staff.id.clone(), Vec::new());
            let scope = Scope::Organization(staff.organization.clone());
            Ok(Effect::new(done, entry)
                .then(Change::Directory(ended))
                .then(Change::Directory(DirectoryChange::Staff(Box::new(staff))))
                .then(Change::Visibility(scope)))
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
