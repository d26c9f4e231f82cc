//! Grams: the short runs of letters by which names are looked up, each with its posting.
//!
//! Every letter and every pair of letters is a gram; three light letters (kana, Latin) too, since there are few of
//! them and pairs alone would be in too many names.

use hashbrown::HashMap;

use super::{
    posting::{AnyOf, Posting},
    symbol::{Symbol, unpack},
};

/// One letter or two of 18 bits each, or three of 7 bits, above two bits that say how many: 38 bits.
pub type Gram = u64;

fn gram(letters: &[Symbol]) -> Gram {
    let width = if letters.len() == 3 { 7 } else { 18 };
    let joined = letters.iter().fold(0, |gram, letter| gram << width | u64::from(letter.number()));
    joined << 2 | (letters.len() as u64 & 3)
}

/// Bits in which a slot's place in a run is put below its gram, to sort both as one number.
const PLACE_BITS: u32 = 20;
/// Records that can be put in together.
pub const MAX_TOGETHER: usize = 1 << PLACE_BITS;

/// Adds the grams of a name's key: over its letters run together.
pub fn collect(key: &[u8], letters: &mut Vec<Symbol>, grams: &mut Vec<Gram>) {
    letters.clear();
    letters.extend(unpack(key).filter(|symbol| *symbol != Symbol::BOUNDARY));
    grams.extend(letters.iter().map(|letter| gram(&[*letter])));
    grams.extend(letters.windows(2).map(gram));
    grams.extend(letters.windows(3).filter(|three| three.iter().all(|letter| letter.is_light())).map(gram));
}

/// Whether a run of letters is a gram by itself.
pub fn is_gram(run: &[Symbol]) -> bool {
    matches!(run.len(), 1 | 2) || run.len() == 3 && run.iter().all(|letter| letter.is_light())
}

/// Neighbouring grams are spread over the tables.
fn table_of(gram: Gram) -> usize {
    (gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize
}

/// A gram above the place of a record among those put in together.
pub fn placed(gram: Gram, place: usize) -> u64 {
    gram << PLACE_BITS | place as u64
}

/// The postings of one role. Many small tables: none of them stops the searches for long when it grows.
pub struct Grams(Vec<HashMap<Gram, Posting>>);

const TABLES: u64 = 64;
/// Bytes of a part of a snapshot.
const PART: usize = 4 << 20;

impl Default for Grams {
    fn default() -> Self {
        Self((0..TABLES).map(|_| HashMap::new()).collect())
    }
}

impl Grams {
    fn posting(&self, gram: Gram) -> Option<&Posting> {
        self.0.get(table_of(gram))?.get(&gram)
    }

    /// Puts a slot into each posting. Their ends are fetched from memory together first, so that waiting for one hides
    /// the waiting for the others.
    pub fn insert(&mut self, grams: &[Gram], slot: u32) {
        let ends = grams.iter().filter_map(|gram| self.posting(*gram)).map(Posting::end);
        std::hint::black_box(ends.fold(0, u32::wrapping_add));
        for gram in grams {
            if let Some(table) = self.0.get_mut(table_of(*gram)) {
                table.entry(*gram).or_default().insert(slot);
            }
        }
    }

    /// Puts many in: grams in any order, each above the place of its slot in an ascending list.
    pub fn insert_all(&mut self, mut placed: Vec<u64>, slots: &[u32]) {
        placed.sort_unstable();
        for run in placed.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
            let Some(first) = run.first() else { continue };
            let gram = first >> PLACE_BITS;
            let Some(posting) = self.0.get_mut(table_of(gram)).map(|table| table.entry(gram).or_default()) else {
                continue;
            };
            let places = run.iter().map(|placed| placed & (MAX_TOGETHER as u64 - 1));
            places.filter_map(|place| slots.get(place as usize)).for_each(|slot| posting.insert(*slot));
        }
    }

    /// Every gram with its posting, in parts of a snapshot.
    pub fn parts(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let mut postings = self.0.iter().flatten().peekable();
        std::iter::from_fn(move || {
            postings.peek()?;
            let mut part = Vec::with_capacity(PART + PART / 8);
            while part.len() < PART
                && let Some((gram, posting)) = postings.next()
            {
                part.extend_from_slice(&gram.to_le_bytes());
                posting.write(&mut part);
            }
            Some(part)
        })
    }

    /// Adds what one of [`Self::parts`] holds.
    pub fn read_part(&mut self, mut part: &[u8]) -> Option<()> {
        while let Some((gram, rest)) = part.split_first_chunk() {
            part = rest;
            let gram = Gram::from_le_bytes(*gram);
            self.0.get_mut(table_of(gram))?.insert(gram, Posting::read(&mut part)?);
        }
        part.is_empty().then_some(())
    }

    pub fn remove(&mut self, gram: Gram, slot: u32) {
        let Some(table) = self.0.get_mut(table_of(gram)) else { return };
        if let Some(posting) = table.get_mut(&gram) {
            posting.remove(slot);
            if matches!(posting, Posting::List(list) if list.is_empty()) {
                table.remove(&gram);
            }
        }
    }

    /// The conditions that a run of known letters sets: each gram of it must be there. `None` where one is nowhere.
    pub fn conditions<'a>(&'a self, run: &[Symbol], conditions: &mut Vec<AnyOf<'a>>) -> Option<()> {
        let light = |letters: &[Symbol]| letters.iter().all(|letter| letter.is_light());
        if run.len() == 1 {
            conditions.push(self.any_of(run, true)?);
            return Some(());
        }
        for (at, three) in run.windows(3).enumerate().filter(|(_, three)| light(three)) {
            conditions.push(self.any_of(three, at == 0)?);
        }
        for (at, two) in run.windows(2).enumerate() {
            let before = at.checked_sub(1).and_then(|at| run.get(at..at + 3)).is_some_and(light);
            let after = run.get(at..at + 3).is_some_and(light);
            if !before && !after {
                conditions.push(self.any_of(two, at == 0)?);
            }
        }
        Some(())
    }

    /// A vowel at the beginning of a run may be within a long one.
    fn any_of(&self, letters: &[Symbol], begins_run: bool) -> Option<AnyOf<'_>> {
        let mut postings: Vec<&Posting> = self.posting(gram(letters)).into_iter().collect();
        if let Some((first, rest)) = letters.split_first()
            && begins_run
            && first.is_vowel()
        {
            let long: Vec<Symbol> = std::iter::once(Symbol::LONG).chain(rest.iter().copied()).collect();
            postings.extend(self.posting(gram(&long)));
        }
        (!postings.is_empty()).then(|| AnyOf::new(postings))
    }
}
