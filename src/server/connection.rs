//! From a TCP connection to an answer: handshake, certificate, route, caller, limits, body, operation.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request, rejection::RawPathParamsRejection},
    http::{Method, header, request::Parts},
    response::Response,
    routing::{MethodFilter, get, on},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use uuid::Uuid;

use super::{
    accept::accept,
    limits::{Admitted, Room},
    openapi,
    sending::{Sending, Unsent},
    serving::Serving,
};
use crate::{
    clock::unclocked_id,
    error::{CallerError, Error, RequestError, ServiceError},
    face::{
        CallHead,
        answer::Answer,
        call::Call,
        own_origin,
        route::{Route, RouteHandler},
    },
    identity::{
        Caller,
        certificate::TerminalCertificate,
        directory::{OfficerClaim, Unrecognized},
    },
    journal::error::JournalError,
    ledger::entry::{Act, Entry},
    operations::accounts::sessions::{AtDesk, note_use},
    planted::Planted,
    web::{self, assets, page::PAGES},
    wire::{route::API, routes},
};

/// A decision that became stale is made again this often.
const MAX_DECISIONS: usize = 8;
/// How often a request that waits is held against the revocations.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What is known of a connection once its handshake is done, and what every request of it shares.
#[derive(Clone)]
struct PeerTerminal {
    certificate: Arc<TerminalCertificate>,
    unsent: Arc<Unsent>,
    has_asked: Arc<AtomicBool>,
}

/// Serves connections until the server stops, and then until the open ones have ended.
pub(super) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    serving: Arc<Serving>,
    stopped: watch::Receiver<bool>,
) {
    let router = router(&serving);
    let each = |stream| {
        let (acceptor, serving, router, stopped) = (acceptor.clone(), serving.clone(), router.clone(), stopped.clone());
        async move {
            serving.metrics.connections.inc();
            connection(stream, &acceptor, &serving, router, stopped).await;
            serving.metrics.connections.dec();
        }
    };
    let shed = || {
        serving.metrics.shed.inc();
    };
    accept(listener, serving.gateway.config.limits.connections, stopped.clone(), shed, each).await;
}

async fn connection(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    serving: &Serving,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = &serving.gateway.config.limits;
    let _ = stream.set_nodelay(true);
    let handshake = timeout(Duration::from_secs(limits.handshake_seconds), acceptor.accept(stream)).await;
    let Ok(Ok(stream)) = handshake else {
        serving.metrics.handshake_failures.inc();
        return;
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    // The verifier has held it against the profile already; without it there is no connection.
    let Some(Ok(certificate)) = certificate.map(|certificate| TerminalCertificate::from_der(certificate)) else {
        serving.metrics.handshake_failures.inc();
        return;
    };
    let peer = PeerTerminal { certificate: Arc::new(certificate), unsent: Arc::default(), has_asked: Arc::default() };
    let PeerTerminal { certificate, unsent, has_asked } = peer.clone();
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        peer.has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer.clone());
        request.map(Body::new)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_seconds))
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes.max(8_192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(limits.header_seconds))
        .keep_alive_timeout(Duration::from_secs(limits.header_seconds));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let stop = async {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    // The library times the headers from their first byte on: whoever says nothing would keep a connection from others.
    let silence = async {
        sleep(Duration::from_secs(limits.header_seconds)).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        _ = connection.as_mut() => true,
        () = stop => false,
        () = silence => true,
        () = unsent.stands_still(Duration::from_secs(limits.answer_seconds.max(1))) => {
            tracing::warn!(terminal = certificate.serial, "an answer was not taken; its connection is ended");
            true
        }
    };
    if !ended {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// The router that [`routes`] describe.
fn router(serving: &Arc<Serving>) -> Router {
    let limits = &serving.gateway.config.limits;
    let work = Arc::new(Room::new(limits.requests_in_flight, limits.terminal_in_flight));
    // Who waits for news does no work: waiting takes nothing from those who do.
    let waiting = Arc::new(Room::new(limits.connections, limits.terminal_in_flight));
    let mut router = Router::new();
    for route in routes::all().map(|api| &api.route).chain(web::all()) {
        let room = if route.waits { waiting.clone() } else { work.clone() };
        let serving = serving.clone();
        let handler = move |path: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
            let (serving, room) = (serving.clone(), room.clone());
            // What is no UTF-8 is nobody's id: left out, the operation finds nothing under it.
            let path = path.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            async move { handle(&serving, &room, route, path, request).await }
        };
        let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::OPTIONS);
        router = router.route(route.path, on(filter, handler));
    }
    for path in openapi::PATHS.into_iter().chain([assets::PATH]) {
        let (serving, room) = (serving.clone(), work.clone());
        router = router.route(path, get(async move |request: Request| describe(&serving, &room, request)));
    }
    router
        .fallback(async |request: Request| refuse(request, &RequestError::NoSuchRoute.into()))
        .method_not_allowed_fallback(async |request: Request| refuse(request, &RequestError::MethodNotAllowed.into()))
}

async fn handle(
    serving: &Arc<Serving>,
    room: &Room,
    route: &'static Route,
    path: HashMap<String, String>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let id = serving.gateway.clock.new_id();
    let (parts, body) = request.into_parts();
    let head = head(&parts, id);
    let (admitted, outcome) = match admit(serving, room, &parts) {
        Ok((certificate, admitted)) => {
            let asked = RecognizedRequest { serving, route, certificate: &certificate, head: &head };
            (Some(admitted), asked.work(path, body).await)
        }
        Err(error) => (None, Err(error)),
    };
    let answered = outcome.unwrap_or_else(|error| {
        if let Error::Store(cause) = &error {
            tracing::error!(request = %id, operation = route.operation, %cause, "internal error");
        }
        (route.face.refuse)(&error, &head)
    });
    serving.metrics.requests.with_label_values(&[route.operation, answered.status.as_str()]).inc();
    serving.metrics.seconds.with_label_values(&[route.operation]).observe(started.elapsed().as_secs_f64());
    answer(answered, id, unsent(&parts), admitted)
}

fn head(parts: &Parts, id: Uuid) -> CallHead<'_> {
    CallHead { method: &parts.method, uri: &parts.uri, headers: &parts.headers, id }
}

/// Lets a request in before anything is done for it, or says why not. What it is given is held until its answer has
/// been taken; a refusal holds nothing.
fn admit(serving: &Serving, room: &Room, parts: &Parts) -> Result<(Arc<TerminalCertificate>, Admitted), Error> {
    let Some(PeerTerminal { certificate, .. }) = parts.extensions.get() else {
        return Err(Unrecognized::Terminal.into());
    };
    let header_bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > serving.gateway.config.limits.header_bytes {
        return Err(RequestError::HeadersTooLarge.into());
    }
    check_lists(serving, certificate)?;
    serving.limits.take_terminal(&certificate.serial)?;
    let admitted = room.enter(&certificate.serial).inspect_err(|error| {
        if matches!(error, Error::Service(ServiceError::Overloaded)) {
            serving.metrics.shed.inc();
        }
    })?;
    Ok((certificate.clone(), admitted))
}

/// What is the same for everybody: what the API says of itself, and what pages are drawn with.
fn describe(serving: &Serving, room: &Room, request: Request) -> Response {
    let id = serving.gateway.clock.new_id();
    let (parts, _) = request.into_parts();
    let (admitted, outcome) = match admit(serving, room, &parts) {
        Ok((_, admitted)) => {
            let path = parts.uri.path();
            let file =
                if path.starts_with(assets::UNDER) { assets::file(path, &parts.headers) } else { openapi::file(path) };
            (Some(admitted), file.ok_or(RequestError::NoSuchRoute.into()))
        }
        Err(error) => (None, Err(error)),
    };
    answer(outcome.unwrap_or_else(|error| (API.refuse)(&error, &head(&parts, id))), id, unsent(&parts), admitted)
}

/// Refuses what no route is for, in the words of the face whose path it is.
fn refuse(request: Request, error: &Error) -> Response {
    let id = unclocked_id();
    let (parts, _) = request.into_parts();
    let is_of_api = parts.uri.path().starts_with("/v1/");
    let face = if is_of_api { &API } else { &PAGES };
    answer((face.refuse)(error, &head(&parts, id)), id, unsent(&parts), None)
}

fn unsent(parts: &Parts) -> Arc<Unsent> {
    parts.extensions.get().map(|peer: &PeerTerminal| peer.unsent.clone()).unwrap_or_default()
}

fn answer(answered: Answer, id: Uuid, unsent: Arc<Unsent>, admitted: Option<Admitted>) -> Response {
    let Answer { status, headers, body } = answered;
    let mut response = Response::new(Body::new(Sending::new(id, body, unsent, admitted)));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    // A browser that was here once never comes by another way, and asks nobody to go on past a wrong certificate (RFC 6797).
    let only_tls = axum::http::HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, only_tls);
    // Nothing of this is for any cache between here and the officer, but what says so.
    let cached = response.headers_mut().entry(header::CACHE_CONTROL);
    let not_kept = if Planted::KeepPages.is_planted() { "private, max-age=600" } else { "no-store" };
    cached.or_insert(axum::http::HeaderValue::from_static(not_kept));
    response
}

/// A request whose caller was recognized once, and may have been revoked since.
struct RecognizedRequest<'r> {
    serving: &'r Arc<Serving>,
    route: &'static Route,
    certificate: &'r TerminalCertificate,
    head: &'r CallHead<'r>,
}

impl RecognizedRequest<'_> {
    async fn work(&self, path: HashMap<String, String>, body: Body) -> Result<Answer, Error> {
        let Self { serving, route, certificate, head } = self;
        (route.face.guard)(head)?;
        // What any node acknowledged before this request is known before anything is decided on it.
        serving.gateway.following.reach().await?;
        let call = |body| Call {
            operation: route.operation,
            id: head.id,
            status: route.status,
            path,
            query: parse_query(head.uri.query().unwrap_or_default()),
            origin: own_origin(head),
            headers: head.headers.clone(),
            body,
            record_bytes: serving.gateway.config.limits.record_bytes,
            fingerprint: serving.gateway.fingerprint.clone(),
        };
        let run = match route.run {
            RouteHandler::Operation(run) => run,
            RouteHandler::AtDesk(run) => {
                let call = call(read_body(serving, route, body).await?);
                check_lists(serving, certificate)?;
                let terminal = serving.gateway.directory().desk(certificate)?;
                if route.method != Method::GET {
                    serving.limits.take_sign_in(&terminal.serial, &(route.face.claimed_at_desk)(&call))?;
                }
                return run(serving.gateway.clone(), AtDesk { terminal, request: head.id }, call).await;
            }
        };
        // Recognized before the body is read: a stranger's bytes are not worth reading.
        let mut known_at = serving.gateway.journal.position();
        let mut caller = recognize(serving, route, certificate, head).await?;
        serving.limits.take_officer(caller.organization(), caller.officer())?;
        let call = call(read_body(serving, route, body).await?);
        for attempt in 0..MAX_DECISIONS {
            // A revocation opens a new epoch: who was recognized in this one still is.
            let decided_at = serving.gateway.journal.position();
            if let Some(again) = self.again_since(known_at).await? {
                caller = again;
            }
            known_at = decided_at;
            let deciding = caller.clone().deciding_at(decided_at, attempt);
            let outcome = tokio::select! {
                outcome = run(serving.gateway.clone(), deciding, call.clone()) => outcome,
                error = self.revoked(known_at), if route.waits => Err(error),
            };
            match outcome {
                Err(Error::Journal(JournalError::Stale)) => {}
                // What was read goes to nobody who was revoked meanwhile.
                Ok(answer) if route.method == Method::GET => {
                    self.again_since(known_at).await?;
                    return Ok(answer);
                }
                outcome => return outcome,
            }
        }
        Err(JournalError::Stale.into())
    }

    /// Looks again: at dates and lists always, at the directory where there was a new epoch. Returns who calls, where
    /// that was asked again.
    async fn again_since(&self, known_at: u64) -> Result<Option<Caller>, Error> {
        if Planted::RecognizeOnce.is_planted() {
            return Ok(None);
        }
        check_lists(self.serving, self.certificate)?;
        // What another node revoked is known here too.
        self.serving.gateway.following.reach().await?;
        if self.serving.gateway.journal.position() == known_at {
            return Ok(None);
        }
        recognize(self.serving, self.route, self.certificate, self.head).await.map(Some)
    }

    /// Ends once the caller is no longer recognized: who waits for news is not kept beyond a revocation.
    async fn revoked(&self, mut known_at: u64) -> Error {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let epoch = self.serving.gateway.journal.position();
            if let Err(error) = self.again_since(known_at).await {
                return error;
            }
            known_at = epoch;
        }
    }
}

/// Dates and revocation lists hold on open connections too; an expired list is tolerated for the configured grace.
fn check_lists(serving: &Serving, certificate: &TerminalCertificate) -> Result<(), Error> {
    if Planted::RecognizeOnce.is_planted() {
        return Ok(());
    }
    if serving.verifier.is_revoked(&certificate.serial) {
        return Err(Unrecognized::TerminalRevoked.into());
    }
    if certificate.not_after < serving.gateway.clock.now() {
        return Err(Unrecognized::CertificateExpired.into());
    }
    let grace = time::Duration::hours(serving.gateway.config.tls.expired_list_grace_hours);
    let now = serving.gateway.clock.now();
    match serving.verifier.lists_valid_until() {
        Some(until) if until.plus(grace) < now => Err(CallerError::RevocationListExpired.into()),
        _ => Ok(()),
    }
}

/// Who calls, and whether the route is open to them. A refusal of a known caller is in the ledger.
async fn recognize(
    serving: &Serving,
    route: &'static Route,
    certificate: &TerminalCertificate,
    head: &CallHead<'_>,
) -> Result<Caller, Error> {
    let officer = (route.face.claim)(head.headers);
    let gateway = &serving.gateway;
    let now = gateway.clock.now();
    let caller = gateway.directory().recognize(certificate, &officer, now, head.id)?;
    let caller = match &officer {
        OfficerClaim::Session(token) if route.face.asks_again => {
            let since = now.plus(-gateway.config.accounts.sharp());
            let is_fresh = gateway.directory().factor_shown_at(token).is_some_and(|at| at > since);
            caller.showing_again(!is_fresh)
        }
        _ => caller,
    };
    if let OfficerClaim::Session(token) = &officer
        && gateway.directory().session_to_note(token, now, gateway.config.accounts.idle()).is_some()
        && let Err(error) = note_use(gateway, &caller, *token).await
    {
        // It ends earlier than it might: nothing is shown that should not be.
        tracing::debug!(%error, "that a session is used could not be noted");
    }
    if !route.allows(&caller) {
        let error = Error::from(CallerError::NotAllowed {
            kinds: route.kinds,
            roles: route.roles.iter().map(|role| role.as_str()).collect(),
        });
        let entry = Entry::of(&caller, Act::Refused, &gateway.clock).about(route.operation).refused(error.code());
        // Behind no epoch: a refusal shows nothing, and must not be put off by what others change meanwhile.
        gateway.journal.note(vec![entry.into()], Vec::new()).await?;
        return Err(error);
    }
    Ok(caller)
}

async fn read_body(serving: &Serving, route: &Route, body: Body) -> Result<Bytes, Error> {
    let limits = &serving.gateway.config.limits;
    let max_bytes = route.size.max_bytes(limits);
    let read = timeout(Duration::from_secs(limits.body_seconds), Limited::new(body, max_bytes).collect()).await;
    match read {
        Err(_) => Err(RequestError::TooSlow.into()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(RequestError::TooLarge { max_bytes }.into())
        }
        Ok(Err(_)) => Err(RequestError::Body("the connection broke".to_owned()).into()),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

/// `a=1&b=2`. Values of this API are ids, numbers and words: nothing that would need decoding is accepted.
pub fn parse_query(query: &str) -> HashMap<String, String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
