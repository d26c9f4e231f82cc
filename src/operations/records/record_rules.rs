//! Rules of a record beyond its form, which no schema can state.

use time::Date;

use crate::{
    domain::{
        calendar::PartialDate,
        case_record::IndexItems,
        format::{Document, Element, Fault},
        organization::OrganizationCode,
        registry::Registry,
        visibility::ItemGroup,
    },
    error::Error,
};

/// People of a record who are searched for, and names of each: each is looked up at every change.
const MOST_PEOPLE: usize = 100;
const MOST_NAMES: usize = 20;

/// Holds a document against the registry and the calendar.
///
/// # Errors
/// Every rule that it breaks, with its path.
pub fn check(document: &Document, registry: &Registry, today: Date) -> Result<(), Error> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, rule: &'static str, ja: &str, en: &str| {
        faults.push(Fault {
            line: 0,
            path: path.to_owned(),
            rule,
            message_ja: ja.to_owned(),
            message_en: en.to_owned(),
        });
    };
    let in_future = |element: Option<&str>| {
        let limit = (today.year(), u8::from(today.month()), today.day());
        element
            .and_then(PartialDate::parse)
            .is_some_and(|date| (date.year, date.month.unwrap_or(1), date.day.unwrap_or(1)) > limit)
    };
    let is_known =
        |code: Option<&str>| code.and_then(OrganizationCode::parse).is_some_and(|code| registry.body(&code).is_some());
    if let Some(contact) = document.section(ItemGroup::Contact)
        && !is_known(contact.child_text("municipality"))
    {
        fault(
            "/childRecord/contact/municipality",
            "unknown_municipality",
            "市町村のコード（検査数字を含む6桁）ではありません。",
            "Not the code of a local government with its check digit.",
        );
    }
    if let Some(child) = document.section(ItemGroup::Index).and_then(|index| index.child("child"))
        && in_future(child.child_text("birthDate"))
    {
        fault(
            "/childRecord/index/child/birthDate",
            "birth_date_in_future",
            "生年月日が未来の日付です。",
            "The birth date lies in the future.",
        );
    }
    if let Some(items) = IndexItems::of(document) {
        let people = || std::iter::once(&items.child).chain(&items.guardians).chain(&items.relatives);
        if people().count() > MOST_PEOPLE || people().any(|person| person.names.len() > MOST_NAMES) {
            fault(
                "/childRecord/index",
                "too_many_names",
                "氏名のある人は100人まで、1人の氏名は20件までです。",
                "At most 100 people have names in a record, and each of them 20.",
            );
        }
    }
    if let Some(shield) = document.section(ItemGroup::Shielded)
        && !shield.each("named").all(|named| is_known(named.text()))
    {
        fault(
            "/childRecord/shield/named",
            "unknown_organization",
            "登録のない機関コードがあります。",
            "An organization code that the registry does not hold.",
        );
    }
    if let Some(case) = document.section(ItemGroup::Case) {
        let date = |element: &Element, name: &str| element.child_text(name).and_then(PartialDate::parse);
        if let (Some(accepted), Some(closed)) = (date(case, "acceptedOn"), date(case, "closedOn"))
            && closed < accepted
        {
            fault(
                "/childRecord/case/closedOn",
                "closed_before_accepted",
                "終了年月日が受理日より前です。",
                "The case was closed before it was accepted.",
            );
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}
