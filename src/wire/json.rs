//! The JSON form of the national format: the same elements, every value a string, repeated elements as arrays.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{MAX_DEPTH, syntax_fault};
use crate::domain::{
    format::{
        Document, Element, Fault, NAMESPACE, ROOT, RawContent, RawNode,
        definition::{Field, FieldContent},
        document::{child_field, section_field},
        validate::{MAX_FAULTS, Order, validate},
    },
    visibility::ItemGroup,
};

/// Reads and validates a document.
///
/// # Errors
/// A fault of syntax with its line, or the faults of content with their paths, at most 100.
pub fn read(bytes: &[u8]) -> Result<Document, Vec<Fault>> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            let line = error.line() as u64;
            syntax_fault(
                line,
                "/",
                "json_syntax",
                "JSONとして正しくないか、同じ項目が2回あるか、値が文字列でないか、入れ子が64段を超えています。",
                "The JSON is not well-formed, repeats a key, holds a value that is not a string, or is nested more than 64 deep.",
            )
        })?;
    let JsonValue::Object(members) = value else {
        return Err(syntax_fault(
            1,
            "/",
            "root_element",
            "最上位はオブジェクトとしてください。",
            "The top level must be an object.",
        ));
    };
    let mut sections = Vec::new();
    let mut format = None;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("format", JsonValue::Text(text)) => format = Some(text),
            (_, value) => sections.push((name, value)),
        }
    }
    if format.as_deref() != Some(NAMESPACE) {
        return Err(syntax_fault(
            1,
            "/format",
            "namespace",
            &format!("format は {NAMESPACE} としてください。"),
            &format!("format must be {NAMESPACE}."),
        ));
    }
    let mut faults = Faults(Vec::new());
    let children = sections
        .into_iter()
        .flat_map(|(name, value)| {
            let field = crate::domain::format::sections::SECTIONS.iter().map(|s| &s.field).find(|f| f.name == name);
            nodes(name, value, field, &format!("/{ROOT}"), &mut faults)
        })
        .collect();
    let root = RawNode { name: ROOT.to_owned(), line: 0, content: RawContent::Children(children) };
    if faults.is_full() {
        return Err(faults.0);
    }
    match validate(root, Order::Free) {
        Ok(document) if faults.0.is_empty() => Ok(document),
        Ok(_) => Err(faults.0),
        Err(more) => {
            let room = MAX_FAULTS.saturating_sub(faults.0.len());
            faults.0.extend(more.into_iter().take(room));
            Err(faults.0)
        }
    }
}

/// Faults about arrays: where none may be, or none where one must be. A document of two megabytes has room for 700,000:
/// when there are as many as are reported, nothing more is read.
struct Faults(Vec<Fault>);

impl Faults {
    fn is_full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }

    fn array_or_single(&mut self, path: &str, ja: &str, en: &str) {
        if !self.is_full() {
            self.0.extend(syntax_fault(0, path, "array_or_single", ja, en));
        }
    }
}

/// A JSON value as the format allows it: strings, arrays and objects.
enum JsonValue {
    Text(String),
    Array(Vec<JsonValue>),
    Object(Vec<(String, JsonValue)>),
}

/// One member of an object as the nodes it stands for: an array is that many elements of one name.
fn nodes(
    name: String,
    value: JsonValue,
    field: Option<&'static Field>,
    path: &str,
    faults: &mut Faults,
) -> Vec<RawNode> {
    if faults.is_full() {
        return Vec::new();
    }
    let repeatable = field.is_some_and(|field| field.occurs.is_repeatable());
    match (value, repeatable) {
        (JsonValue::Array(items), true) => {
            // A mandatory repeated element is missing, not empty, when its array is: the validator says so.
            let mut nodes = Vec::new();
            for item in items {
                if faults.is_full() {
                    break;
                }
                nodes.extend(node(name.clone(), item, field, path, faults));
            }
            nodes
        }
        (JsonValue::Array(_), false) if field.is_some() => {
            let (ja, en) = ("この項目は配列にできません。", "This element may not be an array.");
            faults.array_or_single(&format!("{path}/{name}"), ja, en);
            Vec::new()
        }
        (_, true) => {
            let (ja, en) =
                ("繰り返しのできる項目は配列で記載してください。", "An element that may repeat must be an array.");
            faults.array_or_single(&format!("{path}/{name}"), ja, en);
            Vec::new()
        }
        (value, false) => node(name, value, field, path, faults).into_iter().collect(),
    }
}

fn node(
    name: String,
    value: JsonValue,
    field: Option<&'static Field>,
    path: &str,
    faults: &mut Faults,
) -> Option<RawNode> {
    let path = format!("{path}/{}", field.map_or("?", |field| field.name));
    let content = match value {
        JsonValue::Text(text) => RawContent::Text(text),
        JsonValue::Object(members) => RawContent::Children(
            members
                .into_iter()
                .flat_map(|(child, value)| {
                    let child_definition = field.and_then(|field| child_field(field, &child));
                    nodes(child, value, child_definition, &path, faults)
                })
                .collect(),
        ),
        JsonValue::Array(_) => {
            faults.array_or_single(&path, "配列の中に配列を置くことはできません。", "Arrays may not hold arrays.");
            return None;
        }
    };
    Some(RawNode { name, line: 0, content })
}

/// Reads a [`JsonValue`], refusing repeated keys, other types and too much depth.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = JsonValue;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<JsonValue, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(de::Error::custom("too deep"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = JsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array or an object")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<JsonValue, E> {
        Ok(JsonValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<JsonValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(Strict { depth: self.depth + 1 })? {
            items.push(item);
        }
        Ok(JsonValue::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonValue, A::Error> {
        let mut members: Vec<(String, JsonValue)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(de::Error::custom("repeated key"));
            }
            members.push((name, map.next_value_seed(Strict { depth: self.depth + 1 })?));
        }
        Ok(JsonValue::Object(members))
    }
}

/// One section as a JSON value.
pub fn section_value(group: ItemGroup, element: &Element) -> Value {
    section_field(group).map_or(Value::Null, |field| element_value(field, element))
}

fn element_value(field: &'static Field, element: &Element) -> Value {
    let FieldContent::Children(children) = field.content else {
        return Value::String(element.text().unwrap_or_default().to_owned());
    };
    let mut object = Map::new();
    for child in children {
        let mut values = element.each(child.name).map(|element| element_value(child, element));
        if child.occurs.is_repeatable() {
            let all: Vec<Value> = values.collect();
            if !all.is_empty() {
                object.insert(child.name.to_owned(), Value::Array(all));
            }
        } else if let Some(one) = values.next() {
            object.insert(child.name.to_owned(), one);
        }
    }
    Value::Object(object)
}

/// Writes sections as a document of the JSON form.
pub fn write<'e>(sections: impl Iterator<Item = (ItemGroup, &'e Element)>) -> Value {
    let mut object = Map::new();
    object.insert("format".into(), Value::String(NAMESPACE.to_owned()));
    for (group, element) in sections {
        object.insert(element.name().to_owned(), section_value(group, element));
    }
    Value::Object(object)
}
