//! Certificates and revocation lists that are expired, damaged, forged or older than what was there before.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tsunagi::{
    clock::Clock,
    server::{error::StartError, start::Server},
};
use tsunagi_testkit::{
    pki::Authority,
    world::{Party, World},
};

use crate::{faults::*, harness::*};

/// A city with an open connection: later a handshake would be refused.
async fn connected(stage: &Stage) -> Party {
    let city = stage.party("city", CITY_A).await;
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    city
}

/// A world in which city A's terminal is on the list.
async fn revoked() -> (Stage, Party) {
    let stage = Stage::new().await;
    let city = connected(&stage).await;
    publish(&stage, std::slice::from_ref(&city.serial));
    stage.world.server.as_ref().unwrap().serving.verifier.reload().unwrap();
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_revoked");
    (stage, city)
}

fn publish(stage: &Stage, serials: &[String]) {
    stage.world.premises.authority.publish_list(serials, 30).unwrap();
}

fn list_file(stage: &Stage) -> std::path::PathBuf {
    stage.directory.path().join("certs/crl.pem")
}

async fn stays_revoked(stage: &Stage, city: &Party, what: &str) {
    let verifier = &stage.world.server.as_ref().unwrap().serving.verifier;
    assert!(verifier.reload().is_err(), "{what} was taken");
    assert!(verifier.is_revoked(&city.serial), "{what} brought a revoked terminal back");
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_list_is_not_taken_and_not_at_the_next_start_either() {
    let stage = Stage::new().await;
    let city = connected(&stage).await;
    let older = fs::read(list_file(&stage)).unwrap();
    publish(&stage, std::slice::from_ref(&city.serial));
    let serving = stage.world.server.as_ref().unwrap().serving.clone();
    serving.verifier.reload().unwrap();
    fs::write(list_file(&stage), &older).unwrap();
    stays_revoked(&stage, &city, "an older list").await;
    // It has been noted which list was in force, and the alarm is up.
    let (monitor, newest) = (stage.world.server.as_ref().unwrap().monitor_address, serving.verifier.marks());
    let noted = async {
        loop {
            let mut tx = serving.gateway.store.read().await.unwrap();
            let failures = metric(monitor, "tsunagi_trust_reload_failures_total").await;
            if tsunagi::store::trust::lists_seen(&mut tx).await.unwrap() == newest && failures > 0 {
                return;
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noted).await.expect("no alarm");
    drop(serving);
    let Stage { world, directory } = stage;
    let config = world.premises.config.clone();
    let authority = Authority::open(&directory.path().join("certs")).unwrap();
    world.stop().await;
    let refused = Server::start(config.clone(), Clock::system()).await.err();
    assert!(matches!(refused, Some(StartError::Trust(_))), "it starts with an older list");
    // What looked through the ledger meanwhile lets go of the database.
    while tsunagi::node::open::lock(&config.database).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The twin: with a newer list that names nobody it starts, and the terminal is back.
    authority.publish_list(&[], 30).unwrap();
    let premises = tsunagi_testkit::world::Premises { directory: directory.path().to_owned(), config, authority };
    let world = World::start(premises, Clock::system()).await.unwrap();
    assert_eq!(world.another(&city).unwrap().get("/v1/session").send().await.unwrap().status, 200);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_list_never_brings_a_terminal_back() {
    let (stage, city) = revoked().await;
    let whole = fs::read(list_file(&stage)).unwrap();
    for (what, bytes) in [("an empty file", Vec::new()), ("half a list", whole[..whole.len() / 2].to_vec())] {
        fs::write(list_file(&stage), bytes).unwrap();
        stays_revoked(&stage, &city, what).await;
    }
    fs::remove_file(list_file(&stage)).unwrap();
    stays_revoked(&stage, &city, "no file").await;
    let ca = stage.directory.path().join("certs/ca.crt");
    let whole_ca = fs::read(&ca).unwrap();
    fs::write(&ca, &whole_ca[..whole_ca.len() / 2]).unwrap();
    stays_revoked(&stage, &city, "half a CA").await;
    fs::write(&ca, &whole_ca).unwrap();
    // One letter of the list changed, wherever it is: it is not taken, or says the same.
    let verifier = &stage.world.server.as_ref().unwrap().serving.verifier;
    let mut not_taken = 0;
    for at in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        fs::write(list_file(&stage), damaged).unwrap();
        not_taken += usize::from(verifier.reload().is_err());
        assert!(verifier.is_revoked(&city.serial), "letter {at} changed");
    }
    assert!(not_taken > 50, "only {not_taken} damaged lists were noticed");
    // The twin: undamaged it is taken.
    fs::write(list_file(&stage), &whole).unwrap();
    verifier.reload().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_only_bears_the_name_of_the_ca_is_not_taken() {
    let (stage, city) = revoked().await;
    let elsewhere = tempfile::tempdir().unwrap();
    // The same name, another key, a newer and empty list.
    Authority::create(elsewhere.path()).unwrap();
    fs::copy(elsewhere.path().join("crl.pem"), list_file(&stage)).unwrap();
    stays_revoked(&stage, &city, "a forged list").await;
    // The twin: the CA's own newer and empty list is taken.
    publish(&stage, &[]);
    stage.world.server.as_ref().unwrap().serving.verifier.reload().unwrap();
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_certificate_that_is_expired_or_damaged_does_not_serve() {
    let stage = Stage::new().await;
    let Stage { world, directory } = stage;
    let config = world.premises.config.clone();
    world.stop().await;
    let file = directory.path().join("certs/server.crt");
    let whole = fs::read(&file).unwrap();
    let ahead = Clock::system();
    ahead.advance(time::Duration::days(398));
    let told = Server::start(config.clone(), ahead).await.err().unwrap().to_string();
    assert!(told.contains("server.crt") && told.contains("Renew it, or set the clock"), "{told}");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(Server::start(config.clone(), Clock::system()).await.err(), Some(StartError::Tls(_))));
    fs::write(&file, &whole).unwrap();
    Server::start(config, Clock::system()).await.unwrap().stop().await;
}

/// So many readings of new lists while a terminal works; returns how many of its requests were refused.
async fn reloads(times: usize, revokes_the_worker: bool) -> usize {
    let stage = Stage::new().await;
    let (city, other) = (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await);
    let record = register(&city, &family(CITY_A)).await;
    let done = Arc::new(AtomicBool::new(false));
    let working: Vec<_> = (0..4)
        .map(|_| {
            let (client, record, done) = (stage.world.another(&city).unwrap(), record.clone(), done.clone());
            tokio::spawn(async move {
                let (mut refused, mut asked) = (0, 0);
                while !done.load(Ordering::SeqCst) {
                    let path = format!("/v1/records/{record}");
                    let reply = client.get(&path).purpose("casework").send().await.unwrap();
                    refused += usize::from(reply.status != 200);
                    asked += 1;
                    if asked % 10 == 0 {
                        // A new handshake is held against the new list.
                        client.disconnect().await;
                    }
                }
                assert!(asked > 0);
                refused
            })
        })
        .collect();
    let verifier = stage.world.server.as_ref().unwrap().serving.verifier.clone();
    let (mut on, mut off) = (vec![other.serial.clone()], Vec::new());
    if revokes_the_worker {
        (on, off) = (vec![city.serial.clone()], vec![city.serial.clone()]);
    }
    for turn in 0..times {
        publish(&stage, if turn % 2 == 0 { &on } else { &off });
        // Reads it, or the gateway has done so by itself meanwhile.
        verifier.reload().unwrap();
        assert_eq!(verifier.is_revoked(&other.serial), turn % 2 == 0 && !revokes_the_worker);
        if revokes_the_worker {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if revokes_the_worker {
        assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_revoked");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    done.store(true, Ordering::SeqCst);
    let mut refused = 0;
    for worker in working {
        // A handshake that is refused is no answer at all.
        refused += worker.await.unwrap_or(1);
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_new_lists_disturb_nobody_who_is_not_on_them() {
    assert_eq!(reloads(100, false).await, 0);
}

/// The twin: a list that names the terminal at work is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_names_the_terminal_at_work_is_noticed() {
    assert!(reloads(1, true).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_terminal_certificate_is_refused_on_its_open_connection() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    // A list that outlives the certificate: what is refused is the certificate.
    stage.world.premises.authority.publish_list(&[], 1_000).unwrap();
    stage.world.server.as_ref().unwrap().serving.verifier.reload().unwrap();
    stage.world.clock.advance(time::Duration::days(396));
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    stage.world.clock.advance(time::Duration::days(2));
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "certificate_expired");
    assert!(stage.world.another(&city).unwrap().get("/v1/session").send().await.is_err(), "nor is it let in anew");
}
