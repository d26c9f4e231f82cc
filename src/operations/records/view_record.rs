//! Views a case record, an older version of it, or its history (児童記録票の閲覧).

use serde::Serialize;

use crate::{
    disclosure::sealed::Sealed,
    domain::visibility::{ItemGroup, Operation},
    error::Error,
    gateway::Gateway,
    ledger::entry::Act,
    operations::{find_record, known},
    store::{self, versions::VersionLine},
    wire::{answer::Answer, call::Call},
};

/// `GET /v1/records/{id}`
///
/// # Errors
/// [`Error::NotAvailable`], whether it is hidden or does not exist.
pub async fn view_record(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    view(gateway, call, Act::View, Operation::View, None).await
}

/// `GET /v1/records/{id}/versions/{version}`
///
/// # Errors
/// As [`view_record`]; versions are for the owner and its counterpart.
pub async fn view_version(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let version = call.segment("version").parse().map_err(|_| Error::NotAvailable)?;
    view(gateway, call, Act::History, Operation::History, Some(version)).await
}

async fn view(
    gateway: &Gateway,
    call: Call,
    act: Act,
    operation: Operation,
    version: Option<i64>,
) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let purpose = call.purpose()?;
    let found = find_record(gateway, &call, id).await?;
    // What an earlier owner did not hand over is in its versions: they are not the present owner's to read.
    let of =
        known(&found).filter(|(facts, _)| version.is_none_or(|v| (facts.owned_since..=facts.version).contains(&v)));
    let grant = gateway.gate.authorize(&call.caller, act, purpose, operation, id, of, call.decided_at).await?;
    let grant = match version {
        Some(version) => grant.at_version(version),
        None => grant,
    };
    let Some((stored, _)) = found else { return Err(Error::NotAvailable) };
    let mut tx = gateway.store.read().await?;
    let sealed = store::versions::version(&mut tx, &gateway.vault, &stored, grant.version()).await?;
    let attachments = Sealed::new(store::attachments::of_record(&mut tx, &stored.facts.owner, id).await?);
    drop(tx);
    let disclosed = gateway.gate.disclose_record(&call.caller, act, purpose, grant, sealed, attachments).await?;
    Ok(Answer::record(&disclosed, call.wants_xml()))
}

/// The history of a record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct History {
    pub versions: Vec<VersionLine>,
}

/// `GET /v1/records/{id}/history`
///
/// # Errors
/// As [`view_version`].
pub async fn view_history(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let purpose = call.purpose()?;
    let found = find_record(gateway, &call, id).await?;
    let of = known(&found);
    let grant = gateway
        .gate
        .authorize(&call.caller, Act::History, purpose, Operation::History, id, of, call.decided_at)
        .await?;
    let Some((stored, _)) = found else { return Err(Error::NotAvailable) };
    let mut tx = gateway.store.read().await?;
    let versions = store::versions::history(&mut tx, &stored.facts).await?;
    drop(tx);
    let history = Sealed::new(History { versions });
    let disclosed =
        gateway.gate.disclose_part(&call.caller, Act::History, purpose, grant, ItemGroup::Index, history).await?;
    Ok(Answer::disclosed(&disclosed))
}
