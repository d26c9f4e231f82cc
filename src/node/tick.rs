//! What a node does by the clock: what is due, what is old, whether the journal writes again.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock::{FOLLOWED, Timestamp},
    gateway::Gateway,
    identity::directory::DirectoryChange,
    operations::elapse::{OUTCOMES_KEPT, elapse, forget_old},
    planted::Planted,
    store::{self, error::StoreError},
};

/// Why the clock is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sessions and emergency views would last longer than they may, and entries would be out of order.
    #[error(
        "the clock says {now}, but an entry was written to the ledger at {latest}. Set the clock; \
             where it is right, set start_before_ledger for one start"
    )]
    Behind { now: String, latest: String },
}

/// How often the gateway looks at what is due by the clock.
const TICK: Duration = Duration::from_secs(30);
/// How often what is old is removed.
const FORGETS: time::Duration = time::Duration::hours(1);
/// After so long without an entry the clock may be what is wrong.
const LONG_STANDSTILL: time::Duration = time::Duration::hours(72);
const PAUSE_AFTER_STANDSTILL: time::Duration = time::Duration::hours(1);

/// Holds the clock against the latest entry of the ledger. Returns from when on things may be done because they are
/// due: a node that seems to have stood still for long may have a clock that is wrong, and somebody must be able to
/// stop it before every transfer has expired.
///
/// # Errors
/// The clock lies before the ledger, or the store failed.
pub async fn check_clock(gateway: &Gateway) -> Result<Timestamp, ClockError> {
    let mut tx = gateway.store.read().await?;
    let latest = store::ledger::latest(&mut tx).await?;
    let now = gateway.clock.now();
    let believes_the_clock = Planted::BelieveTheClock.is_planted();
    match latest {
        Some(latest) if latest > now.plus(FOLLOWED) && gateway.config.start_before_ledger => {
            tracing::error!(
                latest = latest.to_rfc3339(),
                "the clock lies before the ledger, as the configuration allows"
            );
            Ok(now)
        }
        Some(latest) if latest > now.plus(FOLLOWED) => {
            Err(ClockError::Behind { now: now.to_rfc3339(), latest: latest.to_rfc3339() })
        }
        Some(latest) if latest.plus(LONG_STANDSTILL) < now && !believes_the_clock => {
            let (now_text, latest) = (now.to_rfc3339(), latest.to_rfc3339());
            tracing::error!(now = now_text, latest, "the ledger is old. Is the clock right? What is due waits an hour");
            Ok(now.plus(PAUSE_AFTER_STANDSTILL))
        }
        _ => Ok(now),
    }
}

/// Does what the clock asks for, until the node stops.
pub async fn tick(gateway: Arc<Gateway>, elapse_from: Timestamp, mut stopped: watch::Receiver<bool>) {
    // A clock that is wrong must not make others' outcomes and changes old: after a standstill nothing is forgotten for
    // as long as it would be kept.
    let started = gateway.clock.now();
    let mut forgotten = if elapse_from > started { started.plus(OUTCOMES_KEPT) } else { started };
    loop {
        let now = gateway.clock.now();
        if forgotten.plus(FORGETS) <= now {
            match forget_old(&gateway).await {
                Ok(true) => {}
                Ok(false) => forgotten = now,
                Err(error) => {
                    forgotten = now;
                    tracing::error!(%error, "what is old could not be removed; it is tried again");
                }
            }
        }
        if let Some(off) = gateway.clock.off() {
            tracing::error!(seconds = off.whole_seconds(), "the system's clock was moved; the gateway goes by its own");
        }
        if elapse_from <= gateway.clock.now()
            && let Err(error) = elapse(&gateway).await
        {
            tracing::error!(%error, "what is due by the clock could not be done; it is tried again");
        }
        // Where it could not write, somebody must try again: a gateway that is not ready is sent no request.
        let _ = gateway.journal.recovers(&gateway.clock).await;
        gateway.search_budget.forget_idle();
        gateway.watch.forget_idle(gateway.clock.now());
        gateway.directory().apply(DirectoryChange::ForgetExpired(gateway.clock.now()));
        if !pause(TICK, &mut stopped).await {
            return;
        }
    }
}

/// Waits; `false` once the server stops.
pub async fn pause(duration: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(duration, stopped.wait_for(|stop| *stop)).await.is_err()
}
