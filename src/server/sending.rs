//! Answers on their way out. What a request holds is given back once its answer has been taken, and a connection on
//! which an answer is not taken ends.
//!
//! Bytes that wait in a buffer of the HTTP library are in memory all the same. So what is held goes with the bytes:
//! until the library lets go of the last of them.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::limits::Admitted;

/// Bytes of an answer that go out as one: so many are taken in time, or the answer has stalled.
const PIECE: usize = 65_536;

/// The answers of a connection that have not been taken whole, and when each of them last moved.
#[derive(Default)]
pub struct Unsent(Mutex<HashMap<Uuid, Instant>>);

impl Unsent {
    /// Ends once an answer has not moved for so long.
    pub async fn stands_still(&self, patience: Duration) {
        loop {
            let now = Instant::now();
            // An answer that begins while this sleeps cannot be due before it wakes.
            let due = self.lock().values().min().copied().unwrap_or(now) + patience;
            if due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn moved(&self, answer: Uuid) {
        self.lock().insert(answer, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer; empty once its last piece has been handed over.
pub struct Sending {
    rest: Bytes,
    held: Option<Arc<UntilSent>>,
}

/// What goes when the last piece has gone.
struct UntilSent {
    answer: Uuid,
    unsent: Arc<Unsent>,
    _admitted: Option<Admitted>,
}

/// Bytes that the library holds until they are written.
struct Piece {
    bytes: Bytes,
    held: Arc<UntilSent>,
}

impl Sending {
    pub fn new(answer: Uuid, body: Bytes, unsent: Arc<Unsent>, admitted: Option<Admitted>) -> Self {
        // Nothing to take: nothing to wait for.
        if body.is_empty() {
            return Self { rest: body, held: None };
        }
        unsent.moved(answer);
        Self { rest: body, held: Some(Arc::new(UntilSent { answer, unsent, _admitted: admitted })) }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.rest.len().min(PIECE);
        let bytes = self.rest.split_to(length);
        // With the last piece goes what this body holds: it may be dropped later than the piece is taken.
        let held = if self.rest.is_empty() { self.held.take() } else { self.held.clone() };
        Poll::Ready(held.map(|held| Ok(Frame::data(Bytes::from_owner(Piece { bytes, held })))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.held.unsent.moved(self.held.answer);
    }
}

impl Drop for UntilSent {
    fn drop(&mut self) {
        self.unsent.lock().remove(&self.answer);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::{clock::unclocked_id, server::limits::Room};

    #[tokio::test(start_paused = true)]
    async fn what_is_held_goes_with_the_last_piece_and_each_piece_moves_the_answer() {
        let (room, unsent) = (Room::new(8, 1), Arc::new(Unsent::default()));
        let admitted = room.enter("terminal").unwrap();
        let body = Bytes::from(vec![7; PIECE + 1]);
        let mut sending = Sending::new(unclocked_id(), body, unsent.clone(), Some(admitted));
        let first = sending.frame().await.unwrap().unwrap().into_data().unwrap();
        let last = sending.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first.len(), last.len()), (PIECE, 1));
        assert!(sending.frame().await.is_none() && sending.is_end_stream());
        drop(sending);
        let patience = Duration::from_secs(30);
        let stands_still = || tokio::time::timeout(Duration::from_secs(20), unsent.stands_still(patience));
        assert!(stands_still().await.is_err());
        drop(first);
        assert!(room.enter("terminal").is_err(), "one byte is still in a buffer");
        assert!(stands_still().await.is_err(), "it moved meanwhile");
        assert!(stands_still().await.is_ok());
        drop(last);
        assert!(room.enter("terminal").is_ok());
        assert!(stands_still().await.is_err(), "nothing is left to be taken");
    }
}
