//! Naughty strings in every field of the form of a record: in form, draft, reading view and history they are text, as they
//! were typed. Of each kind of the big list of naughty strings one; all of it where `NAUGHTY_STRINGS` names its `blns.json`
//! (npm `big-list-of-naughty-strings`, which `scripts/attack_surface/packages.py` fetches).

use regex::Regex;

use crate::{
    browser::{Browser, SentForm},
    harness::*,
    pages_records::{first_case, record_of},
};

const KINDS: [&str; 42] = [
    "undefined",
    "null",
    "\\\\",
    "NaN",
    "1/0",
    "0xffffffff",
    "99999999999999999999999",
    ",./;'[]\\-=",
    "<>?:\"{}|_+",
    "!@#$%^&*()`~",
    "Ω≈ç√∫˜µ≤≥÷",
    "ЁЂЃЄЅІЇЈЉЊЋЌЍЎЏ",
    "⁰⁴⁵₀₁₂",
    "ด้้้้้็็็็็้้้้้็็็็็้้้้้้้้็็็็็้้้้้็็็็็",
    "'\"'\"'''\"",
    "田中さんにあげて下さい",
    "𠜎𠜱𠝹𠱓𠱸𠲖𠳏",
    "ﾂ｡◕‿◕｡ﾂ ,。・:*:・゜’( ☻ ω ☻ )。・:*:・゜’",
    "😍 👩🏽 👨‍👩‍👧‍👦 🏳️‍🌈",
    "🇺🇸🇷🇺🇸 🇦🇫",
    "１２３ ١٢٣",
    "ثم نفس سقطت وبالتحديد، מבהיר",
    "\u{202E}test\u{202C}",
    "Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤",
    "˙ɐnbᴉlɐ ɐuƃɐɯ ǝɹolop",
    "Ｔｈｅ ｑｕｉｃｋ ｂｒｏｗｎ ｆｏｘ",
    "<script>alert(123)</script>",
    "&lt;script&gt;alert(&#39;123&#39;);&lt;/script&gt;",
    "<img src=x onerror=alert(123) />",
    "\"><script>alert(123)</script>",
    "' autofocus onkeyup='javascript:alert(123)",
    "</textarea><svg/onload=alert(1)>",
    "<a href=\"\\x0Bjavascript:javascript:alert(1)\" id=\"fuzzelement1\">test</a>",
    "<!--#exec cmd=\"/bin/cat /etc/passwd\"-->",
    "1;DROP TABLE users",
    "1' OR 1=1 -- 1",
    "$HOME %x('ls -al /') `touch /tmp/blns.fail`",
    "<?xml version=\"1.0\"?><!DOCTYPE foo [ <!ENTITY xxe SYSTEM \"file:///etc/passwd\" >]><foo>&xxe;</foo>",
    "%d %s%s%s {0} {{ 7 * 7 }} {% print %} ${7*7}",
    "../../../../../../../../../../../etc/passwd%00",
    "() { 0; }; touch /tmp/blns.shellshock1.fail;",
    "If you're reading this, you've been in a coma\u{200B}\n二行目",
];

fn strings() -> Vec<String> {
    match std::env::var("NAUGHTY_STRINGS") {
        Ok(path) => serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(),
        Err(_) => KINDS.map(str::to_owned).to_vec(),
    }
}

/// Elements and the names of their attributes, in their order: what a text may not change.
fn skeleton(html: &str) -> Vec<String> {
    let (tag, attribute) = (
        Regex::new(r#"<([!/]?[a-zA-Z]+)((?:[^>"]|"[^"]*")*)>"#).unwrap(),
        Regex::new(r#"\s([a-z-]+)(="[^"]*")?"#).unwrap(),
    );
    tag.captures_iter(html)
        .map(|found| {
            let names: Vec<&str> =
                attribute.captures_iter(&found[2]).map(|name| name.get(1).unwrap().as_str()).collect();
            format!("{} {}", &found[1], names.join(" "))
        })
        .collect()
}

/// The sections of a form, without what is said above and below.
fn sheet(html: &str) -> &str {
    let (start, end) = (html.find("<details class=\"record-section").unwrap(), html.rfind("</details>").unwrap());
    &html[start..end]
}

/// The form with a text in every field in which a text is typed.
fn with(form: &SentForm, naughty: &str) -> SentForm {
    let is_typed = |name: &str| {
        let is_of_record = name.contains('.') && !name.ends_with(".era");
        is_of_record
            && !["sex", "authority", "caseClass", "route", "method", "enrolment"]
                .iter()
                .any(|code| name.ends_with(code))
    };
    let names: Vec<String> = form.fields.iter().map(|(name, _)| name.clone()).filter(|name| is_typed(name)).collect();
    names.into_iter().fold(form.clone(), |form, name| form.choose(&name, naughty))
}

/// Fields that take any line of text, or any text.
const FREE: [&str; 6] = [
    "index.child.name.written",
    "index.guardian.1.name.written",
    "contact.address",
    "contact.addressAnnex",
    "support.policy",
    "officer.department",
];

#[tokio::test(flavor = "multi_thread")]
async fn naughty_strings_are_text_wherever_they_are_shown() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    let blank = browser.get("/records/new").await.form("/records/new").choose("save", "page");
    let plain = browser.send(with(&blank, "架空")).await;
    let (fields, mut shown) = (skeleton(sheet(&plain.html)), 0);
    assert!(fields.len() > 500, "{}", fields.len());
    let plain_view = register_with(&mut browser, "架空").await.expect("nothing is wrong with it");
    for naughty in strings() {
        // In the form, every field; kept and opened again as well.
        let form = with(&blank, &naughty).choose("draft", plain.form("/records/new").value("draft").unwrap());
        let kept = browser.send(form).await;
        assert_eq!(kept.status, 200, "{naughty:?}: {}", kept.html);
        let again =
            browser.get(&format!("/records/new?draft={}", kept.form("/records/new").value("draft").unwrap())).await;
        for page in [&kept, &again] {
            let form = page.form("/records/new");
            for name in FREE {
                assert_eq!(form.value(name), Some(naughty.as_str()), "{name}");
            }
            let (now, was) = (skeleton(sheet(&page.html)), &fields);
            let differs = now.iter().zip(was).find(|(now, was)| now != was);
            let is_blank = naughty.trim().is_empty();
            assert!(
                is_blank || differs.is_none() && now.len() == was.len(),
                "a text changed the form: {naughty:?}: {differs:?}"
            );
        }
        // In the reading view and the history, where a record may say it.
        let Some(view) = register_with(&mut browser, &naughty).await else { continue };
        shown += 1;
        for ((html, text), plain) in view.iter().zip(&plain_view) {
            assert_eq!(skeleton(html), skeleton(&plain.0), "a text changed a page: {naughty:?}");
            assert!(text.contains(naughty.trim()), "{naughty:?} is not shown: {text}");
        }
    }
    assert!(shown > 30, "only {shown} could be registered");
}

/// Registers a child with a text in its free fields; the reading view and the first version, as markup and as text.
/// `None` where the text may stand in no record.
async fn register_with(browser: &mut Browser, naughty: &str) -> Option<[(String, String); 2]> {
    let form = first_case(browser.get("/records/new").await.form("/records/new"));
    let form = FREE.into_iter().fold(form, |form, name| form.choose(name, naughty));
    let page = browser.send(form).await;
    if page.status == 422 {
        assert_eq!(page.form("/records/new").value("support.policy"), Some(naughty));
        return None;
    }
    assert_eq!(page.status, 200, "{naughty:?}: {}", page.html);
    let record = record_of(&page.path);
    let view = browser.get(&format!("/records/{record}")).await;
    let version = browser.get(&format!("/records/{record}/versions/1")).await;
    Some([(view.html.clone(), view.text()), (version.html.clone(), version.text())])
}
