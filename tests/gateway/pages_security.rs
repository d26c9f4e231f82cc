//! What attackers try at the pages: a session that they chose, a code that was used, a form of another site, a link that
//! leads away, what a browser or a cache keeps, ids guessed by answers, a desk whose person has left.

use axum::http::StatusCode;
use regex::Regex;
use time::Duration;
use tsunagi::{
    client::Reply,
    ledger::entry::{Entry, Outcome},
    store,
    web::{self, cookies::SESSION},
};
use tsunagi_testkit::{persons::DeskPerson, world::Party};
use uuid::Uuid;

use crate::{
    browser::{Browser, Page, SentForm},
    harness::*,
};

/// As whom every client of the tests asks the gateway.
const ORIGIN: &str = "https://localhost";
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn city_with(stage: &Stage, roles: &[&str]) -> (Party, DeskPerson) {
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", roles).await.unwrap();
    (city, person)
}

/// The page of signing in, filled in with what is right.
async fn filled(browser: &mut Browser, person: &DeskPerson, code: &str) -> SentForm {
    let form = browser.get("/sign-in").await.form("/sign-in");
    form.fill("officer", &person.officer).fill("password", &person.password).fill("second_factor", code)
}

fn status(reply: &Reply) -> u16 {
    reply.status.as_u16()
}

/// Somebody who put a session into a browser before its owner signs in gets nothing by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_chosen_before_is_not_the_one_that_is_signed_in() {
    let stage = Stage::new().await;
    let (_, person) = city_with(&stage, &["caseworker"]).await;
    let mut browser = Browser::beside(&person, &[(SESSION, "chosen-by-somebody-else")]);
    let form = filled(&mut browser, &person, &person.next_code()).await;
    let signed_in = browser.send_from(&form, &[OWN]).await;
    let set = signed_in.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let set: Vec<&str> = set.filter(|cookie| cookie.starts_with(SESSION)).collect();
    assert!(set.len() == 1 && !set[0].contains("chosen-by-somebody-else"), "the session is new: {set:?}");
    let mut attacker = Browser::beside(&person, &[(SESSION, "chosen-by-somebody-else")]);
    assert_eq!(attacker.get("/").await.path, "/sign-in?next=/");
    let form = filled(&mut browser, &person, &person.next_code()).await;
    browser.send(form).await;
    let first = browser.cookie(SESSION).unwrap().to_owned();
    // Signing in over a session that is in force makes another one, too.
    let form = filled(&mut browser, &person, &person.next_code()).await;
    browser.send(form).await;
    assert_ne!(browser.cookie(SESSION).unwrap(), first, "the session is new");
}

/// Whoever looks over a shoulder types the code a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_used_on_a_page_is_refused_there() {
    let stage = Stage::new().await;
    let (_, person) = city_with(&stage, &["caseworker"]).await;
    let (mut browser, mut other) = (Browser::at_desk_of(&person), Browser::at_desk_of(&person));
    let code = person.next_code();
    let (form, again) = (filled(&mut browser, &person, &code).await, filled(&mut other, &person, &code).await);
    assert_eq!(browser.send(form).await.path, "/");
    let refused = other.send(again).await;
    assert_eq!(refused.status, 401, "a code works once");
    assert!(refused.text().contains("認証アプリのコード又は回復用コードが正しくありません"), "{}", refused.text());
    assert_eq!(other.cookie(SESSION), None);
}

fn sign_out(page: &Page) -> SentForm {
    page.form("/sign-out")
}

/// A form that is not known to come from a page of ours is refused, whatever else is right about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_only_where_a_browser_says_that_it_comes_from_here() {
    let stage = Stage::new().await;
    let (_, person) = city_with(&stage, &["caseworker"]).await;
    let mut browser = Browser::signed_in(&person).await;
    let form = sign_out(&browser.get("/").await);
    for site in ["cross-site", "same-site", "none", ""] {
        let refused = browser.send_from(&form, &[("sec-fetch-site", site), ("origin", ORIGIN)]).await;
        assert_eq!(status(&refused), 403, "a form of another site is refused: {site}");
    }
    for origin in ["null", "https://elsewhere.example", "http://localhost", "https://localhost:9999", ""] {
        let refused = browser.send_from(&form, &[("origin", origin)]).await;
        assert_eq!(status(&refused), 403, "a form of another origin is refused: {origin}");
    }
    let silent = browser.send_from(&form, &[]).await;
    assert_eq!(status(&silent), 403, "a form of nobody knows where is refused");
    assert_eq!(browser.get("/").await.path, "/", "nothing was done");
    let taken = browser.send_from(&form, &[("origin", ORIGIN)]).await;
    assert_eq!(status(&taken), 303, "an old browser says its origin alone");
}

/// A token is of one session, and never shown twice in the same letters.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_needs_the_token_of_its_session_which_no_two_pages_show_alike() {
    let stage = Stage::new().await;
    let (city, person) = city_with(&stage, &["caseworker"]).await;
    let colleague = stage.world.seat_new(&city, "w2", &["caseworker"]).await.unwrap();
    let (mut browser, mut other) = (Browser::signed_in(&person).await, Browser::signed_in(&colleague).await);
    let (form, again) = (sign_out(&browser.get("/").await), sign_out(&browser.get("/").await));
    let token = |form: &SentForm| form.value("form_token").unwrap().to_owned();
    assert_ne!(token(&form), token(&again), "two answers show the same token");
    let theirs = token(&sign_out(&other.get("/").await));
    for wrong in [theirs.as_str(), "", "x", &token(&form)[1..]] {
        let refused = browser.send_from(&form.clone().choose("form_token", wrong), &[OWN]).await;
        assert_eq!(status(&refused), 403, "a form with another token is refused");
    }
    let mut without = form.clone();
    without.fields.retain(|(name, _)| name != "form_token");
    assert_eq!(status(&browser.send_from(&without, &[OWN]).await), 403, "a form with another token is refused");
    assert_eq!(browser.get("/").await.path, "/", "nothing was done");
    assert_eq!(status(&browser.send_from(&again, &[OWN]).await), 303);
}

/// What a browser keeps is bound to this host, hidden from scripts, and sent with nothing that another site begins.
#[tokio::test(flavor = "multi_thread")]
async fn cookies_go_with_nothing_that_another_site_begins() {
    let stage = Stage::new().await;
    let (_, person) = city_with(&stage, &["caseworker"]).await;
    let mut browser = Browser::at_desk_of(&person);
    let page = browser.get("/sign-in").await;
    let form = filled(&mut browser, &person, &person.next_code()).await;
    let signed_in = browser.send_from(&form, &[OWN]).await;
    let all = page.header("set-cookie").into_iter().map(str::to_owned);
    let set = signed_in.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
    for cookie in all.chain(set) {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
            assert!(cookie.contains(attribute), "{attribute} is missing: {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

/// A link that somebody was sent does not lead away from the gateway once they signed in.
#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_nowhere_else() {
    let stage = Stage::new().await;
    let (_, person) = city_with(&stage, &["caseworker"]).await;
    let elsewhere =
        ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/%09/elsewhere.example"];
    for next in elsewhere {
        let mut browser = Browser::at_desk_of(&person);
        let shown = browser.get(&format!("/sign-in?next={next}")).await;
        assert_eq!(shown.form("/sign-in").value("next"), Some("/"), "a page leads elsewhere: {next}");
        let form = filled(&mut browser, &person, &person.next_code()).await.choose("next", next);
        let led = browser.send_from(&form, &[OWN]).await;
        assert_eq!((status(&led), led.header("location")), (303, Some("/")), "signing in leads elsewhere: {next}");
    }
}

/// A link from elsewhere comes without the cookies: it leads to where one signs in, and leaves the session as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_from_another_site_signs_nobody_out() {
    let stage = Stage::new().await;
    let (_, person) = city_with(&stage, &["caseworker"]).await;
    let mut stranger = Browser::at_desk_of(&person);
    let led = stranger.ask("/records").await;
    assert_eq!((led.status, led.header("location")), (303, Some("/sign-in?next=/records")));
    assert_eq!(led.header("set-cookie"), None, "a cookie is taken away that was not sent");
    let mut ended = Browser::beside(&person, &[("__Host-tsunagi-session", "of-a-session-that-ended")]);
    let led = ended.ask("/records").await;
    assert!(led.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")), "{led:?}", led = led.status);
    // The page of signing in that was opened so is bound to the visit, and works beside a session.
    let mut browser = Browser::signed_in(&person).await;
    let session = browser.cookie("__Host-tsunagi-session").unwrap().to_owned();
    let form = stranger.get("/sign-in").await.form("/sign-in");
    let visit = stranger.cookie("__Host-tsunagi-visit").unwrap().to_owned();
    let mut both = Browser::beside(&person, &[("__Host-tsunagi-session", &session), ("__Host-tsunagi-visit", &visit)]);
    let form = form.fill("officer", &person.officer).fill("password", &person.password);
    let signed_in = both.send(form.fill("second_factor", &person.next_code())).await;
    assert_eq!((signed_in.status, signed_in.path.as_str()), (200, "/"), "{}", signed_in.html);
    assert_eq!(browser.get("/").await.path, "/");
}

/// The path of a page with what stands for its parts.
fn path_of(route: &str) -> String {
    let part = Regex::new(r"\{[^}]*\}").unwrap();
    part.replace_all(route, "01900000-0000-7000-8000-000000000000").into_owned()
}

/// No page is kept by a browser or on the way to it, whoever asks and whatever it says; style and script are kept for ever.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_kept_and_what_pages_are_drawn_with_is_kept_for_ever() {
    let stage = Stage::new().await;
    let (city, _) = city_with(&stage, &["caseworker"]).await;
    let everything = stage.world.seat_new(&city, "w9", &ALL_ROLES).await.unwrap();
    let mut browser = Browser::signed_in(&everything).await;
    let mut stranger = Browser::at_desk_of(&everything);
    let pages: Vec<String> = web::all().filter(|page| page.method == "GET").map(|page| path_of(page.path)).collect();
    assert!(pages.len() > 20);
    for path in pages.iter().map(String::as_str).chain(["/no-such-page"]) {
        for page in [browser.ask(path).await, stranger.ask(path).await] {
            assert_eq!(page.header("cache-control"), Some("no-store"), "{path} may be kept ({})", page.status);
            assert_eq!(page.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
            assert_eq!(page.header("content-encoding"), None, "the length of a page tells of what is secret in it");
        }
    }
    let page = browser.get("/").await;
    let files = Regex::new(r#"(?:href|src)="(/static/[^"]+)""#).unwrap();
    let files: Vec<String> = files.captures_iter(&page.html).map(|found| found[1].to_owned()).collect();
    assert!(files.len() >= 2, "{files:?}");
    let digest = Regex::new(r"-[0-9a-f]{16}\.").unwrap();
    for file in files {
        let kept = browser.ask(&file).await;
        assert_eq!((kept.status, kept.header("cache-control")), (200, Some("private, max-age=31536000, immutable")));
        assert!(digest.is_match(&file), "{file} is not named by its digest");
        // What is the same for everybody is sent in fewer bytes to whoever reads them.
        for (said, coding) in [("gzip, br", Some("gzip")), ("br;q=1, gzip;q=0", None), ("identity", None)] {
            let client = everything.desk().client().unwrap();
            let sent = client.get(&file).header("accept-encoding", said).send().await.unwrap();
            assert_eq!((sent.header("content-encoding"), sent.header("vary")), (coding, Some("Accept-Encoding")));
            let is_smaller = sent.body.len() < kept.bytes().len();
            assert_eq!(is_smaller, coding.is_some(), "{file} for {said}");
        }
    }
    // Signing out, a browser forgets what it keeps all the same.
    let out = browser.send_from(&sign_out(&page), &[OWN]).await;
    assert_eq!(out.header("clear-site-data"), Some("\"cache\""));
    assert_eq!(out.header("cache-control"), Some("no-store"));
}

/// An answer without what differs each time: tokens, keys of forms, ids of requests.
fn without_chance(page: &Page) -> String {
    let chance = Regex::new(r#"(name="(?:form_token|form_key|passkey_ticket)" value=")[^"]*|[0-9a-f-]{36}"#).unwrap();
    chance.replace_all(&page.html, "$1").into_owned()
}

/// Whoever guesses ids learns nothing by the answer, nor by the work that is done for it, on the page as by the API.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_nobody_is_answered_like_a_wrong_password_for_as_much_work() {
    let stage = Stage::new().await;
    let (city, known) = city_with(&stage, &["caseworker"]).await;
    let gone = stage.world.seat_new(&city, "w2", &["caseworker"]).await.unwrap();
    stage.world.add_staff(&city, "w3", &["caseworker"]).await.unwrap();
    let revoke = format!("/v1/staff/{CITY_A}/{}/revoke", gone.officer);
    assert_eq!(city.client.post(&revoke).send().await.unwrap().status, 200);
    let hashing = stage.world.gateway().unwrap().hashing.clone();
    let mut answers = Vec::new();
    // Of the known one the password is wrong; the others are revoked, without a credential, and nobody's.
    for officer in ["w1", "w2", "w3", "w4"] {
        let mut browser = Browser::at_desk_of(&known);
        for code in ["", "123456"] {
            let form = browser.get("/sign-in").await.form("/sign-in");
            let form = form.fill("officer", officer).fill("password", "machigatta password desu");
            let before = hashing.hashed();
            let page = browser.send(form.fill("second_factor", code)).await;
            let work = hashing.hashed() - before;
            assert_eq!(work, 1, "as many passwords are checked for {officer}");
            let lengths = page.bytes().len();
            answers.push((
                page.status,
                lengths,
                without_chance(&page).replace(officer, "ID"),
                page.header("set-cookie").is_some(),
            ));
        }
    }
    for answer in &answers[1..] {
        assert_eq!(answer, &answers[0], "an id is told by the answer");
    }
    assert_eq!(answers[0].0, 401);
    // All of them are locked after as many tries.
    for officer in ["w1", "w2", "w3", "w4"] {
        let mut browser = Browser::at_desk_of(&known);
        let mut codes = Vec::new();
        for _ in 0..5 {
            let form = browser.get("/sign-in").await.form("/sign-in");
            codes.push(browser.send(form.fill("officer", officer).fill("password", "machigatta")).await.status);
        }
        assert_eq!(codes, [401, 401, 401, 429, 429], "{officer} is locked as others are");
    }
    // A code to enrol with that is none says nothing of whose it might be.
    let mut told = Vec::new();
    for officer in ["w1", "w3", "w4"] {
        let mut browser = Browser::at_desk_of(&known);
        let form = browser.get("/enrol").await.form("/enrol");
        let page = browser.send(form.fill("code", "AAAA-BBBB-CCCC-DDDD").fill("officer", officer)).await;
        told.push((page.status, without_chance(&page).replace(officer, "ID")));
    }
    assert!(told.iter().all(|answer| *answer == told[0]), "an id is told by the answer");
}

/// A person leaves the desk and the browser open.
#[tokio::test(flavor = "multi_thread")]
async fn a_sharp_act_asks_again_and_goes_on_with_what_was_filled_in() {
    let stage = Stage::new().await;
    let (city, _) = city_with(&stage, &["caseworker"]).await;
    let administrator = &city.first.administrator;
    let mut browser = Browser::signed_in(administrator).await;
    let ask = |page: &Page, id: &str| {
        let name = "架空 <b>\"花子\"</b>";
        page.form("/staff").fill("id", id).fill("name", name).choose("role_caseworker", "1")
    };
    let waiting = async || {
        let listed = json(&administrator.client().await.unwrap().get("/v1/waiting-acts").send().await.unwrap());
        listed["waiting_acts"].as_array().unwrap().len()
    };
    // A moment after signing in nothing is asked again.
    let page = browser.get("/staff").await;
    let at_once = browser.send(ask(&page, "n1")).await;
    assert_eq!((at_once.status, at_once.path.as_str()), (200, "/staff?done=asked"), "{}", at_once.html);
    let before = waiting().await;

    stage.world.clock.advance(Duration::minutes(11));
    let page = browser.get("/staff").await;
    let form = ask(&page, "n2");
    let asked = browser.send(form.clone()).await;
    assert_eq!(asked.status, 403, "a sharp act asks again");
    assert!(asked.text().contains("本人確認"), "{}", asked.text());
    let again = asked.form_here();
    for name in ["id", "name", "role_caseworker", "form_key"] {
        assert_eq!(again.value(name), form.value(name), "{name} is lost");
    }
    assert_eq!(waiting().await, before, "nothing is done without it");
    // Nothing and something wrong lead no further, and what was filled in stays.
    let nothing = browser.send(again.clone()).await;
    assert_eq!(nothing.status, 401, "{}", nothing.html);
    let wrong = browser.send(nothing.form_here().fill("code_again", "000000")).await;
    assert_eq!((wrong.status, waiting().await), (401, before), "{}", wrong.html);
    let again = wrong.form_here();
    assert_eq!(again.value("name"), form.value("name"), "the name is lost");
    // Another session's token does not show anything here.
    let code = administrator.next_code();
    let foreign = again.clone().choose("form_token", "x").fill("code_again", &code);
    assert_eq!(browser.send(foreign).await.status, 403);

    let done = browser.send(again.clone().fill("code_again", &code)).await;
    assert_eq!((done.status, done.path.as_str()), (200, "/staff?done=asked"), "{}", done.html);
    // A double click does nothing twice, though the code is used.
    let twice = browser.send(again.fill("code_again", &code)).await;
    assert_eq!((twice.status, waiting().await), (200, before + 1), "{}", twice.html);
    // For a while nothing is asked again.
    let page = browser.get("/staff").await;
    assert_eq!(browser.send(ask(&page, "n3")).await.path, "/staff?done=asked");
    let mut tx = stage.world.gateway().unwrap().store.read().await.unwrap();
    let entries = store::ledger::entries_by(&mut tx, &city.code, Uuid::max(), 100).await.unwrap();
    let entries: Vec<Entry> = entries.iter().filter_map(|stored| Entry::from_bytes(&stored.body)).collect();
    let shown =
        |outcome| entries.iter().filter(|of| of.act.as_str() == "second_factor_show" && of.outcome == outcome).count();
    assert_eq!((shown(Outcome::Done), shown(Outcome::Refused)), (1, 2), "each is an entry");
}

/// Whatever is sharp: confirming, issuing, loosening, breaking the glass. Taking away and looking are not.
#[tokio::test(flavor = "multi_thread")]
async fn every_sharp_act_of_a_page_that_stood_open_asks_again() {
    let stage = Stage::new().await;
    let (city, _) = city_with(&stage, &["caseworker"]).await;
    let (administrator, manager) = (&city.first.administrator, &city.first.credential_manager);
    let staff = serde_json::json!({ "id": "n1", "name": "架空", "roles": ["caseworker"] });
    let waits = json(&manager.post("/v1/staff", &staff).await.unwrap())["waiting_act"].as_str().unwrap().to_owned();
    let (mut browser, mut theirs) = (Browser::signed_in(administrator).await, Browser::signed_in(manager).await);
    stage.world.clock.advance(Duration::minutes(11));
    let asks = |page: Page, what: &str| assert_eq!(page.status, 403, "{what} asks again: {}", page.html);
    let confirmation = format!("/waiting/{waits}/confirm");
    let form = browser.get("/waiting").await.form(&confirmation);
    asks(browser.send(form).await, "confirming");
    let form = theirs.get("/staff/w1").await.form("/staff/w1/reissue");
    asks(theirs.send(form).await, "asking for a credential anew");
    let form = theirs.get("/staff/w1").await.form("/staff/w1/unlock");
    asks(theirs.send(form).await, "ending a lock");
    let form = browser.get("/settings/visibility").await.form("/settings/visibility");
    let tightened = SentForm {
        fields: form.fields.iter().filter(|(name, _)| name != "see.counterpart.support").cloned().collect(),
        ..form.clone()
    };
    let done = browser.send(tightened).await;
    assert_eq!(
        (done.status, done.path.as_str()),
        (200, "/settings/visibility?done=changed"),
        "hiding more is not sharp"
    );
    let form = browser.get("/settings/visibility").await.form("/settings/visibility");
    asks(browser.send(form.choose("see.counterpart.support", "1")).await, "showing more");
    let form = browser.get("/staff/w1").await.form("/staff/w1/revoke");
    assert_eq!(browser.send(form).await.status, 200, "taking away waits for nothing");
    // A program that holds its own token is asked nothing of the kind.
    let token = browser.cookie(SESSION).unwrap().to_owned();
    let program = administrator.desk().client().unwrap().with_token(token);
    let confirmed = program.post(&format!("/v1/waiting-acts/{waits}/confirmation")).send().await.unwrap();
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text());
}

/// Who is told that a terminal is not registered is led nowhere: every page would say the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_not_in_force_is_told_what_to_do_and_led_nowhere() {
    let stage = Stage::new().await;
    let (city, person) = city_with(&stage, &["caseworker"]).await;
    let mut browser = Browser::signed_in(&person).await;
    let desks = json(&city.first.administrator.client().await.unwrap().get("/v1/terminals").send().await.unwrap());
    let is_desk = |line: &&serde_json::Value| line["kind"] == "desk";
    let desk = desks["terminals"].as_array().unwrap().iter().find(is_desk).unwrap()["serial"].as_str().unwrap();
    let revoked = city.client.post(&format!("/v1/terminals/{desk}/revoke")).send().await.unwrap();
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    let page = browser.get("/").await;
    assert_eq!(page.status, 401, "{}", page.html);
    assert!(page.text().contains("管理責任者") && page.text().contains("この端末は失効しています"), "{}", page.text());
    assert!(!page.html.contains("href=\"/\""), "it leads to where the same is said");
}

/// The twins: without its guard each of these stories fails, by its own words.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_guard_each_of_these_stories_fails() {
    let elsewhere = "pages_security::a_form_is_taken_only_where_a_browser_says_that_it_comes_from_here";
    let token = "pages_security::a_form_needs_the_token_of_its_session_which_no_two_pages_show_alike";
    let again = "pages_security::a_sharp_act_asks_again_and_goes_on_with_what_was_filled_in";
    let every = "pages_security::every_sharp_act_of_a_page_that_stood_open_asks_again";
    for (defect, story, words) in [
        (
            "keep-the-session",
            "pages_security::a_session_that_was_chosen_before_is_not_the_one_that_is_signed_in",
            "the session is new",
        ),
        ("accept-replays", "pages_security::a_code_that_was_used_on_a_page_is_refused_there", "a code works once"),
        ("believe-any-origin", elsewhere, "a form of another site is refused"),
        ("believe-silence", elsewhere, "a form of nobody knows where is refused"),
        ("believe-any-token", token, "a form with another token is refused"),
        ("bare-token", token, "two answers show the same token"),
        (
            "lax-cookies",
            "pages_security::cookies_go_with_nothing_that_another_site_begins",
            "SameSite=Strict is missing",
        ),
        ("lead-anywhere", "pages_security::signing_in_leads_nowhere_else", "leads elsewhere"),
        ("keep-pages", "pages_security::no_page_is_kept_and_what_pages_are_drawn_with_is_kept_for_ever", "may be kept"),
        (
            "check-known-alone",
            "pages_security::an_id_of_nobody_is_answered_like_a_wrong_password_for_as_much_work",
            "as many passwords are checked",
        ),
        ("never-ask-again", again, "a sharp act asks again"),
        ("never-ask-again", every, "asks again"),
    ] {
        fails_with(defect, story, words).await;
    }
}
