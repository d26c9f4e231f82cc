//! Query strings: cursors, positions and ids.

use axum::http::HeaderMap;
use tsunagi::server::connection::parse_query;

use super::called::call;

/// Nothing panics; a number or an id that is read is the one that was written.
pub fn enter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let query = parse_query(text);
    let call = call(HeaderMap::new(), query.clone(), Vec::new());
    for name in ["after", "before", "from", "to", "size", "wait"] {
        match (call.number(name), query.get(name)) {
            (Ok(None), None) => {}
            (Ok(Some(number)), Some(written)) => assert!(written.parse() == Ok(number)),
            (Err(_), Some(written)) => assert!(written.parse::<i64>().is_err()),
            _ => panic!("{name} is read where it is not, or not where it is"),
        }
    }
    for name in ["after", "record", "entry", "id"] {
        if let Ok(id) = call.id(name) {
            let written = query.get(name).map(|written| written.to_lowercase().replace('-', "")).unwrap_or_default();
            assert!(written.contains(&id.simple().to_string()));
        }
    }
}
