//! What the ledger says of one act.
//!
//! An entry is JSON with its fields in a fixed order; those bytes are stored and hashed as they are (RFC 6962 leaf).
//! It holds ids and codes only. What people wrote — a search's criteria, a break-glass reason — is a sealed note
//! beside it, and the entry carries the digest of the sealed note, so that it can be proved and yet be destroyed.

use std::borrow::Cow;

use aws_lc_rs::{
    digest::{Context, SHA256, digest},
    error::Unspecified,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::merkle::{Hash, leaf_hash};
use crate::{
    clock::{Clock, random_bytes},
    domain::{
        organization::OrganizationCode,
        purpose::Purpose,
        visibility::{GroupSet, ItemGroup, LegalBasis, Relation},
    },
    identity::Caller,
};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Act {
    Register,
    /// A file of many records; each of those registered follows as [`Act::Register`].
    RegisterBatch,
    Update,
    Close,
    View,
    History,
    ListOwn,
    /// The body's own records were searched by name; those shown follow as [`Act::ListOwn`], one for each.
    SearchOwn,
    /// What waits for the officer was listed; own records named on it follow, one for each.
    TodayRead,
    DraftSave,
    DraftView,
    DraftDiscard,
    /// A draft was not saved for so long that it ended.
    DraftExpire,
    Attach,
    ViewAttachment,
    /// A national search as a whole; its hits follow as [`Act::SearchHit`], one for each child shown.
    Search,
    SearchHit,
    TransferRequest,
    TransferOffer,
    TransferPreview,
    TransferConfirm,
    TransferTakeOver,
    TransferReject,
    TransferWithdraw,
    TransferExpire,
    TransferEscalate,
    TransferSafetyCheck,
    NoticeBroadcast,
    NoticeUpdate,
    NoticeCancel,
    NoticeView,
    NoticeAnswer,
    NoticeSearch,
    /// Notices were listed; each one named follows.
    NoticeList,
    /// The issuer of a notice was told of a registration or update that matches it.
    StandingMatch,
    SeriousDesignate,
    SeriousReview,
    SeriousRead,
    StaffingSubmit,
    StaffingRead,
    ShieldSet,
    ShieldLiftAsk,
    ShieldLift,
    ShieldNameAsk,
    /// Bodies were named to which address and affiliation may go.
    ShieldName,
    BreakGlassAsk,
    BreakGlass,
    BreakGlassReview,
    EditLockTake,
    EditLockRenew,
    EditLockRelease,
    /// A supervisor took the lock; the subject names the officer who had it.
    EditLockTakeOver,
    /// A refused look at who works on a record.
    EditLockView,
    Inquire,
    InquiryRead,
    InquiryAnswer,
    DisclosuresRead,
    SettingsChange,
    OrganizationConnect,
    OrganizationSuspend,
    OrganizationConnectAsk,
    TerminalRegisterAsk,
    TerminalRegister,
    TerminalRevoke,
    StaffRequest,
    StaffApprove,
    /// A name or roles changed, by two persons; or roles were taken away, by one.
    StaffChange,
    /// As it was done by one person, until two were needed.
    StaffRegister,
    StaffRevoke,
    /// A code to enrol with was made; the subject names the person.
    CredentialIssue,
    CredentialReissueAsk,
    CredentialReissueApprove,
    /// A person set password and second factor.
    CredentialEnrol,
    PasswordChange,
    SecondFactorEnrol,
    /// A person at a page showed the second factor again, for a sharp act.
    SecondFactorShow,
    /// A person registered a passkey, as a second factor beside the codes of a device.
    PasskeyRegister,
    PasskeyRemove,
    /// A person replaced the recovery codes, with a code of the device.
    RecoveryCodesRenew,
    SignInPolicyChange,
    /// A supervisor ended the lock of an id that was typed with wrong passwords.
    SignInUnlock,
    /// The operator made the code that opens a body.
    BodyOpen,
    /// A body that had an administrator is to get a first one again.
    BodyReopenAsk,
    BodyReopenApprove,
    SessionOpen,
    SessionEnd,
    SessionEndAll,
    /// The first of two persons stands for an act that a machine asked for.
    SharpActConfirm,
    /// What waits for a person was listed; what of it tells of a record follows, one for each.
    SharpActsRead,
    SharpActWithdraw,
    SharpActExpire,
    KeysRetireAsk,
    KeysRetireApprove,
    /// The gateway noticed a pattern in an officer's searches; the subject names the rule.
    SearchWatch,
    /// An operator accepted that the ledger is behind what was witnessed; the subject names the sizes.
    RollbackAccept,
    /// Rows that decide something were changed by nobody's act: something expired, was read or forgotten.
    RowsChange,
    /// The rows of a database from before rows were authenticated were trusted as they stood.
    RowsTrust,
    /// A row is not what the gateway wrote; the subject names table and row.
    RowRefute,
    /// The gateway can write again after it could not.
    JournalRecover,
    /// Records that may be disposed of were listed.
    RetentionReview,
    RetentionChange,
    DisposalAsk,
    DisposalWithdraw,
    DisposalApprove,
    /// The waiting time was over: the records of a list were removed. Refused, with the reason, where one was not due
    /// any more.
    DisposalCarryOut,
    /// The keys of a list of records were destroyed.
    KeyDestroy,
    /// What a restored backup brought back of a record that was disposed of was removed.
    LeftoverErase,
    /// Prefecture keys were made anew and wrapped with the current master key.
    KeysRotate,
    /// Every record's key is wrapped with the latest key of its prefecture; older ones were destroyed.
    KeysRewrapped,
    /// Master keys that nothing needs any more were taken out of the keyring.
    KeysRetire,
    /// A call that was turned away before it reached an operation.
    Refused,
}

impl Act {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// Record data left.
    Disclosed,
    /// Something was done; no record data left.
    Done,
    /// A search that found nothing to show.
    NoHit,
    Refused,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One ledger entry. Field order is part of the format.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this format: 1.
    pub v: u8,
    pub id: Uuid,
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    pub act: Act,
    pub outcome: Outcome,
    /// The acting organization.
    pub organization: Cow<'static, str>,
    /// Serial of the terminal's certificate.
    pub terminal: String,
    pub officer: String,
    /// Id of the request that caused the entry.
    pub request: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_version: Option<i64>,
    /// Owner of the record at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// In place of an owner whom the actor may not know: SHA-256 of a salt and the owner's code, base64. The salt
    /// stays with the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_commitment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ItemGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<LegalBasis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// What it is about besides a record: a transfer, notice, terminal or staff member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// SHA-256 of the sealed note, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// In the last entry of each commit: two keyed digests, of what all rows that decide something are now and of what the
    /// commit did to them, base64. They tell nothing to anybody who has not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// Of acts that the gateway itself acts on later: a keyed digest of this entry, base64. It tells nothing to anybody
    /// who has not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// A record as an entry names it.
#[derive(Clone, Debug)]
pub struct RecordRef {
    pub record: Uuid,
    pub version: i64,
    pub owner: OrganizationCode,
}

/// An owner whom the actor of an entry may not know, and the salt of the commitment to it.
#[derive(Clone)]
pub struct HiddenOwner {
    pub owner: OrganizationCode,
    pub salt: [u8; 16],
}

impl HiddenOwner {
    /// What the entry says.
    pub fn commitment(&self) -> String {
        let mut context = Context::new(&SHA256);
        context.update(&self.salt);
        context.update(self.owner.as_str().as_bytes());
        BASE64_STANDARD.encode(context.finish().as_ref())
    }
}

impl Entry {
    /// An act of a caller, done and without record data until said otherwise.
    pub fn of(caller: &Caller, act: Act, clock: &Clock) -> Self {
        Self {
            v: 1,
            id: clock.new_id(),
            at: clock.now().to_rfc3339(),
            act,
            outcome: Outcome::Done,
            organization: Cow::Owned(caller.organization().to_string()),
            terminal: caller.terminal().to_owned(),
            officer: caller.officer().to_owned(),
            request: caller.request(),
            record: None,
            record_version: None,
            owner: None,
            owner_commitment: None,
            relation: None,
            groups: Vec::new(),
            legal_basis: None,
            purpose: None,
            subject: None,
            refusal: None,
            note: None,
            rows: None,
            mark: None,
        }
    }

    /// An act of the gateway itself: an expiry, an escalation, the operator's own console.
    pub fn of_gateway(act: Act, clock: &Clock) -> Self {
        let nobody = Caller::gateway(clock.new_id());
        Self::of(&nobody, act, clock)
    }

    pub fn on(mut self, record: &RecordRef) -> Self {
        self.record = Some(record.record);
        self.record_version = Some(record.version);
        self.owner = Some(record.owner.to_string());
        self
    }

    /// Names a record whose owner the actor may not know. The entry commits to the owner; the row beside it knows.
    ///
    /// # Errors
    /// There is no randomness: a salt that can be guessed hides nobody.
    pub fn on_hidden(mut self, record: &RecordRef) -> Result<(Self, HiddenOwner), Unspecified> {
        let salt = random_bytes()?;
        let hidden = HiddenOwner { owner: record.owner.clone(), salt };
        self.record = Some(record.record);
        self.record_version = Some(record.version);
        self.owner_commitment = Some(hidden.commitment());
        Ok((self, hidden))
    }

    /// Names a record, in no version of it.
    pub fn on_record(mut self, record: Uuid) -> Self {
        self.record = Some(record);
        self
    }

    /// Stands in the disclosures of a body that it is about, though about none of its records.
    pub fn of_body(mut self, body: &OrganizationCode) -> Self {
        self.owner = Some(body.to_string());
        self
    }

    pub fn about(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    pub fn for_purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = Some(purpose);
        self
    }

    pub fn as_relation(mut self, relation: Relation) -> Self {
        self.relation = Some(relation);
        self
    }

    pub fn refused(mut self, code: &str) -> Self {
        self.outcome = Outcome::Refused;
        self.refusal = Some(code.to_owned());
        self
    }

    pub fn no_hit(mut self) -> Self {
        self.outcome = Outcome::NoHit;
        self
    }

    /// Says that these item groups left, and on which basis.
    pub fn disclosing(mut self, groups: GroupSet, basis: LegalBasis) -> Self {
        self.outcome = Outcome::Disclosed;
        self.groups = groups.iter().collect();
        self.legal_basis = Some(basis);
        self
    }

    /// Commits the entry to a sealed note.
    pub fn with_note(mut self, sealed: &[u8]) -> Self {
        let digest = digest(&SHA256, sealed);
        self.note = Some(BASE64_STANDARD.encode(digest.as_ref()));
        self
    }

    /// What its mark covers: everything but what is added when it is committed.
    pub fn marked_bytes(&self) -> Vec<u8> {
        Self { rows: None, mark: None, ..self.clone() }.to_bytes()
    }

    /// Puts the keyed digest of [`Self::marked_bytes`] into it.
    pub fn with_mark(self, mark: &[u8]) -> Self {
        Self { mark: Some(BASE64_STANDARD.encode(mark)), ..self }
    }

    /// Whether it carries this mark.
    pub fn has_mark(&self, mark: &[u8]) -> bool {
        self.mark.as_deref() == Some(BASE64_STANDARD.encode(mark).as_str())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The bytes that are stored and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What the last entry of a commit says of the rows: the digest of the sums over all, and that of what the commit did.
pub struct RowsWord {
    pub word: [u8; 32],
    /// What the commit did to rows, sealed: it is kept beside the entry.
    pub sealed_rows: Option<Vec<u8>>,
}

/// An entry with what is kept beside it, on its way into the ledger: written out and hashed by whoever made it, which
/// for all but effects is not the one writer.
#[derive(Clone)]
pub struct Logged {
    pub(crate) entry: Entry,
    /// The bytes that are stored.
    pub(crate) body: Vec<u8>,
    pub(crate) leaf: Hash,
    pub(crate) note: Option<Vec<u8>>,
    /// The owner, where the actor may not know it.
    pub(crate) hidden_owner: Option<HiddenOwner>,
    /// What the commit did to rows that decide something, sealed.
    pub(crate) sealed_rows: Option<Vec<u8>>,
}

impl From<Entry> for Logged {
    fn from(entry: Entry) -> Self {
        let body = entry.to_bytes();
        let leaf = leaf_hash(&body);
        Self { entry, body, leaf, note: None, hidden_owner: None, sealed_rows: None }
    }
}

impl Logged {
    /// The same entry, committing to what the rows of the database are from its commit on, and to what that did to them.
    pub(crate) fn committing_to_rows(self, RowsWord { word, sealed_rows }: RowsWord) -> Self {
        let entry = Entry { rows: Some(BASE64_STANDARD.encode(word)), ..self.entry };
        let body = entry.to_bytes();
        let leaf = leaf_hash(&body);
        Self { entry, body, leaf, sealed_rows, ..self }
    }

    /// With a sealed note, whose digest is in the entry.
    pub fn noted(entry: Entry, note: Vec<u8>) -> Self {
        Self { note: Some(note), ..Self::from(entry) }
    }

    /// With the owner to whom the entry commits.
    pub fn hiding((entry, hidden_owner): (Entry, HiddenOwner)) -> Self {
        Self { hidden_owner: Some(hidden_owner), ..Self::from(entry) }
    }
}
