//! The front of the house: accepts connections, checks certificates and limits, finds the route, answers.
//!
//! Comes in: TCP connections. Goes out: the bytes of an [`Answer`]. Never done here: anything that one operation needs
//! and another does not.
//!
//! [`Answer`]: crate::wire::answer::Answer

pub mod accept;
pub mod connection;
pub mod limits;
pub mod monitor;
pub mod openapi;
pub mod route;
pub mod routes;
mod sending;
pub mod tls;
mod trust;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    clock::{Clock, FOLLOWED, Timestamp},
    config::Config,
    disclosure::planted::Planted,
    gateway::{Gateway, OpenError},
    identity::{
        directory::DirectoryChange,
        verifier::{TerminalVerifier, TrustError},
    },
    operations::{
        elapse::{OUTCOMES_KEPT, elapse, forget_old},
        rewrap_keys::rewrap,
    },
    store,
    witness::publish::{PublishError, Publisher},
};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("server certificate: {0}")]
    Tls(#[from] tls::TlsError),
    #[error("{address}: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
    /// Sessions and emergency views would last longer than they may, and entries would be out of order.
    #[error(
        "the clock says {now}, but an entry was written to the ledger at {latest}. Set the clock; \
             where it is right, set start_before_ledger for one start"
    )]
    ClockBehind { now: String, latest: String },
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// What every connection of a server shares.
pub struct Serving {
    pub gateway: Arc<Gateway>,
    pub verifier: TerminalVerifier,
    pub limits: limits::CallerLimits,
    pub metrics: monitor::Metrics,
    /// Set before the node stops: `/readyz` says so while it still serves, and a balancer sends callers elsewhere.
    pub draining: AtomicBool,
    /// From when on what is due by the clock is done.
    elapse_from: Timestamp,
}

/// A running server. Dropping it does not stop it; [`Server::stop`] does.
pub struct Server {
    pub serving: Arc<Serving>,
    pub address: SocketAddr,
    pub monitor_address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// How often the gateway looks at what is due by the clock.
const TICK: Duration = Duration::from_secs(30);
/// How often what is old is removed.
const FORGETS: time::Duration = time::Duration::hours(1);
/// After so long without an entry the clock may be what is wrong.
const LONG_STANDSTILL: time::Duration = time::Duration::hours(72);
const PAUSE_AFTER_STANDSTILL: time::Duration = time::Duration::hours(1);
/// How long open requests may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

impl Server {
    /// Opens the gateway and serves it.
    ///
    /// # Errors
    /// What is wrong with configuration, keys, database or address.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let provider = tls::provider();
        let verifier =
            TerminalVerifier::load(&config.tls.client_ca, config.tls.revocation_list.as_deref(), provider.clone())?;
        let (acceptor, certificate_until) =
            tls::acceptor(&config.tls.certificate, &config.tls.key, Arc::new(verifier.clone()), provider, &clock)?;
        let listener = listen(config.listen).await?;
        let monitor_listener = listen(config.monitor_listen).await?;
        let (address, monitor_address) =
            (local(&listener, config.listen), local(&monitor_listener, config.monitor_listen));
        let gateway = Gateway::open(config, clock).await?;
        trust::check_at_start(&gateway, &verifier).await?;
        let elapse_from = check_clock(&gateway).await?;
        let publisher = Arc::new(Publisher::new(&gateway)?);
        // Before the first request: a ledger that was set back must not disclose on.
        publisher.examine().await?;
        let serving = Arc::new(Serving {
            limits: limits::CallerLimits::new(&gateway.config.limits),
            metrics: monitor::Metrics::new()?,
            gateway,
            verifier,
            draining: AtomicBool::new(false),
            elapse_from,
        });
        serving.metrics.certificate_until.set(certificate_until.as_micros() / 1_000_000);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(connection::serve(listener, acceptor, serving.clone(), stopped.clone()));
        tasks.spawn(monitor::serve(monitor_listener, serving.clone(), stopped.clone()));
        tasks.spawn(publisher.run(stopped.clone()));
        tasks.spawn(trust::follow(serving.clone(), stopped.clone()));
        tasks.spawn(rewrap(serving.gateway.clone(), stopped.clone()));
        tasks.spawn(tick(serving.clone(), stopped));
        tracing::info!(%address, %monitor_address, "serving");
        Ok(Self { serving, address, monitor_address, stop, tasks })
    }

    /// Says that it is about to stop and goes on for the configured time; then stops accepting, lets open requests end,
    /// closes the database.
    pub async fn stop(mut self) {
        self.serving.draining.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(self.serving.gateway.config.limits.drain_seconds)).await;
        let _ = self.stop.send(true);
        let drain = if Planted::from_environment() == Some(Planted::CutOpenCalls) { Duration::ZERO } else { DRAIN };
        let drained = tokio::time::timeout(drain, async { while self.tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            self.tasks.shutdown().await;
        }
        self.serving.gateway.write_snapshot().await;
        self.serving.gateway.store.close().await;
    }
}

/// Holds the clock against the latest entry of the ledger. Answers from when on things may be done because they are
/// due: a node that seems to have stood still for long may have a clock that is wrong, and somebody must be able to
/// stop it before every transfer has expired.
async fn check_clock(gateway: &Gateway) -> Result<Timestamp, StartError> {
    let mut tx = gateway.store.read().await.map_err(OpenError::from)?;
    let latest = store::ledger::latest(&mut tx).await.map_err(OpenError::from)?;
    let now = gateway.clock.now();
    let believes_the_clock = Planted::from_environment() == Some(Planted::BelieveTheClock);
    match latest {
        Some(latest) if latest > now.plus(FOLLOWED) && gateway.config.start_before_ledger => {
            tracing::error!(
                latest = latest.to_rfc3339(),
                "the clock lies before the ledger, as the configuration allows"
            );
            Ok(now)
        }
        Some(latest) if latest > now.plus(FOLLOWED) => {
            Err(StartError::ClockBehind { now: now.to_rfc3339(), latest: latest.to_rfc3339() })
        }
        Some(latest) if latest.plus(LONG_STANDSTILL) < now && !believes_the_clock => {
            let (now_text, latest) = (now.to_rfc3339(), latest.to_rfc3339());
            tracing::error!(now = now_text, latest, "the ledger is old. Is the clock right? What is due waits an hour");
            Ok(now.plus(PAUSE_AFTER_STANDSTILL))
        }
        _ => Ok(now),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })
}

fn local(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}

async fn tick(serving: Arc<Serving>, mut stopped: watch::Receiver<bool>) {
    // A clock that is wrong must not make others' outcomes and changes old: after a standstill nothing is forgotten for
    // as long as it would be kept.
    let started = serving.gateway.clock.now();
    let mut forgotten = if serving.elapse_from > started { started.plus(OUTCOMES_KEPT) } else { started };
    loop {
        let now = serving.gateway.clock.now();
        if forgotten.plus(FORGETS) <= now {
            match forget_old(&serving.gateway).await {
                Ok(true) => {}
                Ok(false) => forgotten = now,
                Err(error) => {
                    forgotten = now;
                    tracing::error!(%error, "what is old could not be removed; it is tried again");
                }
            }
        }
        if let Some(off) = serving.gateway.clock.off() {
            tracing::error!(seconds = off.whole_seconds(), "the system's clock was moved; the gateway goes by its own");
        }
        if serving.elapse_from <= serving.gateway.clock.now()
            && let Err(error) = elapse(&serving.gateway).await
        {
            tracing::error!(%error, "what is due by the clock could not be done; it is tried again");
        }
        // Where it could not write, somebody must try again: a gateway that is not ready is sent no request.
        let _ = serving.gateway.journal.recovers(&serving.gateway.clock).await;
        serving.limits.forget_idle();
        serving.gateway.search_budget.forget_idle();
        serving.gateway.watch.forget_idle(serving.gateway.clock.now());
        serving.gateway.directory().apply(DirectoryChange::ForgetExpired(serving.gateway.clock.now()));
        if !pause(TICK, &mut stopped).await {
            return;
        }
    }
}

/// Waits; `false` once the server stops.
async fn pause(duration: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(duration, stopped.wait_for(|stop| *stop)).await.is_err()
}
