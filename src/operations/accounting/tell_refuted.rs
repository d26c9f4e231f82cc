//! Tells of rows that are not what the gateway wrote: the operator, and the body whose they are.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    journal::inbox::{InboxItem, InboxKind},
    ledger::entry::{Act, Entry},
    store::rows::name::RowName,
};

/// Tells of what was found since the last time; returns how many rows.
///
/// # Errors
/// The journal cannot write; it is told the next time.
pub async fn tell_refuted(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let guard = &gateway.journal.memory().guard;
    let names = guard.take_untold();
    let (mut entries, mut inbox) = (Vec::with_capacity(names.len()), Vec::new());
    for name in &names {
        let mut entry = Entry::of_gateway(Act::RowRefute, &gateway.clock).about(name);
        let body = body_of(gateway, name);
        entry.owner = body.as_ref().map(ToString::to_string);
        let told = |to| InboxItem::new(to, InboxKind::RowRefuted).because_of(&entry);
        inbox.extend(body.into_iter().chain([OrganizationCode::operator()]).map(told));
        entries.push(entry.into());
    }
    if names.is_empty() {
        return Ok(0);
    }
    match gateway.journal.note(entries, inbox).await {
        Ok(_) => Ok(names.len()),
        Err(error) => {
            guard.put_back_untold(names);
            Err(error)
        }
    }
}

/// The body whose row it is, as memory knows it: what the row itself says is not believed.
fn body_of(gateway: &Gateway, name: &RowName) -> Option<OrganizationCode> {
    let first = name.row.split(':').next()?;
    match Uuid::parse_str(first) {
        Ok(record) => gateway.journal.memory().index.facts_of(record).map(|facts| facts.owner),
        Err(_) => OrganizationCode::parse(first).filter(|code| *code != OrganizationCode::operator()),
    }
}
