//! Style, icon and scripts, named by their digest: a browser keeps them for ever, and a new version has a new name. They are the
//! same for everybody whose certificate is right: who is told that a terminal is not registered reads that on a page, too.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use data_encoding::HEXLOWER;

use crate::face::answer::Answer;

/// Where they lie.
pub const UNDER: &str = "/static/";
pub const PATH: &str = "/static/{name}";

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
        format!("{UNDER}{}", self.name)
    }
}

const TOKENS: &str = include_str!("../../data/design-tokens/tokens.css");
const OWN_STYLE: &str = include_str!("static/tsunagi.css");
const KEEP: &str = include_str!("static/keep.js");
const PASSKEYS_SCRIPT: &str = include_str!("static/passkeys.js");
const RINGS: &str = include_str!("static/icon.svg");

/// The tokens of the design system, and the gateway's own style: one file.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("tsunagi", "css", "text/css; charset=utf-8", [TOKENS, OWN_STYLE].concat().into()));

/// What asks an authenticator for a passkey.
pub static PASSKEYS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::of("passkeys", "js", "text/javascript; charset=utf-8", Bytes::from_static(PASSKEYS_SCRIPT.as_bytes()))
});

/// What a browser shows beside the title.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("icon", "svg", "image/svg+xml", Bytes::from_static(RINGS.as_bytes())));

/// Saves drafts from time to time, where a browser runs scripts.
pub static KEEP_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("keep", "js", "text/javascript; charset=utf-8", Bytes::from_static(KEEP.as_bytes())));

/// What lies at this path; `None` where there is no such file.
pub fn file(path: &str) -> Option<Answer> {
    let asset = [&*STYLE, &*ICON, &*KEEP_SCRIPT, &*PASSKEYS].into_iter().find(|asset| asset.path() == path)?;
    let answer = Answer::new(StatusCode::OK, asset.media_type, asset.content.clone())
        .with_header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    Some(answer)
}
