//! The disk does not confirm a write: `fdatasync` fails (libfiu).
//!
//! The kernel then forgets which pages it could not write, and shows them to readers all the same. So the gateway
//! believes nothing any more: it writes and discloses nothing until somebody has looked at the disk and started it anew.

use tokio::process::Command;

use crate::{
    crash::{self, Running},
    faults::*,
    harness::*,
};

async fn control(running: &Running, fifo: &str, command: &str) {
    let pid = running.pid().to_string();
    let told = Command::new("fiu-ctrl").args(["-f", fifo, "-c", command, &pid]).status().await.unwrap();
    assert!(told.success(), "{command}");
}

/// Registers before, while and after the disk fails, and starts anew. Returns what is wrong in the end.
async fn failing_disk(defect: Option<&str>) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, None).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    running.stop().await;
    let fifo = directory.path().join("fiu").display().to_string();
    let preload = format!("{} {}", library("fiu_run_preload.so"), library("fiu_posix_preload.so"));
    let variables = [("LD_PRELOAD", preload.as_str()), ("FIU_CTRL_FIFO", &fifo), ("FIU_ENABLE", "")];
    let mut running = crash::serve_under(&premises, &variables, defect).await;
    let (mut acknowledged, mut wrong) = (Vec::new(), Vec::new());
    for number in 0..5 {
        acknowledged.push(record_of(&register_as(&city.client, &format!("before-{number}")).await));
    }
    let shown = acknowledged[0].to_string();
    control(&running, &fifo, "enable name=posix/io/sync/*,failinfo=5").await;
    let confirmed = ["tsunagi.db-wal", "tsunagi.db"].map(|file| {
        let file = directory.path().join(file);
        (std::fs::read(&file).unwrap(), file)
    });
    let mut refused = 0;
    for number in 0..5 {
        let reply = register_as(&city.client, &format!("during-{number}")).await;
        if reply.status == 201 {
            acknowledged.push(record_of(&reply));
        } else {
            assert_refused(&reply, 503, "journal_unavailable");
            refused += 1;
        }
    }
    if defect.is_none() {
        assert_eq!(refused, 5);
        assert_refused(&view(&city, &shown).await, 503, "journal_unavailable");
        assert!(!crash::is_ready(premises.config.monitor_listen).await, "/readyz says so");
        // The disk says that all is well again. Nobody believes it before a new start.
        control(&running, &fifo, "disable name=posix/io/sync/*").await;
        assert_refused(&view(&city, &shown).await, 503, "journal_unavailable");
        assert_refused(&register_as(&city.client, "during-0").await, 503, "journal_unavailable");
    }
    running.stop().await;
    // The power fails: what the disk never confirmed is gone, however the kernel showed it.
    for (bytes, file) in confirmed {
        std::fs::write(file, bytes).unwrap();
    }
    let kept = records_kept(&premises).await;
    wrong.extend(acknowledged.iter().filter(|record| !kept.contains(record)).map(|record| format!("{record} is lost")));
    if defect.is_some() {
        return wrong;
    }
    let mut running = crash::serve(&premises, None).await;
    for number in 0..5 {
        let again = register_as(&city.client, &format!("during-{number}")).await;
        assert_eq!(again.status, 201, "the same request succeeds afterwards: {}", again.text());
    }
    assert_eq!(view(&city, &shown).await.status, 200);
    running.stop().await;
    let kept = records_kept(&premises).await.len();
    if kept != 10 {
        wrong.push(format!("10 registrations made {kept} records"));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_confirm_loses_nothing_acknowledged_and_stops_the_node() {
    assert_eq!(failing_disk(None).await, Vec::<String>::new());
}

/// The twin: a gateway that answers before the disk has confirmed loses what it acknowledged, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn answering_before_the_disk_confirms_is_caught() {
    assert!(!failing_disk(Some("answer-before-commit")).await.is_empty(), "a planted defect went unnoticed");
}
