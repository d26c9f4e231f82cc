//! Signs a staff member in at a desk, and out.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::Error,
    gateway::Gateway,
    identity::{
        Caller,
        certificate::TerminalCertificate,
        directory::{DirectoryChange, Terminal, Unrecognized},
        session::{LASTS, Session, new_token, token_digest, verify_password},
    },
    journal::{journal::Effect, memory::Change, recent::Scope},
    ledger::entry::{Act, Entry},
    operations::hashing,
    store::{self, error::StoreError, idempotency::Idempotency, tx::Tx},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Id of the staff member within the organization.
    pub officer: String,
    pub password: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignedIn {
    /// Send it as `Authorization: Bearer TOKEN` from this terminal.
    pub token: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

impl CarriesNoRecordData for SignedIn {}

/// `POST /v1/sessions`: from a desk terminal. Runs before there is a caller.
///
/// # Errors
/// [`Unrecognized::Officer`] for a wrong password as for an unknown officer.
pub async fn sign_in(
    gateway: &Arc<Gateway>,
    certificate: &TerminalCertificate,
    terminal: Terminal,
    request: Uuid,
    SignIn { officer, password }: SignIn,
) -> Result<Answer, Error> {
    let hash = gateway
        .directory()
        .staff(&certificate.organization, &officer)
        .filter(|staff| staff.active)
        .and_then(|staff| staff.password_hash);
    let stored = hash.clone();
    let right = hashing(move || verify_password(&password, stored.as_deref())).await?;
    if !right {
        // Claimed, not proved: the entry says that it was refused.
        let claimed = Caller::unproved(certificate.organization.clone(), terminal.serial, officer, request);
        let error = Error::from(Unrecognized::Officer);
        let entry = Entry::of(&claimed, Act::SessionOpen, &gateway.clock).refused(error.code());
        gateway.journal.record(gateway.journal.position(), vec![entry.into()], Vec::new()).await?;
        return Err(error);
    }
    let (token, digest) = new_token().ok_or(Error::Overloaded)?;
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
    let signed_in = SignedIn { token, expires_at: expires_at.to_rfc3339() };
    Ok(Answer::message(StatusCode::CREATED, &signed_in).with_entries(receipt.entries()))
}

/// The officer's sessions as they are now, for memory.
async fn sessions_of(tx: &mut Tx, caller: &Caller) -> Result<Change, StoreError> {
    let (organization, officer) = (caller.organization().clone(), caller.officer().to_owned());
    let sessions = store::sessions::of_officer(tx, &organization, &officer).await?;
    Ok(Change::Directory(DirectoryChange::Sessions(organization, officer, sessions)))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignedOut {
    pub signed_out: bool,
}

impl CarriesNoRecordData for SignedOut {}

/// `DELETE /v1/sessions`: ends the session of this request.
///
/// # Errors
/// The journal cannot write.
pub async fn sign_out(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let digest = token_digest(token);
    let caller: Caller = call.caller.clone();
    let (node, signer) = (gateway.clone(), caller.clone());
    let (signed_out, receipt) = gateway
        .journal
        .write(&caller, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                store::sessions::end(tx, &digest).await?;
                let ended = sessions_of(tx, &signer).await?;
                let scope = Scope::Organization(signer.organization().clone());
                let entry = Entry::of(&signer, Act::SessionEnd, &node.clock);
                Ok(Effect::new(SignedOut { signed_out: true }, entry).then(ended).then(Change::Visibility(scope)))
            })
        })
        .await?;
    Ok(Answer::message(StatusCode::OK, &signed_out).with_entries(receipt.entries()))
}
