//! How bodies look in the API: their media types and schemas, for OpenAPI.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    disclosure::{
        done::{Archive, CarriesNoRecordData, PlainText, Table},
        gate::With,
        view::RecordView,
    },
    domain::{attachment::Attachment, format::publish::json_schema},
    face::route::BodySize,
};

/// Schemas by name, collected while the routes are read.
#[derive(Default)]
pub struct Schemas(Map<String, Value>);

impl Schemas {
    /// A reference to the schema of a type, which is added with everything that it refers to.
    pub fn refer<T: ToSchema + PartialSchema>(&mut self) -> Value {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        for (name, schema) in inner {
            self.0.insert(name, serde_json::to_value(schema).unwrap_or(Value::Null));
        }
        self.put(&T::name(), serde_json::to_value(T::schema()).unwrap_or(Value::Null))
    }

    /// Adds a schema and refers to it.
    pub fn put(&mut self, name: &str, schema: Value) -> Value {
        self.0.insert(name.to_owned(), schema);
        reference(name)
    }

    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// A reference to a schema by its name.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A body of the API. Every type with a schema is one, as JSON.
pub trait Shape {
    /// How large it may be where it comes in.
    const SIZE: BodySize = BodySize::Message;

    /// Media types with their schemas (`content` of OpenAPI).
    fn content(schemas: &mut Schemas) -> Value;
}

impl<T: ToSchema> Shape for T {
    fn content(schemas: &mut Schemas) -> Value {
        json!({ "application/json": { "schema": schemas.refer::<T>() } })
    }
}

/// The body of a route; nothing where there is none.
#[derive(Clone, Copy)]
pub struct Described(Option<fn(&mut Schemas) -> Value>);

impl Described {
    pub const fn nothing() -> Self {
        Self(None)
    }

    pub const fn of<T: Shape>() -> Self {
        Self(Some(T::content))
    }

    pub fn content(self, schemas: &mut Schemas) -> Value {
        self.0.map_or_else(|| json!({}), |content| content(schemas))
    }
}

/// A list, as JSON.
pub struct List<T>(std::marker::PhantomData<T>);

impl<T: ToSchema> Shape for List<T> {
    fn content(schemas: &mut Schemas) -> Value {
        json!({ "application/json": { "schema": list_of::<T>(schemas) } })
    }
}

fn list_of<T: ToSchema>(schemas: &mut Schemas) -> Value {
    json!({ "type": "array", "items": schemas.refer::<T>() })
}

/// What is put beside facts in one JSON object.
pub trait Joined {
    /// The member under which it is put; where there is none, its own members are put among the facts.
    const MEMBER: Option<&'static str>;

    fn schema(schemas: &mut Schemas) -> Value;
}

impl<T: Joined, F: CarriesNoRecordData + ToSchema> Shape for With<T, F> {
    fn content(schemas: &mut Schemas) -> Value {
        let data = match T::MEMBER {
            Some(member) => {
                json!({ "type": "object", "properties": { member: T::schema(schemas) }, "required": [member] })
            }
            None => T::schema(schemas),
        };
        json!({ "application/json": { "schema": { "allOf": [data, schemas.refer::<F>()] } } })
    }
}

/// A record of the national format, in XML or JSON.
pub struct NationalFormat;

impl Shape for NationalFormat {
    const SIZE: BodySize = BodySize::Record;

    fn content(schemas: &mut Schemas) -> Value {
        json!({ "application/xml": {}, "application/json": { "schema": schemas.put("NationalFormat", national_format()) } })
    }
}

/// Records of the national format in JSON, one on each line.
pub struct BatchFile;

impl Shape for BatchFile {
    const SIZE: BodySize = BodySize::Batch;

    fn content(schemas: &mut Schemas) -> Value {
        json!({ "application/x-ndjson": { "schema": schemas.put("NationalFormat", national_format()) } })
    }
}

/// The JSON schema of the national format, with its definitions reachable inside the document.
fn national_format() -> Value {
    let text = json_schema().to_string().replace("#/$defs/", "#/components/schemas/NationalFormat/$defs/");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A photo or paper on its way in.
pub struct AttachmentFile;

impl Shape for AttachmentFile {
    const SIZE: BodySize = BodySize::Attachment;

    fn content(_: &mut Schemas) -> Value {
        json!({ "image/jpeg": {}, "image/png": {}, "application/pdf": {} })
    }
}

impl Shape for Attachment {
    fn content(_: &mut Schemas) -> Value {
        json!({ "application/octet-stream": {} })
    }
}

impl Shape for PlainText {
    fn content(_: &mut Schemas) -> Value {
        json!({ "text/plain": {} })
    }
}

impl Shape for Table {
    fn content(_: &mut Schemas) -> Value {
        json!({ "text/csv": {} })
    }
}

impl Shape for Archive {
    fn content(_: &mut Schemas) -> Value {
        json!({ "application/x-tar": {} })
    }
}

impl Shape for RecordView {
    fn content(schemas: &mut Schemas) -> Value {
        let json = schemas.put("RecordView", record_view());
        json!({ "application/json": { "schema": json }, "application/xml": {} })
    }
}

fn record_view() -> Value {
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
