//! Finding a child by what is known of a name.
//!
//! Comes in: names of registered records, criteria of a search. Goes out: hits as [`Sealed`], best first, and whether
//! there were too many. Never done here: deciding who may find what (the caller's predicate decides, before anything
//! is counted), or reading a database.
//!
//! Reading order: `fold` makes keys of names (`kanji`, `symbol`), `pattern` says how well a key answers a fragment,
//! `query` holds the criteria. `index` brings them together over `records` (what is kept), `grams` and `posting`
//! (where to look), `births` and `near` (one kana away). `watch` and `standing` look at searches themselves.
//!
//! [`Sealed`]: crate::disclosure::sealed::Sealed

mod births;
pub mod budget;
pub mod explain;
pub mod fold;
pub mod grams;
pub mod index;
pub mod kanji;
pub mod near;
pub mod pattern;
pub mod posting;
pub mod query;
pub mod records;
pub mod standing;
pub mod symbol;
pub mod watch;
