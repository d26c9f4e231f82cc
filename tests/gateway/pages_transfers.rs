//! Transfers on their pages.

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
