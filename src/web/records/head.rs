//! The head of a record: the four items, what it is called and in what state it is. It stands above every page of a record.

use askama::{Template, filters::HtmlSafe};
use uuid::Uuid;

use super::{
    code_words::meaning,
    reading::{self, ReadRow, ReadValue, SectionReader},
};
use crate::{
    disclosure::{
        gate::Disclosed,
        view::{CLOSED_BY_SHIELD, Extent, Item, RecordView},
    },
    domain::{
        format::{Element, code_lists, sections::SECTIONS},
        organization::OrganizationKind,
        purpose::Purpose,
        visibility::{GroupSet, ItemGroup, Relation},
    },
    error::Error,
    operations::records::view_record::{ViewRecord, view_part},
    web::{language::Language, page::Visit},
};

/// For what somebody opens a record by the pages: as the link says that led there. Where none does, the ministry reviews and
/// others do casework.
///
/// # Errors
/// A purpose that there is not.
pub fn purpose_of(visit: &Visit) -> Result<Purpose, Error> {
    if let Some(said) = visit.call.query.get("purpose") {
        let unknown = || Error::field("purpose", "目的のコードを指定してください。", "must be a purpose");
        return Purpose::parse(said).ok_or_else(unknown);
    }
    Ok(match visit.caller.kind() {
        OrganizationKind::Ministry => Purpose::SeriousCaseReview,
        OrganizationKind::Municipality
        | OrganizationKind::ChildGuidanceCenter
        | OrganizationKind::Prefecture
        | OrganizationKind::Operator => Purpose::Casework,
    })
}

/// The record that the address of a page names.
///
/// # Errors
/// [`Error::NotAvailable`] where it can be none.
pub fn record_of(visit: &Visit) -> Result<Uuid, Error> {
    visit.call.id("id").map_err(|_| Error::NotAvailable)
}

/// A record as far as a page asks for it.
///
/// # Errors
/// [`Error::NotAvailable`], whether it is hidden or does not exist.
pub async fn seen(visit: &Visit, record: Uuid, extent: Extent) -> Result<Disclosed<RecordView>, Error> {
    let asked = ViewRecord { record, purpose: purpose_of(visit)? };
    view_part(&visit.gateway, &visit.caller, asked, extent).await
}

/// The four items alone, for the head of a page that shows no more of the record.
///
/// # Errors
/// As [`seen`].
pub async fn index_of(visit: &Visit, record: Uuid) -> Result<Disclosed<RecordView>, Error> {
    seen(visit, record, Extent::Only(GroupSet::EMPTY)).await
}

/// The section of a group, where it is shown.
pub fn shown(view: &RecordView, group: ItemGroup) -> Option<&Element> {
    view.items.iter().find_map(|(of, item)| match item {
        Item::Shown(element) if *of == group => Some(element),
        _ => None,
    })
}

#[derive(Template)]
#[template(path = "records/head.html")]
pub struct ChildHead {
    pub language: Language,
    pub id: Uuid,
    pub name: String,
    pub kana: String,
    pub sex: ReadValue,
    pub birth_date: String,
    pub age: i32,
    pub guardians: Vec<String>,
    /// What it is at a glance: class, urgency, kinds of abuse.
    pub tags: Vec<String>,
    pub facts: Vec<ReadRow>,
    pub is_closed: bool,
    pub is_serious: bool,
    pub is_shielded: bool,
    pub is_own: bool,
}

impl HtmlSafe for ChildHead {}

impl ChildHead {
    pub fn of(visit: &Visit, view: &RecordView) -> Self {
        let language = visit.language();
        let reader = SectionReader { language, registry: &visit.gateway.registry };
        let index = shown(view, ItemGroup::Index);
        let child = index.and_then(|index| index.child("child"));
        let text =
            |of: Option<&Element>, name: &str| of.and_then(|of| of.child_text(name)).unwrap_or_default().to_owned();
        let name = child.and_then(|child| child.child("name"));
        let sex = text(child, "sex");
        let said = meaning(language, &code_lists::SEX, &sex);
        Self {
            language,
            id: view.record,
            name: text(name, "written"),
            kana: text(name, "kana"),
            sex: if sex == "9" { ReadValue::Unknown(said) } else { ReadValue::Text(said) },
            birth_date: reading::date(language, &text(child, "birthDate")),
            age: view.age,
            guardians: index
                .into_iter()
                .flat_map(|index| index.each("guardian"))
                .map(|of| guardian(language, of))
                .collect(),
            tags: tags(language, view),
            facts: facts(&reader, view),
            is_closed: view.closed == Some(true),
            is_serious: view.serious == Some(true),
            is_shielded: view.shielded == Some(true),
            is_own: view.relation == Relation::Owner,
        }
    }
}

fn guardian(language: Language, guardian: &Element) -> String {
    let name = guardian.child("name").and_then(|name| name.child_text("written")).unwrap_or_default();
    match guardian.child_text("relationship") {
        Some(relationship) => {
            format!("{name}{}{relationship}{}", language.say("（", " ("), language.say("）", ")"))
        }
        None => name.to_owned(),
    }
}

fn tags(language: Language, view: &RecordView) -> Vec<String> {
    let mut tags = Vec::new();
    if let Some(urgency) = shown(view, ItemGroup::Assessment).and_then(|of| of.child("urgency")) {
        let value = urgency.child_text("value").unwrap_or_default();
        tags.push(format!("{}{value}", language.say("緊急度 ", "Urgency ")));
    }
    if let Some(case) = shown(view, ItemGroup::Case) {
        let class = case.child_text("caseClass").map(|code| meaning(language, &code_lists::CASE_CLASS, code));
        let kinds = case.each("abuseKind").filter_map(Element::text);
        tags.extend(class);
        tags.extend(kinds.map(|code| meaning(language, &code_lists::ABUSE_KIND, code)));
    }
    tags
}

fn facts(reader: &SectionReader<'_>, view: &RecordView) -> Vec<ReadRow> {
    let l = reader.language;
    let row = |label: (&str, &str), value: String| ReadRow {
        label: l.of_pair(label).to_owned(),
        is_wide: false,
        value: if value.is_empty() { ReadValue::Nothing } else { ReadValue::Text(value) },
    };
    let mut facts = Vec::new();
    if let Some(number) = shown(view, ItemGroup::Case).and_then(|case| case.child_text("caseNumber")) {
        facts.push(row(("ケース番号", "Case number"), number.to_owned()));
    }
    if let Some(owner) = &view.owner {
        facts.push(row(("登録機関", "Registered by"), reader.registry.name(owner)));
    }
    if let Some(officer) = shown(view, ItemGroup::Officer).and_then(|officer| officer.child_text("name")) {
        facts.push(row(("担当者", "Officer"), officer.to_owned()));
    }
    facts.push(row(("版", "Version"), view.version.to_string()));
    facts.push(row(("閲覧の立場", "Seen as"), l.of_pair(relation_name(view.relation)).to_owned()));
    facts
}

/// What somebody is to a record, as people call it.
pub fn relation_name(relation: Relation) -> (&'static str, &'static str) {
    match relation {
        Relation::Owner => ("登録機関", "its owner"),
        Relation::Counterpart => ("管轄児童相談所・住所地の市町村", "its counterpart"),
        Relation::ReceiverPreview => ("情報提供先（確認前）", "receiver, before confirming"),
        Relation::Receiver => ("情報提供先", "receiver"),
        Relation::FormerOwner => ("元の登録機関", "its former owner"),
        Relation::Reviewer => ("国（重大事案の検証）", "reviewer of a serious case"),
        Relation::BreakGlass => ("緊急閲覧", "break-glass"),
        Relation::Outsider | Relation::Nobody => ("その他", "other"),
    }
}

/// Groups that a form of a record leaves out where it is shielded: its address is closed, and its shield is set apart.
pub fn left_out_of_form(view: &RecordView) -> GroupSet {
    let closed = if view.shielded == Some(true) { GroupSet::of(CLOSED_BY_SHIELD) } else { GroupSet::EMPTY };
    closed.with(ItemGroup::Shielded)
}

/// The group of a section by the name of its element.
pub fn group_of(section: &str) -> Option<ItemGroup> {
    SECTIONS.iter().find(|of| of.field.name == section).map(|of| of.group)
}
