//! Every refusal of the gateway, and the problem that a client gets for it.
//!
//! Each subject has an enum and beside it one table: from each refusal to its HTTP status, its stable code and its words
//! in Japanese and English. Words never hold a value from a record. The cause of an internal error is logged once, at
//! the boundary, and not sent.

mod accounts;
mod caller;
mod notices;
mod problem;
mod records;
mod request;
mod retention;
mod search;
mod service;
mod transfers;

pub use self::{
    accounts::{AccountError, SharpError},
    caller::CallerError,
    notices::NoticeError,
    problem::Problem,
    records::RecordError,
    request::RequestError,
    retention::RetentionError,
    search::SearchError,
    service::ServiceError,
    transfers::TransferError,
};
use crate::{
    domain::{format::Fault, two_persons::NotTwo},
    identity::{directory::Unrecognized, sharp::NotSharp},
    journal::error::JournalError,
    keys::error::KeyError,
    store::error::StoreError,
};

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Sharp(#[from] SharpError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Retention(#[from] RetentionError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The record does not exist, or not for this caller: the two look the same.
    #[error("record not available")]
    NotAvailable,
    /// A transfer, notice, report or other thing that does not exist for this caller.
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("already exists: {0}")]
    Exists(&'static str),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(StoreError),
}

impl From<Unrecognized> for Error {
    fn from(error: Unrecognized) -> Self {
        Self::Caller(error.into())
    }
}

impl From<NotSharp> for Error {
    fn from(why: NotSharp) -> Self {
        Self::Caller(match why {
            NotSharp::NoPerson => CallerError::NotSharp,
            NotSharp::ShownLongAgo => CallerError::ShownLongAgo,
        })
    }
}

impl From<NotTwo> for Error {
    fn from(why: NotTwo) -> Self {
        Self::Sharp(SharpError::NotTwo(why.into()))
    }
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Request(RequestError::Faults(faults))
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Store(error.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Moved | StoreError::Outdated => JournalError::Stale.into(),
            error => Self::Store(error),
        }
    }
}

impl Error {
    /// A field that breaks its rule: its name, and the rule in Japanese and English.
    pub fn field(field: &'static str, rule_ja: &'static str, rule_en: &'static str) -> Self {
        Self::Request(RequestError::Field { field, rule_ja, rule_en })
    }

    /// The stable code, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        self.problem().code
    }

    /// What a client gets, from the table of the subject.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Caller(error) => error.problem(),
            Self::Account(error) => error.problem(),
            Self::Sharp(error) => error.problem(),
            Self::Request(error) => error.problem(),
            Self::Record(error) => error.problem(),
            Self::Transfer(error) => error.problem(),
            Self::Search(error) => error.problem(),
            Self::Notice(error) => error.problem(),
            Self::Retention(error) => error.problem(),
            Self::Service(error) => error.problem(),
            // What is destroyed is gone, as if it had never been there.
            Self::NotAvailable | Self::Store(StoreError::Key(KeyError::Destroyed)) => Problem::new(
                404,
                "record_not_available",
                "この記録は閲覧できません",
                "The record is not available",
            )
            .with(
                "番号が違うか、この機関では閲覧できない記録です。全国検索から開き直してください。",
                "The number is wrong, or your organization may not see this record. Open it from the national search.",
            ),
            Self::NotFound(_) => Problem::new(404, "not_found", "見つかりません", "Not found").with(
                "取り下げ、解除又は廃棄された可能性があります。一覧から開き直してください。",
                "It may have been withdrawn, cancelled or disposed of. Open it again from its list.",
            ),
            Self::Exists(_) => Problem::new(409, "already_exists", "既に存在します", "It already exists").with(
                "登録済み又は回答済みです。一覧を確認してください。",
                "It is registered or answered already. See the list.",
            ),
            Self::Journal(error) => service::problem_of_journal(error),
            Self::Store(error) => service::problem_of_store(error),
        }
    }

    /// Whether the caller was refused: nothing failed.
    pub fn is_refusal(&self) -> bool {
        self.problem().status < 500
    }

    /// Seconds after which a retry makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Service(ServiceError::RateLimited { retry_after_seconds })
            | Self::Account(AccountError::SignInLocked { retry_after_seconds })
            | Self::Search(SearchError::Budget { retry_after_seconds }) => Some(*retry_after_seconds),
            Self::Service(ServiceError::Overloaded) | Self::Journal(_) => Some(1),
            Self::Store(error) if error.is_outage() => Some(1),
            Self::Caller(CallerError::RevocationListExpired) => Some(60),
            _ => None,
        }
    }
}
