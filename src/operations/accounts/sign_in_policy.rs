//! A body's own rules of signing in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::idempotency::Idempotency,
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store,
};

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInPolicy {
    /// Days after which a password is renewed, up to 3,650; 0 for never.
    pub password_days: i64,
}

const MAX_DAYS: i64 = 3_650;

/// Rules are to change.
pub struct ChangeSignInPolicy {
    pub policy: SignInPolicy,
    pub idempotency: Idempotency,
}

/// Changes the rules of the caller's organization.
///
/// # Errors
/// A number of days that is none.
pub async fn change_sign_in_policy(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeSignInPolicy { policy: SignInPolicy { password_days }, idempotency }: ChangeSignInPolicy,
) -> Result<Done<SignInPolicy>, Error> {
    if !(0..=MAX_DAYS).contains(&password_days) {
        return Err(Error::field("password_days", "0～3650の整数を指定してください。", "must be 0 to 3650"));
    }
    let acting = Acting::new(gateway, caller, Act::SignInPolicyChange);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            store::credentials::set_password_days(tx, acting.caller.organization(), password_days).await?;
            Ok(Effect::new(SignInPolicy { password_days }, acting.entry()))
        })
    })
    .await
}
