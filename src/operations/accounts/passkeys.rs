//! Passkeys: a person registers them beside the codes of a device, sees and removes them, and shows one as the second factor.
//!
//! What the gateway asks of an authenticator is written nowhere until it was answered: it goes sealed to the browser and
//! comes back with the answer. That it is answered once is seen to by its time: a passkey that answered to a question
//! answers to no older one.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use time::Duration;
use uuid::Uuid;

use super::{Administered, sessions::AtDesk};
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, two_persons::StaffId},
    error::{AccountError, CallerError, Error},
    gateway::Gateway,
    identity::{
        Assurance, Caller,
        passkey::{Asked, KeptKey, RelyingParty},
        sharp::SharpCaller,
    },
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    keys::vault::Place,
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    store::{self, passkeys::StoredPasskey, tx::Tx},
};

/// How long an authenticator may take to answer.
const ANSWERED_WITHIN: Duration = Duration::minutes(30);
/// Passkeys of one person.
pub const MAX_PASSKEYS: usize = 8;
/// Characters of what a person calls one.
const MAX_LABEL: usize = 40;

/// What is asked of an authenticator, by way of the browser.
#[derive(Serialize, CarriesNoRecordData)]
pub struct PasskeyQuestion {
    /// JSON, as `navigator.credentials` takes it.
    pub options: String,
    /// The question as the gateway knows it again: comes back with the answer.
    pub ticket: String,
}

/// What an authenticator answered.
#[derive(Clone)]
pub struct PasskeyAnswer {
    /// JSON of the browser's credential.
    pub answer: String,
    /// Ticket of the question.
    pub ticket: String,
    /// Address at which the gateway was asked: `https://HOST[:PORT]`.
    pub origin: String,
}

/// For what a question is: the answer to one is worth nothing for another.
#[derive(Clone, Copy)]
pub(super) enum QuestionFor<'p> {
    SignIn(&'p AtDesk),
    ShowAgain(&'p Caller),
    Register(&'p Caller),
}

impl QuestionFor<'_> {
    fn row(self) -> String {
        let of = |word: &str, caller: &Caller| {
            format!("{word}/{}/{}/{}", caller.terminal(), caller.organization(), caller.officer())
        };
        match self {
            Self::SignIn(desk) => format!("sign-in/{}", desk.terminal.serial),
            Self::ShowAgain(caller) => of("show-again", caller),
            Self::Register(caller) => of("register", caller),
        }
    }
}

fn relying_party(gateway: &Gateway, origin: &str) -> Option<RelyingParty> {
    RelyingParty::at(gateway.config.accounts.passkey_host.as_deref()?, origin)
}

fn place(row: &String) -> Place<'_> {
    Place { table: "passkeys", row, column: "question" }
}

fn question(gateway: &Gateway, purpose: QuestionFor<'_>, asked: Option<Asked>) -> Option<PasskeyQuestion> {
    let Asked { options, state } = asked?;
    let text = format!("{} {state}", gateway.clock.now().as_micros());
    let sealed = gateway.vault.seal_text(place(&purpose.row()), &text).ok()?;
    Some(PasskeyQuestion { options, ticket: BASE64_URL_SAFE_NO_PAD.encode(sealed) })
}

/// When a question was asked, and what it was. `None` where it is another's, or too old.
fn asked(gateway: &Gateway, purpose: QuestionFor<'_>, ticket: &str) -> Option<(Timestamp, String)> {
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(ticket).ok()?;
    let text = gateway.vault.unseal_text(place(&purpose.row()), &sealed).ok()?;
    let (at, state) = text.split_once(' ')?;
    let at = Timestamp::from_micros(at.parse().ok()?);
    let now = gateway.clock.now();
    (at <= now && now < at.plus(ANSWERED_WITHIN)).then(|| (at, state.to_owned()))
}

/// A question to whoever signs in at a desk; none where there are no passkeys at this address. It is the same for
/// everybody.
pub fn ask_at_sign_in(gateway: &Gateway, desk: &AtDesk, origin: &str) -> Option<Done<PasskeyQuestion>> {
    let party = relying_party(gateway, origin)?;
    question(gateway, QuestionFor::SignIn(desk), party.ask()).map(Done::told)
}

/// A question to a caller who is to show the second factor again.
pub fn ask_again(gateway: &Gateway, caller: &Caller, origin: &str) -> Option<Done<PasskeyQuestion>> {
    let party = relying_party(gateway, origin)?;
    question(gateway, QuestionFor::ShowAgain(caller), party.ask()).map(Done::told)
}

/// The passkey of a person with which a question was answered, as it is from now on.
///
/// # Errors
/// [`AccountError::SecondFactorWrong`]
pub(super) async fn shown(
    gateway: &Gateway,
    tx: &mut Tx,
    (of, purpose): (&StaffId, QuestionFor<'_>),
    answer: &PasskeyAnswer,
) -> Result<StoredPasskey, Error> {
    let wrong = || Error::from(AccountError::SecondFactorWrong);
    let party = relying_party(gateway, &answer.origin).ok_or_else(wrong)?;
    let (asked_at, state) = asked(gateway, purpose, &answer.ticket).ok_or_else(wrong)?;
    let known = store::passkeys::of_person(tx, &gateway.vault, of).await?;
    let keys: Vec<KeptKey> = known.iter().map(|passkey| passkey.key.clone()).collect();
    let (place, key) = party.used(&answer.answer, &state, &keys).ok_or_else(wrong)?;
    let used = known.into_iter().nth(place).filter(|known| known.asked_at < asked_at).ok_or_else(wrong)?;
    Ok(StoredPasskey { key, asked_at, ..used })
}

/// Writes a passkey that was shown, inside the journal's transaction; whether nobody removed it, or showed it, meanwhile.
///
/// # Errors
/// The database failed.
pub(super) async fn note_shown(tx: &mut Tx, gateway: &Gateway, used: &StoredPasskey) -> Result<bool, Error> {
    let known = store::passkeys::find(tx, &gateway.vault, &used.of, used.id).await?;
    let is_newer = known.is_some_and(|known| known.asked_at < used.asked_at);
    if is_newer {
        store::passkeys::put(tx, &gateway.vault, used).await?;
    }
    Ok(is_newer)
}

/// By which an authenticator knows whose a passkey is: it tells nobody else who that is.
fn handle_of(gateway: &Gateway, of: &StaffId) -> Uuid {
    let mut digest = hmac::Context::with_key(&gateway.fingerprint);
    for part in ["passkeys of", of.organization.as_str(), &of.officer] {
        digest.update(part.as_bytes());
        digest.update(&[0]);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.sign().as_ref()).for_each(|(byte, of)| *byte = *of);
    Uuid::from_bytes(bytes)
}

/// Asks for a new passkey of the caller's; nothing where there are no passkeys at this address.
///
/// # Errors
/// The database failed.
pub async fn ask_for_new(
    gateway: &Gateway,
    caller: &Caller,
    origin: &str,
) -> Result<Option<Done<PasskeyQuestion>>, Error> {
    let Some(party) = relying_party(gateway, origin).filter(|_| caller.assurance() == Assurance::TwoFactors) else {
        return Ok(None);
    };
    let of = caller.person();
    let mut tx = gateway.store.read().await?;
    let known = store::passkeys::of_person(&mut tx, &gateway.vault, &of).await?;
    let keys: Vec<KeptKey> = known.into_iter().map(|passkey| passkey.key).collect();
    let name = format!("{}/{}", of.organization, of.officer);
    let asked = party.ask_for_new(handle_of(gateway, &of), &name, &keys);
    Ok(question(gateway, QuestionFor::Register(caller), asked).map(Done::told))
}

/// A passkey is to be registered.
pub struct RegisterPasskey {
    /// What the person calls it, 1 to 40 characters.
    pub label: String,
    pub answer: PasskeyAnswer,
    pub idempotency: Idempotency,
}

/// Registers a passkey of the caller's: who signed in with two factors, and showed the second a moment ago. The body is
/// told.
///
/// # Errors
/// [`NotSharp`](CallerError::NotSharp), [`ShownLongAgo`](CallerError::ShownLongAgo); [`AccountError::PasskeyRefused`]; a
/// label that is none.
pub async fn register_passkey(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RegisterPasskey { label, answer, idempotency }: RegisterPasskey,
) -> Result<Done<Administered>, Error> {
    let acting = Acting::new(gateway, caller, Act::PasskeyRegister);
    if let Err(why) = SharpCaller::of(caller) {
        return Err(acting.refuse(why).await);
    }
    let label = label.trim().to_owned();
    if let Err(error) = written("label", &label, MAX_LABEL) {
        return Err(acting.refuse(error).await);
    }
    let question = asked(gateway, QuestionFor::Register(caller), &answer.ticket);
    let key = relying_party(gateway, &answer.origin).zip(question).and_then(|(party, (asked_at, state))| {
        let key = party.new_key(&answer.answer, &state)?;
        Some((asked_at, key))
    });
    let Some((asked_at, key)) = key else { return Err(acting.refuse(AccountError::PasskeyRefused).await) };
    let of = caller.person();
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (vault, clock) = (&acting.node.vault, &acting.node.clock);
            let known = store::passkeys::of_person(tx, vault, &of).await?;
            // What was answered once registers nothing a second time.
            let is_new = known.iter().all(|known| known.key != key && known.registered_at < asked_at);
            if !is_new || known.len() >= MAX_PASSKEYS {
                return Err(acting.declined(None, AccountError::PasskeyRefused));
            }
            let passkey = StoredPasskey { of, id: clock.new_id(), label, key, registered_at: clock.now(), asked_at };
            store::passkeys::put(tx, vault, &passkey).await?;
            let entry = acting.entry().about(passkey.id);
            let told = InboxItem::new(passkey.of.organization.clone(), InboxKind::PasskeyRegistered)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(Administered { id: passkey.id.to_string(), active: true }, entry).tell([told]))
        })
    })
    .await
}

/// Passkeys of the caller's, oldest first.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct PasskeyLines {
    pub passkeys: Vec<PasskeyLine>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct PasskeyLine {
    pub id: Uuid,
    /// What its person calls it.
    pub label: String,
    /// RFC 3339, UTC.
    pub registered_at: String,
}

/// Lists the caller's passkeys; none of a machine.
///
/// # Errors
/// The database failed.
pub async fn list_passkeys(gateway: &Gateway, caller: &Caller) -> Result<Done<PasskeyLines>, Error> {
    if caller.assurance() == Assurance::Named {
        return Ok(Done::told(PasskeyLines { passkeys: Vec::new() }));
    }
    let mut tx = gateway.store.read().await?;
    let known = store::passkeys::of_person(&mut tx, &gateway.vault, &caller.person()).await?;
    let line = |passkey: StoredPasskey| PasskeyLine {
        id: passkey.id,
        label: passkey.label,
        registered_at: passkey.registered_at.to_rfc3339(),
    };
    Ok(Done::told(PasskeyLines { passkeys: known.into_iter().map(line).collect() }))
}

/// A passkey is to be removed.
pub struct RemovePasskey {
    pub id: Uuid,
    pub idempotency: Idempotency,
}

/// Removes a passkey of the caller's: at once, for it may be lost.
///
/// # Errors
/// [`CallerError::NotSharp`] for a machine; [`Error::NotFound`].
pub async fn remove_passkey(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RemovePasskey { id, idempotency }: RemovePasskey,
) -> Result<Done<Administered>, Error> {
    let acting = Acting::new(gateway, caller, Act::PasskeyRemove);
    if caller.assurance() == Assurance::Named {
        return Err(acting.refuse(CallerError::NotSharp).await);
    }
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            if !store::passkeys::take_away(tx, &acting.caller.person(), id).await? {
                return Err(acting.declined(id, Error::NotFound("passkey")));
            }
            Ok(Effect::new(Administered { id: id.to_string(), active: false }, acting.entry().about(id)))
        })
    })
    .await
}
