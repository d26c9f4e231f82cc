//! A person who has the device renews the recovery codes: few are left, or somebody may have seen them.

use std::sync::Arc;

use serde::Deserialize;

use super::{enrolment::new_recovery_codes, second_factor::RecoveryCodes, tries::Try};
use crate::{
    disclosure::done::Done,
    error::{AccountError, CallerError, Error},
    gateway::Gateway,
    identity::{Assurance, Caller, second_factor::accepted_step},
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store,
};

/// What the device shows now: a session alone renews nothing, nor does a recovery code.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRecoveryCodes {
    /// Six digits that were not used before.
    pub second_factor: String,
}

/// Replaces the caller's recovery codes; the older ones are worth nothing any more. A wrong code counts like one at
/// signing in.
///
/// # Errors
/// [`CallerError::NotSharp`] for a machine and without a second factor; [`AccountError::SecondFactorWrong`];
/// [`AccountError::SignInLocked`].
pub async fn renew_recovery_codes(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RenewRecoveryCodes { second_factor }: RenewRecoveryCodes,
) -> Result<Done<RecoveryCodes>, Error> {
    let acting = Acting::new(gateway, caller, Act::RecoveryCodesRenew);
    if caller.assurance() != Assurance::TwoFactors {
        return Err(acting.refuse(CallerError::NotSharp).await);
    }
    let of = caller.person();
    let tried = Try::count(gateway, (caller.clone(), of.clone(), acting.act)).await?;
    let recovery = new_recovery_codes()?;
    // Codes are repeated by nobody: they stand in no outcome that is kept.
    let renewed = carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            let (vault, now) = (&acting.node.vault, acting.node.clock.now());
            let known = store::credentials::find(tx, vault, &of).await?;
            let step = known
                .as_ref()
                .and_then(|known| accepted_step(known.totp.as_deref()?, &of, &second_factor, now, known.totp_step));
            let (Some(mut credential), Some(step)) = (known, step) else {
                return Err(acting.declined(None, AccountError::SecondFactorWrong));
            };
            credential.totp_step = step;
            store::credentials::put(tx, vault, &credential).await?;
            let (recovery_codes, digests): (Vec<String>, Vec<[u8; 32]>) = recovery.into_iter().unzip();
            store::credentials::put_recovery_codes(tx, &of, &digests).await?;
            store::sign_in_locks::forget(tx, Some(acting.caller.terminal()), &of).await?;
            Ok(Effect::new(RecoveryCodes { recovery_codes }, acting.entry()))
        })
    });
    let renewed = renewed.await;
    if renewed.is_err() {
        tried.stays(gateway).await?;
    }
    renewed
}
