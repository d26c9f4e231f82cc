//! Entries by day and hour of Japan: what happens at night stands out.

use std::collections::BTreeMap;

use time::Date;

use crate::{
    clock::Timestamp,
    web::{dates::day, language::Language},
};

/// A mark of the plot: how many entries in an hour of a day.
pub struct HourMark {
    pub x: usize,
    pub y: usize,
    /// In tenths of a pixel, by the number of entries.
    pub radius: usize,
    pub title: String,
}

/// A row of the plot.
pub struct PlotDay {
    pub y: usize,
    pub name: String,
}

/// Entries by day and hour.
pub struct HoursPlot {
    pub marks: Vec<HourMark>,
    pub days: Vec<PlotDay>,
    pub height: usize,
}

const ROW: usize = 24;
const COLUMN: usize = 24;
/// Where the first hour stands.
const LEFT: usize = 190;
const TOP: usize = 24;

impl HoursPlot {
    /// Of moments in RFC 3339.
    pub fn of<'a>(language: Language, moments: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: BTreeMap<(Date, u8), usize> = BTreeMap::new();
        for at in moments.filter_map(Timestamp::from_rfc3339) {
            *counts.entry((at.day_in_japan(), at.hour_in_japan())).or_default() += 1;
        }
        let mut dates: Vec<Date> = counts.keys().map(|(date, _)| *date).collect();
        dates.dedup();
        dates.reverse();
        let y_of = |date: Date| TOP + dates.iter().position(|of| *of == date).unwrap_or(0) * ROW + ROW / 2;
        let marks = counts.iter().map(|((date, hour), count)| HourMark {
            x: LEFT + usize::from(*hour) * COLUMN + COLUMN / 2,
            y: y_of(*date),
            radius: 30 + 10 * (*count).min(8),
            title: match language {
                Language::Japanese => format!("{} {hour}時台 {count}件", day(language, *date)),
                Language::English => format!("{} {hour}:00 to {hour}:59: {count}", day(language, *date)),
            },
        });
        let marks = marks.collect();
        let days = dates.iter().map(|date| PlotDay { y: y_of(*date) + 5, name: day(language, *date) }).collect();
        Self { marks, days, height: TOP + dates.len() * ROW + 8 }
    }
}
