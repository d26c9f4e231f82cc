//! Views a case record, an older version of it, or its history (児童記録票の閲覧).

use serde::Serialize;
use uuid::Uuid;

use crate::{
    disclosure::{
        gate::{AccessRequest, Disclosed},
        sealed::Sealed,
        view::RecordView,
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
/// [`Error::NotAvailable`], whether it is hidden or does not exist.
pub async fn view_record(
    gateway: &Gateway,
    caller: &Caller,
    ViewRecord { record, purpose }: ViewRecord,
) -> Result<Disclosed<RecordView>, Error> {
    let asked = AccessRequest { record, act: Act::View, operation: Operation::View, purpose };
    gateway.gate.view(caller, asked, None).await
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
    ViewVersion { record, version, purpose }: ViewVersion,
) -> Result<Disclosed<RecordView>, Error> {
    let asked = AccessRequest { record, act: Act::History, operation: Operation::History, purpose };
    gateway.gate.view(caller, asked, Some(version)).await
}

/// The history of a record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct History {
    pub versions: Vec<VersionLine>,
}

/// Shows who changed a record, when and how; no content.
///
/// # Errors
/// As [`view_version`].
pub async fn view_history(
    gateway: &Gateway,
    caller: &Caller,
    ViewRecord { record, purpose }: ViewRecord,
) -> Result<Disclosed<History>, Error> {
    let asked = AccessRequest { record, act: Act::History, operation: Operation::History, purpose };
    gateway
        .gate
        .part(caller, asked, ItemGroup::Index, |tx, stored, _| {
            Box::pin(async move {
                let versions = store::versions::history(tx, &stored.facts).await?;
                Ok(Some(Sealed::new(History { versions })))
            })
        })
        .await
}
