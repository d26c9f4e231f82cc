//! Defects planted on purpose, so that the tests which guard a law can show that they would fail.
//!
//! They exist in debug builds alone and are asked for by `PLANTED_DEFECT`. A release build has none.

/// A defect that a test plants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Answers, and only then commits.
    AnswerBeforeCommit,
    /// Does not follow what other nodes committed.
    StaleMemory,
    /// Takes commits for durable that PostgreSQL has not flushed.
    UnflushedCommits,
    /// A witness signs whatever the log signed, without a proof.
    CosignWithoutProof,
    /// Verifying the ledger, the columns beside an entry are taken as they are.
    BelieveColumns,
}

impl Planted {
    /// The defect that was asked for.
    #[cfg(debug_assertions)]
    pub fn from_environment() -> Option<Self> {
        match std::env::var("PLANTED_DEFECT").as_deref() {
            Ok("answer-before-commit") => Some(Self::AnswerBeforeCommit),
            Ok("stale-memory") => Some(Self::StaleMemory),
            Ok("unflushed-commits") => Some(Self::UnflushedCommits),
            Ok("cosign-without-proof") => Some(Self::CosignWithoutProof),
            Ok("believe-columns") => Some(Self::BelieveColumns),
            _ => None,
        }
    }

    /// None: this is a release build.
    #[cfg(not(debug_assertions))]
    pub fn from_environment() -> Option<Self> {
        None
    }
}
