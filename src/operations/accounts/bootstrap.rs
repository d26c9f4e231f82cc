//! The first step of a new gateway: the operator, its first terminals and administrator, and the code for its first
//! persons.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::terminals::check_serial;
use crate::{
    domain::{idempotency::Idempotency, organization::OrganizationCode, two_persons::StaffId},
    error::{AccountError, Error, ServiceError},
    gateway::Gateway,
    identity::{
        Caller, Role,
        directory::{DirectoryChange, Organization, StaffMember, Terminal, TerminalKind},
        second_factor::new_code,
    },
    journal::{
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry},
    store::{self, credentials::EnrolmentCode, tx::Tx},
};

#[derive(Serialize, Deserialize)]
struct Bootstrapped;

/// Who the operator is at first.
pub struct Bootstrap {
    /// Serial of the certificate of its machine terminal, and the officer whom that one names.
    pub serial: String,
    pub officer: String,
    pub name: String,
    /// Serial of the certificate of its desk.
    pub desk: Option<String>,
}

/// Registers the operator with its first terminals and one user administrator, whom a machine names. Returns the code
/// with which its first two persons enrol at its desk: it opens whatever else is opened.
///
/// # Errors
/// The gateway has an operator already; a serial is none.
pub async fn bootstrap(gateway: &Arc<Gateway>, first: Bootstrap) -> Result<String, Error> {
    let Bootstrap { serial, officer, name, desk } = first;
    check_serial(&serial)?;
    desk.as_deref().map_or(Ok(()), check_serial)?;
    let organization = Organization {
        code: OrganizationCode::operator(),
        active: true,
        relay_desk: "—".to_owned(),
        settings: Default::default(),
        last_upload_at: None,
    };
    let staff = StaffMember {
        organization: OrganizationCode::operator(),
        id: officer,
        name,
        roles: vec![Role::UserAdministrator],
        active: true,
    };
    let terminals = [Some((serial, TerminalKind::Machine)), desk.map(|serial| (serial, TerminalKind::Desk))];
    let (code, digest) = new_code().ok_or(ServiceError::Overloaded)?;
    write(gateway, move |tx, node| {
        Box::pin(async move {
            let now = node.clock.now();
            if store::accounts::organization(tx, &organization.code).await?.is_some() {
                return Err(Error::Exists("operator").into());
            }
            store::accounts::put_organization(tx, &organization, now).await?;
            let mut effect = opened(tx, &node, &digest, Act::OrganizationConnect).await?;
            for (serial, kind) in terminals.into_iter().flatten() {
                effect = effect.then(put_terminal(tx, &node, serial, kind).await?);
            }
            store::accounts::put_staff(tx, &node.vault, &staff).await?;
            Ok(effect
                .then(Change::Directory(DirectoryChange::Organization(Box::new(organization))))
                .then(Change::Directory(DirectoryChange::Staff(Box::new(staff)))))
        })
    })
    .await?;
    Ok(code)
}

/// Makes the code for the operator's first persons anew, from its console, and registers a desk: for a gateway from
/// before there were such persons, or where the code ran out. Refused once any of them can sign in.
///
/// # Errors
/// [`AccountError::BodyIsOpen`]; the serial is none.
pub async fn open_operator(gateway: &Arc<Gateway>, desk: &str) -> Result<String, Error> {
    check_serial(desk)?;
    let desk = desk.to_owned();
    let (code, digest) = new_code().ok_or(ServiceError::Overloaded)?;
    write(gateway, move |tx, node| {
        Box::pin(async move {
            let operator = OrganizationCode::operator();
            let credentials = store::credentials::of_organization(tx, &node.vault, &operator).await?;
            if credentials.set_aside > 0 || credentials.known.iter().any(|credential| credential.totp.is_some()) {
                return Err(Error::from(AccountError::BodyIsOpen).into());
            }
            let effect = opened(tx, &node, &digest, Act::BodyOpen).await?;
            match store::accounts::terminal(tx, &desk).await? {
                Some(known) if known.organization == operator && known.active && known.kind == TerminalKind::Desk => {
                    Ok(effect)
                }
                Some(_) => Err(Error::Exists("terminal").into()),
                None => Ok(effect.then(put_terminal(tx, &node, desk, TerminalKind::Desk).await?)),
            }
        })
    })
    .await?;
    Ok(code)
}

async fn write<F>(gateway: &Arc<Gateway>, effect: F) -> Result<(), Error>
where
    F: for<'t> FnOnce(
            &'t mut Tx,
            Arc<Gateway>,
        ) -> futures_util::future::BoxFuture<'t, Result<Effect<Bootstrapped>, Declined>>
        + Send
        + 'static,
{
    let node = gateway.clone();
    let console = Caller::gateway(gateway.clock.new_id());
    gateway.journal.write(&console, None::<Idempotency>, move |tx| effect(tx, node)).await.map(|_| ())
}

/// The code is written, and the console's act is in the ledger.
async fn opened(tx: &mut Tx, node: &Gateway, digest: &[u8; 32], act: Act) -> Result<Effect<Bootstrapped>, Declined> {
    let (operator, now) = (OrganizationCode::operator(), node.clock.now());
    let code = EnrolmentCode {
        organization: operator.clone(),
        officer: None,
        issued_by: StaffId { organization: operator.clone(), officer: "gateway".to_owned() },
        issued_at: now,
        expires_at: now.plus(node.config.accounts.enrolment_code()),
        reissued: false,
    };
    store::credentials::put_enrolment_code(tx, digest, &code).await?;
    let entry = Entry::of_gateway(act, &node.clock).about("operator");
    Ok(Effect::new(Bootstrapped, entry).then(Change::Visibility(Scope::Organization(operator))))
}

async fn put_terminal(tx: &mut Tx, node: &Gateway, serial: String, kind: TerminalKind) -> Result<Change, Declined> {
    let (organization, label) = (OrganizationCode::operator(), "operator".to_owned());
    let terminal = Terminal { serial, organization, kind, label, active: true };
    store::accounts::put_terminal(tx, &terminal, node.clock.now()).await?;
    Ok(Change::Directory(DirectoryChange::Terminal(Box::new(terminal))))
}
