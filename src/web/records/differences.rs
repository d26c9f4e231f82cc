//! What differs between two versions of a record, field by field.

use std::collections::BTreeSet;

use super::{
    reading::{ReadBlock, ReadRow, ReadValue},
    record::{SectionState, ViewedSection},
};

/// A field that differs.
pub struct Difference {
    /// Section, heading and field.
    pub place: String,
    pub before: ReadValue,
    pub after: ReadValue,
}

/// A row of a version: by what it is known in another one, what it is called, and what stands there.
struct ComparedRow<'s> {
    key: (&'s str, &'s str),
    place: String,
    value: &'s ReadValue,
}

/// The fields that differ, in the order of the later version; what is in the earlier one alone comes last in its section.
pub fn differences(before: &[ViewedSection], after: &[ViewedSection]) -> Vec<Difference> {
    after.iter().zip(before).flat_map(|(after, before)| of_section(&rows(before), &rows(after))).collect()
}

fn of_section(before: &[ComparedRow<'_>], after: &[ComparedRow<'_>]) -> Vec<Difference> {
    let known: BTreeSet<_> = after.iter().map(|row| row.key).collect();
    let was = |row: &ComparedRow<'_>| {
        before.iter().find(|of| of.key == row.key).map_or(ReadValue::Nothing, |of| of.value.clone())
    };
    let now =
        after.iter().map(|row| Difference { place: row.place.clone(), before: was(row), after: row.value.clone() });
    let gone = before.iter().filter(|row| !known.contains(&row.key)).map(|row| Difference {
        place: row.place.clone(),
        before: row.value.clone(),
        after: ReadValue::Nothing,
    });
    now.chain(gone).filter(|difference| difference.before != difference.after).collect()
}

fn rows(section: &ViewedSection) -> Vec<ComparedRow<'_>> {
    let SectionState::Recorded(blocks) = &section.state else { return Vec::new() };
    let title = &section.title;
    blocks.iter().flat_map(|block| block.rows.iter().map(move |row| compared(title, block, row))).collect()
}

fn compared<'s>(section: &str, block: &'s ReadBlock, row: &'s ReadRow) -> ComparedRow<'s> {
    ComparedRow {
        key: (&block.place, &row.label),
        place: format!("{section} ＞ {}{}", block.trail, row.label),
        value: &row.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(trail: &str, place: &str, label: &str, value: &str) -> ReadBlock {
        let row = ReadRow { label: label.into(), is_wide: false, value: ReadValue::Text(value.into()) };
        ReadBlock { heading: None, trail: trail.into(), place: place.into(), rows: vec![row] }
    }

    fn section(blocks: Vec<ReadBlock>) -> Vec<ViewedSection> {
        let state = SectionState::Recorded(blocks);
        vec![ViewedSection { id: "index", title: "基本項目".into(), reason: "", state }]
    }

    #[test]
    fn fields_of_one_name_are_told_apart_by_what_they_stand_under() {
        let of = |guardian: &str| {
            section(vec![
                block("児童 ＞ 通称 ＞ ", "child.1 other.1 ", "氏名", "花"),
                block("保護者 ＞ 通称 ＞ ", "guardian.1 other.1 ", "氏名", guardian),
            ])
        };
        assert!(differences(&of("誠"), &of("誠")).is_empty());
        let found = differences(&of("誠"), &of("実"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "基本項目 ＞ 保護者 ＞ 通称 ＞ 氏名");
    }

    #[test]
    fn one_more_differs_alone_and_one_less_comes_last() {
        let one = || block("保護者 ＞ ", "guardian.1 ", "氏名", "誠");
        let first = || block("保護者 1 ＞ ", "guardian.1 ", "氏名", "誠");
        let second = || block("保護者 2 ＞ ", "guardian.2 ", "氏名", "実");
        let found = differences(&section(vec![one()]), &section(vec![first(), second()]));
        assert_eq!((found.len(), found[0].before.clone()), (1, ReadValue::Nothing));
        let found = differences(&section(vec![first(), second()]), &section(vec![one()]));
        assert_eq!((found.len(), found[0].after.clone()), (1, ReadValue::Nothing));
    }
}
