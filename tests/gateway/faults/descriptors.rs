//! No file descriptors are left: nobody new gets in, whoever is in is served, and it passes by itself.

use std::time::Duration;

use tokio::{net::TcpStream, process::Command, time::timeout};

use crate::{crash, faults::*, harness::*};

/// How long somebody new waits before it is a refusal. A gateway that can serve answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes every descriptor the gateway may have. Answers whether somebody new was served meanwhile and afterwards, where
/// `stays` keeps the fault up.
async fn exhausted(stays: bool) -> (bool, bool) {
    let directory = tempfile::tempdir().unwrap();
    // Whoever connects and says nothing is closed only after the test.
    let extra = format!("{GENEROUS}handshake_seconds = 120\n");
    let premises = crash::premises_with(directory.path(), &extra).await;
    let mut running = crash::serve(&premises, None).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    view(&city, &record).await;
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", running.pid())).unwrap().count();
    let limit = descriptors() + 20;
    let pid = running.pid().to_string();
    let lowered = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={limit}:{limit}")]).status().await;
    assert!(lowered.unwrap().success());
    let mut taken = Vec::new();
    for _ in 0..60 {
        taken.push(TcpStream::connect(running.address()).await.unwrap());
    }
    while descriptors() < limit {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let newcomer = || async {
        let client = crash::client(&premises, running.address(), "a", "o1");
        timeout(PATIENCE, client.get("/v1/session").send()).await.is_ok_and(|reply| reply.is_ok())
    };
    let meanwhile = newcomer().await;
    for _ in 0..20 {
        let reply = view(&city, &record).await;
        let told = reply.status.as_u16();
        assert!(told == 200 || told == 503, "whoever is in is served, or told to come back: {}", reply.text());
    }
    if !stays {
        taken.clear();
    }
    let mut afterwards = false;
    for _ in 0..if stays { 1 } else { 10 } {
        afterwards = afterwards || newcomer().await;
    }
    if afterwards {
        until_shown(&city, &record).await;
        assert_eq!(register_as(&city.client, "afterwards").await.status, 201);
    }
    drop(taken);
    running.stop().await;
    (meanwhile, afterwards)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_nobody_new_gets_in_and_it_passes_by_itself() {
    assert_eq!(exhausted(false).await, (false, true));
}

/// The twin: while they are taken it does not recover, and the check sees that.
#[tokio::test(flavor = "multi_thread")]
async fn while_they_are_taken_it_does_not_recover() {
    assert_eq!(exhausted(true).await, (false, false));
}
