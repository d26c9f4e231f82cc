//! What became of a job that was not carried out.

/// Why the journal did not write.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal cannot write: nothing was done and nothing was disclosed")]
    Unavailable,
    #[error("the journal is full")]
    Full,
    #[error("what was decided on has changed; decide again")]
    Stale,
}
