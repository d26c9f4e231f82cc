//! A person at a desk sets password and second factor with a code: the first persons of a body, and everybody after.
//!
//! In two steps: the person's device takes in a secret, and then shows by a code that it has it. Between the two nothing
//! is written: the secret is worked out again from a ticket.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    sessions::{AtDesk, NewSession, new_session, sessions_of},
    staff,
};
use crate::{
    clock::{Timestamp, random_bytes},
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        two_persons::StaffId,
    },
    error::{AccountError, Error, ServiceError},
    gateway::Gateway,
    identity::{
        Caller, Role,
        directory::{DirectoryChange, StaffMember},
        hashing::HashingPlace,
        password::{check_password, hash_password},
        second_factor::{
            RECOVERY_CODES, accepted_step, code_digest, new_code, provisioning_url, secret_of_ticket, typed_secret,
        },
    },
    journal::{
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry},
    planted::Planted,
    store::{
        self,
        credentials::{Credential, EnrolmentCode},
        staff_grants::StaffGrant,
        tx::Tx,
    },
};

/// Who is about to enrol.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginEnrolment {
    /// The code that was handed out.
    pub code: String,
    /// Id of the staff member; of a first person, the id that it chooses.
    pub officer: String,
}

/// What the person's device takes in.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct EnrolmentTicket {
    /// Send it back with a code of the device.
    pub ticket: String,
    /// The secret as it is typed, and as a device reads it (`otpauth://totp/…`). Shown now and never again.
    pub secret: String,
    pub url: String,
    /// Whether the code opens the body: then the person has a name to say, too.
    #[serde(default)]
    pub opens_body: bool,
}

/// Persons enrol with a code: one, or the first persons of a body.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    pub code: String,
    /// One; of a body's first persons, who administers users and then who manages credentials. A municipality may enrol one
    /// who does both.
    pub persons: Vec<EnrollingPerson>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollingPerson {
    pub officer: String,
    /// Of a first person; everybody else's is known.
    #[serde(default)]
    pub name: Option<String>,
    /// 12 to 128 characters.
    pub password: String,
    pub ticket: String,
    /// What the device shows now.
    pub second_factor: String,
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Enrolled {
    pub persons: Vec<EnrolledPerson>,
}

/// A person who is signed in from now on.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct EnrolledPerson {
    pub officer: String,
    /// Send it as `Authorization: Bearer TOKEN` from this terminal.
    pub token: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
    /// Each stands in once for a code of the device. Shown now and never again.
    pub recovery_codes: Vec<String>,
}

/// A new ticket for the second factor of somebody, with what the device takes in.
pub(super) fn new_ticket(gateway: &Gateway, of: &StaffId) -> Result<EnrolmentTicket, Error> {
    let ticket = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<16>().map_err(|_| ServiceError::Overloaded)?);
    let secret = secret_of_ticket(&gateway.fingerprint, &of.organization, &of.officer, &ticket);
    let url = provisioning_url(&secret, of).ok_or(ServiceError::Overloaded)?;
    Ok(EnrolmentTicket { ticket, secret: typed_secret(&secret), url, opens_body: false })
}

/// Returns what the person's device takes in.
///
/// # Errors
/// [`AccountError::EnrolmentCode`]
pub async fn begin_enrolment(
    gateway: &Arc<Gateway>,
    desk: AtDesk,
    BeginEnrolment { code, officer }: BeginEnrolment,
) -> Result<Done<EnrolmentTicket>, Error> {
    let of = StaffId { organization: desk.terminal.organization.clone(), officer };
    if let Err(error) = staff::check_id(&of.officer) {
        return Err(desk.refuse(gateway, &of.officer, (Act::CredentialEnrol, error)).await);
    }
    let mut tx = gateway.store.read().await?;
    let found = code_for(&mut tx, &of.organization, &code_digest(&code), gateway.clock.now()).await?;
    drop(tx);
    let is_for = |code: &EnrolmentCode| code.officer.as_ref().is_none_or(|officer| *officer == of.officer);
    let Some(code) = found.filter(is_for) else {
        return Err(desk
            .refuse(gateway, &of.officer, (Act::CredentialEnrol, AccountError::EnrolmentCode.into()))
            .await);
    };
    Ok(Done::told(EnrolmentTicket { opens_body: code.officer.is_none(), ..new_ticket(gateway, &of)? }))
}

/// A code of the desk's own body that can still be used.
async fn code_for(
    tx: &mut Tx,
    organization: &OrganizationCode,
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<Option<EnrolmentCode>, Error> {
    let found = store::credentials::enrolment_code(tx, digest, now).await?;
    Ok(found.filter(|code| code.organization == *organization))
}

/// What one of them will sign in with, worked out before the journal is asked for anything.
struct Prepared {
    person: StaffId,
    name: String,
    roles: Option<Vec<Role>>,
    password_hash: String,
    totp: Vec<u8>,
    totp_step: i64,
    recovery: Vec<(String, [u8; 32])>,
    session: NewSession,
}

/// Enrols persons with a code, and signs them in.
///
/// # Errors
/// [`AccountError::EnrolmentCode`], [`AccountError::FirstPersons`], [`AccountError::WeakPassword`],
/// [`AccountError::SecondFactorWrong`], [`AccountError::StaffIdTaken`].
pub async fn enrol(
    gateway: &Arc<Gateway>,
    desk: AtDesk,
    Enrolment { code, persons }: Enrolment,
) -> Result<Done<Enrolled>, Error> {
    let organization = desk.terminal.organization.clone();
    let claimed = persons.first().map(|person| person.officer.clone()).unwrap_or_default();
    let digest = code_digest(&code);
    let mut tx = gateway.store.read().await?;
    let found = code_for(&mut tx, &organization, &digest, gateway.clock.now()).await?;
    drop(tx);
    let refuse = async |error: Error| desk.refuse(gateway, &claimed, (Act::CredentialEnrol, error)).await;
    let Some(found) = found else { return Err(refuse(AccountError::EnrolmentCode.into()).await) };
    let is_for = |officer: &String| persons.len() == 1 && claimed == *officer;
    if found.officer.as_ref().is_some_and(|officer| !is_for(officer)) {
        return Err(refuse(AccountError::EnrolmentCode.into()).await);
    }
    let all_roles = match found.officer {
        Some(_) => vec![None],
        None => match first_roles(&organization, &persons) {
            Ok(roles) => roles.into_iter().map(Some).collect(),
            Err(error) => return Err(refuse(error).await),
        },
    };
    let place = desk.hashing(gateway)?;
    let mut prepared = Vec::new();
    for (person, roles) in persons.into_iter().zip(all_roles) {
        match prepare(gateway, &desk, &place, (person, roles)).await {
            Ok(ready) => prepared.push(ready),
            Err(error) => return Err(refuse(error).await),
        }
    }
    let persons = prepared.iter().map(Prepared::enrolled).collect();
    let node = gateway.clone();
    let nobody = desk.claimed(&claimed);
    let (_, receipt) = gateway
        .journal
        .write(&nobody, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                let entry = Entry::of(&desk.claimed(&claimed), Act::CredentialEnrol, &node.clock);
                let written = write(tx, &node, &desk, (digest, prepared)).await;
                written.map_err(|declined| declined.logged(|| entry))
            })
        })
        .await?;
    Ok(Done::new(Enrolled { persons }, &receipt))
}

/// Roles of the first persons. Every body but a municipality has two from the beginning.
fn first_roles(organization: &OrganizationCode, persons: &[EnrollingPerson]) -> Result<Vec<Vec<Role>>, Error> {
    match persons {
        [one, other] if one.officer != other.officer => {
            Ok(vec![vec![Role::UserAdministrator], vec![Role::CredentialManager]])
        }
        [_] if organization.kind() == OrganizationKind::Municipality => {
            Ok(vec![vec![Role::UserAdministrator, Role::CredentialManager]])
        }
        _ => Err(AccountError::FirstPersons.into()),
    }
}

async fn prepare(
    gateway: &Arc<Gateway>,
    desk: &AtDesk,
    place: &HashingPlace,
    (person, roles): (EnrollingPerson, Option<Vec<Role>>),
) -> Result<Prepared, Error> {
    let EnrollingPerson { officer, name, password, ticket, second_factor } = person;
    let of = StaffId { organization: desk.terminal.organization.clone(), officer };
    let name = match (&roles, name) {
        (Some(_), name) => name.unwrap_or_default(),
        (None, _) => {
            gateway.directory().staff(&of.organization, &of.officer).map(|staff| staff.name).unwrap_or_default()
        }
    };
    staff::check(&of.officer, &name)?;
    check_password(&password, &of.officer, &name).map_err(AccountError::WeakPassword)?;
    let totp = secret_of_ticket(&gateway.fingerprint, &of.organization, &of.officer, &ticket);
    let step = accepted_step(&totp, &of, &second_factor, gateway.clock.now(), 0);
    let totp_step = step.ok_or(AccountError::SecondFactorWrong)?;
    let password_hash = place.run(move || hash_password(&password)).await.flatten().ok_or(ServiceError::Overloaded)?;
    let recovery = new_recovery_codes()?;
    let session = new_session(gateway, desk, &of.officer, true)?;
    Ok(Prepared { person: of, name, roles, password_hash, totp, totp_step, recovery, session })
}

/// Recovery codes with the digests that are kept.
pub(super) fn new_recovery_codes() -> Result<Vec<(String, [u8; 32])>, Error> {
    let codes: Option<Vec<_>> = (0..RECOVERY_CODES).map(|_| new_code()).collect();
    Ok(codes.ok_or(ServiceError::Overloaded)?)
}

impl Prepared {
    fn enrolled(&self) -> EnrolledPerson {
        EnrolledPerson {
            officer: self.person.officer.clone(),
            token: self.session.token.clone(),
            expires_at: self.session.session.expires_at.to_rfc3339(),
            recovery_codes: self.recovery.iter().map(|(code, _)| code.clone()).collect(),
        }
    }
}

async fn write(
    tx: &mut Tx,
    node: &Gateway,
    desk: &AtDesk,
    (digest, prepared): ([u8; 32], Vec<Prepared>),
) -> Result<Effect<()>, Declined> {
    // Used meanwhile, it is worth nothing.
    let organization = &desk.terminal.organization;
    let code = code_for(tx, organization, &digest, node.clock.now()).await?.ok_or(AccountError::EnrolmentCode);
    let code = code.map_err(Error::from)?;
    store::credentials::use_enrolment_code(tx, &digest).await?;
    let mut effect = Effect::bare(());
    for ready in prepared {
        let caller = desk.claimed(&ready.person.officer);
        let entry = |act| {
            let subject = format!("{}/{}", ready.person.organization, ready.person.officer);
            Entry::of(&caller, act, &node.clock).about(subject).of_body(organization)
        };
        effect = effect.log([entry(Act::CredentialEnrol), entry(Act::SessionOpen)]);
        let staff = enrol_one(tx, node, (&code, &digest), &ready).await?;
        if let Some(staff) = staff {
            effect = effect.then(Change::Directory(DirectoryChange::Staff(Box::new(staff))));
        }
        effect = effect.then(sessions_of(tx, &caller).await?);
    }
    Ok(effect.then(Change::Visibility(Scope::Organization(organization.clone()))))
}

/// Writes one of them; returns a first person as a new staff member.
async fn enrol_one(
    tx: &mut Tx,
    node: &Gateway,
    (code, digest): (&EnrolmentCode, &[u8; 32]),
    ready: &Prepared,
) -> Result<Option<StaffMember>, Declined> {
    let (vault, now, of) = (&node.vault, node.clock.now(), &ready.person);
    let known = store::accounts::staff_member(tx, vault, &of.organization, &of.officer).await?;
    let staff = match (&ready.roles, known) {
        (None, Some(known)) if known.active => None,
        (None, _) => return Err(Error::from(AccountError::EnrolmentCode).into()),
        (Some(_), Some(_)) => return Err(Error::from(AccountError::StaffIdTaken).into()),
        (Some(roles), None) => {
            let (organization, id) = (of.organization.clone(), of.officer.clone());
            let staff = StaffMember { organization, id, name: ready.name.clone(), roles: roles.clone(), active: true };
            store::accounts::put_staff(tx, vault, &staff).await?;
            store::staff_grants::note_name(tx, vault, of, (None, &ready.name), now).await?;
            let opening = Some(digest.to_vec());
            let grant = StaffGrant { to: of.clone(), asked_by: None, approved_by: None, opening, registered_at: now };
            store::staff_grants::put(tx, &grant).await?;
            Some(staff)
        }
    };
    let credential = Credential {
        of: of.clone(),
        password_hash: ready.password_hash.clone(),
        password_set_at: now,
        totp: Some(ready.totp.clone()),
        totp_step: ready.totp_step,
        issued_by: Some(code.issued_by.clone()),
        issued_at: now,
        reissued: code.reissued,
    };
    store::credentials::put(tx, vault, &credential).await?;
    let digests: Vec<[u8; 32]> = ready.recovery.iter().map(|(_, digest)| *digest).collect();
    store::credentials::put_recovery_codes(tx, of, &digests).await?;
    store::sessions::put(tx, &ready.session.digest, &ready.session.session).await?;
    Ok(staff)
}

/// Stands in entries for an id that is none.
pub(super) const NOBODY: &str = "?";

/// Who a desk says that it is, before it was proved.
impl AtDesk {
    /// Whatever was typed: what is no id is named in no entry.
    pub(super) fn claimed(&self, officer: &str) -> Caller {
        let officer = if staff::is_id(officer) { officer } else { NOBODY };
        let (organization, terminal) = (self.terminal.organization.clone(), self.terminal.serial.clone());
        Caller::unproved(organization, terminal, officer.to_owned(), self.request)
    }

    /// A place in which passwords of this desk are hashed.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] where too many wait.
    pub(super) fn hashing(&self, gateway: &Gateway) -> Result<HashingPlace, Error> {
        let place = gateway.hashing.enter(&self.terminal.serial);
        Ok(place.ok_or(ServiceError::RateLimited { retry_after_seconds: 1 })?)
    }

    /// A refusal, once the entry that says so is durable. What failed is passed on as it is.
    pub(super) async fn refuse(&self, gateway: &Gateway, officer: &str, (act, error): (Act, Error)) -> Error {
        if !error.is_refusal() || Planted::ForgetRefusals.is_planted() {
            return error;
        }
        let entry = Entry::of(&self.claimed(officer), act, &gateway.clock).refused(error.code());
        match gateway.journal.note(vec![entry.into()], Vec::new()).await {
            Ok(_) => error,
            Err(unwritten) => unwritten,
        }
    }
}
