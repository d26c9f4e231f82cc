//! Registers terminals, and revokes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, administers, organizations::connected};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
    },
    error::Error,
    gateway::Gateway,
    identity::{
        Caller,
        certificate::is_serial,
        directory::{DirectoryChange, Terminal, TerminalKind},
    },
    journal::{
        inbox::{InboxItem, InboxKind},
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

/// A terminal is to be registered.
pub struct RegisterTerminal {
    pub terminal: NewTerminal,
    pub idempotency: Idempotency,
}

/// Registers a terminal.
///
/// # Errors
/// The organization is not connected; the serial is registered already.
pub async fn register_terminal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RegisterTerminal { terminal, idempotency }: RegisterTerminal,
) -> Result<Done<Administered>, Error> {
    let NewTerminal { serial, organization, kind, label } = terminal;
    written("label", &label, 120)?;
    check_serial(&serial)?;
    connected(gateway, organization.as_str())?;
    let acting = Acting::new(gateway, caller, Act::TerminalRegister);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            // Memory knows what is committed, and not what the same transaction did before this.
            if store::accounts::terminal(tx, &serial).await?.is_some() {
                return Err(acting.declined(None, Error::Exists("terminal")));
            }
            let terminal = Terminal { serial, organization, kind, label, active: true };
            // The organization learns of every terminal that may speak for it.
            let told = InboxItem::new(terminal.organization.clone(), InboxKind::TerminalRegistered);
            Ok(put_terminal(tx, &acting, terminal).await?.tell([told.from(&acting.caller)]))
        })
    })
    .await
}

/// A terminal is to be revoked.
pub struct RevokeTerminal {
    pub serial: String,
    pub idempotency: Idempotency,
}

/// Revokes a terminal: the operator does, or the organization's own user administrator.
///
/// # Errors
/// [`Error::NotFound`] for a terminal of another organization.
pub async fn revoke_terminal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RevokeTerminal { serial, idempotency }: RevokeTerminal,
) -> Result<Done<Administered>, Error> {
    let terminal = gateway
        .directory()
        .terminal(&serial)
        .filter(|terminal| administers(caller, &terminal.organization))
        .ok_or(Error::NotFound("terminal"))?;
    let acting = Acting::new(gateway, caller, Act::TerminalRevoke);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move { put_terminal(tx, &acting, Terminal { active: false, ..terminal }).await })
    })
    .await
}

async fn put_terminal(tx: &mut Tx, acting: &Acting, terminal: Terminal) -> Result<Effect<Administered>, Declined> {
    store::accounts::put_terminal(tx, &terminal, acting.node.clock.now()).await?;
    let entry = acting.entry().about(&terminal.serial);
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
        "証明書のシリアル番号（16進数、小文字、先頭の0なし）を指定してください。",
        "must be a certificate's serial in lower-case hexadecimal without leading zeros",
    ))
}
