//! Signs a staff member in at a desk, with password and second factor.

use std::sync::Arc;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{
    enrolment::NOBODY,
    passkeys::{self, PasskeyAnswer, QuestionFor},
    sessions::{AtDesk, NewSession, new_session, sessions_of},
    staff,
    tries::Try,
};
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, two_persons::StaffId},
    error::{AccountError, Error, ServiceError},
    gateway::Gateway,
    identity::{
        Assurance, Caller,
        hashing::HashingPlace,
        password::{check_password, hash_password, verify_password},
        second_factor::{accepted_step, code_digest},
    },
    journal::journal::{Declined, Effect},
    ledger::entry::{Act, Entry},
    planted::Planted,
    store::{self, credentials::Credential, passkeys::StoredPasskey, tx::Tx},
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Id of the staff member within the organization.
    pub officer: String,
    pub password: String,
    /// The six digits that the person's device shows, or a recovery code. Left out by staff from before there were
    /// second factors, who have none yet.
    #[serde(default)]
    pub second_factor: Option<String>,
    /// A passkey instead, as a browser at a page of the gateway has it: no message carries one.
    #[serde(skip)]
    #[schema(ignore)]
    pub passkey: Option<PasskeyAnswer>,
    /// To change the password by oneself; asked for when the old one is to be renewed.
    #[serde(default)]
    pub new_password: Option<String>,
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct SignedIn {
    /// Send it as `Authorization: Bearer TOKEN` from this terminal.
    pub token: String,
    /// RFC 3339, UTC. It ends earlier where it is not used.
    pub expires_at: String,
    /// `password`: enrol the second factor now; until then sharp acts are refused.
    pub assurance: Assurance,
    /// Recovery codes that were not used; left out without a second factor. Where few are left, have them renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_codes_left: Option<usize>,
}

/// What was shown beside the password.
#[derive(Clone)]
pub(super) enum Shown {
    Nothing,
    Step(i64),
    RecoveryCode([u8; 32]),
    /// As it is from now on.
    Passkey(Box<StoredPasskey>),
}

/// Signs in at a desk.
///
/// # Errors
/// [`AccountError::SignInRefused`] for a wrong password as for an unknown id; [`AccountError::SecondFactorMissing`] and
/// [`AccountError::SecondFactorWrong`] once the password was right; [`AccountError::SignInLocked`] after wrong tries;
/// [`ServiceError::RateLimited`] where too many passwords of this terminal wait to be hashed.
pub async fn sign_in(gateway: &Arc<Gateway>, desk: AtDesk, message: SignIn) -> Result<Done<SignedIn>, Error> {
    let SignIn { officer, password, second_factor, passkey, new_password } = message;
    let of = StaffId { organization: desk.terminal.organization.clone(), officer };
    // What is typed as an id and is nobody's may be a password: it is named in no entry.
    let known = gateway.directory().staff(&of.organization, &of.officer);
    let claimed = known.as_ref().map_or(NOBODY, |_| of.officer.as_str()).to_owned();
    let refuse = async |error: Error| desk.refuse(gateway, &claimed, (Act::SessionOpen, error)).await;
    if !staff::is_id(&of.officer) {
        return Err(refuse(AccountError::SignInRefused.into()).await);
    }
    let place = desk.hashing(gateway)?;
    let counted = known.as_ref().map_or_else(|| stand_in(gateway, &of), |_| of.clone());
    let tried = Try::count(gateway, (desk.claimed(&claimed), counted, Act::SessionOpen)).await?;
    let staff = known.filter(|staff| staff.active);
    let mut tx = gateway.store.read().await?;
    let credential = store::credentials::find(&mut tx, &gateway.vault, &of).await?.filter(|_| staff.is_some());
    let days = store::credentials::password_days(&mut tx, &of.organization).await?;
    drop(tx);
    let stored = credential.as_ref().map(|credential| credential.password_hash.clone());
    let right = match stored {
        None if Planted::CheckKnownAlone.is_planted() => Some(false),
        stored => place.run(move || verify_password(&password, stored.as_deref())).await,
    };
    let Some(credential) = credential.filter(|_| right == Some(true)) else {
        tried.stays(gateway).await?;
        let error = right.map_or(ServiceError::Overloaded.into(), |_| AccountError::SignInRefused.into());
        return Err(refuse(error).await);
    };
    let answered = passkey.as_ref().map(|answer| (QuestionFor::SignIn(&desk), answer));
    let shown = match factor_shown(gateway, &credential, (second_factor.as_deref(), answered)).await {
        Ok(shown) => shown,
        Err(error) if matches!(error, Error::Account(AccountError::SecondFactorMissing)) => {
            tried.take_back(gateway).await?;
            return Err(refuse(error).await);
        }
        Err(error) => {
            tried.stays(gateway).await?;
            return Err(refuse(error).await);
        }
    };
    let name = staff.map(|staff| staff.name).unwrap_or_default();
    let renewed = match renewed(&place, &credential, (days, gateway.clock.now()), (&name, new_password)).await {
        Ok(renewed) => renewed,
        Err(error) => {
            tried.take_back(gateway).await?;
            return Err(refuse(error).await);
        }
    };
    open(gateway, desk, (credential, shown, renewed)).await
}

/// By which the tries of an id that is nobody's are counted: the id itself is kept nowhere.
fn stand_in(gateway: &Gateway, of: &StaffId) -> StaffId {
    let mut digest = hmac::Context::with_key(&gateway.fingerprint);
    for part in ["tries of nobody", of.organization.as_str(), &of.officer] {
        digest.update(part.as_bytes());
        digest.update(&[0]);
    }
    let mut officer = HEXLOWER.encode(digest.sign().as_ref());
    officer.truncate(40);
    StaffId { organization: of.organization.clone(), officer }
}

/// Holds what was shown against the second factor that the person has.
///
/// # Errors
/// [`AccountError::SecondFactorMissing`]; [`AccountError::SecondFactorWrong`].
pub(super) async fn factor_shown(
    gateway: &Gateway,
    credential: &Credential,
    (code, passkey): (Option<&str>, Option<(QuestionFor<'_>, &PasskeyAnswer)>),
) -> Result<Shown, Error> {
    let Some(secret) = &credential.totp else { return Ok(Shown::Nothing) };
    if let Some((purpose, answer)) = passkey {
        let mut tx = gateway.store.read().await?;
        let used = passkeys::shown(gateway, &mut tx, (&credential.of, purpose), answer).await?;
        return Ok(Shown::Passkey(Box::new(used)));
    }
    let code = code.ok_or(AccountError::SecondFactorMissing)?;
    if let Some(step) = accepted_step(secret, &credential.of, code, gateway.clock.now(), credential.totp_step) {
        return Ok(Shown::Step(step));
    }
    let digest = code_digest(code);
    let mut tx = gateway.store.read().await?;
    let is_recovery = store::credentials::has_recovery_code(&mut tx, &credential.of, &digest).await?;
    if is_recovery { Ok(Shown::RecoveryCode(digest)) } else { Err(AccountError::SecondFactorWrong.into()) }
}

/// The hash of a new password, where there is one, or has to be.
async fn renewed(
    place: &HashingPlace,
    credential: &Credential,
    (days, now): (i64, Timestamp),
    (name, new_password): (&str, Option<String>),
) -> Result<Option<String>, Error> {
    let Some(new_password) = new_password else {
        let is_due = days > 0 && credential.password_set_at.plus(time::Duration::days(days)) <= now;
        return if is_due { Err(AccountError::PasswordExpired.into()) } else { Ok(None) };
    };
    check_password(&new_password, &credential.of.officer, name).map_err(AccountError::WeakPassword)?;
    let old = credential.password_hash.clone();
    let hash = place.run(move || {
        let is_old = verify_password(&new_password, Some(&old));
        (!is_old).then(|| hash_password(&new_password))
    });
    // The same one again renews nothing.
    let hash = hash.await.ok_or(ServiceError::Overloaded)?.ok_or(AccountError::PasswordExpired)?;
    Ok(Some(hash.ok_or(ServiceError::Overloaded)?))
}

async fn open(
    gateway: &Arc<Gateway>,
    desk: AtDesk,
    (credential, shown, renewed): (Credential, Shown, Option<String>),
) -> Result<Done<SignedIn>, Error> {
    let officer = credential.of.officer.clone();
    let second_factor = !matches!(shown, Shown::Nothing);
    let signer = match gateway.directory().signing_in(&desk.terminal, &officer, second_factor, desk.request) {
        Ok(signer) => signer,
        // Revoked meanwhile.
        Err(_) => {
            let refused = (Act::SessionOpen, AccountError::SignInRefused.into());
            return Err(desk.refuse(gateway, &officer, refused).await);
        }
    };
    let new = new_session(gateway, &desk, &officer, second_factor)?;
    let (token, expires_at) = (new.token.clone(), new.session.expires_at.to_rfc3339());
    let assurance = signer.assurance();
    let (node, caller) = (gateway.clone(), signer.clone());
    let (recovery_codes_left, receipt) = gateway
        .journal
        .write(&caller, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                let opened = open_inside(tx, &node, &signer, (credential, shown, renewed), new).await;
                opened.map_err(|declined| declined.logged(|| Entry::of(&signer, Act::SessionOpen, &node.clock)))
            })
        })
        .await?;
    Ok(Done::new(SignedIn { token, expires_at, assurance, recovery_codes_left }, &receipt))
}

/// Notes what was shown as used, inside the journal's transaction; the credential as it is from now on, still to be
/// written. `None` where it was used meanwhile.
///
/// # Errors
/// The database failed.
pub(super) async fn note_factor(
    tx: &mut Tx,
    node: &Gateway,
    (credential, shown): (Credential, &Shown),
) -> Result<Option<Credential>, Error> {
    let is_noted = match shown {
        Shown::Nothing => true,
        Shown::Step(step) => return Ok(Some(Credential { totp_step: *step, ..credential })),
        Shown::RecoveryCode(digest) => store::credentials::use_recovery_code(tx, &credential.of, digest).await?,
        Shown::Passkey(used) => passkeys::note_shown(tx, node, used).await?,
    };
    Ok(is_noted.then_some(credential))
}

async fn open_inside(
    tx: &mut Tx,
    node: &Gateway,
    signer: &Caller,
    (credential, shown, renewed): (Credential, Shown, Option<String>),
    new: NewSession,
) -> Result<Effect<Option<usize>>, Declined> {
    let (vault, now) = (&node.vault, node.clock.now());
    let refused = || Declined::from(Error::from(AccountError::SignInRefused));
    let staff = store::accounts::staff_member(tx, vault, signer.organization(), signer.officer()).await?;
    let known = store::credentials::find(tx, vault, &credential.of).await?;
    // What was changed or used meanwhile, or somebody revoked, opens nothing.
    if staff.is_none_or(|staff| !staff.active) || known.as_ref() != Some(&credential) {
        return Err(refused());
    }
    let mut credential = note_factor(tx, node, (credential, &shown)).await?.ok_or_else(refused)?;
    let mut entries = vec![Entry::of(signer, Act::SessionOpen, &node.clock)];
    if let Some(password_hash) = renewed {
        entries.push(Entry::of(signer, Act::PasswordChange, &node.clock));
        credential.password_hash = password_hash;
        credential.password_set_at = now;
        // Whoever else is signed in with the old one is no longer.
        store::sessions::end_all(tx, signer.organization(), signer.officer()).await?;
    }
    store::credentials::put(tx, vault, &credential).await?;
    store::sign_in_locks::forget(tx, Some(signer.terminal()), &credential.of).await?;
    store::sessions::forget_expired(tx, now).await?;
    store::sessions::put(tx, &new.digest, &new.session).await?;
    let left = match shown {
        Shown::Nothing => None,
        Shown::Step(_) | Shown::RecoveryCode(_) | Shown::Passkey(_) => {
            Some(store::credentials::recovery_codes_left(tx, &credential.of).await?)
        }
    };
    Ok(Effect::bare(left).log(entries).then(sessions_of(tx, signer).await?))
}
