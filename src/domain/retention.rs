//! How long a closed record is kept (保存期間).
//!
//! The standard is `policy/standard_retention.txt`; a body's own settings lengthen it. Nothing here disposes of
//! anything: it says from which day on a record may be disposed of.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};
use time::{Date, Month};

use super::{calendar::PartialDate, format::Document, visibility::ItemGroup};

/// Classes of record that are kept differently long: the case class (ケース区分), and serious cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RetentionClass {
    /// 要保護児童
    InNeedOfProtection,
    /// 要支援児童
    InNeedOfSupport,
    /// 特定妊婦
    ExpectantMother,
    /// 延長者等
    Extended,
    /// その他・不明
    Other,
    /// 重大事案
    SeriousCase,
}

impl RetentionClass {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The class of a record: what its case section says, unless its owner designated it as a serious case.
    pub fn of(document: &Document, serious: bool) -> Self {
        if serious {
            return Self::SeriousCase;
        }
        let code = document.section(ItemGroup::Case).and_then(|case| case.child_text("caseClass"));
        match code {
            Some("1") => Self::InNeedOfProtection,
            Some("2") => Self::InNeedOfSupport,
            Some("3") => Self::ExpectantMother,
            Some("4") => Self::Extended,
            _ => Self::Other,
        }
    }
}

/// How long the records of a class are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// Full fiscal years after the one in which the record was closed.
    pub years: u16,
    /// Age that the child must have reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u16>,
}

/// More than any rule needs, and less than overflows a calendar.
const MAX_YEARS: u16 = 1_000;

impl RetentionRule {
    /// The first day on which a record is not kept any more.
    pub fn ends_on(self, closed: Date, birth: PartialDate) -> Option<Date> {
        let fiscal_year = if closed.month() < Month::April { closed.year() - 1 } else { closed.year() };
        let by_closing = Date::from_calendar_date(fiscal_year + 1 + i32::from(self.years), Month::April, 1).ok()?;
        match self.age {
            None => Some(by_closing),
            Some(age) => Some(by_closing.max(birthday(birth, age)?)),
        }
    }

    fn is_at_least(self, standard: Self) -> bool {
        self.years >= standard.years && self.age >= standard.age
    }

    fn longer(self, other: Self) -> Self {
        Self { years: self.years.max(other.years), age: self.age.max(other.age) }
    }

    fn is_possible(self) -> bool {
        self.years <= MAX_YEARS && self.age.is_none_or(|age| age <= MAX_YEARS)
    }
}

/// The day on which an age is certainly reached: what is not known of the birthday counts as late as it may be.
fn birthday(birth: PartialDate, age: u16) -> Option<Date> {
    let year = birth.year + i32::from(age);
    let Some(month) = birth.month.and_then(|month| Month::try_from(month).ok()) else {
        return Date::from_calendar_date(year + 1, Month::January, 1).ok();
    };
    // 29 February in a common year, or a day that is not known: the first of the next month.
    let day = birth.day.and_then(|day| Date::from_calendar_date(year, month, day).ok());
    day.or_else(|| {
        let year = if month == Month::December { year + 1 } else { year };
        Date::from_calendar_date(year, month.next(), 1).ok()
    })
}

/// The standard, as read from `policy/standard_retention.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention(BTreeMap<RetentionClass, RetentionRule>);

/// What is wrong with a retention file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RetentionFileError {
    #[error("line {0}: expected `class | years age`")]
    Form(usize),
    #[error("line {0}: unknown class")]
    UnknownClass(usize),
    #[error("line {0}: years and age are whole numbers up to 1000; `-` where no age counts")]
    Number(usize),
    #[error("not every class is decided, or one is twice")]
    Incomplete,
}

impl Retention {
    /// Reads a retention file.
    ///
    /// # Errors
    /// The first line that is not a rule, or a class that has none or two.
    pub fn parse(text: &str) -> Result<Self, RetentionFileError> {
        let mut rules = BTreeMap::new();
        let mut lines = 0;
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, cells) = line.split_once('|').ok_or(RetentionFileError::Form(number))?;
            let cells: Vec<&str> = cells.split_whitespace().collect();
            let [years, age] = cells.as_slice() else { return Err(RetentionFileError::Form(number)) };
            if name.trim() == "class" {
                if (*years, *age) != ("years", "age") {
                    return Err(RetentionFileError::Form(number));
                }
                continue;
            }
            let class: RetentionClass = name.trim().parse().map_err(|_| RetentionFileError::UnknownClass(number))?;
            let whole = |text: &str| text.parse::<u16>().map_err(|_| RetentionFileError::Number(number));
            let age = if *age == "-" { None } else { Some(whole(age)?) };
            let rule = RetentionRule { years: whole(years)?, age };
            if !rule.is_possible() {
                return Err(RetentionFileError::Number(number));
            }
            rules.insert(class, rule);
            lines += 1;
        }
        if rules.len() == RetentionClass::ALL.len() && lines == rules.len() {
            Ok(Self(rules))
        } else {
            Err(RetentionFileError::Incomplete)
        }
    }
}

/// The retention that ships with the gateway. Under a faulty file nothing is ever due; a test keeps it from shipping.
static STANDARD: LazyLock<Retention> = LazyLock::new(|| {
    Retention::parse(include_str!("../../policy/standard_retention.txt")).unwrap_or(Retention(BTreeMap::new()))
});

/// The standard rule of a class; `None` where there is none, and then nothing of it is ever due.
pub fn standard(class: RetentionClass) -> Option<RetentionRule> {
    STANDARD.0.get(&class).copied()
}

/// A body's own rules for its records, by class; a class that is left out keeps the standard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    #[serde(default)]
    pub rules: BTreeMap<RetentionClass, RetentionRule>,
}

impl RetentionSettings {
    /// Whether no rule is shorter than the standard.
    pub fn is_lawful(&self) -> bool {
        self.rules.iter().all(|(class, rule)| {
            rule.is_possible() && standard(*class).is_some_and(|standard| rule.is_at_least(standard))
        })
    }

    /// The rule in force for a class: never shorter than the standard, whatever is stored.
    pub fn rule(&self, class: RetentionClass) -> Option<RetentionRule> {
        let standard = standard(class)?;
        Some(self.rules.get(&class).map_or(standard, |rule| rule.longer(standard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        let date = PartialDate::parse(text).unwrap();
        Date::from_calendar_date(date.year, Month::try_from(date.month.unwrap()).unwrap(), date.day.unwrap()).unwrap()
    }

    fn ends(years: u16, age: Option<u16>, closed: &str, birth: &str) -> Date {
        RetentionRule { years, age }.ends_on(day(closed), PartialDate::parse(birth).unwrap()).unwrap()
    }

    #[test]
    fn the_standard_that_ships_decides_every_class() {
        Retention::parse(include_str!("../../policy/standard_retention.txt")).unwrap();
        assert!(RetentionClass::ALL.iter().all(|class| standard(*class).is_some()));
    }

    #[test]
    fn a_faulty_file_is_told_with_its_line() {
        let good = "class | years age\nin_need_of_protection | 5 25\nin_need_of_support | 5 -\nexpectant_mother | 5 -\n\
            extended | 5 25\nother | 5 25\nserious_case | 30 25\n";
        assert!(Retention::parse(good).is_ok());
        let fault = |from: &str, to: &str| Retention::parse(&good.replace(from, to)).unwrap_err();
        assert_eq!(fault("\nother |", "\nothers |"), RetentionFileError::UnknownClass(6));
        assert_eq!(fault("extended | 5 25", "extended | 5"), RetentionFileError::Form(5));
        assert_eq!(fault("extended | 5 25", "extended | five 25"), RetentionFileError::Number(5));
        assert_eq!(fault("other | 5 25\n", ""), RetentionFileError::Incomplete);
        assert_eq!(fault("other | 5 25", "extended | 5 25"), RetentionFileError::Incomplete);
    }

    #[test]
    fn years_count_from_the_next_fiscal_year_and_the_later_of_both_holds() {
        assert_eq!(ends(5, None, "2026-03-31", "2018"), day("2031-04-01"));
        assert_eq!(ends(5, None, "2026-04-01", "2018"), day("2032-04-01"));
        assert_eq!(ends(5, Some(25), "2026-04-01", "2018-04-02"), day("2043-04-02"));
        assert_eq!(ends(30, Some(25), "2026-04-01", "2018-04-02"), day("2057-04-01"));
    }

    #[test]
    fn an_unknown_birthday_counts_as_late_as_it_may_be() {
        assert_eq!(ends(0, Some(18), "2020-04-01", "2018"), day("2037-01-01"));
        assert_eq!(ends(0, Some(18), "2020-04-01", "2018-12"), day("2037-01-01"));
        assert_eq!(ends(0, Some(18), "2020-04-01", "2018-06"), day("2036-07-01"));
        assert_eq!(ends(0, Some(17), "2020-04-01", "2020-02-29"), day("2037-03-01"));
    }

    #[test]
    fn settings_lengthen_and_never_shorten() {
        let class = RetentionClass::InNeedOfSupport;
        let with = |years, age| RetentionSettings { rules: BTreeMap::from([(class, RetentionRule { years, age })]) };
        assert!(with(10, Some(18)).is_lawful() && with(5, Some(30)).is_lawful());
        for shorter in [with(4, Some(18)), with(5, Some(17)), with(5, None), with(2_000, Some(18))] {
            assert!(!shorter.is_lawful());
            let rule = shorter.rule(class).unwrap();
            assert!(rule.is_at_least(standard(class).unwrap()), "even where it is stored");
        }
    }
}
