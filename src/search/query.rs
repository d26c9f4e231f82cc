//! The criteria of a search.

use time::{Date, Month};

use super::pattern::Pattern;
use crate::domain::calendar::PartialDate;

/// What is known of the birth date: the first and the last day that it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BirthCriterion {
    first: Day,
    last: Day,
}

/// A day as a number that orders as days do: year, month and day in bits. Zero where month or day is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u32);

impl Day {
    fn new(year: i32, month: u8, day: u8) -> Self {
        Self((u32::try_from(year).unwrap_or(0) << 9) | u32::from(month) << 5 | u32::from(day))
    }

    /// A date of which month or day may be unknown, in one number.
    pub fn packed(date: PartialDate) -> u32 {
        Self::first_of(date).0
    }

    /// Reads what [`Self::packed`] made.
    pub fn unpacked(packed: u32) -> PartialDate {
        let known = |bits: u32| u8::try_from(bits).ok().filter(|bits| *bits > 0);
        PartialDate {
            year: i32::try_from(packed >> 9).unwrap_or(0),
            month: known(packed >> 5 & 0xF),
            day: known(packed & 0x1F),
        }
    }

    fn first_of(date: PartialDate) -> Self {
        Self::new(date.year, date.month.unwrap_or(0), date.day.unwrap_or(0))
    }

    fn last_of(date: PartialDate) -> Self {
        let month = date.month.unwrap_or(12);
        let length = Month::try_from(month).map_or(31, |month| month.length(date.year));
        Self::new(date.year, month, date.day.unwrap_or(length))
    }

    fn year(self) -> i32 {
        i32::try_from(self.0 >> 9).unwrap_or(0)
    }

    fn month(self) -> u32 {
        self.0 >> 5 & 0xF
    }
}

impl BirthCriterion {
    /// A day, a month or a year, as far as it is written.
    pub fn on(date: PartialDate) -> Self {
        Self { first: Day::first_of(date), last: Day::last_of(date) }
    }

    /// From and to, both included. `None` where the end lies before the beginning.
    pub fn between(from: PartialDate, to: PartialDate) -> Option<Self> {
        let criterion = Self { first: Day::first_of(from), last: Day::last_of(to) };
        (criterion.first <= criterion.last).then_some(criterion)
    }

    /// Whole years lived on a day.
    pub fn aged(years: u8, today: Date) -> Self {
        let birthday = |years: i32| Day::new(today.year() - years, u8::from(today.month()), today.day());
        // The day after the birthday one year earlier; it need not exist to be the first.
        Self { first: Day(birthday(i32::from(years) + 1).0 + 1), last: birthday(i32::from(years)) }
    }

    /// Whether it says enough to be searched with a single character: it lies in one calendar year or in two that
    /// follow each other, as an age does.
    fn is_narrow(self) -> bool {
        self.last.year() - self.first.year() <= 1
    }

    /// Whether a birth date, given what it leaves open, may be one of the days.
    pub fn admits(self, birth: PartialDate) -> bool {
        Day::first_of(birth) <= self.last && Day::last_of(birth) >= self.first
    }

    /// Years that it may be.
    pub(super) fn years(self) -> std::ops::RangeInclusive<i32> {
        self.first.year()..=self.last.year()
    }

    /// The months that it may be, where it is known to lie within one year.
    pub(super) fn months(self) -> Option<(i32, std::ops::RangeInclusive<u32>)> {
        (self.first.year() == self.last.year())
            .then(|| (self.first.year(), self.first.month().max(1)..=self.last.month().min(12)))
    }
}

/// Whether names one kana away are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NearMisses {
    /// Where nothing else is found.
    #[default]
    IfNone,
    Always,
    Never,
}

/// A search, ready to run.
#[derive(Clone, Default)]
pub struct Query {
    pub child: Option<Pattern>,
    pub guardian: Option<Pattern>,
    /// Among records that the caller owns alone.
    pub relative: Option<Pattern>,
    pub birth: Option<BirthCriterion>,
    /// Code of the list `SexCode`.
    pub sex: Option<u8>,
    pub near_misses: NearMisses,
    /// Whether records of others are passed over as if they were not there.
    pub own_alone: bool,
}

impl Query {
    /// Too little to search on: no two known characters of a name side by side, nor two kanji, nor one character with
    /// a birth date that is known at least to the year. Letters with unknown ones between them narrow nothing down.
    pub fn is_too_broad(&self) -> bool {
        let mut patterns = [&self.child, &self.guardian, &self.relative].into_iter().flatten();
        if self.birth.is_some_and(BirthCriterion::is_narrow) {
            return patterns.next().is_none();
        }
        !patterns.any(Pattern::narrows_down)
    }
}

#[cfg(test)]
mod tests {
    use time::Month;

    use super::*;

    fn date(text: &str) -> PartialDate {
        PartialDate::parse(text).unwrap()
    }

    #[test]
    fn a_birth_date_is_admitted_given_what_either_side_leaves_open() {
        for (criterion, birth, admitted) in [
            ("2018-04-01", "2018-04-01", true),
            ("2018-04-01", "2018-04-02", false),
            ("2018-04", "2018-04-30", true),
            ("2018-04-05", "2018-04", true),
            ("2018-04-05", "2018", true),
            ("2018-04-05", "2018-05", false),
            ("平成30年", "2018-12-31", true),
            ("H30.4", "2018-05-01", false),
        ] {
            assert_eq!(BirthCriterion::on(date(criterion)).admits(date(birth)), admitted, "{criterion} {birth}");
            assert_eq!(Day::unpacked(Day::packed(date(birth))), date(birth));
        }
        let between = BirthCriterion::between(date("2017"), date("2018-04")).unwrap();
        assert!(between.admits(date("2017-01-01")) && between.admits(date("2018-04-30")));
        assert!(!between.admits(date("2018-05-01")) && between.admits(date("2018")));
        assert!(BirthCriterion::between(date("2018"), date("2017")).is_none());
    }

    #[test]
    fn an_age_changes_on_the_birthday() {
        let today = Date::from_calendar_date(2026, Month::March, 1).unwrap();
        let eight = BirthCriterion::aged(8, today);
        for (birth, admitted) in
            [("2018-03-01", true), ("2018-03-02", false), ("2017-03-02", true), ("2017-03-01", false), ("2017", true)]
        {
            assert_eq!(eight.admits(date(birth)), admitted, "{birth}");
        }
    }
}
