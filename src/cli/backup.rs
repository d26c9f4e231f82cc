//! `tsunagi backup` and `tsunagi restore`, of a SQLite database.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use data_encoding::HEXLOWER;
use uuid::Uuid;

use super::error::CommandError;
use crate::{
    clock::Clock,
    config::Config,
    keys::{keyring::Keyring, vault::Vault},
    node::{
        backup::{
            BackupError,
            base::{self, BackupSource, BaseManifest},
            restore::{Making, Restored, Sources},
        },
        load::Loading,
        open::{OpenError, lock},
    },
    store::{self, open::Store, rows::guard::RowGuard},
};

/// Makes a base copy of the database; a gateway may be serving it.
#[derive(Args)]
pub struct BackupArgs {
    /// Configuration file (TOML).
    #[arg(long, default_value = "/etc/tsunagi/tsunagi.toml")]
    config: PathBuf,
    /// Directory for the copy. Left out, the copy takes the place of the one with which the newest line of the stream
    /// begins, and what it covers is removed from the stream.
    #[arg(long)]
    to: Option<PathBuf>,
}

impl BackupArgs {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let config = Config::load(&self.config, std::env::vars())?;
        let database = database_of(&config)?;
        let keyring = Keyring::load(&config.keyring)?;
        let started = Instant::now();
        match (&self.to, &config.backup.stream) {
            (Some(to), _) => {
                fs::create_dir_all(to)?;
                let made_at = Clock::system().now();
                let path = base::name_in(to, made_at);
                let mut source = BackupSource::open(database).await?;
                let copied = source.copy(&path, &keyring, made_at).await;
                source.close().await?;
                tell(&path, &copied?, started);
            }
            (None, Some(stream)) => {
                let renewed = base::renew(stream, database, &keyring, Clock::system().now()).await?;
                match renewed {
                    Some((path, manifest, removed)) => {
                        tell(&path, &manifest, started);
                        say!("removed from the stream, as the copy covers it: {removed} files and older lines");
                    }
                    None => say!("nothing was written since the line began: its base copy is as good as a new one"),
                }
            }
            (None, None) => return Err(unexpected("no [backup] stream is configured: name a directory with --to")),
        }
        Ok(())
    }
}

fn tell(path: &Path, manifest: &BaseManifest, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let gib = manifest.bytes() as f64 / f64::from(1 << 30);
    say!("base copy: {}", path.display());
    say!(
        "  made at {}, {} bytes, SHA-256 {}",
        manifest.made_at().to_rfc3339(),
        manifest.bytes(),
        HEXLOWER.encode(&manifest.sha256)
    );
    for head in &manifest.heads {
        say!("  ledger of {}: at least {} entries, root {}", head.node, head.size, BASE64_STANDARD.encode(head.root));
    }
    if let Some((line, batch)) = manifest.line {
        say!("  line {line} of the stream, at least batch {batch}");
    }
    say!("  {seconds:.1} s, {:.1} s per GiB", seconds / gib.max(f64::MIN_POSITIVE));
}

fn unexpected(text: &str) -> CommandError {
    CommandError::Unexpected(text.to_owned())
}

fn database_of(config: &Config) -> Result<&Path, CommandError> {
    let text = "the database is PostgreSQL: back it up and restore it with pgBackRest, see docs/backup.md";
    config.database_file().ok_or_else(|| unexpected(text))
}

/// Makes the database anew from a base copy and the stream, up to the last acknowledged write.
#[derive(Args)]
pub struct Restore {
    /// Configuration file (TOML): keyring, database, node.
    #[arg(long, default_value = "/etc/tsunagi/tsunagi.toml")]
    config: PathBuf,
    /// A base copy, or a directory of them of which the newest is taken. Left out, that of the stream.
    #[arg(long)]
    from: Option<PathBuf>,
    /// The directory of the stream; left out, that of the configuration.
    #[arg(long)]
    stream: Option<PathBuf>,
    /// Restore from --from alone, as of the moment of the copy. What was acknowledged since is left out.
    #[arg(long, conflicts_with = "stream", requires = "from")]
    without_stream: bool,
    /// Another line of the stream than the newest. What the newer lines hold is left out.
    #[arg(long)]
    line: Option<Uuid>,
    /// The last batch to take, where a later one is damaged and there is no other copy of it.
    #[arg(long)]
    until_batch: Option<u64>,
    /// Where to make the database; left out, where the configuration has it.
    #[arg(long)]
    database: Option<PathBuf>,
}

impl Restore {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        let config = Config::load(&self.config, std::env::vars())?;
        let database = match &self.database {
            Some(database) => database.clone(),
            None => database_of(&config)?.to_owned(),
        };
        let stream = self.stream.clone().or(config.backup.stream.clone()).filter(|_| !self.without_stream);
        if self.from.is_none() && stream.is_none() {
            return Err(unexpected("nothing to restore from: name a base copy with --from or a stream with --stream"));
        }
        let _lock = lock(&format!("sqlite:{}", database.display()))?;
        let started = Instant::now();
        let keyring = Keyring::load(&config.keyring)?;
        let making = Making::begin(&database)?;
        let sources = Sources {
            from: self.from.as_deref(),
            stream: stream.as_deref(),
            line: self.line,
            until_batch: self.until_batch,
        };
        let restored = making.fill(&sources, &keyring).await?;
        let checked = check(&config, making.path(), keyring, &restored).await?;
        let bytes = fs::metadata(making.path())?.len();
        making.finish()?;
        say!("base copy: {}, made at {}", restored.base.display(), restored.manifest.made_at().to_rfc3339());
        match restored.batches {
            Some((line, last, taken)) => say!("stream: line {line}, {taken} batches, the last is {last}"),
            None => say!("stream: none; this is the state of the base copy"),
        }
        say!("database: {}, {bytes} bytes", database.display());
        for line in checked {
            say!("{line}");
        }
        let seconds = started.elapsed().as_secs_f64();
        say!("restored in {seconds:.1} s, {:.1} s per GiB", seconds * f64::from(1 << 30) / bytes as f64);
        Ok(())
    }
}

/// Holds a restored database against itself: pages and indexes, the ledger against its head and against the base copy,
/// every record's key. Returns what it holds, line by line.
async fn check(
    config: &Config,
    database: &Path,
    keyring: Keyring,
    restored: &Restored,
) -> Result<Vec<String>, CommandError> {
    let store = Store::open_sqlite(database).await?;
    let checked = check_open(config, &store, keyring, restored).await;
    store.close().await;
    checked
}

async fn check_open(
    config: &Config,
    store: &Store,
    keyring: Keyring,
    restored: &Restored,
) -> Result<Vec<String>, CommandError> {
    let mut tx = store.read().await?;
    crate::node::backup::restore::check_pages(&mut tx).await?;
    let vault = Arc::new(Vault::open(keyring, &store::accounts::prefecture_keys(&mut tx).await?)?);
    let guard = Arc::new(RowGuard::new(&vault.rows_key().ok_or(OpenError::Untrusted)?, store.is_shared()));
    store.guard_with(guard.clone());
    let loading = Loading { store, vault: &vault, guard: &guard, node: &config.node, now: Clock::system().now() };
    let loaded = loading.ledger_and_index(None).await?;
    let stated = restored.manifest.heads.iter().find(|head| head.node == config.node);
    if let Some(head) = stated
        && loaded.tree.root_at(head.size) != Some(head.root)
    {
        return Err(BackupError::OtherLedger("it does not begin with the entries that were there").into());
    }
    let (size, root) = loaded.tree.frontier().head();
    let last = store::ledger::latest(&mut tx).await?;
    Ok(vec![
        format!("records: {}", loaded.index.len()),
        format!("ledger of {}: {size} entries, root {}", config.node, BASE64_STANDARD.encode(root)),
        format!("last acknowledged write: {}", last.map_or_else(|| "none".to_owned(), |at| at.to_rfc3339())),
    ])
}
