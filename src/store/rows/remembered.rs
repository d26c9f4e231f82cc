//! The marks of the rows that stand for themselves, as memory remembers them: one that was set back carries a mark that was
//! right once, and is found by this alone.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::mark::Tag;

/// How long a mark counts beside the present one: what is read may be from before a commit, or from one of which memory is
/// about to learn. Longer than any transaction lasts.
const GRACE: Duration = Duration::from_secs(20);
/// Beyond so many, those that are too old are forgotten.
const MANY: usize = 10_000;

/// When what is held against memory was read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadWhen {
    /// At some moment: memory may have gone on since, or be about to learn what another node committed.
    #[default]
    AtSomeTime,
    /// While memory takes in what other nodes committed: all that can be read was announced to it.
    Following,
    /// While nobody else could change anything, and memory knew of all that was changed before.
    Deciding,
}

/// Why another state of a row counts beside the present one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhyBeside {
    /// It was so a moment ago.
    Before,
    /// A commit of this node, which is under way, makes it so.
    Own,
    /// Some node committed it, and memory is about to take it in.
    Committed,
}

/// What a table's row has become: its mark, or `None` where it is gone.
pub type Remark = (u64, Option<Tag>);

#[derive(Default)]
struct Inner {
    tags: HashMap<u64, Tag>,
    /// What counts as well for a while: what rows were before, and will be after commits under way.
    beside: HashMap<u64, Vec<(Option<Tag>, WhyBeside, Instant)>>,
    beside_count: usize,
    /// Rows of which something stands beside that is about to be taken in.
    committed: Vec<u64>,
    /// With so many beside, those that are too old are looked for.
    forget_at: usize,
    /// Marks that were right once: rows that carry them were set back while nothing served, or brought back.
    wrong: HashMap<u64, Tag>,
    /// Rows that were removed before memory knew of them: who read them before that does not bring them back.
    gone: HashSet<u64>,
}

/// Marks by row. A key is 64 bits of a keyed hash of table and name.
#[derive(Default)]
pub struct Remembered {
    inner: RwLock<Inner>,
    hasher: RandomState,
    /// Tables of which it knows every row, each by the bit of its number: before, it knows nothing better than the row itself.
    complete: AtomicU64,
    /// Whether any row was found to be set back.
    has_wrong: AtomicBool,
}

impl Remembered {
    /// What stands for a row: number of its table, values of its key.
    pub fn key(&self, table: u8, name: &str) -> u64 {
        self.hasher.hash_one((table, name))
    }

    /// Fills memory; what it knows already is newer.
    pub fn remember(&self, rows: impl IntoIterator<Item = (u64, Tag)>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for (key, tag) in rows {
            if inner.gone.contains(&key) {
                continue;
            }
            inner.tags.entry(key).or_insert(tag);
        }
    }

    /// A row was found with a mark that was right once: it is taken only as it should be from now on.
    pub fn correct(&self, key: u64, wrong: Tag, right: Option<Tag>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.tags.get(&key).is_none_or(|tag| *tag == wrong) {
            match right {
                Some(right) => inner.tags.insert(key, right),
                None => inner.tags.remove(&key),
            };
        }
        inner.wrong.insert(key, wrong);
        self.has_wrong.store(true, Ordering::SeqCst);
    }

    /// Whether the row carries a mark that was found to be an older one.
    pub fn is_wrong(&self, key: u64, tag: Tag) -> bool {
        self.has_wrong.load(Ordering::SeqCst)
            && self.inner.read().unwrap_or_else(PoisonError::into_inner).wrong.get(&key) == Some(&tag)
    }

    /// It knows of every row of a table from now on.
    pub fn complete(&self, table: u8) {
        self.complete.fetch_or(bit(table), Ordering::SeqCst);
    }

    /// A commit of this node is under way that makes these of the rows.
    pub fn announce(&self, remarks: &[Remark]) {
        self.put_beside(remarks, WhyBeside::Own);
    }

    /// Some node made these of the rows, in this order, and memory is about to take it in: all that it can read.
    pub fn announce_committed(&self, remarks: &[Remark]) {
        {
            let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            inner.forget_committed();
            inner.committed.extend(remarks.iter().map(|(key, _)| *key));
        }
        self.put_beside(remarks, WhyBeside::Committed);
    }

    fn put_beside(&self, remarks: &[Remark], why: WhyBeside) {
        let now = Instant::now();
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for (key, tag) in remarks {
            inner.put_beside(*key, (*tag, why, now));
        }
    }

    /// The commit holds.
    pub fn settle(&self, remarks: &[Remark]) {
        let now = Instant::now();
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for (key, tag) in remarks {
            let before = match tag {
                Some(tag) => inner.tags.insert(*key, *tag),
                None => inner.tags.remove(key),
            };
            match tag {
                None if before.is_none() => inner.gone.insert(*key),
                _ => inner.gone.remove(key),
            };
            inner.drop_announced(*key, *tag);
            inner.put_beside(*key, (before, WhyBeside::Before, now));
            // Written anew, it may be again as it was once.
            inner.wrong.remove(key);
        }
        if inner.beside_count > inner.forget_at.max(MANY) {
            inner.forget(now);
            inner.forget_at = inner.beside_count * 2;
        }
    }

    /// Whether the row is as memory remembers it, or may be by what [`ReadWhen`] says; `None` is a row that is not there.
    pub fn knows(&self, table: u8, key: u64, tag: Option<Tag>, when: ReadWhen) -> bool {
        if self.complete.load(Ordering::SeqCst) & bit(table) == 0 {
            return true;
        }
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let is_present = inner.tags.get(&key).copied() == tag;
        let Some(beside) = inner.beside.get(&key) else { return is_present };
        let may_be = |(known, _, since): &(Option<Tag>, WhyBeside, Instant)| *known == tag && since.elapsed() < GRACE;
        match when {
            ReadWhen::Deciding => is_present,
            ReadWhen::AtSomeTime => is_present || beside.iter().any(may_be),
            // What was committed last is what is there.
            ReadWhen::Following => match beside.iter().rfind(|(_, why, _)| *why == WhyBeside::Committed) {
                Some((committed, ..)) => *committed == tag,
                None => is_present || beside.iter().any(|known| known.1 == WhyBeside::Own && may_be(known)),
            },
        }
    }

    /// From now on only the present marks count: what was read a moment ago does not any more.
    pub fn expire(&self) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.beside.clear();
        inner.beside_count = 0;
    }
}

/// Numbers of tables are below 64.
fn bit(table: u8) -> u64 {
    1 << (table % 64)
}

impl Inner {
    fn put_beside(&mut self, key: u64, beside: (Option<Tag>, WhyBeside, Instant)) {
        self.beside.entry(key).or_default().push(beside);
        self.beside_count += 1;
    }

    /// What was announced is so now.
    fn drop_announced(&mut self, key: u64, tag: Option<Tag>) {
        let Some(beside) = self.beside.get_mut(&key) else { return };
        for announced in [WhyBeside::Own, WhyBeside::Committed] {
            if let Some(at) = beside.iter().position(|(known, why, _)| *why == announced && *known == tag) {
                beside.remove(at);
                self.beside_count -= 1;
            }
        }
    }

    /// Nothing is about to be taken in: it was, or it will be announced again.
    fn forget_committed(&mut self) {
        for key in std::mem::take(&mut self.committed) {
            let Some(beside) = self.beside.get_mut(&key) else { continue };
            let count = beside.len();
            beside.retain(|(_, why, _)| *why != WhyBeside::Committed);
            self.beside_count -= count - beside.len();
        }
    }

    fn forget(&mut self, now: Instant) {
        self.beside.retain(|_, beside| {
            beside.retain(|(_, _, since)| now.duration_since(*since) < GRACE);
            !beside.is_empty()
        });
        self.beside_count = self.beside.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(remembered: &Remembered, key: u64, tag: impl Into<Option<Tag>>) -> (bool, bool) {
        let tag = tag.into();
        (remembered.knows(6, key, tag, ReadWhen::AtSomeTime), remembered.knows(6, key, tag, ReadWhen::Deciding))
    }

    #[test]
    fn a_row_that_was_set_back_brought_back_or_removed_is_not_known() {
        let remembered = Remembered::default();
        let forget = || remembered.inner.write().unwrap().forget(Instant::now() + GRACE);
        let key = remembered.key(6, "a");
        remembered.remember([(key, 1)]);
        assert_eq!(knows(&remembered, key, 9), (true, true), "not complete yet");
        remembered.complete(6);
        assert_eq!(knows(&remembered, key, 1), (true, true));
        assert_eq!((knows(&remembered, key, 9), knows(&remembered, key, None)), ((false, false), (false, false)));
        remembered.announce(&[(key, Some(2))]);
        assert_eq!((knows(&remembered, key, 1), knows(&remembered, key, 2)), ((true, true), (true, false)));
        remembered.settle(&[(key, Some(2))]);
        assert_eq!((knows(&remembered, key, 2), knows(&remembered, key, 1)), ((true, true), (true, false)));
        forget();
        assert_eq!((knows(&remembered, key, 2), knows(&remembered, key, 1)), ((true, true), (false, false)));
        remembered.settle(&[(key, None)]);
        assert_eq!((knows(&remembered, key, None), knows(&remembered, key, 2)), ((true, true), (true, false)));
        forget();
        assert_eq!(knows(&remembered, key, 2), (false, false));
        remembered.settle(&[(key, Some(3))]);
        assert_eq!(knows(&remembered, key, None), (true, false), "read a moment ago");
        forget();
        assert_eq!(knows(&remembered, key, None), (false, false));
    }

    #[test]
    fn what_memory_takes_in_is_what_was_committed_last() {
        let remembered = Remembered::default();
        let key = remembered.key(6, "a");
        remembered.complete(6);
        let reads = |tag: Option<Tag>| remembered.knows(6, key, tag, ReadWhen::Following);
        remembered.settle(&[(key, Some(1))]);
        assert_eq!((reads(Some(1)), reads(None)), (true, false), "a moment ago it was not there");
        remembered.announce_committed(&[(key, Some(2)), (key, Some(3)), (key, Some(2))]);
        assert_eq!((reads(Some(1)), reads(Some(2)), reads(Some(3))), (false, true, false));
        remembered.settle(&[(key, Some(2))]);
        assert_eq!((reads(Some(2)), reads(Some(3))), (true, false));
        // It failed half way, and is announced again.
        remembered.announce_committed(&[(key, Some(3)), (key, Some(2))]);
        remembered.settle(&[(key, Some(3))]);
        remembered.settle(&[(key, Some(2))]);
        assert_eq!((reads(Some(2)), reads(Some(3))), (true, false));
        remembered.announce(&[(key, Some(4))]);
        assert_eq!((reads(Some(2)), reads(Some(4)), reads(None)), (true, true, false), "a commit of this node");
    }
}
