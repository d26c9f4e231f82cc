//! What the codes of the national format mean, in English. The Japanese meaning is in the lists themselves.

use crate::{domain::format::code_lists::CodeList, web::language::Language};

type Meanings = &'static [(&'static str, &'static str)];

const ENGLISH: &[(&str, Meanings)] = &[
    ("SexCode", &[("1", "male"), ("2", "female"), ("9", "not known")]),
    (
        "NameFormCode",
        &[("alias", "alias"), ("former", "former name"), ("second", "second name"), ("joint", "joint name")],
    ),
    (
        "GuardianKindCode",
        &[("1", "person with parental authority"), ("2", "legal guardian"), ("3", "actual carer"), ("9", "not known")],
    ),
    ("YesNoCode", &[("1", "yes"), ("0", "no"), ("9", "not known")]),
    (
        "CaseClassCode",
        &[
            ("1", "child in need of protection"),
            ("2", "child in need of support"),
            ("3", "expectant mother at risk"),
            ("4", "support beyond 18"),
            ("9", "other, or not known"),
        ],
    ),
    (
        "AbuseKindCode",
        &[("1", "physical"), ("2", "neglect"), ("3", "psychological"), ("4", "sexual"), ("9", "not known")],
    ),
    ("AbuseDegreeCode", &[("1", "yes"), ("2", "no"), ("3", "suspected"), ("9", "not known")]),
    (
        "AbuserCode",
        &[
            ("1", "father"),
            ("2", "father figure (cohabitee included)"),
            ("3", "mother"),
            ("4", "mother figure"),
            ("9", "other"),
            ("99", "not known"),
        ],
    ),
    (
        "RouteCode",
        &[
            ("01", "commissioned welfare volunteer"),
            ("02", "neighbour or acquaintance"),
            ("03", "family or relatives"),
            ("04", "medical institution"),
            ("05", "police"),
            ("06", "neighbourhood association"),
            ("07", "welfare facility for mothers and children"),
            ("08", "child welfare facility"),
            ("09", "nursery"),
            ("10", "kindergarten"),
            ("11", "school"),
            ("12", "other department, social welfare council"),
            ("13", "the child"),
            ("14", "non-profit or volunteer group"),
            ("15", "children and families office of another ward"),
            ("16", "child-raising support desk of the ward"),
            ("98", "not known"),
            ("99", "other"),
        ],
    ),
    (
        "MethodCode",
        &[("1", "in person"), ("2", "by telephone"), ("3", "in writing"), ("4", "by a visit"), ("9", "not known")],
    ),
    (
        "CloseReasonCode",
        &[
            ("1", "better"),
            ("2", "moved within the municipality"),
            ("3", "moved away"),
            ("4", "placed in a facility"),
            ("5", "death"),
            ("9", "not known"),
        ],
    ),
    (
        "NationalRankCode",
        &[("1", "highest"), ("2", "high"), ("3", "middle"), ("4", "low"), ("5", "watch"), ("9", "not known")],
    ),
    (
        "HouseholdRiskCode",
        &[
            ("1", "many children"),
            ("2", "poverty"),
            ("3", "domestic violence"),
            ("4", "single parent"),
            ("5", "disability"),
            ("6", "unwanted pregnancy"),
            ("8", "other"),
            ("9", "not known"),
        ],
    ),
    (
        "EnrolmentCode",
        &[
            ("1", "nursery"),
            ("2", "kindergarten"),
            ("3", "elementary school"),
            ("4", "junior high school"),
            ("5", "high school"),
            ("6", "residential facility"),
            ("8", "other"),
            ("9", "not known"),
        ],
    ),
    (
        "ShieldKindCode",
        &[
            ("1", "domestic violence"),
            ("2", "stalking"),
            ("3", "child abuse"),
            ("8", "comparable case"),
            ("9", "not known"),
        ],
    ),
];

/// What a code of a list means; the code itself where it is of no list.
pub fn meaning(language: Language, list: &CodeList, code: &str) -> String {
    let japanese = || list.codes.iter().find(|(of, _)| *of == code).map(|(_, meaning)| *meaning);
    let english = || {
        let (_, meanings) = ENGLISH.iter().find(|(name, _)| *name == list.name)?;
        meanings.iter().find(|(of, _)| *of == code).map(|(_, meaning)| *meaning)
    };
    let said = match language {
        Language::Japanese => japanese(),
        Language::English => english().or_else(japanese),
    };
    said.unwrap_or(code).to_owned()
}

/// Whether a code says that it was asked and is not known.
pub fn is_unknown(list: &CodeList, code: &str) -> bool {
    list.codes.iter().any(|(of, meaning)| *of == code && *meaning == "不明")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::format::code_lists::ALL;

    #[test]
    fn every_code_has_an_english_meaning_in_the_order_of_its_list() {
        for list in ALL {
            let (_, meanings) = ENGLISH.iter().find(|(name, _)| *name == list.name).expect(list.name);
            let codes = |of: &[(&'static str, &'static str)]| of.iter().map(|(code, _)| *code).collect::<Vec<_>>();
            assert_eq!(codes(meanings), codes(list.codes), "{}", list.name);
        }
        assert_eq!(ENGLISH.len(), ALL.len());
    }
}
