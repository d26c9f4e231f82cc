//! A stolen database tells nothing: no planted name is in the database files, the WAL or the logs, in any encoding.

use std::{fs, path::Path};

use encoding_rs::SHIFT_JIS;
use regex::bytes::Regex;
use serde_json::json as j;
use sqlx::{Connection, Executor, PgConnection};
use tsunagi_testkit::world::Premises;

use crate::{crash, harness::*, postgres};

/// Texts that are nowhere else in the program, its registry or its messages.
pub const PLANTED: &[&str] =
    &["龘靐 齉", "リュウダイ ドウ", "靁䨻 爩", "驫鸜町", "通告麤者", "鱻職員", "龖見つけた", "虪理由", "齾照会"];

fn encodings(text: &str) -> Vec<Vec<u8>> {
    let utf16 = |of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(of).collect::<Vec<u8>>();
    let mut all = vec![text.as_bytes().to_vec(), utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)];
    let (shift_jis, _, unmappable) = SHIFT_JIS.encode(text);
    if !unmappable {
        all.push(shift_jis.into_owned());
    }
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    all.push(escaped.into_bytes());
    all
}

/// Files of a directory that hold a text in any encoding.
pub fn holders(directory: &Path, text: &str) -> Vec<String> {
    let literal = |bytes: Vec<u8>| bytes.into_iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let any: Vec<String> = encodings(text).into_iter().map(literal).collect();
    holders_of(directory, &Regex::new(&format!("(?-u){}", any.join("|"))).unwrap())
}

fn holders_of(directory: &Path, any_encoding: &Regex) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Keys and certificates aside.
            if !path.ends_with("certs") {
                found.extend(holders_of(&path, any_encoding));
            }
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        if any_encoding.is_match(&bytes) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_name_is_in_database_wal_or_logs() {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let log = directory.path().join("log.txt");
    let mut running = plant(&premises, &log).await;

    let files: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    for needed in ["tsunagi.db", "tsunagi.db-wal", "log.txt"] {
        assert!(files.iter().any(|file| file == needed), "{needed} is not among {files:?}");
    }
    is_nowhere_in(directory.path(), &log);
    assert!(holders(directory.path(), FAR_CENTER).contains(&"tsunagi.db-wal".to_owned()));
    // The snapshot of a graceful stop holds every name, sealed.
    running.end().await;
    assert!(directory.path().join("tsunagi.db.snapshot").exists());
    for text in PLANTED {
        assert_eq!(holders(directory.path(), text), Vec::<String>::new(), "{text}");
    }
}

/// The same of PostgreSQL: its tables, its WAL, and a dump of the database.
#[tokio::test(flavor = "multi_thread")]
async fn no_planted_name_is_in_postgresql_or_its_dump() {
    let Some(server) = postgres::Server::of_its_own().await else { return };
    let directory = server.directory();
    let house = directory.join("house");
    fs::create_dir(&house).unwrap();
    let url = server.new_database().await;
    let premises = Premises::create(&house, Some(&url), crash::free_port(), crash::free_port(), GENEROUS).await;
    let premises = premises.unwrap();
    let log = house.join("log.txt");
    let mut running = plant(&premises, &log).await;
    running.end().await;
    // Everything is in its table's file.
    PgConnection::connect(&postgres::for_owner(&url)).await.unwrap().execute("CHECKPOINT").await.unwrap();
    let dump = server.dump(&url).await;
    assert!(String::from_utf8_lossy(&dump).contains("CREATE TABLE public.ledger"));
    fs::write(house.join("dump.sql"), dump).unwrap();
    is_nowhere_in(&house, &log);
    for text in PLANTED {
        assert_eq!(holders(directory, text), Vec::<String>::new(), "{text}");
    }
    // The look reaches the tables, not the log alone.
    assert!(holders(&directory.join("data"), FAR_CENTER).len() > 1);
}

/// Lets a gateway meet every planted text, in what it takes and in what it refuses.
async fn plant(premises: &Premises, log: &Path) -> crash::Running {
    let running = crash::serve_logging(premises, log).await;
    let operator = crash::operator(premises, &running);
    let city = crash::connect(premises, &operator, "a", CITY_A).await;
    let far = crash::connect(premises, &operator, "far", FAR_CENTER).await;
    let staff = j!({ "id": "planted", "name": PLANTED[5], "roles": ["caseworker"] });
    city.first.both("/v1/staff", &staff).await.unwrap();
    city.first.seat("planted").await.unwrap();
    let mut planted = family(CITY_A);
    (planted.child, planted.child_kana) = (PLANTED[0].into(), PLANTED[1].into());
    (planted.guardian, planted.address) = (PLANTED[2].into(), PLANTED[3].into());
    let document = planted.to_xml().replace("匿名 通告者", PLANTED[4]);
    let reply = city.client.post("/v1/records").xml(document.clone()).send().await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    let record = json(&reply)["record"].as_str().unwrap().to_owned();
    assert_eq!(children(&search(&far, j!({ "child_name": PLANTED[0] })).await).len(), 1);
    assert_eq!(view(&city, &record).await.status, 200);
    let update =
        city.client.put(&format!("/v1/records/{record}")).if_match(1).xml(document.clone()).send().await.unwrap();
    assert_eq!(update.status, 200);
    // Refusals must not carry it into a log either.
    city.client.post("/v1/records").xml(document.replace("<sex>2", "<sex>龘靐 齉")).send().await.unwrap();
    search(&far, j!({ "child_name": PLANTED[0], "birth": { "on": PLANTED[0] } })).await;
    far.client.post("/v1/searches").json(&j!({ "purpose": PLANTED[0] })).send().await.unwrap();
    let notice = j!({ "status": "actual", "child": { "name": PLANTED[0], "sex": "2", "birth_date": "2018" },
        "circumstances": PLANTED[6], "contact": "03" });
    let sent = far.client.post("/v1/missing-notices").json(&notice).send().await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text());
    let asked = far
        .client
        .post("/v1/transfers/requests")
        .json(&j!({ "record": record, "reason": PLANTED[7] }))
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    let asked = far
        .client
        .post(&format!("/v1/records/{record}/inquiries"))
        .json(&j!({ "text": PLANTED[8] }))
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    running
}

/// No planted text is in any file of the house, and the twin: the same look finds a planted leak in each encoding.
fn is_nowhere_in(house: &Path, log: &Path) {
    assert!(fs::metadata(log).unwrap().len() > 10_000, "the log is not at its most talkative");
    for text in PLANTED {
        assert_eq!(holders(house, text), Vec::<String>::new(), "{text}");
    }
    for (number, leak) in encodings(PLANTED[2]).into_iter().enumerate() {
        let file = format!("leak-{number}");
        fs::write(house.join(&file), [b"..", leak.as_slice(), b".."].concat()).unwrap();
        assert_eq!(holders(house, PLANTED[2]), std::slice::from_ref(&file));
        fs::remove_file(house.join(file)).unwrap();
    }
}
