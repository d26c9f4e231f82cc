//! The API describes itself, offline; errors are documented.

use std::collections::BTreeSet;

use serde_json::Value;
use tsunagi::wire::routes;

use crate::harness::*;

fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                found.push(reference);
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_every_route_and_no_loose_end() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let document = json(&city.client.get("/openapi.json").send().await.unwrap());
    assert_eq!(document["openapi"], "3.1.0");
    for route in routes::all().map(|api| &api.route) {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], route.operation, "{} {}", route.method, route.path);
        let content = &operation["responses"]["2XX"]["content"];
        assert!(content.as_object().is_some_and(|content| !content.is_empty()), "{}", route.operation);
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// The source of the API's face, file by file.
fn faces() -> Vec<String> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire")).unwrap();
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// What a piece of the source reads of a call, by itself or by a function of the same file to which it gives the call.
fn read_of_call(piece: &str, file: &str, read: &mut BTreeSet<String>) {
    for (reading, name) in [
        ("call.if_match()", "if-match"),
        ("call.purpose()", "tsunagi-purpose"),
        ("call.idempotency()", "idempotency-key"),
    ] {
        if piece.contains(reading) {
            read.insert(name.to_owned());
        }
    }
    let parameter = regex::Regex::new(r#"(?:query\.get|\.number|\.query_id)\("(\w+)""#).unwrap();
    read.extend(parameter.captures_iter(piece).map(|found| found[1].to_owned()));
    for page in ["after", "before"] {
        if piece.contains(&format!("call.{page}()")) {
            read.insert(page.to_owned());
        }
    }
    let given = regex::Regex::new(r"\b(\w+)\((?:&?call|&call, [^)]*)\)").unwrap();
    for found in given.captures_iter(piece) {
        if let Some(body) = file.split(&format!("fn {}(", &found[1])).nth(1) {
            let body = body.split("\n}").next().unwrap();
            assert!(!body.contains(&format!("{}(&call)", &found[1])), "a function that calls itself");
            read_of_call(body, file, read);
        }
    }
}

/// What routes read of a call without saying so, or say and do not read: one line for each.
fn undeclared(faces: &[String]) -> Vec<String> {
    let document = tsunagi::server::openapi::document();
    let operation = regex::Regex::new(r"run!\(\s*(\w+)").unwrap();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in faces {
        let Some(routes) = file.split("pub const ROUTES").nth(1) else { continue };
        for piece in routes.split("\n];").next().unwrap().split(".words(").skip(1) {
            let Some(name) = operation.captures(piece) else { continue };
            let route = routes::all().map(|api| &api.route).find(|route| route.operation == &name[1]).unwrap();
            let described = &document["paths"][route.path][route.method.as_str().to_lowercase()]["parameters"];
            let of_call = |parameter: &&Value| {
                match parameter["name"].as_str().unwrap() {
                    // A client may send a key with every write; some calls do without.
                    "idempotency-key" => parameter["required"] == true,
                    "if-match" | "tsunagi-purpose" => true,
                    _ => parameter["in"] == "query",
                }
            };
            let declared: BTreeSet<String> = described
                .as_array()
                .unwrap()
                .iter()
                .filter(of_call)
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect();
            let mut read = BTreeSet::new();
            read_of_call(piece, file, &mut read);
            if declared != read {
                wrong.push(format!("{} declares {declared:?} and reads {read:?}", route.operation));
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "the routes were not found");
    wrong
}

/// What the requests of operations are made of is declared: query parameters, `If-Match`, the purpose, the key.
#[test]
fn the_document_names_everything_of_a_call_that_is_read() {
    let wrong = undeclared(&faces());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The twin: what is read and not declared is found, and what is declared and not read.
#[test]
fn a_reading_that_is_not_declared_is_found() {
    for (is, planted) in [
        ("ReadBatch { batch: call.id(\"id\")? }", "ReadBatch { batch: call.query_id(\"batch\")? }"),
        ("ReadBatch { batch: call.id(\"id\")? }", "ReadBatch { batch: call.id(\"id\")?, purpose: call.purpose()? }"),
        ("version: call.if_match()?,", ""),
        ("Ok(ChangeEditLock { record: call.id(\"id\")?, idempotency: call.idempotency()? })", "Ok(ChangeEditLock {})"),
    ] {
        let mut faces = faces();
        let face = faces.iter_mut().find(|face| face.contains(is)).expect("a place to plant in");
        *face = face.replacen(is, planted, 1);
        assert!(!undeclared(&faces).is_empty(), "{planted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_loads_nothing_from_elsewhere() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let page = city.client.get("/docs/").send().await.unwrap();
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert!(!page.text().contains("http://") && !page.text().contains("https://"), "{}", page.text());
    let start = city.client.get("/docs/swagger-initializer.js").send().await.unwrap();
    assert!(start.text().contains("/openapi.json"));
    assert_eq!(city.client.get("/docs/swagger-ui-bundle.js").send().await.unwrap().status, 200);
}

#[test]
fn every_error_code_is_documented() {
    let documented = include_str!("../../docs/errors.md");
    let code = regex::Regex::new(r#"Problem::new\(\s*\d{3},\s*"([a-z_]+)""#).unwrap();
    let tables = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/error")).unwrap();
    let source: String = tables.map(|table| std::fs::read_to_string(table.unwrap().path()).unwrap()).collect();
    let codes: Vec<&str> = code.captures_iter(&source).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(codes.len(), source.matches("Problem::new(").count(), "{codes:?}");
    for code in codes {
        assert!(documented.contains(&format!("`{code}`")), "docs/errors.md does not explain {code}");
    }
}
