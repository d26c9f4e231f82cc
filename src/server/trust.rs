//! Follows the files of the CA: a certificate that its revocation list names is out within a second.
//!
//! The files are looked at five times a second and read when they have changed. What cannot be used leaves the trust in
//! force as it is, and alarms. A change of what is revoked opens a new epoch, so that whatever was decided before is
//! decided again; and how new the lists are is remembered, so that a restart takes no older one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{error::StartError, serving::Serving};
use crate::{
    domain::idempotency::Idempotency,
    error::Error,
    gateway::Gateway,
    identity::{
        Caller,
        verifier::{ListEnd, ListMark, TerminalVerifier, TrustError},
    },
    journal::{journal::Effect, memory::Change, recent::Scope},
    node::tick::pause,
    store::{self, error::StoreError},
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often the lists that were in force are read, where another node writes one meanwhile.
const MAX_TRIES: usize = 3;

/// Holds the lists that were loaded against those that were ever in force.
///
/// # Errors
/// [`TrustError::RolledBack`].
pub(super) async fn check_at_start(gateway: &Gateway, verifier: &TerminalVerifier) -> Result<(), StartError> {
    let seen = lists_seen(gateway).await.map_err(crate::node::open::OpenError::from)?;
    Ok(verifier.check_against(&seen)?)
}

/// The lists that were in force. Another node may be writing one at this moment.
async fn lists_seen(gateway: &Gateway) -> Result<Vec<ListMark>, StoreError> {
    for _ in 0..MAX_TRIES {
        let mut tx = gateway.store.read().await?;
        match store::trust::lists_seen(&mut tx).await {
            // Memory takes it in; where it cannot, the next look says so again.
            Err(StoreError::Outdated) => {
                let _ = gateway.following.reach().await;
            }
            seen => return seen,
        }
    }
    Err(StoreError::Outdated)
}

pub(super) async fn follow(serving: Arc<Serving>, mut stopped: watch::Receiver<bool>) {
    let every = Duration::from_secs(serving.gateway.config.tls.reload_seconds.max(1));
    // The files may have changed since the start read them.
    let (mut stamps, mut read_at) = (Vec::new(), Instant::now());
    let mut remembered: Vec<ListMark> = Vec::new();
    let mut named: Vec<String> = Vec::new();
    loop {
        let now = serving.verifier.stamps();
        if now != stamps || read_at.elapsed() >= every {
            (stamps, read_at) = (now, Instant::now());
            let has_changed = reload(&serving).await;
            let marks = serving.verifier.marks();
            if has_changed || marks != remembered {
                match take_note(&serving.gateway, marks.clone()).await {
                    Ok(()) => remembered = marks,
                    Err(error) => tracing::error!(%error, "the revocation list is in force; it could not be noted"),
                }
            }
            name_without_list(&serving, &mut named);
            look_at_dates(&serving);
        }
        if !pause(LOOK, &mut stopped).await {
            return;
        }
    }
}

/// Whether what is revoked has changed.
async fn reload(serving: &Arc<Serving>) -> bool {
    let verifier = serving.verifier.clone();
    let reloaded = tokio::task::spawn_blocking(move || verifier.reload()).await;
    match reloaded {
        Ok(Ok(has_changed)) => has_changed,
        Ok(Err(error)) => {
            serving.metrics.trust_reload_failures.inc();
            if matches!(error, TrustError::RolledBack(_)) {
                tracing::error!(%error, "an older revocation list is not taken; the last one stays in force");
            } else {
                tracing::error!(%error, "CA or revocation list cannot be used; the last ones stay in force");
            }
            false
        }
        Err(_) => false,
    }
}

/// Which CAs have no list, at the start and when it changes: nobody whom these signed gets in.
fn name_without_list(serving: &Serving, named: &mut Vec<String>) {
    let without = serving.verifier.without_list();
    if without != *named {
        for ca in &without {
            tracing::warn!(ca, "a CA has no revocation list; its terminals are turned away");
        }
        *named = without;
    }
}

fn look_at_dates(serving: &Serving) {
    let now = serving.gateway.clock.now();
    let mut ended = false;
    for ListEnd { issuer, until } in serving.verifier.list_ends() {
        if until < now {
            ended = true;
            tracing::error!(issuer, until = until.to_rfc3339(), "a revocation list has expired; publish a new one");
        }
    }
    serving.metrics.expired_lists.set(i64::from(ended));
}

#[derive(Serialize, Deserialize)]
struct ListsNoted;

/// Remembers how new the lists are, and opens a new epoch.
async fn take_note(gateway: &Arc<Gateway>, marks: Vec<ListMark>) -> Result<(), Error> {
    let caller = Caller::gateway(gateway.clock.new_id());
    gateway
        .journal
        .write(&caller, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                for mark in marks {
                    store::trust::remember_list(tx, &mark).await?;
                }
                Ok(Effect {
                    value: ListsNoted,
                    entries: Vec::new(),
                    inbox: Vec::new(),
                    changes: vec![Change::Visibility(Scope::Everything)],
                })
            })
        })
        .await
        .map(|_| ())
}
