//! Ten times as many callers as the gateway works for at once: what it cannot do it says at once, it does not grow, and
//! afterwards it serves as before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{crash, faults::*, harness::*};

const CAPACITY: usize = 8;

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

struct Course {
    /// Answers by status.
    answers: BTreeMap<u16, usize>,
    /// By how much memory grew, in KiB.
    growth: u64,
    acknowledged: usize,
    kept: usize,
}

/// So many callers for so long, each asking again as soon as it has an answer.
async fn overload(capacity: usize, callers: usize, lasts: Duration) -> Course {
    let directory = tempfile::tempdir().unwrap();
    let extra = format!("{GENEROUS}requests_in_flight = {capacity}\n");
    let premises = Arc::new(crash::premises_with(directory.path(), &extra).await);
    let mut running = crash::serve(&premises, None).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let answers: Arc<Mutex<BTreeMap<u16, usize>>> = Arc::default();
    let address = running.address();
    let ends = Instant::now() + lasts;
    let calling: Vec<_> = (0..callers)
        .map(|number| {
            let (premises, record, answers) = (premises.clone(), record.clone(), answers.clone());
            tokio::spawn(async move {
                let client = crash::client(&premises, address, "a", "o1");
                let mut acknowledged = 0;
                for turn in 0.. {
                    if Instant::now() > ends {
                        break;
                    }
                    let reply = if turn % 4 == 0 {
                        register_as(&client, &format!("overload-{number}-{turn}")).await
                    } else {
                        client.get(&format!("/v1/records/{record}")).purpose("casework").send().await.unwrap()
                    };
                    acknowledged += usize::from(reply.status == 201);
                    if reply.status == 503 {
                        assert_refused(&reply, 503, "overloaded");
                        assert_eq!(reply.header("retry-after"), Some("1"));
                    }
                    *answers
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .entry(reply.status.as_u16())
                        .or_default() += 1;
                }
                acknowledged
            })
        })
        .collect();
    // Once every connection is there: what they cost is not what is asked about.
    tokio::time::sleep(lasts / 4).await;
    let before = resident(running.pid());
    let mut acknowledged = 0;
    for caller in calling {
        acknowledged += caller.await.unwrap();
    }
    let growth = resident(running.pid()).saturating_sub(before);
    assert_eq!(view(&city, &record).await.status, 200, "it serves at once, without a restart");
    assert!(crash::is_ready(premises.config.monitor_listen).await);
    running.stop().await;
    let kept = records_kept(&premises).await.len() - 1;
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Course { answers, growth, acknowledged, kept }
}

fn seconds() -> Duration {
    Duration::from_secs(std::env::var("OVERLOAD_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4))
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_capacity_it_says_so_does_not_grow_and_recovers() {
    let Course { answers, growth, acknowledged, kept } = overload(CAPACITY, CAPACITY * 10, seconds()).await;
    assert!(answers.keys().all(|status| matches!(status, 200 | 201 | 503)), "{answers:?}");
    assert!(answers[&503] > 0 && answers[&200] > 0, "{answers:?}");
    assert!(growth < 64 * 1_024, "memory grew by {growth} KiB");
    assert_eq!(acknowledged, kept, "what was refused was not done");
    println!("{answers:?}, memory grew by {growth} KiB");
}

/// The twin: within its capacity nobody is refused.
#[tokio::test(flavor = "multi_thread")]
async fn within_its_capacity_nobody_is_refused() {
    let Course { answers, .. } = overload(1_000, CAPACITY, Duration::from_secs(1)).await;
    assert!(!answers.contains_key(&503) && answers[&200] > 0, "{answers:?}");
}
