//! Issues what a person signs in with: a code, used once at a desk of the own body to set password and second factor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::Duration;

use super::{organizations::connected, staff};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        sharp_act::{SharpKind, WaitingAct, WaitingState},
        two_persons::StaffId,
    },
    error::{AccountError, CallerError, Error, ServiceError, SharpError},
    gateway::Gateway,
    identity::{Caller, Role, directory::DirectoryChange, second_factor::new_code, sharp::SharpCaller},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store::{
        self,
        credentials::{Credential, EnrolmentCode},
        tx::Tx,
    },
};

/// For so long after two persons had a new person registered the credential manager alone issues the first credential.
const NEW_FOR: Duration = Duration::days(14);

/// A code that works once, and until when.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct IssuedCode {
    /// Told once: only its digest is kept.
    pub code: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

/// A person is to get a code.
pub struct IssueCredential {
    pub organization: String,
    pub id: String,
}

/// Issues a credential: to a new person by the credential manager; to anybody else, after two persons approved it, by
/// one of them or the credential manager. Then the old one is destroyed in the same commit.
///
/// # Errors
/// [`CallerError::NotSharp`]; [`Error::NotFound`]; [`SharpError::ForOneself`];
/// [`AccountError::CredentialNeedsTwo`] where nobody approved.
pub async fn issue_credential(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    IssueCredential { organization, id }: IssueCredential,
) -> Result<Done<IssuedCode>, Error> {
    let acting = Acting::new(gateway, caller, Act::CredentialIssue);
    // What can be nobody's id is in no entry; whether it is somebody's, an entry does not tell another body.
    let body = connected(gateway, &organization).ok().filter(|_| staff::is_id(&id));
    let Some(body) = body else {
        let is_person = SharpCaller::of(caller).map_err(Error::from);
        return Err(acting.refuse(is_person.err().unwrap_or(Error::NotFound("staff"))).await);
    };
    let of = StaffId { organization: body.code, officer: id };
    let (code, digest) = new_code().ok_or(ServiceError::Overloaded)?;
    // A code is repeated by nobody: it stands in no outcome that is kept.
    carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            let subject = format!("{}/{}", of.organization, of.officer);
            let about = |declined: Declined| declined.saying(|entry| entry.about(&subject).of_body(&of.organization));
            let issuer = SharpCaller::of(&acting.caller).map_err(|error| about(acting.declined(None, error)))?;
            let reissued = may_issue(tx, &acting, &issuer, &of).await.map_err(about)?;
            let (vault, now) = (&acting.node.vault, acting.node.clock.now());
            let expires_at = now.plus(acting.node.config.accounts.enrolment_code());
            if reissued {
                store::credentials::destroy(tx, &of).await?;
                store::credentials::put(tx, vault, &lost(&of, issuer.caller(), now)).await?;
            }
            let issued = EnrolmentCode {
                organization: of.organization.clone(),
                officer: Some(of.officer.clone()),
                issued_by: issuer.caller().person(),
                issued_at: now,
                expires_at,
                reissued,
            };
            store::credentials::put_enrolment_code(tx, &digest, &issued).await?;
            let entry = acting.entry().about(&subject).of_body(&of.organization);
            let told = InboxItem::new(of.organization.clone(), InboxKind::CredentialIssued)
                .from(&acting.caller)
                .because_of(&entry);
            let scope = Scope::Organization(of.organization.clone());
            let ended = DirectoryChange::Sessions(of.organization, of.officer, Vec::new());
            let done = Effect::new(IssuedCode { code, expires_at: expires_at.to_rfc3339() }, entry).tell([told]);
            Ok(if reissued { done.then(Change::Directory(ended)).then(Change::Visibility(scope)) } else { done })
        })
    })
    .await
}

/// What stands in the place of a credential that was destroyed: it opens nothing, and says that the next replaces one.
fn lost(of: &StaffId, issuer: &Caller, now: crate::clock::Timestamp) -> Credential {
    Credential {
        of: of.clone(),
        password_hash: String::new(),
        password_set_at: now,
        totp: None,
        totp_step: 0,
        issued_by: Some(issuer.person()),
        issued_at: now,
        reissued: true,
    }
}

/// Whether the caller may issue it; returns whether it replaces another.
async fn may_issue(tx: &mut Tx, acting: &Acting, issuer: &SharpCaller, of: &StaffId) -> Result<bool, Declined> {
    let (vault, caller) = (&acting.node.vault, issuer.caller());
    let staff = store::accounts::staff_member(tx, vault, &of.organization, &of.officer).await?;
    let is_own = of.organization == *caller.organization();
    let subject = (SharpKind::ReissueCredential, of.officer.as_str());
    let approved = WaitingState::Approved;
    let approved = store::waiting_acts::newest(tx, vault, &of.organization, subject, approved).await?;
    let approved = approved.filter(|act| acting.node.clock.now() < act.expires_at);
    let stood = approved.as_ref().is_some_and(|act| stood_for(act, &caller.person()));
    if staff.is_none_or(|staff| !staff.active) || !(is_own || stood) {
        return Err(acting.declined(None, Error::NotFound("staff")));
    }
    if caller.person() == *of {
        return Err(acting.declined(None, SharpError::ForOneself));
    }
    if !stood && !is_credential_manager(acting, caller) {
        let roles = vec![Role::CredentialManager.as_str()];
        return Err(acting.declined(None, CallerError::NotAllowed { kinds: &[], roles }));
    }
    match (store::credentials::find(tx, vault, of).await?, approved) {
        (_, Some(act)) => {
            store::waiting_acts::put(tx, vault, &WaitingAct { state: WaitingState::Done, ..act }).await?;
            Ok(true)
        }
        // Whoever holds roles for long without a credential is named by machines, and known: two stand for the first one.
        (None, None) if is_new(tx, acting, of).await? => Ok(false),
        (_, None) => Err(acting.declined(None, AccountError::CredentialNeedsTwo)),
    }
}

/// Whether two persons had the person registered a short while ago, and so that the person gets a credential.
async fn is_new(tx: &mut Tx, acting: &Acting, of: &StaffId) -> Result<bool, Declined> {
    let grant = store::staff_grants::find(tx, of).await?;
    Ok(grant.is_some_and(|grant| acting.node.clock.now() < grant.registered_at.plus(NEW_FOR)))
}

fn stood_for(act: &WaitingAct, person: &StaffId) -> bool {
    let persons = [&act.first, &act.decided];
    persons.into_iter().flatten().any(|(stood, _)| stood == person)
}

/// Who administers users hands codes out where the body has nobody else for it.
fn is_credential_manager(acting: &Acting, caller: &Caller) -> bool {
    let staff = acting.node.directory().staff_of(caller.organization());
    let has_one = staff.iter().any(|staff| staff.active && staff.roles.contains(&Role::CredentialManager));
    caller.has_role(Role::CredentialManager) || !has_one && caller.has_role(Role::UserAdministrator)
}
