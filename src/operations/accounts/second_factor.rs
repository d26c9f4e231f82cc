//! Staff from before there were second factors enrol one, signed in with their password.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    enrolment::{EnrolmentTicket, new_recovery_codes, new_ticket},
    sessions::sessions_of,
};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    error::{AccountError, CallerError, Error},
    gateway::Gateway,
    identity::{
        Assurance, Caller,
        second_factor::{accepted_step, secret_of_ticket},
        session::Session,
    },
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store,
};

/// Returns what the caller's device takes in.
///
/// # Errors
/// [`CallerError::NotSharp`] for a machine; [`AccountError::SecondFactorThere`].
pub async fn begin_second_factor(gateway: &Arc<Gateway>, caller: &Caller) -> Result<Done<EnrolmentTicket>, Error> {
    if let Err(error) = check_assurance(caller) {
        return Err(Acting::new(gateway, caller, Act::SecondFactorEnrol).refuse(error).await);
    }
    Ok(Done::told(new_ticket(gateway, &caller.person())?))
}

fn check_assurance(caller: &Caller) -> Result<(), Error> {
    match caller.assurance() {
        Assurance::Password => Ok(()),
        Assurance::TwoFactors => Err(AccountError::SecondFactorThere.into()),
        Assurance::Named => Err(CallerError::NotSharp.into()),
    }
}

/// What the device shows, for the ticket that it took in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownCode {
    pub ticket: String,
    pub second_factor: String,
}

/// Recovery codes, shown once.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct RecoveryCodes {
    pub recovery_codes: Vec<String>,
}

/// The caller's second factor is to be enrolled.
pub struct EnrolSecondFactor {
    pub shown: ShownCode,
    /// Digest of the token of the caller's session, in which the second factor was shown then.
    pub session: [u8; 32],
}

/// Enrols the second factor of the caller.
///
/// # Errors
/// As [`begin_second_factor`]; [`AccountError::SecondFactorWrong`].
pub async fn enrol_second_factor(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    EnrolSecondFactor { shown: ShownCode { ticket, second_factor }, session }: EnrolSecondFactor,
) -> Result<Done<RecoveryCodes>, Error> {
    let acting = Acting::new(gateway, caller, Act::SecondFactorEnrol);
    if let Err(error) = check_assurance(caller) {
        return Err(acting.refuse(error).await);
    }
    let of = caller.person();
    let secret = secret_of_ticket(&gateway.fingerprint, &of.organization, &of.officer, &ticket);
    let recovery = new_recovery_codes()?;
    carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            let (vault, now) = (&acting.node.vault, acting.node.clock.now());
            let known = store::credentials::find(tx, vault, &of).await?.filter(|known| known.totp.is_none());
            let Some(mut credential) = known else {
                return Err(acting.declined(None, AccountError::SecondFactorThere));
            };
            let Some(step) = accepted_step(&secret, &of, &second_factor, now, 0) else {
                return Err(acting.declined(None, AccountError::SecondFactorWrong));
            };
            (credential.totp, credential.totp_step) = (Some(secret), step);
            store::credentials::put(tx, vault, &credential).await?;
            let (recovery_codes, digests): (Vec<String>, Vec<[u8; 32]>) = recovery.into_iter().unzip();
            store::credentials::put_recovery_codes(tx, &of, &digests).await?;
            if let Some(known) = store::sessions::find(tx, &session).await? {
                store::sessions::put(tx, &session, &Session { second_factor: Some(now), ..known }).await?;
            }
            let scope = Scope::Organization(of.organization.clone());
            let entry = acting.entry();
            // Whoever knew the password from before can have enrolled a device of their own: the body hears of each.
            let told = InboxItem::new(of.organization.clone(), InboxKind::SecondFactorEnrolled)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(RecoveryCodes { recovery_codes }, entry)
                .tell([told])
                .then(sessions_of(tx, &acting.caller).await?)
                .then(Change::Visibility(scope)))
        })
    })
    .await
}
