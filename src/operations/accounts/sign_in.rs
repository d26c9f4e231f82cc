//! Signs a staff member in at a desk, with password and second factor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sessions::{AtDesk, NewSession, new_session, sessions_of};
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, two_persons::StaffId},
    error::{AccountError, Error, ServiceError},
    gateway::Gateway,
    identity::{
        Assurance, Caller,
        directory::Unrecognized,
        password::{check_password, hash_password, verify_password},
        second_factor::{accepted_step, code_digest},
        session::SignInLock,
    },
    journal::journal::{Declined, Effect},
    ledger::entry::{Act, Entry},
    operations::hashing,
    planted::Planted,
    store::{self, credentials::Credential, tx::Tx},
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Id of the staff member within the organization.
    pub officer: String,
    pub password: String,
    /// The six digits that the person's device shows, or a recovery code. Left out by staff of before who have no second
    /// factor yet.
    #[serde(default)]
    pub second_factor: Option<String>,
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
}

/// What was shown beside the password.
#[derive(Clone, Copy)]
enum Shown {
    Nothing,
    Step(i64),
    RecoveryCode([u8; 32]),
}

/// Signs in at a desk.
///
/// # Errors
/// [`Unrecognized::Officer`] for a wrong password as for an unknown officer; [`AccountError::SecondFactorMissing`] and
/// [`AccountError::SecondFactorWrong`] once the password was right; [`AccountError::SignInLocked`] after wrong tries.
pub async fn sign_in(gateway: &Arc<Gateway>, desk: AtDesk, message: SignIn) -> Result<Done<SignedIn>, Error> {
    let SignIn { officer, password, second_factor, new_password } = message;
    let of = StaffId { organization: desk.terminal.organization.clone(), officer };
    let refuse = async |error: Error| desk.refuse(gateway, &of.officer, (Act::SessionOpen, error)).await;
    let now = gateway.clock.now();
    let staff = gateway.directory().staff(&of.organization, &of.officer).filter(|staff| staff.active);
    let mut tx = gateway.store.read().await?;
    let lock = store::sign_in_locks::find(&mut tx, &desk.terminal.serial, &of).await?;
    let credential = store::credentials::find(&mut tx, &gateway.vault, &of).await?.filter(|_| staff.is_some());
    let days = store::credentials::password_days(&mut tx, &of.organization).await?;
    drop(tx);
    if let Some(retry_after_seconds) = lock.and_then(|lock| lock.seconds_left(now)) {
        return Err(refuse(AccountError::SignInLocked { retry_after_seconds }.into()).await);
    }
    let stored = credential.as_ref().map(|credential| credential.password_hash.clone());
    let right = hashing({
        let password = password.clone();
        move || verify_password(&password, stored.as_deref())
    })
    .await?;
    let Some(credential) = credential.filter(|_| right) else {
        return Err(wrong(gateway, &desk, &of, Unrecognized::Officer.into()).await);
    };
    let shown = match shown(gateway, &credential, second_factor.as_deref()).await {
        Ok(shown) => shown,
        Err(Error::Account(AccountError::SecondFactorMissing)) => {
            return Err(refuse(AccountError::SecondFactorMissing.into()).await);
        }
        Err(error) => return Err(wrong(gateway, &desk, &of, error).await),
    };
    let name = staff.map(|staff| staff.name).unwrap_or_default();
    let renewed = match renewed(&credential, (days, now), (&name, new_password)).await {
        Ok(renewed) => renewed,
        Err(error) => return Err(refuse(error).await),
    };
    open(gateway, desk, (credential, shown, renewed)).await
}

/// Holds what was shown against the second factor that the person has.
async fn shown(gateway: &Gateway, credential: &Credential, code: Option<&str>) -> Result<Shown, Error> {
    let Some(secret) = &credential.totp else { return Ok(Shown::Nothing) };
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
    let hash = hashing(move || {
        let is_old = verify_password(&new_password, Some(&old));
        (!is_old).then(|| hash_password(&new_password))
    });
    // The same one again renews nothing.
    let hash = hash.await?.ok_or(AccountError::PasswordExpired)?;
    Ok(Some(hash.ok_or(ServiceError::Overloaded)?))
}

/// One more wrong try of this id at this terminal, with its entry; returns the refusal.
async fn wrong(gateway: &Arc<Gateway>, desk: &AtDesk, of: &StaffId, error: Error) -> Error {
    let claimed = desk.claimed(&of.officer);
    // Claimed, not proved: the entry says that it was refused.
    let entry = Entry::of(&claimed, Act::SessionOpen, &gateway.clock).refused(error.code());
    let (of, serial, now) = (of.clone(), desk.terminal.serial.clone(), gateway.clock.now());
    let counting = gateway.journal.write(&claimed, None::<Idempotency>, move |tx| {
        Box::pin(async move {
            if !Planted::NeverLock.is_planted() {
                let before = store::sign_in_locks::find(tx, &serial, &of).await?;
                store::sign_in_locks::put(tx, &serial, &of, SignInLock::after(before, now)).await?;
            }
            Ok(Effect::new((), entry))
        })
    });
    match counting.await {
        Ok(_) => error,
        Err(unwritten) => unwritten,
    }
}

async fn open(
    gateway: &Arc<Gateway>,
    desk: AtDesk,
    (credential, shown, renewed): (Credential, Shown, Option<String>),
) -> Result<Done<SignedIn>, Error> {
    let officer = credential.of.officer.clone();
    let second_factor = !matches!(shown, Shown::Nothing);
    let signer = gateway.directory().signing_in(&desk.terminal, &officer, second_factor, desk.request)?;
    let new = new_session(gateway, &desk, &officer, second_factor)?;
    let signed_in = SignedIn {
        token: new.token.clone(),
        expires_at: new.session.expires_at.to_rfc3339(),
        assurance: signer.assurance(),
    };
    let (node, caller) = (gateway.clone(), signer.clone());
    let (_, receipt) = gateway
        .journal
        .write(&caller, None::<Idempotency>, move |tx| {
            Box::pin(async move { open_inside(tx, &node, &signer, (credential, shown, renewed), new).await })
        })
        .await?;
    Ok(Done::new(signed_in, &receipt))
}

async fn open_inside(
    tx: &mut Tx,
    node: &Gateway,
    signer: &Caller,
    (credential, shown, renewed): (Credential, Shown, Option<String>),
    new: NewSession,
) -> Result<Effect<()>, Declined> {
    let (vault, now) = (&node.vault, node.clock.now());
    let refused = || Declined::from(Error::from(Unrecognized::Officer));
    let staff = store::accounts::staff_member(tx, vault, signer.organization(), signer.officer()).await?;
    let known = store::credentials::find(tx, vault, &credential.of).await?;
    // What was changed or used meanwhile, or somebody revoked, opens nothing.
    if staff.is_none_or(|staff| !staff.active) || known.as_ref() != Some(&credential) {
        return Err(refused());
    }
    let mut credential = credential;
    match shown {
        Shown::Nothing => {}
        Shown::Step(step) => credential.totp_step = step,
        Shown::RecoveryCode(digest) => {
            if !store::credentials::use_recovery_code(tx, &credential.of, &digest).await? {
                return Err(refused());
            }
        }
    }
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
    Ok(Effect::bare(()).log(entries).then(sessions_of(tx, signer).await?))
}
