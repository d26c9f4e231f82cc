//! The API's face: bytes to typed requests of operations, and their replies to bytes.
//!
//! Comes in: the bytes of a request, or an [`crate::disclosure::gate::Disclosed`] value. Goes out: a validated document, or
//! the bytes of an answer. Never done here: deciding what may be seen. A raw record cannot be written: the writers
//! take shown elements only.

pub mod accounting;
pub mod accounts;
pub mod answer;
pub mod call;
pub mod drafts;
pub mod header;
pub mod inbox;
pub mod json;
pub mod keys;
pub mod missing_children;
pub mod oversight;
pub mod records;
pub mod retention;
pub mod route;
pub mod routes;
pub mod search;
pub mod shape;
pub mod today;
pub mod transfers;
pub mod waiting;
pub mod xml;

use crate::domain::format::Fault;

/// Levels of elements in a document of either syntax.
pub const MAX_DEPTH: usize = 64;

fn syntax_fault(line: u64, path: &str, rule: &'static str, ja: &str, en: &str) -> Vec<Fault> {
    vec![Fault { line, path: path.to_owned(), rule: rule.into(), message_ja: ja.to_owned(), message_en: en.to_owned() }]
}
