//! What differs between two versions of a record, field by field.

use std::collections::BTreeSet;

use super::{
    reading::ReadValue,
    record::{SectionState, ViewedSection},
};

/// A field that differs.
pub struct Difference {
    /// Section, heading and field.
    pub place: String,
    pub before: ReadValue,
    pub after: ReadValue,
}

type ComparedRows<'s> = Vec<(String, &'s ReadValue)>;

/// The fields that differ, in the order of the later version; what is in the earlier one alone comes last in its section.
pub fn differences(before: &[ViewedSection], after: &[ViewedSection]) -> Vec<Difference> {
    after
        .iter()
        .zip(before)
        .flat_map(|(after, before)| {
            let (rows_before, rows_after) = (rows(before), rows(after));
            let mut found = Vec::new();
            let known: BTreeSet<&String> = rows_after.iter().map(|(place, _)| place).collect();
            for (place, value) in &rows_after {
                found.push((place, value_at(&rows_before, place), (*value).clone()));
            }
            for (place, value) in rows_before.iter().filter(|(place, _)| !known.contains(place)) {
                found.push((place, (*value).clone(), ReadValue::Nothing));
            }
            found
                .into_iter()
                .filter(|(_, before, after)| before != after)
                .map(|(place, before, after)| Difference { place: place.clone(), before, after })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn value_at(rows: &ComparedRows<'_>, place: &str) -> ReadValue {
    rows.iter().find(|(of, _)| of == place).map_or(ReadValue::Nothing, |(_, value)| (*value).clone())
}

fn rows(section: &ViewedSection) -> ComparedRows<'_> {
    let SectionState::Recorded(blocks) = &section.state else { return Vec::new() };
    blocks
        .iter()
        .flat_map(|block| {
            let heading = block.heading.as_ref().map(|heading| format!("{heading} ＞ ")).unwrap_or_default();
            block.rows.iter().map(move |row| (format!("{} ＞ {heading}{}", section.title, row.label), &row.value))
        })
        .collect()
}
