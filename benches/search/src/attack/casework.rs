//! A day's work at centers and municipalities.
//!
//! Assumed: a center takes some five reports a workday and fewer at the weekend, a municipality one. A fifth of the
//! children are known to the office, a third to another body, the others to nobody. What is asked first is what a
//! caller says or a document writes; then the searcher narrows down, or tries other spellings, up to eight times. Of
//! a hundred reports four have no number yet; two officers in a hundred hardly ever write one. Brothers and sisters
//! are looked up with the child, at some offices under numbers of their own. Two cases in five are come back to, and
//! caseworkers look after their open ones. Each night one officer of a center is on duty, for one to three children.
//! Three caseworkers in ten go through a list of open cases at the end of the month, a third of the lists in the order
//! of names. Now and then a municipality asks about a list of missing children under the number of one letter.

use tsunagi::search::{pattern::Pattern, query::Query};

use super::{
    script::{Answer, DAY, DAYS, Label, MINUTE, SECOND, START, Script, Sitting, Work, born, is_workday, named},
    workforce::{CENTERS, Case, Child},
};

const SEARCHES: usize = 20_000;
/// Minutes of the day at which a shift begins, ends, and at which overtime does.
const SHIFT: (i64, i64, i64) = (510, 1_035, 1_200);
const NIGHT_BEGINS: i64 = 1_320;
const BUSY_HOURS: usize = 30;
const LISTS: usize = 3;
/// The last three workdays.
const REVIEW_DAYS: [i64; 3] = [23, 24, 25];
const CHILDREN_OF_NIGHT: [usize; 10] = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3];
/// The most searches for a child in a sitting, besides what is mistyped.
const PATIENCE: [usize; 12] = [1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8];
const UNNUMBERED: [&str; 7] = ["なし", "なし", "新規", "未定", "受理前", "不明", "-"];
const MISTYPED: [char; 8] = ['ア', 'カ', 'シ', 'タ', 'ナ', 'モ', 'ヤ', 'リ'];

impl Script {
    /// Writes the work of four weeks.
    pub fn work(&mut self) {
        self.nights();
        self.reviews();
        (0..LISTS).for_each(|_| self.list());
        (0..BUSY_HOURS).for_each(|_| self.busy_hour());
        while self.events.len() < SEARCHES {
            if self.in_hundred(25) {
                self.old_case();
            } else {
                self.report();
            }
        }
    }

    fn nights(&mut self) {
        for night in 0..DAYS {
            for office in 0..CENTERS {
                let duty = &self.offices[office];
                let roster: Vec<usize> = duty.intake.iter().chain(&duty.caseworkers).copied().collect();
                self.night(office, roster[night as usize % roster.len()], night);
            }
        }
    }

    fn night(&mut self, office: usize, officer: usize, night: i64) {
        let children = *self.random.choice(&CHILDREN_OF_NIGHT).expect("children");
        // The police bring brothers and sisters together as often as not.
        let family = self.random.bool();
        let mut case = self.new_case(office, officer);
        let mut at = self.at_night(night);
        for number in 0..children {
            if number > 0 && family {
                case = self.sibling_case(&case, officer);
            } else if number > 0 {
                case = self.new_case(office, officer);
                at = self.at_night(night);
            }
            let mut sitting = self.sit(officer, at, &case, Work::NightDuty);
            self.look_up(&mut sitting, case.child);
            at = sitting.at;
        }
    }

    fn report(&mut self) {
        let center = self.in_hundred(75);
        let office =
            if center { self.random.usize(0..CENTERS) } else { self.random.usize(CENTERS..self.offices.len()) };
        let officer = self.desk(office);
        let at = self.on_shift(center);
        self.take_report(office, officer, at, Work::Report);
    }

    /// Five to eight reports within an hour at one desk.
    fn busy_hour(&mut self) {
        let office = self.random.usize(0..CENTERS);
        let officer = *self.random.choice(&self.offices[office].intake).expect("intake");
        let from = self.on_shift(true);
        for _ in 0..self.random.usize(5..=8) {
            let at = from + self.random.i64(0..60) * MINUTE;
            self.take_report(office, officer, at, Work::BusyHour);
        }
    }

    fn take_report(&mut self, office: usize, officer: usize, at: i64, work: Work) {
        let case = self.new_case(office, officer);
        let mut sitting = self.sit(officer, at, &case, work);
        self.look_up(&mut sitting, case.child);
        let siblings = match self.random.u8(0..100) {
            0..70 => 0,
            70..90 => 1,
            90..97 => 2,
            _ => 3,
        };
        let numbered_apart = self.in_hundred(30);
        for _ in 0..siblings {
            let sibling = self.sibling(case.child);
            if numbered_apart {
                sitting.reference = self.reference_by(officer);
            }
            self.pause(&mut sitting);
            let name = if self.random.bool() { sibling.kanji() } else { sibling.kana() };
            self.ask(&sitting, &named(&name), 0);
            if numbered_apart {
                self.pause(&mut sitting);
                self.ask(&sitting, &of_guardian(sibling), 0);
            }
        }
        self.come_back(office, &case, at);
    }

    /// What is asked of one child: narrower while too many answer, in other spellings while nobody does.
    fn look_up(&mut self, sitting: &mut Sitting, child: Child) {
        if self.in_hundred(4) {
            let mistyped = named(&self.mistyped(child));
            for _ in 0..self.random.usize(1..=3) {
                self.pause(sitting);
                self.ask(sitting, &mistyped, 0);
            }
        }
        let patience = *self.random.choice(&PATIENCE).expect("patience");
        let mut spellings = self.spellings(child).into_iter();
        let mut next = spellings.next();
        for _ in 0..patience {
            let Some(query) = next.take() else { break };
            self.pause(sitting);
            next = match self.ask(sitting, &query, 0) {
                Answer::TooMany if query.birth.is_none() => Some(born(query, child.year)),
                Answer::TooMany if query.guardian.is_none() => {
                    Some(Query { guardian: Pattern::of(child.guardian.kanji), ..query })
                }
                Answer::More if self.in_hundred(40) => {
                    self.pause(sitting);
                    self.ask(sitting, &query, 1);
                    None
                }
                Answer::Shown if self.in_hundred(60) => None,
                _ => spellings.next(),
            };
        }
    }

    /// Ways of asking for a child, the one that was reported first.
    fn spellings(&mut self, child: Child) -> Vec<Query> {
        let Child { surname, given, guardian, year } = child;
        let first = match self.random.u8(0..100) {
            0..45 => named(&child.kana()),
            45..80 => named(&child.kanji()),
            80..90 => born(named(surname.kana), year),
            _ => born(named(given.kana), year),
        };
        let begun: String = given.kanji.chars().take(1).collect();
        let mut others = vec![
            named(&child.kanji()),
            named(&child.kana()),
            named(&format!("{} {}", surname.kanji, given.kanji)),
            named(&format!("{}{begun}", surname.kanji)),
            born(named(surname.kanji), year),
            born(named(given.kana), year),
            Query { guardian: Pattern::of(guardian.kanji), ..named(surname.kanji) },
            of_guardian(child),
        ];
        self.random.shuffle(&mut others);
        others.insert(0, first);
        others
    }

    /// The case again on later days, by the caseworker who has it now.
    fn come_back(&mut self, office: usize, case: &Case, reported: i64) {
        if !self.in_hundred(40) {
            return;
        }
        let officer = *self.random.choice(&self.offices[office].caseworkers).expect("caseworkers");
        let mut day = (reported - START) / DAY;
        for _ in 0..self.random.usize(1..=3) {
            day += self.random.i64(1..=5);
            while !is_workday(day) {
                day += 1;
            }
            if day >= DAYS {
                break;
            }
            let searches = self.random.usize(1..=3);
            let at = self.on_day(day);
            self.look_after(officer, at, case, searches);
        }
    }

    fn old_case(&mut self) {
        let office = self.random.usize(0..self.offices.len());
        let officer = *self.random.choice(&self.offices[office].caseworkers).expect("caseworkers");
        let case = self.random.choice(&self.staff[officer].open).expect("open cases").clone();
        let searches = self.random.usize(1..=4);
        let at = self.on_shift(false);
        self.look_after(officer, at, &case, searches);
    }

    fn look_after(&mut self, officer: usize, at: i64, case: &Case, searches: usize) {
        let mut sitting = self.sit(officer, at, case, Work::Return);
        if self.in_hundred(8) {
            sitting.reference = self.written_otherwise(&case.reference);
        }
        for query in self.spellings(case.child).into_iter().take(searches) {
            self.pause(&mut sitting);
            self.ask(&sitting, &query, 0);
        }
    }

    fn reviews(&mut self) {
        for officer in 0..self.staff.len() {
            if self.staff[officer].open.is_empty() || !self.in_hundred(30) {
                continue;
            }
            let mut cases = self.staff[officer].open.clone();
            self.random.shuffle(&mut cases);
            cases.truncate(self.random.usize(8..=20));
            if self.random.u8(0..3) == 0 {
                cases.sort_by_key(|case| case.child.kana());
            } else {
                cases.sort_by(|a, b| a.reference.cmp(&b.reference));
            }
            let in_kana = self.in_hundred(20);
            let day = *self.random.choice(&REVIEW_DAYS).expect("days");
            let mut at = START + day * DAY + self.random.i64(540..930) * MINUTE;
            for case in &cases {
                let sitting = self.sit(officer, at, case, Work::Review);
                let name = if in_kana { case.child.kana() } else { case.child.kanji() };
                self.ask(&sitting, &named(&name), 0);
                at += self.random.i64(90..360) * SECOND;
            }
        }
    }

    fn list(&mut self) {
        let office = self.random.usize(CENTERS..self.offices.len());
        let officer = *self.random.choice(&self.offices[office].intake).expect("intake");
        let reference = format!("照会{}", self.new_reference());
        let mut at = self.on_shift(false);
        for _ in 0..self.random.usize(10..=15) {
            let case = Case { reference: reference.clone(), child: self.any_child(office) };
            let sitting = self.sit(officer, at, &case, Work::List);
            self.ask(&sitting, &named(&case.child.kanji()), 0);
            at += self.random.i64(60..180) * SECOND;
        }
    }

    fn sit(&self, officer: usize, at: i64, case: &Case, work: Work) -> Sitting {
        let namesake = self.staff[officer].surname.kanji == case.child.surname.kanji;
        Sitting { officer, at, reference: case.reference.clone(), label: Label::Work(work), namesake }
    }

    /// From one search to the next.
    fn pause(&mut self, sitting: &mut Sitting) {
        sitting.at += self.random.i64(20..150) * SECOND;
    }

    /// Who takes a report.
    fn desk(&mut self, office: usize) -> usize {
        let at_intake = self.in_hundred(80);
        let office = &self.offices[office];
        let desk = if at_intake { &office.intake } else { &office.caseworkers };
        *self.random.choice(desk).expect("officers")
    }

    fn new_case(&mut self, office: usize, officer: usize) -> Case {
        let child = if self.in_hundred(20) {
            let colleague = *self.random.choice(&self.offices[office].caseworkers).expect("caseworkers");
            self.random.choice(&self.staff[colleague].open).expect("open cases").child
        } else {
            self.any_child(office)
        };
        Case { reference: self.reference_by(officer), child }
    }

    /// Known to some body of the country, or to none.
    fn any_child(&mut self, office: usize) -> Child {
        if self.in_hundred(44) {
            return Child::of(&self.registered.sample(self.random.u64(0..self.records)));
        }
        let child = Child::of(&self.strangers.sample(self.random.u64(..)));
        if self.in_hundred(5) { Child { surname: self.offices[office].local, ..child } } else { child }
    }

    fn sibling(&mut self, child: Child) -> Child {
        let given = self.strangers.sample(self.random.u64(..)).given;
        Child { given, year: child.year + self.random.i32(1..6), ..child }
    }

    fn sibling_case(&mut self, case: &Case, officer: usize) -> Case {
        let reference = if self.in_hundred(70) { case.reference.clone() } else { self.reference_by(officer) };
        Case { reference, child: self.sibling(case.child) }
    }

    fn reference_by(&mut self, officer: usize) -> String {
        let unnumbered = if self.staff[officer].careless { 70 } else { 4 };
        if self.in_hundred(unnumbered) {
            return (*self.random.choice(&UNNUMBERED).expect("words")).to_owned();
        }
        self.new_reference()
    }

    /// In full width, or without the year.
    fn written_otherwise(&mut self, reference: &str) -> String {
        if self.random.bool() {
            let wide = |c: char| if c.is_ascii() { char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c) } else { c };
            return reference.chars().map(wide).collect();
        }
        reference.trim_start_matches("R7-").trim_start_matches("R8-").to_owned()
    }

    /// The reading with one kana wrong.
    fn mistyped(&mut self, child: Child) -> String {
        let mut kana: Vec<char> = child.kana().chars().collect();
        let at = self.random.usize(0..kana.len());
        kana[at] = *self.random.choice(&MISTYPED).expect("kana");
        kana.into_iter().collect()
    }

    /// A moment of a shift; centers are open at the weekend as well, and see less.
    fn on_shift(&mut self, center: bool) -> i64 {
        let day = loop {
            let day = self.random.i64(0..DAYS);
            if is_workday(day) || (center && self.in_hundred(30)) {
                break day;
            }
        };
        self.on_day(day)
    }

    fn on_day(&mut self, day: i64) -> i64 {
        let (begins, ends, overtime) = SHIFT;
        let minute = if self.in_hundred(8) { self.random.i64(ends..overtime) } else { self.random.i64(begins..ends) };
        START + day * DAY + minute * MINUTE
    }

    /// Rather before midnight than after.
    fn at_night(&mut self, night: i64) -> i64 {
        let after = self.random.i64(0..450).min(self.random.i64(0..450));
        START + night * DAY + (NIGHT_BEGINS + after) * MINUTE
    }
}

/// By the guardian's whole name.
fn of_guardian(child: Child) -> Query {
    let name = format!("{}{}", child.surname.kanji, child.guardian.kanji);
    Query { guardian: Pattern::of(&name), ..Query::default() }
}
