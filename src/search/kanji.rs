//! Old and variant kanji, each with the one form that stands for them in search keys.
//!
//! One step and one direction: following variants of variants would glue characters that names keep apart
//! (`data/kanji/README.md`). The hand-reviewed list comes before the table of the national character information.

use std::{collections::HashMap, sync::LazyLock};

const REVIEWED: &str = include_str!("../../data/kanji/reviewed.tsv");
const VARIANTS: &str = include_str!("../../data/kanji/variants.tsv");

/// Code points from the first to the last ideograph of the tables.
static STANDARD: LazyLock<Vec<char>> = LazyLock::new(|| {
    let mut standard: HashMap<char, char> = HashMap::new();
    for (variant, form) in lines(REVIEWED).chain(lines(VARIANTS)) {
        standard.entry(variant).or_insert(form);
    }
    let last = standard.keys().max().map_or(FIRST, |last| u32::from(*last));
    (FIRST..=last).map(|code| char::from_u32(code).unwrap_or('\0')).map(|c| *standard.get(&c).unwrap_or(&c)).collect()
});
const FIRST: u32 = 0x3400;

fn lines(table: &str) -> impl Iterator<Item = (char, char)> + '_ {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t').map(|column| column.chars().next());
        let variant = columns.next()??;
        // `-`: stands for itself, whatever the larger table says.
        let form = columns.next()??;
        Some((variant, if form == '-' { variant } else { form }))
    })
}

/// The form that stands for a character; itself where it is no variant.
pub fn standard_form(c: char) -> char {
    let at = u32::from(c).checked_sub(FIRST).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| STANDARD.get(at)).copied().unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_is_enough_and_known_variants_meet() {
        assert!(
            STANDARD.iter().all(|form| standard_form(*form) == *form),
            "a form that stands for others is a variant"
        );
        assert!(lines(VARIANTS).count() > 10_000);
        for group in [
            "髙高",
            "﨑崎嵜碕",
            "邊邉辺",
            "齋齊斎斉",
            "澤沢",
            "濵濱浜",
            "𠮷吉",
            "渕淵",
            "凜凛",
            "遙遥",
            "槇槙",
            "嶋嶌島",
        ] {
            let forms: std::collections::BTreeSet<char> = group.chars().map(standard_form).collect();
            assert_eq!(forms.len(), 1, "{group}");
        }
        for apart in ["高橋", "大太", "斎佐", "郎朗", "渡邊", "己巳", "裕祐"] {
            let forms: std::collections::BTreeSet<char> = apart.chars().map(standard_form).collect();
            assert_eq!(forms.len(), apart.chars().count(), "{apart}");
        }
    }
}
