//! The pages of records, as a caseworker at a desk uses them: without scripts, by forms and links.

use serde_json::{Value, json as j};

use crate::{
    browser::{Browser, SentForm},
    harness::*,
    photos,
};

pub fn first_case(form: SentForm) -> SentForm {
    form.fill("index.child.name.written", "架空 花子")
        .fill("index.child.name.kana", "カクウ ハナコ")
        .choose("index.child.sex", "2")
        .fill("index.child.birthDate.era", "平成")
        .fill("index.child.birthDate.year", "３０")
        .fill("index.child.birthDate.month", "4")
        .fill("index.child.birthDate.day", "1")
        .fill("index.guardian.1.name.written", "架空 誠 <script>alert(1)</script>")
        .fill("contact.address", "架空町1丁目2番3号")
        .choose("case.caseClass", "1")
        .choose("case.abuseKind.2", "new")
}

/// Id of the record of a page.
pub fn record_of(path: &str) -> String {
    path.split(['/', '?']).nth(2).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_case_is_registered_read_and_changed() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;

    // What is missing is said at its field and above, and what was typed stays.
    let empty = browser.get("/records/new").await.form("/records/new");
    assert_eq!(empty.value("contact.municipality"), Some(CITY_A), "where most children live need not be typed");
    let typed = empty.fill("contact.address", "架空町\"1\"丁目").fill("index.child.birthDate.year", "30");
    let faulty = browser.send(typed).await;
    assert_eq!(faulty.status, 422, "{}", faulty.html);
    for name in
        ["index.child.name.written", "index.child.sex", "index.child.birthDate", "index.guardian.1.name.written"]
    {
        assert!(faulty.html.contains(&format!("href=\"#{name}\"")), "the summary leads to no {name}");
        assert!(faulty.html.contains(&format!("id=\"{name}\"")), "there is no {name} to be led to");
    }
    assert!(faulty.text().contains("＊「児童：氏名」を入力してください。"), "{}", faulty.text());
    let form = faulty.form("/records/new");
    assert_eq!(form.value("contact.address"), Some("架空町\"1\"丁目"));

    // One more guardian is asked for, and nothing is lost; left blank it is not there.
    let more = browser.send(form.choose("add", "index.guardian")).await;
    let form = more.form("/records/new");
    assert_eq!((more.status, form.value("contact.address")), (200, Some("架空町\"1\"丁目")));
    assert!(form.value("index.guardian.2.name.written").is_some());

    // Registered once, however often it is sent.
    let form = first_case(form);
    let (first, again) = (browser.send(form.clone()).await, browser.send(form).await);
    assert_eq!(first.status, 200, "{}", first.html);
    assert_eq!(first.path, again.path, "a double click registered twice");
    let record = record_of(&first.path);
    let text = first.text();
    for shown in [
        "登録しました。",
        "架空 花子",
        "カクウ ハナコ",
        "平成30（2018）年4月1日",
        "架空町1丁目2番3号",
        "ネグレクト",
        "白井市",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!first.html.contains("<script"), "what was typed became a part of the page");
    assert!(first.html.contains("記録簿の項目"), "the page names no entry");
    let listed = browser.get("/records").await;
    assert!(listed.html.contains(&format!("/records/{record}")) && listed.text().contains("架空 花子"));

    // Edited; what the form did not show anew is as it was.
    let editing = browser.send(first.form(&format!("/records/{record}/edit/begin"))).await;
    assert_eq!(editing.path, format!("/records/{record}/edit"));
    let path = editing.path.clone();
    let form = editing.form(&path);
    assert_eq!(form.value("index.child.birthDate.era"), Some("平成"));
    let saved = browser.send(form.fill("contact.address", "架空町9丁目")).await;
    assert_eq!(saved.status, 200, "{}", saved.html);
    assert!(saved.text().contains("架空町9丁目") && saved.text().contains("保存しました。"));
    let document = json(&view(&city, &record).await);
    assert_eq!(document["version"], 2);
    assert_eq!(document["items"]["index"]["shown"]["child"]["birthDate"], "平成30年4月1日", "what was typed stays");

    // Both versions stand side by side.
    let history = browser.get(&format!("/records/{record}/history")).await;
    assert!(history.text().contains("更新") && history.text().contains("登録"));
    let version = browser.get(&format!("/records/{record}/versions/2")).await;
    let rows = version.text();
    assert!(rows.contains("架空町1丁目2番3号") && rows.contains("架空町9丁目"), "{rows}");

    // A file, which is what it says.
    let attaching = browser.get(&format!("/records/{record}/attachments/new")).await;
    let form = attaching.form(&format!("/records/{record}/attachments"));
    let refused = browser.send_with_file(form.clone(), ("file", "image/png"), b"GIF89a").await;
    assert_eq!(refused.status, 422, "{}", refused.html);
    let attached = browser.send_with_file(form, ("file", "image/png"), &photos::png(8)).await;
    assert_eq!(attached.status, 200, "{}", attached.html);
    let link = attached
        .html
        .split('"')
        .find(|part| part.starts_with(&format!("/records/{record}/attachments/")) && !part.ends_with("new"));
    let file = browser.get(link.unwrap()).await;
    assert_eq!((file.status, file.bytes()), (200, photos::png(8).as_slice()));
    assert_eq!(file.header("content-type"), Some("image/png"));
    assert_eq!(file.header("cache-control"), Some("no-store"));
}

/// What one disclosure of a record let out.
fn groups(entry: &Value) -> Vec<&str> {
    entry["groups"].as_array().unwrap().iter().map(|group| group.as_str().unwrap()).collect()
}

async fn views(city: &tsunagi_testkit::world::Party) -> Vec<Value> {
    disclosures(city).await.into_iter().filter(|entry| entry["act"] == "view").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shielded_address_is_closed_until_it_is_asked_for() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    let family = family(CITY_A);
    let record = register(&city, &family).await;
    let path = format!("/records/{record}");
    assert!(browser.get(&path).await.text().contains(&family.address), "not shielded, it is in the page");

    let shield = browser.get(&format!("{path}/shield")).await.form(&format!("{path}/shield"));
    let shield = shield.choose("shield.kind", "1").fill("shield.since.era", "令和");
    let shield = shield.fill("shield.since.year", "8").fill("shield.since.month", "4").fill("shield.since.day", "1");
    let shielded = browser.send(shield).await;
    assert_eq!(shielded.status, 200, "{}", shielded.html);
    let is_in = |html: &str| {
        [family.address.as_str(), "090-0000-0000", "架空保育園"].iter().any(|hidden| html.contains(hidden))
    };
    assert!(!is_in(&shielded.html), "the address of a shielded record is in the page");
    assert!(shielded.text().contains("支援措置の対象です"));
    let unasked = views(&city).await;
    assert!(!groups(&unasked[0]).contains(&"contact"), "what is closed was not let out: {unasked:?}");

    // Asked for, it is there, with an entry of its own.
    let opened = browser.get(&format!("{path}/sections/contact")).await;
    assert!(opened.html.contains(&family.address), "{}", opened.html);
    assert_eq!(groups(&views(&city).await[0]), ["index", "contact"]);

    // Edited while it is closed it stays as it is; opened in the form, nothing that was typed is lost.
    let begun = shielded.form(&format!("{path}/edit/begin"));
    let editing = browser.send(begun).await;
    assert!(!is_in(&editing.html), "the address of a shielded record is in the form");
    let edit = format!("{path}/edit");
    let form = editing.form(&edit).fill("officer.name", "架空 別担当");
    let with_contact = browser.send(form.choose("open", "contact")).await;
    let form = with_contact.form(&edit);
    assert_eq!(form.value("officer.name"), Some("架空 別担当"));
    assert_eq!(form.value("contact.address"), Some(family.address.as_str()));
    let saved = browser.send(editing.form(&edit).fill("officer.name", "架空 別担当")).await;
    assert_eq!(saved.status, 200, "{}", saved.html);
    let document = json(&view(&city, &record).await);
    assert_eq!(document["items"]["contact"]["shown"]["address"], j!(family.address), "what was closed was lost");
    assert_eq!(document["items"]["shielded"]["shown"]["kind"], "1");
    assert_eq!(document["items"]["officer"]["shown"]["name"], "架空 別担当");

    // Its center learns that it is shielded, and nothing of where the family is, ask as it may.
    let night = stage.world.seat_new(&center, "n1", &["caseworker"]).await.unwrap();
    let mut at_center = Browser::signed_in(&night).await;
    for path in [path.clone(), format!("{path}/sections/contact")] {
        let seen = at_center.get(&path).await;
        assert_eq!(seen.status, 200, "{}", seen.html);
        assert!(!is_in(&seen.html), "a hidden value is in the page");
        assert!(seen.text().contains("支援措置の対象のため"), "{}", seen.text());
        assert!(seen.text().contains("通告者を特定できる情報は"), "{}", seen.text());
    }
    // To a body elsewhere it is no record at all.
    let far = stage.party("other", CITY_B).await;
    let elsewhere = stage.world.seat_new(&far, "e1", &["caseworker"]).await.unwrap();
    let mut at_other = Browser::signed_in(&elsewhere).await;
    assert_eq!(at_other.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_opens_by_itself_is_noticed() {
    let test = "pages_records::a_shielded_address_is_closed_until_it_is_asked_for";
    fails_with("open-what-is-closed", test, "the address of a shielded record is in the page").await;
}

/// A body that is to be named no more is not named again because something else was wrong; and what was read for what is in
/// the ledger as the link said.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_taken_away_stays_away_while_the_form_is_mended() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    stage.party("center", CENTER_A).await;
    let shielded = tsunagi_testkit::people::Family { shield_since: Some("R8.4.1".into()), ..family(CITY_A) };
    let record = register(&city, &shielded).await;
    let two = two_supervisors(&stage, &city).await;
    let named =
        by_two(&two, &format!("/v1/records/{record}/shield/naming-requests"), &j!({ "named": [CENTER_A] })).await;
    assert_eq!(named.status, 200, "{}", named.text());
    let mut browser = Browser::signed_in(&two[0]).await;
    let path = format!("/records/{record}/shield");
    let form = browser.get(&path).await.form(&path);
    assert_eq!(form.value("shield.named.1"), Some(CENTER_A));
    let without = SentForm {
        fields: form.fields.iter().filter(|(name, _)| name != "shield.named.1").cloned().collect(),
        ..form.clone()
    };
    let faulty = browser.send(without.fill("shield.since.year", "")).await;
    assert_eq!(faulty.status, 422, "{}", faulty.html);
    let again = faulty.form(&path);
    assert_eq!(again.value("shield.named.1"), None, "the body is named again");
    let set = browser.send(again.fill("shield.since.year", "8")).await;
    assert_eq!(set.status, 200, "{}", set.html);
    let document = json(&view(&city, &record).await);
    assert!(document["items"]["shielded"]["shown"].get("named").is_none(), "{document}");

    for (purpose, told) in [("?purpose=missing_child", "missing_child"), ("?purpose=audit", "audit"), ("", "casework")]
    {
        assert_eq!(browser.get(&format!("/records/{record}{purpose}")).await.status, 200);
        assert_eq!(views(&city).await[0]["purpose"], told);
    }
    assert_eq!(browser.get(&format!("/records/{record}?purpose=curiosity")).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_edit_one_nothing_that_was_typed_is_lost() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let first = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let second = stage.world.seat_new(&city, "s2", &["caseworker", "supervisor"]).await.unwrap();
    let (mut one, mut two) = (Browser::signed_in(&first).await, Browser::signed_in(&second).await);
    let record = register(&city, &family(CITY_A)).await;
    let (path, edit) = (format!("/records/{record}"), format!("/records/{record}/edit"));
    let begin = one.get(&path).await.form(&format!("{edit}/begin"));
    let typed = one.send(begin).await.form(&edit).fill("officer.name", "架空 一人目");

    // Whoever comes second learns who works on it and until when; a supervisor may take it over, and says why.
    let seen = two.get(&path).await;
    assert!(seen.text().contains("職員 w1（端末"), "{}", seen.text());
    let locked = two.get(&edit).await;
    assert!(locked.text().contains("まで編集しています"), "{}", locked.text());
    let over = locked.form(&format!("{edit}/take-over")).fill("reason", "至急の修正");
    let theirs = two.send(over).await.form(&edit).fill("officer.name", "架空 二人目");
    let refused = one.send(typed).await;
    assert_eq!(refused.status, 423, "{}", refused.html);
    let typed = refused.form(&edit);
    assert_eq!(typed.value("officer.name"), Some("架空 一人目"));
    assert_eq!(two.send(theirs).await.status, 200);

    // Meanwhile there is another version: what it changed stands beside what was typed.
    let stale = one.send(typed).await;
    assert_eq!(stale.status, 412, "{}", stale.html);
    assert!(stale.text().contains("架空 二人目") && stale.text().contains("現在は第2版"), "{}", stale.text());
    let typed = stale.form(&edit);
    assert_eq!(typed.value("officer.name"), Some("架空 一人目"));
    assert_eq!(one.send(typed.clone()).await.status, 412, "nobody writes over what they have not seen");
    let saved = one.send(one_more(&stale.form(&edit))).await;
    assert_eq!(saved.status, 200, "{}", saved.html);
    let document = json(&view(&city, &record).await);
    assert_eq!((&document["version"], &document["items"]["officer"]["shown"]["name"]), (&j!(3), &j!("架空 一人目")));
}

/// The form, with the mark that the present version may be written over.
fn one_more(form: &SentForm) -> SentForm {
    form.clone().choose("over", "2")
}
