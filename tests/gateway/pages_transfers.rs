//! Transfers on their pages.

use serde_json::json as j;

use crate::{browser::Browser, harness::*};

/// A receiver is typed as people call it. Where that is not one body, those that may be meant are told; nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_named_and_whoever_may_be_meant_is_told() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    stage.party("next", CITY_B).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let record = register(&city, &family(CITY_A)).await;
    let (mut browser, path) = (Browser::signed_in(&person).await, format!("/records/{record}/offer"));
    let page = browser.get(&path).await;
    assert!(page.text().contains("髙橋 花子"), "whose record it is");
    let filled = ["urgency", "risk_sheet", "photos"].into_iter().fold(page.form(&path), |form, part| {
        form.choose(part, "missing").fill(&format!("{part}_reason"), "作成していない")
    });
    for (typed, told) in [
        ("", "「提供先の機関」を入力してください"),
        ("架空村", "該当する機関がありません"),
        ("府中市", "府中市（東京都）132063、府中市（広島県）342084"),
        ("金沢", "金沢市（石川県）172014"),
    ] {
        let again = browser.send(filled.clone().fill("receiver", typed)).await;
        assert_eq!((again.status, again.form(&path).value("receiver")), (422, Some(typed)), "{typed}");
        assert!(again.text().contains(told), "{typed}: {}", again.text());
    }
    let name = stage
        .world
        .gateway()
        .unwrap()
        .registry
        .name(&tsunagi::domain::organization::OrganizationCode::parse(CITY_B).unwrap());
    let sent = browser.send(filled.fill("receiver", &name)).await;
    assert!(sent.path.starts_with("/transfers/") && sent.text().contains(&name), "{}: {}", sent.path, sent.text());
}

/// What is offered on the page of a record is that record, also where a request is answered; and the child of an urgent one is
/// seen before or after the record is taken over.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_for_the_record_of_its_page_and_the_safety_check_follows_the_record() {
    let stage = Stage::new().await;
    let (city, next) = (stage.party("city", CITY_A).await, stage.party("next", CITY_B).await);
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let chief = stage.world.seat_new(&next, "s1", &["caseworker", "supervisor"]).await.unwrap();
    let (record, other) = (register(&city, &family(CITY_A)).await, register(&city, &family(CITY_A)).await);
    let asked = j!({ "record": record, "reason": "当市に転入した" });
    let asked = next.client.post("/v1/transfers/requests").json(&asked).send().await.unwrap();
    let transfer = json(&asked)["transfer"].as_str().unwrap().to_owned();
    let (mut browser, mut at_next) = (Browser::signed_in(&person).await, Browser::signed_in(&chief).await);
    let filled = async |browser: &mut Browser, record: &str| {
        let path = format!("/records/{record}/offer");
        let form = browser.get(&format!("{path}?request={transfer}")).await.form(&path);
        ["urgency", "risk_sheet", "photos"].into_iter().fold(form.choose("urgent", "yes"), |form, part| {
            form.choose(part, "missing").fill(&format!("{part}_reason"), "作成していない")
        })
    };
    let mistaken = filled(&mut browser, &other).await;
    assert_eq!(browser.send(mistaken).await.status, 404, "a record is offered that the page did not show");
    let meant = filled(&mut browser, &record).await;
    assert_eq!(browser.send(meant).await.path, format!("/transfers/{transfer}?done=offered"));

    let page = format!("/transfers/{transfer}");
    let confirm = at_next.get(&page).await.form(&format!("{page}/confirm"));
    at_next.send(confirm).await;
    let taken = at_next.get(&page).await.form(&format!("{page}/take-over"));
    let taken = at_next.send(taken).await;
    let checked = at_next.send(taken.form(&format!("{page}/safety-check"))).await;
    assert!(checked.path.ends_with("done=checked") && checked.text().contains("安全確認済み"), "{}", checked.text());
}
