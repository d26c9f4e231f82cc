//! The OpenAPI 3.1 document, made from the route table and the types, and a page to read it offline.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::{
    route::{BodyKind, Route},
    routes::ROUTES,
};
use crate::{
    disclosure::gate,
    domain::{format::publish::json_schema, missing_notice, retention, staffing, visibility},
    ledger::entry,
    operations as ops, store,
    wire::answer::Answer,
};

/// What is told of the API besides its routes.
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

/// Collects the schemas of types with everything they refer to.
#[derive(Default)]
struct Schemas(Map<String, Value>);

impl Schemas {
    fn add<T: ToSchema + PartialSchema>(mut self) -> Self {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        inner.push((T::name().into_owned(), T::schema()));
        for (name, schema) in inner {
            self.0.insert(name, serde_json::to_value(schema).unwrap_or(Value::Null));
        }
        self
    }
}

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Schemas::default()
        .add::<ops::accounts::sign_in::SignIn>()
        .add::<ops::accounts::sign_in::SignedIn>()
        .add::<ops::accounts::sign_in::SignedOut>()
        .add::<ops::accounts::who_am_i::WhoAmI>()
        .add::<ops::records::register_record::Written>()
        .add::<ops::records::list_records::OwnRecords>()
        .add::<ops::records::view_record::History>()
        .add::<ops::records::attach_file::Attached>()
        .add::<ops::records::edit_lock::EditLockHeld>()
        .add::<ops::records::edit_lock::EditLockState>()
        .add::<ops::records::edit_lock::EditLockReleased>()
        .add::<ops::records::edit_lock::TakeOverReason>()
        .add::<ops::records::shield_record::ShieldRequest>()
        .add::<ops::oversight::break_glass::BreakGlassRequest>()
        .add::<ops::oversight::break_glass::GlassBroken>()
        .add::<ops::oversight::break_glass::Reviewed>()
        .add::<store::oversight::BrokenGlass>()
        .add::<ops::oversight::ask_owner::InquiryText>()
        .add::<ops::oversight::ask_owner::Asked>()
        .add::<store::oversight::Inquiry>()
        .add::<ops::search::search_nationwide::SearchRequest>()
        .add::<ops::search::search_nationwide::SearchFacts>()
        .add::<gate::FoundChildren>()
        .add::<gate::FoundChild>()
        .add::<ops::transfers::transfer_offer::TransferRequest>()
        .add::<ops::transfers::transfer_offer::TransferOffer>()
        .add::<ops::transfers::transfer_steps::TransferLine>()
        .add::<ops::transfers::transfer_steps::TransferLines>()
        .add::<ops::transfers::transfer_steps::EndReason>()
        .add::<store::transfers::TransferNote>()
        .add::<missing_notice::NoticeContent>()
        .add::<ops::missing_children::announce_missing_child::NoticeWritten>()
        .add::<ops::missing_children::answer_missing_notice::AnswerRequest>()
        .add::<ops::missing_children::answer_missing_notice::Answered>()
        .add::<ops::missing_children::view_missing_notice::NoticeLine>()
        .add::<ops::missing_children::view_missing_notice::NoticeSearch>()
        .add::<ops::missing_children::view_missing_notice::FoundNotice>()
        .add::<store::notices::CenterState>()
        .add::<ops::records::register_batch::BatchTaken>()
        .add::<ops::records::register_batch::BatchLine>()
        .add::<ops::records::register_batch::BatchReport>()
        .add::<ops::inbox::read_inbox::Inbox>()
        .add::<ops::inbox::read_inbox::Acknowledge>()
        .add::<ops::accounting::read_disclosures::Disclosures>()
        .add::<entry::Entry>()
        .add::<ops::accounting::prove_ledger::ProvedEntry>()
        .add::<ops::accounting::prove_ledger::Consistency>()
        .add::<ops::accounting::prove_ledger::Evidence>()
        .add::<ops::oversight::review_serious_case::SeriousText>()
        .add::<ops::oversight::review_serious_case::SeriousWritten>()
        .add::<ops::oversight::review_serious_case::SeriousCases>()
        .add::<store::oversight::SeriousNote>()
        .add::<staffing::StaffingReport>()
        .add::<ops::oversight::report_staffing::Submitted>()
        .add::<ops::oversight::report_staffing::StaffingReports>()
        .add::<ops::accounts::administer::ConnectOrganization>()
        .add::<ops::accounts::administer::Administered>()
        .add::<ops::accounts::administer::OrganizationLines>()
        .add::<ops::accounts::administer::RegisterTerminal>()
        .add::<ops::accounts::administer::TerminalLines>()
        .add::<ops::accounts::administer::RegisterStaff>()
        .add::<ops::accounts::administer::StaffLines>()
        .add::<visibility::VisibilitySettings>()
        .add::<retention::RetentionSettings>()
        .add::<ops::retention::retain_records::RetentionView>()
        .add::<ops::retention::dispose_records::DueRecords>()
        .add::<ops::retention::dispose_records::DisposalRequest>()
        .add::<ops::retention::dispose_records::DisposalLine>()
        .add::<ops::retention::dispose_records::DisposalLines>()
        .add::<ops::keys::rewrap_keys::KeysView>()
        .add::<ops::keys::rewrap_keys::RewrapView>()
        .0;
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let list = |name: &str| json!({ "type": "array", "items": reference(name) });
    let joined = |parts: Vec<Value>| json!({ "allOf": parts });
    let beside =
        |name: &str, data: Value| json!({ "type": "object", "properties": { name: data }, "required": [name] });
    // Answers that the writers put together rather than a type.
    for (name, schema) in [
        ("Problem", problem_schema()),
        ("RecordView", record_view_schema()),
        ("SearchAnswer", joined(vec![reference("FoundChildren"), reference("SearchFacts")])),
        ("TransferView", joined(vec![beside("note", reference("TransferNote")), reference("TransferLine")])),
        ("NoticeView", joined(vec![beside("content", reference("NoticeContent")), reference("NoticeLine")])),
        ("NoticeCenters", joined(vec![beside("centers", list("CenterState")), reference("NoticeLine")])),
        ("FoundNotices", list("FoundNotice")),
        ("SeriousNotes", list("SeriousNote")),
        ("NationalFormat", national_format()),
    ] {
        schemas.insert(name.to_owned(), schema);
    }
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tsunagi 繋ぎ",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "要保護児童等に関する情報共有 API。相互TLSが必要です。 / Mutual TLS is required.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "terminal": { "type": "mutualTLS" },
                "session": { "type": "http", "scheme": "bearer" },
                "officer": { "type": "apiKey", "in": "header", "name": "Tsunagi-Officer" },
            },
        },
        "security": [{ "terminal": [], "officer": [] }, { "terminal": [], "session": [] }],
    })
}

/// Query parameters by operation. None is required.
const QUERIES: &[(&str, &str, &str)] = &[
    ("list_records", "after", "`next` of the page before"),
    ("list_due", "after", "`next` of the page before"),
    ("read_inbox", "after", "`cursor` of the page before"),
    ("read_inbox", "wait", "seconds to wait for a message, at most 30"),
    ("read_disclosures", "of", "`ours` or `by_us`"),
    ("read_disclosures", "record", "id of a record; with `ours`"),
    ("read_disclosures", "before", "`next` of the page before"),
    ("prove_inclusion", "entry", "id of the entry"),
    ("prove_inclusion", "size", "size of the tree; left out, the present one"),
    ("prove_consistency", "from", "the smaller size"),
    ("prove_consistency", "to", "the larger size; left out, the present one"),
    ("read_witnessed", "witnesses", "how many witnesses must have signed it; left out, one"),
    ("read_evidence", "record", "id of a record; left out, all"),
    ("export_evidence", "record", "id of a record; left out, all"),
    ("read_evidence", "from", "size of an earlier tree"),
];

/// Operations that ask why.
const STATES_PURPOSE: &[&str] = &["view_record", "view_version", "view_history", "view_attachment"];

fn operation(route: &Route) -> Value {
    let schema = |name: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } });
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let of_query = QUERIES.iter().filter(|(operation, ..)| *operation == route.operation);
    parameters.extend(of_query.map(|(_, name, meaning)| {
        json!({ "name": name, "in": "query", "description": meaning, "schema": { "type": "string" } })
    }));
    if STATES_PURPOSE.contains(&route.operation) {
        parameters.push(header_parameter("Tsunagi-Purpose", true));
    }
    if route.body == BodyKind::Attachment {
        parameters.push(header_parameter("Tsunagi-Attachment-Kind", false));
    }
    if route.method != axum::http::Method::GET {
        parameters
            .push(header_parameter("Idempotency-Key", route.operation != "sign_in" && route.operation != "sign_out"));
    }
    if route.summary.1.contains("If-Match") {
        parameters.push(header_parameter("If-Match", true));
    }
    let mut operation = json!({
        "operationId": route.operation,
        "summary": format!("{} / {}", route.summary.0, route.summary.1),
        "description": format!(
            "kinds: {}; roles: {}",
            route.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "),
            route.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "),
        ),
        "parameters": parameters,
        "responses": {
            "default": {
                "description": "RFC 9457",
                "content": { "application/problem+json": schema("Problem") },
            },
        },
    });
    let content = match route.response {
        Some("File") => json!({ "application/octet-stream": {} }),
        Some("Bundle") => json!({ "application/x-tar": {} }),
        Some("Text") => json!({ "text/plain": {} }),
        Some("RecordView") => json!({ "application/json": schema("RecordView"), "application/xml": {} }),
        Some(name) => json!({ "application/json": schema(name) }),
        None => json!({}),
    };
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        responses.insert("2XX".into(), json!({ "description": "OK", "content": content }));
    }
    let request = match (route.request, route.body) {
        (_, BodyKind::Empty) | (None, _) => None,
        (Some("File"), _) => Some(json!({ "image/jpeg": {}, "image/png": {}, "application/pdf": {} })),
        (Some("NationalFormat"), BodyKind::Batch) => Some(json!({ "application/x-ndjson": schema("NationalFormat") })),
        (Some("NationalFormat"), _) => {
            Some(json!({ "application/xml": {}, "application/json": schema("NationalFormat") }))
        }
        (Some(name), _) => Some(json!({ "application/json": schema(name) })),
    };
    if let (Some(content), Some(object)) = (request, operation.as_object_mut()) {
        object.insert("requestBody".into(), json!({ "required": true, "content": content }));
    }
    operation
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

fn record_view_schema() -> Value {
    let item = json!({ "oneOf": [
        { "type": "object", "properties": { "shown": { "type": "object" } }, "required": ["shown"] },
        { "type": "object", "properties": { "withheld": { "const": true } }, "required": ["withheld"] },
    ] });
    json!({
        "type": "object",
        "required": ["record", "version", "relation", "age", "items"],
        "properties": {
            "record": { "type": "string", "format": "uuid" },
            "version": { "type": "integer" },
            "owner": { "type": ["string", "null"] },
            "relation": { "type": "string" },
            "closed": { "type": ["boolean", "null"] },
            "serious": { "type": ["boolean", "null"] },
            "age": { "type": "integer" },
            "items": { "type": "object", "additionalProperties": item },
            "attachments": { "type": "array", "items": { "type": "object" } },
        },
    })
}

/// The JSON schema of the national format, with its definitions reachable inside this document.
fn national_format() -> Value {
    let text = json_schema().to_string().replace("#/$defs/", "#/components/schemas/NationalFormat/$defs/");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
