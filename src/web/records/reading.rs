//! The reading view of a section, made of the one definition: five kinds of value that never look alike. What is withheld
//! is not here at all: there is nothing to be made of it.

use super::{
    arrangement,
    code_words::{is_unknown, meaning},
    fields::is_date,
    words,
};
use crate::{
    domain::{
        calendar::PartialDate,
        format::{
            Element,
            definition::{Field, FieldContent},
            lexical::Lexical,
        },
        organization::OrganizationCode,
        registry::Registry,
    },
    web::{dates, language::Language},
};

/// Rows under one heading.
pub struct ReadBlock {
    /// `None` for the first, whose heading is the section's.
    pub heading: Option<String>,
    /// The headings above it and its own; empty for the first.
    pub trail: String,
    /// The same with the number of each, also where there is one alone: a block is known by it in another version.
    pub place: String,
    pub rows: Vec<ReadRow>,
}

/// One row: what it is called, and what stands there.
pub struct ReadRow {
    pub label: String,
    pub is_wide: bool,
    pub value: ReadValue,
}

/// What stands in a row that the reader may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadValue {
    Text(String),
    /// Nobody wrote it (記録なし).
    Nothing,
    /// It was asked and is not known (不明).
    Unknown(String),
}

/// Lays a section out for reading.
pub struct SectionReader<'r> {
    pub language: Language,
    pub registry: &'r Registry,
}

impl SectionReader<'_> {
    pub fn section(&self, field: &'static Field, element: &Element) -> Vec<ReadBlock> {
        let first = ReadBlock { heading: None, trail: String::new(), place: String::new(), rows: Vec::new() };
        let mut blocks = vec![first];
        self.children((field, element), field.name, &mut blocks);
        blocks.retain(|block| !block.rows.is_empty() || block.heading.is_some());
        blocks
    }

    /// First the rows of a parent, then what stands under headings of its own.
    fn children(&self, (field, element): (&'static Field, &Element), path: &str, blocks: &mut Vec<ReadBlock>) {
        let FieldContent::Children(children) = field.content else { return };
        let (trail, place_above) =
            blocks.last().map(|block| (block.trail.clone(), block.place.clone())).unwrap_or_default();
        let mut later = Vec::new();
        for child in children {
            let child_path = format!("{path}.{}", child.name);
            let there: Vec<&Element> = element.each(child.name).collect();
            let is_parent = matches!(child.content, FieldContent::Children(_));
            if !is_parent || there.is_empty() {
                self.row(child, &child_path, &there, blocks);
            } else if arrangement::is_frameless(&child_path) {
                for of in there {
                    self.children((child, of), &child_path, blocks);
                }
            } else {
                later.push((child, child_path, there));
            }
        }
        for (child, child_path, there) in later {
            let label = words::label(self.language, &child_path, child);
            let count = there.len();
            for (place, of) in (1..).zip(there) {
                let heading = if count > 1 { format!("{label} {place}") } else { label.to_owned() };
                let trail = format!("{trail}{heading} ＞ ");
                let place = format!("{place_above}{child_path}.{place} ");
                blocks.push(ReadBlock { heading: Some(heading), trail, place, rows: Vec::new() });
                self.children((child, of), &child_path, blocks);
            }
        }
    }

    fn row(&self, field: &'static Field, path: &str, there: &[&Element], blocks: &mut [ReadBlock]) {
        let is_long = match field.content {
            FieldContent::Text(lexical) => arrangement::width(path, lexical) == "w-l",
            FieldContent::Code(_) | FieldContent::Children(_) => false,
        };
        let label = words::label(self.language, path, field).to_owned();
        let value = self.value(field, there);
        // That nothing is there takes no line of its own.
        let is_wide = is_long && matches!(value, ReadValue::Text(_));
        if let Some(block) = blocks.last_mut() {
            block.rows.push(ReadRow { label, is_wide, value });
        }
    }

    /// What stands in a field, all its occurrences together.
    pub fn value(&self, field: &'static Field, there: &[&Element]) -> ReadValue {
        let texts: Vec<&str> = there.iter().filter_map(|element| element.text()).collect();
        if texts.is_empty() {
            return ReadValue::Nothing;
        }
        let said: Vec<String> = texts.iter().map(|text| self.text(field, text)).collect();
        let said = said.join(self.language.say("、", ", "));
        match field.content {
            FieldContent::Code(list) if texts.iter().all(|code| is_unknown(list, code)) => ReadValue::Unknown(said),
            _ => ReadValue::Text(said),
        }
    }

    fn text(&self, field: &'static Field, text: &str) -> String {
        let body = |text: &str| match OrganizationCode::parse(text) {
            Some(code) if self.registry.body(&code).is_some() => {
                let name = self.registry.name(&code);
                format!("{name}{}{code}{}", self.language.say("（", " ("), self.language.say("）", ")"))
            }
            _ => text.to_owned(),
        };
        match field.content {
            FieldContent::Code(list) => meaning(self.language, list, text),
            FieldContent::Text(Lexical::MunicipalityCode | Lexical::OrganizationCode) => body(text),
            FieldContent::Text(lexical) if is_date(lexical) => date(self.language, text),
            FieldContent::Text(_) | FieldContent::Children(_) => text.to_owned(),
        }
    }
}

/// A date or moment of the national format, by era and western year; as it is where it is none.
pub fn date(language: Language, written: &str) -> String {
    let (day, time) = written.split_once('T').map_or((written, None), |(day, time)| (day, Some(time)));
    match (PartialDate::parse(day), time) {
        (Some(day), Some(time)) => {
            format!("{} {}", dates::partial(language, day), time.strip_prefix('0').unwrap_or(time))
        }
        (Some(day), None) => dates::partial(language, day),
        (None, _) => written.to_owned(),
    }
}
