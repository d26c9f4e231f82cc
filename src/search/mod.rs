//! Finding a child by what is known of a name.
//!
//! Comes in: names of registered records, criteria of a search. Goes out: hits as [`Sealed`], best first, and whether
//! there were too many. Never done here: deciding who may find what (the caller's predicate decides, before anything
//! is counted), or reading a database.
//!
//! [`Sealed`]: crate::disclosure::Sealed

pub mod fold;
pub mod index;
pub mod query;
pub mod standing;
