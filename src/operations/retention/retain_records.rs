//! How long an organization keeps its closed records (保存期間): the rules in force, and lengthening them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        retention::{RetentionClass, RetentionRule, RetentionSettings, standard},
    },
    error::{Error, RetentionError},
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store,
};

/// The rules for an organization's records.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct RetentionView {
    /// The national standard, by class.
    pub standard: BTreeMap<RetentionClass, RetentionRule>,
    /// What holds for the organization's records: the standard, lengthened where the organization says so.
    pub in_force: BTreeMap<RetentionClass, RetentionRule>,
}

impl RetentionView {
    fn of(settings: &RetentionSettings) -> Self {
        let by_class = |rule: &dyn Fn(RetentionClass) -> Option<RetentionRule>| {
            RetentionClass::ALL.iter().copied().filter_map(|class| Some((class, rule(class)?))).collect()
        };
        Self { standard: by_class(&standard), in_force: by_class(&|class| settings.rule(class)) }
    }
}

/// Returns the rules for the caller's records.
///
/// # Errors
/// The database failed.
pub async fn view_retention(gateway: &Gateway, caller: &Caller) -> Result<Done<RetentionView>, Error> {
    let mut tx = gateway.store.read().await?;
    let settings = store::disposals::retention_of(&mut tx, caller.organization()).await?;
    Ok(Done::told(RetentionView::of(&settings)))
}

/// An organization's own rules.
pub struct ChangeRetention {
    pub settings: RetentionSettings,
    pub idempotency: Idempotency,
}

/// Replaces the organization's own rules. A class that is left out goes back to the standard.
///
/// # Errors
/// [`RetentionError::Shortened`] where a rule is below the standard.
pub async fn change_retention(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeRetention { settings, idempotency }: ChangeRetention,
) -> Result<Done<RetentionView>, Error> {
    if !settings.is_lawful() {
        return Err(RetentionError::Shortened.into());
    }
    let acting = Acting::new(gateway, caller, Act::RetentionChange);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let organization = acting.caller.organization();
            store::disposals::set_retention(tx, organization, &settings).await?;
            Ok(Effect::new(RetentionView::of(&settings), acting.entry().about(organization)))
        })
    })
    .await
}
