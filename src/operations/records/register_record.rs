//! Registers a case record (児童記録票の新規登録).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::registration::{naming_refused, prepare, register};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{format::Document, idempotency::Idempotency},
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::Act,
    operations::carry_out,
};

/// A new record of the caller's.
pub struct RegisterRecord {
    pub document: Document,
    pub idempotency: Idempotency,
}

/// A record was written: its id and version.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[carries(version)]
pub struct Written {
    pub record: Uuid,
    pub version: i64,
}

/// Registers a record.
///
/// # Errors
/// The faults of the document; nothing is registered then.
pub async fn register_record(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RegisterRecord { document, idempotency }: RegisterRecord,
) -> Result<Done<Written>, Error> {
    gateway.begin_run().await?;
    let prepared = match prepare(gateway, caller, &document) {
        Ok(prepared) => prepared,
        Err(error) => return Err(naming_refused(gateway, caller, (Act::Register, error)).await),
    };
    let (node, registrant) = (gateway.clone(), caller.clone());
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let effect = Effect::bare(Written { record: prepared.id(), version: 1 });
            register(tx, &node, &registrant, vec![prepared], effect).await
        })
    })
    .await
}
