//! The API describes itself, offline; errors are documented.

use serde_json::Value;
use tsunagi::server::routes::ROUTES;

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
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], route.operation, "{} {}", route.method, route.path);
        assert!(route.response.is_some());
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn the_document_names_every_query_parameter_that_is_read() {
    let document = tsunagi::server::openapi::document();
    let mut documented: Vec<String> = ROUTES
        .iter()
        .flat_map(|route| {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            operation["parameters"].as_array().unwrap().clone()
        })
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect();
    let read = regex::Regex::new(r#"(?:query\.get|\.number)\("(\w+)"\)"#).unwrap();
    let mut used = Vec::new();
    for room in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/operations")).unwrap() {
        let room = room.unwrap().path();
        let files = std::fs::read_dir(&room).into_iter().flatten().map(|file| file.unwrap().path());
        for file in files.chain([room.clone()]).filter(|file| file.is_file()) {
            let source = std::fs::read_to_string(file).unwrap();
            used.extend(read.captures_iter(&source).map(|found| found[1].to_owned()));
        }
    }
    documented.sort();
    documented.dedup();
    used.sort();
    used.dedup();
    assert_eq!(documented, used);
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
    let source = include_str!("../../src/error.rs");
    let documented = include_str!("../../docs/errors.md");
    let code = regex::Regex::new(r#"(?:told\(\s*\d{3},\s*|told\(\d{3}, )"([a-z_]+)""#).unwrap();
    let codes: Vec<&str> = code.captures_iter(source).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(codes.len() > 30, "{codes:?}");
    for code in codes {
        assert!(documented.contains(&format!("`{code}`")), "docs/errors.md does not explain {code}");
    }
}
