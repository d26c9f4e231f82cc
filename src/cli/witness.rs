//! `tsunagi witness`: countersigns checkpoints of ledgers. It needs no database and sees no entry.

use std::path::PathBuf;

use clap::Subcommand;
use zeroize::Zeroizing;

use super::{
    error::CommandError,
    serve::{Stopping, log_to_stderr},
};
use crate::{
    clock::{Clock, random_bytes},
    files,
    ledger::cosignature::Cosigner,
    witness::serve::{WitnessConfig, WitnessServer},
};

#[derive(Subcommand)]
pub enum WitnessCommand {
    /// Witness until a signal asks to stop.
    Serve {
        /// Configuration file (TOML); see docs/ledger.md.
        #[arg(long)]
        config: PathBuf,
    },
    /// The witness's key.
    #[command(subcommand)]
    Key(WitnessKeyCommand),
}

#[derive(Subcommand)]
pub enum WitnessKeyCommand {
    /// Make a key file, readable by its owner alone; prints the public key for those who verify.
    Create {
        file: PathBuf,
        /// Name of the witness, such as `witness.example/1`; no two witnesses may share one.
        #[arg(long)]
        name: String,
    },
    /// Print the public key of a key file.
    Show { file: PathBuf },
}

impl WitnessCommand {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Serve { config } => {
                log_to_stderr();
                let mut stopping = Stopping::listen()?;
                let server = WitnessServer::start(&WitnessConfig::load(&config)?, Clock::system()).await?;
                stopping.asked().await;
                server.stop().await;
            }
            Self::Key(WitnessKeyCommand::Create { file, name }) => say!("{}", create_key(&file, &name)?),
            Self::Key(WitnessKeyCommand::Show { file }) => {
                let line = Zeroizing::new(std::fs::read_to_string(&file)?);
                say!("{}", Cosigner::from_line(&line).map_err(wrong)?.public_key().line());
            }
        }
        Ok(())
    }
}

/// Makes a key file and returns the public key.
///
/// # Errors
/// The file exists already or cannot be written, or the name cannot be that of a key.
pub fn create_key(file: &std::path::Path, name: &str) -> Result<String, CommandError> {
    let seed = random_bytes::<32>().map_err(|_| CommandError::Unexpected("no randomness".to_owned()))?;
    let seed = Zeroizing::new(seed);
    let line = Cosigner::key_file(name, seed.as_slice()).map_err(wrong)?;
    files::create(file, line.as_bytes())?;
    Ok(Cosigner::from_line(&line).map_err(wrong)?.public_key().line())
}

fn wrong(error: impl std::fmt::Display) -> CommandError {
    CommandError::Unexpected(error.to_string())
}
