//! The fields of a form of a record, by their names: the path of an element, its number where it may occur often
//! (`index.guardian.1.name.written`), and of a date the part (`index.child.birthDate.year`). Of a code that may occur
//! often each code is a field (`case.abuseKind.2`), whose value is its place among those that were chosen.

use std::collections::BTreeSet;

use super::typed_date::TypedDate;
use crate::{
    domain::format::{
        Element,
        definition::{Field, FieldContent},
        document::child_field,
        lexical::Lexical,
        sections::SECTIONS,
    },
    web::form::Form,
};

/// The highest number of an element that occurs often.
const MAX_NUMBER: usize = 9_999;
/// What a code has for its value that was chosen now, and not in the record before.
pub const CHOSEN: &str = "new";
const PARTS_OF_DATE: [&str; 4] = ["era", "year", "month", "day"];
const PARTS_OF_TIME: [&str; 2] = ["hour", "minute"];

pub fn is_date(lexical: Lexical) -> bool {
    matches!(lexical, Lexical::Date | Lexical::PartialDate | Lexical::DateTime)
}

/// Whether a form of a record may have a field of this name.
pub fn is_known(name: &str) -> bool {
    let mut segments = name.split('.').peekable();
    let Some(section) = segments.next() else { return false };
    let Some(mut field) = SECTIONS.iter().map(|section| &section.field).find(|field| field.name == section) else {
        return false;
    };
    loop {
        if field.occurs.is_repeatable() && !is_occurrence(field, segments.next()) {
            return false;
        }
        let next = segments.next();
        match (field.content, next) {
            (FieldContent::Children(_), Some(child)) => match child_field(field, child) {
                Some(child) => field = child,
                None => return false,
            },
            (FieldContent::Children(_), None) => return false,
            (FieldContent::Text(lexical), Some(part)) => {
                let is_part = is_date(lexical) && PARTS_OF_DATE.contains(&part)
                    || lexical == Lexical::DateTime && PARTS_OF_TIME.contains(&part);
                return is_part && segments.next().is_none();
            }
            (FieldContent::Text(lexical), None) => return !is_date(lexical),
            (FieldContent::Code(_), next) => return next.is_none(),
        }
    }
}

/// Whether a segment says which of the elements that occur often it is; of a code that may occur often, which code.
fn is_occurrence(field: &Field, segment: Option<&str>) -> bool {
    let Some(segment) = segment else { return false };
    match field.content {
        FieldContent::Code(list) => list.contains(segment),
        _ => {
            let is_plain = segment.bytes().all(|byte| byte.is_ascii_digit()) && !segment.starts_with('0');
            is_plain && segment.parse().is_ok_and(|number: usize| (1..=MAX_NUMBER).contains(&number))
        }
    }
}

/// The numbers under which a form has an element that may occur often.
pub fn numbers(form: &Form, path: &str) -> BTreeSet<usize> {
    let start = format!("{path}.");
    form.under(&start).filter_map(|(name, _)| name.strip_prefix(&start)?.split('.').next()?.parse().ok()).collect()
}

/// Whether something was typed or chosen in a field or under it.
pub fn is_filled(form: &Form, path: &str) -> bool {
    let start = format!("{path}.");
    let is_typed = |(name, value): (&str, &str)| !name.ends_with(".era") && !value.trim().is_empty();
    form.filled(path).is_some() || form.under(&start).any(is_typed)
}

/// A date as it was typed.
pub fn typed_date(form: &Form, path: &str) -> TypedDate {
    let part = |part: &str| form.text(&format!("{path}.{part}")).to_owned();
    TypedDate {
        era: part("era"),
        year: part("year"),
        month: part("month"),
        day: part("day"),
        hour: part("hour"),
        minute: part("minute"),
    }
}

/// The codes that were chosen of a list that may occur often: those of the record in its order, then new ones.
pub fn chosen(form: &Form, path: &str, field: &Field) -> Vec<&'static str> {
    let FieldContent::Code(list) = field.content else { return Vec::new() };
    let mut chosen: Vec<(usize, &'static str)> = list
        .codes
        .iter()
        .filter_map(|(code, _)| {
            let place = form.filled(&format!("{path}.{code}"))?;
            Some((place.parse().unwrap_or(usize::MAX), *code))
        })
        .collect();
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, code)| code).collect()
}

/// The fields of a section as the record has it.
pub fn of_section(section: &Element, field: &'static Field) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    of_element(section, field, field.name, &mut fields);
    fields
}

fn of_element(element: &Element, field: &'static Field, path: &str, fields: &mut Vec<(String, String)>) {
    let FieldContent::Children(children) = field.content else {
        of_text(element.text().unwrap_or_default(), field, path, fields);
        return;
    };
    for child in children {
        let child_path = format!("{path}.{}", child.name);
        for (number, of) in (1..).zip(element.each(child.name)) {
            match (child.occurs.is_repeatable(), child.content) {
                (true, FieldContent::Code(_)) => {
                    let place: i32 = number;
                    fields.push((format!("{child_path}.{}", of.text().unwrap_or_default()), place.to_string()));
                }
                (true, _) => of_element(of, child, &format!("{child_path}.{number}"), fields),
                (false, _) => of_element(of, child, &child_path, fields),
            }
        }
    }
}

fn of_text(text: &str, field: &'static Field, path: &str, fields: &mut Vec<(String, String)>) {
    match field.content {
        FieldContent::Text(lexical) if is_date(lexical) => {
            let TypedDate { era, year, month, day, hour, minute } = TypedDate::of(text);
            let date = PARTS_OF_DATE.into_iter().zip([era, year, month, day]);
            let time = PARTS_OF_TIME.into_iter().zip([hour, minute]).filter(|_| lexical == Lexical::DateTime);
            fields.extend(date.chain(time).map(|(part, value)| (format!("{path}.{part}"), value)));
        }
        _ => fields.push((path.to_owned(), text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn a_form_has_the_fields_of_the_definition_and_no_other() {
        for known in [
            "index.child.name.written",
            "index.guardian.12.otherName.1.form",
            "index.child.birthDate.era",
            "support.note.1.at.minute",
            "case.abuseKind.4",
            "contact.phone.1",
        ] {
            assert!(is_known(known), "{known}");
        }
        for unknown in [
            "",
            "index",
            "index.child",
            "index.child.name",
            "index.guardian.name.written",
            "index.guardian.0.name.written",
            "index.guardian.01.name.written",
            "index.guardian.+1.name.written",
            "index.guardian.10000.name.written",
            "index.guardian.1.name.written.x",
            "index.child.birthDate",
            "index.child.birthDate.hour",
            "index.child.sex.1",
            "case.abuseKind",
            "case.abuseKind.7",
            "case.abuseKind.4.x",
            "contact.phone",
            "planted.x",
        ] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
