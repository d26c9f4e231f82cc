//! What stands around every page: who is here, where one can go, what was done, and what accounts for what is seen.

use askama::{FastWritable, Values, filters::HtmlSafe};
use uuid::Uuid;

use super::{
    all,
    assets::{ICON, PASSKEYS, STYLE},
    cookies::random_value,
    csrf,
    form::KEY,
    language::Language,
    page::{DeskVisit, Visit},
};
use crate::{
    domain::organization::OrganizationKind,
    error::Error,
    identity::{Assurance, Caller, Role},
    operations::accounts::who_am_i::who_am_i,
};

/// With fewer recovery codes a person is told to have them renewed.
const FEW_CODES: usize = 4;

/// A part of the pages, as the navigation names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PagePart {
    Today,
    Intake,
    Search,
    Records,
    Transfers,
    Missing,
    Serious,
    Staffing,
    Disclosures,
    Organizations,
    Settings,
    /// None of them: signing in, what went wrong.
    Apart,
}

/// The parts in their order, each with its first page and its name.
const PARTS: [(PagePart, &str, (&str, &str)); 11] = [
    (PagePart::Today, "/", ("今日", "Today")),
    (PagePart::Intake, "/intake", ("通告・相談", "Reports")),
    (PagePart::Search, "/search", ("全国検索", "National search")),
    (PagePart::Records, "/records", ("児童記録票", "Records")),
    (PagePart::Transfers, "/transfers", ("転出入", "Transfers")),
    (PagePart::Missing, "/missing", ("行方不明児童", "Missing children")),
    (PagePart::Serious, "/serious", ("重大事案", "Serious cases")),
    (PagePart::Staffing, "/staffing", ("職員体制", "Staffing")),
    (PagePart::Disclosures, "/disclosures", ("閲覧履歴", "Access history")),
    (PagePart::Organizations, "/organizations", ("接続機関", "Organizations")),
    (PagePart::Settings, "/settings", ("設定", "Settings")),
];

/// A link of the navigation.
pub struct NavigationLink {
    pub path: &'static str,
    pub name: &'static str,
    pub is_current: bool,
}

/// Who is signed in, and where.
pub struct Here {
    pub organization: String,
    pub officer: String,
    pub roles: String,
    pub terminal: String,
    pub navigation: Vec<NavigationLink>,
    pub kind: OrganizationKind,
    recovery_codes_left: Option<usize>,
}

/// What stands around a page.
pub struct Shell {
    pub language: Language,
    pub title: String,
    pub here: Option<Here>,
    form_token: String,
    /// Ledger entries that account for what the page shows.
    pub entries: Vec<Uuid>,
    /// What was just done.
    pub done: Option<String>,
}

impl Shell {
    /// Around a page for somebody who is signed in.
    ///
    /// # Errors
    /// The database failed.
    pub async fn around(visit: &Visit, title: (&str, &str), part: PagePart) -> Result<Self, Error> {
        let language = visit.language();
        let who = who_am_i(&visit.gateway, &visit.caller).await?;
        let who = who.value();
        let roles = who.roles.iter().map(|role| language.of_pair(role_name(*role)));
        let here = Here {
            organization: who.name.clone(),
            officer: who.officer_name.clone(),
            roles: roles.collect::<Vec<_>>().join(language.say("・", ", ")),
            terminal: who.terminal_label.clone(),
            navigation: navigation(&visit.caller, part, language),
            kind: who.kind,
            recovery_codes_left: who.recovery_codes_left,
        };
        Ok(Self {
            language,
            title: language.of_pair(title).to_owned(),
            here: Some(here),
            form_token: csrf::token_of(&visit.call.fingerprint, &visit.call.headers),
            entries: Vec::new(),
            done: None,
        })
    }

    /// Around a page at a desk before somebody is signed in; its forms are bound to the visit.
    pub fn at_desk(visit: &DeskVisit, title: (&str, &str), anchor: &str) -> Self {
        let form_token = csrf::token(&visit.call.fingerprint, anchor);
        Self { form_token, ..Self::bare(visit.language(), title) }
    }

    /// Around a page without forms.
    pub fn bare(language: Language, title: (&str, &str)) -> Self {
        Self {
            language,
            title: language.of_pair(title).to_owned(),
            here: None,
            form_token: String::new(),
            entries: Vec::new(),
            done: None,
        }
    }

    /// With the entries that account for what is shown.
    pub fn accounted_for(mut self, entries: &[Uuid]) -> Self {
        self.entries.extend_from_slice(entries);
        self
    }

    /// With what was just done, where the address says so.
    pub fn after(mut self, visit: &Visit, known: &[(&str, (&str, &str))]) -> Self {
        let code = visit.call.query.get("done");
        let said = known.iter().find(|(of, _)| code.is_some_and(|code| code == of));
        self.done = said.map(|(_, texts)| self.language.of_pair(*texts).to_owned());
        self
    }

    /// Whether the person is about to run out of recovery codes.
    pub fn has_few_codes(&self) -> bool {
        let left = self.here.as_ref().and_then(|here| here.recovery_codes_left);
        left.is_some_and(|left| left < FEW_CODES)
    }

    /// Whether a center is here.
    pub fn is_center(&self) -> bool {
        self.here.as_ref().is_some_and(|here| here.kind == OrganizationKind::ChildGuidanceCenter)
    }

    /// Address of the style.
    pub fn style(&self) -> String {
        STYLE.path()
    }

    /// Address of the script that asks for passkeys.
    pub fn passkeys_script(&self) -> String {
        PASSKEYS.path()
    }

    /// Address of the icon.
    pub fn icon(&self) -> String {
        ICON.path()
    }

    /// The token alone, of a form that is sent a second time under the key that it has.
    pub fn token_alone(&self) -> HiddenFields {
        HiddenFields { token: self.form_token.clone(), key: None }
    }

    /// What every form has: the token of the session, and a key by which it is known when it is sent again.
    pub fn hidden(&self) -> HiddenFields {
        HiddenFields { token: self.form_token.clone(), key: Some(random_value().unwrap_or_default()) }
    }
}

/// The hidden fields of a form.
pub struct HiddenFields {
    token: String,
    key: Option<String>,
}

impl std::fmt::Display for HiddenFields {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (token_name, key_name) = (csrf::FIELD, KEY);
        // Both values are base64url: nothing in them needs to be escaped.
        write!(out, "<input type=\"hidden\" name=\"{token_name}\" value=\"{}\">", self.token)?;
        match &self.key {
            Some(key) => write!(out, "<input type=\"hidden\" name=\"{key_name}\" value=\"{key}\">"),
            None => Ok(()),
        }
    }
}

impl FastWritable for HiddenFields {
    fn write_into(&self, out: &mut dyn std::fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(out, "{self}")?)
    }
}
impl HtmlSafe for HiddenFields {}

/// Whether there is such a page, and it is open to the caller.
pub fn is_open(caller: &Caller, path: &str) -> bool {
    all().any(|page| page.path == path && page.method == "GET" && page.allows(caller))
}

/// The parts that have a page which is open to the caller.
fn navigation(caller: &Caller, current: PagePart, language: Language) -> Vec<NavigationLink> {
    PARTS
        .into_iter()
        .filter(|(_, path, _)| is_open(caller, path))
        .map(|(part, path, names)| NavigationLink { path, name: language.of_pair(names), is_current: part == current })
        .collect()
}

/// A role as people call it.
pub fn role_name(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Viewer => ("閲覧者", "viewer"),
        Role::Caseworker => ("ケースワーカー", "caseworker"),
        Role::Supervisor => ("監督者", "supervisor"),
        Role::Auditor => ("監査担当", "auditor"),
        Role::UserAdministrator => ("管理責任者", "user administrator"),
        Role::CredentialManager => ("認証情報管理者", "credential manager"),
    }
}

/// How it is known who somebody is, as people call it.
pub fn assurance_name(assurance: Assurance) -> (&'static str, &'static str) {
    match assurance {
        Assurance::Named => ("業務システム", "case system"),
        Assurance::Password => ("パスワードのみ", "password alone"),
        Assurance::TwoFactors => ("二要素認証", "two factors"),
    }
}
