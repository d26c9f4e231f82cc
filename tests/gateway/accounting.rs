//! Story step 7: the owner accounts for every disclosure, and proves the ledger offline.

use serde_json::json as j;
use tsunagi::{
    cli::ledger::{Refuted, verify},
    ledger::evidence::Evidence,
};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_disclosure_is_listed_and_proved_with_the_public_key_alone() {
    let stage = Stage::new().await;
    let (city, center, far) = (
        stage.party("city", CITY_A).await,
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
    );
    let record = register(&city, &family(CITY_A)).await;
    let earlier = city.client.get("/v1/ledger/checkpoint").send().await.unwrap().text();
    view(&center, &record).await;
    search(&far, j!({ "child_name": "高橋" })).await;

    let listed = json(&city.client.get(&format!("/v1/disclosures?record={record}")).send().await.unwrap());
    let lines = listed["disclosures"].as_array().unwrap();
    let acts: Vec<_> = lines.iter().map(|line| line["entry"]["act"].clone()).collect();
    assert_eq!(acts, ["search_hit", "view", "register"]);
    assert_eq!(
        (&lines[0]["organization_name"], &lines[0]["officer_name"]),
        (&j!("北海道中央児童相談所"), &j!("職員 o1"))
    );

    let key = city.client.get("/v1/ledger/key").send().await.unwrap().text();
    let size: u64 = earlier.lines().nth(1).unwrap().parse().unwrap();
    let fetched = city.client.get(&format!("/v1/ledger/evidence?from={size}")).send().await.unwrap();
    let evidence = || -> Evidence { fetched.json().unwrap() };
    let verified = verify(&key, &evidence(), Some(&earlier)).unwrap();
    // Beside what was done to the body itself: its terminals and people.
    let of_record =
        verified.entries.iter().filter(|(_, entry)| entry.record.is_some_and(|id| id.to_string() == record));
    assert_eq!(of_record.count(), 3);
    assert!(verified.entries.iter().all(|(_, entry)| entry.owner.as_deref() == Some(CITY_A)));

    // The twins: an edited entry, a moved one, another head, another past.
    let mut edited = evidence();
    edited.entries[0].entry = edited.entries[1].entry.clone();
    assert!(matches!(verify(&key, &edited, None), Err(Refuted::Entry { .. })));
    let mut moved = evidence();
    moved.entries[0].position += 1;
    assert!(matches!(verify(&key, &moved, None), Err(Refuted::Entry { .. })));
    let mut rehead = evidence();
    rehead.checkpoint = rehead.checkpoint.replacen(&format!("\n{}\n", verified.checkpoint.size), "\n3\n", 1);
    assert!(matches!(verify(&key, &rehead, None), Err(Refuted::Checkpoint(_))));
    let mut rewritten = evidence();
    let proof = &mut rewritten.consistency.as_mut().unwrap().proof;
    proof.push(proof[0].clone());
    assert!(matches!(verify(&key, &rewritten, Some(&earlier)), Err(Refuted::Rewritten)));

    // One entry by itself, for its parties alone.
    let entry = lines[1]["entry"]["id"].as_str().unwrap();
    let path = format!("/v1/ledger/proofs/inclusion?entry={entry}");
    for party in [&city, &center] {
        assert_eq!(party.client.get(&path).send().await.unwrap().status, 200);
    }
    assert_refused(&far.client.get(&path).send().await.unwrap(), 404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_database_does_not_start() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    register(&city, &family(CITY_A)).await;
    let config = stage.world.premises.config.clone();
    let Stage { world, directory } = stage;
    world.stop().await;
    let file = directory.path().join("tsunagi.db");
    for (number, tamper) in [
        "UPDATE ledger SET body = replace(CAST(body AS TEXT), '\"register\"', '\"view\"')
         WHERE CAST(body AS TEXT) LIKE '%\"act\":\"register\"%'",
        "UPDATE ledger SET owner = NULL WHERE CAST(body AS TEXT) LIKE '%\"act\":\"register\"%'",
        "DELETE FROM ledger WHERE position = (SELECT MAX(position) FROM ledger)",
        "DELETE FROM ledger WHERE position = 2",
    ]
    .into_iter()
    .enumerate()
    {
        // A file of its own: a gateway that did not start may take a moment to let go of the log beside the last one.
        let copy = directory.path().join(format!("copy-{number}.db"));
        std::fs::copy(&file, &copy).unwrap();
        let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", copy.display())).await.unwrap();
        let refused = sqlx::query(sqlx::AssertSqlSafe(tamper)).execute(&pool).await;
        assert!(refused.is_err(), "the triggers refuse what goes through SQL: {tamper}");
        for trigger in ["ledger_is_append_only_update", "ledger_is_append_only_delete"] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&pool).await.unwrap();
        }
        let touched = sqlx::query(sqlx::AssertSqlSafe(tamper)).execute(&pool).await.unwrap().rows_affected();
        assert_eq!(touched, 1, "{tamper}");
        pool.close().await;
        let mut config = config.clone();
        config.database = format!("sqlite:{}", copy.display());
        let opened = tsunagi::gateway::Gateway::open(config, tsunagi::clock::Clock::system()).await;
        let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("does not match its head"), "{tamper}: {error}");
    }
    assert!(tsunagi::gateway::Gateway::open(config, tsunagi::clock::Clock::system()).await.is_ok());
}
