//! Names one kana away: every family and given name in kana, found by itself with one kana left out.
//!
//! Two readings are at most one kana apart exactly if they meet so: one less a kana is the other, or both less a kana
//! at the same place are one (Mor and Fraenkel 1982, as in symmetric-delete spelling correction).

use hashbrown::HashMap;

use super::symbol::{Symbol, pack, unpack};

/// Names of one kana are not kept: `?` finds them.
const SHORTEST: usize = 2;
/// Longer ones are whole names run together in more than one way.
const LONGEST: usize = 14;
/// A query of fewer kana has too many neighbours to tell anything.
const SHORTEST_QUERY: usize = 4;
const NONE: u32 = u32::MAX;

/// The readings that are or were in use on a node. Whether a record has one is asked of the record.
#[derive(Default)]
pub struct Readings {
    known: HashMap<Box<[u8]>, ()>,
    /// Hash of a reading, or of one less a kana, to the last of its places.
    places: HashMap<u64, u32>,
    /// Places in the order in which they were added: the reading, and the place before under the same hash.
    chain: Vec<(u32, u32)>,
    texts: Vec<Box<[u8]>>,
}

/// A run of whole parts of a name, one of them a kana away from what was asked.
pub type Target = Vec<Vec<Symbol>>;

impl Readings {
    /// Adds the parts of a name's key that are readings.
    pub fn add(&mut self, key: &[u8]) {
        for part in key.split(|byte| u32::from(*byte) == Symbol::BOUNDARY.number()) {
            // A kana is a byte.
            if !(SHORTEST..=LONGEST).contains(&part.len()) || self.known.contains_key(part) {
                continue;
            }
            if unpack(part).all(Symbol::is_kana) {
                self.add_reading(part);
            }
        }
    }

    /// The readings, as a part of a snapshot.
    pub fn write(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.texts).unwrap_or_default()
    }

    /// Adds what [`Self::write`] wrote.
    pub fn read(&mut self, part: &[u8]) -> Option<()> {
        let texts: Vec<Box<[u8]>> = postcard::from_bytes(part).ok()?;
        texts.iter().for_each(|text| self.add_reading(text));
        Some(())
    }

    fn add_reading(&mut self, reading: &[u8]) {
        let number = u32::try_from(self.texts.len()).unwrap_or(NONE);
        self.known.insert(reading.into(), ());
        self.texts.push(reading.into());
        let mut hashes: Vec<u64> = (0..reading.len()).map(|left_out| hash_without(reading, left_out)).collect();
        hashes.push(hash_without(reading, NONE as usize));
        hashes.sort_unstable();
        hashes.dedup();
        for hash in hashes {
            let place = u32::try_from(self.chain.len()).unwrap_or(NONE);
            let before = self.places.insert(hash, place).unwrap_or(NONE);
            self.chain.push((number, before));
        }
    }

    /// What one kana wrong, missing or too many in a query may have meant, for a query of one or two pieces.
    pub fn targets(&self, pieces: &[&[Symbol]]) -> Vec<Target> {
        let all: Vec<Symbol> = pieces.concat();
        if all.len() < SHORTEST_QUERY {
            return Vec::new();
        }
        let mut targets: Vec<Target> = self.neighbours(&all).into_iter().map(|near| vec![near]).collect();
        let divisions: Vec<(&[Symbol], &[Symbol])> = match pieces {
            [_] => (1..all.len()).filter_map(|at| all.split_at_checked(at)).collect(),
            [family, given] => vec![(*family, *given)],
            _ => Vec::new(),
        };
        for (family, given) in divisions {
            if self.knows(given) {
                targets.extend(self.neighbours(family).into_iter().map(|near| vec![near, given.to_vec()]));
            }
            if self.knows(family) {
                targets.extend(self.neighbours(given).into_iter().map(|near| vec![family.to_vec(), near]));
            }
        }
        targets
    }

    fn knows(&self, reading: &[Symbol]) -> bool {
        self.known.contains_key(pack(reading.iter().copied()).as_slice())
    }

    /// Readings exactly one kana away.
    fn neighbours(&self, reading: &[Symbol]) -> Vec<Vec<Symbol>> {
        let asked = pack(reading.iter().copied());
        if asked.len() != reading.len() || !(SHORTEST..=LONGEST).contains(&asked.len()) {
            return Vec::new();
        }
        let left_out = (0..asked.len()).chain([NONE as usize]);
        let mut found: Vec<u32> = left_out.flat_map(|left_out| self.at(hash_without(&asked, left_out))).collect();
        found.sort_unstable();
        found.dedup();
        let texts = found.into_iter().filter_map(|number| self.texts.get(number as usize));
        texts.filter(|text| is_one_apart(&asked, text)).map(|text| unpack(text).collect()).collect()
    }

    fn at(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let mut place = self.places.get(&hash).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let (number, before) = self.chain.get(place as usize).copied()?;
            place = before;
            Some(number)
        })
    }
}

/// FNV-1a over a reading less one kana.
fn hash_without(reading: &[u8], left_out: usize) -> u64 {
    let kept = reading.iter().enumerate().filter(|(at, _)| *at != left_out);
    kept.fold(0xcbf2_9ce4_8422_2325, |hash, (_, byte)| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether one substitution, insertion or deletion turns one into the other.
pub(super) fn is_one_apart<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let alike = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let rest = |letters: &'_ [T], skipped: usize| letters.len().saturating_sub(skipped);
    match long.len() - short.len() {
        0 => alike < short.len() && short.get(alike + 1..) == long.get(alike + 1..),
        1 => short.get(alike..) == long.get(alike + 1..) && rest(long, alike) > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::case_record::NameForm,
        search::{fold::FoldedName, symbol::readable},
    };

    #[test]
    fn one_kana_wrong_missing_or_too_many() {
        let mut readings = Readings::default();
        for name in ["タカハシ ハナコ", "タカハシ ハナエ", "タカハラ ハナ", "タカシ", "サトウ ハナコ", "佐藤 花子"]
        {
            FoldedName::of(NameForm::Kana, name).keys.iter().for_each(|key| readings.add(key));
        }
        let targets = |pieces: &[&str]| {
            let pieces: Vec<Vec<Symbol>> = pieces.iter().map(|p| p.chars().map(Symbol::of).collect()).collect();
            let pieces: Vec<&[Symbol]> = pieces.iter().map(Vec::as_slice).collect();
            let mut found: Vec<String> = readings
                .targets(&pieces)
                .into_iter()
                .map(|target| target.into_iter().map(readable).collect::<Vec<_>>().join(" "))
                .collect();
            found.sort();
            found
        };
        assert_eq!(targets(&["タカハセ"]), ["タカハシ", "タカハラ"]);
        assert_eq!(targets(&["タハシ"]), Vec::<String>::new(), "three kana have too many neighbours");
        assert_eq!(targets(&["タカハシ"]), ["タカシ", "タカハラ"], "not itself");
        assert_eq!(targets(&["タカハシハナ"]), ["タカシ ハナ", "タカハシ ハナエ", "タカハシ ハナコ", "タカハラ ハナ"]);
        assert_eq!(targets(&["タカハシ", "ハナカ"]), ["タカハシ ハナ", "タカハシ ハナエ", "タカハシ ハナコ"]);
    }
}
