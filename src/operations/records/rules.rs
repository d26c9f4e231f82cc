//! Rules of a record beyond its form, which no schema can state.

use time::Date;

use crate::{
    domain::{
        calendar::PartialDate,
        case_record::IndexItems,
        format::{Document, Element, Fault},
        organization::OrganizationCode,
        registry::Registry,
        visibility::{ItemGroup, Shield},
    },
    error::Error,
    planted::Planted,
};

/// People of a record who are searched for, and names of each: each is looked up at every change.
const MAX_PEOPLE: usize = 100;
const MAX_NAMES: usize = 20;

/// Holds a document against the registry and the calendar.
///
/// # Errors
/// Every rule that it breaks, with its path.
pub fn check(document: &Document, registry: &Registry, today: Date) -> Result<(), Error> {
    let rules = [
        residence(document, registry),
        birth_date(document, today),
        names(document),
        document.section(ItemGroup::Shielded).and_then(|shield| named_bodies(shield, registry)),
        closing(document),
    ];
    let faults: Vec<Fault> = rules.into_iter().flatten().collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

/// Holds the section of a shield against the registry.
///
/// # Errors
/// It names a body that does not exist.
pub fn check_shield(shield: &Element, registry: &Registry) -> Result<(), Error> {
    named_bodies(shield, registry).map_or(Ok(()), |fault| Err(vec![fault].into()))
}

/// Whether a section of a shield names no body that the present shield does not name.
pub fn names_none_but(section: &Element, present: &Shield) -> bool {
    if Planted::NameAlone.is_planted() {
        return true;
    }
    section.each("named").filter_map(Element::text).all(|named| present.named.iter().any(|code| code.as_str() == named))
}

/// Whether a document names no body under its shield that the present shield does not name.
pub fn document_names_none_but(document: &Document, present: &Shield) -> bool {
    document.section(ItemGroup::Shielded).is_none_or(|section| names_none_but(section, present))
}

fn fault(path: &str, rule: &'static str, ja: &str, en: &str) -> Option<Fault> {
    let (message_ja, message_en) = (ja.to_owned(), en.to_owned());
    Some(Fault { line: 0, path: path.to_owned(), rule: rule.into(), message_ja, message_en })
}

fn is_known(registry: &Registry, code: Option<&str>) -> bool {
    code.and_then(OrganizationCode::parse).is_some_and(|code| registry.body(&code).is_some())
}

fn residence(document: &Document, registry: &Registry) -> Option<Fault> {
    let contact = document.section(ItemGroup::Contact)?;
    if is_known(registry, contact.child_text("municipality")) {
        return None;
    }
    fault(
        "/childRecord/contact/municipality",
        "unknown_municipality",
        "「住所地の市町村」には、全国地方公共団体コード（検査数字を含む6桁）を入力してください。画面では市町村名でも入力できます。",
        "This is not the code of a local government with its check digit.",
    )
}

fn birth_date(document: &Document, today: Date) -> Option<Fault> {
    let written = document.section(ItemGroup::Index)?.child("child")?.child_text("birthDate")?;
    let date = PartialDate::parse(written)?;
    let limit = (today.year(), u8::from(today.month()), today.day());
    if (date.year, date.month.unwrap_or(1), date.day.unwrap_or(1)) <= limit {
        return None;
    }
    fault(
        "/childRecord/index/child/birthDate",
        "birth_date_in_future",
        "「生年月日」には、今日以前の日付を入力してください。",
        "The birth date lies in the future.",
    )
}

fn names(document: &Document) -> Option<Fault> {
    let items = IndexItems::of(document)?;
    let people = || std::iter::once(&items.child).chain(&items.guardians).chain(&items.relatives);
    if people().count() <= MAX_PEOPLE && people().all(|person| person.names.len() <= MAX_NAMES) {
        return None;
    }
    fault(
        "/childRecord/index",
        "too_many_names",
        "氏名を記載できる人は100人まで、1人の氏名は20件までです。",
        "At most 100 people have names in a record, and each of them 20.",
    )
}

fn named_bodies(shield: &Element, registry: &Registry) -> Option<Fault> {
    if shield.each("named").all(|named| is_known(registry, named.text())) {
        return None;
    }
    fault(
        "/childRecord/shield/named",
        "unknown_organization",
        "登録されていない機関コードです。コードを確かめて入力し直してください。",
        "The registry does not hold this organization code.",
    )
}

fn closing(document: &Document) -> Option<Fault> {
    let case = document.section(ItemGroup::Case)?;
    let date = |name: &str| case.child_text(name).and_then(PartialDate::parse);
    if date("closedOn")? >= date("acceptedOn")? {
        return None;
    }
    fault(
        "/childRecord/case/closedOn",
        "closed_before_accepted",
        "「終了年月日」には、「受理日」以後の日付を入力してください。",
        "The case was closed before it was accepted.",
    )
}
