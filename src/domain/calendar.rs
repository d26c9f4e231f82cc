//! Dates as Japan writes them: the Gregorian calendar and the eras from Meiji to Reiwa.

use time::{Date, Month};

/// An era: its letter, its name, its first day and, where it has ended, its last.
struct Era {
    letter: char,
    kanji: &'static str,
    first: (i32, u8, u8),
    last: (i32, u8, u8),
}

/// Boundaries as proclaimed (元号を改める政令). Meiji before 1873 used another calendar and is left out.
const ERAS: [Era; 5] = [
    Era { letter: 'M', kanji: "明治", first: (1868, 1, 25), last: (1912, 7, 29) },
    Era { letter: 'T', kanji: "大正", first: (1912, 7, 30), last: (1926, 12, 24) },
    Era { letter: 'S', kanji: "昭和", first: (1926, 12, 25), last: (1989, 1, 7) },
    Era { letter: 'H', kanji: "平成", first: (1989, 1, 8), last: (2019, 4, 30) },
    Era { letter: 'R', kanji: "令和", first: (2019, 5, 1), last: (2099, 12, 31) },
];
const FIRST_GREGORIAN_MEIJI_YEAR: i32 = 1873;
/// Years that the national format can write (`iso_date_pattern`).
const YEARS: std::ops::RangeInclusive<i32> = 1800..=2199;

impl Era {
    /// Whether a date, given what it leaves open, may lie in the era.
    fn may_hold(&self, date: PartialDate) -> bool {
        let first = (date.year, date.month.unwrap_or(1), date.day.unwrap_or(1));
        let last = (date.year, date.month.unwrap_or(12), date.day.unwrap_or(31));
        first <= self.last && last >= self.first && date.year >= FIRST_GREGORIAN_MEIJI_YEAR
    }
}

/// A date of which the day, or the month and day, may be unknown. Ordered by year, month, day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct PartialDate {
    pub year: i32,
    pub month: Option<u8>,
    pub day: Option<u8>,
}

impl PartialDate {
    /// Reads any form that the national format accepts; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text.chars().next()?;
        if first.is_ascii_digit() {
            return parse_parts(text, '-', None).filter(|date| date.exists() && YEARS.contains(&date.year));
        }
        let era = ERAS.iter().find(|era| era.letter == first || text.starts_with(era.kanji))?;
        let rest = text.strip_prefix(era.kanji).or_else(|| text.strip_prefix(era.letter))?;
        let kanji = text.starts_with(era.kanji);
        let date = if kanji { parse_kanji_parts(rest, era)? } else { parse_parts(rest, '.', Some(era))? };
        (date.exists() && era.may_hold(date)).then_some(date)
    }

    /// The form kept in the database and the answers: `2018-04-01`, `2018-04` or `2018`.
    pub fn to_iso(self) -> String {
        match (self.month, self.day) {
            (Some(month), Some(day)) => format!("{:04}-{month:02}-{day:02}", self.year),
            (Some(month), None) => format!("{:04}-{month:02}", self.year),
            _ => format!("{:04}", self.year),
        }
    }

    /// The eras in which it may lie, each with the year of the era: two where the year alone is known and an era ended in it.
    pub fn eras(self) -> impl Iterator<Item = (&'static str, i32)> {
        ERAS.iter().filter(move |era| era.may_hold(self)).map(move |era| (era.kanji, self.year - era.first.0 + 1))
    }

    /// Whether both may be the same day, given what each leaves open.
    pub fn may_equal(self, other: Self) -> bool {
        let open_or_same = |a: Option<u8>, b: Option<u8>| a.is_none() || b.is_none() || a == b;
        self.year == other.year && open_or_same(self.month, other.month) && open_or_same(self.day, other.day)
    }

    /// Whole years lived on `day`; where the birthday is unknown, the years that are certain.
    pub fn age_on(self, day: Date) -> i32 {
        let birthday = (self.month.unwrap_or(12), self.day.unwrap_or(31));
        let reached = (u8::from(day.month()), day.day()) >= birthday;
        day.year() - self.year - i32::from(!reached)
    }

    fn exists(self) -> bool {
        match (self.month, self.day) {
            (None, _) => true,
            (Some(month), None) => (1..=12).contains(&month),
            (Some(month), Some(day)) => {
                Month::try_from(month).is_ok_and(|month| Date::from_calendar_date(self.year, month, day).is_ok())
            }
        }
    }
}

fn parse_parts(text: &str, separator: char, era: Option<&Era>) -> Option<PartialDate> {
    let mut parts = text.split(separator);
    let year = parts.next()?;
    let year = match era {
        Some(era) => era_year(era, year)?,
        None if year.len() == 4 => digits(year)?,
        None => return None,
    };
    let month = parts.next().map(|month| digits(month).ok_or(())).transpose().ok()?;
    let day = parts.next().map(|day| digits(day).ok_or(())).transpose().ok()?;
    parts.next().is_none().then_some(PartialDate { year, month, day })
}

fn parse_kanji_parts(rest: &str, era: &Era) -> Option<PartialDate> {
    let (year, rest) = rest.split_once('年')?;
    let year = era_year(era, year)?;
    if rest.is_empty() {
        return Some(PartialDate { year, month: None, day: None });
    }
    let (month, rest) = rest.split_once('月')?;
    let month = Some(digits(month)?);
    let day = if rest.is_empty() { None } else { Some(digits(rest.strip_suffix('日')?)?) };
    Some(PartialDate { year, month, day })
}

/// One to four digits and nothing else: no sign. A month or a day has at most two.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let max_digits = if size_of::<T>() == 1 { 2 } else { 4 };
    text.parse().ok().filter(|_| text.len() <= max_digits && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn era_year(era: &Era, written: &str) -> Option<i32> {
    let number: i32 = if written == "元" { 1 } else { digits(written).filter(|_| written.len() <= 2)? };
    era.first.0.checked_add(number)?.checked_sub(1).filter(|_| number >= 1)
}

/// `2018-04-01`: every day from 1800 to 2199 that exists, and no other.
pub fn iso_date_pattern() -> String {
    let year = "(18|19|20|21)[0-9]{2}";
    let leap = "((18|19|20|21)(0[48]|[2468][048]|[13579][26])|2000)";
    format!(
        "{year}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|{leap}-02-29"
    )
}

/// A whole date in any accepted form.
pub fn date_pattern() -> String {
    let mut all = vec![iso_date_pattern()];
    all.extend(era_patterns(Precision::Day));
    all.join("|")
}

/// A date in any accepted form, or its month or year alone.
pub fn partial_date_pattern() -> String {
    let mut all = vec![date_pattern(), "(18|19|20|21)[0-9]{2}(-(0[1-9]|1[0-2]))?".to_owned()];
    all.extend(era_patterns(Precision::Month));
    all.extend(era_patterns(Precision::Year));
    all.join("|")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    Day,
    Month,
    Year,
}

fn era_patterns(precision: Precision) -> Vec<String> {
    ERAS.iter().flat_map(|era| [era_pattern(era, precision, false), era_pattern(era, precision, true)]).collect()
}

/// Every date of one era in one notation, years with the same months and days gathered.
fn era_pattern(era: &Era, precision: Precision, kanji: bool) -> String {
    let prefix = if kanji { era.kanji.to_owned() } else { era.letter.to_string() };
    let first_year = era.first.0.max(FIRST_GREGORIAN_MEIJI_YEAR);
    let mut gathered: Vec<(String, Vec<String>)> = Vec::new();
    for year in first_year..=era.last.0 {
        let number = year - era.first.0 + 1;
        let written = if number == 1 { "元|1".to_owned() } else { number.to_string() };
        let from = if year == era.first.0 { (era.first.1, era.first.2) } else { (1, 1) };
        let to = if year == era.last.0 { (era.last.1, era.last.2) } else { (12, 31) };
        let rest = rest_of_year(year, from, to, precision, kanji);
        match gathered.iter_mut().find(|(known, _)| *known == rest) {
            Some((_, years)) => years.push(written),
            None => gathered.push((rest, vec![written])),
        }
    }
    let alternatives: Vec<String> =
        gathered.into_iter().map(|(rest, years)| format!("({}){rest}", years.join("|"))).collect();
    format!("{prefix}({})", alternatives.join("|"))
}

fn rest_of_year(year: i32, from: (u8, u8), to: (u8, u8), precision: Precision, kanji: bool) -> String {
    let year_end = if kanji { "年" } else { "" };
    if precision == Precision::Year {
        return year_end.to_owned();
    }
    let (before_month, after_month, after_day) = if kanji { (year_end, "月", "日") } else { ("[.]", "[.]", "") };
    let month_end = if kanji { "月" } else { "" };
    let mut gathered: Vec<(String, Vec<String>)> = Vec::new();
    for month in from.0..=to.0 {
        let rest = if precision == Precision::Month {
            month_end.to_owned()
        } else {
            let first = if month == from.0 { from.1 } else { 1 };
            let last = if month == to.0 { to.1.min(days_in(year, month)) } else { days_in(year, month) };
            format!("{after_month}({}){after_day}", day_range(first, last))
        };
        let written = if month < 10 { format!("0?{month}") } else { month.to_string() };
        match gathered.iter_mut().find(|(known, _)| *known == rest) {
            Some((_, months)) => months.push(written),
            None => gathered.push((rest, vec![written])),
        }
    }
    let alternatives: Vec<String> =
        gathered.into_iter().map(|(rest, months)| format!("({}){rest}", months.join("|"))).collect();
    format!("{before_month}({})", alternatives.join("|"))
}

fn day_range(first: u8, last: u8) -> String {
    (first..=last).map(|day| if day < 10 { format!("0?{day}") } else { day.to_string() }).collect::<Vec<_>>().join("|")
}

fn days_in(year: i32, month: u8) -> u8 {
    Month::try_from(month).map_or(0, |month| month.length(year))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn pattern_and_parser_agree_on_every_day_and_on_days_that_never_were() {
        let pattern = Regex::new(&format!("^(?:{})$", date_pattern())).unwrap();
        let mut seen = 0;
        for year in 1..=70 {
            for (month, day) in
                (0..=13).flat_map(|month| [0, 1, 7, 8, 24, 25, 28, 29, 30, 31, 32].map(|day| (month, day)))
            {
                for era in &ERAS {
                    let gregorian = era.first.0 + year - 1;
                    let real = Month::try_from(month as u8)
                        .ok()
                        .filter(|_| month > 0)
                        .and_then(|m| Date::from_calendar_date(gregorian, m, day).ok());
                    let inside = real.is_some()
                        && gregorian >= FIRST_GREGORIAN_MEIJI_YEAR
                        && (gregorian, month as u8, day) >= era.first
                        && (gregorian, month as u8, day) <= era.last;
                    for text in [
                        format!("{}{year}.{month}.{day}", era.letter),
                        format!("{}{year}年{month}月{day}日", era.kanji),
                    ] {
                        assert_eq!(pattern.is_match(&text), inside, "{text}");
                        if inside {
                            seen += 1;
                            let parsed = PartialDate::parse(&text).unwrap();
                            assert_eq!(
                                (parsed.year, parsed.month, parsed.day),
                                (gregorian, Some(month as u8), Some(day))
                            );
                        }
                    }
                }
            }
        }
        assert!(seen > 10_000);
    }

    #[test]
    fn dates_that_no_era_holds_are_refused() {
        for wrong in ["R0", "H32", "平成31年5月", "S64.1.8", "T16", "R-1", "R2147483647", "0000", "2200", "99999", "M5"]
        {
            assert!(PartialDate::parse(wrong).is_none(), "{wrong}");
        }
        for right in ["R1", "令和元年", "H31.4.30", "平成31年", "S64.1.7", "T1.7.30", "M6", "1868", "2199-12-31"]
        {
            assert!(PartialDate::parse(right).is_some(), "{right}");
        }
    }

    #[test]
    fn age_counts_birthdays() {
        let born = PartialDate::parse("平成30年4月2日").unwrap();
        let on = |month, day| Date::from_calendar_date(2026, month, day).unwrap();
        assert_eq!(born.age_on(on(Month::April, 1)), 7);
        assert_eq!(born.age_on(on(Month::April, 2)), 8);
    }
}
