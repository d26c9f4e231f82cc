//! A person at a page shows the second factor again, for a sharp act: whoever sits there now is who signed in.

use std::sync::Arc;

use serde::Serialize;

use super::{
    passkeys::{PasskeyAnswer, QuestionFor},
    sessions::sessions_of,
    sign_in::{Shown, factor_shown, note_factor},
    tries::Try,
};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::idempotency::Idempotency,
    error::{AccountError, CallerError, Error},
    gateway::Gateway,
    identity::{Assurance, Caller, session::Session},
    journal::journal::Effect,
    ledger::entry::Act,
    operations::Acting,
    store::{self, credentials::Credential},
};

/// What somebody shows, and in which session.
pub struct ShowAgain {
    /// The six digits that the person's device shows, or a recovery code.
    pub code: Option<String>,
    pub passkey: Option<PasskeyAnswer>,
    /// Digest of its token.
    pub session: [u8; 32],
}

/// That the second factor was shown a moment ago. Nothing but [`show_again`] makes it.
#[derive(Serialize, CarriesNoRecordData)]
pub struct ShownAgain {
    officer: String,
}

impl ShownAgain {
    /// The caller who showed it.
    #[must_use]
    pub fn by(&self, caller: Caller) -> Caller {
        let shows_again = caller.shows_again() && caller.officer() != self.officer;
        caller.showing_again(shows_again)
    }
}

/// Takes the second factor of the caller again. What is wrong counts like a wrong try at signing in. Where it was shown in
/// this session a moment ago, as when a form is sent twice, nothing is taken.
///
/// # Errors
/// [`CallerError::NotSharp`] for a machine and without a second factor; [`AccountError::SecondFactorMissing`];
/// [`AccountError::SecondFactorWrong`]; [`AccountError::SignInLocked`].
pub async fn show_again(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ShowAgain { code, passkey, session }: ShowAgain,
) -> Result<Done<ShownAgain>, Error> {
    let acting = Acting::new(gateway, caller, Act::SecondFactorShow);
    if caller.assurance() != Assurance::TwoFactors {
        return Err(acting.refuse(CallerError::NotSharp).await);
    }
    let shown_again = ShownAgain { officer: caller.officer().to_owned() };
    let since = gateway.clock.now().plus(-gateway.config.accounts.sharp());
    if gateway.directory().factor_shown_at(&session).is_some_and(|at| at > since) {
        return Ok(Done::told(shown_again));
    }
    let of = caller.person();
    let tried = Try::count(gateway, (caller.clone(), of.clone(), acting.act)).await?;
    let mut tx = gateway.store.read().await?;
    let credential = store::credentials::find(&mut tx, &gateway.vault, &of).await?;
    drop(tx);
    let shown = match &credential {
        Some(credential) => {
            let purpose = QuestionFor::ShowAgain(caller);
            factor_shown(gateway, credential, (code.as_deref(), passkey.as_ref().map(|answer| (purpose, answer)))).await
        }
        None => Err(AccountError::SecondFactorWrong.into()),
    };
    let (Some(credential), Ok(shown)) = (credential, &shown) else {
        tried.stays(gateway).await?;
        return Err(acting.refuse(shown.err().unwrap_or(AccountError::SecondFactorWrong.into())).await);
    };
    let receipt = write(gateway, acting, (credential, shown.clone(), session)).await?;
    Ok(Done::new(shown_again, &receipt))
}

async fn write(
    gateway: &Arc<Gateway>,
    acting: Acting,
    (credential, shown, session): (Credential, Shown, [u8; 32]),
) -> Result<crate::journal::writer::Receipt, Error> {
    let caller = acting.caller.clone();
    let noted = gateway.journal.write(&caller, None::<Idempotency>, move |tx| {
        Box::pin(async move {
            let (vault, now) = (&acting.node.vault, acting.node.clock.now());
            let known = store::credentials::find(tx, vault, &credential.of).await?;
            let noted = match known {
                Some(known) if known == credential => note_factor(tx, &acting.node, (known, &shown)).await?,
                // Changed or used meanwhile.
                _ => None,
            };
            let (Some(credential), Some(known)) = (noted, store::sessions::find(tx, &session).await?) else {
                return Err(acting.declined(None, AccountError::SecondFactorWrong));
            };
            store::credentials::put(tx, vault, &credential).await?;
            store::sessions::put(tx, &session, &Session { second_factor: Some(now), ..known }).await?;
            store::sign_in_locks::forget(tx, Some(acting.caller.terminal()), &credential.of).await?;
            let ended = sessions_of(tx, &acting.caller).await?;
            Ok(Effect::new((), acting.entry()).then(ended))
        })
    });
    noted.await.map(|((), receipt)| receipt)
}
