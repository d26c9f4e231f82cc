//! Sessions of desks: opened, noted as used, ended, and the locks of those who type wrong passwords.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Administered, telling_own};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, two_persons::StaffId},
    error::{Error, ServiceError},
    gateway::Gateway,
    identity::{
        Caller,
        directory::{DirectoryChange, Terminal},
        session::{Session, new_token},
        sharp::SharpCaller,
    },
    journal::{inbox::InboxKind, journal::Effect, memory::Change, recent::Scope},
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store::{self, error::StoreError, tx::Tx},
};

/// Somebody at a desk, before it is known who.
#[derive(Clone)]
pub struct AtDesk {
    pub terminal: Terminal,
    /// Id of the request.
    pub request: Uuid,
}

/// A session that is about to be opened.
pub(super) struct NewSession {
    pub(super) token: String,
    pub(super) digest: [u8; 32],
    pub(super) session: Session,
}

/// A session of an officer at a desk, from now on.
///
/// # Errors
/// The random generator failed.
pub(super) fn new_session(
    gateway: &Gateway,
    desk: &AtDesk,
    officer: &str,
    second_factor: bool,
) -> Result<NewSession, Error> {
    let (token, digest) = new_token().ok_or(ServiceError::Overloaded)?;
    let (now, accounts) = (gateway.clock.now(), &gateway.config.accounts);
    let session = Session {
        organization: desk.terminal.organization.clone(),
        officer: officer.to_owned(),
        terminal: desk.terminal.serial.clone(),
        second_factor: second_factor.then_some(now),
        expires_at: now.plus(accounts.session()),
        idle_at: now.plus(accounts.idle()),
    };
    Ok(NewSession { token, digest, session })
}

/// The officer's sessions as they are now, for memory.
///
/// # Errors
/// The database failed.
pub(super) async fn sessions_of(tx: &mut Tx, caller: &Caller) -> Result<Change, StoreError> {
    let (organization, officer) = (caller.organization().clone(), caller.officer().to_owned());
    let sessions = store::sessions::of_officer(tx, &organization, &officer).await?;
    Ok(Change::Directory(DirectoryChange::Sessions(organization, officer, sessions)))
}

/// Notes that a session is used, so that it does not end by standing idle. No act of anybody's, and no entry.
///
/// # Errors
/// The journal cannot write.
pub async fn note_use(gateway: &Arc<Gateway>, caller: &Caller, digest: [u8; 32]) -> Result<(), Error> {
    let (node, of) = (gateway.clone(), caller.clone());
    let noting = gateway.journal.write(caller, None::<Idempotency>, move |tx| {
        Box::pin(async move {
            let Some(session) = store::sessions::find(tx, &digest).await? else { return Ok(Effect::bare(())) };
            let idle_at = node.clock.now().plus(node.config.accounts.idle());
            store::sessions::put(tx, &digest, &Session { idle_at, ..session }).await?;
            Ok(Effect::bare(()).then(sessions_of(tx, &of).await?))
        })
    });
    noting.await.map(|_| ())
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
    end(gateway, caller, (Act::SessionEnd, Some(session))).await
}

/// Ends all sessions of the caller, wherever they were opened.
///
/// # Errors
/// The journal cannot write.
pub async fn sign_out_everywhere(gateway: &Arc<Gateway>, caller: &Caller) -> Result<Done<SignedOut>, Error> {
    end(gateway, caller, (Act::SessionEndAll, None)).await
}

async fn end(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    (act, session): (Act, Option<[u8; 32]>),
) -> Result<Done<SignedOut>, Error> {
    let acting = Acting::new(gateway, caller, act);
    carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            let caller = &acting.caller;
            match session {
                Some(session) => store::sessions::end(tx, &session).await?,
                None => store::sessions::end_all(tx, caller.organization(), caller.officer()).await?,
            }
            let ended = sessions_of(tx, caller).await?;
            let scope = Scope::Organization(caller.organization().clone());
            Ok(Effect::new(SignedOut { signed_out: true }, acting.entry()).then(ended).then(Change::Visibility(scope)))
        })
    })
    .await
}

/// An id is to be let in again where it was locked.
pub struct Unlock {
    pub id: String,
    pub idempotency: Idempotency,
}

/// Ends the locks of an id of the caller's organization, at all terminals: a person at a desk does, and all are
/// told.
///
/// # Errors
/// [`Error::NotFound`] for an id that is nobody's of that organization; [`NotSharp`](crate::error::CallerError::NotSharp).
pub async fn unlock_sign_in(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    Unlock { id, idempotency }: Unlock,
) -> Result<Done<Administered>, Error> {
    let acting = Acting::new(gateway, caller, Act::SignInUnlock);
    let Some(staff) = gateway.directory().staff(caller.organization(), &id) else {
        return Err(acting.refuse(Error::NotFound("staff")).await);
    };
    let of = StaffId { organization: staff.organization, officer: staff.id };
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            SharpCaller::of(&acting.caller).map_err(|error| acting.declined(None, error))?;
            store::sign_in_locks::forget(tx, None, &of).await?;
            let entry = acting.entry().about(format!("{}/{}", of.organization, of.officer)).of_body(&of.organization);
            let effect = Effect::new(Administered { id: of.officer, active: true }, entry);
            Ok(telling_own(effect, &acting, InboxKind::SignInUnlocked))
        })
    })
    .await
}
