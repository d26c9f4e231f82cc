//! `tsunagi serve` and `tsunagi init`.

use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::ConfigFile;
use super::error::CommandError;
use crate::{
    clock::Clock,
    config::Config,
    gateway::Gateway,
    keys::{keyring::Keyring, shreds::Shreds},
    operations::accounts::bootstrap::{Bootstrap, bootstrap, open_operator},
    server::start::Server,
};

/// How to serve.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Serve a ledger of exactly this size although witnesses have signed a larger or another one; it is written to the
    /// ledger. See docs/ledger.md.
    #[arg(long, value_name = "SIZE")]
    accept_rollback: Option<u64>,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// The gateway does not start.
    pub(super) async fn run(self) -> Result<(), CommandError> {
        log_to_stderr();
        let mut config = Config::load(&self.file.config, std::env::vars())?;
        config.ledger.accept_rollback = self.accept_rollback;
        let mut stopping = Stopping::listen()?;
        let server = tokio::select! {
            server = Server::start(config, Clock::system()) => server?,
            () = stopping.asked() => return Ok(()),
        };
        stopping.asked().await;
        server.stop().await;
        Ok(())
    }
}

/// SIGTERM and SIGINT, listened for before anything is started: whoever asks early is heard too.
pub(super) struct Stopping {
    terminate: Signal,
    interrupt: Signal,
}

impl Stopping {
    /// # Errors
    /// The signals cannot be listened for.
    pub(super) fn listen() -> Result<Self, CommandError> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns when somebody asks to stop.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping");
    }
}

/// JSON lines; `RUST_LOG` sets how much.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start in one process keeps the first subscriber.
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// The first step of a new gateway.
#[derive(Args)]
pub struct Init {
    /// Configuration file (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Serial of the certificate of the operator's first terminal.
    #[arg(long)]
    serial: String,
    /// Id of the operator's first administrator.
    #[arg(long)]
    officer: String,
    /// Name of the operator's first administrator.
    #[arg(long)]
    officer_name: String,
    /// Serial of the certificate of the operator's first desk, where its first persons enrol.
    #[arg(long)]
    desk: Option<String>,
}

impl Init {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let config = Config::load(&self.config, std::env::vars())?;
        let made = (!config.keyring.exists()).then(|| config.keyring.clone());
        if let Some(keyring) = &made {
            Keyring::create(keyring, None)?;
        }
        let gateway = Gateway::open(config, Clock::system()).await?;
        let Self { serial, officer, officer_name: name, desk, .. } = self;
        let has_desk = desk.is_some();
        let begun = bootstrap(&gateway, Bootstrap { serial, officer, name, desk }).await;
        // Closed in good order in either case: the next start must not suspect that somebody else wrote here.
        gateway.store.close().await;
        let code = begun?;
        if let Some(keyring) = made {
            say!("keyring made: {}", keyring.display());
            say!("shreds made: {}", Shreds::path_beside(&keyring).display());
            say!("keep a copy of both, apart from the database");
        }
        say!("checkpoint key: {}", gateway.signer.verifier_key());
        if has_desk {
            say!("code for the operator's first two persons, at its desk: {code}");
        } else {
            say!("no desk was named: `tsunagi operator` registers one and makes the code for the first two persons");
        }
        Ok(())
    }
}

/// The operator's first persons, where the gateway is from before there were any or their code ran out. Run it while
/// nothing serves the database.
#[derive(Args)]
pub struct OpenOperator {
    /// Configuration file (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Serial of the certificate of the operator's desk.
    #[arg(long)]
    desk: String,
}

impl OpenOperator {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let gateway = Gateway::open(Config::load(&self.config, std::env::vars())?, Clock::system()).await?;
        let opened = open_operator(&gateway, &self.desk).await;
        gateway.store.close().await;
        say!("code for the operator's first two persons, at its desk: {}", opened?);
        Ok(())
    }
}
