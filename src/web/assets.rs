//! Style, icon and scripts, named by their digest: a browser keeps them for ever, and a new version has a new name. They are the
//! same for everybody whose certificate is right: who is told that a terminal is not registered reads that on a page, too.
//! They alone are sent compressed: what is secret never is, since its length would tell of it.

use std::{io::Write, sync::LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};

use crate::face::answer::Answer;

/// Where they lie.
pub const UNDER: &str = "/static/";
pub const PATH: &str = "/static/{name}";

/// A file that never changes under its name.
pub struct Asset {
    name: String,
    media_type: &'static str,
    content: Bytes,
    compressed: Option<Bytes>,
}

impl Asset {
    fn of(stem: &str, extension: &str, media_type: &'static str, content: Bytes) -> Self {
        let digest = HEXLOWER.encode(digest(&SHA256, &content).as_ref());
        let name = format!("{stem}-{}.{extension}", digest.get(..16).unwrap_or_default());
        Self { name, media_type, compressed: compressed(&content), content }
    }

    pub fn path(&self) -> String {
        format!("{UNDER}{}", self.name)
    }
}

fn compressed(content: &Bytes) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether a browser says that it reads gzip (RFC 9110 section 12.5.3).
fn reads_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get(header::ACCEPT_ENCODING).and_then(|said| said.to_str().ok()).unwrap_or_default();
    said.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_refused = |weight: &str| weight.trim_start_matches("q=").trim_matches(['0', '.']).is_empty();
        parts.next() == Some("gzip") && !parts.any(is_refused)
    })
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
pub fn file(path: &str, headers: &HeaderMap) -> Option<Answer> {
    let asset = [&*STYLE, &*ICON, &*KEEP_SCRIPT, &*PASSKEYS].into_iter().find(|asset| asset.path() == path)?;
    let compressed = asset.compressed.as_ref().filter(|_| reads_gzip(headers));
    let answer = Answer::new(StatusCode::OK, asset.media_type, compressed.unwrap_or(&asset.content).clone())
        .with_header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
        .with_header(header::VARY, "Accept-Encoding")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    Some(if compressed.is_some() { answer.with_header(header::CONTENT_ENCODING, "gzip") } else { answer })
}
