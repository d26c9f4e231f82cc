//! Organizations, terminals, staff and sessions in force, in memory. The journal keeps it in line with the database.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use super::{Assurance, Caller, Role, certificate::TerminalCertificate, session::Session};
use crate::{
    clock::Timestamp,
    domain::{organization::OrganizationCode, visibility::VisibilitySettings},
};

/// An organization that is connected to the gateway.
#[derive(Clone, Debug)]
pub struct Organization {
    pub code: OrganizationCode,
    pub active: bool,
    /// Whom to call: printed beside a hit.
    pub relay_desk: String,
    pub settings: VisibilitySettings,
    pub last_upload_at: Option<Timestamp>,
}

/// How a terminal says who uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TerminalKind {
    /// A case system: names its responsible officer in a header.
    Machine,
    /// A desk: its staff sign in.
    Desk,
}

impl TerminalKind {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A registered terminal, known by the serial of its certificate.
#[derive(Clone, Debug)]
pub struct Terminal {
    pub serial: String,
    pub organization: OrganizationCode,
    pub kind: TerminalKind,
    pub label: String,
    pub active: bool,
}

/// A staff member. No `Debug`: it holds a name.
#[derive(Clone)]
pub struct StaffMember {
    pub organization: OrganizationCode,
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub active: bool,
}

/// A change that follows a committed effect.
pub enum DirectoryChange {
    Organization(Box<Organization>),
    Uploaded(OrganizationCode, Timestamp),
    Terminal(Box<Terminal>),
    Staff(Box<StaffMember>),
    /// Its row is not there, or not what the gateway wrote: it is not in force.
    OrganizationSetAside(OrganizationCode),
    TerminalSetAside(String),
    StaffSetAside(OrganizationCode, String),
    Session(Box<([u8; 32], Session)>),
    /// All sessions of one officer, by the digests of their tokens.
    Sessions(OrganizationCode, String, Vec<([u8; 32], Session)>),
    /// Forgets sessions whose time has run out.
    ForgetExpired(Timestamp),
}

/// Why a caller was not recognized. What it says to the caller is the same for all of them but the officer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecognized {
    #[error("organization_not_connected")]
    Organization,
    #[error("terminal_not_registered")]
    Terminal,
    #[error("terminal_revoked")]
    TerminalRevoked,
    #[error("certificate_expired")]
    CertificateExpired,
    #[error("officer_missing")]
    OfficerMissing,
    #[error("officer_not_active")]
    Officer,
    #[error("session_invalid")]
    Session,
}

#[derive(Default)]
struct Inner {
    organizations: HashMap<OrganizationCode, Organization>,
    terminals: HashMap<String, Terminal>,
    staff: HashMap<(OrganizationCode, String), StaffMember>,
    sessions: HashMap<[u8; 32], Session>,
}

impl Inner {
    fn caller(
        &self,
        terminal: &Terminal,
        officer: String,
        assurance: Assurance,
        request: Uuid,
    ) -> Result<Caller, Unrecognized> {
        let staff = self
            .staff
            .get(&(terminal.organization.clone(), officer))
            .filter(|staff| staff.active)
            .ok_or(Unrecognized::Officer)?;
        Ok(Caller {
            organization: staff.organization.clone(),
            terminal: terminal.serial.clone(),
            officer: staff.id.clone(),
            roles: staff.roles.clone(),
            assurance,
            shows_again: false,
            request,
            decided_at: 0,
            attempt: 0,
        })
    }
}

/// Everyone who may call.
#[derive(Default)]
pub struct Directory(RwLock<Inner>);

fn assurance_of(session: &Session) -> Assurance {
    if session.second_factor.is_some() { Assurance::TwoFactors } else { Assurance::Password }
}

/// How a request names its officer.
pub enum OfficerClaim<'a> {
    /// `Tsunagi-Officer` of a case system.
    Named(&'a str),
    /// SHA-256 of the session token of a desk.
    Session([u8; 32]),
    Missing,
}

impl Directory {
    pub fn apply(&self, change: DirectoryChange) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            DirectoryChange::Organization(organization) => {
                inner.organizations.insert(organization.code.clone(), *organization);
            }
            DirectoryChange::Uploaded(code, at) => {
                if let Some(organization) = inner.organizations.get_mut(&code) {
                    organization.last_upload_at = Some(at);
                }
            }
            DirectoryChange::Terminal(terminal) => {
                inner.terminals.insert(terminal.serial.clone(), *terminal);
            }
            DirectoryChange::Staff(staff) => {
                inner.staff.insert((staff.organization.clone(), staff.id.clone()), *staff);
            }
            DirectoryChange::OrganizationSetAside(code) => {
                inner.organizations.get_mut(&code).into_iter().for_each(|organization| organization.active = false);
            }
            DirectoryChange::TerminalSetAside(serial) => {
                inner.terminals.get_mut(&serial).into_iter().for_each(|terminal| terminal.active = false);
            }
            DirectoryChange::StaffSetAside(organization, id) => {
                inner.staff.get_mut(&(organization, id)).into_iter().for_each(|staff| staff.active = false);
            }
            DirectoryChange::Session(session) => {
                let (token, session) = *session;
                inner.sessions.insert(token, session);
            }
            DirectoryChange::Sessions(organization, officer, sessions) => {
                inner.sessions.retain(|_, session| session.organization != organization || session.officer != officer);
                inner.sessions.extend(sessions);
            }
            DirectoryChange::ForgetExpired(now) => inner.sessions.retain(|_, session| now < session.ends_at()),
        }
    }

    /// Who calls, at this moment.
    ///
    /// # Errors
    /// Which of the identities is not in force.
    pub fn recognize(
        &self,
        certificate: &TerminalCertificate,
        officer: &OfficerClaim<'_>,
        now: Timestamp,
        request: Uuid,
    ) -> Result<Caller, Unrecognized> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let organization = inner
            .organizations
            .get(&certificate.organization)
            .filter(|organization| organization.active)
            .ok_or(Unrecognized::Organization)?;
        let terminal = inner
            .terminals
            .get(&certificate.serial)
            .filter(|terminal| terminal.organization == organization.code)
            .ok_or(Unrecognized::Terminal)?;
        if !terminal.active {
            return Err(Unrecognized::TerminalRevoked);
        }
        let (id, assurance) = match (terminal.kind, officer) {
            (TerminalKind::Machine, OfficerClaim::Named(id)) => ((*id).to_owned(), Assurance::Named),
            (TerminalKind::Desk, OfficerClaim::Session(token)) => inner
                .sessions
                .get(token)
                .filter(|session| session.is_in_force(&organization.code, &terminal.serial, now))
                .map(|session| (session.officer.clone(), assurance_of(session)))
                .ok_or(Unrecognized::Session)?,
            _ => return Err(Unrecognized::OfficerMissing),
        };
        inner.caller(terminal, id, assurance, request)
    }

    /// Who signs in at a desk, once what they signed in with was right.
    ///
    /// # Errors
    /// Which of the identities is not in force.
    pub fn signing_in(
        &self,
        desk: &Terminal,
        officer: &str,
        second_factor: bool,
        request: Uuid,
    ) -> Result<Caller, Unrecognized> {
        let assurance = if second_factor { Assurance::TwoFactors } else { Assurance::Password };
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.caller(desk, officer.to_owned(), assurance, request)
    }

    /// The session of a token, where it is time to note that it is used.
    pub fn session_to_note(&self, token: &[u8; 32], now: Timestamp, idle: Duration) -> Option<Session> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.sessions.get(token).filter(|session| session.is_to_be_noted(now, idle)).cloned()
    }

    /// When the second factor was shown last in a session; none where it never was.
    pub fn factor_shown_at(&self, token: &[u8; 32]) -> Option<Timestamp> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.sessions.get(token).and_then(|session| session.second_factor)
    }

    /// A desk terminal in force, for signing in.
    ///
    /// # Errors
    /// Which of the identities is not in force.
    pub fn desk(&self, certificate: &TerminalCertificate) -> Result<Terminal, Unrecognized> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let active = inner.organizations.get(&certificate.organization).is_some_and(|o| o.active);
        if !active {
            return Err(Unrecognized::Organization);
        }
        inner
            .terminals
            .get(&certificate.serial)
            .filter(|t| t.active && t.organization == certificate.organization && t.kind == TerminalKind::Desk)
            .cloned()
            .ok_or(Unrecognized::Terminal)
    }

    pub fn organization(&self, code: &OrganizationCode) -> Option<Organization> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).organizations.get(code).cloned()
    }

    /// An organization's own visibility settings; none where it is not connected.
    pub fn settings_of(&self, code: &OrganizationCode) -> VisibilitySettings {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.organizations.get(code).map(|organization| organization.settings.clone()).unwrap_or_default()
    }

    pub fn terminal(&self, serial: &str) -> Option<Terminal> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).terminals.get(serial).cloned()
    }

    pub fn staff(&self, organization: &OrganizationCode, id: &str) -> Option<StaffMember> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.staff.get(&(organization.clone(), id.to_owned())).cloned()
    }

    /// Staff of one organization, by id.
    pub fn staff_of(&self, organization: &OrganizationCode) -> Vec<StaffMember> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut staff: Vec<_> = inner.staff.values().filter(|s| s.organization == *organization).cloned().collect();
        staff.sort_by(|a, b| a.id.cmp(&b.id));
        staff
    }

    /// Terminals of one organization, or all of them, by serial.
    pub fn terminals_of(&self, organization: Option<&OrganizationCode>) -> Vec<Terminal> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut terminals: Vec<_> = inner
            .terminals
            .values()
            .filter(|terminal| organization.is_none_or(|code| terminal.organization == *code))
            .cloned()
            .collect();
        terminals.sort_by(|a, b| a.serial.cmp(&b.serial));
        terminals
    }

    /// Connected organizations, by code.
    pub fn organizations(&self) -> Vec<Organization> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = inner.organizations.values().filter(|o| o.active).cloned().collect();
        all.sort_by(|a, b| a.code.cmp(&b.code));
        all
    }
}
