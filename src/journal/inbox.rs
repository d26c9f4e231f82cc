//! Messages to organizations: ids and codes, no record data.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    domain::{organization::OrganizationCode, purpose::Purpose},
    identity::Caller,
    ledger::entry::Entry,
    store::inbox::MessageColumns,
};

/// What an organization finds in its inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum InboxKind {
    RecordRegistered,
    RecordUpdated,
    RecordClosed,
    /// One of the organization's records was shown in a search.
    RecordFound,
    /// A search came upon one of the organization's shielded records.
    ShieldApproached,
    RecordViewed,
    TransferRequested,
    TransferOffered,
    TransferConfirmed,
    TransferTakenOver,
    TransferRejected,
    TransferWithdrawn,
    TransferExpired,
    SafetyCheckDone,
    SafetyCheckOverdue,
    MissingNotice,
    MissingNoticeUpdated,
    MissingNoticeCancelled,
    NoticeAnswered,
    /// A registration matches a missing child of the organization.
    MissingChildRegistered,
    /// A search matches a missing child of the organization.
    MissingChildSearched,
    SeriousCaseDesignated,
    SeriousCaseReviewed,
    BreakGlass,
    InquiryReceived,
    InquiryAnswered,
    ShieldLiftAsked,
    /// A supervisor took an edit lock from another officer of the organization.
    EditLockTakenOver,
    /// A list of records is to be disposed of; another officer's approval is asked for.
    DisposalAsked,
    DisposalWithdrawn,
    /// Two persons stand for the list: it is carried out when the waiting time is over.
    DisposalApproved,
    /// A record of the list was not due any more when the waiting time was over: nothing was disposed of.
    DisposalLapsed,
    /// The keys of the list's records are destroyed.
    DisposalDone,
    /// A record was disposed of by its owner, to whom the organization once provided it; or a restored backup brought
    /// one back, and it was removed again.
    RecordDisposed,
    /// A row that belongs to the organization is not what the gateway wrote; the ledger entry names it. The operator is told
    /// of every one.
    RowRefuted,
    /// The operator registered a terminal for the organization.
    TerminalRegistered,
    TerminalRevoked,
    /// The operator connected the organization, or changed whom to call. That a body is let in, or let in again, is told to
    /// its counterparts, its prefecture and the ministry as well.
    OrganizationConnected,
    OrganizationSuspended,
    /// A body has another desk to call: to its counterparts.
    CounterpartChanged,
    /// The organization's own settings of what others see changed.
    SettingsChanged,
    SignInPolicyChanged,
    /// The lock of an id after wrong passwords was ended.
    SignInUnlocked,
    StaffRevoked,
    /// A code was made with which somebody of the organization sets what they sign in with.
    CredentialIssued,
    /// Somebody who had a password from before there were second factors enrolled one with it.
    SecondFactorEnrolled,
    /// Somebody of the organization registered a passkey to sign in with.
    PasskeyRegistered,
    /// The operator made the code that opens a body: to the body, its counterparts, its prefecture and the ministry. Where
    /// it is opened anew, `subject` is the request: whoever is told may withdraw it, and the code is worth nothing, until
    /// it was used.
    BodyOpened,
    /// A body is to get a first administrator anew: to the body, its counterparts, its prefecture and the ministry. Each
    /// of them may withdraw it: `POST /v1/waiting-acts/{subject}/withdrawal`.
    BodyReopenAsked,
    /// A terminal is to be registered for a body of which nobody can sign in: to the same, who may withdraw it likewise.
    TerminalAsked,
    /// A sharp act waits for a person, or a second one, of the organization; or the operator asks for one on it.
    SharpActAsked,
    /// It was done, or approved by enough persons.
    SharpActDone,
    /// It was withdrawn, or its time ran out.
    SharpActEnded,
    /// A body that has too few persons took the second from elsewhere: to its prefecture.
    SecondPersonLent,
    /// Patterns in an officer's searches: to the officer's organization, and to owners of the children shown.
    SearchManyNames,
    SearchWalk,
    SearchAtNight,
    SearchOwnName,
    SearchRepeated,
}

impl InboxKind {
    /// What the watch over searches notices.
    pub const OF_WATCH: [Self; 5] =
        [Self::SearchManyNames, Self::SearchWalk, Self::SearchAtNight, Self::SearchOwnName, Self::SearchRepeated];

    /// What somebody has to look into, and of which the message is the only state.
    pub const ALERTS: [Self; 6] = [
        Self::ShieldApproached,
        Self::SearchManyNames,
        Self::SearchWalk,
        Self::SearchAtNight,
        Self::SearchOwnName,
        Self::SearchRepeated,
    ];

    /// What is told of a body to others too.
    pub const OF_BODIES: [Self; 6] = [
        Self::OrganizationConnected,
        Self::CounterpartChanged,
        Self::BodyOpened,
        Self::BodyReopenAsked,
        Self::TerminalAsked,
        Self::SharpActEnded,
    ];

    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A message to one organization: ids and codes, no record data.
#[derive(Clone, Debug)]
pub struct InboxItem {
    pub to: OrganizationCode,
    pub kind: InboxKind,
    pub record: Option<Uuid>,
    pub subject: Option<Uuid>,
    pub entry: Option<Uuid>,
    pub from: Option<Caller>,
    pub purpose: Option<Purpose>,
}

impl InboxItem {
    pub fn new(to: OrganizationCode, kind: InboxKind) -> Self {
        Self { to, kind, record: None, subject: None, entry: None, from: None, purpose: None }
    }

    pub fn record(self, record: Uuid) -> Self {
        Self { record: Some(record), ..self }
    }

    pub fn subject(self, subject: Uuid) -> Self {
        Self { subject: Some(subject), ..self }
    }

    pub fn from(self, caller: &Caller) -> Self {
        Self { from: Some(caller.clone()), ..self }
    }

    pub fn because_of(self, entry: &Entry) -> Self {
        Self { entry: Some(entry.id), purpose: entry.purpose, ..self }
    }
}

/// A message as it is read.
#[derive(Default, serde::Serialize, utoipa::ToSchema)]
pub struct Message {
    /// Position in this organization's inbox, from 1.
    pub position: i64,
    /// RFC 3339, UTC. Of a message that cannot be read (`row_refuted` without an entry), when it was asked for.
    pub at: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// A transfer, notice, inquiry or waiting act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Uuid>,
    /// The body that the message is about, where that is not the reader's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The ledger entry that this message comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_officer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_terminal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Latest inbox position of each organization, and who waits for the next.
#[derive(Default)]
pub struct Inboxes(Mutex<HashMap<OrganizationCode, (i64, Arc<Notify>)>>);

impl Inboxes {
    pub fn with_positions(positions: Vec<(OrganizationCode, i64)>) -> Self {
        Self(Mutex::new(positions.into_iter().map(|(code, at)| (code, (at, Arc::default()))).collect()))
    }

    /// The latest position of an organization, and what to wait on for the next.
    pub fn watch(&self, organization: &OrganizationCode) -> (i64, Arc<Notify>) {
        let mut inboxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.entry(organization.clone()).or_default().clone()
    }

    pub(super) fn delivered(&self, organization: &OrganizationCode, position: i64) {
        let mut inboxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (latest, waiting) = inboxes.entry(organization.clone()).or_default();
        if *latest < position {
            *latest = position;
            waiting.notify_waiters();
        }
    }
}

/// Messages with their positions, and the latest position of each inbox.
pub(super) type Placed = (Vec<MessageColumns>, Vec<(OrganizationCode, i64)>);

/// How many messages each organization gets. In order of the organizations: two nodes never wait for each other.
pub(super) fn counted(messages: &[MessageColumns]) -> BTreeMap<OrganizationCode, i64> {
    let mut counted: BTreeMap<OrganizationCode, i64> = BTreeMap::new();
    for message in messages {
        *counted.entry(message.to.clone()).or_default() += 1;
    }
    counted
}

/// Messages with the positions that follow those of `last`.
pub(super) fn placed(
    mut messages: Vec<MessageColumns>,
    mut last: BTreeMap<OrganizationCode, i64>,
) -> Vec<MessageColumns> {
    for message in &mut messages {
        let position = last.entry(message.to.clone()).or_default();
        *position += 1;
        message.position = *position;
    }
    messages
}
