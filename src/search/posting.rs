//! Postings: ascending sets of record slots, small or large, that grow cheaply at their end.
//!
//! A small set is one sorted list. A large one is cut into chunks of 65,536 slots, each a sorted list of 16-bit
//! offsets or, where more than one slot in 64 is in it, a bitmap (after Roaring bitmaps; Chambi et al. 2016, which take
//! one only where it is no larger: here years of birth are asked for so often that looking up one bit is worth the
//! room). Unlike a general set they are intersected run by run, so that a search which has enough stops early.

use std::ops::ControlFlow;

/// From this many slots on a set is cut into chunks.
const MAX_IN_LIST: usize = 16_384;
/// From this many slots on a chunk is a bitmap.
const MAX_IN_ARRAY: usize = 1_024;
const WORDS: usize = 1_024;
/// So many times longer is a list in which one looks for a slot rather than going along it.
const VERY_MUCH: usize = 16;
/// Up to so many slots it is cheaper to look at each record than at the other sets.
const WORTH_LOOKING: usize = 4;
/// Slots of the smallest set that are looked up together: few at first, since a search may soon have enough.
const FIRST_RUN: usize = 128;
const LONGEST_RUN: usize = 4_096;

/// A set of slots.
pub enum Posting {
    List(Vec<u32>),
    Chunks(Vec<Chunk>),
}

/// The slots of one chunk.
pub struct Chunk {
    /// The upper 16 bits of its slots.
    key: u16,
    set: ChunkSet,
}

enum ChunkSet {
    Array(Vec<u16>),
    Bits(Box<Bits>),
}

struct Bits {
    count: u32,
    words: [u64; WORDS],
}

impl Default for Posting {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Posting {
    /// Number of slots.
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Chunks(chunks) => chunks.iter().map(|chunk| chunk.set.len()).sum(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last slot, or its lower half: reading it brings the end of the set into the cache.
    pub fn end(&self) -> u32 {
        match self {
            Self::List(list) => list.last().copied().unwrap_or(0),
            Self::Chunks(chunks) => match chunks.last().map(|chunk| &chunk.set) {
                Some(ChunkSet::Array(array)) => array.last().copied().map_or(0, u32::from),
                Some(ChunkSet::Bits(bits)) => bits.count,
                None => 0,
            },
        }
    }

    /// Adds a slot, most cheaply at the end.
    pub fn insert(&mut self, slot: u32) {
        match self {
            Self::List(list) => {
                match list.last() {
                    Some(last) if *last == slot => return,
                    Some(last) if *last > slot => match list.binary_search(&slot) {
                        Ok(_) => return,
                        Err(at) => {
                            make_room(list);
                            list.insert(at, slot);
                        }
                    },
                    _ => push(list, slot),
                }
                if list.len() > MAX_IN_LIST {
                    *self = Self::Chunks(chunked(list));
                }
            }
            Self::Chunks(chunks) => {
                let (key, low) = halves(slot);
                if chunks.last().is_some_and(|last| last.key < key) {
                    if let Some(last) = chunks.last_mut() {
                        last.set.shrink();
                    }
                    chunks.push(Chunk { key, set: ChunkSet::Array(vec![low]) });
                    return;
                }
                match chunks.binary_search_by_key(&key, |chunk| chunk.key) {
                    Ok(at) => {
                        if let Some(chunk) = chunks.get_mut(at) {
                            chunk.set.insert(low);
                        }
                    }
                    Err(at) => chunks.insert(at, Chunk { key, set: ChunkSet::Array(vec![low]) }),
                }
            }
        }
    }

    pub fn remove(&mut self, slot: u32) {
        match self {
            Self::List(list) => {
                if let Ok(at) = list.binary_search(&slot) {
                    list.remove(at);
                }
            }
            Self::Chunks(chunks) => {
                let (key, low) = halves(slot);
                if let Ok(at) = chunks.binary_search_by_key(&key, |chunk| chunk.key)
                    && let Some(chunk) = chunks.get_mut(at)
                {
                    chunk.set.remove(low);
                }
            }
        }
    }

    /// Writes the set as [`Self::read`] reads it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::List(list) => {
                out.push(0);
                put_u32(out, list.len());
                list.iter().for_each(|slot| out.extend_from_slice(&slot.to_le_bytes()));
            }
            Self::Chunks(chunks) => {
                out.push(1);
                put_u32(out, chunks.len());
                for chunk in chunks {
                    out.extend_from_slice(&chunk.key.to_le_bytes());
                    match &chunk.set {
                        ChunkSet::Array(array) => {
                            put_u32(out, array.len());
                            array.iter().for_each(|low| out.extend_from_slice(&low.to_le_bytes()));
                        }
                        ChunkSet::Bits(bits) => {
                            put_u32(out, usize::MAX);
                            bits.words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
                        }
                    }
                }
            }
        }
    }

    /// Reads what [`Self::write`] wrote and moves past it; `None` where it is cut short or of another kind.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let kind = take(bytes, 1)?.first().copied()?;
        let count = take_u32(bytes)? as usize;
        match kind {
            0 => {
                let list = take(bytes, count.checked_mul(4)?)?;
                Some(Self::List(list.as_chunks::<4>().0.iter().map(|slot| u32::from_le_bytes(*slot)).collect()))
            }
            1 => {
                let mut chunks = Vec::with_capacity(count.min(1 << 16));
                for _ in 0..count {
                    let key = u16::from_le_bytes(*take(bytes, 2)?.first_chunk()?);
                    let length = take_u32(bytes)?;
                    let set = if length == u32::MAX {
                        let mut words = [0; WORDS];
                        let read = take(bytes, WORDS * 8)?.as_chunks::<8>().0;
                        words.iter_mut().zip(read).for_each(|(word, read)| *word = u64::from_le_bytes(*read));
                        let count = words.iter().map(|word| word.count_ones()).sum();
                        ChunkSet::Bits(Box::new(Bits { count, words }))
                    } else {
                        let array = take(bytes, length as usize * 2)?.as_chunks::<2>().0;
                        ChunkSet::Array(array.iter().map(|low| u16::from_le_bytes(*low)).collect())
                    };
                    chunks.push(Chunk { key, set });
                }
                Some(Self::Chunks(chunks))
            }
            _ => None,
        }
    }

    fn chunk(&self, key: u16) -> Option<&ChunkSet> {
        let Self::Chunks(chunks) = self else { return None };
        // Nearly always there are no gaps, and the chunk is at its key.
        let here = chunks.get(usize::from(key)).filter(|chunk| chunk.key == key);
        let chunk =
            here.or_else(|| chunks.binary_search_by_key(&key, |chunk| chunk.key).ok().and_then(|at| chunks.get(at)))?;
        Some(&chunk.set)
    }
}

impl ChunkSet {
    fn len(&self) -> usize {
        match self {
            Self::Array(array) => array.len(),
            Self::Bits(bits) => bits.count as usize,
        }
    }

    fn insert(&mut self, low: u16) {
        match self {
            Self::Array(array) => {
                if array.last().is_some_and(|last| *last < low) {
                    push(array, low);
                } else if let Err(at) = array.binary_search(&low) {
                    make_room(array);
                    array.insert(at, low);
                }
                if array.len() > MAX_IN_ARRAY {
                    let mut bits = Box::new(Bits { count: 0, words: [0; WORDS] });
                    array.iter().for_each(|low| bits.insert(*low));
                    *self = Self::Bits(bits);
                }
            }
            Self::Bits(bits) => bits.insert(low),
        }
    }

    fn remove(&mut self, low: u16) {
        match self {
            Self::Array(array) => {
                if let Ok(at) = array.binary_search(&low) {
                    array.remove(at);
                }
            }
            Self::Bits(bits) => bits.remove(low),
        }
    }

    fn shrink(&mut self) {
        if let Self::Array(array) = self {
            array.shrink_to_fit();
        }
    }
}

impl Bits {
    fn contains(&self, low: u16) -> bool {
        self.words.get(usize::from(low >> 6)).is_some_and(|word| word >> (low & 63) & 1 == 1)
    }

    fn insert(&mut self, low: u16) {
        if let Some(word) = self.words.get_mut(usize::from(low >> 6)) {
            self.count += u32::from(*word >> (low & 63) & 1 == 0);
            *word |= 1 << (low & 63);
        }
    }

    fn remove(&mut self, low: u16) {
        if let Some(word) = self.words.get_mut(usize::from(low >> 6)) {
            self.count -= u32::from(*word >> (low & 63) & 1 == 1);
            *word &= !(1 << (low & 63));
        }
    }
}

/// Any of several sets: one condition of a search.
pub struct AnyOf<'a> {
    postings: Vec<&'a Posting>,
    len: usize,
}

impl<'a> AnyOf<'a> {
    pub fn new(postings: Vec<&'a Posting>) -> Self {
        let len = postings.iter().map(|posting| posting.len()).sum();
        Self { postings, len }
    }

    /// Slots that it may hold at most.
    pub fn at_most(&self) -> usize {
        self.len
    }

    /// Keeps of an ascending run of slots those that are in one of the sets.
    fn retain(&self, kept: &mut Vec<u32>, spare: &mut Vec<u32>) {
        spare.clear();
        for posting in &self.postings {
            match posting {
                Posting::List(list) => common(kept, list, |slot| slot, spare),
                Posting::Chunks(_) => {
                    for run in kept.chunk_by(|a, b| halves(*a).0 == halves(*b).0) {
                        let key = run.first().map_or(0, |slot| halves(*slot).0);
                        match posting.chunk(key) {
                            Some(ChunkSet::Bits(bits)) => {
                                spare.extend(run.iter().filter(|slot| bits.contains(halves(**slot).1)));
                            }
                            Some(ChunkSet::Array(array)) => common(run, array, |slot| halves(slot).1, spare),
                            None => {}
                        }
                    }
                }
            }
        }
        if self.postings.len() > 1 {
            spare.sort_unstable();
            spare.dedup();
        }
        std::mem::swap(kept, spare);
    }
}

/// Slots found together.
pub struct SlotRun<'a> {
    pub slots: &'a [u32],
    /// In every one of the sets, for certain.
    pub certain: bool,
}

/// Visits, ascending, runs of slots that may be in every one of the sets, until `visit` breaks. Where few are left it
/// is cheaper to look at each record than to ask the other sets.
pub fn intersect(mut sets: Vec<AnyOf<'_>>, mut visit: impl FnMut(SlotRun<'_>) -> ControlFlow<()>) {
    sets.sort_by_key(|set| set.len);
    let Some((smallest, others)) = sets.split_first() else { return };
    let mut narrowing = Narrowing { visit: &mut visit, length: FIRST_RUN, kept: Vec::new(), spare: Vec::new() };
    if let [Posting::List(list)] = smallest.postings.as_slice() {
        let _ = narrowing.narrow(list, &mut || others.iter());
        return;
    }
    let mut slots = Vec::new();
    for key in smallest.keys() {
        // Within a chunk another set may be the smaller one.
        let Some((first, _)) = sets.iter().enumerate().min_by_key(|(_, set)| set.len_in(key)) else { return };
        let Some(set) = sets.get(first) else { return };
        set.slots_in(key, &mut slots);
        let mut others = || sets.iter().enumerate().filter(move |(at, _)| *at != first).map(|(_, set)| set);
        if narrowing.narrow(&slots, &mut others).is_break() {
            return;
        }
    }
}

struct Narrowing<'v, V> {
    visit: &'v mut V,
    length: usize,
    kept: Vec<u32>,
    spare: Vec<u32>,
}

impl<V: FnMut(SlotRun<'_>) -> ControlFlow<()>> Narrowing<'_, V> {
    fn narrow<'a, O: Iterator<Item = &'a AnyOf<'a>>>(
        &mut self,
        mut slots: &[u32],
        others: &mut impl FnMut() -> O,
    ) -> ControlFlow<()> {
        while !slots.is_empty() {
            let (run, rest) = slots.split_at(self.length.min(slots.len()));
            slots = rest;
            self.length = (self.length * 2).min(LONGEST_RUN);
            self.kept.clear();
            self.kept.extend_from_slice(run);
            let mut certain = true;
            for set in others() {
                if self.kept.len() <= WORTH_LOOKING {
                    certain = false;
                    break;
                }
                set.retain(&mut self.kept, &mut self.spare);
            }
            if !self.kept.is_empty() {
                (self.visit)(SlotRun { slots: &self.kept, certain })?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl AnyOf<'_> {
    fn keys(&self) -> Vec<u16> {
        let mut keys: Vec<u16> = Vec::new();
        for posting in &self.postings {
            match posting {
                Posting::List(list) => keys.extend(list.iter().map(|slot| halves(*slot).0)),
                Posting::Chunks(chunks) => keys.extend(chunks.iter().map(|chunk| chunk.key)),
            }
            keys.dedup();
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn len_in(&self, key: u16) -> usize {
        let len = |posting: &&Posting| match posting {
            Posting::List(list) => in_chunk(list, key).len(),
            Posting::Chunks(_) => posting.chunk(key).map_or(0, ChunkSet::len),
        };
        self.postings.iter().map(len).sum()
    }

    fn slots_in(&self, key: u16, slots: &mut Vec<u32>) {
        let high = u32::from(key) << 16;
        slots.clear();
        for posting in &self.postings {
            match posting {
                Posting::List(list) => slots.extend_from_slice(in_chunk(list, key)),
                Posting::Chunks(_) => match posting.chunk(key) {
                    Some(ChunkSet::Array(array)) => slots.extend(array.iter().map(|low| high | u32::from(*low))),
                    Some(ChunkSet::Bits(bits)) => {
                        for (at, word) in (0_u32..).zip(&bits.words) {
                            let mut word = *word;
                            while word != 0 {
                                slots.push(high | (at * 64 + word.trailing_zeros()));
                                word &= word - 1;
                            }
                        }
                    }
                    None => {}
                },
            }
        }
        if self.postings.len() > 1 {
            slots.sort_unstable();
            slots.dedup();
        }
    }
}

fn in_chunk(list: &[u32], key: u16) -> &[u32] {
    let rest = list.get(list.partition_point(|slot| halves(*slot).0 < key)..).unwrap_or_default();
    rest.get(..rest.partition_point(|slot| halves(*slot).0 == key)).unwrap_or_default()
}

/// What two ascending lists have in common: by search where the second is very much longer, else side by side.
fn common<T: Copy + Ord>(few: &[u32], mut many: &[T], of_slot: impl Fn(u32) -> T, out: &mut Vec<u32>) {
    let (Some(first), Some(last)) = (few.first(), few.last()) else { return };
    let (first, last) = (of_slot(*first), of_slot(*last));
    many = many.get(many.partition_point(|other| *other < first)..).unwrap_or_default();
    many = many.get(..many.partition_point(|other| *other <= last)).unwrap_or_default();
    if few.len() * VERY_MUCH < many.len() {
        for slot in few {
            many = many.get(many.partition_point(|other| *other < of_slot(*slot))..).unwrap_or_default();
            if many.first() == Some(&of_slot(*slot)) {
                out.push(*slot);
            }
        }
        return;
    }
    // Which of the two moves on is nothing that a processor could guess: both do, by a step or by none.
    let (mut in_few, mut in_many) = (0, 0);
    while let (Some(slot), Some(other)) = (few.get(in_few), many.get(in_many)) {
        let this = of_slot(*slot);
        if this == *other {
            out.push(*slot);
        }
        in_few += usize::from(this <= *other);
        in_many += usize::from(*other <= this);
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    make_room(list);
    list.push(item);
}

/// Grows by an eighth rather than to twice the size: millions of lists keep less in reserve.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 2);
    }
}

fn chunked(list: &[u32]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for slot in list {
        let (key, low) = halves(*slot);
        match chunks.last_mut().filter(|last| last.key == key) {
            Some(last) => last.set.insert(low),
            None => chunks.push(Chunk { key, set: ChunkSet::Array(vec![low]) }),
        }
    }
    chunks.iter_mut().for_each(|chunk| chunk.set.shrink());
    chunks
}

fn halves(slot: u32) -> (u16, u16) {
    ((slot >> 16) as u16, (slot & 0xFFFF) as u16)
}

fn put_u32(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*take(bytes, 4)?.first_chunk()?))
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn visited(sets: Vec<AnyOf<'_>>) -> Vec<u32> {
        let mut all = Vec::new();
        intersect(sets, |run| {
            all.extend_from_slice(run.slots);
            ControlFlow::Continue(())
        });
        all
    }

    /// Step, beginning and holes.
    type Drawn = (u32, u32, usize);

    /// A set drawn densely or thinly over a few chunks, with removals.
    fn drawn() -> impl Strategy<Value = Drawn> {
        (1_u32..200, 0_u32..4, 1_usize..9)
    }

    fn set((step, from, holes): Drawn) -> (Posting, BTreeSet<u32>) {
        let mut posting = Posting::default();
        let mut set = BTreeSet::new();
        for slot in (from * 50_000..250_000).step_by(step as usize) {
            posting.insert(slot);
            set.insert(slot);
        }
        for slot in (0..250_000).step_by(holes * 7) {
            posting.remove(slot);
            set.remove(&slot);
        }
        for slot in (0..1_000).step_by(holes * 3) {
            posting.insert(slot);
            set.insert(slot);
        }
        (posting, set)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_an_ordinary_set(a in drawn(), b in drawn(), c in drawn()) {
            let [(a, set_a), (b, set_b), (c, set_c)] = [a, b, c].map(set);
            let all: Vec<u32> = set_a.iter().copied().collect();
            prop_assert_eq!(a.len(), set_a.len());
            prop_assert_eq!(visited(vec![AnyOf::new(vec![&a])]), all);
            let either: Vec<u32> = set_a.union(&set_b).copied().collect();
            prop_assert_eq!(visited(vec![AnyOf::new(vec![&a, &b])]), either);
            // A superset may be visited, nothing may be missed, and nothing outside the smallest set is.
            let both: BTreeSet<u32> = set_a.intersection(&set_b).filter(|slot| set_c.contains(slot)).copied().collect();
            let seen = visited(vec![AnyOf::new(vec![&a]), AnyOf::new(vec![&b]), AnyOf::new(vec![&c])]);
            prop_assert!(seen.is_sorted());
            let superset: BTreeSet<u32> = seen.iter().copied().collect();
            prop_assert!(superset.is_superset(&both));
            prop_assert!(seen.len() <= both.len() + 2_000 * WORTH_LOOKING);
            let mut written = Vec::new();
            a.write(&mut written);
            let mut rest = written.as_slice();
            let read = Posting::read(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(visited(vec![AnyOf::new(vec![&read])]), set_a.into_iter().collect::<Vec<_>>());
            prop_assert!(Posting::read(&mut written.get(..written.len() - 1).unwrap()).is_none());
        }
    }
}
