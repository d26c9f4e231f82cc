//! Drafts by the pages: what the server last received of a form is there again, for its officer alone.

use axum::http::Method;
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tsunagi::{
    client::{Client, Credentials},
    clock::unclocked_id,
    https::tls_config,
};
use tsunagi_testkit::world::Party;

use crate::{
    browser::{Browser, Page, SentForm},
    harness::*,
    pages_records::{first_case, record_of},
};

const NEW: &str = "/records/new";
const KEPT: &str = "下書きを保存しました";

async fn acts(city: &Party, act: &str) -> Vec<Value> {
    let page = json(&city.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let entries = page["disclosures"].as_array().unwrap().iter().map(|line| line["entry"].clone());
    entries.filter(|entry| entry["act"] == act).collect()
}

fn draft_of(page: &Page, action: &str) -> String {
    page.form(action).value("draft").unwrap().to_owned()
}

fn keep(form: SentForm) -> SentForm {
    form.choose("save", "page")
}

/// A form of which the connection breaks before it is whole.
async fn lose(stage: &Stage, desk: &Credentials, browser: &Browser, form: &SentForm) {
    let config = tls_config(&desk.directory, &desk.name).unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(stage.world.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let body: String = form.fields.iter().map(|(name, value)| format!("{name}={value}&")).collect();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        form.action,
        browser.cookies(),
        body.len() + 1,
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_of_a_new_record_is_there_again_until_it_is_registered() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let colleague = stage.world.seat_new(&city, "w2", &["caseworker"]).await.unwrap();
    let (mut browser, mut other) = (Browser::signed_in(&person).await, Browser::signed_in(&colleague).await);

    // By its own button; it is no record, and what was typed stays in the form.
    let form = browser.get(NEW).await.form(NEW).fill("index.child.name.written", "架空 花\"子");
    let kept = browser.send(keep(form)).await;
    assert!(kept.status == 200 && kept.text().contains(KEPT), "{}", kept.html);
    let form = kept.form(NEW);
    assert_eq!(form.value("index.child.name.written"), Some("架空 花\"子"));
    let draft = draft_of(&kept, NEW);
    assert_eq!(json(&city.client.get("/v1/records").send().await.unwrap())["records"], Value::Array(Vec::new()));

    // Where it is sent and something is missing, what was received is kept as well, under the same draft.
    let faulty = browser.send(form.fill("contact.address", "架空町1丁目")).await;
    assert!(faulty.status == 422 && faulty.text().contains(KEPT), "{}", faulty.html);
    assert_eq!(draft_of(&faulty, NEW), draft);
    // A form that did not arrive whole changes nothing of it.
    lose(&stage, &person.desk().credentials, &browser, &keep(faulty.form(NEW).fill("contact.address", "lost"))).await;

    let listed = browser.get("/drafts").await;
    assert!(listed.text().contains("新しい記録") && listed.html.contains(&draft), "{}", listed.html);
    assert!(listed.text().contains("保管期限"));
    let again = format!("{NEW}?draft={draft}");
    let opened = browser.get(&again).await;
    let form = opened.form(NEW);
    assert_eq!(form.value("index.child.name.written"), Some("架空 花\"子"));
    assert_eq!(form.value("contact.address"), Some("架空町1丁目"));
    assert!(opened.html.contains("記録簿の項目"), "an opened draft is a disclosure");
    assert_eq!(acts(&city, "draft_view").await.len(), 1);
    // Nobody else opens it.
    assert!(other.get("/drafts").await.text().contains("下書きはありません"));
    assert_eq!(other.get(&again).await.status, 404);
    // One more of something goes on from there, with the same draft.
    let more = browser.send(form.choose("add", "index.guardian")).await;
    assert_eq!((more.status, draft_of(&more, NEW)), (200, draft.clone()));

    // The script's save shows no page.
    let silent = browser.send(more.form(NEW).choose("save", "script")).await;
    assert_eq!((silent.status, silent.html.as_str()), (204, ""));
    let registered = browser.send(first_case(more.form(NEW))).await;
    assert!(registered.text().contains("登録しました。"), "{}", registered.html);
    let listed = browser.get("/drafts").await.text();
    assert!(listed.contains("下書きはありません"), "the draft of what was registered is still there: {listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_stays_behind_is_noticed() {
    let test = "pages_drafts::what_was_typed_of_a_new_record_is_there_again_until_it_is_registered";
    fails_with("keep-sent-drafts", test, "the draft of what was registered is still there").await;
}

/// A script saves each minute with the same key and more in it: as long as one types, nobody else takes the lock.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_typing_keeps_the_lock() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    let record = register(&city, &family(CITY_A)).await;
    let (path, edit) = (format!("/records/{record}"), format!("/records/{record}/edit"));
    let begin = browser.get(&path).await.form(&format!("{edit}/begin"));
    let form = browser.send(begin).await.form(&edit);
    let until = async || {
        let lock = json(&city.client.get(&format!("/v1{edit}-lock")).send().await.unwrap());
        lock["held"]["until"].as_str().unwrap_or_default().to_owned()
    };
    let mut before = until().await;
    for typed in ["架空 一", "架空 一二", "架空 一二三"] {
        stage.world.clock.advance(time::Duration::minutes(1));
        let saved = browser.send(form.clone().fill("officer.name", typed).choose("save", "script")).await;
        assert_eq!(saved.status, 204, "{}", saved.html);
        let now = until().await;
        assert!(now > before, "after {typed} the lock ends at {now}, as before at {before}");
        before = now;
    }
    let shown = browser.send(keep(form.fill("officer.name", "架空 一二三四"))).await;
    assert!(shown.status == 200 && !shown.html.contains("id=\"faults\""), "{}", shown.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_renewed_once_is_noticed() {
    fails_with("renew-once", "pages_drafts::who_goes_on_typing_keeps_the_lock", "the lock ends at").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_of_a_change_opens_with_the_lock_and_over_its_own_version() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let chief = stage.world.seat_new(&city, "s1", &["caseworker", "supervisor"]).await.unwrap();
    let (mut browser, mut at_chiefs) = (Browser::signed_in(&person).await, Browser::signed_in(&chief).await);
    let record = register(&city, &family(CITY_A)).await;
    let (path, edit) = (format!("/records/{record}"), format!("/records/{record}/edit"));
    let begin = format!("{edit}/begin");

    let form = browser.get(&path).await.form(&begin);
    let editing = browser.send(form).await;
    assert!(editing.text().contains("この端末で"), "the form does not say who holds it: {}", editing.html);
    let kept = browser.send(keep(editing.form(&edit).fill("officer.name", "架空 書きかけ"))).await;
    assert!(kept.text().contains(KEPT), "{}", kept.html);
    let left = browser.send(kept.form(&format!("{edit}/end"))).await;
    assert_eq!(left.status, 200, "{}", left.html);
    // Whoever begins anew is told of it.
    let form = browser.get(&path).await.form(&begin);
    let anew = browser.send(form).await;
    assert!(anew.text().contains("この様式の下書きが、ほかに1件"), "{}", anew.text());
    assert_ne!(anew.form(&edit).value("officer.name"), Some("架空 書きかけ"));
    browser.send(anew.form(&format!("{edit}/end"))).await;

    // A supervisor sees that it is there, and opens nothing.
    let of_body = at_chiefs.get("/drafts?of=body").await;
    assert!(of_body.text().contains("登録済みの記録の変更") && !of_body.text().contains("下書きを開く"));
    // Meanwhile the record has another version: the draft says so when it is saved, and loses nothing.
    let reply = city.client.put(&format!("/v1{path}")).if_match(1).xml(family(CITY_A).to_xml()).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let form = browser.get("/drafts").await.form(&begin);
    let opened = browser.send(form).await;
    assert!(opened.path.starts_with(&format!("{edit}?draft=")), "{}", opened.path);
    assert_eq!(opened.form(&edit).value("officer.name"), Some("架空 書きかけ"));
    let stale = browser.send(opened.form(&edit)).await;
    assert_eq!(stale.status, 412, "{}", stale.html);
    let saved = browser.send(stale.form(&edit).choose("over", "2")).await;
    assert_eq!((saved.status, record_of(&saved.path)), (200, record.clone()), "{}", saved.html);
    assert!(saved.text().contains("架空 書きかけ"));
    assert!(browser.get("/drafts").await.text().contains("下書きはありません"));
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_are_discarded_by_a_button_and_what_a_program_kept_opens_on_no_page() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    let machine = Client::new(stage.world.address, &stage.world.premises.credentials(&city.name), Some("w1")).unwrap();
    let id = unclocked_id();
    let save = machine.request(Method::PUT, &format!("/v1/drafts/{id}")).body("application/octet-stream", "氏名=架空");
    assert_eq!(save.send().await.unwrap().status, 200);
    let refused = browser.get(&format!("{NEW}?draft={id}")).await;
    assert!(refused.status == 422 && refused.text().contains("画面では開けません"), "{}", refused.html);
    let discard = format!("/drafts/{id}/discard");
    let form = browser.get("/drafts").await.form(&discard);
    let gone = browser.send(form).await;
    assert!(
        gone.text().contains("下書きを破棄しました。") && gone.text().contains("下書きはありません"),
        "{}",
        gone.html
    );
    // Two buttons at once are none.
    let form = browser.get(NEW).await.form(NEW).choose("save", "page").choose("add", "index.guardian");
    assert_eq!(browser.send(form).await.status, 400);
}
