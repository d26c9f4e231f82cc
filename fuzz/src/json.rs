//! A record in JSON, whatever the bytes.

use tsunagi::wire::json;

use super::xml::{says_why, survives_both_syntaxes};

/// As [`super::xml::enter`].
pub fn enter(bytes: &[u8]) {
    match json::read(bytes) {
        Ok(document) => survives_both_syntaxes(&document),
        Err(faults) => says_why(&faults),
    }
}
