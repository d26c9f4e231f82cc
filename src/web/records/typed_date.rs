//! Dates as they are typed: era, year, month and day apart. What was typed stays, down to the notation of a record that a
//! case system wrote as `R8.4.1`.

use crate::domain::calendar::PartialDate;

/// The western calendar, among the eras.
pub const WESTERN: &str = "西暦";
/// Eras from which one chooses; others show where a record has them.
const OFFERED: [&str; 4] = [WESTERN, "令和", "平成", "昭和"];
/// Eras with the letters of their short notation.
const ERAS: [(&str, &str); 5] = [("R", "令和"), ("H", "平成"), ("S", "昭和"), ("T", "大正"), ("M", "明治")];

/// The parts of a date, and where it has one of a time of day, as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedDate {
    /// [`WESTERN`], an era's name, or its letter where the record has the short notation.
    pub era: String,
    pub year: String,
    pub month: String,
    pub day: String,
    pub hour: String,
    pub minute: String,
}

impl TypedDate {
    /// The parts of a date or moment of the national format.
    pub fn of(written: &str) -> Self {
        let (date, time) = written.split_once('T').filter(|(date, _)| date.contains('-')).unwrap_or((written, ""));
        let (hour, minute) = time.split_once(':').unwrap_or_default();
        let (era, rest) = era_of(date);
        let [year, month, day] = match era {
            WESTERN => parts(rest.split('-')),
            era if era.is_ascii() => parts(rest.split('.')),
            _ => parts(rest.split(['年', '月', '日'])),
        };
        let time = (hour.to_owned(), minute.to_owned());
        Self { era: era.to_owned(), year, month, day, hour: time.0, minute: time.1 }
    }

    /// Whether nothing was typed. An era alone says nothing.
    pub fn is_blank(&self) -> bool {
        [&self.year, &self.month, &self.day, &self.hour, &self.minute].iter().all(|part| part.trim().is_empty())
    }

    /// The date in the national format, right or wrong: whoever reads it says so.
    pub fn written(&self) -> String {
        let [year, month, day] = [&self.year, &self.month, &self.day].map(|part| plain(part));
        if self.era == WESTERN || self.era.is_empty() {
            let known = [year, two_digits(&month), two_digits(&day)];
            let length = known.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
            return known.get(..length).unwrap_or_default().join("-");
        }
        if self.era.is_ascii() {
            let rest = [month, day].into_iter().filter(|part| !part.is_empty());
            return rest.fold(format!("{}{year}", self.era), |date, part| format!("{date}.{part}"));
        }
        let part = |part: &str, unit: &str| if part.is_empty() { String::new() } else { format!("{part}{unit}") };
        format!("{}{}{}{}", self.era, part(&year, "年"), part(&month, "月"), part(&day, "日"))
    }

    /// A moment in the national format, which knows the western calendar alone.
    pub fn written_with_time(&self) -> String {
        let date = PartialDate::parse(&self.written()).map_or_else(|| self.written(), PartialDate::to_iso);
        format!("{date}T{}:{}", two_digits(&plain(&self.hour)), two_digits(&plain(&self.minute)))
    }

    /// Whether the year is of another calendar than the one that was chosen.
    pub fn is_of_another_calendar(&self) -> bool {
        let digits = plain(&self.year).chars().count();
        if self.era == WESTERN || self.era.is_empty() { (1..=3).contains(&digits) } else { digits > 2 }
    }

    /// The eras to choose from, each with its value; the notation of the record stays.
    pub fn eras(&self) -> Vec<(String, &'static str)> {
        let own = ERAS.into_iter().find(|(letter, name)| self.era == *letter || self.era == *name);
        let mut eras: Vec<(String, &'static str)> = OFFERED
            .into_iter()
            .map(|name| {
                (if own.is_some_and(|(_, own)| own == name) { self.era.clone() } else { name.to_owned() }, name)
            })
            .collect();
        if let Some((_, name)) = own.filter(|(_, name)| !OFFERED.contains(name)) {
            eras.push((self.era.clone(), name));
        }
        eras
    }
}

fn era_of(date: &str) -> (&'static str, &str) {
    let named = ERAS.into_iter().find_map(|(_, name)| Some((name, date.strip_prefix(name)?)));
    let lettered = || ERAS.into_iter().find_map(|(letter, _)| Some((letter, date.strip_prefix(letter)?)));
    named.or_else(lettered).unwrap_or((WESTERN, date))
}

fn parts<'d>(mut split: impl Iterator<Item = &'d str>) -> [String; 3] {
    [(); 3].map(|()| split.next().unwrap_or_default().to_owned())
}

fn two_digits(part: &str) -> String {
    if part.len() == 1 { format!("0{part}") } else { part.to_owned() }
}

/// What is made of digits and signs, without the widths that an input method gives them.
pub fn plain(typed: &str) -> String {
    let narrow = |letter: char| match letter {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '＋' | '（' | '）' => {
            u32::from(letter).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(letter)
        }
        '－' | '−' | '‐' | '–' | '―' | 'ー' => '-',
        letter => letter,
    };
    typed.trim().chars().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says_comes_back_as_it_was() {
        for written in [
            "2018-04-01",
            "2018-04",
            "2018",
            "R8.4.1",
            "R8.04.01",
            "H30.4",
            "H30",
            "R元.5.1",
            "令和8年4月1日",
            "平成30年4月",
            "昭和元年",
            "大正5年1月9日",
            "M40.1.1",
        ] {
            assert!(PartialDate::parse(written).is_some(), "{written}");
            assert_eq!(TypedDate::of(written).written(), written);
        }
        assert_eq!(TypedDate::of("2018-04-01T09:30").written_with_time(), "2018-04-01T09:30");
    }

    #[test]
    fn what_a_person_types_is_read() {
        let typed = |era: &str, [year, month, day]: [&str; 3]| TypedDate {
            era: era.into(),
            year: year.into(),
            month: month.into(),
            day: day.into(),
            ..TypedDate::default()
        };
        assert_eq!(typed(WESTERN, ["２０１８", " 4", "1"]).written(), "2018-04-01");
        assert_eq!(typed(WESTERN, ["2018", "", ""]).written(), "2018");
        assert_eq!(typed("令和", ["８", "4", ""]).written(), "令和8年4月");
        assert_eq!(typed("", ["", "", ""]).written(), "");
        for never in
            [typed(WESTERN, ["2018", "", "1"]), typed("令和", ["", "4", "1"]), typed("平成", ["2018", "4", "1"])]
        {
            assert_eq!(PartialDate::parse(&never.written()), None, "{}", never.written());
        }
        assert!(typed(WESTERN, ["30", "", ""]).is_of_another_calendar());
        assert!(typed("平成", ["2018", "", ""]).is_of_another_calendar());
        let at = TypedDate { hour: "9".into(), minute: "5".into(), ..typed("令和", ["8", "11", "3"]) };
        assert_eq!(at.written_with_time(), "2026-11-03T09:05");
    }
}
