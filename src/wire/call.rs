//! Typed access to the parts of a call of the API: requests of operations are made of these.

use axum::http::header;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{header::PURPOSE, json, xml};
use crate::{
    domain::{format::Document, idempotency::Idempotency, purpose::Purpose},
    error::{Error, RequestError, ServiceError},
    face::call::Call,
};

/// Bodies larger than this are parsed off the async workers.
const PARSE_ASIDE: usize = 65_536;

impl Call {
    /// The record after which a page begins: `next` of the page before; nil for the first.
    ///
    /// # Errors
    /// It is there and is no id.
    pub fn after(&self) -> Result<Uuid, Error> {
        self.query.get("after").map_or(Ok(Uuid::nil()), |text| {
            Uuid::parse_str(text).map_err(|_| {
                Error::field(
                    "after",
                    "前のページの next の値を指定してください。",
                    "must be the value of next in the page before",
                )
            })
        })
    }

    /// What a page ends before that goes from the newest on: `next` of the page before; the greatest id for the first.
    ///
    /// # Errors
    /// It is there and is no id.
    pub fn before(&self) -> Result<Uuid, Error> {
        self.query.get("before").map_or(Ok(Uuid::max()), |text| {
            Uuid::parse_str(text).map_err(|_| {
                Error::field(
                    "before",
                    "前のページの next の値を指定してください。",
                    "must be the value of next in the page before",
                )
            })
        })
    }

    /// A query parameter read as a number.
    ///
    /// # Errors
    /// It is there and is not a number.
    pub fn number(&self, name: &'static str) -> Result<Option<i64>, Error> {
        self.query
            .get(name)
            .map(|text| {
                text.parse().map_err(|_| Error::field(name, "整数を指定してください。", "must be a whole number"))
            })
            .transpose()
    }

    /// The body as a JSON message.
    ///
    /// # Errors
    /// Not JSON, or an unknown, missing or mistyped field. The message does not quote values.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let kind = self.content_type();
        if !kind.is_empty() && kind != "application/json" {
            return Err(RequestError::MediaType.into());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => format!("{place}: {}", without_values(&error.to_string())),
                _ => place,
            };
            RequestError::Body(what).into()
        })
    }

    /// The body as a document of the national format, in XML or JSON as its content type says.
    ///
    /// # Errors
    /// Another content type, or the faults of the document.
    pub async fn document(&self) -> Result<Document, Error> {
        let read = match self.content_type().as_str() {
            "application/xml" | "text/xml" => xml::read,
            "application/json" => json::read,
            _ => return Err(RequestError::MediaType.into()),
        };
        let body = self.body.clone();
        let parsed = if body.len() > PARSE_ASIDE {
            tokio::task::spawn_blocking(move || read(&body)).await.map_err(|_| ServiceError::Overloaded)?
        } else {
            read(&body)
        };
        Ok(parsed?)
    }

    /// Whether the caller asks for XML rather than JSON.
    pub fn wants_xml(&self) -> bool {
        self.header(header::ACCEPT.as_str()).is_some_and(|accept| {
            accept.split(',').any(|range| {
                let range = range.split(';').next().unwrap_or_default().trim();
                range == "application/xml" || range == "text/xml"
            })
        })
    }

    /// The version in `If-Match: "3"`.
    ///
    /// # Errors
    /// [`RequestError::IfMatchMissing`] where there is none or it is no version.
    pub fn if_match(&self) -> Result<i64, Error> {
        self.header(header::IF_MATCH.as_str())
            .and_then(|value| value.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok())
            .ok_or(RequestError::IfMatchMissing.into())
    }

    /// The purpose in `Tsunagi-Purpose`.
    ///
    /// # Errors
    /// It is missing or not one of the list.
    pub fn purpose(&self) -> Result<Purpose, Error> {
        self.header(PURPOSE.as_str()).and_then(Purpose::parse).ok_or(Error::field(
            "Tsunagi-Purpose",
            "利用目的として、new_report、casework、transfer、missing_child、serious_case_review 又は audit を指定してください。",
            "must be one of new_report, casework, transfer, missing_child, serious_case_review, audit",
        ))
    }

    /// The idempotency key with the digest of this request.
    ///
    /// # Errors
    /// [`RequestError::IdempotencyKeyMissing`] where it is missing or not of its form.
    pub fn idempotency(&self) -> Result<Idempotency, Error> {
        self.header("idempotency-key")
            .and_then(|key| self.keyed(key))
            .ok_or_else(|| RequestError::IdempotencyKeyMissing.into())
    }
}

/// What serde says, less the values that it quotes. A value may itself hold quotes and words of serde's, so nothing is
/// kept from the first quote on but what follows the last `expected`: serde writes that from names of the program.
fn without_values(message: &str) -> String {
    if message.starts_with("missing field ") {
        return message.to_owned();
    }
    let Some((before, quoted)) = message.split_once(['"', '`']) else { return message.to_owned() };
    match quoted.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{before}…, expected {expected}"),
        None => format!("{before}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn an_error_of_serde_keeps_no_value() {
        let told = |json: &str| {
            let error =
                serde_json::from_str::<crate::operations::search::search_nationwide::SearchRequest>(json).map(|_| ());
            without_values(&error.unwrap_err().to_string())
        };
        for (json, expected) in [
            (r#"{"purpose":"架空\"花子"}"#, "unknown variant …, expected one of `new_report`"),
            (r#"{"架空`花子":1}"#, "unknown field …, expected one of `purpose`"),
            (r#"{"case_reference":{"架空":"花子"}}"#, "invalid type: map, expected a string"),
            (r#"{"page":"架空, expected 花子"}"#, "invalid type: string …, expected usize"),
            (r#"{"page":"架空\", expected 花子"}"#, "invalid type: string …, expected usize"),
            ("{}", "missing field `purpose`"),
        ] {
            let told = told(json);
            assert!(told.starts_with(expected), "{told}");
            assert!(!told.contains("架空") && !told.contains("花子"), "{told}");
        }
    }
}
