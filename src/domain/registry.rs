//! The registry of local governments, child guidance centers and jurisdictions (管轄).
//!
//! Local governments come from `data/registry/local_governments.csv` (source and licence beside it). Centers and
//! jurisdictions carry dates of validity and are looked up at the time of access.

use std::collections::{HashMap, HashSet};

use time::{Date, macros::format_description};

use super::organization::{OrganizationCode, OrganizationKind};

/// Name and reading of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredBody {
    pub code: OrganizationCode,
    pub name: String,
    /// Reading in full-width katakana; empty for centers.
    pub kana: String,
    /// Telephone of a center; empty for others.
    pub phone: String,
    valid: Validity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    from: Option<Date>,
    to: Option<Date>,
}

impl Validity {
    fn covers(self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

struct Jurisdiction {
    center: OrganizationCode,
    valid: Validity,
}

/// All bodies and who answers for whom.
pub struct Registry {
    bodies: HashMap<OrganizationCode, RegisteredBody>,
    jurisdictions: HashMap<OrganizationCode, Vec<Jurisdiction>>,
}

/// What is wrong with a registry file.
#[derive(Debug, thiserror::Error)]
#[error("{file} line {line}: {what}")]
pub struct RegistryError {
    pub file: &'static str,
    pub line: usize,
    pub what: &'static str,
}

impl Registry {
    /// The registry that ships with the gateway. Its centers and jurisdictions are a demonstration set.
    ///
    /// # Errors
    /// Never for the files as shipped; a test reads them.
    pub fn embedded() -> Result<Self, RegistryError> {
        Self::parse(
            include_str!("../../data/registry/local_governments.csv"),
            include_str!("../../data/registry/child_guidance_centers.csv"),
            include_str!("../../data/registry/jurisdictions.csv"),
        )
    }

    /// Reads the three files (CSV with a header line, UTF-8).
    ///
    /// # Errors
    /// The first line that cannot be read, with its file.
    pub fn parse(governments: &str, centers: &str, jurisdictions: &str) -> Result<Self, RegistryError> {
        let mut registry = Self { bodies: HashMap::new(), jurisdictions: HashMap::new() };
        for (line, cells) in rows(governments) {
            let fault = |what| RegistryError { file: "local_governments.csv", line, what };
            let [code, _prefecture, _kind, name, kana] = cells.as_slice() else {
                return Err(fault("5 columns expected"));
            };
            let code = OrganizationCode::parse(code).ok_or(fault("not an organization code"))?;
            let valid = Validity { from: None, to: None };
            let body = RegisteredBody {
                code: code.clone(),
                name: (*name).into(),
                kana: (*kana).into(),
                phone: String::new(),
                valid,
            };
            registry.bodies.insert(code, body);
        }
        for (code, name) in
            [(OrganizationCode::ministry(), "こども家庭庁"), (OrganizationCode::operator(), "システム運用者")]
        {
            let valid = Validity { from: None, to: None };
            let body = RegisteredBody {
                code: code.clone(),
                name: name.into(),
                kana: String::new(),
                phone: String::new(),
                valid,
            };
            registry.bodies.insert(code, body);
        }
        for (line, cells) in rows(centers) {
            let fault = |what| RegistryError { file: "child_guidance_centers.csv", line, what };
            let [code, name, _prefecture, phone, from, to] = cells.as_slice() else {
                return Err(fault("6 columns expected"));
            };
            let code = OrganizationCode::parse(code).ok_or(fault("not an organization code"))?;
            let valid = validity(from, to).ok_or(fault("not a date"))?;
            let body = RegisteredBody {
                code: code.clone(),
                name: (*name).into(),
                kana: String::new(),
                phone: (*phone).into(),
                valid,
            };
            registry.bodies.insert(code, body);
        }
        for (line, cells) in rows(jurisdictions) {
            let fault = |what| RegistryError { file: "jurisdictions.csv", line, what };
            let [center, municipality, from, to] = cells.as_slice() else { return Err(fault("4 columns expected")) };
            let center = OrganizationCode::parse(center).ok_or(fault("not an organization code"))?;
            let municipality = OrganizationCode::parse(municipality).ok_or(fault("not an organization code"))?;
            let valid = validity(from, to).ok_or(fault("not a date"))?;
            registry.jurisdictions.entry(municipality).or_default().push(Jurisdiction { center, valid });
        }
        Ok(registry)
    }

    pub fn body(&self, code: &OrganizationCode) -> Option<&RegisteredBody> {
        self.bodies.get(code)
    }

    /// The body that a text names: by its code, or by its full name where no other body has it.
    ///
    /// # Errors
    /// It names none, or several: those of that name, or else those whose name contains it, in the order of their codes.
    pub fn named(&self, text: &str) -> Result<OrganizationCode, Vec<&RegisteredBody>> {
        if let Some(code) = OrganizationCode::parse(text).filter(|code| self.body(code).is_some()) {
            return Ok(code);
        }
        let mut meant: Vec<_> = self.bodies().filter(|body| body.name == text).collect();
        if let [one] = meant[..] {
            return Ok(one.code.clone());
        }
        if meant.is_empty() {
            meant = self.bodies().filter(|body| body.name.contains(text)).collect();
        }
        meant.sort_by(|one, other| one.code.cmp(&other.code));
        Err(meant)
    }

    /// Name of a body, or its code where the registry does not know it.
    pub fn name(&self, code: &OrganizationCode) -> String {
        self.body(code).map_or_else(|| code.to_string(), |body| body.name.clone())
    }

    pub fn bodies(&self) -> impl Iterator<Item = &RegisteredBody> {
        self.bodies.values()
    }

    /// The center that answers for a municipality on a day.
    pub fn center_of(&self, municipality: &OrganizationCode, day: Date) -> Option<&OrganizationCode> {
        self.jurisdictions.get(municipality)?.iter().find(|j| j.valid.covers(day)).map(|j| &j.center)
    }

    /// The prefecture to which a body belongs.
    pub fn prefecture_of(&self, body: &OrganizationCode) -> Option<OrganizationCode> {
        let number = body.prefecture();
        let is_office = |code: &&OrganizationCode| {
            code.kind() == OrganizationKind::Prefecture && code.prefecture() == number && number != "00"
        };
        self.bodies.keys().find(is_office).cloned()
    }

    /// Municipalities for which a center answers on a day.
    pub fn municipalities_of(&self, center: &OrganizationCode, day: Date) -> Vec<OrganizationCode> {
        let answers = |all: &Vec<Jurisdiction>| all.iter().any(|j| j.valid.covers(day) && j.center == *center);
        let mut found: Vec<_> =
            self.jurisdictions.iter().filter(|(_, all)| answers(all)).map(|(code, _)| code.clone()).collect();
        found.sort();
        found
    }

    /// Every center that exists on a day.
    pub fn centers_on(&self, day: Date) -> Vec<&RegisteredBody> {
        let mut centers: Vec<_> =
            self.bodies.values().filter(|body| body.code.as_str().contains('-') && body.valid.covers(day)).collect();
        centers.sort_by(|a, b| a.code.cmp(&b.code));
        centers
    }

    /// Prefectures that have a body among `connected`.
    pub fn prefectures_of<'a>(connected: impl Iterator<Item = &'a OrganizationCode>) -> HashSet<&'a str> {
        connected.map(OrganizationCode::prefecture).filter(|prefecture| *prefecture != "00").collect()
    }
}

fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().enumerate().skip(1).map(|(index, line)| (index + 1, line.split(',').collect()))
}

fn validity(from: &str, to: &str) -> Option<Validity> {
    let format = format_description!("[year]-[month]-[day]");
    let date = |text: &str| if text.is_empty() { Some(None) } else { Date::parse(text, &format).ok().map(Some) };
    Some(Validity { from: date(from)?, to: date(to)? })
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn the_shipped_registry_knows_every_local_government_and_who_answers_for_it() {
        let registry = Registry::embedded().unwrap();
        let local = registry.bodies().filter(|b| b.code.prefecture() != "00" && !b.code.as_str().contains('-')).count();
        assert_eq!(local, 1_965);
        let prefectures: HashSet<&str> =
            registry.centers_on(date!(2026 - 04 - 01)).iter().map(|b| b.code.prefecture()).collect();
        assert_eq!(prefectures.len(), 47);
    }

    #[test]
    fn jurisdiction_follows_the_day() {
        let registry = Registry::embedded().unwrap();
        let city = OrganizationCode::parse("012211").unwrap();
        let before = registry.center_of(&city, date!(2024 - 03 - 31)).unwrap();
        let after = registry.center_of(&city, date!(2024 - 04 - 01)).unwrap();
        assert_eq!((before.as_str(), after.as_str()), ("010006-01", "010006-02"));
    }
}
