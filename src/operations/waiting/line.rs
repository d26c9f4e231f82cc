//! A sharp act that waits, as those see it who may stand for it.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    domain::{
        organization::OrganizationCode,
        sharp_act::{AskedAbout, SharpAct, SharpKind, WaitingAct, WaitingState},
    },
    identity::{Role, directory::TerminalKind},
};

/// A sharp act as those see it who may stand for it. Whoever lends a person sees the request, and no record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WaitingLine {
    pub waiting_act: Uuid,
    pub kind: SharpKind,
    pub state: WaitingState,
    /// In whose list it stands.
    pub organization: OrganizationCode,
    /// A record, disposal, officer, body or terminal; not for those who lend a person, where it names a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub asked: AskedLine,
    pub asked_by_organization: OrganizationCode,
    pub asked_by: String,
    pub asked_at: String,
    pub not_before: String,
    pub expires_at: String,
    /// Persons that it needs, and who stands for it already.
    pub persons: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_by: Option<String>,
    /// The body that lends the second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helper: Option<OrganizationCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct WaitingLines {
    pub waiting_acts: Vec<WaitingLine>,
    /// Requests of this list, and of the operator's, that are not what the gateway wrote: nobody confirms them.
    pub set_aside: usize,
}

impl WaitingLine {
    pub(super) fn of(waiting: WaitingAct, reader: &OrganizationCode, asked: AskedLine) -> Self {
        let kind = waiting.act.kind();
        let names_record =
            matches!(kind, SharpKind::LiftShield | SharpKind::NameBodies | SharpKind::BreakGlass | SharpKind::Dispose);
        let is_own = waiting.organization == *reader;
        Self {
            waiting_act: waiting.id,
            kind,
            state: waiting.state,
            subject: (is_own || !names_record).then(|| waiting.act.subject()),
            asked,
            organization: waiting.organization,
            asked_by_organization: waiting.asked_by.organization,
            asked_by: waiting.asked_by.officer,
            asked_at: waiting.asked_at.to_rfc3339(),
            not_before: waiting.not_before.to_rfc3339(),
            expires_at: waiting.expires_at.to_rfc3339(),
            persons: kind.persons(),
            first_by: waiting.first.map(|(first, _)| first.officer),
            helper: waiting.helper,
            decided_by: waiting.decided.as_ref().map(|(by, _)| by.officer.clone()),
            decided_at: waiting.decided.map(|(_, at)| Timestamp::to_rfc3339(at)),
        }
    }
}

/// What was asked: the members that its kind has. Whoever lends a person sees ids of staff and roles, and bodies and
/// terminals that the operator administers.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct AskedLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// Bodies to be named under the shield: for those who could stand for it, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<Vec<OrganizationCode>>,
    /// Why the glass is to be broken: for those who could do it, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposal: Option<Uuid>,
    /// Records of the list of a disposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<Uuid>>,
    /// Id of the member of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// Name and roles when it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles_before: Option<Vec<Role>>,
    /// The body to be opened anew or connected, or whose terminal it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<OrganizationCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_desk: Option<String>,
    /// Whether the body was let in when it was asked; missing where it was not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_before: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_desk_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Generations of the master keys to be retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<Vec<u32>>,
}

impl AskedLine {
    /// All of it, for the body in whose list it stands; the records of a disposal are added by whoever knows them.
    pub(super) fn whole(act: &SharpAct, about: &AskedAbout) -> Self {
        let before = Self::before(about);
        match act.clone() {
            SharpAct::LiftShield { record } => Self { record: Some(record), ..before },
            SharpAct::NameBodies { record, named } => Self { record: Some(record), named: Some(named), ..before },
            SharpAct::Dispose { disposal } => Self { disposal: Some(disposal), ..before },
            SharpAct::BreakGlass { record, reason } => Self { record: Some(record), reason: Some(reason), ..before },
            SharpAct::RegisterStaff { id, name, roles } | SharpAct::ChangeStaff { id, name, roles } => {
                Self { officer: Some(id), name: Some(name), roles: Some(roles), ..before }
            }
            SharpAct::ReissueCredential { id } => Self { officer: Some(id), ..before },
            SharpAct::ReopenBody { code } => Self { body: Some(code), ..before },
            SharpAct::ConnectOrganization { code, relay_desk } => {
                Self { body: Some(code), relay_desk: Some(relay_desk), ..before }
            }
            SharpAct::RegisterTerminal { serial, organization, terminal, label } => Self {
                serial: Some(serial),
                body: Some(organization),
                terminal: Some(terminal),
                label: Some(label),
                ..before
            },
            SharpAct::RetireKeys { generations } => Self { generations: Some(generations), ..before },
        }
    }

    fn before(about: &AskedAbout) -> Self {
        match about.clone() {
            AskedAbout::Nothing {} | AskedAbout::Shield { .. } => Self::default(),
            AskedAbout::Member { name, roles } => {
                Self { name_before: Some(name), roles_before: Some(roles), ..Self::default() }
            }
            AskedAbout::Body { active, relay_desk } => {
                Self { active_before: Some(active), relay_desk_before: Some(relay_desk), ..Self::default() }
            }
        }
    }

    /// What tells of no record and names nobody, for those who lend a person.
    pub(super) fn reduced(act: &SharpAct, about: &AskedAbout) -> Self {
        let Self { officer, roles, roles_before, body, serial, terminal, .. } = Self::whole(act, about);
        Self { officer, roles, roles_before, body, serial, terminal, ..Self::default() }
    }
}
