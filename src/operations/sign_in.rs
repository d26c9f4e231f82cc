//! Signs a staff member in at a desk, and out.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::{
        entry::{Act, Entry},
        journal::{Change, Effect, Idempotency},
    },
    error::Error,
    gateway::Gateway,
    identity::{
        Caller,
        certificate::TerminalCertificate,
        directory::{DirectoryChange, Officer, Terminal, Unrecognized},
        session::{LASTS, Session, new_token, token_digest, verify_password},
    },
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
    let right = tokio::task::spawn_blocking(move || verify_password(&password, hash.as_deref()))
        .await
        .map_err(|_| Error::Overloaded)?;
    if !right {
        // Claimed, not proved: the entry says that it was refused.
        let claimed = Caller::unproved(certificate.organization.clone(), terminal.serial, officer, request);
        let error = Error::from(Unrecognized::Officer);
        let entry = Entry::of(&claimed, Act::SessionOpen, &gateway.clock).refused(error.code());
        gateway.journal.record(gateway.journal.epoch(), vec![entry.into()], Vec::new()).await?;
        return Err(error);
    }
    let (token, digest) = new_token().ok_or(Error::Overloaded)?;
    let now = gateway.clock.now();
    let session = Session {
        organization: certificate.organization.clone(),
        officer,
        terminal: terminal.serial,
        expires_at: now.plus(LASTS),
    };
    let expires_at = session.expires_at.to_rfc3339();
    // Recognized once as it will be on every request, so that the entry names the person.
    let directory = gateway.directory();
    directory.apply(DirectoryChange::Session(digest, Box::new(session)));
    let caller = directory.recognize(certificate, &Officer::Session(digest), now, request)?;
    let entry = Entry::of(&caller, Act::SessionOpen, &gateway.clock);
    let recorded = gateway.journal.record(gateway.journal.epoch(), vec![entry.into()], Vec::new()).await;
    match recorded {
        Ok(receipt) => {
            Ok(Answer::message(StatusCode::CREATED, &SignedIn { token, expires_at }).with_entries(receipt.entries()))
        }
        Err(error) => {
            gateway.directory().apply(DirectoryChange::EndSession(digest));
            Err(error)
        }
    }
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
    let (signed_out, _) = gateway
        .journal
        .write(&caller, None::<Idempotency>, move |_| {
            Box::pin(async move {
                let effect = Effect {
                    value: SignedOut { signed_out: true },
                    entries: Vec::new(),
                    inbox: Vec::new(),
                    changes: vec![Change::Directory(DirectoryChange::EndSession(digest)), Change::Visibility],
                };
                Ok(effect)
            })
        })
        .await?;
    Ok(Answer::message(StatusCode::OK, &signed_out))
}
