//! What the rules need to know of a record's content.

use super::{
    calendar::PartialDate,
    format::{Document, Element},
    organization::OrganizationCode,
    visibility::{ItemGroup, Shield},
};

/// Which form of a name this is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema
)]
#[serde(rename_all = "snake_case")]
pub enum NameForm {
    Written,
    Kana,
    Latin,
    Alias,
    Former,
    Second,
    Joint,
}

/// A person with every written form of the name. No `Debug`: it is personal data.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Person {
    /// The name as its owner wrote it.
    pub written: String,
    pub names: Vec<(NameForm, String)>,
}

/// What a record is found by: the four items and, by its owner alone, the names of relatives.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IndexItems {
    pub child: Person,
    pub sex: String,
    pub birth_date: PartialDate,
    pub guardians: Vec<Person>,
    pub relatives: Vec<Person>,
}

impl IndexItems {
    /// Reads the index section; `None` where the document cannot have been validated.
    pub fn of(document: &Document) -> Option<Self> {
        let index = document.section(ItemGroup::Index)?;
        let child = index.child("child")?;
        Some(Self {
            child: person(child)?,
            sex: child.child_text("sex")?.to_owned(),
            birth_date: PartialDate::parse(child.child_text("birthDate")?)?,
            guardians: index.each("guardian").filter_map(person).collect(),
            relatives: document
                .section(ItemGroup::Family)
                .map(|family| family.each("relative").filter_map(person).collect())
                .unwrap_or_default(),
        })
    }
}

fn person(element: &Element) -> Option<Person> {
    let name = element.child("name")?;
    let written = name.child_text("written")?.to_owned();
    let mut names = vec![(NameForm::Written, written.clone())];
    let forms = [("kana", NameForm::Kana), ("latin", NameForm::Latin)];
    let mut collect = |of: &Element| {
        names
            .extend(forms.iter().filter_map(|(child, form)| of.child_text(child).map(|text| (*form, text.to_owned()))));
    };
    collect(name);
    element.each("otherName").for_each(&mut collect);
    for other in element.each("otherName") {
        let form = match other.child_text("form")? {
            "alias" => NameForm::Alias,
            "former" => NameForm::Former,
            "second" => NameForm::Second,
            _ => NameForm::Joint,
        };
        names.push((form, other.child_text("written")?.to_owned()));
    }
    Some(Person { written, names })
}

/// Facts that decide who may see a record, taken from its content when it is registered or updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedFacts {
    /// The municipality in which the child lives.
    pub residence: OrganizationCode,
    /// Whether national search covers the record (児童虐待事案, or the owner's ordinance).
    pub searchable: bool,
    pub abuse_case: bool,
    pub shield: Shield,
}

impl DerivedFacts {
    /// `None` where the residence is not a local government code with a right check digit.
    pub fn of(document: &Document) -> Option<Self> {
        let residence = document.section(ItemGroup::Contact)?.child_text("municipality")?;
        let case = document.section(ItemGroup::Case);
        // A record without a case section is one of those registered with the mandatory items alone; the system
        // exists for abuse cases, and a child that cannot be found is the greater harm.
        let abuse_case = case.is_none_or(|case| case.each("abuseKind").next().is_some());
        let ordinance = case.and_then(|case| case.child_text("ordinanceBasis")) == Some("1");
        let shield = document.section(ItemGroup::Shielded).map(|shield| Shield {
            active: true,
            named: shield.each("named").filter_map(|n| n.text()).filter_map(OrganizationCode::parse).collect(),
        });
        Some(Self {
            residence: OrganizationCode::parse(residence)?,
            searchable: abuse_case || ordinance,
            abuse_case,
            shield: shield.unwrap_or_default(),
        })
    }
}

/// What is known of a record without its content: enough to decide who may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFacts {
    pub id: uuid::Uuid,
    pub owner: OrganizationCode,
    pub version: i64,
    /// The version with which the present owner began. The reporter in earlier ones is shown to nobody any more.
    pub owned_since: i64,
    pub closed: bool,
    /// Designated by its owner as a serious case (重大事案).
    pub serious: bool,
    pub derived: DerivedFacts,
}

impl RecordFacts {
    /// Whether a version is the present owner's: earlier ones are not its to read.
    pub fn has_own_version(&self, version: i64) -> bool {
        (self.owned_since..=self.version).contains(&version)
    }
}

impl std::ops::Deref for RecordFacts {
    type Target = DerivedFacts;

    fn deref(&self) -> &DerivedFacts {
        &self.derived
    }
}

/// What a record is to one reader besides what its facts say: transfers, provisions and break-glass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// A transfer offered to the reader.
    pub offered: Option<Offered>,
    /// What the reader once provided, as its former owner.
    pub provided: Option<Provided>,
    /// The reader broke the glass and the time has not run out.
    pub break_glass: bool,
}

/// A transfer offered to a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    pub confirmed: bool,
    pub provided: Provided,
}

/// A version of a record and the groups of it that were provided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    pub version: i64,
    pub groups: super::visibility::GroupSet,
    pub at: crate::clock::Timestamp,
}

/// One line of a record's history: who changed it, when and how; no content.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct VersionLine {
    pub version: i64,
    /// RFC 3339, UTC.
    pub at: String,
    pub organization: String,
    pub officer: String,
    /// What the officer was called then; left out where officers are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub officer_name: Option<String>,
    /// `registered`, `updated`, `closed` or `taken_over`.
    pub change: String,
}
