//! The stream: every committed batch, sealed and durable in another place, before anybody is answered.
//!
//! The journal is the only writer of the database, so between two of its commits the log holds exactly one batch more.
//! [`Stream::secure`] copies it. Until it has, no other batch is begun, and so nothing is acknowledged and nothing
//! disclosed that the stream does not hold.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use super::{
    BackupError, at,
    base::{BackupSource, beside},
    segment::{Growing, files, last_batch},
    sync_directory,
    wal::{Position, committed_since},
};
use crate::{
    clock::{Timestamp, unclocked_id},
    keys::vault::Vault,
    store::{
        error::StoreError,
        open::{Access, BUSY, Follower, Store},
        tx::{Tx, execute},
    },
};

/// Frames in the log after which they are moved into the database, as SQLite does by itself where there is no stream.
const MAX_FRAMES: u64 = 1_000;
/// The base copy with which a line begins.
pub(super) const BASE: &str = "base";

/// The stream of a gateway that serves. Clones share it.
#[derive(Clone)]
pub struct Stream(Arc<Shipping>);

impl Follower for Stream {
    fn number<'t>(&'t self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), StoreError>> {
        Box::pin(self.0.number(tx))
    }

    fn secure(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.0.secure().await.map_err(|error| StoreError::Unsecured(error.to_string())) })
    }

    fn secure_commit(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.0.secure_commit().await.map_err(|error| StoreError::Unsecured(error.to_string())) })
    }

    fn rest(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.0.rest().await {
                tracing::warn!(%error, "the stream did not come to rest; the next start may make a base copy");
            }
        })
    }
}

impl Stream {
    /// Goes on with the newest line of a stream where it is certain that it holds everything, and else begins a new
    /// one with a base copy. What was committed and not streamed before the last stop is streamed now.
    ///
    /// # Errors
    /// The stream cannot be written, is another's, or is ahead of the database.
    pub async fn open(
        directory: &Path,
        database: &Path,
        vault: Arc<Vault>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Self, BackupError> {
        Shipping::open(directory, database, vault, store, now).await.map(Self)
    }
}

struct Shipping {
    database: PathBuf,
    vault: Arc<Vault>,
    line: Uuid,
    state: Mutex<StreamState>,
    /// The last batch that is durable in the stream.
    shipped: AtomicU64,
    /// The batch that was begun last; whatever is committed has its number.
    begun: AtomicU64,
    /// Keeps SQLite from ending the log when the other connections are away for a moment, and moves the log into the
    /// database.
    anchor: tokio::sync::Mutex<Option<SqliteConnection>>,
    lock: Mutex<Option<File>>,
    /// Of the base copy; see [`BackupSource::close`].
    _database: Option<Arc<File>>,
}

struct StreamState {
    growing: Growing,
    position: Option<Position>,
}

/// Left beside the database at a graceful stop: as long as it fits, nobody has written to the file since.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct StopMark {
    line: Uuid,
    batch: u64,
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl StopMark {
    fn of(database: &Path, line: Uuid, batch: u64) -> Result<Self, BackupError> {
        let file = fs::metadata(database).map_err(at(database))?;
        Ok(Self {
            line,
            batch,
            device: file.dev(),
            inode: file.ino(),
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    fn path(database: &Path) -> PathBuf {
        beside(database, ".stream")
    }

    fn read(database: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(database)).ok()?).ok()
    }
}

/// The line and the batch that a database holds.
pub(super) async fn position_row(connection: &mut SqliteConnection) -> Result<Option<(Uuid, u64)>, BackupError> {
    row_of(connection, "stream_position", "/* stream_position */ SELECT line, batch FROM stream_position").await
}

/// The line and the batch of it up to which a database was restored, where nobody wrote to it since.
async fn restored_row(connection: &mut SqliteConnection) -> Result<Option<(Uuid, u64)>, BackupError> {
    row_of(connection, "stream_restored", "/* stream_restored */ SELECT line, batch FROM stream_restored").await
}

async fn row_of(
    connection: &mut SqliteConnection,
    table: &str,
    select: &'static str,
) -> Result<Option<(Uuid, u64)>, BackupError> {
    let exists: Option<(i64,)> =
        sqlx::query_as("/* has_stream */ SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1")
            .bind(table)
            .fetch_optional(&mut *connection)
            .await?;
    if exists.is_none() {
        return Ok(None);
    }
    let row: Option<(Uuid, i64)> = sqlx::query_as(select).fetch_optional(connection).await?;
    Ok(row.map(|(line, batch)| (line, u64::try_from(batch).unwrap_or(0))))
}

/// Takes a restored database out of its line: what is written next does not belong there. How far it was restored is
/// kept until then.
pub(super) async fn leave_line(connection: &mut SqliteConnection) -> Result<(), BackupError> {
    sqlx::query(FORGET_RESTORED).execute(&mut *connection).await?;
    if position_row(connection).await?.is_some() {
        sqlx::query("/* leave_line */ ALTER TABLE stream_position RENAME TO stream_restored")
            .execute(connection)
            .await?;
    }
    Ok(())
}

const FORGET_RESTORED: &str = "/* forget_restored */ DROP TABLE IF EXISTS stream_restored";

/// The lines of a stream that have a base copy, oldest first.
pub(super) fn lines(stream: &Path) -> Result<Vec<(Uuid, PathBuf)>, BackupError> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(stream).map_err(at(stream))? {
        let path = entry.map_err(at(stream))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| Uuid::try_parse(name).ok());
        if let Some(line) = name.filter(|_| path.join(BASE).exists()) {
            lines.push((line, path));
        }
    }
    lines.sort();
    Ok(lines)
}

/// Generations of the master keys without which a line of a stream cannot be read.
///
/// # Errors
/// The stream cannot be read.
pub fn masters(stream: &Path) -> Result<BTreeSet<u32>, BackupError> {
    let mut masters = BTreeSet::new();
    for (_, line) in lines(stream)? {
        masters.extend(super::base::master_of(&line.join(BASE))?);
        for (_, path) in files(&line)? {
            masters.extend(super::segment::master_of(&path)?);
        }
    }
    Ok(masters)
}

/// How a stream goes on at a start.
enum Beginning {
    /// After the last batch of a line, and from where in the log.
    GoesOn { line: Uuid, batch: u64, position: Option<Position> },
    /// With a new line, because of this.
    Anew(&'static str),
}

impl Shipping {
    async fn open(
        directory: &Path,
        database: &Path,
        vault: Arc<Vault>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Arc<Self>, BackupError> {
        let lock = lock(directory, "lock")?;
        let options = SqliteConnectOptions::new().filename(database).pragma("wal_autocheckpoint", "0");
        let mut anchor = options.busy_timeout(BUSY).connect().await?;
        let row = position_row(&mut anchor).await?;
        let restored = restored_row(&mut anchor).await?;
        let (stream, file, keys) = (directory.to_owned(), database.to_owned(), vault.clone());
        let looking = tokio::task::spawn_blocking(move || beginning(&stream, &file, row, restored, &keys));
        let begun = match looking.await.map_err(|_| StoreError::Corrupt("stream"))?? {
            Beginning::GoesOn { line, batch, position } => BegunLine { line, batch, position, file: None },
            Beginning::Anew(reason) => {
                tracing::warn!(reason, "a new line of the stream begins with a base copy of the database");
                begin_line(directory, database, store, &vault, now).await?
            }
        };
        let growing = Growing::new(begun.line, directory.join(begun.line.to_string()));
        let stream = Arc::new(Self {
            database: database.to_owned(),
            vault,
            line: begun.line,
            state: Mutex::new(StreamState { growing, position: begun.position }),
            shipped: AtomicU64::new(begun.batch),
            begun: AtomicU64::new(begun.batch),
            anchor: tokio::sync::Mutex::new(Some(anchor)),
            lock: Mutex::new(Some(lock)),
            _database: begun.file,
        });
        // What a start writes by itself, such as a migration, is a batch like any other.
        if row == Some((begun.line, begun.batch)) && stream.log_goes_on()? {
            let mut tx = store.write(Access::Change).await?;
            stream.number(&mut tx).await?;
            tx.commit().await?;
        }
        stream.secure().await?;
        tracing::info!(line = %begun.line, batch = stream.shipped(), "every write is streamed before it is acknowledged");
        Ok(stream)
    }

    /// The last batch that is durable in the stream.
    fn shipped(&self) -> u64 {
        self.shipped.load(Ordering::SeqCst)
    }

    /// Copies what was committed and is not in the stream yet; it is durable there where this succeeds.
    ///
    /// # Errors
    /// The stream cannot be written. Then the batch is in doubt: nothing may be acknowledged until this succeeds.
    async fn secure(self: &Arc<Self>) -> Result<(), BackupError> {
        let stream = self.clone();
        let shipping = tokio::task::spawn_blocking(move || stream.ship());
        let frames = shipping.await.map_err(|_| StoreError::Corrupt("stream"))??;
        if frames > MAX_FRAMES
            && let Some(anchor) = self.anchor.lock().await.as_mut()
        {
            // Whoever reads for long keeps the log from being begun anew: it grows meanwhile. No reason to fail.
            let moved = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(anchor).await;
            if let Err(error) = moved {
                tracing::warn!(%error, "the write-ahead log could not be moved into the database; it is tried again");
            }
        }
        Ok(())
    }

    /// The same after a commit, which must have been in the log.
    ///
    /// # Errors
    /// As [`Self::secure`]; or the log is not where the database was opened.
    async fn secure_commit(self: &Arc<Self>) -> Result<(), BackupError> {
        self.secure().await?;
        if self.shipped() < self.begun.load(Ordering::SeqCst) {
            return Err(BackupError::NotInLog { path: beside(&self.database, "-wal") });
        }
        Ok(())
    }

    /// Ships the next batch, if there is one. Returns the number of frames in the log.
    fn ship(&self) -> Result<u64, BackupError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wal) = self.log()? else { return Ok(0) };
        let Some(committed) = committed_since(&wal, state.position.as_ref())? else { return Ok(0) };
        let next = self.shipped() + 1;
        state.growing.append(&self.vault.keyring(), next, &wal, &committed)?;
        let frames = committed.position.frames(committed.page_size);
        state.position = Some(committed.position);
        self.shipped.store(next, Ordering::SeqCst);
        Ok(frames)
    }

    fn log(&self) -> Result<Option<File>, BackupError> {
        let path = beside(&self.database, "-wal");
        match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(at(&path)),
        }
    }

    /// Whether something was committed that is not in the stream.
    fn log_goes_on(&self) -> Result<bool, BackupError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wal) = self.log()? else { return Ok(false) };
        Ok(committed_since(&wal, state.position.as_ref())?.is_some())
    }

    /// Says in the batch that is being written which one it is.
    async fn number(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let next = self.shipped() + 1;
        self.begun.store(next, Ordering::SeqCst);
        let next = i64::try_from(next).unwrap_or(i64::MAX);
        execute!(tx, "/* number_batch */ UPDATE stream_position SET batch = $1", next)?;
        Ok(())
    }

    /// Ends: the last of the log goes into the database, and a mark says that the line holds all of it. Call it when
    /// every other connection is closed.
    async fn rest(self: &Arc<Self>) -> Result<(), BackupError> {
        let rested = self.come_to_rest().await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        rested
    }

    async fn come_to_rest(self: &Arc<Self>) -> Result<(), BackupError> {
        let stream = self.clone();
        let shipping = tokio::task::spawn_blocking(move || stream.ship());
        shipping.await.map_err(|_| StoreError::Corrupt("stream"))??;
        if let Some(anchor) = self.anchor.lock().await.take() {
            anchor.close().await?;
        }
        // Somebody else still reads: the log stays, and the next start goes on in it.
        if fs::metadata(beside(&self.database, "-wal")).is_ok_and(|wal| wal.len() > 0) {
            return Ok(());
        }
        let path = StopMark::path(&self.database);
        let mark = StopMark::of(&self.database, self.line, self.shipped())?;
        let text = serde_json::to_vec(&mark).map_err(|_| StoreError::Corrupt("mark"))?;
        fs::write(&path, text).map_err(at(&path))
    }
}

/// Takes a lock of a stream. It goes with the process.
pub(super) fn lock(directory: &Path, name: &str) -> Result<File, BackupError> {
    let path = directory.join(name);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
    file.try_lock().map_err(|_| BackupError::Locked { path })?;
    Ok(file)
}

/// Finds out whether the newest line holds everything that the database holds.
fn beginning(
    directory: &Path,
    database: &Path,
    row: Option<(Uuid, u64)>,
    restored: Option<(Uuid, u64)>,
    vault: &Vault,
) -> Result<Beginning, BackupError> {
    let Some((line, path)) = lines(directory)?.pop() else { return Ok(Beginning::Anew("the stream has none yet")) };
    let base = super::base::BaseReader::open(&path.join(BASE), &vault.keyring())?;
    // Nothing was written since: the gateway does not serve before its line has a base copy.
    if row.is_some_and(|(own, held)| held == 0 && own > line && directory.join(own.to_string()).is_dir()) {
        return Ok(Beginning::Anew("the base copy of its line was not finished"));
    }
    let of_line = |row: Option<(Uuid, u64)>| row.filter(|(own, _)| *own == line).map(|(_, batch)| batch);
    let (own, restored) = (of_line(row), of_line(restored).filter(|_| row.is_none()));
    // To begin a line over a stream that holds more would be to throw that away with the next base copy.
    let Some(held) = own.or(restored) else { return Err(BackupError::OtherDatabase) };
    let (batch, position) = match last_batch(&path, line, &vault.keyring()) {
        Ok(Some((batch, position))) => (batch, Some(position)),
        // Nothing was written since the line began. The base copy says where the log stood, and is checked on the way.
        Ok(None) => (0, base.each(|_| Ok(()))?.position),
        Err(BackupError::Damaged { path: file, at, what, .. }) => {
            tracing::error!(path = %file.display(), at, what, "the end of the stream is damaged");
            // What is before its last file was whole.
            let whole = files(&path)?.last().map_or(0, |(first, _)| first.saturating_sub(1));
            if held < whole {
                return Err(BackupError::DatabaseIsOlder { stream: whole, database: held });
            }
            return Ok(Beginning::Anew("the end of the newest line is damaged"));
        }
        Err(error) => return Err(error),
    };
    if restored.is_some() {
        return if held < batch {
            Err(BackupError::OtherDatabase)
        } else {
            Ok(Beginning::Anew("the database was restored"))
        };
    }
    let log = beside(database, "-wal");
    let wal = File::open(&log).ok().filter(|wal| wal.metadata().is_ok_and(|wal| wal.len() > 0));
    if let (Some(wal), Some(position)) = (wal, position)
        && position.is_continued_by(&wal)?
    {
        return Ok(Beginning::GoesOn { line, batch, position: Some(position) });
    }
    // The log was ended. With the mark of a graceful stop nobody wrote between, and a log that is there is newer.
    if StopMark::read(database).is_some_and(|mark| StopMark::of(database, line, batch).is_ok_and(|now| now == mark)) {
        return Ok(Beginning::GoesOn { line, batch, position: None });
    }
    if held < batch {
        return Err(BackupError::DatabaseIsOlder { stream: batch, database: held });
    }
    Ok(Beginning::Anew("it is not known what was written to the database since"))
}

struct BegunLine {
    line: Uuid,
    batch: u64,
    position: Option<Position>,
    file: Option<Arc<File>>,
}

/// Begins a line: in the database the row that says so, and a base copy.
async fn begin_line(
    directory: &Path,
    database: &Path,
    store: &Store,
    vault: &Vault,
    now: Timestamp,
) -> Result<BegunLine, BackupError> {
    let line = line_after(lines(directory)?.pop().map(|(line, _)| line), unclocked_id());
    let path = directory.join(line.to_string());
    fs::DirBuilder::new().mode(0o700).create(&path).map_err(at(&path))?;
    let mut tx = store.write(Access::Change).await?;
    execute!(
        &mut tx,
        "/* make_stream_position */ CREATE TABLE IF NOT EXISTS stream_position (line BLOB NOT NULL, batch BIGINT NOT NULL)",
    )?;
    execute!(&mut tx, "/* leave_old_line */ DELETE FROM stream_position")?;
    execute!(&mut tx, FORGET_RESTORED)?;
    execute!(&mut tx, "/* begin_line */ INSERT INTO stream_position (line, batch) VALUES ($1, 0)", line)?;
    tx.commit().await?;
    let mut source = BackupSource::open(database).await?;
    let manifest = source.copy(&path.join(BASE), &vault.keyring(), now).await?;
    sync_directory(directory)?;
    Ok(BegunLine { line, batch: 0, position: manifest.position, file: Some(source.close().await?) })
}

/// The newest line is the last by its id, whatever the clock said when another one was begun.
fn line_after(newest: Option<Uuid>, now: Uuid) -> Uuid {
    newest.map_or(now, |newest| now.max(Uuid::from_u128(newest.as_u128().saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_newer_than_one_that_was_begun_under_a_later_clock() {
        let (earlier, later) = (unclocked_id(), unclocked_id());
        assert_eq!(line_after(None, later), later);
        assert_eq!(line_after(Some(earlier), later), later);
        assert!(line_after(Some(later), earlier) > later);
    }
}
