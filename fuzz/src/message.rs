//! JSON messages of the API, whatever the bytes.

use std::collections::HashMap;

use axum::http::HeaderMap;
use serde::de::DeserializeOwned;
use tsunagi::{
    domain::missing_notice::NoticeContent,
    error::{Error, RequestError},
    operations::{search::search_nationwide::SearchRequest, transfers::transfer_offer::TransferOffer},
};

use super::called::call;

/// Nothing panics, and an error does not quote a text of the message.
pub fn enter(bytes: &[u8]) {
    read::<SearchRequest>(bytes);
    read::<TransferOffer>(bytes);
    read::<NoticeContent>(bytes);
}

fn read<T: DeserializeOwned>(bytes: &[u8]) {
    let Err(Error::Request(RequestError::Body(told))) =
        call(HeaderMap::new(), HashMap::new(), bytes.to_vec()).json::<T>()
    else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Names of people are rarely ASCII: of what is not, nothing may be in both, but for single marks.
    let words = told.split(|c: char| c.is_ascii() || c == '…').filter(|word| word.chars().count() > 1);
    assert!(!words.into_iter().any(|word| text.contains(word)), "an error quotes the message");
}
