//! Answers: what may be turned into bytes, and how.
//!
//! Record data comes in as [`Disclosed`] and as nothing else. What carries none — ids, versions, states, counts — says
//! so by [`CarriesNoRecordData`], implemented beside each such type where a reviewer can see it.

use crate::wire::header::LEDGER_ENTRIES;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{json as json_form, xml};
use crate::{
    disclosure::gate::{Disclosed, Item, RecordView},
    domain::format::Fault,
    error::Error,
    store::attachments::Attachment,
};

const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

/// A message of ids, codes, times and counts alone.
pub trait CarriesNoRecordData: Serialize {
    /// The version of what was written, for `ETag`.
    fn version(&self) -> Option<i64> {
        None
    }
}

/// The bytes of an answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers: vec![content_type], body: body.into() }
    }

    /// A message without record data.
    pub fn message<T: CarriesNoRecordData>(status: StatusCode, message: &T) -> Self {
        let answer = Self::new(status, JSON, serde_json::to_vec(message).unwrap_or_default());
        match message.version() {
            Some(version) => answer.with_version(version),
            None => answer,
        }
    }

    /// A text without record data: a checkpoint, a table of numbers.
    pub fn text(content_type: &'static str, text: PlainText) -> Self {
        Self::new(StatusCode::OK, content_type, text.0)
    }

    /// A file without record data.
    pub fn archive(archive: Archive, name: &str) -> Self {
        Self::new(StatusCode::OK, "application/x-tar", archive.0)
            .with_header(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""))
    }

    /// Adds the ledger entries that account for a message.
    pub fn with_entries(self, entries: &[Uuid]) -> Self {
        let list = entries.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
        self.with_header(LEDGER_ENTRIES, &list)
    }

    /// Adds the version of what is shown or was written.
    pub fn with_version(self, version: i64) -> Self {
        self.with_header(header::ETAG, &format!("\"{version}\""))
    }

    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Disclosed data as JSON.
    pub fn disclosed<T: Serialize>(disclosed: &Disclosed<T>) -> Self {
        Self::disclosed_with(disclosed, |data| json!(data))
    }

    /// Disclosed data as JSON, beside facts that carry no record data.
    pub fn disclosed_beside<T: Serialize, F: CarriesNoRecordData>(
        name: &str,
        disclosed: &Disclosed<T>,
        facts: &F,
    ) -> Self {
        Self::disclosed_with(disclosed, |data| {
            let mut object = Map::new();
            object.insert(name.to_owned(), json!(data));
            if let Value::Object(facts) = json!(facts) {
                object.extend(facts);
            }
            Value::Object(object)
        })
    }

    /// Disclosed data as one JSON object with facts that carry no record data.
    pub fn disclosed_among<T: Serialize, F: CarriesNoRecordData>(disclosed: &Disclosed<T>, facts: &F) -> Self {
        Self::disclosed_with(disclosed, |data| {
            let mut value = json!(data);
            if let (Value::Object(object), Value::Object(facts)) = (&mut value, json!(facts)) {
                object.extend(facts);
            }
            value
        })
    }

    fn disclosed_with<T>(disclosed: &Disclosed<T>, render: impl FnOnce(&T) -> Value) -> Self {
        let body = render(disclosed.value()).to_string();
        Self::new(StatusCode::OK, JSON, body).with_entries(disclosed.entries())
    }

    /// A disclosed record: JSON with each group shown or withheld, or XML with the shown sections.
    pub fn record(disclosed: &Disclosed<RecordView>, as_xml: bool) -> Self {
        let view = disclosed.value();
        let answer = if as_xml {
            let shown = view.items.iter().filter_map(|(_, item)| match item {
                Item::Shown(element) => Some(element),
                Item::Withheld => None,
            });
            Self::new(StatusCode::OK, "application/xml", xml::write(shown)).with_entries(disclosed.entries())
        } else {
            Self::disclosed_with(disclosed, record_value)
        };
        answer.with_version(view.version)
    }

    /// A disclosed attachment, as it was sent. Never shown inline by a browser.
    pub fn attachment(disclosed: &Disclosed<Attachment>) -> Self {
        let Attachment { media_type, content, .. } = disclosed.value();
        let body = Bytes::copy_from_slice(content);
        let mut answer = Self::new(StatusCode::OK, "application/octet-stream", body).with_entries(disclosed.entries());
        if let Ok(value) = HeaderValue::from_str(media_type) {
            answer.headers.retain(|(name, _)| *name != header::CONTENT_TYPE);
            answer.headers.push((header::CONTENT_TYPE, value));
        }
        answer.with_header(header::CONTENT_DISPOSITION, "attachment")
    }

    /// An error as problem+json (RFC 9457), in Japanese and English.
    pub fn problem(error: &Error, request: Uuid) -> Self {
        let told = error.told();
        let mut body = json!({
            "type": format!("urn:tsunagi:problem:{}", told.code),
            "title": told.title_en,
            "status": told.status,
            "detail": told.detail_en,
            "instance": format!("urn:uuid:{request}"),
            "code": told.code,
            "title_ja": told.title_ja,
            "detail_ja": told.detail_ja,
            "request_id": request,
        });
        match (error, body.as_object_mut()) {
            (Error::Faults(faults), Some(object)) => {
                object.insert("faults".into(), json!(faults.iter().collect::<Vec<&Fault>>()));
            }
            (Error::RecordLocked(lock), Some(object)) => {
                let held =
                    json!({ "officer": lock.officer, "terminal": lock.terminal, "until": lock.until.to_rfc3339() });
                object.insert("edit_lock".into(), held);
            }
            _ => {}
        }
        let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Self::new(status, PROBLEM, body.to_string());
        match error.retry_after() {
            Some(seconds) => answer.with_header(header::RETRY_AFTER, &seconds.to_string()),
            None => answer,
        }
    }
}

/// A text that carries no record data.
pub struct PlainText(pub(crate) String);

/// An archive that carries no record data: evidence of the ledger.
pub struct Archive(pub(crate) Vec<u8>);

fn record_value(view: &RecordView) -> Value {
    let mut items = Map::new();
    for (group, item) in &view.items {
        let value = match item {
            Item::Shown(element) => json!({ "shown": json_form::section_value(*group, element) }),
            Item::Withheld => json!({ "withheld": true }),
        };
        items.insert(group.as_str().to_owned(), value);
    }
    json!({
        "record": view.record,
        "version": view.version,
        "owner": view.owner,
        "relation": view.relation,
        "closed": view.closed,
        "serious": view.serious,
        "age": view.age,
        "items": items,
        "attachments": view.attachments,
    })
}
