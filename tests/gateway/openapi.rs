//! The API describes itself, offline; errors are documented.

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
    for route in routes::all() {
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

/// What the requests of operations are made of is declared: query parameters, `If-Match`, the purpose, the key.
#[test]
fn the_document_names_everything_of_a_call_that_is_read() {
    let document = tsunagi::server::openapi::document();
    let parameters: Vec<Value> = routes::all()
        .flat_map(|route| {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            operation["parameters"].as_array().unwrap().clone()
        })
        .collect();
    let mut documented: Vec<&str> = parameters
        .iter()
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    let mut sources = String::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    let read = regex::Regex::new(r#"(?:query\.get|\.number|\.query_id)\("(\w+)""#).unwrap();
    let mut used: Vec<&str> = read.captures_iter(&sources).map(|found| found.get(1).unwrap().as_str()).collect();
    for names in [&mut documented, &mut used] {
        names.sort_unstable();
        names.dedup();
    }
    assert_eq!(documented, used);
    for (header, reading, declared) in
        [("if-match", "call.if_match()?", ".if_match()"), ("tsunagi-purpose", "call.purpose()?", ".purpose()")]
    {
        let count = |pattern: &str| sources.matches(pattern).count();
        let documented = parameters.iter().filter(|parameter| parameter["name"] == header).count();
        assert!(documented > 0 && count(reading) > 0, "{header}");
        assert_eq!(documented, sources.lines().filter(|line| line.trim() == declared).count(), "{header}");
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
