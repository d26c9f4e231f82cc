//! The journal cannot write: not a byte of record data leaves, the error says so, and it recovers.

use serde_json::json as j;
use tokio::process::Command;
use tsunagi::client::Reply;

use crate::{crash, harness::*};

/// Statements against the database of a running gateway, from beside it.
async fn beside(stage: &Stage, sql: &'static str) {
    let file = stage.directory.path().join("tsunagi.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn ready(stage: &Stage) -> bool {
    crash::is_ready(stage.world.server.as_ref().unwrap().monitor_address).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborting_ledger_discloses_nothing_and_recovers() {
    let stage = Stage::new().await;
    let (city, center, far) = (
        stage.party("city", CITY_A).await,
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
    );
    let record = register(&city, &family(CITY_A)).await;
    assert!(ready(&stage).await);
    beside(&stage, "CREATE TRIGGER planted BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'planted'); END").await;
    let own = city.client.get("/v1/records").send().await.unwrap();
    let created = city
        .client
        .post("/v1/records")
        .header("idempotency-key", "while-broken")
        .xml(family(CITY_A).to_xml())
        .send()
        .await
        .unwrap();
    let history = city.client.get(&format!("/v1/records/{record}/history")).purpose("casework").send().await.unwrap();
    let hidden = view(&far, &record).await;
    for reply in
        [view(&center, &record).await, search(&far, j!({ "child_name": "高橋" })).await, own, created, history, hidden]
    {
        assert_refused(&reply, 503, "journal_unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert!(!reply.text().contains("髙橋") && !reply.text().contains("花子"), "{}", reply.text());
    }
    assert!(!ready(&stage).await, "/readyz says so");
    assert!(inbox(&city).await.is_empty());
    beside(&stage, "DROP TRIGGER planted").await;
    assert_eq!(view(&center, &record).await.status, 200);
    assert!(ready(&stage).await);
    assert_eq!(
        children(&search(&far, j!({ "child_name": "高橋" })).await).len(),
        1,
        "the refused registration left nothing"
    );
    let again = city
        .client
        .post("/v1/records")
        .header("idempotency-key", "while-broken")
        .xml(family(CITY_A).to_xml())
        .send()
        .await
        .unwrap();
    assert_eq!(again.status, 201, "the same request succeeds afterwards: {}", again.text());
}

/// The twin: with the entry not in the way, the same requests do disclose.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_requests_disclose_while_the_ledger_writes() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    assert!(view(&center, &record).await.text().contains("髙橋"));
}

/// Views a record while the disk is full. Returns the first refusal, and how many of the ledger entries that answers
/// with record data named are not in the ledger.
async fn full_disk(defect: Option<&str>) -> (Option<Reply>, usize) {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, defect).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let prlimit = |limit: String| {
        let pid = running.pid().to_string();
        async move {
            let limit = format!("--fsize={limit}");
            let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await.unwrap();
            assert!(status.success());
        }
    };
    // Its entry waits for the one writer: the registration is durable then, in a defective gateway too, whose memory is
    // ahead of the database until then.
    while view(&city, &record).await.status != 200 {}
    // In a defective gateway the commit of this one meets the full disk.
    let mut named = view(&city, &record).await.entries();
    // No file takes another byte, not even where it held one before, as a log does that is begun anew: the disk is full.
    prlimit("0:unlimited".into()).await;
    let mut refused = None;
    for _ in 0..20 {
        let reply = view(&city, &record).await;
        if reply.status == 200 {
            named.extend(reply.entries());
        } else {
            refused.get_or_insert(reply);
        }
    }
    prlimit("unlimited".into()).await;
    if defect.is_none() {
        assert_eq!(view(&city, &record).await.status, 200, "it recovers without a restart");
    }
    let file = directory.path().join("tsunagi.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let mut unlogged = 0;
    for entry in named {
        let found = sqlx::query("SELECT 1 FROM ledger WHERE id = $1").bind(entry).fetch_optional(&pool).await.unwrap();
        unlogged += usize::from(found.is_none());
    }
    pool.close().await;
    running.stop().await;
    (refused, unlogged)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_discloses_nothing_and_recovers() {
    let (refused, unlogged) = full_disk(None).await;
    let refused = refused.expect("the disk was never full");
    assert_refused(&refused, 503, "journal_unavailable");
    assert!(!refused.text().contains("花子"));
    assert_eq!(unlogged, 0);
}

/// The twin: a gateway that answers before it commits discloses without an entry, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn answering_before_the_commit_is_caught_on_a_full_disk() {
    let (_, unlogged) = full_disk(Some("answer-before-commit")).await;
    assert!(unlogged > 0, "a planted defect went unnoticed");
}
