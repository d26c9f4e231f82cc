//! `tsunagi rows` and `tsunagi check`: rows of the database, whether they are what the gateway wrote.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};

use super::{ConfigFile, error::CommandError};
use crate::{
    clock::Clock,
    config::Config,
    keys::{keyring::Keyring, vault::Vault},
    node::{open::OpenError, trust::trust_rows},
    store::{
        self, reading,
        rows::{
            guard::RowGuard,
            review::{Review, review},
        },
    },
};

#[derive(Subcommand)]
pub enum Rows {
    /// Authenticate the rows of a database of before as they stand, once. No gateway may serve it meanwhile.
    Trust(Trust),
}

#[derive(Args)]
pub struct Trust {
    /// Configuration file (TOML).
    #[arg(long, default_value = "/etc/tsunagi/tsunagi.toml")]
    config: PathBuf,
    /// Take what the rows say for true: whatever somebody changed before this is believed from now on.
    #[arg(long)]
    as_they_stand: bool,
}

impl Rows {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let Self::Trust(Trust { config, as_they_stand }) = self;
        if !as_they_stand {
            return Err(CommandError::Unexpected(
                "every row is believed as it stands, also what somebody changed by hand. Hold the database against your \
                 backups first, then say --as-they-stand"
                    .to_owned(),
            ));
        }
        let config = Config::load(&config, std::env::vars())?;
        for (table, rows) in trust_rows(&config, &Clock::system()).await? {
            say!("{table}: {rows} rows");
        }
        say!("from now on every change is authenticated; the ledger says that the rows were trusted as they stood");
        Ok(())
    }
}

/// Holds every row of a database against its mark.
///
/// # Errors
/// Keys or database cannot be read; something is not what the gateway wrote.
pub(super) async fn check(file: ConfigFile) -> Result<(), CommandError> {
    let config = Config::load(&file.config, std::env::vars())?;
    print_review(&review_database(&config.database, &config.keyring).await?)
}

/// Looks at every row of a database, which is only read.
///
/// # Errors
/// Keys or database cannot be read.
pub(super) async fn review_database(database: &str, keyring: &Path) -> Result<Review, CommandError> {
    let store = reading::open(database).await?;
    let wrapped = store::accounts::prefecture_keys(&mut store.read().await?).await?;
    let vault = Vault::open(Keyring::load(keyring)?, &wrapped)?;
    let key = vault.rows_key().ok_or(OpenError::Untrusted)?;
    store.guard_with(Arc::new(RowGuard::new(&key, false)));
    Ok(review(&mut store.read().await?).await?)
}

/// Says what a review came to.
///
/// # Errors
/// Something is not what the gateway wrote.
pub(super) fn print_review(found: &Review) -> Result<(), CommandError> {
    for name in &found.refuted {
        say!("not what the gateway wrote: {name}");
    }
    let wrong = found.refuted.len();
    say!("{} rows looked at, {wrong} wrong", found.rows);
    if wrong == 0 {
        return Ok(());
    }
    Err(CommandError::Unexpected(
        "have back what is named, from the stream, a backup or another database: docs/operations.md, When a row is not what \
         the gateway wrote"
            .to_owned(),
    ))
}
