//! Days and moments as a Japanese official writes them, with era and year, and in English.

use time::{Date, Weekday};

use super::language::Language;
use crate::{clock::Timestamp, domain::calendar::PartialDate};

fn weekday(language: Language, day: Date) -> &'static str {
    let (ja, en) = match day.weekday() {
        Weekday::Monday => ("月", "Mon"),
        Weekday::Tuesday => ("火", "Tue"),
        Weekday::Wednesday => ("水", "Wed"),
        Weekday::Thursday => ("木", "Thu"),
        Weekday::Friday => ("金", "Fri"),
        Weekday::Saturday => ("土", "Sat"),
        Weekday::Sunday => ("日", "Sun"),
    };
    language.say(ja, en)
}

/// `令和8（2026）年11月30日（月）`.
pub fn day(language: Language, day: Date) -> String {
    let date = PartialDate { year: day.year(), month: Some(day.month().into()), day: Some(day.day()) };
    match language {
        Language::Japanese => format!("{}（{}）", partial(language, date), weekday(language, day)),
        Language::English => format!("{}, {}", weekday(language, day), partial(language, date)),
    }
}

/// `令和8（2026）年11月30日（月） 8:42`, in Japan.
pub fn moment(language: Language, at: Timestamp) -> String {
    format!("{} {}", day(language, at.day_in_japan()), clock_of(at))
}

/// `11月30日（月） 8:42`, in a list of which the year is said.
pub fn moment_in_list(language: Language, at: Timestamp) -> String {
    let day = at.day_in_japan();
    let (month, number) = (u8::from(day.month()), day.day());
    match language {
        Language::Japanese => format!("{month}月{number}日（{}） {}", weekday(language, day), clock_of(at)),
        Language::English => format!("{} {number} {} {}", weekday(language, day), month_name(month), clock_of(at)),
    }
}

/// A moment in RFC 3339 as a reply has it; what is none stays as it is.
pub fn moment_of(language: Language, rfc3339: &str) -> String {
    Timestamp::from_rfc3339(rfc3339).map_or_else(|| rfc3339.to_owned(), |at| moment(language, at))
}

/// `8:42`.
pub fn clock_of(at: Timestamp) -> String {
    format!("{}:{:02}", at.hour_in_japan(), at.minute_in_japan())
}

/// A date with what is known of it: `令和元（2019）年5月14日`, `平成31・令和元（2019）年`.
pub fn partial(language: Language, date: PartialDate) -> String {
    match language {
        Language::Japanese => {
            let eras: Vec<String> = date.eras().map(|(era, year)| format!("{era}{}", year_of_era(year))).collect();
            let year = match eras.as_slice() {
                [] => format!("{}年", date.year),
                eras => format!("{}（{}）年", eras.join("・"), date.year),
            };
            let month = date.month.map(|month| format!("{month}月")).unwrap_or_default();
            let day = date.day.map(|day| format!("{day}日")).unwrap_or_default();
            format!("{year}{month}{day}")
        }
        Language::English => {
            let day = date.day.map(|day| format!("{day} ")).unwrap_or_default();
            let month = date.month.map(|month| format!("{} ", month_name(month))).unwrap_or_default();
            format!("{day}{month}{}", date.year)
        }
    }
}

fn year_of_era(year: i32) -> String {
    if year == 1 { "元".to_owned() } else { year.to_string() }
}

fn month_name(month: u8) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    NAMES.get(usize::from(month.saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_say_era_and_year_and_no_more_than_is_known() {
        for (iso, japanese, english) in [
            ("2026-11-30", "令和8（2026）年11月30日", "30 November 2026"),
            ("2019-05-14", "令和元（2019）年5月14日", "14 May 2019"),
            ("2019-04-30", "平成31（2019）年4月30日", "30 April 2019"),
            ("2019", "平成31・令和元（2019）年", "2019"),
            ("2018-04", "平成30（2018）年4月", "April 2018"),
            ("1850", "1850年", "1850"),
        ] {
            let date = PartialDate::parse(iso).unwrap();
            assert_eq!(partial(Language::Japanese, date), japanese);
            assert_eq!(partial(Language::English, date), english);
        }
    }

    #[test]
    fn moments_are_of_japan() {
        let at = Timestamp::from_rfc3339("2026-11-29T23:42:00Z").unwrap();
        assert_eq!(moment(Language::Japanese, at), "令和8（2026）年11月30日（月） 8:42");
        assert_eq!(moment_in_list(Language::Japanese, at), "11月30日（月） 8:42");
        assert_eq!(moment(Language::English, at), "Mon, 30 November 2026 8:42");
    }
}
