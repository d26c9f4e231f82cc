//! Why a command failed; what it says goes to standard error.

use crate::{
    client::ClientError,
    config::ConfigError,
    error::Error,
    keys::error::KeyError,
    node::{backup::BackupError, load::LoadError, open::OpenError},
    server::error::StartError,
    store::error::StoreError,
    witness::serve::WitnessError,
};

/// Why a command of the command line failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("witness: {0}")]
    Witness(#[from] WitnessError),
    #[error("{}", in_words(.0))]
    Gateway(#[from] Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Unexpected(String),
}

/// A refusal in the words that a client gets; of what failed, the cause.
fn in_words(error: &Error) -> String {
    let problem = error.problem();
    if error.is_refusal() {
        format!("{} / {} ({})", problem.title_ja, problem.title_en, problem.code)
    } else {
        error.to_string()
    }
}
