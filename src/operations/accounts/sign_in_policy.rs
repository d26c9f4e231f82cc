//! A body's own rules of signing in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::telling_own;
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::idempotency::Idempotency,
    error::Error,
    gateway::Gateway,
    identity::{Caller, sharp::SharpCaller},
    journal::{inbox::InboxKind, journal::Effect},
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

/// Shows the rules of the caller's organization.
///
/// # Errors
/// The database failed.
pub async fn view_sign_in_policy(gateway: &Gateway, caller: &Caller) -> Result<Done<SignInPolicy>, Error> {
    let mut tx = gateway.store.read().await?;
    let password_days = store::credentials::password_days(&mut tx, caller.organization()).await?;
    Ok(Done::told(SignInPolicy { password_days }))
}

/// Rules are to change.
pub struct ChangeSignInPolicy {
    pub policy: SignInPolicy,
    pub idempotency: Idempotency,
}

/// Changes the rules of the caller's organization: a person at a desk, or a machine where passwords are renewed sooner.
///
/// # Errors
/// A number of days that is none; [`NotSharp`](crate::error::CallerError::NotSharp).
pub async fn change_sign_in_policy(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeSignInPolicy { policy: SignInPolicy { password_days }, idempotency }: ChangeSignInPolicy,
) -> Result<Done<SignInPolicy>, Error> {
    let acting = Acting::new(gateway, caller, Act::SignInPolicyChange);
    if !(0..=MAX_DAYS).contains(&password_days) {
        let error = Error::field("password_days", "0～3650の整数を指定してください。", "must be 0 to 3650");
        return Err(acting.refuse(error).await);
    }
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let own = acting.caller.organization();
            if loosens(password_days, store::credentials::password_days(tx, own).await?) {
                SharpCaller::of(&acting.caller).map_err(|error| acting.declined(None, error))?;
            }
            store::credentials::set_password_days(tx, own, password_days).await?;
            let effect = Effect::new(SignInPolicy { password_days }, acting.entry().of_body(own));
            Ok(telling_own(effect, &acting, InboxKind::SignInPolicyChanged))
        })
    })
    .await
}

/// Whether passwords would last longer than before. 0 is for ever.
fn loosens(days: i64, before: i64) -> bool {
    let lasts = |days: i64| if days == 0 { i64::MAX } else { days };
    lasts(days) > lasts(before)
}
