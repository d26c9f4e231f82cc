//! Every call of the API, by subject.

use super::{
    accounting, accounts, drafts, inbox, keys, missing_children, oversight, records, retention, route::ApiRoute, search,
    today, transfers, waiting,
};

/// The slices of the route table, each owned by its subject.
const SUBJECTS: &[&[ApiRoute]] = &[
    accounts::ROUTES,
    today::ROUTES,
    waiting::ROUTES,
    records::ROUTES,
    drafts::ROUTES,
    search::ROUTES,
    transfers::ROUTES,
    missing_children::ROUTES,
    inbox::ROUTES,
    accounting::ROUTES,
    oversight::ROUTES,
    retention::ROUTES,
    keys::ROUTES,
];

/// Every route.
pub fn all() -> impl Iterator<Item = &'static ApiRoute> {
    SUBJECTS.iter().copied().flatten()
}
