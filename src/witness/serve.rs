//! A witness as a process: mutual TLS, one call.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::{
    keeper::{Keeper, KeeperError, Verdict},
    request::{MAX_BYTES, SIZE_TYPE},
};
use crate::{
    clock::Clock,
    ledger::{checkpoint::CheckpointError, cosignature::Cosigner},
    server::{
        accept::accept,
        own_certificate::{self, OwnCertificate},
        tls,
    },
};

/// Connections at once: a witness has a few logs.
const CONNECTIONS: usize = 64;
/// In which a handshake must be done, and the headers or the body of a request be here.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a new server certificate that cannot be used is tried again.
const RELOADS: Duration = Duration::from_secs(5);

/// The configuration of a witness.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Address of the one call (mutual TLS).
    pub listen: SocketAddr,
    /// Directory in which it keeps what it signed. It must exist, and never be set back.
    pub state: PathBuf,
    /// Its key file, made by `tsunagi witness key create`.
    pub key: PathBuf,
    /// Public keys of the logs it signs for (`vkey` lines).
    pub logs: Vec<String>,
    pub tls: WitnessTls,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessTls {
    /// Server certificate chain, PEM.
    pub certificate: PathBuf,
    /// Server key, PEM.
    pub key: PathBuf,
    /// CA certificates that sign the gateways' client certificates, PEM.
    pub client_ca: PathBuf,
}

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("{0}: {1}")]
    File(PathBuf, String),
    #[error("key file: {0}")]
    Key(#[from] CheckpointError),
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    #[error("TLS: {0}")]
    Tls(#[from] tls::TlsError),
    #[error("{0}: no certificates that could be trusted")]
    ClientCa(PathBuf),
    #[error("{address}: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
}

impl WitnessConfig {
    /// # Errors
    /// The file cannot be read, or is not a configuration.
    pub fn load(file: &Path) -> Result<Self, WitnessError> {
        toml::from_str(&read(file)?).map_err(|error| WitnessError::File(file.to_owned(), error.to_string()))
    }
}

fn read(file: &Path) -> Result<String, WitnessError> {
    std::fs::read_to_string(file).map_err(|error| WitnessError::File(file.to_owned(), error.to_string()))
}

/// A running witness.
pub struct WitnessServer {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl WitnessServer {
    /// # Errors
    /// Key, state, certificates or address cannot be used.
    pub async fn start(config: &WitnessConfig, clock: Clock) -> Result<Self, WitnessError> {
        let cosigner = Cosigner::from_line(&Zeroizing::new(read(&config.key)?))?;
        let own = OwnCertificate::load(&config.tls.certificate, &config.tls.key, tls::provider(), &Clock::system())?;
        let own = Arc::new(own);
        let acceptor = acceptor(&config.tls, own.clone())?;
        let name = cosigner.public_key().name().to_owned();
        let keeper = Keeper::open(&config.state, cosigner, &config.logs, clock)?;
        let listen = |error| WitnessError::Listen { address: config.listen, error };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let following = own_certificate::follow(own, RELOADS, |_| {}, stopped.clone());
        let router = Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(keeper);
        let accepting = tokio::spawn(async move {
            let each = |stream| {
                let (acceptor, router, mut stopped) = (acceptor.clone(), router.clone(), stopped.clone());
                async move {
                    tokio::select! {
                        () = connection(stream, &acceptor, router) => {}
                        _ = stopped.wait_for(|stop| *stop) => {}
                    }
                }
            };
            let accepting = accept(listener, CONNECTIONS, stopped.clone(), || {}, each);
            tokio::join!(accepting, following);
        });
        tracing::info!(%address, name, logs = config.logs.len(), "witnessing");
        Ok(Self { address, stop, accepting })
    }

    /// Ends. What was signed is on disk: nothing needs to be waited for but the connections.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
    }
}

fn acceptor(config: &WitnessTls, own: Arc<OwnCertificate>) -> Result<TlsAcceptor, WitnessError> {
    let unusable = || WitnessError::ClientCa(config.client_ca.clone());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&config.client_ca).map_err(|_| unusable())? {
        roots.add(certificate.map_err(|_| unusable())?).map_err(|_| unusable())?;
    }
    let provider = tls::provider();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(|_| unusable())?;
    Ok(tls::acceptor(own, verifier, provider, &Clock::system())?)
}

async fn connection(stream: TcpStream, acceptor: &TlsAcceptor, router: Router) {
    let stream = match timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::warn!(%error, "a connection was refused"),
        Err(_) => return,
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(120)).max_headers(32);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(4).max_header_list_size(8_192);
    // How it ends is the log's concern: it asks again.
    let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

async fn add_checkpoint(State(keeper): State<Arc<Keeper>>, body: Body) -> Response {
    let body = match timeout(PATIENCE, axum::body::to_bytes(body, MAX_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let judged = tokio::task::spawn_blocking(move || match std::str::from_utf8(&body) {
        Ok(text) => keeper.add_checkpoint(text),
        Err(_) => Verdict::Malformed,
    });
    match judged.await.unwrap_or(Verdict::NotKept) {
        Verdict::Signed(line) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response(),
        Verdict::OtherSize(size) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE_TYPE)], format!("{size}\n")).into_response()
        }
        Verdict::Malformed => StatusCode::BAD_REQUEST.into_response(),
        Verdict::Unsigned => StatusCode::FORBIDDEN.into_response(),
        Verdict::UnknownLog => StatusCode::NOT_FOUND.into_response(),
        Verdict::NotProved => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        Verdict::NotKept => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
