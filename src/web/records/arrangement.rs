//! How the fields of a record are laid out where the rule is not enough. A field that is not here is laid out by its kind: a
//! new section appears by itself.

use crate::domain::format::{
    definition::{Field, FieldContent},
    lexical::Lexical,
};

/// What one field has of its own.
#[derive(Clone, Copy)]
struct Arranged {
    /// As in [`super::words`].
    key: &'static str,
    width: Option<&'static str>,
    /// Its fields stand side by side.
    in_a_row: bool,
    /// It stands among the fields of its parent, without a frame of its own.
    frameless: bool,
    /// The first of what may occur often is there to be filled in.
    opened: bool,
}

const fn of(key: &'static str) -> Arranged {
    Arranged { key, width: None, in_a_row: false, frameless: false, opened: false }
}

impl Arranged {
    const fn width(self, width: &'static str) -> Self {
        Self { width: Some(width), ..self }
    }

    const fn in_a_row(self) -> Self {
        Self { in_a_row: true, ..self }
    }

    const fn frameless(self) -> Self {
        Self { frameless: true, ..self }
    }

    const fn opened(self) -> Self {
        Self { opened: true, ..self }
    }
}

const ARRANGED: &[Arranged] = &[
    of("*.name").in_a_row().frameless(),
    of("*.otherName").in_a_row(),
    of("*.name.written").width("w-n"),
    of("*.name.kana").width("w-n"),
    of("*.name.latin").width("w-n"),
    of("*.otherName.written").width("w-n"),
    of("*.otherName.kana").width("w-n"),
    of("*.otherName.latin").width("w-n"),
    of("contact.municipality").width("w-s"),
    of("contact.email").width("w-m"),
    of("case.report").opened(),
    of("assessment.urgency").in_a_row(),
    of("assessment.severity").in_a_row(),
    of("*.scale").width("w-n"),
    of("*.value").width("w-xs"),
    of("affiliation.facility").opened(),
    of("officer.name").width("w-n"),
    of("reporter.name").width("w-n"),
];

fn arranged(path: &str) -> Arranged {
    let at = |of: &&Arranged| of.key == path;
    let ends = |of: &&Arranged| of.key.strip_prefix('*').is_some_and(|end| path.ends_with(end));
    ARRANGED.iter().find(at).or_else(|| ARRANGED.iter().find(ends)).copied().unwrap_or(of(""))
}

/// Sections that are open before anything stands in them: most records have them, or it is grave to forget them.
const AT_HAND: [&str; 3] = ["contact", "case", "shield"];

pub fn is_at_hand(section: &str) -> bool {
    AT_HAND.contains(&section)
}

pub fn is_in_a_row(path: &str) -> bool {
    arranged(path).in_a_row
}

pub fn is_frameless(path: &str) -> bool {
    arranged(path).frameless
}

pub fn is_opened(path: &str) -> bool {
    arranged(path).opened
}

/// Class of the width of a line: what is expected fits.
pub fn width(path: &str, lexical: Lexical) -> &'static str {
    let by_kind = match lexical {
        Lexical::Line(max) if max <= 40 => "w-s",
        Lexical::Line(max) if max <= 120 => "w-m",
        Lexical::Line(_) | Lexical::Text(_) => "w-l",
        Lexical::Kana => "w-m",
        Lexical::Phone
        | Lexical::PostalCode
        | Lexical::MunicipalityCode
        | Lexical::OrganizationCode
        | Lexical::Date
        | Lexical::PartialDate
        | Lexical::DateTime => "w-s",
    };
    arranged(path).width.unwrap_or(by_kind)
}

/// Lines of a text that show at once; `None` for what is one line.
pub fn rows(lexical: Lexical) -> Option<u32> {
    match lexical {
        Lexical::Text(max) => Some(if max > 2_000 { 6 } else { 3 }),
        _ => None,
    }
}

/// What a touch screen shows to type with.
pub fn inputmode(lexical: Lexical) -> &'static str {
    match lexical {
        Lexical::Phone => "tel",
        Lexical::PostalCode | Lexical::OrganizationCode => "numeric",
        _ => "",
    }
}

/// Codes that are all in sight; of more one chooses from a list.
const MAX_IN_SIGHT: usize = 5;

pub fn is_in_sight(field: &Field) -> bool {
    matches!(field.content, FieldContent::Code(list) if list.codes.len() <= MAX_IN_SIGHT)
}
