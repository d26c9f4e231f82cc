//! Accepts connections: so many at once, until the server stops, and then until the open ones have ended.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

/// After which accepting is tried again: file descriptors may be exhausted, and others must close first.
const AGAIN: Duration = Duration::from_millis(50);

/// Serves each connection in a task of its own. Beyond `max` a connection is closed at once and `shed` is called: it
/// costs nobody else anything.
pub async fn accept<S>(
    listener: TcpListener,
    max: usize,
    mut stopped: watch::Receiver<bool>,
    shed: impl Fn(),
    serve: impl Fn(TcpStream) -> S,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(max));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            shed();
            continue;
        };
        let serving = serve(stream);
        tokio::spawn(async move {
            serving.await;
            drop(slot);
        });
    }
    drop(listener);
    // Every connection holds a slot: having all of them means that none is open.
    let _ = slots.acquire_many(u32::try_from(max).unwrap_or(u32::MAX)).await;
}
