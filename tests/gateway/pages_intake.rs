//! A new report: what is known is looked for in the country in one step, and is not typed twice.

use crate::{browser::Browser, harness::*, pages_records::first_case};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_caseworker_takes_a_report_to_a_first_record() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    let today = browser.get("/").await;
    assert!(today.html.contains("href=\"/intake\""), "nothing leads to a new report");
    let intake = browser.get("/intake").await.form("/intake");
    assert!(intake.value("case_reference").unwrap().starts_with("受付"), "a reference need not be made up");

    // Nothing known, and too little: it is said at the field, and what was typed stays.
    let nothing = browser.send(intake.clone().fill("address", "架空町1丁目2番")).await;
    assert_eq!(nothing.status, 422, "{}", nothing.html);
    assert!(nothing.html.contains("href=\"#child_name\""));
    assert_eq!(nothing.form("/intake").value("address"), Some("架空町1丁目2番"));
    let little = browser.send(nothing.form("/intake").fill("child_name", "ア")).await;
    assert!(little.status >= 400 && little.form("/intake").value("child_name") == Some("ア"), "{}", little.html);

    // One step looks in the country, and the answer leads on into the form with what was known.
    let form = little.form("/intake").fill("child_name", "かくう はなこ").fill("guardian_name", "架空 誠");
    let form = form.fill("birth_age", "8").choose("sex", "2").fill("report", "泣き声 <b>3回</b>");
    let found = browser.send(form).await;
    assert_eq!(found.status, 200, "{}", found.html);
    assert!(found.text().contains("該当がないことは、過去の対応歴がないことを意味しません"), "{}", found.text());
    let by_us = json(&city.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let lines = by_us["disclosures"].as_array().unwrap();
    let searches: Vec<_> = lines.iter().filter(|line| line["entry"]["act"] == "search").collect();
    assert_eq!(searches[0]["entry"]["purpose"], "new_report", "{by_us}");
    // What was typed can be changed, and is not searched for again by that.
    let changing = browser.send(found.form("/intake").choose("change", "1")).await;
    assert_eq!(changing.form("/intake").value("child_name"), Some("かくう はなこ"), "{}", changing.html);
    assert_eq!(changing.form("/intake").value("report"), Some("泣き声 <b>3回</b>"));
    let begun = browser.send(found.form("/records/new")).await;
    assert_eq!(begun.status, 200, "{}", begun.html);
    let form = begun.form("/records/new");
    for (name, value) in [
        ("index.child.name.written", "かくう はなこ"),
        ("index.child.name.kana", "かくう はなこ"),
        ("index.child.sex", "2"),
        ("index.guardian.1.name.written", "架空 誠"),
        ("contact.address", "架空町1丁目2番"),
        ("case.report.1.content", "泣き声 <b>3回</b>\n聞き取った年齢：8歳"),
        ("contact.municipality", CITY_A),
    ] {
        assert_eq!(form.value(name), Some(value), "{name}");
    }
    assert_eq!(form.value("index.child.birthDate.year"), Some(""), "no birth date is made up of an age");
    assert!(!form.value("case.report.1.date.year").unwrap().is_empty());
    let form = first_case(form).choose("case.report.1.route", "02").choose("case.report.1.method", "2");
    let registered = browser.send(form).await;
    assert!(registered.text().contains("登録しました。"), "{}", registered.html);

    // The next report of the same child finds it, and opens it.
    let form = browser.get("/intake").await.form("/intake").fill("child_name", "架空花子");
    let found = browser.send(form).await;
    assert!(found.text().contains("記録を開く") && found.text().contains("架空 花子"), "{}", found.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postal_code_fills_the_address_in() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    let form = browser.get("/records/new").await.form("/records/new").fill("contact.postalCode", "２７０１４２２");
    let filled = browser.send(form.choose("look_up", "contact.postalCode")).await;
    let form = filled.form("/records/new");
    assert_eq!((filled.status, form.value("contact.address")), (200, Some("復")), "{}", filled.html);
    assert_eq!(form.value("contact.municipality"), Some("122327"));
    let unknown =
        browser.send(form.fill("contact.postalCode", "999-9999").choose("look_up", "contact.postalCode")).await;
    assert!(unknown.html.contains("href=\"#contact.postalCode\""), "{}", unknown.html);
    assert_eq!(unknown.form("/records/new").value("contact.address"), Some("復"));
}
