//! Records and queries drawn at random from few names and few letters, so that they often meet.

use std::{ops::Range, sync::LazyLock};

use fastrand::Rng;
use time::{Date, Month};
use tsunagi::{
    domain::{
        calendar::PartialDate,
        case_record::{DerivedFacts, IndexItems, NameForm, Person, RecordFacts},
        organization::OrganizationCode,
        visibility::Shield,
    },
    search::{pattern::Pattern, query::NearMisses},
};
use uuid::Uuid;

use crate::naive::{Asked, Birth};

/// What is drawn next follows from the seed.
pub struct Draw {
    pub random: Rng,
}

impl Draw {
    pub fn seeded(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed) }
    }

    pub fn record(&mut self) -> (RecordFacts, IndexItems) {
        let facts = RecordFacts {
            id: Uuid::from_u128(self.random.u128(..)),
            owner: self.organization(),
            version: self.random.i64(1..100),
            owned_since: 1,
            closed: self.random.bool(),
            serious: self.random.bool(),
            derived: DerivedFacts {
                residence: self.organization(),
                searchable: self.random.u8(0..6) > 0,
                abuse_case: self.random.bool(),
                shield: self.shield(),
            },
        };
        let items = IndexItems {
            child: self.person(),
            sex: self.sex(),
            birth_date: self.birth_date(),
            guardians: self.people(),
            relatives: self.people(),
        };
        (facts, items)
    }

    /// A record that is known, its content changed.
    pub fn updated(&mut self, facts: &RecordFacts, items: &IndexItems) -> (RecordFacts, IndexItems) {
        let (mut facts, mut items) = (facts.clone(), items.clone());
        facts.version += 1;
        match self.random.u8(0..6) {
            0 => items.child = self.person(),
            1 => items.birth_date = self.birth_date(),
            2 => items.sex = self.sex(),
            3 => items.guardians = self.people(),
            4 => items.relatives = self.people(),
            _ => items = self.record().1,
        }
        (facts, items)
    }

    /// A record that is known, its facts changed; or, rarely, one that is not.
    pub fn other_facts(&mut self, facts: &RecordFacts) -> RecordFacts {
        let mut facts = facts.clone();
        match self.random.u8(0..12) {
            0..2 => facts.closed = !facts.closed,
            2..5 => facts.derived.searchable = !facts.derived.searchable,
            5..8 => facts.derived.shield = self.shield(),
            8..11 => {
                facts.owner = self.organization();
                facts.version += 1;
                facts.owned_since = facts.version;
            }
            _ => facts.id = Uuid::from_u128(self.random.u128(..)),
        }
        facts
    }

    fn organization(&mut self) -> OrganizationCode {
        let code = self.random.choice(["011002", "122319", "131130", "221384", "120006-01"]).unwrap();
        OrganizationCode::parse(code).unwrap()
    }

    fn shield(&mut self) -> Shield {
        let active = self.random.u8(0..5) == 0;
        let named = if active { self.random.u8(0..3) } else { 0 };
        Shield { active, named: (0..named).map(|_| self.organization()).collect() }
    }

    fn sex(&mut self) -> String {
        self.random.choice(["1", "2", "1", "2", "9"]).unwrap().to_owned()
    }

    /// Within four years.
    fn birth_date(&mut self) -> PartialDate {
        let year = self.random.i32(2015..2019);
        let month = self.month();
        let month_known = self.random.u8(0..6) > 0;
        let day_known = month_known && self.random.u8(0..6) > 0;
        let day = self.random.u8(1..=month.length(year));
        PartialDate { year, month: month_known.then_some(u8::from(month)), day: day_known.then_some(day) }
    }

    fn month(&mut self) -> Month {
        Month::try_from(self.random.u8(1..=12)).unwrap()
    }
}

/// Letters of which names are made up that nobody bears: few, so that they meet, and those that folding is about.
const KANJI: [&str; 22] = [
    "佐", "藤", "斎", "斉", "高", "髙", "橋", "渡", "辺", "邉", "一", "ノ", "之", "ヶ", "が", "原", "々", "花", "子",
    "太", "郎", "大",
];
const KANA: [&str; 28] = [
    "ア", "イ", "ウ", "エ", "オ", "カ", "ガ", "ケ", "コ", "ゴ", "サ", "ト", "ド", "ナ", "ハ", "バ", "ハナ", "タカ",
    "コウ", "エイ", "ン", "ー", "ッ", "ヅ", "ヂ", "ヴ", "ァ", "ュ",
];
const LATIN: [&str; 9] = ["Maria", "MARÍA", "Mari", "Garcia", "García", "O'Brien", "Nguyễn", "Thi", "Ann"];
const SEPARATORS: [&str; 6] = ["　", "　", "　", " ", "", "・"];
const FORMS: [NameForm; 4] = [NameForm::Alias, NameForm::Former, NameForm::Second, NameForm::Joint];

/// Kanji and reading.
type Word = [String; 2];

static FAMILY: LazyLock<Vec<Word>> = LazyLock::new(|| words(include_str!("../../data/names/surnames.tsv")));
static GIVEN: LazyLock<Vec<Word>> = LazyLock::new(|| words(include_str!("../../data/names/given_names.tsv")));

/// The commonest names of a table.
fn words(table: &str) -> Vec<Word> {
    let word = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        [columns.next().unwrap(), columns.next().unwrap()]
    };
    // They begin with a long vowel that the name before may take for its own.
    let long = [["瑛太", "エイタ"], ["桜介", "オウスケ"]].map(|word| word.map(str::to_owned));
    table.lines().skip(1).take(30).map(word).chain(long).collect()
}

/// Names.
impl Draw {
    fn people(&mut self) -> Vec<Person> {
        (0..self.random.u8(0..3)).map(|_| self.person()).collect()
    }

    fn person(&mut self) -> Person {
        let [written, kana] = self.name();
        let mut names = vec![(NameForm::Written, written.clone())];
        if self.random.u8(0..8) > 0 {
            names.push((NameForm::Kana, kana));
        }
        if self.random.u8(0..8) == 0 {
            names.push((NameForm::Latin, self.latin()));
        }
        if self.random.u8(0..6) == 0 {
            let form = self.random.choice(FORMS).unwrap();
            names.extend(self.name().map(|name| (form, name)));
        }
        Person { written, names }
    }

    fn name(&mut self) -> Word {
        let parts = self.random.choice([1, 2, 2, 2, 2, 3]).unwrap();
        let table = |part: usize| if part == 0 { FAMILY.as_slice() } else { GIVEN.as_slice() };
        let words: Vec<Word> = (0..parts).map(|part| self.word(table(part))).collect();
        [0, 1].map(|script| {
            let separator = self.random.choice(SEPARATORS).unwrap();
            words.iter().map(|word| word[script].as_str()).collect::<Vec<_>>().join(separator)
        })
    }

    /// A name that is borne, or letters that no name has.
    fn word(&mut self, table: &[Word]) -> Word {
        if self.random.bool() {
            return self.random.choice(table).unwrap().clone();
        }
        [self.letters(&KANJI, 1..4), self.letters(&KANA, 1..5)]
    }

    fn letters(&mut self, alphabet: &[&str], number: Range<usize>) -> String {
        (0..self.random.usize(number)).map(|_| *self.random.choice(alphabet).unwrap()).collect()
    }

    fn latin(&mut self) -> String {
        let words = self.random.usize(1..4);
        let words: Vec<&str> = (0..words).map(|_| self.random.choice(LATIN).unwrap()).collect();
        words.join(" ")
    }
}

/// Queries.
impl Draw {
    /// Asks for what a record holds, more or less.
    pub fn asked(&mut self, items: &IndexItems) -> Asked {
        let [child, guardian, relative] = self
            .random
            .choice([
                [true, false, false],
                [true, false, false],
                [true, false, false],
                [false, true, false],
                [true, true, false],
                [false, false, true],
                [true, false, true],
            ])
            .unwrap();
        Asked {
            caller: self.organization(),
            child: child.then(|| self.fragment_of(std::slice::from_ref(&items.child))),
            guardian: guardian.then(|| self.fragment_of(&items.guardians)),
            relative: relative.then(|| self.fragment_of(&items.relatives)),
            birth: self.birth(items.birth_date),
            sex: self.random.choice([None, None, None, Some(b'1'), Some(b'2'), Some(b'9')]).unwrap(),
            near_misses: self.random.choice([NearMisses::IfNone, NearMisses::Always, NearMisses::Never]).unwrap(),
            most: self.random.usize(5..=50),
        }
    }

    fn birth(&mut self, born: PartialDate) -> Option<Birth> {
        let other = self.birth_date();
        match self.random.u8(0..9) {
            0 => Some(Birth::On(born)),
            1 => Some(Birth::On(other)),
            2 => Some(Birth::Between(born.min(other), born.max(other))),
            3 => Some(self.aged(born)),
            _ => None,
        }
    }

    /// An age about that of somebody, often on the last day of a month.
    fn aged(&mut self, born: PartialDate) -> Birth {
        let year = self.random.i32(2026..2030);
        let month = born.month.map_or_else(|| self.month(), |month| Month::try_from(month).unwrap());
        let last = month.length(year);
        let day = if self.random.bool() { last } else { self.random.u8(1..=last) };
        let years = year - born.year - self.random.i32(0..2);
        Birth::Aged(u8::try_from(years).unwrap(), Date::from_calendar_date(year, month, day).unwrap())
    }

    /// Part of a name of somebody, or of another name, that has a letter to search on.
    fn fragment_of(&mut self, people: &[Person]) -> String {
        let names: Vec<&str> = people.iter().flat_map(|person| &person.names).map(|(_, name)| name.as_str()).collect();
        let name = match self.random.choice(&names) {
            Some(name) if self.random.u8(0..5) > 0 => (*name).to_owned(),
            _ => {
                let name = self.name();
                self.random.choice(name).unwrap()
            }
        };
        let fragment = self.fragment(&name);
        if Pattern::of(&fragment).is_some() { fragment } else { "佐".to_owned() }
    }

    fn fragment(&mut self, name: &str) -> String {
        let parts: Vec<&str> = name.split(['　', ' ', '・']).collect();
        let mut letters: Vec<char> = match self.random.u8(0..8) {
            0..3 => name.chars().collect(),
            3..5 => self.random.choice(&parts).unwrap().chars().collect(),
            5 => parts.concat().chars().collect(),
            _ => {
                let (from, number) = (self.random.usize(0..4), self.random.usize(1..4));
                name.chars().skip(from).take(number).collect()
            }
        };
        for _ in 0..self.random.choice([0, 0, 1, 1, 2]).unwrap() {
            self.edit(&mut letters);
        }
        letters.into_iter().collect()
    }

    fn edit(&mut self, letters: &mut Vec<char>) {
        let at = self.random.usize(0..=letters.len());
        let kana = self.random.choice("アイウオカコサトナハンー".chars().collect::<Vec<_>>()).unwrap();
        match self.random.u8(0..7) {
            0 => letters.insert(at, ' '),
            1 => letters.insert(at, '*'),
            2 => letters.insert(at, kana),
            edit if at < letters.len() => match edit {
                3 => letters[at] = '?',
                4 => letters[at] = kana,
                _ => {
                    letters.remove(at);
                }
            },
            _ => {}
        }
    }
}
