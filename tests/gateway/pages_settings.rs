//! What others see of a body's records, on its page: beside the national standard, and changed there.

use axum::http::Method;
use serde_json::json as j;

use crate::{
    browser::{Browser, SentForm},
    harness::*,
};

const PAGE: &str = "/settings/visibility";
const SUPPORT: &str = "see.counterpart.support";

fn without(form: SentForm, name: &str) -> SentForm {
    SentForm { fields: form.fields.into_iter().filter(|(of, _)| of != name).collect(), ..form }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_reads_and_changes_what_others_see_beside_the_standard() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    assert!(json(&view(&center, &record).await)["items"]["support"]["shown"].is_object());
    let caseworker = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut reader = Browser::signed_in(&caseworker).await;
    let page = reader.get(PAGE).await;
    assert_eq!(page.status, 200, "{}", page.html);
    assert!(page.text().contains("編集不可") && !page.html.contains(SUPPORT), "whoever reads is offered a change");

    let mut browser = Browser::signed_in(&city.first.administrator).await;
    let page = browser.get(PAGE).await;
    assert!(!page.text().contains("標準と異なる"), "{}", page.text());
    let form = page.form(PAGE);
    assert_eq!(form.value(SUPPORT), Some("1"), "the standard shows it");
    // Sent as it stands it changes nothing.
    assert_eq!(browser.send(form.clone()).await.path, "/settings/visibility?done=changed");
    let settings = async || json(&city.client.get("/v1/settings").send().await.unwrap())["settings"].clone();
    assert_eq!(settings().await, j!({ "hide": {}, "show": {} }));
    // What is the same everywhere is no field of the form.
    for fixed in ["see.outsider.index", "see.counterpart.reporter", "see.owner.case"] {
        assert_eq!(form.value(fixed), None, "{fixed}");
        assert_eq!(browser.send(form.clone().choose(fixed, "1")).await.status, 400, "{fixed} is nobody's to change");
    }

    let form = browser_form(&mut browser).await;
    let hidden = browser.send(without(form, SUPPORT)).await;
    assert!(hidden.text().contains("標準と異なる"), "{}", hidden.text());
    assert_eq!(settings().await, j!({ "hide": { "counterpart": ["support"] }, "show": {} }));
    assert_eq!(json(&view(&center, &record).await)["items"]["support"], j!({ "withheld": true }));
    let form = browser_form(&mut browser).await;
    let shown = browser.send(form.choose(SUPPORT, "1")).await;
    assert!(!shown.text().contains("標準と異なる"), "{}", shown.text());
    assert!(json(&view(&center, &record).await)["items"]["support"]["shown"].is_object());
}

async fn browser_form(browser: &mut Browser) -> SentForm {
    browser.get(PAGE).await.form(PAGE)
}

/// Whoever administers the body's people decides how long passwords last; longer ones are sharp.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_reads_and_changes_how_its_people_sign_in() {
    const RULES: &str = "/settings/sign-in";
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let in_force = async || json(&city.client.get("/v1/sign-in-policy").send().await.unwrap())["password_days"].clone();
    let mut browser = Browser::signed_in(&city.first.administrator).await;
    let form = browser.get(RULES).await.form(RULES);
    assert_eq!(form.value("password_days"), Some("0"));
    for wrong in ["", "ひと月", "-1", "3651"] {
        let page = browser.send(form.clone().fill("password_days", wrong)).await;
        assert_eq!((page.status, page.form(RULES).value("password_days")), (422, Some(wrong)), "{wrong}");
        assert!(page.html.contains("password_days-fault") && page.text().contains("0～3650"), "{wrong}");
    }
    assert_eq!(in_force().await, 0);
    let changed = browser.send(form.fill("password_days", "90")).await;
    assert_eq!((changed.path.as_str(), in_force().await), ("/settings/sign-in?done=changed", j!(90)));
    assert_eq!(changed.form(RULES).value("password_days"), Some("90"));
    // Ten minutes after the second factor was shown it is asked for again before passwords last longer.
    stage.world.clock.advance(time::Duration::minutes(11));
    let form = browser.get(RULES).await.form(RULES);
    let asked = browser.send(form.clone().fill("password_days", "365")).await;
    assert!(asked.text().contains("本人確認") && in_force().await == 90, "{}", asked.text());
    assert_eq!(browser.send(form.fill("password_days", "30")).await.path, "/settings/sign-in?done=changed");
    assert_eq!(in_force().await, 30);
}

/// What is refused of a member of staff is said on the page; and a supervisor, to whom the page of signing in sends whoever is
/// locked out, finds the button.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_act_on_staff_says_why_and_a_supervisor_ends_a_lock() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let chief = stage.world.seat_new(&city, "s1", &["supervisor"]).await.unwrap();
    let mut browser = Browser::signed_in(&chief).await;
    assert!(browser.get("/settings").await.html.contains("href=\"/staff\""));
    let page = browser.get("/staff/w1").await;
    assert!(!page.html.contains("/staff/w1/revoke"), "a button that is not for this role");
    let unlocked = browser.send(page.form("/staff/w1/unlock")).await;
    assert_eq!((unlocked.status, unlocked.path.as_str()), (200, "/staff/w1?done=unlocked"), "{}", unlocked.html);
    let issued = browser.send(page.form("/staff/w1/credential")).await;
    assert!(issued.status >= 400, "{}", issued.status);
    let form = issued.form("/staff/w1");
    assert!(issued.html.contains("id=\"faults\""), "nothing says why: {}", issued.text());
    assert!(form.value("name").is_some_and(|name| !name.is_empty()), "the form of the person is empty");
}

/// Passkeys are registered by pages alone; by the API one sees and removes one's own.
#[tokio::test(flavor = "multi_thread")]
async fn ones_own_passkeys_are_listed_and_none_is_removed_that_is_not_there() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let client = person.client().await.unwrap();
    for client in [&client, &city.client] {
        let listed = client.get("/v1/passkeys").send().await.unwrap();
        assert_eq!((listed.status.as_u16(), json(&listed)), (200, j!({ "passkeys": [] })));
    }
    let nobodys = "/v1/passkeys/01900000-0000-7000-8000-000000000000";
    assert_refused(&client.request(Method::DELETE, nobodys).send().await.unwrap(), 404, "not_found");
    // Where the gateway has no host name for them, nothing of them is offered.
    let mut browser = Browser::signed_in(&person).await;
    assert!(!browser.get("/account").await.html.contains("data-passkey"));
    let form = browser.get("/account").await.form("/account/recovery-codes");
    let forged = SentForm { action: "/account/passkeys".into(), ..form };
    let forged =
        without(forged, "second_factor").choose("label", "x").choose("passkey", "{}").choose("passkey_ticket", "x");
    assert_eq!(browser.send(forged).await.status, 422);
}
