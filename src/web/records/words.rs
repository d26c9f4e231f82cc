//! What the fields of a record are called on the pages. The definition has the Japanese term of each; here are the English
//! one, a shorter Japanese one where the term says how to fill the field in, and what helps to fill it in.
//!
//! A key is the path of a field from its section on, or `*.` and the end of the paths of what occurs in several places.

use crate::{domain::format::definition::Field, web::language::Language};

/// What one field is called.
pub struct FieldWords {
    key: &'static str,
    english: &'static str,
    japanese: Option<&'static str>,
    support: Option<(&'static str, &'static str)>,
}

impl FieldWords {
    /// With a shorter Japanese term than that of the definition.
    const fn short(self, japanese: &'static str) -> Self {
        Self { japanese: Some(japanese), ..self }
    }

    /// With what stands between label and field, in Japanese and English.
    const fn support(self, japanese: &'static str, english: &'static str) -> Self {
        Self { support: Some((japanese, english)), ..self }
    }
}

const fn of(key: &'static str, english: &'static str) -> FieldWords {
    FieldWords { key, english, japanese: None, support: None }
}

const PARTIAL: (&str, &str) =
    ("日や月が不明のときは、分かるところまで入力", "Where day or month are not known, enter what is known");

const WORDS: &[FieldWords] = &[
    of("index", "Child and guardians"),
    of("index.child", "Child"),
    of("index.child.sex", "Sex"),
    of("index.child.birthDate", "Birth date").short("生年月日").support(PARTIAL.0, PARTIAL.1),
    of("index.guardian", "Guardian"),
    of("index.guardian.name", "Guardian's name"),
    of("index.guardian.authority", "Kind of guardian"),
    of("index.guardian.relationship", "Relation to the child")
        .support("例：母、養父、祖母", "Mother, adoptive father, …"),
    of("index.guardian.birthDate", "Birth date").support(PARTIAL.0, PARTIAL.1),
    of("*.name", "Name"),
    of("*.name.written", "Name as written").short("氏名").support(
        "公簿等の表記のとおり。姓と名の間に空白を1つ入れる",
        "As in the register, with a space between family and given name",
    ),
    of("*.name.kana", "Name in kana"),
    of("*.name.latin", "Name in Latin letters").short("氏名（アルファベット）"),
    of("*.otherName", "Other name"),
    of("*.otherName.form", "Kind of name"),
    of("*.otherName.written", "Name as written").short("氏名").support("表記のとおり", "As it is written"),
    of("*.otherName.kana", "Name in kana"),
    of("*.otherName.latin", "Name in Latin letters").short("氏名（アルファベット）"),
    of("contact", "Address and contact"),
    of("contact.municipality", "Municipality of residence").short("住所地の市町村").support(
        "全国地方公共団体コード（検査数字を含む6桁）、又は市町村名",
        "Six-digit local government code, or the name in Japanese",
    ),
    of("contact.postalCode", "Postal code").support("例：270-1492", "270-1492, say"),
    of("contact.address", "Address"),
    of("contact.addressAnnex", "Building and room"),
    of("contact.previousAddress", "Previous address"),
    of("contact.phone", "Telephone").support("数字とハイフン", "Digits and hyphens"),
    of("contact.email", "E-mail address"),
    of("contact.emergencyContact", "Whom to call in an emergency"),
    of("affiliation", "School or nursery"),
    of("affiliation.facility", "School or nursery"),
    of("affiliation.facility.enrolment", "Kind"),
    of("affiliation.facility.name", "Name").short("名称"),
    of("affiliation.facility.grade", "Grade and class"),
    of("affiliation.facility.since", "Enrolled since"),
    of("affiliation.facility.attendance", "Attendance"),
    of("case", "Case"),
    of("case.caseClass", "Class of case"),
    of("case.abuseKind", "Kinds of abuse").support("該当するものすべて", "All that apply"),
    of("case.abuseDegree", "Degree of abuse"),
    of("case.primaryAbuser", "Abuser (main)"),
    of("case.secondaryAbuser", "Abuser (second)"),
    of("case.ordinanceBasis", "Found by national search on an ordinance's basis, though no abuse case")
        .short("条例に基づく全国検索")
        .support(
            "児童虐待以外の事案を、条例に基づき全国検索の対象とするか",
            "Whether an ordinance puts this case, which is none of abuse, before national search",
        ),
    of("case.caseNumber", "Case number"),
    of("case.acceptedOn", "Accepted on"),
    of("case.report", "Report"),
    of("case.report.date", "Date of the report"),
    of("case.report.route", "From whom"),
    of("case.report.method", "How it was made"),
    of("case.report.content", "What was reported").support(
        "見聞きした事実、日時、頻度。推測は「推測」と書き分ける",
        "What was seen and heard, when and how often. Say so where it is a guess",
    ),
    of("case.referralToCenter", "Referral to the child guidance center"),
    of("case.pastResponse", "What was done before"),
    of("case.closedOn", "Ended on"),
    of("case.closeReason", "Why it ended"),
    of("assessment", "Assessment"),
    of("assessment.urgency", "Urgency"),
    of("assessment.severity", "Severity"),
    of("*.scale", "Name of the scale")
        .short("尺度の名称")
        .support("自治体の尺度。例：市独自（S・A～F）", "The body's own scale"),
    of("*.value", "On that scale").short("尺度上の値"),
    of("*.nationalRank", "National rank"),
    of("assessment.riskSheet", "Risk sheet"),
    of("assessment.riskSheet.form", "Name of the form"),
    of("assessment.riskSheet.assessedOn", "Assessed on"),
    of("assessment.riskSheet.riskItem", "Item"),
    of("assessment.riskSheet.riskItem.item", "Item"),
    of("assessment.riskSheet.riskItem.answer", "Answer"),
    of("assessment.riskSheet.riskItem.note", "Remark"),
    of("assessment.temporaryProtectionNeeded", "Temporary protection needed"),
    of("assessment.result", "Assessment and judgement"),
    of("support", "Support"),
    of("support.policy", "Policy of support"),
    of("support.note", "Progress note"),
    of("support.note.at", "When"),
    of("support.note.method", "How"),
    of("support.note.content", "What was done, and what was found"),
    of("support.conference", "Case conference"),
    of("support.conference.heldOn", "Held on"),
    of("support.conference.content", "What was discussed and decided"),
    of("support.watch", "Watching over"),
    of("support.watch.status", "Watched over"),
    of("support.watch.agency", "By whom").support("該当するものすべて", "All that apply"),
    of("family", "Family"),
    of("family.situation", "The family's situation"),
    of("family.economicState", "Economic state"),
    of("family.householdRisk", "Risks of the household").support("該当するものすべて", "All that apply"),
    of("family.relative", "Relative"),
    of("family.relative.relationship", "Relation to the child"),
    of("family.relative.birthDate", "Birth date").support(PARTIAL.0, PARTIAL.1),
    of("family.relative.cohabiting", "Lives with the child"),
    of("family.relative.occupation", "Occupation"),
    of("family.genogram", "The family in words"),
    of("officer", "Officer in charge"),
    of("officer.name", "Officer's name"),
    of("officer.department", "Department"),
    of("officer.phone", "Officer's telephone").support("数字とハイフン", "Digits and hyphens"),
    of("reporter", "Reporter"),
    of("reporter.name", "Reporter's name")
        .support("自機関の外へは、いかなる場合も提供されません", "Never leaves this body"),
    of("reporter.phone", "Reporter's telephone").support("数字とハイフン", "Digits and hyphens"),
    of("reporter.address", "Reporter's address"),
    of("reporter.relationToChild", "Reporter's relation to the child"),
    of("reporter.known", "What the reporter knows"),
    of("reporter.wishes", "What the reporter wishes, further contact"),
    of("shield", "Shield"),
    of("shield.kind", "Kind of measure"),
    of("shield.since", "In force since"),
    of("shield.named", "Bodies to which the address may go").short("住所等の開示先の機関"),
    of("shield.note", "About the measure"),
];

/// What the field at a path is called; `None` where nobody has named it.
fn words_of(path: &str) -> Option<&'static FieldWords> {
    let at = |words: &&FieldWords| words.key == path;
    let ends = |words: &&FieldWords| {
        words.key.strip_prefix('*').is_some_and(|end| path.len() > end.len() && path.ends_with(end))
    };
    WORDS.iter().find(at).or_else(|| WORDS.iter().find(ends))
}

/// The label of a field: in English its element name where it has no other.
pub fn label(language: Language, path: &str, field: &'static Field) -> &'static str {
    let words = words_of(path);
    match language {
        Language::Japanese => words.and_then(|words| words.japanese).unwrap_or(field.japanese),
        Language::English => words.map_or(field.name, |words| words.english),
    }
}

/// What helps to fill a field in.
pub fn support(language: Language, path: &str) -> Option<&'static str> {
    words_of(path)?.support.map(|texts| language.of_pair(texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::format::{definition::FieldContent, sections::SECTIONS};

    fn paths(path: String, field: &Field, found: &mut Vec<String>) {
        if let FieldContent::Children(children) = field.content {
            children.iter().for_each(|child| paths(format!("{path}.{}", child.name), child, found));
        }
        found.push(path);
    }

    #[test]
    fn every_field_has_an_english_name_and_every_name_a_field() {
        let mut found = Vec::new();
        SECTIONS.iter().for_each(|section| paths(section.field.name.to_owned(), &section.field, &mut found));
        let nameless: Vec<&String> = found.iter().filter(|path| words_of(path).is_none()).collect();
        assert!(nameless.is_empty(), "name them in words.rs: {nameless:?}");
        let names_any =
            |words: &FieldWords| found.iter().any(|path| words_of(path).is_some_and(|of| of.key == words.key));
        let idle: Vec<&str> = WORDS.iter().filter(|words| !names_any(words)).map(|words| words.key).collect();
        assert!(idle.is_empty(), "of no field: {idle:?}");
        assert!(words_of("index.child.planted").is_none(), "a new field would be missed");
    }
}
