//! Shows a body what it lets others see of its records: its own settings beside the national standard and what the ceiling
//! would allow.

use serde::Serialize;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::visibility::{ItemGroup, Relation, VisibilitySettings, ceiling, is_floor, shown_by_standard},
    error::Error,
    gateway::Gateway,
    identity::Caller,
};

/// What one relation may see of one item group.
#[derive(Serialize, utoipa::ToSchema)]
pub struct VisibilityCell {
    pub group: ItemGroup,
    /// Whether it is shown now.
    pub shown: bool,
    /// Whether the national standard shows it.
    pub standard: bool,
    /// Whether a body may show it.
    pub may_show: bool,
    /// Whether a body may hide it.
    pub may_hide: bool,
}

/// What one relation may see, of every item group in their order.
#[derive(Serialize, utoipa::ToSchema)]
pub struct VisibilityRow {
    pub relation: Relation,
    pub groups: Vec<VisibilityCell>,
}

/// The settings of a body, and what they come to. A shield, a role and what was provided take away from it.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct VisibilityInForce {
    pub settings: VisibilitySettings,
    /// Every relation that may see anything at all.
    pub rows: Vec<VisibilityRow>,
}

/// Shows the settings in force for the caller's body.
///
/// # Errors
/// None of its own.
pub async fn view_settings(gateway: &Gateway, caller: &Caller) -> Result<Done<VisibilityInForce>, Error> {
    let settings = gateway.directory().settings_of(caller.organization());
    let relations = Relation::ALL.iter().copied().filter(|relation| *relation != Relation::Nobody);
    let rows = relations.map(|relation| row(&settings, relation)).collect();
    Ok(Done::told(VisibilityInForce { settings, rows }))
}

fn row(settings: &VisibilitySettings, relation: Relation) -> VisibilityRow {
    let shown = settings.row(relation);
    let cell = |group: ItemGroup| VisibilityCell {
        group,
        shown: shown.contains(group),
        standard: shown_by_standard(group, relation),
        may_show: ceiling(group, relation),
        may_hide: !is_floor(group, relation),
    };
    VisibilityRow { relation, groups: ItemGroup::ALL.iter().copied().map(cell).collect() }
}
