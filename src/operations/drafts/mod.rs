//! Drafts of record forms (下書き): what an officer has written and not sent yet.
//!
//! A draft is its officer's own: nobody else opens it, or learns what is in it. A supervisor of the body sees that it is
//! there, and may discard it. It is kept encrypted, for [`KEPT_FOR`](crate::domain::draft::KEPT_FOR) after it was last
//! saved. No record exists by it, nobody finds it, and nobody is told of it.

pub mod discard_draft;
pub mod expire_drafts;
pub mod list_drafts;
pub mod open_draft;
pub mod save_draft;

use crate::{domain::draft::Draft, ledger::entry::Entry, operations::Acting};

/// An entry about a draft, and about the record that it is to change.
fn about_draft(acting: &Acting, draft: &Draft) -> Entry {
    let entry = acting.entry().about(draft.id);
    match draft.record {
        Some(record) => entry.on_record(record),
        None => entry,
    }
}
