//! Sharp acts (重要操作, law 6): a machine or a first person asks; persons at desks carry them out.
//!
//! Comes in: what is asked, and later who confirms it. Goes out: what was done, or the id under which it waits. Each act
//! is carried out by a function of its own subject, which asks for the evidence that persons stand for it; the evidence
//! is made here, and nowhere else. Never done here: deciding what an act does.

pub mod ask;
mod asked_about;
pub(crate) mod awaited;
pub mod begin;
pub mod confirm;
pub(crate) mod footing;
mod line;
pub mod list;
mod objection;
mod perform;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::done::CarriesNoRecordData,
    domain::sharp_act::{SharpKind, SharpOutcome, WaitingAct, WaitingState},
    ledger::entry::Act,
};

/// What became of a sharp act: done, or waiting for a person (202).
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[carries(waiting)]
pub struct SharpReply {
    pub kind: SharpKind,
    pub state: WaitingState,
    /// Under which it waits, or waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_act: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Uuid>,
    /// RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Code, serial or id of what was administered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

impl SharpReply {
    /// Whether it still needs a person.
    pub fn waits(&self) -> bool {
        self.state == WaitingState::Waiting
    }

    fn waiting(waiting: &WaitingAct) -> Self {
        Self { waiting_act: Some(waiting.id), ..Self::done(waiting.act.kind(), waiting.state, SharpOutcome::default()) }
    }

    fn done(kind: SharpKind, state: WaitingState, outcome: SharpOutcome) -> Self {
        let SharpOutcome { record, version, break_glass, until, administered } = outcome;
        let (id, active) = administered.unzip();
        Self { kind, state, waiting_act: None, record, version, break_glass, until, id, active }
    }
}

/// What the ledger calls asking for it.
fn act_of_asking(kind: SharpKind) -> Act {
    match kind {
        SharpKind::LiftShield => Act::ShieldLiftAsk,
        SharpKind::NameBodies => Act::ShieldNameAsk,
        SharpKind::Dispose => Act::DisposalAsk,
        SharpKind::BreakGlass => Act::BreakGlassAsk,
        SharpKind::RegisterStaff | SharpKind::ChangeStaff => Act::StaffRequest,
        SharpKind::ReissueCredential => Act::CredentialReissueAsk,
        SharpKind::ReopenBody => Act::BodyReopenAsk,
        SharpKind::ConnectOrganization => Act::OrganizationConnectAsk,
        SharpKind::RegisterTerminal => Act::TerminalRegisterAsk,
        SharpKind::RetireKeys => Act::KeysRetireAsk,
    }
}

/// What the ledger calls doing it, or approving what is done by a call of its own.
fn act_of_doing(kind: SharpKind) -> Act {
    match kind {
        SharpKind::LiftShield => Act::ShieldLift,
        SharpKind::NameBodies => Act::ShieldName,
        SharpKind::Dispose => Act::DisposalApprove,
        SharpKind::BreakGlass => Act::BreakGlass,
        SharpKind::RegisterStaff => Act::StaffApprove,
        SharpKind::ChangeStaff => Act::StaffChange,
        SharpKind::ReissueCredential => Act::CredentialReissueApprove,
        SharpKind::ReopenBody => Act::BodyReopenApprove,
        SharpKind::ConnectOrganization => Act::OrganizationConnect,
        SharpKind::RegisterTerminal => Act::TerminalRegister,
        SharpKind::RetireKeys => Act::KeysRetireApprove,
    }
}
