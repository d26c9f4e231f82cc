//! The index in memory: bigrams of folded names to records. A hit costs no database read.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use roaring::RoaringBitmap;
use uuid::Uuid;

use super::{
    fold::FoldedName,
    query::{Fragment, Query, Rank},
};
use crate::{
    disclosure::Sealed,
    domain::{
        case_record::{IndexItems, NameForm, Person, RecordFacts},
        organization::OrganizationCode,
    },
};

/// A record as the index keeps it.
pub struct IndexedRecord {
    pub facts: RecordFacts,
    items: IndexItems,
    child: Vec<FoldedName>,
    guardians: Vec<FoldedName>,
}

impl IndexedRecord {
    pub fn new(facts: RecordFacts, items: IndexItems) -> Self {
        let fold = |person: &Person| -> Vec<FoldedName> {
            person.names.iter().map(|(form, name)| FoldedName::of(*form, name)).collect()
        };
        let child = fold(&items.child);
        let guardians = items.guardians.iter().flat_map(fold).collect();
        Self { facts, items, child, guardians }
    }
}

/// A change that follows a committed effect.
pub enum IndexChange {
    Put(Box<IndexedRecord>),
    /// Facts changed, names did not.
    Facts(Box<RecordFacts>),
}

/// One child found: the four items, and the facts by which they may be shown.
pub struct Hit {
    pub facts: RecordFacts,
    pub items: IndexItems,
    pub rank: Rank,
    pub matched: Vec<(&'static str, NameForm)>,
}

/// What a caller may learn of a matching record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Findable {
    /// The four items.
    Shown,
    /// Nothing: it does not exist for this caller.
    Absent,
}

/// What a search came to.
pub struct Found {
    /// At most the limit, best first. Empty where there were more.
    pub hits: Vec<Sealed<Hit>>,
    pub too_many: bool,
    /// Shielded records that the search came upon and that stay hidden: their owners are told all the same.
    pub approached: Vec<(Uuid, OrganizationCode)>,
}

/// The index of a node.
#[derive(Default)]
pub struct SearchIndex(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    slots: Vec<IndexedRecord>,
    by_id: HashMap<Uuid, u32>,
    /// Slots whose folded names hold a character or a pair of characters.
    postings: HashMap<Gram, RoaringBitmap>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Child,
    Guardian,
}

type Gram = (Of, char, Option<char>);

impl SearchIndex {
    pub fn apply(&self, change: IndexChange) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            IndexChange::Put(record) => inner.put(*record),
            IndexChange::Facts(facts) => {
                let slot = inner.by_id.get(&facts.id).copied();
                if let Some(record) = slot.and_then(|slot| inner.slots.get_mut(slot as usize)) {
                    record.facts = *facts;
                }
            }
        }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs a search. `findable` is asked of every match before it is counted, so that what the caller may not see
    /// moves no total, no order and no limit.
    pub fn search(&self, query: &Query, most: usize, findable: impl Fn(&RecordFacts) -> Findable) -> Found {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut hits: Vec<Hit> = Vec::new();
        let mut approached = Vec::new();
        for slot in inner.candidates(query) {
            let Some(record) = inner.slots.get(slot as usize) else { continue };
            let Some((rank, matched)) = record.answers(query) else { continue };
            if findable(&record.facts) == Findable::Absent {
                if record.facts.shield.active {
                    approached.push((record.facts.id, record.facts.owner.clone()));
                }
            } else {
                hits.push(Hit { facts: record.facts.clone(), items: record.items.clone(), rank, matched });
                if hits.len() > most {
                    break;
                }
            }
        }
        if hits.len() > most {
            // The rest is not looked at, and nobody is named; neither is anybody told of an approach.
            return Found { hits: Vec::new(), too_many: true, approached: Vec::new() };
        }
        hits.sort_by(|a, b| {
            (a.rank, &a.items.child.written, a.facts.id).cmp(&(b.rank, &b.items.child.written, b.facts.id))
        });
        Found { hits: hits.into_iter().map(Sealed::new).collect(), too_many: false, approached }
    }
}

impl IndexedRecord {
    fn answers(&self, query: &Query) -> Option<(Rank, Vec<(&'static str, NameForm)>)> {
        let mut rank = Rank::Exact;
        let mut matched = Vec::new();
        for (fragment, names, whose) in
            [(&query.child, &self.child, "child"), (&query.guardian, &self.guardians, "guardian")]
        {
            if let Some(fragment) = fragment {
                let (this, form) = fragment.best(names)?;
                rank = rank.max(this);
                matched.push((whose, form));
            }
        }
        if query.birth.is_some_and(|birth| !birth.admits(self.items.birth_date)) {
            return None;
        }
        if query.sex.as_ref().is_some_and(|sex| *sex != self.items.sex && self.items.sex != "9") {
            return None;
        }
        Some((rank, matched))
    }
}

impl Inner {
    fn put(&mut self, record: IndexedRecord) {
        let id = record.facts.id;
        let slot = match self.by_id.get(&id) {
            Some(slot) => *slot,
            None => u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
        };
        if let Some(old) = self.slots.get(slot as usize) {
            for gram in grams_of(old) {
                if let Some(posting) = self.postings.get_mut(&gram) {
                    posting.remove(slot);
                }
            }
        }
        for gram in grams_of(&record) {
            self.postings.entry(gram).or_default().insert(slot);
        }
        match self.slots.get_mut(slot as usize) {
            Some(old) => *old = record,
            None => {
                self.slots.push(record);
                self.by_id.insert(id, slot);
            }
        }
    }

    /// Slots that hold every gram of every fragment: a superset of the answers.
    fn candidates(&self, query: &Query) -> RoaringBitmap {
        let mut grams: Vec<Gram> = Vec::new();
        for (fragment, of) in [(&query.child, Of::Child), (&query.guardian, Of::Guardian)] {
            if let Some(fragment) = fragment {
                grams.extend(grams_of_fragment(fragment, of));
            }
        }
        let mut postings = Vec::with_capacity(grams.len());
        for gram in &grams {
            match self.postings.get(gram) {
                Some(posting) => postings.push(posting),
                None => return RoaringBitmap::new(),
            }
        }
        postings.sort_by_key(|posting| posting.len());
        let mut rest = postings.into_iter();
        let Some(first) = rest.next() else { return RoaringBitmap::new() };
        rest.fold(first.clone(), |all, posting| all & posting)
    }
}

fn grams_of_fragment(fragment: &Fragment, of: Of) -> Vec<Gram> {
    let characters: Vec<char> = fragment.text().chars().collect();
    match characters.as_slice() {
        [one] => vec![(of, *one, None)],
        many => pairs(many).map(|(a, b)| (of, a, Some(b))).collect(),
    }
}

fn grams_of(record: &IndexedRecord) -> Vec<Gram> {
    let mut grams = Vec::new();
    for (names, of) in [(&record.child, Of::Child), (&record.guardians, Of::Guardian)] {
        for name in names {
            let characters: Vec<char> = name.whole.chars().collect();
            grams.extend(characters.iter().map(|c| (of, *c, None)));
            grams.extend(pairs(&characters).map(|(a, b)| (of, a, Some(b))));
        }
    }
    grams
}

fn pairs(characters: &[char]) -> impl Iterator<Item = (char, char)> + '_ {
    characters.iter().copied().zip(characters.iter().copied().skip(1))
}
