//! The first step of a new gateway: the operator, its first terminal and its first administrator.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::terminals::check_serial;
use crate::{
    domain::{idempotency::Idempotency, organization::OrganizationCode},
    error::Error,
    gateway::Gateway,
    identity::{
        Caller, Role,
        directory::{DirectoryChange, Organization, StaffMember, Terminal, TerminalKind},
    },
    journal::{journal::Effect, memory::Change, recent::Scope},
    ledger::entry::{Act, Entry},
    store,
};

#[derive(Serialize, Deserialize)]
struct Bootstrapped;

/// Registers the operator with one machine terminal and one user administrator. Everybody else is registered by them,
/// through the API.
///
/// # Errors
/// The gateway has an operator already; the serial is none.
pub async fn bootstrap(gateway: &Arc<Gateway>, serial: &str, officer: &str, name: &str) -> Result<(), Error> {
    check_serial(serial)?;
    let code = OrganizationCode::operator();
    let organization = Organization {
        code: code.clone(),
        active: true,
        relay_desk: "—".to_owned(),
        settings: Default::default(),
        last_upload_at: None,
    };
    let terminal = Terminal {
        serial: serial.to_owned(),
        organization: code.clone(),
        kind: TerminalKind::Machine,
        label: "operator".to_owned(),
        active: true,
    };
    let staff = StaffMember {
        organization: code,
        id: officer.to_owned(),
        name: name.to_owned(),
        roles: vec![Role::UserAdministrator],
        active: true,
        password_hash: None,
    };
    let node = gateway.clone();
    let console = Caller::gateway(gateway.clock.new_id());
    gateway
        .journal
        .write(&console, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                let now = node.clock.now();
                if store::accounts::organization(tx, &organization.code).await?.is_some() {
                    return Err(Error::Exists("operator").into());
                }
                store::accounts::put_organization(tx, &organization, now).await?;
                store::accounts::put_terminal(tx, &terminal, now).await?;
                store::accounts::put_staff(tx, &node.vault, &staff).await?;
                let entry = Entry::of_gateway(Act::OrganizationConnect, &node.clock).about("operator");
                Ok(Effect::new(Bootstrapped, entry)
                    .then(Change::Directory(DirectoryChange::Organization(Box::new(organization))))
                    .then(Change::Directory(DirectoryChange::Terminal(Box::new(terminal))))
                    .then(Change::Directory(DirectoryChange::Staff(Box::new(staff))))
                    .then(Change::Visibility(Scope::Organization(OrganizationCode::operator()))))
            })
        })
        .await
        .map(|_| ())
}
