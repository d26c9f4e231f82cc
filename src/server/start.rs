//! Starts a server and stops it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::{
    connection,
    error::StartError,
    limits::CallerLimits,
    metrics::Metrics,
    monitor,
    own_certificate::{self, OwnCertificate},
    serving::Serving,
    tls::{self, TlsError},
    trust,
};
use crate::{
    clock::{Clock, Timestamp},
    config::Config,
    gateway::Gateway,
    identity::verifier::TerminalVerifier,
    node::tick::{check_clock, pause, tick},
    operations::keys::rewrap_keys::rewrap,
    planted::Planted,
    publish::publisher::Publisher,
};

/// A running server. Dropping it does not stop it; [`Server::stop`] does.
pub struct Server {
    pub serving: Arc<Serving>,
    pub address: SocketAddr,
    pub monitor_address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// How long open requests may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How often callers who were long idle are forgotten.
const FORGETS_IDLE: Duration = Duration::from_secs(30);

impl Server {
    /// Opens the gateway and serves it.
    ///
    /// # Errors
    /// What is wrong with configuration, keys, database or address.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let provider = tls::provider();
        let verifier =
            TerminalVerifier::load(&config.tls.client_ca, config.tls.revocation_list.as_deref(), provider.clone())?;
        let own = OwnCertificate::load(&config.tls.certificate, &config.tls.key, provider.clone(), &clock)?;
        let own = Arc::new(own);
        let acceptor = tls::acceptor(own.clone(), Arc::new(verifier.clone()), provider, &clock)?;
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
            limits: CallerLimits::new(&gateway.config.limits),
            metrics: Metrics::new()?,
            gateway,
            verifier,
            draining: AtomicBool::new(false),
        });
        serving.metrics.certificate_until.set(own.valid_until()?.as_micros() / 1_000_000);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(connection::serve(listener, acceptor, serving.clone(), stopped.clone()));
        tasks.spawn(monitor::serve(monitor_listener, serving.clone(), stopped.clone()));
        tasks.spawn(publisher.run(stopped.clone()));
        tasks.spawn(trust::follow(serving.clone(), stopped.clone()));
        tasks.spawn(follow_certificate(own, serving.clone(), stopped.clone()));
        tasks.spawn(rewrap(serving.gateway.clone(), stopped.clone()));
        tasks.spawn(tick(serving.gateway.clone(), elapse_from, stopped.clone()));
        tasks.spawn(forget_idle(serving.clone(), stopped));
        tracing::info!(%address, %monitor_address, "serving");
        Ok(Self { serving, address, monitor_address, stop, tasks })
    }

    /// Says that it is about to stop and goes on for the configured time; then stops accepting, lets open requests end,
    /// closes the database.
    pub async fn stop(mut self) {
        self.serving.draining.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(self.serving.gateway.config.limits.drain_seconds)).await;
        let _ = self.stop.send(true);
        let drain = if Planted::CutOpenCalls.is_planted() { Duration::ZERO } else { DRAIN };
        let drained = tokio::time::timeout(drain, async { while self.tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            self.tasks.shutdown().await;
        }
        self.serving.gateway.write_snapshot().await;
        self.serving.gateway.store.close().await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })
}

fn local(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}

async fn follow_certificate(own: Arc<OwnCertificate>, serving: Arc<Serving>, stopped: watch::Receiver<bool>) {
    let again = Duration::from_secs(serving.gateway.config.tls.reload_seconds.max(1));
    let told = |outcome: Result<Timestamp, TlsError>| match outcome {
        Ok(until) => serving.metrics.certificate_until.set(until.as_micros() / 1_000_000),
        Err(_) => serving.metrics.certificate_reload_failures.inc(),
    };
    own_certificate::follow(own, again, told, stopped).await;
}

async fn forget_idle(serving: Arc<Serving>, mut stopped: watch::Receiver<bool>) {
    while pause(FORGETS_IDLE, &mut stopped).await {
        serving.limits.forget_idle();
    }
}
