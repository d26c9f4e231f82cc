//! What can go wrong with keys.

use super::token::TokenError;

/// The place of a master key in [`KeyError::Missing`].
pub const MASTER: &str = "master";

/// Why a key is not available or a sealed value does not open. Messages never hold a value.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("a sealed value does not open: wrong key, wrong place or damaged")]
    Unsealed,
    #[error("no key of generation {generation} for prefecture {prefecture}")]
    Missing { prefecture: String, generation: u32 },
    #[error(
        "the key of place {place} in prefecture_keys does not open: it was damaged or edited. Nothing can be read without it; \
         have the row back from a backup, the stream or another database"
    )]
    Damaged { place: String },
    #[error("keyring file: {0}")]
    Keyring(String),
    #[error("a key in memory cannot be read: {0}")]
    Corrupt(&'static str),
    #[error("the system gives no randomness")]
    Random,
    #[error("the record's key was destroyed")]
    Destroyed,
    #[error(transparent)]
    Token(#[from] TokenError),
}
