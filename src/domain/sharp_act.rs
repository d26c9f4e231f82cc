//! Sharp acts (重要操作, law 6): what a machine may ask for and persons alone do.
//!
//! Each act says how many persons it needs and which roles they have. Whoever asks states everything that will be done,
//! so that what is confirmed is what was asked.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::organization::OrganizationCode;
use crate::{
    clock::Timestamp,
    identity::{Role, directory::TerminalKind},
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::EnumDiscriminants)]
#[strum_discriminants(name(SharpKind), derive(Hash, Serialize, Deserialize, utoipa::ToSchema))]
#[strum_discriminants(derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray))]
#[strum_discriminants(serde(rename_all = "snake_case"), strum(serialize_all = "snake_case"))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SharpAct {
    /// A shield is lifted.
    LiftShield {
        record: Uuid,
    },
    /// Bodies are named under a shield: address and affiliation may go to them.
    NameBodies {
        record: Uuid,
        named: Vec<OrganizationCode>,
    },
    /// A list of records is disposed of.
    Dispose {
        disposal: Uuid,
    },
    /// A record is opened in an emergency.
    BreakGlass {
        record: Uuid,
        reason: String,
    },
    /// A person gets an id and roles.
    RegisterStaff {
        id: String,
        name: String,
        roles: Vec<Role>,
    },
    /// A person's name or roles change.
    ChangeStaff {
        id: String,
        name: String,
        roles: Vec<Role>,
    },
    /// A person who lost what they sign in with gets it anew.
    ReissueCredential {
        id: String,
    },
    /// A body that had an administrator gets a first one again.
    ReopenBody {
        code: OrganizationCode,
    },
    ConnectOrganization {
        code: OrganizationCode,
        relay_desk: String,
    },
    RegisterTerminal {
        serial: String,
        organization: OrganizationCode,
        terminal: TerminalKind,
        label: String,
    },
    /// Master keys that nothing needs are taken out of the keyring: those of these generations.
    RetireKeys {
        generations: Vec<u32>,
    },
}

/// What an act was asked about, as it was then. Whoever stands for the act later stands for it about this, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case", deny_unknown_fields)]
pub enum AskedAbout {
    /// Nothing that could be another thing by then, or it is decided anew by then.
    Nothing {},
    /// A shield: a digest of all that it says.
    Shield { digest: String },
    /// A member of staff: name and roles.
    Member { name: String, roles: Vec<Role> },
    /// A body that is connected, or suspended, and whom to call there.
    Body { active: bool, relay_desk: String },
}

impl SharpKind {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Persons who must stand for it; for a terminal: those needed where the body has people or never had any.
    pub fn persons(self) -> usize {
        match self {
            Self::BreakGlass | Self::ConnectOrganization | Self::RegisterTerminal => 1,
            Self::LiftShield
            | Self::NameBodies
            | Self::Dispose
            | Self::RegisterStaff
            | Self::ChangeStaff
            | Self::ReissueCredential
            | Self::ReopenBody
            | Self::RetireKeys => 2,
        }
    }

    /// Roles of which each of them has one.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::LiftShield | Self::NameBodies | Self::Dispose => &[Role::Supervisor],
            Self::BreakGlass => &[Role::Caseworker, Role::Supervisor],
            Self::RegisterStaff | Self::ChangeStaff | Self::ReopenBody | Self::RegisterTerminal | Self::RetireKeys => {
                &[Role::UserAdministrator, Role::CredentialManager]
            }
            Self::ReissueCredential => &[Role::Supervisor, Role::UserAdministrator, Role::CredentialManager],
            Self::ConnectOrganization => &[Role::UserAdministrator],
        }
    }

    /// Whether it is carried out by a call of its own once it was approved, not by the approval.
    pub fn is_carried_out_later(self) -> bool {
        matches!(self, Self::ReissueCredential | Self::ReopenBody | Self::RetireKeys)
    }
}

impl SharpAct {
    pub fn kind(&self) -> SharpKind {
        self.into()
    }

    /// Whether what is asked tells of a record: where its hidden address would go, or what somebody wrote about a child.
    pub fn tells_of_record(&self) -> bool {
        matches!(self, Self::NameBodies { .. } | Self::BreakGlass { .. })
    }

    /// What it is about: an id, a code, a serial.
    pub fn subject(&self) -> String {
        match self {
            Self::LiftShield { record } | Self::NameBodies { record, .. } | Self::BreakGlass { record, .. } => {
                record.to_string()
            }
            Self::Dispose { disposal } => disposal.to_string(),
            Self::RegisterStaff { id, .. } | Self::ChangeStaff { id, .. } | Self::ReissueCredential { id } => {
                id.clone()
            }
            Self::ReopenBody { code } | Self::ConnectOrganization { code, .. } => code.to_string(),
            Self::RegisterTerminal { serial, .. } => serial.clone(),
            Self::RetireKeys { .. } => String::new(),
        }
    }
}

/// How far a waiting act is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WaitingState {
    /// It needs a person, or a second one.
    Waiting,
    /// Enough persons stand for it; it is carried out by a call of its own.
    Approved,
    Done,
    Withdrawn,
    Expired,
}

impl WaitingState {
    /// Whether it may still be done.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Approved)
    }

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A sharp act that waits, or waited.
#[derive(Clone)]
pub struct WaitingAct {
    pub id: Uuid,
    /// In whose list it stands.
    pub organization: OrganizationCode,
    pub act: SharpAct,
    pub about: AskedAbout,
    pub state: WaitingState,
    pub asked_by: super::two_persons::StaffId,
    pub asked_at: Timestamp,
    /// Not carried out before.
    pub not_before: Timestamp,
    pub expires_at: Timestamp,
    /// The first who stands for it.
    pub first: Option<(super::two_persons::StaffId, Timestamp)>,
    /// The body that lends the second person.
    pub helper: Option<OrganizationCode>,
    pub decided: Option<(super::two_persons::StaffId, Timestamp)>,
}

impl WaitingAct {
    /// Persons who must stand for it. A terminal for a body of which nobody can sign in takes two operators, and a time
    /// in which others may object: it is the only one that waits for a time of its own.
    pub fn persons(&self) -> usize {
        match &self.act {
            SharpAct::RegisterTerminal { .. } if self.not_before > self.asked_at => 2,
            act => act.kind().persons(),
        }
    }
}

/// What came of a sharp act: ids, codes and times.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SharpOutcome {
    pub record: Option<Uuid>,
    pub version: Option<i64>,
    pub break_glass: Option<Uuid>,
    /// RFC 3339.
    pub until: Option<String>,
    /// Code, serial or id of what was administered, and whether it is in force.
    pub administered: Option<(String, bool)>,
}
