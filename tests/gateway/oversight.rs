//! Story step 6: serious cases and staffing reports.

use serde_json::json as j;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_ministry_reads_what_is_put_before_it_and_nothing_else() {
    let stage = Stage::new().await;
    let (city, ministry) = (stage.party("city", CITY_A).await, stage.party("ministry", "ministry").await);
    let record = register(&city, &family(CITY_A)).await;
    let other = register(&city, &family(CITY_A)).await;
    assert_refused(&view(&ministry, &record).await, 404, "record_not_available");
    let designate = format!("/v1/records/{record}/serious");
    let designated = city.client.post(&designate).json(&j!({ "note": "重大な被害があった" })).send().await.unwrap();
    assert_eq!(designated.status, 201, "{}", designated.text());
    assert_eq!(inbox(&ministry).await.pop().unwrap()["kind"], "serious_case_designated");
    let cases = json(&ministry.client.get("/v1/serious-cases").send().await.unwrap());
    assert_eq!(cases["cases"][0]["record"], record);

    let seen = json(&view(&ministry, &record).await);
    assert_eq!(seen["relation"], "reviewer");
    assert_eq!(
        (&seen["items"]["contact"], &seen["items"]["reporter"]),
        (&j!({ "withheld": true }), &j!({ "withheld": true }))
    );
    assert_refused(&view(&ministry, &other).await, 404, "record_not_available");
    let review = format!("/v1/serious-cases/{record}/reviews");
    let reviewed =
        ministry.client.post(&review).json(&j!({ "note": "引き継ぎの遅れを検証した" })).send().await.unwrap();
    assert_eq!(reviewed.status, 201, "{}", reviewed.text());
    let denied = ministry
        .client
        .post(&format!("/v1/serious-cases/{other}/reviews"))
        .json(&j!({ "note": "x" }))
        .send()
        .await
        .unwrap();
    assert_refused(&denied, 404, "record_not_available");
    let notes = json(&city.client.get(&format!("/v1/serious-cases/{record}/notes")).send().await.unwrap());
    let kinds: Vec<_> = notes.as_array().unwrap().iter().map(|note| note["kind"].clone()).collect();
    assert_eq!(kinds, ["designation", "review"]);
    assert_eq!(
        disclosures(&city)
            .await
            .iter()
            .filter(|e| e["organization"] == "ministry" && e["outcome"] == "disclosed")
            .count(),
        1
    );
    let search = search(&ministry, j!({ "child_name": "高橋" })).await;
    assert_refused(&search, 403, "not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn centers_report_their_staff_and_the_ministry_sees_who_has_not() {
    let stage = Stage::new().await;
    let (center, ministry) = (stage.party("center", CENTER_A).await, stage.party("ministry", "ministry").await);
    let report = j!({ "child_welfare_officers": 31, "supervising_officers": 5, "psychologists": 12, "doctors": 2,
        "public_health_nurses": 3, "lawyers": 1, "shelter_staff": 20 });
    let path = "/v1/staffing-reports/2026";
    let sent = center.client.put(path).json(&report).send().await.unwrap();
    assert_eq!(sent.status, 200, "{}", sent.text());
    let mut slip = report.clone();
    slip["lawyers"] = j!(20_000);
    assert_refused(&center.client.put(path).json(&slip).send().await.unwrap(), 422, "field_refused");
    let listed = json(&ministry.client.get(path).send().await.unwrap());
    assert_eq!(listed["submitted"].as_array().unwrap().len(), 1);
    assert_eq!(listed["submitted"][0]["report"], report);
    assert!(listed["missing"].as_array().unwrap().len() > 200);
    let csv = ministry.client.get(&format!("{path}/export")).send().await.unwrap();
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.text().lines().any(|line| line.starts_with(CENTER_A) && line.ends_with(",31,5,12,2,3,1,20")));
    assert!(csv.text().contains("未提出"));
    assert_refused(&center.client.get(path).send().await.unwrap(), 403, "not_allowed");
}
