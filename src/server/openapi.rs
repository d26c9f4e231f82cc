//! The OpenAPI 3.1 document, made from the route table and the types, and a page to read it offline.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::http::{
    HeaderValue, Method, StatusCode,
    header::{self, IF_MATCH},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    face::answer::Answer,
    wire::{
        header::{ATTACHMENT_KIND, IDEMPOTENCY_KEY, PURPOSE},
        route::ApiRoute,
        routes,
        shape::{Schemas, reference},
    },
};

/// What the document says of the API besides its routes.
pub(super) const PATHS: [&str; 3] = ["/openapi.json", "/docs/", "/docs/{*path}"];

/// Written once: it does not change while the program runs.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// What lies at one of [`PATHS`]; `None` where there is no such file.
pub(super) fn file(path: &str) -> Option<Answer> {
    let (content_type, body) = match path.strip_prefix("/docs/") {
        None => ("application/json".to_owned(), DOCUMENT.clone()),
        Some(page) => swagger(if page.is_empty() { "index.html" } else { page })?,
    };
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_str(&content_type).ok()?);
    Some(Answer { status: StatusCode::OK, headers: vec![content_type], body })
}

/// Swagger UI, served from this program: nothing is loaded from elsewhere.
fn swagger(page: &str) -> Option<(String, Bytes)> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    let file = utoipa_swagger_ui::serve(page, config).ok()??;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Some((file.content_type, bytes))
}

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Schemas::default();
    schemas.put("Problem", problem_schema());
    let mut paths = Map::new();
    for api in routes::all() {
        let (route, operation) = (&api.route, operation(api, &mut schemas));
        if let Some(path) = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tsunagi 繋ぎ",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "要保護児童等に関する情報を共有するためのAPIです。利用には相互TLSが必要です。 / Mutual TLS is required.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.into_value(),
            "securitySchemes": {
                "terminal": { "type": "mutualTLS" },
                "session": { "type": "http", "scheme": "bearer" },
                "officer": { "type": "apiKey", "in": "header", "name": "Tsunagi-Officer" },
            },
        },
        "security": [{ "terminal": [], "officer": [] }, { "terminal": [], "session": [] }],
    })
}

fn operation(api: &ApiRoute, schemas: &mut Schemas) -> Value {
    let route = &api.route;
    let (japanese, english) = route.words;
    let problem = json!({ "application/problem+json": { "schema": reference("Problem") } });
    let mut operation = json!({
        "operationId": route.operation,
        "summary": format!("{japanese} / {english}"),
        "description": format!(
            "kinds: {}; roles: {}",
            route.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "),
            route.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "),
        ),
        "parameters": parameters(api),
        "responses": {
            "2XX": { "description": "OK", "content": api.answers.content(schemas) },
            "default": { "description": "RFC 9457", "content": problem },
        },
    });
    if let (Some(takes), Some(object)) = (api.takes, operation.as_object_mut()) {
        object.insert("requestBody".into(), json!({ "required": true, "content": takes.content(schemas) }));
    }
    operation
}

fn parameters(api: &ApiRoute) -> Vec<Value> {
    let of_path = api.route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let of_path =
        of_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let of_query = api.query.iter().map(|(name, meaning)| {
        json!({ "name": name, "in": "query", "description": meaning, "schema": { "type": "string" } })
    });
    let mut parameters: Vec<Value> = of_path.chain(of_query).collect();
    for (is_read, name, required) in [
        (api.purpose, PURPOSE.as_str(), true),
        (api.attachment_kind, ATTACHMENT_KIND.as_str(), false),
        (api.route.method != Method::GET, IDEMPOTENCY_KEY.as_str(), api.keyed),
        (api.if_match, IF_MATCH.as_str(), true),
    ] {
        if is_read {
            parameters.push(header_parameter(name, required));
        }
    }
    parameters
}

fn header_parameter(name: &str, required: bool) -> Value {
    json!({ "name": name, "in": "header", "required": required, "schema": { "type": "string" } })
}

fn problem_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "request_id", "title_ja"],
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "detail": text, "instance": text,
            "code": text, "title_ja": text, "detail_ja": text, "request_id": text,
            "faults": { "type": "array", "items": { "type": "object" } },
            "edit_lock": {
                "type": "object",
                "properties": { "officer": text, "terminal": text, "until": text },
            },
        },
    })
}
