//! For operators: `/livez`, `/readyz`, `/metrics` on a listener of their own. No personal data, no ids.

use std::sync::{Arc, atomic::Ordering};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{net::TcpListener, sync::watch};

use super::serving::Serving;

pub(super) async fn serve(listener: TcpListener, serving: Arc<Serving>, mut stopped: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(|State(serving): State<Arc<Serving>>| async move {
                let off = serving.gateway.clock.off();
                serving.metrics.clock_off.set(off.map_or(0, time::Duration::whole_seconds));
                serving.metrics.show_list_ends(serving.verifier.list_ends());
                serving.metrics.text(&serving.gateway)
            }),
        )
        .with_state(serving);
    let stop = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
        tracing::error!(%error, "the monitor listener ended");
    }
}

/// Ready while the journal writes and the database answers.
async fn ready(State(serving): State<Arc<Serving>>) -> (StatusCode, &'static str) {
    if serving.draining.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, "about to stop\n");
    }
    if serving.gateway.witnessed.held().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the ledger is not what was witnessed\n");
    }
    // A balancer sends nothing to a node that is not ready: it must find out by itself that it can write again.
    let journal = serving.gateway.journal.recovers(&serving.gateway.clock).await;
    let database = serving.gateway.following.answers().await;
    match (journal, database) {
        (true, true) if !serving.gateway.journal.memory().guard.refuted().is_empty() => {
            (StatusCode::OK, "ready; rows are set aside, see `tsunagi check`\n")
        }
        (true, true) => (StatusCode::OK, "ready\n"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "the journal cannot write\n"),
        (_, false) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
