//! Views a case record, an older version of it, or its history (児童記録票の閲覧).

use serde::Serialize;
use uuid::Uuid;

use crate::{
    disclosure::{
        gate::{AccessRequest, Disclosed, PartOf},
        sealed::Sealed,
        view::{Extent, RecordView},
    },
    domain::{
        case_record::VersionLine,
        purpose::Purpose,
        visibility::{ItemGroup, Operation},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::Act,
    operations::accounts::names::NamesThen,
    store,
};

/// A record is asked for; its current version, or what was provided of it.
pub struct ViewRecord {
    pub record: Uuid,
    pub purpose: Purpose,
}

/// Shows a record as far as the caller may see it.
///
/// # Errors
/// As [`view_part`].
pub async fn view_record(
    gateway: &Gateway,
    caller: &Caller,
    asked: ViewRecord,
) -> Result<Disclosed<RecordView>, Error> {
    view_part(gateway, caller, asked, Extent::Whole).await
}

/// Shows as much of a record as is asked for, as far as the caller may see it.
///
/// # Errors
/// [`Error::NotAvailable`], whether it is hidden or does not exist.
pub async fn view_part(
    gateway: &Gateway,
    caller: &Caller,
    ViewRecord { record, purpose }: ViewRecord,
    extent: Extent,
) -> Result<Disclosed<RecordView>, Error> {
    let asked = AccessRequest { record, act: Act::View, operation: Operation::View, purpose };
    gateway.gate.view(caller, asked, (None, extent)).await
}

/// A version is asked for by its number.
pub struct ViewVersion {
    pub record: Uuid,
    pub version: i64,
    pub purpose: Purpose,
}

/// Shows an older version. Versions are for the owner and its counterpart.
///
/// # Errors
/// As [`view_record`].
pub async fn view_version(
    gateway: &Gateway,
    caller: &Caller,
    asked: ViewVersion,
) -> Result<Disclosed<RecordView>, Error> {
    view_version_part(gateway, caller, asked, Extent::Whole).await
}

/// Shows as much of an older version as is asked for.
///
/// # Errors
/// As [`view_record`].
pub async fn view_version_part(
    gateway: &Gateway,
    caller: &Caller,
    ViewVersion { record, version, purpose }: ViewVersion,
    extent: Extent,
) -> Result<Disclosed<RecordView>, Error> {
    let asked = AccessRequest { record, act: Act::History, operation: Operation::History, purpose };
    gateway.gate.view(caller, asked, (Some(version), extent)).await
}

/// The history of a record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct History {
    pub versions: Vec<VersionLine>,
}

/// Shows who changed a record, when and how; no content. Officers are called as they were then.
///
/// # Errors
/// As [`view_version`].
pub async fn view_history(
    gateway: &Gateway,
    caller: &Caller,
    ViewRecord { record, purpose }: ViewRecord,
) -> Result<Disclosed<History>, Error> {
    let asked = AccessRequest { record, act: Act::History, operation: Operation::History, purpose };
    let mut names = NamesThen::of(gateway);
    gateway
        .gate
        .part(caller, asked, PartOf { group: ItemGroup::Index, beside: &[ItemGroup::Officer] }, |tx, stored, grant| {
            Box::pin(async move {
                let mut versions = store::versions::history(tx, &stored.facts).await?;
                for line in versions.iter_mut().filter(|_| grant.shows(ItemGroup::Officer)) {
                    let name = names.at(tx, (&line.organization, &line.officer), &line.at).await?;
                    line.officer_name = Some(name);
                }
                Ok(Some(Sealed::new(History { versions })))
            })
        })
        .await
}
