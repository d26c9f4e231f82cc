//! The national format: xmllint and a JSON Schema validator as oracles, in both directions.

use std::{fmt::Write as _, fs, process::Command};

use serde_json::{Map, Value};
use tsunagi::{
    cli::schemas::files,
    domain::format::{
        NAMESPACE, ROOT,
        definition::{Field, FieldContent},
        lexical::Lexical,
        publish::json_schema,
        sections::SECTIONS,
        validate::MAX_FAULTS,
    },
    wire::{json, xml},
};

/// A document as a tree of names and texts: written as XML and as JSON, valid or not.
#[derive(Clone)]
enum Tree {
    Text(String, String),
    Parent(String, Vec<Tree>),
}

impl Tree {
    fn name(&self) -> &str {
        match self {
            Self::Text(name, _) | Self::Parent(name, _) => name,
        }
    }

    fn to_xml(&self, out: &mut String) {
        match self {
            Self::Text(name, text) => {
                let escaped: String = text
                    .chars()
                    .map(|c| match c {
                        '<' => "&lt;".to_owned(),
                        '&' => "&amp;".to_owned(),
                        '>' => "&gt;".to_owned(),
                        '\r' => "&#13;".to_owned(),
                        c => c.to_string(),
                    })
                    .collect();
                write!(out, "<{name}>{escaped}</{name}>").unwrap();
            }
            Self::Parent(name, children) => {
                write!(out, "<{name}>").unwrap();
                children.iter().for_each(|child| child.to_xml(out));
                write!(out, "</{name}>").unwrap();
            }
        }
    }
}

fn sample(field: &Field) -> Vec<Tree> {
    let one = match field.content {
        FieldContent::Children(children) => Tree::Parent(field.name.into(), children.iter().flat_map(sample).collect()),
        FieldContent::Code(list) => Tree::Text(field.name.into(), list.codes[0].0.into()),
        FieldContent::Text(lexical) => Tree::Text(
            field.name.into(),
            match lexical {
                Lexical::Line(_) | Lexical::Text(_) => "架空の文",
                Lexical::Kana => "カクウ コ",
                Lexical::Date | Lexical::PartialDate => "平成30年4月1日",
                Lexical::DateTime => "2026-04-01T09:30",
                Lexical::Phone => "03-0000-0000",
                Lexical::PostalCode => "270-0000",
                Lexical::MunicipalityCode => "122327",
                Lexical::OrganizationCode => "120006-04",
            }
            .into(),
        ),
    };
    if field.occurs.is_repeatable() { vec![one.clone(), one] } else { vec![one] }
}

/// A document with every element of the format.
fn whole() -> Vec<Tree> {
    SECTIONS.iter().flat_map(|section| sample(&section.field)).collect()
}

fn to_xml(sections: &[Tree]) -> String {
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{ROOT} xmlns=\"{NAMESPACE}\">\n");
    sections.iter().for_each(|section| section.to_xml(&mut out));
    out + &format!("</{ROOT}>\n")
}

/// The same tree as JSON; `None` where JSON cannot say it (a single element twice).
fn to_json(sections: &[Tree]) -> Option<Value> {
    let fields: Vec<&Field> = SECTIONS.iter().map(|section| &section.field).collect();
    let Value::Object(mut object) = object_of(sections, &fields)? else { return None };
    object.insert("format".into(), NAMESPACE.into());
    Some(Value::Object(object))
}

fn object_of(children: &[Tree], fields: &[&Field]) -> Option<Value> {
    let mut object = Map::new();
    for child in children {
        let field = fields.iter().find(|field| field.name == child.name());
        let value = match child {
            Tree::Text(_, text) => Value::String(text.clone()),
            Tree::Parent(_, inner) => match field.map(|field| field.content) {
                Some(FieldContent::Children(fields)) => object_of(inner, &fields.iter().collect::<Vec<_>>())?,
                _ => object_of(inner, &[])?,
            },
        };
        if field.is_some_and(|field| field.occurs.is_repeatable()) {
            let array = object.entry(child.name()).or_insert_with(|| Value::Array(Vec::new()));
            array.as_array_mut()?.push(value);
        } else if object.insert(child.name().into(), value).is_some() {
            return None;
        }
    }
    Some(Value::Object(object))
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "x",
    "1",
    "01",
    "9",
    "99",
    "0",
    "2018-04-01",
    "2018-02-29",
    "2020-02-29",
    "2018-4-1",
    "2018-04",
    "2018-13",
    "2018",
    "1799",
    "20180401",
    "H30.4.1",
    "H31.4.30",
    "H31.5.1",
    "R1.4.30",
    "R元.5.1",
    "令和元年5月1日",
    "平成31年4月30日",
    "平成32年1月1日",
    "S64.1.7",
    "S64.1.8",
    "昭和64年1月7日",
    "明治5年12月2日",
    "M6.1.1",
    "T15.12.24",
    "T15.12.25",
    "R8",
    "R8.11",
    "令和8年",
    "令和8年11月",
    "令和8年11月31日",
    "２０１８－０４－０１",
    "2018-04-01T09:30",
    "2018-04-01T24:00",
    "2018-04-01Z",
    " 2018-04-01",
    "タカハシ　ハナコ",
    "ﾀｶﾊｼ ﾊﾅｺ",
    "たかはし",
    "高橋",
    "花\u{E0100}子",
    "\u{E000}",
    "a\u{200B}b",
    "a\u{202E}b",
    "a\tb",
    "a\nb",
    "a\rb",
    "a\u{85}b",
    "\u{FEFF}a",
    "\u{FFFD}",
    "𠮷野",
    "👧",
    "<&>\"'",
    "]]",
    "]]>",
    "03-0000-0000",
    "+81-3-0000-0000",
    "2700000",
    "270-0000",
    "122327",
    "12232",
    "120006-04",
    "ministry",
    "Ministry",
    "\u{10FFFD}",
    "\u{F0000}",
    "é",
    "e\u{301}",
];

/// Every way of spoiling (or not) one place of a document.
fn variants(sections: &[Tree], out: &mut Vec<Vec<Tree>>) {
    fn at(children: &[Tree], rebuild: &dyn Fn(Vec<Tree>) -> Vec<Tree>, out: &mut Vec<Vec<Tree>>) {
        for index in 0..children.len() {
            let with = |replacement: Vec<Tree>| {
                let mut changed = children.to_vec();
                changed.splice(index..=index, replacement);
                rebuild(changed)
            };
            let child = &children[index];
            out.push(with(vec![]));
            out.push(with(vec![child.clone(), child.clone()]));
            out.push(with(vec![Tree::Text("unknownElement".into(), "x".into())]));
            if index + 1 < children.len() {
                let mut swapped = children.to_vec();
                swapped.swap(index, index + 1);
                out.push(rebuild(swapped));
            }
            match child {
                Tree::Text(name, _) => {
                    out.extend(TEXTS.iter().map(|text| with(vec![Tree::Text(name.clone(), (*text).into())])));
                    out.push(with(vec![Tree::Text(name.clone(), "あ".repeat(20_001))]));
                    out.push(with(vec![Tree::Text(name.clone(), "あ".repeat(120))]));
                    out.push(with(vec![Tree::Parent(name.clone(), vec![Tree::Text("x".into(), "y".into())])]));
                }
                Tree::Parent(name, inner) => {
                    out.push(with(vec![Tree::Text(name.clone(), "文字".into())]));
                    out.push(with(vec![Tree::Text(name.clone(), String::new())]));
                    let rebuild_inner = |inner| with(vec![Tree::Parent(name.clone(), inner)]);
                    at(inner, &rebuild_inner, out);
                }
            }
        }
    }
    at(sections, &|sections| sections, out);
}

/// Documents that differ below the level of elements.
fn syntax_corpus() -> Vec<(String, String)> {
    let good = to_xml(&whole());
    let body = good.split_once("?>\n").unwrap().1.to_owned();
    let in_child = |text: &str| good.replacen("<written>架空の文</written>", &format!("<written>{text}</written>"), 1);
    let mut corpus: Vec<(&str, String)> = vec![
        ("good", good.clone()),
        ("without declaration", body.clone()),
        ("byte order mark", format!("\u{FEFF}{good}")),
        ("empty", String::new()),
        ("only text", "x".into()),
        ("truncated", good[..good.len() - 4].into()),
        ("two documents", format!("{good}{body}")),
        ("text after", format!("{good}x")),
        ("text before", good.replacen("?>\n", "?>\nx", 1)),
        ("wrong root", good.replace(ROOT, "record")),
        ("no namespace", good.replace(&format!(" xmlns=\"{NAMESPACE}\""), "")),
        ("wrong namespace", good.replace(NAMESPACE, "urn:other")),
        ("unknown attribute", good.replacen("<index>", "<index a=\"1\">", 1)),
        ("same attribute twice", good.replacen("<index>", "<index a=\"1\" a=\"2\">", 1)),
        (
            "prefixed",
            good.replace(&format!("<{ROOT} xmlns="), &format!("<t:{ROOT} xmlns="))
                .replace(&format!("</{ROOT}"), &format!("</t:{ROOT}")),
        ),
        ("comment", good.replacen("<index>", "<!-- comment --><index>", 1)),
        ("comment in text", in_child("架<!-- x -->空")),
        ("bad comment", good.replacen("<index>", "<!-- a -- b --><index>", 1)),
        ("processing instruction", good.replacen("<index>", "<?pi data?><index>", 1)),
        ("declaration late", good.replacen("<index>", "<?xml version=\"1.0\"?><index>", 1)),
        ("cdata", in_child("<![CDATA[架空<&>]]>")),
        ("entities", in_child("&amp;&lt;&gt;&quot;&apos;&#x67B6;&#26550;")),
        ("unknown entity", in_child("&nbsp;")),
        ("bare ampersand", in_child("a & b")),
        ("character reference to control", in_child("&#1;")),
        ("character reference to surrogate", in_child("&#xD800;")),
        ("character reference to noncharacter", in_child("&#xFFFF;")),
        ("raw control", in_child("a\u{1}b")),
        ("raw noncharacter", in_child("a\u{FFFE}b")),
        ("cdata end in text", in_child("a]]>b")),
        ("crossed tags", good.replacen("</index>", "</contact>", 1)),
        ("text between elements", good.replacen("<index>", "x<index>", 1)),
        ("white space between elements", good.replacen("<index>", " \t\n<index>", 1)),
        ("crlf", good.replace("><", ">\r\n<")),
        ("element in text", in_child("架<b>空</b>")),
        ("version 2", good.replacen("1.0", "2.0", 1)),
        ("attribute with angle", good.replacen("<index>", "<index a=\"<\">", 1)),
        ("unquoted attribute", good.replacen("<index>", "<index a=1>", 1)),
        ("name with colon", good.replacen("<index>", "<x:index>", 1).replacen("</index>", "</x:index>", 1)),
    ];
    let prefixed = to_xml(&whole())
        .replace('<', "<t:")
        .replace("<t:/", "</t:")
        .replace("<t:?", "<?")
        .replace("xmlns=", "xmlns:t=");
    corpus.push(("prefixed throughout", prefixed));
    corpus.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

/// Where the gateway is stricter than the schema, and why.
const STRICTER: &[(&str, &str)] = &[
    ("<!DOCTYPE childRecord>", "a document type opens the door to entities"),
    ("xsi:schemaLocation", "the format has no attributes: the namespace alone says which schema"),
];

fn verdicts_of_xmllint(documents: &[String]) -> Vec<bool> {
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema.xsd");
    fs::write(&schema, tsunagi::domain::format::publish::xml_schema()).unwrap();
    let mut verdicts = Vec::new();
    for chunk in documents.chunks(500) {
        let names: Vec<String> = (0..chunk.len()).map(|n| format!("{n:04}.xml")).collect();
        for (name, document) in names.iter().zip(chunk) {
            fs::write(directory.path().join(name), document).unwrap();
        }
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema", "schema.xsd"])
            .args(&names)
            .current_dir(directory.path())
            .output()
            .expect("xmllint (package libxml2-utils) is needed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        verdicts.extend(names.iter().map(|name| said.lines().any(|line| line == format!("{name} validates"))));
    }
    verdicts
}

/// Documents on which a reader and xmllint differ, and how many xmllint accepts.
fn divergences(documents: &[(String, String)], accepts: impl Fn(&str) -> bool) -> (Vec<String>, usize) {
    let texts: Vec<String> = documents.iter().map(|(_, text)| text.clone()).collect();
    let oracle = verdicts_of_xmllint(&texts);
    let differ = documents.iter().zip(&oracle).filter(|((_, text), expected)| accepts(text) != **expected);
    let differ = differ.map(|((name, text), expected)| format!("{name}: xmllint says {expected}\n{text}")).collect();
    (differ, oracle.iter().filter(|valid| **valid).count())
}

fn corpus() -> Vec<(String, String)> {
    let mut trees = vec![whole()];
    variants(&whole(), &mut trees);
    let mut documents = syntax_corpus();
    documents.extend(trees.iter().enumerate().map(|(n, tree)| (format!("variant {n}"), to_xml(tree))));
    documents
}

#[test]
fn xmllint_agrees_on_every_spoilt_document() {
    let documents = corpus();
    let (differ, valid) = divergences(&documents, |text| xml::read(text.as_bytes()).is_ok());
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ[..differ.len().min(5)].join("\n"));
    println!("{} documents, {valid} valid, no divergence", documents.len());
    assert!(documents.len() > 3_000 && valid > 300, "{} {valid}", documents.len());
}

/// The twin: readers with one planted laxity each are caught.
#[test]
fn a_lax_reader_is_caught() {
    let documents = corpus();
    for (strict, lax) in [
        ("<sex>99</sex>", "<sex>9</sex>"),
        ("令和8年11月31日", "令和8年11月30日"),
        ("<unknownElement>x</unknownElement>", ""),
    ] {
        let few: Vec<_> = documents.iter().filter(|(_, text)| text.contains(strict)).cloned().collect();
        let (differ, _) = divergences(&few, |text| xml::read(text.replace(strict, lax).as_bytes()).is_ok());
        assert!(!differ.is_empty(), "{strict} read as {lax} went unnoticed");
    }
}

#[test]
fn stricter_than_the_schema_where_it_is_said() {
    let good = to_xml(&whole());
    let typed = good.replacen("?>\n", &format!("?>\n{}\n", STRICTER[0].0), 1);
    let located = good.replacen(
        "xmlns=",
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x x.xsd\" xmlns=",
        1,
    );
    for document in [typed, located] {
        assert_eq!(verdicts_of_xmllint(std::slice::from_ref(&document)), [true], "{document}");
        assert!(xml::read(document.as_bytes()).is_err());
    }
}

#[test]
fn xml_and_json_mean_the_same() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut trees = vec![whole()];
    variants(&whole(), &mut trees);
    let (mut compared, mut valid) = (0, 0);
    for tree in &trees {
        let Some(value) = to_json(tree) else { continue };
        let as_json = json::read(value.to_string().as_bytes());
        assert_eq!(as_json.is_ok(), validator.is_valid(&value), "schema and reader differ on {value}");
        let as_xml = xml::read(to_xml(tree).as_bytes());
        compared += 1;
        match (as_xml, as_json) {
            (Ok(from_xml), Ok(from_json)) => {
                valid += 1;
                assert!(from_xml == from_json, "the two forms read differently: {value}");
                assert!(
                    json::read(json::write(from_xml.sections()).to_string().as_bytes()).is_ok_and(|d| d == from_xml)
                );
                let rewritten = xml::write(from_json.sections().map(|(_, element)| element));
                assert!(xml::read(rewritten.as_bytes()).is_ok_and(|d| d == from_json));
            }
            (Err(_), Err(_)) => {}
            // The order of elements is a rule of XML alone.
            (Err(faults), Ok(_)) => assert!(faults.iter().all(|fault| fault.rule == "element_order"), "{faults:?}"),
            // An empty parent is one thing in XML; as a JSON string it is of the wrong type.
            (Ok(_), Err(faults)) => assert!(faults.iter().all(|fault| fault.rule == "elements_expected"), "{faults:?}"),
        }
    }
    assert!(compared > 3_000 && valid > 300, "{compared} {valid}");
}

#[test]
fn faults_name_line_path_and_rule_in_both_languages_and_quote_nothing() {
    let document = "<childRecord xmlns=\"urn:tsunagi:national-format:v1\">\n<index>\n<child>\n<name><written>秘密 太郎</written></name>\n\
        <sex>秘密</sex>\n<birthDate>秘密の日</birthDate>\n</child>\n</index>\n</childRecord>";
    let faults = xml::read(document.as_bytes()).err().unwrap();
    let places: Vec<(u64, &str, &str)> = faults.iter().map(|f| (f.line, f.path.as_str(), &*f.rule)).collect();
    assert_eq!(
        places,
        [
            (5, "/childRecord/index/child/sex", "code_list"),
            (6, "/childRecord/index/child/birthDate", "text_form"),
            (2, "/childRecord/index/guardian", "element_missing"),
            (1, "/childRecord/contact", "element_missing"),
            (1, "/childRecord/officer", "element_missing"),
        ]
    );
    for fault in &faults {
        assert!(!fault.message_ja.is_empty() && !fault.message_en.is_empty());
        assert!(!format!("{fault:?}").contains("秘密"));
    }
}

#[test]
fn hostile_documents_cost_little_and_are_refused() {
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    let wide: String = (0..60_000).map(|n| format!(" a{n}=\"1\"")).collect();
    let wide = format!("<{ROOT} xmlns=\"{NAMESPACE}\"{wide}></{ROOT}>");
    let many_lines = format!("<{ROOT} xmlns=\"{NAMESPACE}\">{}", "<x/>\n".repeat(300_000));
    let json_deep = format!("{{\"format\":\"{NAMESPACE}\",\"index\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let started = std::time::Instant::now();
    for document in [deep, wide, many_lines] {
        assert!(xml::read(document.as_bytes()).is_err());
    }
    assert!(json::read(json_deep.as_bytes()).is_err());
    println!("refused in {:?}", started.elapsed());
}

#[test]
fn a_document_with_more_faults_than_are_told_costs_no_more() {
    let good = to_json(&whole()).unwrap();
    let shields = |named: String| {
        let mut document = good.clone();
        document["shield"]["named"] = Value::String("NAMED".into());
        json::read(document.to_string().replace("\"NAMED\"", &named).as_bytes()).err().unwrap_or_default()
    };
    let arrays = |count: usize| format!("[{}]", vec!["[]"; count].join(","));
    // A fault for each as long as they are reported.
    for count in [1, MAX_FAULTS - 1, MAX_FAULTS] {
        assert_eq!(shields(arrays(count)).len(), count);
    }
    assert_eq!(shields(arrays(700_000)).len(), MAX_FAULTS);
    // Those of the form and those of the content are one list.
    let codes = |count: usize| format!("[[],{}]", vec!["\"\""; count].join(","));
    assert_eq!(shields(codes(MAX_FAULTS - 2)).len(), MAX_FAULTS - 1);
    assert_eq!(shields(codes(MAX_FAULTS + 2)).len(), MAX_FAULTS);
    // Wherever they are: members that must be arrays, and none that may be one.
    let members = |value: &str, count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"a{n}\":{value}")).collect();
        let text = format!("{{\"format\":\"{NAMESPACE}\",\"index\":{{{}}}}}", members.join(","));
        json::read(text.as_bytes()).err().unwrap_or_default().len()
    };
    for value in ["[]", "[[]]", "{}", "\"x\""] {
        assert_eq!(members(value, 100_000), MAX_FAULTS, "{value}");
    }
    let xml = format!("<{ROOT} xmlns=\"{NAMESPACE}\">{}</{ROOT}>", "<x/>".repeat(300_000));
    assert_eq!(xml::read(xml.as_bytes()).err().unwrap_or_default().len(), MAX_FAULTS);
}

#[test]
fn json_refuses_what_its_parsers_often_let_through() {
    let good = to_json(&whole()).unwrap().to_string();
    assert!(json::read(good.as_bytes()).is_ok());
    for (what, text) in [
        ("repeated key", good.replacen("\"format\":", "\"format\":\"x\",\"format\":", 1)),
        ("number", good.replacen("\"1\"", "1", 1)),
        ("null", good.replacen("\"1\"", "null", 1)),
        ("trailing comma", good.replacen("\"}", "\",}", 1)),
        ("second document", format!("{good}{good}")),
        ("lone surrogate", good.replacen("架空の文", "\\ud800", 1)),
        ("comment", format!("/* x */{good}")),
        ("not utf-8", "\u{FFFD}".into()),
        ("array", "[]".into()),
        ("other format", good.replace(NAMESPACE, "urn:other")),
    ] {
        assert!(json::read(text.as_bytes()).is_err(), "{what}");
    }
    assert!(json::read(&[0xFF, 0xFE, b'{', 0]).is_err());
    assert!(xml::read(&[0xFE, 0xFF, 0, b'<']).is_err());
}

#[test]
fn committed_schemas_are_those_of_the_definition() {
    for (name, text) in files().unwrap() {
        let committed = fs::read_to_string(format!("{}/schemas/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(committed == text, "schemas/{name} is not what `make schemas` writes");
    }
}

/// Found by the XML conformance suite: a parser that only looks for tags lets these pass.
#[test]
fn what_is_not_xml_is_refused() {
    let whole = to_xml(&whole());
    let (_, root) = whole.split_once('\n').unwrap();
    let declared = |declaration: &str| format!("{declaration}\n{root}");
    let with = |inserted: &str| whole.replacen("<index>", &format!("{inserted}<index>"), 1);
    let namespaces = |more: &str| whole.replacen(&format!("\"{NAMESPACE}\""), &format!("\"{NAMESPACE}\"{more}"), 1);
    let documents = vec![
        format!("\u{FEFF}\u{FEFF}{whole}"),
        declared("<?xml version=\"1.0\"encoding=\"UTF-8\"?>"),
        declared("<?xml version=\"1.0\" standalone=\"YES\"?>"),
        declared("<?xml version=\"1.0\" standalone=\"yes\" encoding=\"UTF-8\"?>"),
        declared("<?xml version=\"1.0\" version=\"1.0\"?>"),
        with("<? ?>"),
        with("<?target+++?>"),
        with("<123/>"),
        namespaces(" xmlns:a=\"&nothing;\""),
        namespaces(" xmlns:a=\"&\""),
        namespaces(" xmlns:.a=\"urn:a\""),
        namespaces("xmlns:a=\"urn:a\""),
    ];
    assert!(verdicts_of_xmllint(std::slice::from_ref(&whole)) == [true] && xml::read(whole.as_bytes()).is_ok());
    for document in &documents {
        let faults = xml::read(document.as_bytes()).err().unwrap_or_default();
        let rules: Vec<&str> = faults.iter().map(|f| &*f.rule).collect();
        assert!(matches!(rules.as_slice(), ["well_formed" | "xml_declaration"]), "{rules:?}: {document}");
    }
    for good in [namespaces(" xmlns:a=\"urn:a&amp;b\""), with("<?target any?><!-- - -->"), format!("\u{FEFF}{whole}")] {
        assert!(xml::read(good.as_bytes()).is_ok(), "{good}");
    }
}
