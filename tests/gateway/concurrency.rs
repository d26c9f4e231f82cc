//! A hundred writers of one record, and readers beside them: no update is lost, and no reader sees half of one.
//!
//! The document holds the same number in two sections. Every writer reads it, adds one and writes both, with If-Match.
//! So the number in version v must be v - 1, in every version and in every view; a writer that overwrote what it had not
//! read would leave it behind, and a torn read would show two numbers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tsunagi::client::{Client, Reply};

use crate::{crash, harness::*};

/// A version as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    version: i64,
    /// The number in the section contact, and in the section support.
    numbers: (i64, i64),
    writer: String,
}

impl Seen {
    fn of(reply: &Reply) -> Self {
        let text = reply.text();
        let found = |pattern: &str| {
            let found = regex::Regex::new(pattern).unwrap().captures(&text).unwrap_or_else(|| panic!("{text}"));
            found[1].to_owned()
        };
        Self {
            version: json(reply)["version"].as_i64().unwrap(),
            numbers: (found("架空町([0-9]+)番").parse().unwrap(), found("第([0-9]+)回").parse().unwrap()),
            writer: found("記入者(w[0-9]+-[0-9]+)"),
        }
    }
}

fn document(number: i64, writer: &str) -> String {
    let mut family = family(CITY_A);
    family.address = format!("架空町{number}番");
    family.to_xml().replace("家庭訪問を週1回行う", &format!("第{number}回 記入者{writer}"))
}

/// What writers were told and readers saw.
#[derive(Default)]
struct Books {
    acknowledged: Vec<(i64, String)>,
    views: Vec<Seen>,
    refused: usize,
}

fn lock(books: &Mutex<Books>) -> std::sync::MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds the books against the versions that are kept; returns what is wrong.
fn faults(books: &Books, history: &[Seen]) -> Vec<String> {
    let mut wrong = Vec::new();
    let kept: BTreeMap<i64, &Seen> = history.iter().map(|seen| (seen.version, seen)).collect();
    if !kept.keys().copied().eq(1..=books.acknowledged.len() as i64 + 1) {
        wrong.push(format!(
            "{} updates were acknowledged, and these versions kept: {:?}",
            books.acknowledged.len(),
            kept.keys()
        ));
    }
    let mut told: Vec<_> = books.acknowledged.clone();
    told.sort();
    for (version, writer) in told {
        if kept.get(&version).is_none_or(|kept| kept.writer != writer) {
            wrong.push(format!("version {version} was acknowledged to {writer}, and is not its own"));
        }
    }
    for seen in history {
        if seen.numbers != (seen.version - 1, seen.version - 1) {
            wrong.push(format!("an update was lost before version {}: {:?}", seen.version, seen.numbers));
        }
    }
    for seen in &books.views {
        if kept.get(&seen.version).is_none_or(|kept| *kept != seen) {
            wrong.push(format!("a view is no version: {seen:?}"));
        }
    }
    wrong
}

async fn look(client: &Client, record: &str) -> Seen {
    let reply = client.get(&format!("/v1/records/{record}")).purpose("casework").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    Seen::of(&reply)
}

/// Adds one, so many times, until each is acknowledged.
async fn write(client: Client, record: String, number: usize, updates: usize, books: Arc<Mutex<Books>>) {
    let mut random = fastrand::Rng::with_seed(number as u64);
    for update in 0..updates {
        let writer = format!("w{number}-{update}");
        loop {
            let seen = look(&client, &record).await;
            let next = document(seen.numbers.0 + 1, &writer);
            let sent = client.put(&format!("/v1/records/{record}")).if_match(seen.version).xml(next);
            let reply = sent.send().await.unwrap();
            if reply.status == 200 {
                let version = json(&reply)["version"].as_i64().unwrap();
                lock(&books).acknowledged.push((version, writer));
                break;
            }
            assert_refused(&reply, 412, "stale_version");
            lock(&books).refused += 1;
            // Who keeps losing tries a little later: this spreads the writers and hides nothing.
            tokio::time::sleep(Duration::from_millis(random.u64(0..80))).await;
        }
    }
}

/// So many writers at once, and eight readers; returns what was wrong, and how often a writer was told to read again.
async fn contend(writers: usize, updates: usize, defect: Option<&str>) -> (Vec<String>, usize) {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let running = crash::serve(&premises, defect).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let registered = city.client.post("/v1/records").xml(document(0, "w0-0")).send().await.unwrap();
    assert_eq!(registered.status, 201, "{}", registered.text());
    let record = json(&registered)["record"].as_str().unwrap().to_owned();
    let books = Arc::new(Mutex::new(Books::default()));
    let client = || crash::client(&premises, running.address(), "a", "o1");
    let writing: Vec<_> = (0..writers)
        .map(|number| tokio::spawn(write(client(), record.clone(), number, updates, books.clone())))
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let reading: Vec<_> = (0..8)
        .map(|_| {
            let (client, record, books, done) = (client(), record.clone(), books.clone(), done.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let seen = look(&client, &record).await;
                    lock(&books).views.push(seen);
                }
            })
        })
        .collect();
    for writer in writing {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    for reader in reading {
        reader.await.unwrap();
    }
    let current = look(&city.client, &record).await.version;
    let mut history = Vec::new();
    for version in 1..=current {
        let path = format!("/v1/records/{record}/versions/{version}");
        history.push(Seen::of(&city.client.get(&path).purpose("casework").send().await.unwrap()));
    }
    let books = lock(&books);
    assert_eq!(books.acknowledged.len(), writers * updates);
    assert!(!books.views.is_empty());
    (faults(&books, &history), books.refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_writers_none_is_lost_and_no_reader_sees_half() {
    let updates = std::env::var("UPDATES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (wrong, refused) = contend(100, updates, None).await;
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(refused > 0, "the writers never met");
    println!("100 writers, {updates} updates each: none lost; {refused} times somebody had to read again");
}

/// The twin: a gateway that ignores If-Match loses updates, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn ignoring_if_match_is_caught() {
    let (wrong, _) = contend(20, 2, Some("ignore-if-match")).await;
    assert!(wrong.iter().any(|wrong| wrong.contains("an update was lost")), "a planted defect went unnoticed");
}

/// The other twins: each rule of the check refuses the books that break it.
#[test]
fn the_check_can_fail() {
    let seen =
        |version: i64, number: i64, writer: &str| Seen { version, numbers: (number, number), writer: writer.into() };
    let history = [seen(1, 0, "w0-0"), seen(2, 1, "w1-0"), seen(3, 2, "w2-0")];
    let books = || Books {
        acknowledged: vec![(3, "w2-0".into()), (2, "w1-0".into())],
        views: vec![seen(2, 1, "w1-0")],
        refused: 0,
    };
    assert_eq!(faults(&books(), &history), Vec::<String>::new());
    let torn = Seen { numbers: (1, 2), ..seen(2, 1, "w1-0") };
    assert_eq!(faults(&Books { views: vec![torn], ..books() }, &history).len(), 1, "a torn read");
    let twice = vec![(2, "w2-0".into()), (2, "w1-0".into())];
    assert_eq!(faults(&Books { acknowledged: twice, ..books() }, &history).len(), 1, "one version acknowledged twice");
    assert_eq!(faults(&books(), &history[..2]).len(), 2, "an acknowledged version that is gone");
    let unacknowledged = Books { acknowledged: vec![(2, "w1-0".into())], ..books() };
    assert_eq!(faults(&unacknowledged, &history).len(), 1, "a version that nobody was told of");
}
