//! Signs a staff member in at a desk, and out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, organization::OrganizationCode},
    error::{Error, ServiceError},
    gateway::Gateway,
    identity::{
        Caller,
        directory::{DirectoryChange, Terminal, Unrecognized},
        session::{LASTS, Session, new_token, verify_password},
    },
    journal::{journal::Effect, memory::Change, recent::Scope},
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out, hashing},
    store::{self, error::StoreError, tx::Tx},
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Id of the staff member within the organization.
    pub officer: String,
    pub password: String,
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct SignedIn {
    /// Send it as `Authorization: Bearer TOKEN` from this terminal.
    pub token: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

/// Somebody at a desk says who they are. There is no caller yet.
pub struct SigningIn {
    pub organization: OrganizationCode,
    pub terminal: Terminal,
    /// Id of the request.
    pub request: Uuid,
    pub message: SignIn,
}

/// Signs in at a desk.
///
/// # Errors
/// [`Unrecognized::Officer`] for a wrong password as for an unknown officer.
pub async fn sign_in(gateway: &Arc<Gateway>, signing_in: SigningIn) -> Result<Done<SignedIn>, Error> {
    let SigningIn { organization, terminal, request, message: SignIn { officer, password } } = signing_in;
    let hash = gateway
        .directory()
        .staff(&organization, &officer)
        .filter(|staff| staff.active)
        .and_then(|staff| staff.password_hash);
    let stored = hash.clone();
    let right = hashing(move || verify_password(&password, stored.as_deref())).await?;
    if !right {
        // Claimed, not proved: the entry says that it was refused.
        let claimed = Caller::unproved(organization, terminal.serial, officer, request);
        let error = Error::from(Unrecognized::Officer);
        let entry = Entry::of(&claimed, Act::SessionOpen, &gateway.clock).refused(error.code());
        gateway.journal.record(gateway.journal.position(), vec![entry.into()], Vec::new()).await?;
        return Err(error);
    }
    let (token, digest) = new_token().ok_or(ServiceError::Overloaded)?;
    let now = gateway.clock.now();
    let expires_at = now.plus(LASTS);
    let caller = gateway.directory().signing_in(&terminal, &officer, request)?;
    let session = Session {
        organization: caller.organization().clone(),
        officer: caller.officer().to_owned(),
        terminal: terminal.serial,
        expires_at,
    };
    let node = gateway.clone();
    let signer = caller.clone();
    let (_, receipt) = gateway
        .journal
        .write(&caller, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                let (organization, officer) = (signer.organization(), signer.officer());
                let staff = store::accounts::staff_member(tx, &node.vault, organization, officer).await?;
                // A password that was changed meanwhile, or somebody revoked, opens nothing.
                if staff.is_none_or(|staff| !staff.active || staff.password_hash != hash) {
                    return Err(Error::from(Unrecognized::Officer).into());
                }
                store::sessions::forget_expired(tx, now).await?;
                store::sessions::open(tx, &digest, &session).await?;
                let entry = Entry::of(&signer, Act::SessionOpen, &node.clock);
                Ok(Effect::new(SignedOut { signed_out: false }, entry).then(sessions_of(tx, &signer).await?))
            })
        })
        .await?;
    Ok(Done::new(SignedIn { token, expires_at: expires_at.to_rfc3339() }, &receipt))
}

/// The officer's sessions as they are now, for memory.
async fn sessions_of(tx: &mut Tx, caller: &Caller) -> Result<Change, StoreError> {
    let (organization, officer) = (caller.organization().clone(), caller.officer().to_owned());
    let sessions = store::sessions::of_officer(tx, &organization, &officer).await?;
    Ok(Change::Directory(DirectoryChange::Sessions(organization, officer, sessions)))
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct SignedOut {
    pub signed_out: bool,
}

/// A session is to end.
pub struct SignOut {
    /// Digest of its token.
    pub session: [u8; 32],
}

/// Ends the session of the request.
///
/// # Errors
/// The journal cannot write.
pub async fn sign_out(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    SignOut { session }: SignOut,
) -> Result<Done<SignedOut>, Error> {
    let acting = Acting::new(gateway, caller, Act::SessionEnd);
    carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            store::sessions::end(tx, &session).await?;
            let ended = sessions_of(tx, &acting.caller).await?;
            let scope = Scope::Organization(acting.caller.organization().clone());
            Ok(Effect::new(SignedOut { signed_out: true }, acting.entry()).then(ended).then(Change::Visibility(scope)))
        })
    })
    .await
}
