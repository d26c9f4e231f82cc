//! The marks of the rows that stand for themselves, as memory remembers them: one that was set back carries a mark that was
//! right once, and is found by this alone.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::mark::Tag;

/// How long a mark counts beside the present one: what is read may be from before a commit, or from one of which memory is
/// about to learn. Longer than any transaction lasts.
const GRACE: Duration = Duration::from_secs(20);
/// Beyond so many, those that are too old are forgotten.
const MANY: usize = 10_000;

/// What a table's row has become: its mark, or `None` where it is gone.
pub type Remark = (u64, Option<Tag>);

#[derive(Default)]
struct Inner {
    tags: HashMap<u64, Tag>,
    /// What counts as well for a while: marks of before, and of commits under way.
    beside: HashMap<u64, Vec<(Tag, Instant)>>,
    beside_count: usize,
}

/// Marks by row. A key is 64 bits of a keyed hash of table and name.
#[derive(Default)]
pub struct Remembered {
    inner: RwLock<Inner>,
    hasher: RandomState,
    /// Tables of which it knows every row, each by the bit of its number: before, it knows nothing better than the row itself.
    complete: AtomicU64,
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
            inner.tags.entry(key).or_insert(tag);
        }
    }

    /// It knows of every row of a table from now on.
    pub fn complete(&self, table: u8) {
        self.complete.fetch_or(bit(table), Ordering::SeqCst);
    }

    /// A commit is under way that makes these of the rows.
    pub fn announce(&self, remarks: &[Remark]) {
        let now = Instant::now();
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for (key, tag) in remarks {
            tag.iter().for_each(|tag| inner.put_beside(*key, *tag, now));
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
            before.iter().for_each(|before| inner.put_beside(*key, *before, now));
        }
        if inner.beside_count > MANY {
            inner.forget(now);
        }
    }

    /// Whether the row is as memory remembers it, or was a moment ago.
    pub fn knows(&self, table: u8, key: u64, tag: Tag) -> bool {
        if self.complete.load(Ordering::SeqCst) & bit(table) == 0 {
            return true;
        }
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let is_beside =
            |beside: &Vec<(Tag, Instant)>| beside.iter().any(|(known, since)| *known == tag && since.elapsed() < GRACE);
        inner.tags.get(&key) == Some(&tag) || inner.beside.get(&key).is_some_and(is_beside)
    }

    /// From now on only the present marks count: what was read a moment ago does not any more.
    pub fn expire(&self) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.beside.clear();
        inner.beside_count = 0;
    }

    /// Whether there is such a row.
    pub fn has(&self, key: u64) -> bool {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).tags.contains_key(&key)
    }
}

/// Numbers of tables are below 64.
fn bit(table: u8) -> u64 {
    1 << (table % 64)
}

impl Inner {
    fn put_beside(&mut self, key: u64, tag: Tag, now: Instant) {
        self.beside.entry(key).or_default().push((tag, now));
        self.beside_count += 1;
    }

    fn forget(&mut self, now: Instant) {
        self.beside.retain(|_, beside| {
            beside.retain(|(_, since)| now.duration_since(*since) < GRACE);
            !beside.is_empty()
        });
        self.beside_count = self.beside.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_set_back_or_brought_back_is_not_known() {
        let remembered = Remembered::default();
        let key = remembered.key(6, "a");
        remembered.remember([(key, 1)]);
        assert!(remembered.knows(6, key, 9), "not complete yet");
        remembered.complete(6);
        assert!(remembered.knows(6, key, 1) && !remembered.knows(6, key, 9));
        remembered.announce(&[(key, Some(2))]);
        assert!(remembered.knows(6, key, 1) && remembered.knows(6, key, 2));
        remembered.settle(&[(key, Some(2))]);
        assert!(remembered.knows(6, key, 2) && remembered.knows(6, key, 1), "read a moment ago");
        let mut inner = remembered.inner.write().unwrap();
        inner.forget(Instant::now() + GRACE);
        drop(inner);
        assert!(remembered.knows(6, key, 2) && !remembered.knows(6, key, 1));
        remembered.settle(&[(key, None)]);
        remembered.inner.write().unwrap().forget(Instant::now() + GRACE);
        assert!(!remembered.knows(6, key, 2) && !remembered.has(key));
    }
}
