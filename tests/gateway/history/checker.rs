//! Whether calls made at the same time can be put in one order that a sequential model explains.
//!
//! The search of Wing and Gong (1993) with Lowe's memory (2017): depth first over the calls that may come next, and
//! never twice from the same set of calls with the same state.

use std::{collections::HashSet, fmt::Debug, hash::Hash, time::Duration};

/// One call, with its moments since the history began.
#[derive(Clone, Debug)]
pub struct Call<O> {
    /// What was asked and what was answered.
    pub op: O,
    pub called: Duration,
    /// `None`: nobody knows what became of it. It is done at some moment after the call, or never.
    pub answered: Option<Duration>,
}

/// A thing to which calls are made one after another.
pub trait State: Clone + Debug + Eq + Hash {
    type Op;

    /// The state after a call; `None` where it would not have been answered so.
    fn after(&self, op: &Self::Op) -> Option<Self>;
}

/// Where the longest order ends that the model explains.
#[derive(Debug)]
pub struct Stuck<S> {
    pub state: S,
    /// Places of the calls that have no place in it.
    pub left: Vec<usize>,
}

/// Looks for an order.
///
/// # Errors
/// There is none.
pub fn linearize<S: State>(start: &S, calls: &[Call<S::Op>]) -> Result<(), Stuck<S>> {
    assert!(calls.len() <= u128::BITS as usize, "a set of calls is the bits of a number");
    let mut search = Search { calls, seen: HashSet::new(), furthest: (0, start.clone()) };
    if search.reaches_end(0, start) {
        return Ok(());
    }
    let (done, state) = search.furthest;
    Err(Stuck { state, left: (0..calls.len()).filter(|at| !holds(done, *at)).collect() })
}

fn holds(set: u128, at: usize) -> bool {
    set >> at & 1 == 1
}

struct Search<'h, S: State> {
    calls: &'h [Call<S::Op>],
    seen: HashSet<(u128, S)>,
    furthest: (u128, S),
}

impl<S: State> Search<'_, S> {
    /// Whether the calls that are not in `done` can follow on it.
    fn reaches_end(&mut self, done: u128, state: &S) -> bool {
        if !self.seen.insert((done, state.clone())) {
            return false;
        }
        if done.count_ones() > self.furthest.0.count_ones() {
            self.furthest = (done, state.clone());
        }
        let calls = self.calls;
        let open = || calls.iter().enumerate().filter(move |(at, _)| !holds(done, *at));
        let Some(first_answer) = open().filter_map(|(_, call)| call.answered).min() else { return true };
        // What was called after another was answered comes after it.
        open()
            .filter(|(_, call)| call.called <= first_answer)
            .any(|(at, call)| state.after(&call.op).is_some_and(|state| self.reaches_end(done | 1 << at, &state)))
    }
}

mod tests {
    use self::Op::{Read, Write};
    use super::*;

    const NEVER: u64 = u64::MAX;

    /// A cell that holds a number, 0 at first.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Cell(u8);

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Write(u8),
        Read(u8),
    }

    impl State for Cell {
        type Op = Op;

        fn after(&self, op: &Op) -> Option<Self> {
            match op {
                Write(number) => Some(Self(*number)),
                Read(number) => (*number == self.0).then(|| self.clone()),
            }
        }
    }

    /// Calls with the moments of call and answer; `NEVER` for no answer.
    fn is_linearizable(history: &[(Op, u64, u64)]) -> bool {
        let calls: Vec<Call<Op>> = history
            .iter()
            .map(|(op, called, answered)| Call {
                op: *op,
                called: Duration::from_millis(*called),
                answered: (*answered != NEVER).then(|| Duration::from_millis(*answered)),
            })
            .collect();
        linearize(&Cell(0), &calls).is_ok()
    }

    #[test]
    fn histories_with_an_order_are_accepted() {
        for history in [
            &[][..],
            &[(Read(0), 0, 1), (Write(1), 2, 3), (Read(1), 4, 5)],
            // While a write goes on, either may be read, each by its own reader.
            &[(Write(1), 0, 9), (Read(0), 1, 2), (Read(1), 1, 3), (Read(1), 4, 5)],
            &[(Write(1), 0, 9), (Read(1), 1, 6), (Read(0), 2, 5)],
            // One moment is no order.
            &[(Write(1), 0, 1), (Read(0), 1, 2)],
            // Nobody knows what became of a write: seen late, or never.
            &[(Write(1), 0, NEVER), (Read(0), 1, 2), (Read(0), 3, 4), (Read(1), 5, 6)],
            &[(Write(1), 0, NEVER), (Read(0), 1, 2), (Write(2), 3, 4), (Read(2), 5, 6)],
            &[(Write(1), 0, NEVER), (Write(2), 1, 2), (Read(2), 3, 4), (Read(1), 5, 6)],
            // Two writers at once, and readers who agree on their order.
            &[(Write(1), 0, 9), (Write(2), 0, 9), (Read(2), 1, 2), (Read(2), 1, 3), (Read(1), 4, 5), (Read(1), 4, 6)],
        ] {
            assert!(is_linearizable(history), "{history:?}");
        }
    }

    #[test]
    fn histories_without_an_order_are_rejected() {
        for history in [
            // Stale: the write was acknowledged before the read began.
            &[(Write(1), 0, 1), (Read(0), 2, 3)][..],
            &[(Write(1), 0, 1), (Write(2), 2, 3), (Read(1), 4, 5)],
            // Read before its write was called.
            &[(Read(1), 0, 1), (Write(1), 2, 3)],
            &[(Read(1), 0, 1), (Write(1), 2, NEVER)],
            // Back in time: new, then old.
            &[(Write(1), 0, 9), (Read(1), 1, 2), (Read(0), 3, 4)],
            &[(Write(1), 0, NEVER), (Read(1), 1, 2), (Read(0), 3, 4)],
            // Two readers who saw two writes in opposite orders.
            &[(Write(1), 0, 9), (Write(2), 0, 9), (Read(1), 1, 2), (Read(2), 1, 2), (Read(2), 3, 4), (Read(1), 5, 6)],
            // Never written at all, and lost.
            &[(Read(7), 0, 9), (Write(1), 1, 2)],
            &[(Write(1), 0, 1), (Read(1), 2, 3), (Read(0), 4, 5)],
        ] {
            assert!(!is_linearizable(history), "{history:?}");
        }
    }
}
