//! Drafts: an officer's own, kept encrypted until they are sent, discarded or too old. No record exists by one.

use serde_json::{Value, json as j};
use time::Duration;
use tsunagi::{
    client::{Client, Reply},
    clock::unclocked_id,
    operations::elapse::elapse,
};
use tsunagi_testkit::world::Party;

use crate::{at_rest, harness::*};

const WRITTEN: &str = "氏名=龘靐 齉&経過=書きかけ";

fn as_officer(stage: &Stage, party: &Party, officer: &str) -> Client {
    Client::new(stage.world.address, &stage.world.premises.credentials(&party.name), Some(officer)).unwrap()
}

async fn save(client: &Client, path: &str, content: &str) -> Reply {
    client.put(path).body("application/octet-stream", content.to_owned()).send().await.unwrap()
}

async fn get(client: &Client, path: &str) -> Reply {
    client.get(path).send().await.unwrap()
}

async fn discard(client: &Client, path: &str) -> Reply {
    client.request(axum::http::Method::DELETE, path).send().await.unwrap()
}

fn new_draft() -> (String, String) {
    let id = unclocked_id().to_string();
    let path = format!("/v1/drafts/{id}");
    (id, path)
}

async fn listed(client: &Client, path: &str) -> Vec<Value> {
    let reply = get(client, path).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(&reply)["drafts"].as_array().unwrap().clone()
}

/// Entries of what a party did, oldest first.
async fn entries_by(party: &Party, act: &str) -> Vec<Value> {
    let page = json(&party.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let entries = page["disclosures"].as_array().unwrap().iter().rev().map(|line| line["entry"].clone());
    entries.filter(|entry| entry["act"] == act).collect()
}

async fn office(stage: &Stage) -> Party {
    let city = stage.party("city", CITY_A).await;
    for (officer, roles) in [("w1", &["caseworker"][..]), ("w2", &["caseworker"]), ("s1", &["supervisor"])] {
        stage.world.add_staff(&city, officer, roles).await.unwrap();
    }
    city
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_its_officers_own_and_opening_it_is_a_disclosure() {
    let stage = Stage::new().await;
    let (city, other) = (office(&stage).await, stage.party("other", CITY_B).await);
    let (w1, w2, s1) =
        (as_officer(&stage, &city, "w1"), as_officer(&stage, &city, "w2"), as_officer(&stage, &city, "s1"));
    let (id, path) = new_draft();
    let first = save(&w1, &path, "書き始め").await;
    assert_eq!(first.status, 200, "{}", first.text());
    let saved = json(&save(&w1, &path, WRITTEN).await);
    assert!(saved["saved_at"].as_str() > json(&first)["saved_at"].as_str(), "{saved}");

    let opened = get(&w1, &path).await;
    assert_eq!((opened.status.as_u16(), opened.text()), (200, WRITTEN.to_owned()));
    assert_eq!(opened.header("content-disposition"), Some("attachment"));
    assert_eq!(opened.entries().len(), 1);
    let viewed = entries_by(&city, "draft_view").await.remove(0);
    assert_eq!((&viewed["outcome"], &viewed["subject"], &viewed["officer"]), (&j!("disclosed"), &j!(id), &j!("w1")));
    assert_eq!((&viewed["legal_basis"], viewed["groups"].as_array().unwrap().len()), (&j!("own_record"), 15));
    assert_eq!(entries_by(&city, "draft_save").await.len(), 2);

    // To anybody else it is not there: of the same body, its supervisor, another body.
    for stranger in [&w2, &s1, &other.client] {
        assert_refused(&get(stranger, &path).await, 404, "not_found");
        assert_refused(&save(stranger, &path, "横取り").await, 404, "not_found");
    }
    let refused = entries_by(&city, "draft_view").await;
    assert_eq!(refused.iter().filter(|entry| entry["refusal"] == "not_found").count(), 2);
    assert_refused(&discard(&w2, &path).await, 404, "not_found");
    assert_refused(&discard(&other.client, &path).await, 404, "not_found");
    let lines = listed(&w1, "/v1/drafts").await;
    assert_eq!((lines.len(), &lines[0]["draft"], &lines[0]["ends_at"]), (1, &j!(id), &saved["ends_at"]));
    assert!(lines[0].get("record").is_none());
    assert!(listed(&w2, "/v1/drafts").await.is_empty());
    assert_refused(&get(&w2, "/v1/drafts?of=body").await, 403, "not_allowed");
    assert!(listed(&other.client, "/v1/drafts?of=body").await.is_empty());
    // A supervisor sees that it is there, and may discard it.
    let of_body = listed(&s1, "/v1/drafts?of=body").await;
    assert_eq!((of_body.len(), &of_body[0]["officer"]), (1, &j!("w1")));
    assert_eq!(discard(&s1, &path).await.status, 200);
    assert_refused(&get(&w1, &path).await, 404, "not_found");
    assert_eq!(entries_by(&city, "draft_discard").await.last().unwrap()["officer"], "s1");
}

/// The twin: a draft that opens to a colleague is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_opens_to_anybody_is_noticed() {
    let test = "drafts::a_draft_is_its_officers_own_and_opening_it_is_a_disclosure";
    fails_with("open-any-draft", test, "書きかけ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_exists_by_a_draft_and_nobody_is_told_of_it() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let told = inbox_kinds(&center).await;
    let (_, path) = new_draft();
    assert_eq!(save(&city.client, &path, &family(CITY_A).to_xml()).await.status, 200);
    assert!(children(&search(&center, j!({ "child_name": "高橋花子" })).await).is_empty());
    assert_eq!(json(&get(&city.client, "/v1/records").await)["records"], j!([]));
    assert_eq!(inbox_kinds(&center).await, told);
    // Nor is it in the database to be read: neither what it says now, nor what it said before.
    save(&city.client, &path, WRITTEN).await;
    for text in ["龘靐 齉", "書きかけ", "髙橋 花子"] {
        assert_eq!(at_rest::holders(stage.directory.path(), text), Vec::<String>::new(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_ends_thirty_days_after_it_was_last_saved() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let gateway = stage.world.gateway().unwrap();
    let ((_, left), (id, kept)) = (new_draft(), new_draft());
    save(&city.client, &left, WRITTEN).await;
    save(&city.client, &kept, WRITTEN).await;
    stage.world.clock.advance(Duration::days(29));
    save(&city.client, &kept, WRITTEN).await;
    stage.world.clock.advance(Duration::days(2));
    // It is gone at its time, and not when somebody comes by.
    assert_refused(&get(&city.client, &left).await, 404, "not_found");
    let lines = listed(&city.client, "/v1/drafts").await;
    assert_eq!((lines.len(), &lines[0]["draft"]), (1, &j!(id)));
    elapse(gateway).await.unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let there = tsunagi::store::drafts::ended(&mut tx, gateway.clock.now(), 10).await.unwrap();
    drop(tx);
    assert!(there.is_empty(), "what has ended is removed");
    assert_eq!(get(&city.client, &kept).await.text(), WRITTEN);
}

/// The twin: drafts that are never removed are noticed.
#[tokio::test(flavor = "multi_thread")]
async fn drafts_that_never_end_are_noticed() {
    let test = "drafts::a_draft_ends_thirty_days_after_it_was_last_saved";
    fails_with("keep-drafts", test, "what has ended is removed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_of_a_change_is_of_an_own_record_that_is_open() {
    let stage = Stage::new().await;
    let (city, other) = (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await);
    let record = register(&city, &family(CITY_A)).await;
    let (id, path) = new_draft();
    let of_record = format!("/v1/records/{record}/drafts/{id}");
    assert_refused(&save(&other.client, &of_record, WRITTEN).await, 404, "record_not_available");
    let saved = save(&city.client, &of_record, WRITTEN).await;
    assert_eq!(json(&saved)["record"], record);
    assert_refused(&save(&city.client, &path, WRITTEN).await, 409, "already_exists");
    assert_eq!(get(&city.client, &path).await.text(), WRITTEN);
    let of_record_alone = get(&city.client, &format!("/v1/disclosures?record={record}")).await;
    assert!(of_record_alone.text().contains("draft_view"), "who opened it is told with the record");

    // Once the record is another body's, what it said then is not read from here.
    let missing = j!({ "state": "missing", "reason": "なし" });
    let offer = j!({ "record": record, "receiver": CITY_B,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } });
    let offered = json(&city.client.post("/v1/transfers").json(&offer).send().await.unwrap());
    for step in ["confirm", "take-over"] {
        let step = format!("/v1/transfers/{}/{step}", offered["transfer"].as_str().unwrap());
        assert_eq!(other.client.post(&step).send().await.unwrap().status, 200);
    }
    assert_refused(&get(&city.client, &path).await, 404, "record_not_available");
    assert_refused(&save(&city.client, &of_record, WRITTEN).await, 404, "record_not_available");
    assert_eq!(discard(&city.client, &path).await.status, 200);

    let close = format!("/v1/records/{record}/close");
    assert_eq!(other.client.post(&close).if_match(2).send().await.unwrap().status, 200);
    let of_closed = format!("/v1/records/{record}/drafts/{}", unclocked_id());
    assert_refused(&save(&other.client, &of_closed, WRITTEN).await, 409, "record_closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_drafts_are_kept_as_an_officer_works_on() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    assert_refused(&save(&city.client, &new_draft().1, "").await, 422, "field_refused");
    let mut last = String::new();
    for _ in 0..100 {
        last = new_draft().1;
        assert_eq!(save(&city.client, &last, WRITTEN).await.status, 200);
    }
    let more = save(&city.client, &new_draft().1, WRITTEN).await;
    assert_refused(&more, 409, "too_many_drafts");
    assert_eq!(save(&city.client, &last, WRITTEN).await.status, 200, "one that is there is saved again");
    assert_eq!(listed(&city.client, "/v1/drafts").await.len(), 100);
    assert_eq!(discard(&city.client, &last).await.status, 200);
    assert_eq!(save(&city.client, &new_draft().1, WRITTEN).await.status, 200);
}

/// Keys rotate, and older ones are destroyed: drafts are sealed anew before that, and open afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_outlives_the_key_under_which_it_was_saved() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let ((_, new), (id, of_record)) = (new_draft(), new_draft());
    save(&city.client, &new, WRITTEN).await;
    save(&city.client, &format!("/v1/records/{record}/drafts/{id}"), WRITTEN).await;
    let saved = listed(&city.client, "/v1/drafts").await;
    let operator = &stage.world.operator;
    assert_eq!(operator.post("/v1/keys/rewraps").send().await.unwrap().status, 202);
    for _ in 0..6_000 {
        if json(&get(operator, "/v1/keys").await)["rewrap"]["finished_at"].is_string() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let gateway = stage.world.gateway().unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let generations = tsunagi::store::rewraps::generations(&mut tx).await.unwrap();
    let used = tsunagi::store::drafts::used(&mut tx).await.unwrap();
    drop(tx);
    let of_prefecture: Vec<u32> =
        generations.iter().filter(|(prefecture, ..)| *prefecture == CITY_A[..2]).map(|(_, key, _)| *key).collect();
    assert_eq!(of_prefecture, [2], "the older key is destroyed");
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(CITY_A[..2].to_owned(), 2)]);
    for path in [&new, &of_record] {
        assert_eq!(get(&city.client, path).await.text(), WRITTEN);
    }
    assert_eq!(listed(&city.client, "/v1/drafts").await, saved, "nobody saved them meanwhile");
}

/// What an edit of the database makes of a draft is noticed: an older state, another's content, another's name.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_draft_is_set_aside() {
    let stage = Stage::new().await;
    if stage.world.premises.config.database.starts_with("postgres") {
        return;
    }
    let city = stage.party("city", CITY_A).await;
    let ((id, path), (other, _)) = (new_draft(), new_draft());
    save(&city.client, &path, "書き始め").await;
    let file = stage.world.premises.config.database.strip_prefix("sqlite:").unwrap().to_owned();
    let pool = crate::disposal::pool(std::path::Path::new(&file)).await;
    let run = async |sql: String| sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap().rows_affected();
    run("CREATE TABLE older AS SELECT * FROM drafts".to_owned()).await;
    save(&city.client, &path, WRITTEN).await;
    save(&city.client, &format!("/v1/drafts/{other}"), "別の下書き").await;
    run("CREATE TABLE newest AS SELECT * FROM drafts".to_owned()).await;
    let guard = &stage.world.gateway().unwrap().journal.memory().guard;
    let row = format!("X'{}'", id.replace('-', ""));
    let of_other = format!("(SELECT sealed_content FROM newest WHERE id <> {row})");
    for edit in [
        format!("UPDATE drafts SET sealed_content = {of_other} WHERE id = {row}"),
        format!("UPDATE drafts SET sealed_content = (SELECT sealed_content FROM older) WHERE id = {row}"),
        format!("UPDATE drafts SET officer = 'o2' WHERE id = {row}"),
        format!("DELETE FROM drafts WHERE id = {row}; INSERT INTO drafts SELECT * FROM older"),
        format!("DELETE FROM drafts WHERE id = {row}"),
    ] {
        // What was read a moment before a commit counts for twenty seconds.
        guard.remembered.expire();
        assert!(run(edit.clone()).await > 0, "{edit}");
        let refused = get(&city.client, &path).await;
        assert_refused(&refused, 503, "row_refuted");
        run("DELETE FROM drafts; INSERT INTO drafts SELECT * FROM newest".to_owned()).await;
        guard.forget_refuted();
        assert_eq!(get(&city.client, &path).await.text(), WRITTEN, "{edit}");
    }
    pool.close().await;
}

/// A repeated save is done once, and answered as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_is_sent_twice_is_done_once() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let (_, path) = new_draft();
    let send = async || {
        let request = city.client.put(&path).header("idempotency-key", "draft-0001");
        request.body("application/octet-stream", WRITTEN).send().await.unwrap()
    };
    let (first, again) = (send().await, send().await);
    assert_eq!((first.status.as_u16(), json(&first)), (200, json(&again)));
    assert_eq!(entries_by(&city, "draft_save").await.len(), 1);
}
