//! Answers: what may be turned into bytes, and how.
//!
//! Record data comes in as [`Disclosed`] and as nothing else. What carries none — ids, versions, states, counts — says
//! so by [`CarriesNoRecordData`], derived beside each such type where a reviewer can see it.

use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{header::LEDGER_ENTRIES, json as json_form, shape::Joined, xml};
use crate::{
    disclosure::{
        done::{Archive, CarriesNoRecordData, Done, PlainText, Table},
        gate::{Disclosed, With},
        view::{Item, RecordView},
    },
    domain::{attachment::Attachment, format::Fault},
    error::{Error, RecordError, RequestError},
    face::{answer::Answer, call::Call, csv},
};

const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

impl Answer {
    /// Adds the ledger entries that account for it.
    pub(super) fn with_entries(self, entries: &[Uuid]) -> Self {
        let list = entries.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
        self.with_header(LEDGER_ENTRIES, &list)
    }

    /// Adds the version of what is shown or was written.
    fn with_version(self, version: i64) -> Self {
        self.with_header(header::ETAG, &format!("\"{version}\""))
    }

    fn disclosed<T>(call: &Call, disclosed: &Disclosed<T>, render: impl FnOnce(&T) -> Value) -> Self {
        Self::new(call.status, JSON, render(disclosed.value()).to_string()).with_entries(disclosed.entries())
    }

    /// An error as problem+json (RFC 9457), in Japanese and English.
    pub fn problem(error: &Error, request: Uuid) -> Self {
        let problem = error.problem();
        let mut body = json!({
            "type": format!("urn:tsunagi:problem:{}", problem.code),
            "title": problem.title_en,
            "status": problem.status,
            "detail": problem.detail_en,
            "instance": format!("urn:uuid:{request}"),
            "code": problem.code,
            "title_ja": problem.title_ja,
            "detail_ja": problem.detail_ja,
            "request_id": request,
        });
        match (error, body.as_object_mut()) {
            (Error::Request(RequestError::Faults(faults)), Some(object)) => {
                object.insert("faults".into(), json!(faults.iter().collect::<Vec<&Fault>>()));
            }
            (Error::Record(RecordError::Locked(lock)), Some(object)) => {
                let held =
                    json!({ "officer": lock.officer, "terminal": lock.terminal, "until": lock.until.to_rfc3339() });
                object.insert("edit_lock".into(), held);
            }
            _ => {}
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Self::new(status, PROBLEM, body.to_string());
        match error.retry_after() {
            Some(seconds) => answer.with_header(header::RETRY_AFTER, &seconds.to_string()),
            None => answer,
        }
    }
}

/// A reply of an operation as the API answers with it.
pub trait IntoAnswer {
    fn into_answer(self, call: &Call) -> Answer;
}

impl<T: CarriesNoRecordData> IntoAnswer for Done<T> {
    fn into_answer(self, call: &Call) -> Answer {
        let status = if self.value().is_waiting() { StatusCode::ACCEPTED } else { call.status };
        let answer = Answer::new(status, JSON, serde_json::to_vec(self.value()).unwrap_or_default());
        let answer = match self.value().version() {
            Some(version) => answer.with_version(version),
            None => answer,
        };
        match self.entries() {
            Some(entries) => answer.with_entries(entries),
            None => answer,
        }
    }
}

impl IntoAnswer for PlainText {
    fn into_answer(self, call: &Call) -> Answer {
        Answer::new(call.status, "text/plain; charset=utf-8", self.0)
    }
}

impl IntoAnswer for Table {
    fn into_answer(self, call: &Call) -> Answer {
        Answer::new(call.status, "text/csv; charset=utf-8", csv::write(&self))
    }
}

impl IntoAnswer for Archive {
    fn into_answer(self, call: &Call) -> Answer {
        Answer::new(call.status, "application/x-tar", self.bytes)
            .with_header(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{}\"", self.name))
            .with_entries(&self.entries)
    }
}

impl<T: Serialize> IntoAnswer for Disclosed<T> {
    fn into_answer(self, call: &Call) -> Answer {
        Answer::disclosed(call, &self, |data| json!(data))
    }
}

/// One object: the data under its member or among the facts.
impl<T: Joined + Serialize, F: CarriesNoRecordData> IntoAnswer for Disclosed<With<T, F>> {
    fn into_answer(self, call: &Call) -> Answer {
        let answer = Answer::disclosed(call, &self, |With { data, facts }| {
            let mut object = match T::MEMBER {
                Some(member) => json!({ member: data }),
                None => json!(data),
            };
            if let (Value::Object(object), Value::Object(facts)) = (&mut object, json!(facts)) {
                object.extend(facts);
            }
            object
        });
        match self.value().facts.version() {
            Some(version) => answer.with_version(version),
            None => answer,
        }
    }
}

/// JSON with each group shown or withheld, or XML with the shown sections.
impl IntoAnswer for Disclosed<RecordView> {
    fn into_answer(self, call: &Call) -> Answer {
        let view = self.value();
        let answer = if call.wants_xml() {
            let shown = view.items.iter().filter_map(|(_, item)| match item {
                Item::Shown(element) => Some(element),
                Item::NotAsked | Item::Withheld => None,
            });
            Answer::new(call.status, "application/xml", xml::write(shown)).with_entries(self.entries())
        } else {
            Answer::disclosed(call, &self, record_value)
        };
        answer.with_version(view.version)
    }
}

/// An attachment as it was sent. Never shown inline by a browser.
impl IntoAnswer for Disclosed<Attachment> {
    fn into_answer(self, call: &Call) -> Answer {
        let Attachment { media_type, content, .. } = self.value();
        let body = Bytes::copy_from_slice(content);
        let mut answer = Answer::new(call.status, "application/octet-stream", body).with_entries(self.entries());
        if let Ok(value) = HeaderValue::from_str(media_type) {
            answer.headers.retain(|(name, _)| *name != header::CONTENT_TYPE);
            answer.headers.push((header::CONTENT_TYPE, value));
        }
        answer.with_header(header::CONTENT_DISPOSITION, "attachment")
    }
}

fn record_value(view: &RecordView) -> Value {
    let mut items = Map::new();
    for (group, item) in &view.items {
        let value = match item {
            Item::Shown(element) => json!({ "shown": json_form::section_value(*group, element) }),
            // The API asks for all that there is.
            Item::NotAsked | Item::Withheld => json!({ "withheld": true }),
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
