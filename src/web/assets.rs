//! Style and script, named by their digest: a browser keeps them for ever, and a new version has a new name.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use data_encoding::HEXLOWER;

use super::page::{DeskVisit, page_at_desk, show};
use crate::{
    error::{Error, RequestError},
    face::{answer::Answer, route::Route},
};

pub const PAGES: &[Route] = &[show("/static/{name}")
    .titled("画面の部品", "Parts of the pages")
    .for_everybody()
    .made_by(page_at_desk!(static_file))];

/// A file that never changes under its name.
pub struct Asset {
    name: String,
    media_type: &'static str,
    content: Bytes,
}

impl Asset {
    fn of(stem: &str, extension: &str, media_type: &'static str, content: Bytes) -> Self {
        let digest = HEXLOWER.encode(digest(&SHA256, &content).as_ref());
        let name = format!("{stem}-{}.{extension}", digest.get(..16).unwrap_or_default());
        Self { name, media_type, content }
    }

    pub fn path(&self) -> String {
        format!("/static/{}", self.name)
    }
}

const TOKENS: &str = include_str!("../../data/design-tokens/tokens.css");
const OWN_STYLE: &str = include_str!("static/tsunagi.css");

/// The tokens of the design system, and the gateway's own style: one file.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("tsunagi", "css", "text/css; charset=utf-8", [TOKENS, OWN_STYLE].concat().into()));

async fn static_file(visit: DeskVisit) -> Result<Answer, Error> {
    let name = visit.call.segment("name");
    let asset = [&*STYLE].into_iter().find(|asset| asset.name == name).ok_or(RequestError::NoSuchRoute)?;
    Ok(Answer::new(StatusCode::OK, asset.media_type, asset.content.clone())
        .with_header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}
