//! Places in which passwords are hashed: each takes 19 MiB and a core.
//!
//! Of one terminal one password is hashed at a time, and a few wait for it. Terminals take turns, so that whatever one
//! desk sends, another waits for one of its passwords at the most.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Semaphore;

use crate::planted::Planted;

/// Passwords of one terminal that are hashed or wait for it. One person at a time stands at a desk.
pub const MAX_OF_TERMINAL: usize = 8;

/// The places of a node.
pub struct HashingPlaces {
    cores: Arc<Semaphore>,
    hashed: AtomicU64,
    terminals: Mutex<HashMap<String, TerminalQueue>>,
}

/// Those of one terminal: a terminal without any is not kept.
struct TerminalQueue {
    turn: Arc<Semaphore>,
    length: usize,
}

/// A place among those of a terminal, until it is dropped and what is hashed in it has ended. Clones share it.
#[derive(Clone)]
pub struct HashingPlace(Arc<Queued>);

struct Queued {
    places: Arc<HashingPlaces>,
    terminal: String,
    turn: Arc<Semaphore>,
}

impl HashingPlaces {
    /// So many passwords are hashed at once.
    pub fn new(cores: usize) -> Arc<Self> {
        Arc::new(Self {
            cores: Arc::new(Semaphore::new(cores)),
            hashed: AtomicU64::new(0),
            terminals: Mutex::default(),
        })
    }

    /// A place for a terminal; none where so many of its passwords wait that no person at it would mind.
    pub fn enter(self: &Arc<Self>, terminal: &str) -> Option<HashingPlace> {
        let mut terminals = self.terminals.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = terminals
            .entry(terminal.to_owned())
            .or_insert_with(|| TerminalQueue { turn: Arc::new(Semaphore::new(1)), length: 0 });
        let for_all = Planted::HashFirstCome.is_planted();
        if queue.length >= MAX_OF_TERMINAL && !for_all {
            return None;
        }
        queue.length += 1;
        let turn = if for_all { Arc::new(Semaphore::new(1)) } else { queue.turn.clone() };
        Some(HashingPlace(Arc::new(Queued { places: self.clone(), terminal: terminal.to_owned(), turn })))
    }

    /// Passwords that were hashed so far: how much work was done for whoever tries.
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    /// Terminals that have a place.
    pub fn terminals(&self) -> usize {
        self.terminals.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl HashingPlace {
    /// Hashes off the async workers, when it is the terminal's turn and there is a core. The work keeps both to its end,
    /// even where the caller has gone. `None` where the node is stopping.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let place = self.0.clone();
        let turn = place.turn.clone().acquire_owned().await.ok()?;
        let core = place.places.cores.clone().acquire_owned().await.ok()?;
        place.places.hashed.fetch_add(1, Ordering::Relaxed);
        let work = move || {
            let done = work();
            drop((core, turn, place));
            done
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut terminals = self.places.terminals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut queue) = terminals.entry(std::mem::take(&mut self.terminal)) {
            queue.get_mut().length = queue.get().length.saturating_sub(1);
            if queue.get().length == 0 {
                queue.remove();
            }
        }
    }
}
