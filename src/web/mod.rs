//! The pages' face: forms to typed requests of operations, and their replies to pages.
//!
//! Comes in: the bytes of a request of a browser at a desk. Goes out: HTML, made by templates from
//! [`crate::disclosure::gate::Disclosed`] and [`crate::disclosure::done::Done`] values, in Japanese or English. Rooms by
//! subject, each with its slice of the pages; beside them what all share: a page and a visit to it, forms and what guards
//! them, the shell around each page, dates, static files. Never done here: deciding what may be seen, reaching store or
//! seal.

pub mod again;
pub mod approach;
pub mod assets;
pub mod cookies;
pub mod csrf;
pub mod dates;
pub mod disclosures;
pub mod form;
pub mod input;
pub mod keys;
pub mod language;
pub mod missing;
pub mod organizations;
pub mod page;
pub mod passkey;
pub mod people;
pub mod qr;
pub mod questions;
pub mod records;
pub mod refusal;
pub mod retention;
pub mod search;
pub mod serious;
pub mod session;
pub mod shell;
pub mod staffing;
pub mod today;
pub mod transfers;
pub mod waiting;

use crate::face::route::Route;

/// The slices of the pages, each owned by its subject.
const SUBJECTS: &[&[Route]] = &[
    session::PAGES,
    today::PAGES,
    records::PAGES,
    search::PAGES,
    approach::PAGES,
    waiting::PAGES,
    transfers::PAGES,
    disclosures::PAGES,
    people::PAGES,
    serious::PAGES,
    staffing::PAGES,
    organizations::PAGES,
    missing::PAGES,
    questions::PAGES,
    retention::PAGES,
    keys::PAGES,
];

/// Every page and every act of one.
pub fn all() -> impl Iterator<Item = &'static Route> {
    SUBJECTS.iter().copied().flatten()
}
