//! The words of enums: messages and ledger take them from serde, the database and the policies from strum.

use std::{fmt::Debug, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use strum::VariantArray;
use tsunagi::{
    domain::disposal::{DisposalState, NotDue},
    domain::{
        missing_notice::NoticeState,
        organization::OrganizationKind,
        purpose::Purpose,
        retention::RetentionClass,
        sharp_act::SharpKind,
        transfer::TransferState,
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    identity::{Role, directory::TerminalKind},
    journal::inbox::InboxKind,
    ledger::entry::{Act, Outcome},
};

fn words_are_one<T: VariantArray + Copy + Into<&'static str> + Serialize>() {
    for value in T::VARIANTS {
        let word: &str = (*value).into();
        assert_eq!(serde_json::to_value(value).unwrap(), word);
    }
}

fn words_are_read<T>()
where
    T: VariantArray + Copy + Into<&'static str> + Serialize + DeserializeOwned + FromStr + PartialEq + Debug,
{
    words_are_one::<T>();
    for value in T::VARIANTS {
        let word: &str = (*value).into();
        assert_eq!(word.parse().ok(), Some(*value));
        assert_eq!(serde_json::from_value::<T>(word.into()).unwrap(), *value);
        assert!(word.to_uppercase().parse::<T>().is_err() && format!("{word} ").parse::<T>().is_err(), "{word}");
    }
}

#[test]
fn serde_and_strum_agree() {
    words_are_read::<DisposalState>();
    words_are_read::<NotDue>();
    words_are_read::<ItemGroup>();
    words_are_read::<NoticeState>();
    words_are_read::<Purpose>();
    words_are_read::<Relation>();
    words_are_read::<RetentionClass>();
    words_are_read::<Role>();
    words_are_read::<SharpKind>();
    words_are_read::<TransferState>();
    words_are_one::<Act>();
    words_are_one::<InboxKind>();
    words_are_one::<LegalBasis>();
    words_are_one::<OrganizationKind>();
    words_are_one::<Outcome>();
    words_are_one::<TerminalKind>();
}

/// Japanese and words of the rows of a section of the glossary: `| 日本語 | `word`, `word` |`.
fn section<'a>(glossary: &'a str, heading: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let section = glossary.split(&format!("\n### {heading}")).nth(1).unwrap_or_default();
    let section = section.split("\n#").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let explained = cells.map(|(japanese, words)| (japanese, words.split('`').skip(1).step_by(2).collect::<Vec<_>>()));
    explained.filter(|(_, words)| !words.is_empty()).collect()
}

/// Words of an enum that a section does not explain once, and words there that are none of the enum's.
fn unlike<T: VariantArray + Copy + Into<&'static str>>(glossary: &str, heading: &str) -> Vec<String> {
    let mut explained: Vec<&str> = section(glossary, heading).into_iter().flat_map(|(_, words)| words).collect();
    let mut unlike = Vec::new();
    for value in T::VARIANTS {
        let word: &str = (*value).into();
        match explained.iter().position(|explained| *explained == word) {
            Some(at) => {
                explained.remove(at);
            }
            None => unlike.push(format!("{word} is not explained")),
        }
    }
    unlike.extend(explained.into_iter().map(|word| format!("{word} is none, or stands twice")));
    unlike
}

/// Everything in which the glossary differs from the code: acts, what the page of an evidence bundle calls them, and
/// kinds of messages.
fn unlike_the_code(glossary: &str) -> Vec<String> {
    let mut found = unlike::<Act>(glossary, "Acts");
    found.extend(unlike::<InboxKind>(glossary, "Inbox messages"));
    let page = include_str!("../../src/ledger/evidence_page.rs");
    let rows = section(glossary, "Acts");
    for act in Act::VARIANTS {
        let japanese = rows.iter().find(|(_, words)| words.contains(&act.as_str())).map(|(japanese, _)| *japanese);
        if japanese.is_some_and(|japanese| !page.contains(&format!("Act::{act:?} => \"{japanese}\","))) {
            found.push(format!("{} has another name on the page", act.as_str()));
        }
    }
    found
}

#[test]
fn the_glossary_explains_every_act_and_every_kind_of_message() {
    let found = unlike_the_code(include_str!("../../docs/glossary.md"));
    assert!(found.is_empty(), "docs/glossary.md: {}", found.join("\n"));
}

/// The twin: a word that is left out, made up or named otherwise is found.
#[test]
fn a_glossary_that_is_not_whole_is_found() {
    let glossary = include_str!("../../docs/glossary.md");
    for (is, planted, finds) in [
        ("| 照会 | `inquire` |\n", "", "inquire is not explained"),
        ("`terminal_revoked` |", "`terminal_revoke` |", "terminal_revoked is not explained"),
        ("| 照会 | `inquire` |", "| 照会 | `inquire`, `inquires` |", "inquires is none, or stands twice"),
        ("| 職員の失効 | `staff_revoked` |", "| 職員の失効 | `staff_revoked`, `body_opened` |", "body_opened is none"),
        ("| 照会 | `inquire` |", "| 問合せ | `inquire` |", "inquire has another name on the page"),
    ] {
        assert!(glossary.contains(is), "{is}");
        let found = unlike_the_code(&glossary.replacen(is, planted, 1));
        assert!(found.iter().any(|found| found.starts_with(finds)), "{planted}: {found:?}");
    }
}
