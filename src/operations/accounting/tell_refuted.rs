//! Tells of rows that are not what the gateway wrote: the operator, and the body whose they are.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    journal::inbox::{InboxItem, InboxKind},
    ledger::entry::{Act, Entry},
    store::rows::{
        name::RowName,
        whose::{Whose, whose},
    },
};

/// Tells of what was found since the last time; returns how many rows.
///
/// # Errors
/// The journal cannot write; it is told the next time.
pub async fn tell_refuted(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let guard = &gateway.journal.memory().guard;
    let names = guard.take_untold();
    if names.is_empty() {
        return Ok(0);
    }
    match tell(gateway, &names).await {
        Ok(()) => Ok(names.len()),
        Err(error) => {
            guard.put_back_untold(names);
            Err(error)
        }
    }
}

async fn tell(gateway: &Gateway, names: &[RowName]) -> Result<(), Error> {
    let (mut entries, mut inbox) = (Vec::with_capacity(names.len()), Vec::new());
    let mut tx = gateway.store.read().await?;
    for name in names {
        let mut entry = Entry::of_gateway(Act::RowRefute, &gateway.clock).about(name);
        let whose = match known_terminal(gateway, name) {
            Some(code) => Some(Whose::Organization(code)),
            None => whose(&mut tx, name).await?,
        };
        let body = whose.as_ref().and_then(|whose| body_of(gateway, whose));
        entry.owner = body.as_ref().map(ToString::to_string);
        let told = |to| InboxItem::new(to, InboxKind::RowRefuted).because_of(&entry);
        inbox.extend(body.map(told).map(|item| match (&whose, Uuid::parse_str(&name.row)) {
            (Some(Whose::Record(record)), _) => item.record(*record),
            // A list or a notice.
            (_, Ok(id)) => item.subject(id),
            _ => item,
        }));
        inbox.push(told(OrganizationCode::operator()));
        entries.push(entry.into());
    }
    drop(tx);
    gateway.journal.note(entries, inbox).await.map(|_| ())
}

/// Whose a terminal is that memory knows, whatever its row says.
fn known_terminal(gateway: &Gateway, name: &RowName) -> Option<OrganizationCode> {
    (name.table == "terminals").then(|| gateway.directory().terminal(&name.row))?.map(|terminal| terminal.organization)
}

/// The body that is told: the owner of a record as memory knows it, whatever the row says.
fn body_of(gateway: &Gateway, whose: &Whose) -> Option<OrganizationCode> {
    match whose {
        Whose::Record(record) => gateway.journal.memory().index.facts_of(*record).map(|facts| facts.owner),
        Whose::Organization(code) => Some(code.clone()).filter(|code| *code != OrganizationCode::operator()),
    }
}
