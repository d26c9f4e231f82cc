//! Bytes to typed messages and back.
//!
//! Comes in: the bytes of a request, or an [`crate::disclosure::gate::Disclosed`] value. Goes out: a validated document, or
//! the bytes of an answer. Never done here: deciding what may be seen. A raw record cannot be written: the writers
//! take shown elements only.

pub mod answer;
pub mod call;
pub mod header;
pub mod json;
pub mod xml;

use crate::domain::format::Fault;

/// Most levels of elements in a document of either syntax.
pub const MOST_DEPTH: usize = 64;

fn syntax_fault(line: u64, path: &str, rule: &'static str, ja: &str, en: &str) -> Vec<Fault> {
    vec![Fault { line, path: path.to_owned(), rule, message_ja: ja.to_owned(), message_en: en.to_owned() }]
}
