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
    node::{
        open::{OpenError, note_damaged_keys},
        trust::trust_rows,
    },
    store::{
        self, reading,
        rows::{
            guard::RowGuard,
            name::{Differs, RowName},
            review::{Pace, review, review_chronicle},
        },
    },
};

#[derive(Subcommand)]
pub enum Rows {
    /// Authenticate the rows of a database from before schema 10 as they stand, once. No gateway may serve it
    /// meanwhile.
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
pub(super) async fn review_database(database: &str, keyring: &Path) -> Result<ReviewReport, CommandError> {
    let store = reading::open(database).await?;
    let wrapped = store::accounts::prefecture_keys(&mut store.read().await?).await?;
    let vault = Vault::open(Keyring::load(keyring)?, &wrapped)?;
    let key = vault.rows_key().ok_or(OpenError::Untrusted)?;
    let guard = Arc::new(RowGuard::new(&key, false));
    store.guard_with(guard.clone());
    note_damaged_keys(&vault, &guard);
    let mut found = review(&store, &vault, Pace::Alone).await?;
    found.refuted.extend(guard.refuted());
    found.refuted.extend(review_chronicle(&store).await?);
    found.refuted.sort();
    found.refuted.dedup();
    let named = found.refuted.into_iter().map(|name| (guard.differs(&name).map_or("", Differs::as_str), name));
    Ok(ReviewReport { rows: found.rows, named: named.collect() })
}

/// What was found: how many rows were looked at, and which are wrong in what.
pub(super) struct ReviewReport {
    rows: u64,
    named: Vec<(&'static str, RowName)>,
}

/// How a row can be had back.
fn remedy(RowName { table, row }: &RowName) -> &'static str {
    let is_of_record = matches!(
        *table,
        "records" | "record_versions" | "attachments" | "provisions" | "transfers" | "break_glass" | "inquiries"
    );
    match *table {
        "prefecture_keys" => {
            "take the row of this prefecture and generation from any backup, from the stream or from another database: it \
             never changes but for a new master key"
        }
        "sessions" | "sign_in_locks" | "edit_locks" | "idempotency" => {
            "it need not be had back: whoever it was signs in, or asks, again. Until then it is named at each start"
        }
        "ledger" => "the entry holds; what stands beside it would name rows: take sealed_rows from the newest copy",
        "record_places" | "inbox_positions" => {
            "it follows from other rows: restore the newest copy beside, and take it"
        }
        _ if row.contains(" rows of ") => "restore the newest copy beside the database, and compare this table",
        _ if is_of_record => {
            "take the record with all that hangs on it from the newest copy: the stream, a base copy, another node's \
             database; or have its owner send it again"
        }
        _ => "take the whole row, its mark included, from the newest copy: the stream, a base copy, another database",
    }
}

/// Says what a review came to.
///
/// # Errors
/// Something is not what the gateway wrote.
pub(super) fn print_review(found: &ReviewReport) -> Result<(), CommandError> {
    for (how, name) in &found.named {
        let how = if how.is_empty() { String::new() } else { format!(" ({how})") };
        say!("not what the gateway wrote: {name}{how}: {}", remedy(name));
    }
    let wrong = found.named.len();
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
