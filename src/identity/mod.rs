//! Who calls: the certificate says which organization and terminal, the officer says which person.
//!
//! Comes in: a verified certificate and the headers of a request. Goes out: a [`Caller`]. Both identities are looked
//! up on every request; revoking either stops the next one. Never done here: deciding about a record.

pub mod certificate;
pub mod directory;
pub mod hashing;
pub mod passkey;
pub mod password;
pub mod revocation_lists;
pub mod second_factor;
pub mod session;
pub mod sharp;
pub mod verifier;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{
    organization::{OrganizationCode, OrganizationKind},
    two_persons::StaffId,
};

/// What a staff member may do. Nothing is allowed that a role does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    Viewer,
    Caseworker,
    Supervisor,
    Auditor,
    /// Answers for who has which role (管理責任者).
    UserAdministrator,
    /// Hands out what people sign in with (認証情報管理者).
    CredentialManager,
}

impl Role {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// How it is known that a caller is the officer (law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// A case system says so.
    Named,
    /// The officer signed in at a desk with a password alone: staff from before there were second factors, until
    /// they enrol one.
    Password,
    /// The officer signed in at a desk with password and second factor.
    TwoFactors,
}

/// The authenticated caller of one request: organization, terminal and responsible officer.
#[derive(Clone, Debug)]
pub struct Caller {
    organization: OrganizationCode,
    terminal: String,
    officer: String,
    roles: Vec<Role>,
    assurance: Assurance,
    /// Whether the second factor is to be shown again before a sharp act: it was shown a while ago, in a browser.
    shows_again: bool,
    request: Uuid,
    /// Position of memory at which the caller was recognized: decisions are made as of it.
    decided_at: u64,
    /// How often the request was decided on before and went out of date meanwhile.
    attempt: usize,
}

impl Caller {
    /// The gateway acting by itself, by the clock or from the operator's console.
    pub(crate) fn gateway(request: Uuid) -> Self {
        Self {
            organization: OrganizationCode::operator(),
            terminal: "gateway".to_owned(),
            officer: "gateway".to_owned(),
            roles: Vec::new(),
            assurance: Assurance::Named,
            shows_again: false,
            request,
            decided_at: 0,
            attempt: 0,
        }
    }

    /// Somebody who claims to be an officer and has not proved it: for the entry of a refusal alone.
    pub(crate) fn unproved(organization: OrganizationCode, terminal: String, officer: String, request: Uuid) -> Self {
        Self {
            organization,
            terminal,
            officer,
            roles: Vec::new(),
            assurance: Assurance::Named,
            shows_again: false,
            request,
            decided_at: 0,
            attempt: 0,
        }
    }

    /// The same request as something that another person is named for, who stood for it before.
    pub(crate) fn recording_for(&self, person: &StaffId) -> Self {
        Self {
            organization: person.organization.clone(),
            officer: person.officer.clone(),
            roles: Vec::new(),
            assurance: Assurance::Named,
            ..self.clone()
        }
    }

    pub fn organization(&self) -> &OrganizationCode {
        &self.organization
    }

    pub fn kind(&self) -> OrganizationKind {
        self.organization.kind()
    }

    /// Serial number of the terminal's certificate, lower-case hexadecimal.
    pub fn terminal(&self) -> &str {
        &self.terminal
    }

    /// Id of the staff member within the organization.
    pub fn officer(&self) -> &str {
        &self.officer
    }

    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// Whether the second factor is to be shown again before a sharp act.
    pub fn shows_again(&self) -> bool {
        self.shows_again
    }

    /// The same caller, who shows the second factor again before a sharp act, or need not.
    pub(crate) fn showing_again(self, shows_again: bool) -> Self {
        Self { shows_again, ..self }
    }

    pub fn person(&self) -> StaffId {
        StaffId { organization: self.organization.clone(), officer: self.officer.clone() }
    }

    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    pub fn has_any_role(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.has_role(*role))
    }

    /// The same caller, deciding as of a position of memory, for the first time or again.
    pub(crate) fn deciding_at(self, position: u64, attempt: usize) -> Self {
        Self { decided_at: position, attempt, ..self }
    }

    /// Position of memory as of which this request is decided on.
    pub fn decided_at(&self) -> u64 {
        self.decided_at
    }

    /// Whether the request was decided on before: what it uses up is not taken twice.
    pub fn asks_again(&self) -> bool {
        self.attempt > 0
    }

    /// Id of the request, named in every error and ledger entry.
    pub fn request(&self) -> Uuid {
        self.request
    }
}
