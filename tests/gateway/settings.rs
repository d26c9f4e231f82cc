//! A body's own settings move its rows between the national floor and the ceiling; jurisdiction follows the day.

use serde_json::json as j;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_tightens_and_loosens_its_own_rows_within_the_national_bounds() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    assert!(json(&view(&center, &record).await)["items"]["support"]["shown"].is_object());
    let settings = |body| city.client.put("/v1/settings").json(&body).send();
    let tightened = settings(j!({ "hide": { "counterpart": ["support"] } })).await.unwrap();
    assert_eq!(tightened.status, 200, "{}", tightened.text());
    assert_eq!(json(&view(&center, &record).await)["items"]["support"], j!({ "withheld": true }));
    for unlawful in [
        j!({ "show": { "counterpart": ["reporter"] } }),
        j!({ "show": { "outsider": ["contact"] } }),
        j!({ "hide": { "outsider": ["index"] } }),
        j!({ "hide": { "owner": ["case"] } }),
    ] {
        assert_refused(&settings(unlawful).await.unwrap(), 422, "settings_unlawful");
    }
    // Tightening is a machine's to do as well; loosening is a person's.
    assert_refused(&settings(j!({})).await.unwrap(), 403, "sharp_act_needs_person");
    let person = city.first.administrator.client().await.unwrap();
    assert_eq!(person.put("/v1/settings").json(&j!({})).send().await.unwrap().status, 200);
    assert!(inbox_kinds(&city).await.is_empty());
    assert!(json(&view(&center, &record).await)["items"]["support"]["shown"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_municipality_is_the_counterpart_of_its_center_for_the_children_who_live_there() {
    let stage = Stage::new().await;
    let (center, city, other) = (
        stage.party("center", CENTER_A).await,
        stage.party("city", CITY_A).await,
        stage.party("other", "122319").await,
    );
    let record = register(&center, &family(CITY_A)).await;
    assert_eq!(inbox_kinds(&city).await, ["record_registered"]);
    assert_eq!(json(&view(&city, &record).await)["relation"], "counterpart");
    assert_refused(&view(&other, &record).await, 404, "record_not_available");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_tells_how_it_goes_and_nothing_of_anybody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let address = stage.world.server.as_ref().unwrap().monitor_address;
    let get = |path: &'static str| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(get("/livez").await.starts_with("HTTP/1.0 200"));
    assert!(get("/readyz").await.ends_with("ready\n"));
    let metrics = get("/metrics").await;
    assert!(metrics.contains("tsunagi_requests_total{operation=\"register_record\",status=\"201\"} 1"), "{metrics}");
    assert!(metrics.contains("tsunagi_journal_commits"));
    for secret in [record.as_str(), CITY_A, &city.serial, "o1\"", "髙橋"] {
        assert!(!metrics.contains(secret), "{secret}");
    }
}
