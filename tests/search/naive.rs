//! A plain scan: every record is asked, one after another. It takes the folding of names from the gateway and nothing
//! else; ranks, wildcards, near misses and birth dates are decided here a second time, in the simplest way.

use std::collections::HashMap;

use time::{Date, Month};
use tsunagi::{
    domain::{
        calendar::PartialDate,
        case_record::{IndexItems, Person, RecordFacts},
        organization::OrganizationCode,
    },
    search::{
        fold::{FoldedName, FoldedQuery, fold_query},
        pattern::Rank,
        query::NearMisses,
        symbol::{Symbol, unpack},
    },
};
use uuid::Uuid;

/// A search, as a person would tell it.
#[derive(Debug)]
pub struct Asked {
    pub caller: OrganizationCode,
    pub child: Option<String>,
    pub guardian: Option<String>,
    pub relative: Option<String>,
    pub birth: Option<Birth>,
    /// Code of the list `SexCode`.
    pub sex: Option<u8>,
    pub near_misses: NearMisses,
    pub most: usize,
}

/// What is known of the birth date.
#[derive(Clone, Copy, Debug)]
pub enum Birth {
    On(PartialDate),
    Between(PartialDate, PartialDate),
    /// Whole years lived on a day.
    Aged(u8, Date),
}

/// A record and its owner.
pub type Record = (Uuid, OrganizationCode);

/// What a search comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Best first; `None` where there are too many.
    pub hits: Option<Vec<Record>>,
    /// In the order of their ids; `None` where there are too many.
    pub near: Option<Vec<Record>>,
    /// Shielded records that matched and stay hidden, in the order of their ids; `None` where a search that had enough
    /// did not come to see them all.
    pub approached: Option<Vec<Record>>,
}

/// Whether a caller may be shown a record: a rule of this test, not the gateway's.
pub fn is_shown(facts: &RecordFacts, caller: &OrganizationCode) -> bool {
    facts.searchable && !(facts.shield.active && facts.owner != *caller)
}

/// Every record, in the order in which they came.
#[derive(Default)]
pub struct Scan {
    entries: Vec<Entry>,
    places: HashMap<Uuid, usize>,
}

struct Entry {
    facts: RecordFacts,
    items: IndexItems,
    /// Keys of the child, of the guardians and of the relatives, in every form.
    names: [Vec<Name>; 3],
}

/// A search key: its letters run together, and its parts.
struct Name {
    letters: Vec<Symbol>,
    parts: Vec<Vec<Symbol>>,
}

impl Name {
    fn all(people: &[Person]) -> Vec<Self> {
        let names = people.iter().flat_map(|person| &person.names);
        names.flat_map(|(form, written)| FoldedName::of(*form, written).keys).map(|key| Self::of(&key)).collect()
    }

    fn of(key: &[u8]) -> Self {
        let symbols: Vec<Symbol> = unpack(key).collect();
        let parts: Vec<Vec<Symbol>> =
            symbols.split(|symbol| *symbol == Symbol::BOUNDARY).map(<[Symbol]>::to_vec).collect();
        Self { letters: parts.concat(), parts }
    }
}

impl Scan {
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    pub fn at(&self, place: usize) -> (&RecordFacts, &IndexItems) {
        let entry = &self.entries[place];
        (&entry.facts, &entry.items)
    }

    pub fn facts(&self, id: Uuid) -> Option<&RecordFacts> {
        self.places.get(&id).map(|place| &self.entries[*place].facts)
    }

    pub fn put(&mut self, facts: RecordFacts, items: IndexItems) {
        let child = Name::all(std::slice::from_ref(&items.child));
        let names = [child, Name::all(&items.guardians), Name::all(&items.relatives)];
        let entry = Entry { facts, items, names };
        let place = *self.places.entry(entry.facts.id).or_insert(self.entries.len());
        if place < self.entries.len() {
            self.entries[place] = entry;
        } else {
            self.entries.push(entry);
        }
    }

    /// Facts of a record that is not there are none.
    pub fn put_facts(&mut self, facts: RecordFacts) {
        if let Some(known) = self.entries.iter_mut().find(|known| known.facts.id == facts.id) {
            known.facts = facts;
        }
    }

    pub fn forget(&mut self, id: Uuid) {
        if let Some(place) = self.places.remove(&id) {
            self.entries.swap_remove(place);
            if let Some(moved) = self.entries.get(place) {
                self.places.insert(moved.facts.id, place);
            }
        }
    }

    pub fn search(&self, asked: &Asked) -> Answer {
        let criteria = asked.criteria();
        let (mut hits, mut rest, mut approached) = (Vec::new(), Vec::new(), Vec::new());
        for entry in self.entries.iter().filter(|entry| entry.admits(asked)) {
            match entry.closeness(&criteria, asked) {
                Some(closeness) if is_shown(&entry.facts, &asked.caller) => hits.push((closeness, entry.record())),
                Some(_) => approached.extend(entry.approached()),
                None => rest.push(entry),
            }
        }
        if hits.len() > asked.most {
            return Answer { hits: None, near: Some(Vec::new()), approached: None };
        }
        let looks_near = match asked.near_misses {
            NearMisses::IfNone => hits.is_empty(),
            NearMisses::Always => true,
            NearMisses::Never => false,
        };
        let mut near = Vec::new();
        for entry in rest.into_iter().filter(|entry| looks_near && entry.is_near(&criteria)) {
            if is_shown(&entry.facts, &asked.caller) {
                near.push(entry.record());
            } else {
                approached.extend(entry.approached());
            }
        }
        hits.sort();
        near.sort();
        approached.sort();
        let few_near = near.len() <= asked.most;
        Answer {
            hits: Some(hits.into_iter().map(|(_, record)| record).collect()),
            near: few_near.then_some(near),
            approached: few_near.then_some(approached),
        }
    }
}

impl Entry {
    fn admits(&self, asked: &Asked) -> bool {
        let sex = self.items.sex.bytes().next();
        asked.birth.is_none_or(|birth| birth.may_be(self.items.birth_date))
            && asked.sex.is_none_or(|wanted| sex == Some(wanted) || sex == Some(b'9'))
            && (asked.relative.is_none() || self.facts.owner == asked.caller)
    }

    /// By what hits are ordered: the worst rank of the criteria, whether the child's name is spelled as it was asked
    /// for, the letters of the names that answered, the child's name. `None` where a criterion is not answered.
    fn closeness(&self, criteria: &[Criterion], asked: &Asked) -> Option<(Rank, bool, usize, String)> {
        let (mut worst, mut letters) = (Rank::Exact, 0);
        for criterion in criteria {
            let answers = self.names[criterion.role].iter().filter_map(|name| {
                let rank = criterion.rank(name)?;
                Some((rank, name.letters.len()))
            });
            let (rank, length) = answers.min()?;
            worst = worst.max(rank);
            letters += length;
        }
        let child = &self.items.child.written;
        let spelled = asked.child.as_ref().is_some_and(|asked| without_spaces(child).contains(&without_spaces(asked)));
        Some((worst, !spelled, letters, child.clone()))
    }

    /// Whether it answers with one of the criteria a kana away.
    fn is_near(&self, criteria: &[Criterion]) -> bool {
        let answers = |criterion: &Criterion, near: bool| {
            let mut names = self.names[criterion.role].iter();
            names.any(|name| if near { criterion.is_near(name) } else { criterion.rank(name).is_some() })
        };
        (0..criteria.len()).any(|near| criteria.iter().enumerate().all(|(at, other)| answers(other, at == near)))
    }

    fn record(&self) -> Record {
        (self.facts.id, self.facts.owner.clone())
    }

    /// The record itself, where its owner is to be told that somebody came upon it and was not shown it.
    fn approached(&self) -> Option<Record> {
        self.facts.shield.active.then(|| self.record())
    }
}

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

impl Birth {
    /// Whether a birth date may be one of the days, given what either leaves open.
    fn may_be(self, born: PartialDate) -> bool {
        let (earliest, latest) = days(born);
        match self {
            Self::On(date) => {
                let (first, last) = days(date);
                earliest <= last && latest >= first
            }
            Self::Between(from, to) => earliest <= days(to).1 && latest >= days(from).0,
            Self::Aged(years, today) => (age(latest, today)..=age(earliest, today)).contains(&i32::from(years)),
        }
    }
}

/// The first and the last day that a date may be.
fn days(date: PartialDate) -> (Date, Date) {
    let month = |open: u8| Month::try_from(date.month.unwrap_or(open)).unwrap();
    let day = |month: Month, open: u8| Date::from_calendar_date(date.year, month, date.day.unwrap_or(open)).unwrap();
    (day(month(1), 1), day(month(12), month(12).length(date.year)))
}

fn age(born: Date, today: Date) -> i32 {
    let in_year = |date: Date| (u8::from(date.month()), date.day());
    today.year() - born.year() - i32::from(in_year(born) > in_year(today))
}

/// The name of one role, as it was asked for.
struct Criterion {
    role: usize,
    /// Each way the folding rules leave open.
    readings: Vec<Reading>,
}

impl Asked {
    fn criteria(&self) -> Vec<Criterion> {
        let texts = [&self.child, &self.guardian, &self.relative].into_iter().enumerate();
        texts
            .filter_map(|(role, text)| {
                let readings = fold_query(text.as_ref()?).into_iter().map(Reading::of).collect();
                Some(Criterion { role, readings })
            })
            .collect()
    }
}

impl Criterion {
    fn rank(&self, name: &Name) -> Option<Rank> {
        self.readings.iter().filter_map(|reading| reading.rank(name)).min()
    }

    fn is_near(&self, name: &Name) -> bool {
        self.readings.iter().any(|reading| reading.is_near(&name.parts))
    }
}

/// The pieces as spaces divide them, and the same run together after and before they were folded.
struct Reading {
    pieces: Vec<Vec<Symbol>>,
    together: [Vec<Symbol>; 2],
    /// Latin letters: either name may come first.
    in_any_order: bool,
}

/// Where letters have to match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    Start,
    Anywhere,
}

impl Reading {
    fn of(query: FoldedQuery) -> Self {
        Self {
            together: [trimmed(&query.pieces.concat()), trimmed(&query.whole)],
            in_any_order: query.whole.iter().all(|symbol| symbol.is_light() && !symbol.is_kana()),
            pieces: query.pieces.iter().map(|piece| trimmed(piece)).collect(),
        }
    }

    fn rank(&self, name: &Name) -> Option<Rank> {
        let together = |place: Place| self.together.iter().any(|asked| matches(asked, &name.letters, place));
        let parts: Vec<&[Symbol]> = name.parts.iter().map(Vec::as_slice).collect();
        let apart = |place: Place| spread(&self.pieces, &parts, place, self.in_any_order);
        if together(Place::Whole) {
            Some(Rank::Exact)
        } else if apart(Place::Whole) {
            let every_part = self.pieces.len() > 1 && self.pieces.len() == name.parts.len();
            Some(if every_part { Rank::Exact } else { Rank::WholeName })
        } else if together(Place::Start) || apart(Place::Start) {
            Some(Rank::Prefix)
        } else {
            (together(Place::Anywhere) || apart(Place::Anywhere)).then_some(Rank::Fragment)
        }
    }

    /// Whether one kana of it is wrong, missing or too many: in a part of the name, or in one of two side by side of
    /// which the other is as it was asked for. What other records hold does not come into it.
    fn is_near(&self, parts: &[Vec<Symbol>]) -> bool {
        let all = self.pieces.concat();
        if all.len() < 4 || !all.iter().all(|symbol| symbol.is_kana()) || self.pieces.iter().any(Vec::is_empty) {
            return false;
        }
        if parts.iter().any(|part| is_near_reading(&all, part)) {
            return true;
        }
        let divisions: Vec<(&[Symbol], &[Symbol])> = match self.pieces.as_slice() {
            [one] => (1..one.len()).map(|at| one.split_at(at)).collect(),
            [family, given] => vec![(family.as_slice(), given.as_slice())],
            _ => Vec::new(),
        };
        divisions.into_iter().any(|(family, given)| {
            parts.windows(2).any(|pair| {
                let (first, second) = (&pair[0], &pair[1]);
                (is_near_reading(family, first) && given == second && is_reading(second))
                    || (family == first && is_reading(first) && is_near_reading(given, second))
            })
        })
    }
}

/// A family or given name in kana of a length that near misses are looked for.
fn is_reading(part: &[Symbol]) -> bool {
    (2..=14).contains(&part.len()) && part.iter().all(|symbol| symbol.is_kana())
}

fn is_near_reading(asked: &[Symbol], part: &[Symbol]) -> bool {
    is_reading(asked) && is_reading(part) && is_one_apart(asked, part)
}

fn is_one_apart(one: &[Symbol], other: &[Symbol]) -> bool {
    if one.len() == other.len() {
        return one.iter().zip(other).filter(|(a, b)| a != b).count() == 1;
    }
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    (0..long.len()).any(|at| [&long[..at], &long[at + 1..]].concat() == short)
}

/// `*` at either end says nothing.
fn trimmed(asked: &[Symbol]) -> Vec<Symbol> {
    let first = asked.iter().position(|symbol| *symbol != Symbol::ANY);
    let last = asked.iter().rposition(|symbol| *symbol != Symbol::ANY);
    first.zip(last).map(|(first, last)| asked[first..=last].to_vec()).unwrap_or_default()
}

/// Whether each piece has a part of its own.
fn spread(pieces: &[Vec<Symbol>], parts: &[&[Symbol]], place: Place, in_any_order: bool) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else { return true };
    (0..parts.len()).any(|at| {
        if !matches(piece, parts[at], place) {
            return false;
        }
        let earlier: &[&[Symbol]] = if in_any_order { &parts[..at] } else { &[] };
        let left: Vec<&[Symbol]> = [earlier, &parts[at + 1..]].concat();
        spread(pieces, &left, place, in_any_order)
    })
}

fn matches(asked: &[Symbol], letters: &[Symbol], place: Place) -> bool {
    let last = if place == Place::Anywhere { letters.len() } else { 0 };
    !asked.is_empty() && (0..=last).any(|at| matches_at(asked, letters, at, true, place == Place::Whole))
}

/// A vowel after something unknown may be within a long one.
fn matches_at(asked: &[Symbol], letters: &[Symbol], at: usize, after_unknown: bool, to_end: bool) -> bool {
    let Some((wanted, asked)) = asked.split_first() else { return !to_end || at == letters.len() };
    if *wanted == Symbol::ANY {
        return (at..=letters.len()).any(|at| matches_at(asked, letters, at, true, to_end));
    }
    let Some(letter) = letters.get(at) else { return false };
    let unknown = *wanted == Symbol::ONE;
    let within_long = after_unknown && *letter == Symbol::LONG && at > 0 && wanted.lengthens(letters[at - 1]);
    (unknown || wanted == letter || within_long) && matches_at(asked, letters, at + 1, unknown, to_end)
}
