//! Registers terminals, and revokes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, administers, is_damaged, organizations::connected, put_aside, telling_body};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::SharpOutcome,
    },
    error::Error,
    gateway::Gateway,
    identity::{
        Caller,
        certificate::is_serial,
        directory::{DirectoryChange, Terminal, TerminalKind},
        sharp::SharpCaller,
    },
    journal::{
        inbox::InboxKind,
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    store::{self, tx::Tx},
};

/// The terminal that holds a certificate.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegisterTerminal)]
pub struct NewTerminal {
    /// Serial of its certificate, lower-case hexadecimal without leading zeros.
    pub serial: String,
    pub organization: OrganizationCode,
    pub kind: TerminalKind,
    /// Where the terminal is: 1 to 120 characters.
    pub label: String,
}

/// Holds a new terminal against the rules.
///
/// # Errors
/// The organization is not connected; a field that breaks its rule.
pub(crate) fn check_terminal(
    gateway: &Gateway,
    NewTerminal { serial, organization, label, .. }: &NewTerminal,
) -> Result<(), Error> {
    written("label", label, 120)?;
    check_serial(serial)?;
    connected(gateway, organization.as_str()).map(|_| ())
}

/// Registers a terminal.
///
/// # Errors
/// The serial is registered already.
pub(crate) async fn register(
    tx: &mut Tx,
    acting: &Acting,
    _person: &SharpCaller,
    (serial, organization, kind, label): (String, OrganizationCode, TerminalKind, String),
) -> Result<Effect<SharpOutcome>, Declined> {
    // Memory knows what is committed, and not what the same transaction did before this.
    if store::accounts::terminal(tx, &serial).await?.is_some() {
        return Err(acting.declined(None, Error::Exists("terminal")));
    }
    let terminal = Terminal { serial, organization, kind, label, active: true };
    let body = terminal.organization.clone();
    let effect = put_terminal(tx, acting, terminal).await?;
    // The organization learns of every terminal that may speak for it.
    let effect = telling_body(effect, acting, (&body, InboxKind::TerminalRegistered));
    let outcome =
        |Administered { id, active }| SharpOutcome { administered: Some((id, active)), ..SharpOutcome::default() };
    Ok(effect.map(outcome))
}

/// A terminal is to be revoked.
pub struct RevokeTerminal {
    pub serial: String,
    pub idempotency: Idempotency,
}

/// Revokes a terminal: the operator does, or the organization's own user administrator.
///
/// # Errors
/// [`Error::NotFound`] for a terminal of another organization;
/// [`ServiceError::RateLimited`](crate::error::ServiceError::RateLimited) for a machine of the operator's.
pub async fn revoke_terminal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RevokeTerminal { serial, idempotency }: RevokeTerminal,
) -> Result<Done<Administered>, Error> {
    let acting = Acting::new(gateway, caller, Act::TerminalRevoke);
    let known = gateway.directory().terminal(&serial);
    let Some(terminal) = known.filter(|terminal| administers(caller, &terminal.organization)) else {
        return Err(acting.refuse(Error::NotFound("terminal")).await);
    };
    if let Err(error) = gateway.machine_revocations.take(caller, &terminal.organization) {
        return Err(acting.refuse(error).await);
    }
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (body, serial) = (terminal.organization.clone(), terminal.serial.clone());
            let effect = match put_terminal(tx, &acting, Terminal { active: false, ..terminal }).await {
                Err(declined) if is_damaged(&declined) => {
                    let change = DirectoryChange::TerminalSetAside(serial.clone());
                    put_aside(&acting, (&serial, &body), (serial.clone(), change))
                }
                effect => effect?,
            };
            Ok(telling_body(effect, &acting, (&body, InboxKind::TerminalRevoked)))
        })
    })
    .await
}

async fn put_terminal(tx: &mut Tx, acting: &Acting, terminal: Terminal) -> Result<Effect<Administered>, Declined> {
    store::accounts::put_terminal(tx, &terminal, acting.node.clock.now()).await?;
    let entry = acting.entry().about(&terminal.serial).of_body(&terminal.organization);
    let done = Administered { id: terminal.serial.clone(), active: terminal.active };
    let scope = Scope::Organization(terminal.organization.clone());
    Ok(Effect::new(done, entry)
        .then(Change::Directory(DirectoryChange::Terminal(Box::new(terminal))))
        .then(Change::Visibility(scope)))
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TerminalLine {
    pub serial: String,
    pub organization: OrganizationCode,
    pub kind: TerminalKind,
    pub label: String,
    pub active: bool,
}

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct TerminalLines {
    pub terminals: Vec<TerminalLine>,
}

/// Lists all terminals for the operator, its own for anybody else.
///
/// # Errors
/// None of its own.
pub async fn list_terminals(gateway: &Gateway, caller: &Caller) -> Result<Done<TerminalLines>, Error> {
    let of = (caller.kind() != OrganizationKind::Operator).then(|| caller.organization());
    let line = |Terminal { serial, organization, kind, label, active }| TerminalLine {
        serial,
        organization,
        kind,
        label,
        active,
    };
    Ok(Done::told(TerminalLines { terminals: gateway.directory().terminals_of(of).into_iter().map(line).collect() }))
}

/// Holds a text against the form of a serial.
///
/// # Errors
/// It is not the serial of a certificate.
pub(super) fn check_serial(serial: &str) -> Result<(), Error> {
    is_serial(serial).then_some(()).ok_or(Error::field(
        "serial",
        "「証明書の番号」は、16進数の小文字（先頭の0を除く）で入力してください。",
        "must be a certificate's serial in lower-case hexadecimal without leading zeros",
    ))
}
