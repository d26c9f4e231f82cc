//! No hidden item is an oracle: two databases that differ only in what a caller may not see answer that caller alike,
//! byte for byte, totals, order, paging and errors included.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use regex::Regex;
use serde_json::{Value, json as j};
use tsunagi::client::Reply;
use tsunagi_testkit::{people::Family, world::Party};

use crate::{
    browser::{Browser, Page, SentForm},
    harness::*,
};

/// One thing a caller may try.
#[derive(Clone, Debug)]
enum Act {
    Search { child: String, guardian: Option<String>, birth: Option<String>, sex: Option<String>, page: u8 },
    View,
    History,
    Version,
    Attachment,
    AskTransfer,
    Inquire,
    Disclosures,
    Inbox,
    Transfers,
    Checkpoint,
}

fn acts() -> impl Strategy<Value = Act> {
    let fragment = prop::sample::select(vec![
        "髙橋",
        "高橋",
        "花子",
        "ハナコ",
        "たかはし",
        "ﾀｶﾊｼ",
        "子",
        "鈴木",
        "早乙女",
        "タカ",
        "木",
        "花",
        "佐藤",
        "高",
        "ン",
        // A kana away from the hidden child and from another.
        "タカハセ",
        "タカハセハナコ",
        "スズミ",
    ]);
    let guardian = prop::option::of(prop::sample::select(vec!["誠", "髙橋", "渡辺", "マコト"]));
    let birth = prop::option::of(prop::sample::select(vec!["2018", "H30.4", "2018-04-01", "2019"]));
    let sex = prop::option::of(prop::sample::select(vec!["1", "2"]));
    let page = prop::sample::select(vec![1_u8, 1, 1, 2]);
    prop_oneof![
        6 => (fragment, guardian, birth, sex, page).prop_map(|(child, guardian, birth, sex, page)| Act::Search {
            child: child.to_owned(),
            guardian: guardian.map(str::to_owned),
            birth: birth.map(str::to_owned),
            sex: sex.map(str::to_owned),
            page,
        }),
        1 => Just(Act::View), 1 => Just(Act::History), 1 => Just(Act::Version), 1 => Just(Act::Attachment),
        1 => Just(Act::AskTransfer), 1 => Just(Act::Inquire), 1 => Just(Act::Disclosures), 1 => Just(Act::Inbox),
        1 => Just(Act::Transfers), 1 => Just(Act::Checkpoint),
    ]
}

/// Does it; `hidden` is the id of a record that this caller may not see, or of none at all.
async fn perform(caller: &Party, act: &Act, hidden: &str) -> Reply {
    let client = &caller.client;
    let record = format!("/v1/records/{hidden}");
    let request = match act {
        Act::Search { child, guardian, birth, sex, page } => {
            let mut body = j!({ "purpose": "casework", "case_reference": "1", "child_name": child,
                "near_misses": if sex.is_some() { "if_none" } else { "always" }, "page": page });
            let fields = [
                ("guardian_name", guardian.clone().map(Value::from)),
                ("birth", birth.clone().map(|on| j!({ "on": on }))),
                ("sex", sex.clone().map(Value::from)),
            ];
            for (name, value) in fields {
                if let Some(value) = value {
                    body[name] = value;
                }
            }
            client.post("/v1/searches").json(&body)
        }
        Act::View => client.get(&record).purpose("casework"),
        Act::History => client.get(&format!("{record}/history")).purpose("casework"),
        Act::Version => client.get(&format!("{record}/versions/1")).purpose("casework"),
        Act::Attachment => client.get(&format!("{record}/attachments/{hidden}")).purpose("casework"),
        Act::AskTransfer => client.post("/v1/transfers/requests").json(&j!({ "record": hidden, "reason": "転入" })),
        Act::Inquire => client.post(&format!("{record}/inquiries")).json(&j!({ "text": "照会" })),
        Act::Disclosures => client.get("/v1/disclosures?of=by_us"),
        Act::Inbox => client.get("/v1/inbox"),
        Act::Transfers => client.get("/v1/transfers"),
        Act::Checkpoint => client.get("/v1/ledger/checkpoint"),
    };
    request.send().await.unwrap()
}

/// Everything an answer says, with what is random — ids, times, serials, hashes — numbered by first appearance.
struct Normal {
    random: Regex,
    seen: HashMap<String, usize>,
}

impl Normal {
    fn new() -> Self {
        Self::besides(&[])
    }

    /// Of pages: what binds a form to its session and makes it one act, and the hour.
    fn of_pages() -> Self {
        Self::besides(&["\"[A-Za-z0-9_-]{40,}\"", r"\d+月\d+日（.）( \d+:\d\d)?"])
    }

    fn besides(more: &[&str]) -> Self {
        let random = [
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
            r"[A-Za-z, ]+\d\d:\d\d:\d\d GMT",
            "[0-9a-f]{31,32}",
            "[A-Za-z0-9+/]{40,}=*",
            // 128 bits: what an entry says of the rows.
            "[A-Za-z0-9+/]{22}==",
        ];
        let random = more.iter().copied().chain(random).collect::<Vec<_>>().join("|");
        Self { random: Regex::new(&random).unwrap(), seen: HashMap::new() }
    }

    fn of(&mut self, reply: &Reply) -> String {
        let mut headers: Vec<String> = reply
            .headers
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        let whole = format!("{}\n{}\n\n{}", reply.status, headers.join("\n"), reply.text());
        let seen = &mut self.seen;
        self.random
            .replace_all(&whole, |found: &regex::Captures<'_>| {
                let next = seen.len();
                format!("#{}", seen.entry(found[0].to_owned()).or_insert(next))
            })
            .into_owned()
    }
}

/// What a caseworker does at a desk, with the page of a hidden record or of none at all.
async fn visit(browser: &mut Browser, page: &str, hidden: &str) -> Page {
    let record = format!("/records/{hidden}");
    match page {
        "search" => {
            let form = browser.get("/search").await.form("/search");
            let form = form.fill("child_name", "髙橋").choose("purpose", "casework").fill("case_reference", "1");
            browser.send(form).await
        }
        "today" => browser.get("/").await,
        "transfers" | "inquiries" | "records" => browser.get(&format!("/{page}")).await,
        "ask" => {
            let form = browser.get("/settings").await.form("/sign-out");
            let form = SentForm { action: format!("{record}/ask"), ..form };
            browser.send(form.choose("text", "照会")).await
        }
        "break-glass" => {
            let form = browser.get("/settings").await.form("/sign-out");
            let form = SentForm { action: format!("{record}/break-glass"), ..form };
            browser.send(form.choose("reason", "生命の危険がある")).await
        }
        "attachment" => browser.get(&format!("{record}/attachments/{hidden}")).await,
        "" => browser.get(&record).await,
        part => browser.get(&format!("{record}/{part}")).await,
    }
}

const VISITS: [&str; 20] = [
    "search",
    "",
    "history",
    "versions/1",
    "sections/contact",
    "sections/family",
    "edit",
    "close",
    "shield",
    "attachments/new",
    "attachment",
    "offer",
    "ask",
    "request-transfer",
    "break-glass",
    "serious",
    "today",
    "transfers",
    "inquiries",
    "records",
];

/// The pages of two worlds, each visited in turn; returns the first on which they differ.
async fn pages_differ(hidden: &str) -> Option<String> {
    let (one_stage, one, one_hidden) = stage(hidden, &family(CITY_A)).await;
    let (other_stage, other, _) = stage(hidden, &unrelated()).await;
    let mut browsers = Vec::new();
    for (stage, party) in [(&one_stage, &one), (&other_stage, &other)] {
        let person = stage.world.seat_new(party, "w1", &["caseworker", "supervisor"]).await.unwrap();
        browsers.push((Browser::signed_in(&person).await, Normal::of_pages()));
    }
    for page in VISITS {
        let mut said = Vec::new();
        for ((browser, normal), id) in browsers.iter_mut().zip([one_hidden.as_str(), ABSENT]) {
            said.push(normal.of(visit(browser, page, id).await.reply()));
        }
        if said[0] != said[1] {
            return Some(format!("{page}\n{}\n----\n{}", said[0], said[1]));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_two_worlds_that_differ_in_a_hidden_record_are_alike() {
    for hidden in ["shielded", "not covered"] {
        let differs = pages_differ(hidden).await;
        assert!(differs.is_none(), "{hidden}: {}", differs.unwrap());
    }
}

/// The twin: a record that is not hidden makes the pages differ.
#[tokio::test(flavor = "multi_thread")]
async fn a_visible_record_is_noticed_on_pages() {
    assert!(pages_differ("visible").await.is_some());
}

/// A stage on which one record is hidden from an outside city: shielded, or of a class that national search does not
/// cover. The two worlds differ in its content alone.
async fn stage(hidden: &str, content: &Family) -> (Stage, Party, String) {
    let stage = Stage::new().await;
    let (owner, caller) = (stage.party("owner", CITY_A).await, stage.party("caller", CITY_B).await);
    let mut visible = family(CITY_A);
    (visible.child, visible.child_kana) = ("鈴木 桃子".into(), "スズキ モモコ".into());
    register(&owner, &visible).await;
    let mut content = content.clone();
    let document = match hidden {
        "shielded" => {
            content.shield_since = Some("2026-04-01".into());
            content.to_xml()
        }
        "not covered" => {
            content.to_xml().replace("<caseClass>1</caseClass><abuseKind>2</abuseKind>", "<caseClass>2</caseClass>")
        }
        _ => content.to_xml(),
    };
    let reply = owner.client.post("/v1/records").xml(document).send().await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    let record = json(&reply)["record"].as_str().unwrap().to_owned();
    (stage, caller, record)
}

/// Of no record.
const ABSENT: &str = "01900000-0000-7000-8000-000000000000";

/// A family that has nothing in common with the other world's.
fn unrelated() -> Family {
    let mut unrelated = family(CITY_A);
    (unrelated.child, unrelated.child_kana) = ("五十嵐 樹".into(), "イガラシ イツキ".into());
    (unrelated.guardian, unrelated.guardian_kana) = ("五十嵐 彩".into(), "イガラシ アヤ".into());
    unrelated.former_guardian = None;
    unrelated.birth_date = "2011-11-11".into();
    unrelated.sex = "1".into();
    unrelated
}

/// Plays the same acts in two worlds; returns the first on which they differ.
async fn difference(hidden: &str, acts: &[Act]) -> Option<String> {
    let (_one_stage, one, one_hidden) = stage(hidden, &family(CITY_A)).await;
    let (_other_stage, other, _) = stage(hidden, &unrelated()).await;
    let (mut one_normal, mut other_normal) = (Normal::new(), Normal::new());
    for act in acts {
        let a = one_normal.of(&perform(&one, act, &one_hidden).await);
        let b = other_normal.of(&perform(&other, act, ABSENT).await);
        if a != b {
            return Some(format!("{act:?}\n{a}\n----\n{b}"));
        }
    }
    None
}

fn random_acts(count: usize) -> Vec<Act> {
    let acts =
        prop::collection::vec(acts(), count).new_tree(&mut TestRunner::new(Config::default())).unwrap().current();
    println!("{acts:?}");
    acts
}

#[tokio::test(flavor = "multi_thread")]
async fn two_worlds_that_differ_in_a_hidden_record_answer_alike() {
    for hidden in ["shielded", "not covered"] {
        let acts = random_acts(150);
        let differs = difference(hidden, &acts).await;
        assert!(differs.is_none(), "{hidden}: {}", differs.unwrap());
    }
}

/// The twin: a record that is not hidden makes the two worlds differ.
#[tokio::test(flavor = "multi_thread")]
async fn a_visible_record_is_noticed() {
    assert!(difference("visible", &random_acts(60)).await.is_some());
}

/// The log of the statements that the database was asked.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<u8>>>);

impl io::Write for Asked {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Asked {
    fn times(&self, statement: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(&format!("summary=\"/* {statement} */")).count()
    }
}

/// What is read before the gate decides is the same for what is hidden as for what is not there.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hidden_record_no_more_is_looked_up_than_of_one_that_does_not_exist() {
    let asked = Asked::default();
    let log = asked.clone();
    tracing_subscriber::fmt().with_env_filter("sqlx::query=debug").with_writer(move || log.clone()).try_init().unwrap();
    let stage = Stage::new().await;
    let (city, other) = (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await);
    let hidden = register(&city, &family(CITY_A)).await;
    let absent = uuid::Uuid::from_u128(7).to_string();
    for act in [Act::Attachment, Act::View] {
        let statements = ["read_facts", "read_record", "attachments_of", "attachment", "version"];
        let mut asked_for = Vec::new();
        for record in [&hidden, &absent] {
            let before = statements.map(|statement| asked.times(statement));
            let refused = perform(&other, &act, record).await;
            assert_refused(&refused, 404, "record_not_available");
            let after = statements.map(|statement| asked.times(statement));
            asked_for.push([0, 1, 2, 3, 4].map(|at| after[at] - before[at]));
        }
        assert_eq!(asked_for[0], asked_for[1], "{statements:?}");
        assert_eq!(asked_for[0][0] + asked_for[0][1], 1, "one statement reads a record: {statements:?}");
    }
}
