//! Prints the definition as an XML schema and as a JSON schema.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    NAMESPACE, ROOT, code_lists,
    definition::{Field, FieldContent, Occurs},
    lexical::Lexical,
    sections::SECTIONS,
};

/// The XML schema (XSD 1.0) of the national format.
pub fn xml_schema() -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns=\"{NAMESPACE}\" targetNamespace=\"{NAMESPACE}\" \
         elementFormDefault=\"qualified\">\n"
    );
    let _ =
        writeln!(out, "  <xs:element name=\"{ROOT}\">\n    {}", annotation("児童記録票（全国共通フォーマット v1）"));
    out.push_str("    <xs:complexType>\n      <xs:sequence>\n");
    for section in SECTIONS {
        write_field(&mut out, &section.field, 4);
    }
    out.push_str("      </xs:sequence>\n    </xs:complexType>\n  </xs:element>\n");
    for (name, lexical) in lexicals() {
        let _ = writeln!(out, "  <xs:simpleType name=\"{name}\">\n    {}", annotation(&lexical.rule().0));
        out.push_str("    <xs:restriction base=\"xs:string\">\n");
        let _ = writeln!(out, "      <xs:pattern value=\"{}\"/>", escape_pattern(&lexical.pattern()));
        if let Some(max) = lexical.max_length() {
            let _ = writeln!(out, "      <xs:maxLength value=\"{max}\"/>");
        }
        out.push_str("    </xs:restriction>\n  </xs:simpleType>\n");
    }
    for list in code_lists::ALL {
        let _ = writeln!(out, "  <xs:simpleType name=\"{}\">\n    {}", list.name, annotation(list.japanese));
        out.push_str("    <xs:restriction base=\"xs:string\">\n");
        for (code, meaning) in list.codes {
            let _ = writeln!(out, "      <xs:enumeration value=\"{code}\">{}</xs:enumeration>", annotation(meaning));
        }
        out.push_str("    </xs:restriction>\n  </xs:simpleType>\n");
    }
    out.push_str("</xs:schema>\n");
    out
}

fn write_field(out: &mut String, field: &Field, depth: usize) {
    let indent = "  ".repeat(depth);
    let occurs = match field.occurs {
        Occurs::Once => "",
        Occurs::AtMostOnce => " minOccurs=\"0\"",
        Occurs::AtLeastOnce => " maxOccurs=\"unbounded\"",
        Occurs::AnyNumber => " minOccurs=\"0\" maxOccurs=\"unbounded\"",
    };
    let type_name = match field.content {
        FieldContent::Text(lexical) => Some(lexical.name()),
        FieldContent::Code(list) => Some(list.name.to_owned()),
        FieldContent::Children(_) => None,
    };
    let type_attribute = type_name.map(|name| format!(" type=\"{name}\"")).unwrap_or_default();
    let _ = writeln!(
        out,
        "{indent}<xs:element name=\"{}\"{type_attribute}{occurs}>\n{indent}  {}",
        field.name,
        annotation(field.japanese)
    );
    if let FieldContent::Children(children) = field.content {
        let _ = writeln!(out, "{indent}  <xs:complexType>\n{indent}    <xs:sequence>");
        for child in children {
            write_field(out, child, depth + 3);
        }
        let _ = writeln!(out, "{indent}    </xs:sequence>\n{indent}  </xs:complexType>");
    }
    let _ = writeln!(out, "{indent}</xs:element>");
}

fn annotation(japanese: &str) -> String {
    format!("<xs:annotation><xs:documentation xml:lang=\"ja\">{japanese}</xs:documentation></xs:annotation>")
}

/// Characters outside printable ASCII and Japanese are written as references, so that the file can be read.
fn escape_pattern(pattern: &str) -> String {
    pattern
        .chars()
        .map(|c| match c {
            '<' => "&lt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            c if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() => c.to_string(),
            c => format!("&#x{:X};", c as u32),
        })
        .collect()
}

/// The JSON schema (2020-12) of the national format.
pub fn json_schema() -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert("format".into(), json!({ "const": NAMESPACE }));
    let mut required = vec![json!("format")];
    for section in SECTIONS {
        properties.insert(section.field.name.into(), field_schema(&section.field));
        if section.field.occurs.is_mandatory() {
            required.push(json!(section.field.name));
        }
    }
    let mut definitions = serde_json::Map::new();
    for (name, lexical) in lexicals() {
        let mut schema = json!({
            "type": "string",
            "description": lexical.rule().0,
            "pattern": format!("^(?:{})$", lexical.pattern()),
        });
        if let (Some(max), Some(object)) = (lexical.max_length(), schema.as_object_mut()) {
            object.insert("maxLength".into(), json!(max));
        }
        definitions.insert(name, schema);
    }
    for list in code_lists::ALL {
        let codes: Vec<Value> =
            list.codes.iter().map(|(code, meaning)| json!({ "const": code, "title": meaning })).collect();
        definitions.insert(list.name.into(), json!({ "description": list.japanese, "oneOf": codes }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": NAMESPACE,
        "title": "児童記録票（全国共通フォーマット v1）",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

fn field_schema(field: &Field) -> Value {
    let one = match field.content {
        FieldContent::Text(lexical) => {
            json!({ "$ref": format!("#/$defs/{}", lexical.name()), "description": field.japanese })
        }
        FieldContent::Code(list) => json!({ "$ref": format!("#/$defs/{}", list.name), "description": field.japanese }),
        FieldContent::Children(children) => {
            let properties: serde_json::Map<String, Value> =
                children.iter().map(|child| (child.name.to_owned(), field_schema(child))).collect();
            let required: Vec<&str> =
                children.iter().filter(|child| child.occurs.is_mandatory()).map(|child| child.name).collect();
            json!({
                "type": "object",
                "description": field.japanese,
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            })
        }
    };
    if field.occurs.is_repeatable() {
        json!({ "type": "array", "items": one, "minItems": usize::from(field.occurs.is_mandatory()) })
    } else {
        one
    }
}

/// Every kind of text in use, by name.
fn lexicals() -> BTreeMap<String, Lexical> {
    fn collect(field: &Field, into: &mut BTreeMap<String, Lexical>) {
        match field.content {
            FieldContent::Text(lexical) => {
                into.insert(lexical.name(), lexical);
            }
            FieldContent::Code(_) => {}
            FieldContent::Children(children) => children.iter().for_each(|child| collect(child, into)),
        }
    }
    let mut all = BTreeMap::new();
    SECTIONS.iter().for_each(|section| collect(&section.field, &mut all));
    all
}
