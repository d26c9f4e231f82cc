//! Every call of the API, by subject.

use super::{
    accounting, accounts, inbox, keys, missing_children, oversight, records, retention, route::Route, search,
    transfers, waiting,
};

/// The slices of the route table, each owned by its subject.
const SUBJECTS: &[&[Route]] = &[
    accounts::ROUTES,
    waiting::ROUTES,
    records::ROUTES,
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
pub fn all() -> impl Iterator<Item = &'static Route> {
    SUBJECTS.iter().copied().flatten()
}
