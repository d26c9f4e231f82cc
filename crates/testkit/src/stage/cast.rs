//! Who is on a stage.

use std::collections::BTreeMap;

use tsunagi::domain::organization::OrganizationCode;

use super::file::{self, P12_PASSWORD, PersonLine, StageFile};
use crate::{
    persons::DeskPerson,
    pki::{Authority, Flaw},
    world::{ADMINISTRATOR, CREDENTIAL_MANAGER, OPERATOR_DESK, OPERATORS, Party, World, WorldError},
};

/// Id, name and roles of somebody at a desk.
type Somebody = (&'static str, &'static str, &'static [&'static str]);

/// A body, by the name of its certificates, with its code and its people. The first of them is whom its machine names.
struct Body {
    name: &'static str,
    code: &'static str,
    people: &'static [Somebody],
}

const BODIES: [Body; 6] = [
    Body {
        name: "city-a",
        code: "122327",
        people: &[
            ("sato", "佐藤 美和", &["caseworker"]),
            ("kato", "加藤 恒一", &["supervisor"]),
            ("abe", "阿部 玲子", &["auditor"]),
            ("mori", "森 和人", &["viewer"]),
        ],
    },
    Body {
        name: "center-a",
        code: "120006-04",
        people: &[("suzuki", "鈴木 直子", &["caseworker"]), ("ono", "小野 隆", &["supervisor"])],
    },
    Body {
        name: "city-b",
        code: "172014",
        people: &[("tanaka", "田中 悠", &["caseworker"]), ("hara", "原 幸子", &["supervisor"])],
    },
    Body {
        name: "center-far",
        code: "010006-01",
        people: &[("ito", "伊藤 誠", &["caseworker"]), ("kudo", "工藤 春香", &["supervisor"])],
    },
    Body { name: "prefecture", code: "120006", people: &[("hayashi", "林 俊介", &["supervisor", "auditor"])] },
    Body {
        name: "ministry",
        code: "ministry",
        people: &[("yamada", "山田 智子", &["caseworker"]), ("nagai", "永井 修", &["supervisor", "auditor"])],
    },
];

/// The operator's first persons and every body's.
const FIRST: [Somebody; 2] = [
    (ADMINISTRATOR, "管理 責任者", &["user_administrator"]),
    (CREDENTIAL_MANAGER, "認証情報 管理者", &["credential_manager"]),
];

/// Certificates with which nobody gets in: one whose day is over, one of another CA, one of a terminal that nobody
/// registered.
pub const EXPIRED: &str = "expired";
pub const STRANGER: &str = "stranger";
pub const UNREGISTERED: &str = "unregistered";

/// Somebody at a desk, with what they sign in with.
struct Seated {
    party: &'static str,
    somebody: Somebody,
    person: DeskPerson,
}

/// The parties of a stage.
pub struct Cast {
    pub(super) parties: BTreeMap<String, Party>,
    seated: Vec<Seated>,
    /// Serials of desks that can be revoked, by name.
    pub(super) serials: BTreeMap<String, String>,
    pub(super) revoked: Vec<String>,
}

impl Cast {
    /// Opens the bodies with these names, each with a machine, a desk and its people; all of them where none is named.
    pub async fn open(world: &World, names: &[String]) -> Result<Self, WorldError> {
        let mut cast =
            Self { parties: BTreeMap::new(), seated: Vec::new(), serials: BTreeMap::new(), revoked: Vec::new() };
        let operators = world.premises.operators(world.address, &world.clock).await?;
        let operators = [operators.administrator, operators.credential_manager];
        cast.seat_first("operator", OPERATORS, operators);
        for body in BODIES.iter().filter(|body| names.is_empty() || names.iter().any(|name| name == body.name)) {
            cast.open_body(world, body).await?;
        }
        let directory = world.premises.authority.directory();
        let (authority, city) = (&world.premises.authority, OrganizationCode::parse("122327"));
        let city = city.ok_or_else(|| WorldError::Unexpected("122327 is no code".to_owned()))?;
        authority.issue_terminal(EXPIRED, &city, Flaw::Expired)?;
        authority.issue_terminal(UNREGISTERED, &city, Flaw::None)?;
        let elsewhere = Authority::create(&directory.join("elsewhere"))?;
        elsewhere.issue_terminal(STRANGER, &city, Flaw::None)?;
        Ok(cast)
    }

    fn seat_first(&mut self, party: &'static str, ids: [&'static str; 2], persons: [DeskPerson; 2]) {
        for ((officer, person), (_, name, roles)) in ids.into_iter().zip(persons).zip(FIRST) {
            self.seated.push(Seated { party, somebody: (officer, name, roles), person });
        }
    }

    async fn open_body(&mut self, world: &World, body: &Body) -> Result<(), WorldError> {
        let Some(((first, name, roles), others)) = body.people.split_first() else { return Ok(()) };
        let party = world.connect_named(body.name, body.code, (first, name), roles).await?;
        let first_persons = [ADMINISTRATOR, CREDENTIAL_MANAGER];
        let desk = party.first.administrator.desk().clone();
        let known = first_persons.map(|officer| DeskPerson::known(&desk, &party.code, officer));
        self.seat_first(body.name, first_persons, known);
        for (officer, name, roles) in others {
            party.first.appoint_named((officer, name), roles).await?;
        }
        for somebody in body.people {
            let person = party.first.seat(somebody.0).await?;
            self.seated.push(Seated { party: body.name, somebody: *somebody, person });
        }
        self.parties.insert(body.name.to_owned(), party);
        Ok(())
    }

    /// Somebody at a desk, by party and id.
    pub fn person(&self, party: &str, officer: &str) -> Result<&DeskPerson, WorldError> {
        let found = self.seated.iter().find(|seated| seated.party == party && seated.somebody.0 == officer);
        let found = found.ok_or_else(|| WorldError::Unexpected(format!("nobody is {officer} of {party}")))?;
        Ok(&found.person)
    }

    pub fn party(&self, name: &str) -> Result<&Party, WorldError> {
        self.parties.get(name).ok_or_else(|| WorldError::Unexpected(format!("{name} is not on this stage")))
    }

    /// All that a browser needs.
    pub fn described(&self, world: &World) -> Result<StageFile<'_>, WorldError> {
        let certs = world.premises.authority.directory();
        let desks = self.parties.keys().map(|name| format!("{name}-desk")).chain([OPERATOR_DESK.to_owned()]);
        let machines = self.parties.keys().cloned();
        let unwelcome = [EXPIRED, UNREGISTERED].map(str::to_owned);
        let mut terminals = BTreeMap::new();
        for name in desks.chain(machines).chain(unwelcome) {
            let files = file::for_browsers(certs, &name)?;
            terminals.insert(name, files);
        }
        terminals.insert(STRANGER.to_owned(), file::for_browsers(&certs.join("elsewhere"), STRANGER)?);
        let persons = self.seated.iter().map(|seated| seated.line()).collect();
        Ok(StageFile {
            origin: format!("https://localhost:{}", world.address.port()),
            ca: certs.join("ca.crt").display().to_string(),
            server: file::files(certs, "server"),
            p12_password: P12_PASSWORD,
            terminals,
            persons,
        })
    }
}

impl Seated {
    fn line(&self) -> PersonLine<'_> {
        let (officer, name, roles) = self.somebody;
        PersonLine {
            party: self.party,
            organization: self.person.code.as_str(),
            desk: self.person.desk().credentials.name.clone(),
            officer,
            name,
            roles: roles.to_vec(),
            password: &self.person.password,
            secret: self.person.typed_secret(),
            recovery_codes: &self.person.recovery_codes,
        }
    }
}
