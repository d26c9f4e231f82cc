//! The form in which a document is kept, inside its encryption: names and texts as nested JSON arrays.

use serde_json::{Value, json};

use super::{
    Document, Element,
    definition::{Field, FieldContent},
    document::child_field,
    sections::SECTIONS,
};

/// The bytes to encrypt.
pub fn to_bytes(document: &Document) -> Vec<u8> {
    let sections: Vec<Value> = document.sections().map(|(_, element)| to_value(element)).collect();
    Value::Array(sections).to_string().into_bytes()
}

/// The bytes of one section, by which two are compared.
pub(super) fn section_bytes(section: &Element) -> Vec<u8> {
    to_value(section).to_string().into_bytes()
}

fn to_value(element: &Element) -> Value {
    match element {
        Element::Text { name, text } => json!([name, text]),
        Element::Parent { name, children } => json!([name, children.iter().map(to_value).collect::<Vec<_>>()]),
    }
}

/// Reads what [`to_bytes`] wrote. Elements that the definition no longer knows are left out.
pub fn from_bytes(bytes: &[u8]) -> Option<Document> {
    let Value::Array(values) = serde_json::from_slice(bytes).ok()? else { return None };
    let mut sections = Vec::new();
    for value in values {
        let name = value.get(0)?.as_str()?.to_owned();
        let Some(section) = SECTIONS.iter().find(|section| section.field.name == name) else { continue };
        sections.push((section.group, from_value(value, &section.field)?));
    }
    Some(Document::new(sections))
}

fn from_value(mut value: Value, field: &'static Field) -> Option<Element> {
    match (value.get_mut(1)?.take(), field.content) {
        (Value::String(text), FieldContent::Text(_) | FieldContent::Code(_)) => {
            Some(Element::Text { name: field.name, text })
        }
        (Value::Array(values), FieldContent::Children(_)) => {
            let children = values
                .into_iter()
                .filter_map(|value| {
                    let child = child_field(field, value.get(0)?.as_str()?)?;
                    from_value(value, child)
                })
                .collect();
            Some(Element::Parent { name: field.name, children })
        }
        _ => None,
    }
}
