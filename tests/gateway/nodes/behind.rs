//! What is done behind the gateway between two nodes: rows that are hidden or spoiled on their way from one to the other. And
//! what is not done behind it: honest rows are believed, however many readers meet them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use super::*;

async fn run_sql(stage: &Stage, sql: &str) {
    let name = stage.world.premises.config.database.rsplit('/').next().unwrap().split('?').next().unwrap();
    let server = std::env::var("TEST_POSTGRES").unwrap();
    let mut on = PgConnection::connect(&format!("{server}/{name}")).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut on).await.unwrap();
}

/// A trigger of this body, in place of those that the gateway's own schema has.
async fn trigger(stage: &Stage, on: &str, body: &str) {
    // As whoever owns the database: no reference between tables holds.
    let function = format!(
        "CREATE OR REPLACE FUNCTION behind() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET session_replication_role = replica AS $$ BEGIN {body} END $$"
    );
    run_sql(stage, &function).await;
    let kind = if on.contains("DEFERRED") { "CONSTRAINT " } else { "" };
    run_sql(stage, &format!("CREATE {kind}TRIGGER behind {on} FOR EACH ROW EXECUTE FUNCTION behind()")).await;
}

/// A terminal is revoked, and its row is taken away before the other node reads it: it is not in force there either.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_terminal_whose_row_is_hidden_is_not_in_force_anywhere() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    let there = node.client(&stage, "city", "o1");
    assert_eq!(there.get("/v1/session").send().await.unwrap().status, 200);
    run_sql(&stage, "CREATE TABLE kept AS SELECT * FROM terminals LIMIT 0").await;
    let hide = "INSERT INTO kept SELECT NEW.*; DELETE FROM terminals WHERE serial = NEW.serial; RETURN NULL;";
    trigger(&stage, "AFTER UPDATE ON terminals", hide).await;
    let revoked = stage.world.operator.post(&format!("/v1/terminals/{}/revoke", city.serial)).send().await.unwrap();
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    let is_in = async || there.get("/v1/session").send().await.is_ok_and(|reply| reply.status == 200);
    assert!(!is_in().await);
    run_sql(&stage, "INSERT INTO terminals SELECT * FROM kept").await;
    assert!(!is_in().await, "put back, it says itself that it is revoked");
    let refuted = second.serving.gateway.journal.memory().guard.refuted();
    assert!(refuted.iter().any(|name| name.table == "terminals"), "{refuted:?}");
    second.stop().await;
    stage.world.stop().await;
}

/// One row that is spoiled on its way is set aside at the other node, which goes on serving everybody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_row_stops_no_other_node() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    stage.party("center", CENTER_A).await;
    stage.world.add_staff(&city, "o9", &["caseworker"]).await.unwrap();
    let (center, o9) = (node.client(&stage, "center", "o1"), node.client(&stage, "city", "o9"));
    assert_eq!(o9.get("/v1/session").send().await.unwrap().status, 200);
    trigger(&stage, "BEFORE UPDATE ON staff", "NEW.roles = NEW.roles || ' '; NEW.active = 1; RETURN NEW;").await;
    let revoke = stage.world.operator.post(&format!("/v1/staff/{CITY_A}/o9/revoke")).send().await.unwrap();
    assert_eq!(revoke.status, 200, "{}", revoke.text());
    assert_eq!(center.get("/v1/session").send().await.unwrap().status, 200, "somebody else");
    assert_eq!(o9.get("/v1/session").send().await.unwrap().status, 401);
    second.stop().await;
    stage.world.stop().await;
}

/// A record that is spoiled or taken away on its way is set aside: a search at the other node says that it looked at all but
/// one.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_spoiled_or_taken_away_is_counted_by_the_other_node() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    stage.party("center", FAR_CENTER).await;
    let there = node.client(&stage, "center", "o1");
    let spoil = "UPDATE records SET updated_at = updated_at + 1 WHERE id = NEW.id";
    let take = "DELETE FROM records WHERE id = NEW.id";
    for (count, what) in (1..).zip([spoil, take]) {
        let name = format!("架空{} 花子", ["一", "二"][count - 1]);
        let record = register(&city, &Family { child: name.clone(), ..family(CITY_A) }).await;
        let criteria =
            j!({ "purpose": "new_report", "case_reference": "R8-1", "child_name": name, "near_misses": "never" });
        let found = there.post("/v1/searches").json(&criteria).send().await.unwrap();
        assert_eq!(children(&found).len(), 1, "{}", found.text());
        // At the commit, when the gateway has looked for the last time.
        let body = format!("IF pg_trigger_depth() = 1 THEN {what}; END IF; RETURN NULL;");
        trigger(&stage, "AFTER UPDATE ON records DEFERRABLE INITIALLY DEFERRED", &body).await;
        let close = city.client.post(&format!("/v1/records/{record}/close")).if_match(1).send().await.unwrap();
        assert_eq!(close.status, 200, "{}", close.text());
        run_sql(&stage, "DROP TRIGGER behind ON records").await;
        let found = there.post("/v1/searches").json(&criteria).send().await.unwrap();
        let aside = json(&found)["coverage"]["records_set_aside"].as_object().cloned().unwrap_or_default();
        let aside: u64 = aside.values().filter_map(Value::as_u64).sum();
        assert_eq!((children(&found).len(), aside), (0, count as u64), "{}", found.text());
    }
    second.stop().await;
    stage.world.stop().await;
}

/// Whatever somebody types as an id at a desk goes through the feed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_at_one_node_stops_no_other() {
    let (stage, node, second) = two_nodes().await;
    stage.party("city", CITY_A).await;
    stage.party("center", CENTER_A).await;
    let there = node.client(&stage, "center", "o1");
    let desk = stage.world.premises.desk(stage.world.address, &stage.world.clock, "city-desk");
    for typed in ["a b", "a/b", "a=b", "a\nb", "-", "架空"] {
        let wrong = j!({ "officer": typed, "password": "not the right one at all" });
        desk.client().unwrap().post("/v1/sessions").json(&wrong).send().await.unwrap();
        let reply = there.get("/v1/session").send().await.unwrap();
        assert_eq!(reply.status, 200, "{typed:?}: {}", reply.text());
    }
    second.stop().await;
    stage.world.stop().await;
}

/// Rows that one node writes are news to the other for a moment, and never taken for forged.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refuted_who_reads_beside_a_writer_at_another_node() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let done = Arc::new(AtomicBool::new(false));
    let read = || {
        let (there, done, record) = (node.client(&stage, "city", "o1"), done.clone(), record.clone());
        tokio::spawn(async move {
            let (mut shown, mut others) = (0, Vec::new());
            while !done.load(Ordering::SeqCst) {
                let reply = there.get(&format!("/v1/records/{record}")).purpose("casework").send().await.unwrap();
                match reply.status.as_u16() {
                    200 => shown += 1,
                    _ => others.push(json(&reply)["code"].clone()),
                }
            }
            (shown, others)
        })
    };
    let readers: Vec<_> = (0..16).map(|_| read()).collect();
    for version in 1..40 {
        let update = city.client.put(&format!("/v1/records/{record}")).if_match(version).xml(family(CITY_A).to_xml());
        assert_eq!(update.send().await.unwrap().status, 200);
    }
    done.store(true, Ordering::SeqCst);
    let mut all = 0;
    for reader in readers {
        let (shown, others) = reader.await.unwrap();
        assert!(!others.contains(&j!("row_refuted")), "{others:?}");
        all += shown;
    }
    assert!(all > 40, "{all}");
    assert!(second.serving.gateway.journal.memory().guard.refuted().is_empty());
    second.stop().await;
    stage.world.stop().await;
}
