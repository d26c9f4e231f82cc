//! The system's clock leaps by 400 days, forwards and back (libfaketime): a node that runs goes by its own, and one that
//! starts says what is wrong.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::json as j;
use tokio::process::Command;
use tsunagi::client::Client;
use tsunagi_testkit::world::{Party, Premises};

use crate::{crash, faults::*, harness::*};

fn variables(file: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("LD_PRELOAD", library("libfaketimeMT.so.1")),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("FAKETIME_NO_CACHE", "1".into()),
    ]
}

async fn offer(city: &Party, record: &str) -> String {
    let missing = j!({ "state": "missing", "reason": "なし" });
    let offer = j!({ "record": record, "receiver": CITY_B,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } });
    let reply = city.client.post("/v1/transfers").json(&offer).send().await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    json(&reply)["transfer"].as_str().unwrap().to_owned()
}

/// Works while the clock leaps forwards, back, and home; returns what went wrong.
async fn leaping(defect: Option<&str>) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let file = directory.path().join("time");
    std::fs::write(&file, "+0").unwrap();
    let variables = variables(&file);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut running = crash::serve_under(&premises, &variables, defect).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    crash::connect(&premises, &operator, "b", CITY_B).await;
    let token = at_a_desk(&premises, &city).await;
    let desk = Client::new(running.address(), &premises.credentials("desk"), None).unwrap().with_token(token);
    assert_eq!(desk.get("/v1/session").send().await.unwrap().status, 200);
    let record = register(&city, &family(CITY_A)).await;
    let transfer = offer(&city, &record).await;
    let (mut wrong, mut acknowledged) = (Vec::new(), vec![record.parse::<Uuid>().unwrap()]);
    for (leap, seconds) in [("+400d", 400 * 86_400_i64), ("-400d", -400 * 86_400), ("+0", 0)] {
        let staged = directory.path().join("time.new");
        std::fs::write(&staged, leap).unwrap();
        std::fs::rename(&staged, &file).unwrap();
        let mut note = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{leap}: {what}"));
            }
        };
        let session = desk.get("/v1/session").send().await.unwrap().status;
        note(session == 200, "the session did not stay as it was");
        let anew = crash::client(&premises, running.address(), "a", "o1");
        note(anew.get("/v1/session").send().await.is_ok_and(|reply| reply.status == 200), "nobody new gets in");
        let state = anew.get(&format!("/v1/transfers/{transfer}")).send().await;
        note(state.is_ok_and(|reply| reply.status == 200 && json(&reply)["state"] == "offered"), "the transfer moved");
        let registered = register_as(&city.client, &format!("clock-leap{leap}")).await;
        note(registered.status == 201, "nothing can be registered");
        if registered.status == 201 {
            let id = record_of(&registered);
            note(acknowledged.iter().all(|earlier| *earlier < id), "a later id stands before an earlier one");
            acknowledged.push(id);
        }
        let off = metric(premises.config.monitor_listen, "tsunagi_clock_off_seconds").await;
        note((off - seconds).abs() < 120, "the operator is not told");
    }
    let entries = city.client.get("/v1/disclosures").send().await.unwrap();
    if entries.status == 200 {
        let times: Vec<String> = json(&entries)["disclosures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["entry"]["at"].as_str().unwrap().to_owned())
            .collect();
        if !times.is_sorted_by(|newer, older| newer >= older) {
            wrong.push(format!("the ledger's times go back: {times:?}"));
        }
    }
    running.stop().await;
    let kept = records_kept(&premises).await;
    wrong.extend(acknowledged.iter().filter(|record| !kept.contains(record)).map(|record| format!("{record} is lost")));
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_leaps_changes_nothing_for_a_node_that_runs() {
    assert_eq!(leaping(None).await, Vec::<String>::new());
}

/// The twin: a gateway that goes by the system's clock wherever it leaps to ends sessions, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn believing_the_clock_is_caught() {
    let wrong = leaping(Some("believe-the-clock")).await;
    assert!(wrong.iter().any(|wrong| wrong.contains("the session")), "{wrong:?}");
}

/// What a start at another time comes to, and what the log says of it.
enum Started {
    /// It served, and was ended in good order: it has looked once at what is due.
    Served(String),
    Ended(String),
}

async fn started_at(premises: &Premises, leap: &str, before_ledger: bool, defect: Option<&str>) -> Started {
    let file = premises.directory.join("time");
    std::fs::write(&file, leap).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    command.args(["serve", "--config"]).arg(premises.directory.join("tsunagi.toml")).env("RUST_LOG", "error");
    command.env("TSUNAGI_START_BEFORE_LEDGER", before_ledger.to_string());
    command.envs(defect.map(|defect| ("PLANTED_DEFECT", defect)));
    command.envs(variables(&file)).stderr(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut served = false;
    while child.try_wait().unwrap().is_none() {
        if !served && crash::is_ready(premises.config.monitor_listen).await {
            served = true;
            crash::is_told(child.id().unwrap()).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if served { Started::Served(said) } else { Started::Ended(said) }
}

/// A gateway that was ended with a transfer on offer.
async fn ended_with_an_offer(directory: &Path) -> Premises {
    let premises = crash::premises(directory).await;
    let mut running = crash::serve(&premises, None).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    crash::connect(&premises, &operator, "b", CITY_B).await;
    let record = register(&city, &family(CITY_A)).await;
    offer(&city, &record).await;
    running.end().await;
    premises
}

async fn state_of_transfer(premises: &Premises) -> String {
    let pool = sqlx::SqlitePool::connect(&premises.config.database).await.unwrap();
    let state = sqlx::query_scalar("SELECT state FROM transfers").fetch_one(&pool).await.unwrap();
    pool.close().await;
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_before_its_own_ledger_nor_outside_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let premises = ended_with_an_offer(directory.path()).await;
    let starts = async |leap: &str, before_ledger: bool| started_at(&premises, leap, before_ledger, None).await;
    let Started::Ended(behind) = starts("-1d", false).await else { panic!("it starts before its own ledger") };
    assert!(behind.contains("the clock says") && behind.contains("Set the clock"), "{behind}");
    for leap in ["-400d", "+400d"] {
        let Started::Ended(outside) = starts(leap, true).await else { panic!("it starts outside its certificate") };
        assert!(outside.contains("Renew it, or set the clock"), "{leap}: {outside}");
    }
    // 300 days later nothing shows that the clock is wrong: but no transfer expires before somebody could look.
    let Started::Served(said) = starts("+300d", false).await else { panic!("it does not start") };
    assert!(said.contains("the ledger is old. Is the clock right?"), "{said}");
    assert_eq!(state_of_transfer(&premises).await, "offered");
    // The twin: at its own time it starts and says nothing of the kind, and where an operator says so.
    let Started::Served(said) = starts("+0", false).await else { panic!("it does not start at its own time") };
    assert_eq!(said, "");
    assert!(matches!(starts("-1d", true).await, Started::Served(_)));
    assert_eq!(state_of_transfer(&premises).await, "offered");
}

/// The twin: a gateway that believes the clock does what seems due at once, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn believing_the_clock_at_a_start_is_caught() {
    let directory = tempfile::tempdir().unwrap();
    let premises = ended_with_an_offer(directory.path()).await;
    let started = started_at(&premises, "+300d", false, Some("believe-the-clock")).await;
    assert!(matches!(started, Started::Served(_)));
    assert_eq!(state_of_transfer(&premises).await, "expired");
}
