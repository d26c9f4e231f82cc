//! The ledger aborts ("failed"), and commits of which nobody can tell whether they hold ("failed but persisted").

use crate::{crash, faults::*, harness::*};

/// Views a record while a trigger aborts every entry. Returns how many of the entries that answers with record data
/// named are not in the ledger, and how many answers were refusals.
async fn aborting(defect: Option<&str>) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, defect).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let database = directory.path().join("tsunagi.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    let abort = "CREATE TRIGGER planted BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'planted'); END";
    sqlx::query(abort).execute(&pool).await.unwrap();
    let (mut named, mut refused) = (Vec::new(), 0);
    for _ in 0..10 {
        let reply = view(&city, &record).await;
        if reply.status == 200 {
            named.extend(reply.entries());
        } else {
            assert_refused(&reply, 503, "journal_unavailable");
            assert!(!reply.text().contains("花子"));
            refused += 1;
        }
    }
    sqlx::query("DROP TRIGGER planted").execute(&pool).await.unwrap();
    pool.close().await;
    if defect.is_none() {
        assert_eq!(view(&city, &record).await.status, 200, "it recovers without a restart");
    }
    running.stop().await;
    (unlogged(&database, &named).await, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborting_ledger_refuses_and_recovers() {
    assert_eq!(aborting(None).await, (0, 10));
}

/// The twin: a gateway that goes on without its ledger discloses unlogged, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn going_on_without_the_ledger_is_caught() {
    let (unlogged, _) = aborting(Some("ignore-the-ledger")).await;
    assert!(unlogged > 0, "a planted defect went unnoticed");
}

/// Registers while every second commit is in doubt, each until it is acknowledged. Returns what is wrong in the end,
/// and how many tries were refused.
async fn in_doubt(fault: &str, repeats_key: bool) -> (Vec<String>, usize) {
    const REGISTRATIONS: usize = 12;
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, None).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    running.stop().await;
    let mut running = crash::serve(&premises, Some(fault)).await;
    let (mut acknowledged, mut refused, mut wrong) = (Vec::new(), 0, Vec::new());
    for number in 0..REGISTRATIONS {
        let mut tries = 0;
        loop {
            let key = if repeats_key { format!("doubt-{number:04}") } else { format!("doubt-{number:04}-{tries}") };
            let reply = register_as(&city.client, &key).await;
            if reply.status == 201 {
                acknowledged.push(record_of(&reply));
                break;
            }
            assert_refused(&reply, 503, "journal_unavailable");
            (tries, refused) = (tries + 1, refused + 1);
            assert!(tries < 10, "it is never acknowledged");
        }
    }
    // What memory holds agrees too: each is found once.
    let listed = loop {
        let reply = city.client.get("/v1/records").send().await.unwrap();
        if reply.status == 200 {
            break json(&reply)["records"].as_array().unwrap().len();
        }
    };
    running.stop().await;
    let kept = records_kept(&premises).await;
    for record in &acknowledged {
        if !kept.contains(record) {
            wrong.push(format!("{record} was acknowledged and is not there"));
        }
    }
    if (kept.len(), listed) != (REGISTRATIONS, REGISTRATIONS) {
        wrong.push(format!("{REGISTRATIONS} registrations made {} records, {listed} listed", kept.len()));
    }
    (wrong, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_holds_and_is_denied_makes_one_record() {
    let (wrong, refused) = in_doubt("commit-held-and-denied", true).await;
    assert!(wrong.is_empty() && refused > 0, "{refused} refused, {wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_lost_makes_one_record() {
    let (wrong, refused) = in_doubt("commit-lost", true).await;
    assert!(wrong.is_empty() && refused > 0, "{refused} refused, {wrong:?}");
}

/// The twin: a client that takes a new key for each try makes two of what held, and the check sees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_for_each_try_makes_two() {
    let (wrong, _) = in_doubt("commit-held-and-denied", false).await;
    assert!(!wrong.is_empty(), "what was written twice went unnoticed");
}

/// Views a record while every second commit is in doubt, each until it is shown. Returns how many of the entries that
/// answers named are not in the ledger, and how many tries were refused.
async fn views_in_doubt(fault: &str) -> (usize, usize) {
    const VIEWS: usize = 12;
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, None).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    running.stop().await;
    let mut running = crash::serve(&premises, Some(fault)).await;
    let (mut shown, mut refused, mut named) = (0, 0, Vec::new());
    while shown < VIEWS {
        let reply = view(&city, &record).await;
        if reply.status == 200 {
            named.extend(reply.entries());
            shown += 1;
        } else {
            assert_refused(&reply, 503, "journal_unavailable");
            refused += 1;
            assert!(refused < 10 * VIEWS, "it is never shown");
        }
    }
    running.stop().await;
    // The ledger is one tree to its end: the next start reads it, and serves.
    let mut running = crash::serve(&premises, None).await;
    assert_eq!(view(&city, &record).await.status, 200);
    running.stop().await;
    let kept = entries_kept(&premises).await;
    (named.iter().filter(|entry| !kept.contains(*entry)).count(), refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn views_whose_commit_is_in_doubt_are_logged_or_refused() {
    for fault in ["commit-held-and-denied", "commit-lost"] {
        let (unlogged, refused) = views_in_doubt(fault).await;
        assert!(unlogged == 0 && refused > 0, "{fault}: {unlogged} not logged, {refused} refused");
    }
}
