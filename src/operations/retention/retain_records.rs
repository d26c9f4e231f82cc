//! How long an organization keeps its closed records (保存期間): the rules in force, and lengthening them.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    domain::retention::{RetentionClass, RetentionRule, RetentionSettings, standard},
    error::Error,
    gateway::Gateway,
    journal::journal::Effect,
    ledger::entry::{Act, Entry},
    operations::carry_out,
    store,
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// The rules for an organization's records.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct RetentionView {
    /// The national standard, by class.
    pub standard: BTreeMap<RetentionClass, RetentionRule>,
    /// What holds for the organization's records: the standard, lengthened where the organization says so.
    pub in_force: BTreeMap<RetentionClass, RetentionRule>,
}

impl CarriesNoRecordData for RetentionView {}

impl RetentionView {
    fn of(settings: &RetentionSettings) -> Self {
        let by_class = |rule: &dyn Fn(RetentionClass) -> Option<RetentionRule>| {
            RetentionClass::ALL.iter().copied().filter_map(|class| Some((class, rule(class)?))).collect()
        };
        Self { standard: by_class(&standard), in_force: by_class(&|class| settings.rule(class)) }
    }
}

/// `GET /v1/retention`
///
/// # Errors
/// The database failed.
pub async fn view_retention(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let mut tx = gateway.store.read().await?;
    let settings = store::disposals::retention_of(&mut tx, call.caller.organization()).await?;
    Ok(Answer::message(StatusCode::OK, &RetentionView::of(&settings)))
}

/// `PUT /v1/retention`: replaces the organization's own rules. A class that is left out goes back to the standard.
///
/// # Errors
/// [`Error::RetentionShortened`] where a rule is below the standard.
pub async fn change_retention(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let settings: RetentionSettings = call.json()?;
    if !settings.is_lawful() {
        return Err(Error::RetentionShortened);
    }
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let organization = call.caller.organization();
            store::disposals::set_retention(tx, organization, &settings).await?;
            let entry = Entry::of(&call.caller, Act::RetentionChange, &node.clock).about(organization);
            Ok(Effect::new(RetentionView::of(&settings), entry))
        })
    })
    .await
}
