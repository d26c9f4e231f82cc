//! A restore: a base copy, the batches after it, and a new database file in which both are.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use super::{
    BackupError, REMEDY, at,
    base::{BaseManifest, BaseReader, beside, find},
    segment::{self, Segment},
    stream::{BASE, leave_line, lines, position_row},
    sync_directory,
};
use crate::{
    files,
    keys::keyring::Keyring,
    store::{
        error::StoreError,
        open::BUSY,
        tx::{Tx, fetch_all},
    },
};

/// What to restore from, and how far.
pub struct Sources<'a> {
    /// A base copy, or a directory of them; without it, that with which the newest line of the stream begins.
    pub from: Option<&'a Path>,
    pub stream: Option<&'a Path>,
    /// Another line than the newest.
    pub line: Option<Uuid>,
    /// The last batch to take; without it, every one.
    pub until_batch: Option<u64>,
}

/// What was restored.
pub struct Restored {
    pub base: PathBuf,
    pub manifest: BaseManifest,
    /// The line, the last batch that is in the database now, and how many of its batches were taken from the stream.
    pub batches: Option<(Uuid, u64, u64)>,
}

/// A database file that is being made. What is unfinished goes with it.
pub struct Making {
    staged: PathBuf,
    database: PathBuf,
    is_done: bool,
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.is_done {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(beside(&self.staged, suffix));
            }
        }
    }
}

impl Making {
    /// Begins beside where the database is to be.
    ///
    /// # Errors
    /// A database or part of one is there.
    pub fn begin(database: &Path) -> Result<Self, BackupError> {
        for suffix in ["", "-wal", "-shm"] {
            let path = beside(database, suffix);
            if path.exists() {
                return Err(BackupError::Exists { path });
            }
        }
        Ok(Self { staged: beside(database, ".restoring"), database: database.to_owned(), is_done: false })
    }

    /// The file as long as it is not finished.
    pub fn path(&self) -> &Path {
        &self.staged
    }

    /// Fills the file from a base copy and a stream.
    ///
    /// # Errors
    /// What is damaged, missing or foreign, and where.
    pub async fn fill(&self, sources: &Sources<'_>, keyring: &Keyring) -> Result<Restored, BackupError> {
        let base = base_of(sources)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&self.staged).map_err(at(&self.staged))?;
        let mut length = 0;
        let manifest = BaseReader::open(&base, keyring)?.each(|pages| {
            file.write_all_at(pages, length).map_err(at(&self.staged))?;
            length += pages.len() as u64;
            Ok(())
        })?;
        file.sync_all().map_err(at(&self.staged))?;
        let held = self.held().await?;
        let batches = match (sources.stream, held) {
            (Some(stream), Some((line, batch))) => {
                Some(replay(stream, (line, batch), sources, keyring, &file, manifest.page_size)?)
            }
            _ => None,
        };
        file.sync_all().map_err(at(&self.staged))?;
        drop(file);
        let mut connection = self.connect().await?;
        leave_line(&mut connection).await?;
        connection.close().await?;
        Ok(Restored { base, manifest, batches })
    }

    /// Which batch the base copy holds, as the copied database says.
    async fn held(&self) -> Result<Option<(Uuid, u64)>, BackupError> {
        let mut connection = self.connect().await?;
        let held = position_row(&mut connection).await?;
        connection.close().await?;
        Ok(held)
    }

    async fn connect(&self) -> Result<SqliteConnection, BackupError> {
        Ok(SqliteConnectOptions::new().filename(&self.staged).busy_timeout(BUSY).connect().await?)
    }

    /// Puts the finished file where the database is to be.
    ///
    /// # Errors
    /// It cannot be moved, or something is there by now.
    pub fn finish(mut self) -> Result<(), BackupError> {
        File::open(&self.staged).and_then(|file| file.sync_all()).map_err(at(&self.staged))?;
        if self.database.exists() {
            return Err(BackupError::Exists { path: self.database.clone() });
        }
        std::fs::rename(&self.staged, &self.database).map_err(at(&self.database))?;
        self.is_done = true;
        sync_directory(files::directory_of(&self.database))
    }
}

/// Has SQLite look whether every page and index of a database is sound.
///
/// # Errors
/// It is not.
pub async fn check_pages(tx: &mut Tx) -> Result<(), StoreError> {
    let faults = fetch_all!(tx, (String,), "/* check_pages */ PRAGMA integrity_check(1)")?;
    if faults.iter().all(|(fault,)| fault == "ok") { Ok(()) } else { Err(StoreError::Corrupt("pages of the database")) }
}

fn base_of(sources: &Sources<'_>) -> Result<PathBuf, BackupError> {
    if let Some(from) = sources.from {
        return find(from);
    }
    let stream = sources.stream.unwrap_or(Path::new("."));
    let line = match sources.line {
        Some(line) => lines(stream)?.into_iter().find(|(found, _)| *found == line),
        None => lines(stream)?.pop(),
    };
    let (_, path) = line.ok_or(BackupError::NoBase {
        path: stream.to_owned(),
        remedy: "Name the directory of [backup] stream, or a base copy with --from",
    })?;
    Ok(path.join(BASE))
}

/// Puts every batch after the one of its line that the file holds into the file. Returns the line, the last batch, and
/// how many there were.
fn replay(
    stream: &Path,
    (line, held): (Uuid, u64),
    sources: &Sources<'_>,
    keyring: &Keyring,
    file: &File,
    page_size: u32,
) -> Result<(Uuid, u64, u64), BackupError> {
    if let Some((newer, _)) = lines(stream)?.pop().filter(|(newest, _)| *newest > line && sources.line.is_none()) {
        return Err(BackupError::NewerLine { newer });
    }
    let directory = stream.join(line.to_string());
    let missing = |from, to| BackupError::Missing { path: directory.clone(), from, to, remedy: REMEDY };
    let until = sources.until_batch.unwrap_or(u64::MAX);
    let (mut last, mut taken) = (held, 0);
    let files = segment::files(&directory)?;
    for (number, (first, path)) in files.iter().enumerate() {
        // Everything in it is in the base copy, and it need not be whole any more.
        if files.get(number + 1).is_some_and(|(next, _)| *next <= last + 1) {
            continue;
        }
        if last >= until {
            break;
        }
        if *first > last + 1 {
            return Err(missing(last + 1, first - 1));
        }
        let mut segment = match Segment::open(path, line, *first, keyring) {
            // The last file may have been begun and no more: no batch in it was acknowledged.
            Err(BackupError::Damaged { at: 0, .. }) if number + 1 == files.len() => break,
            opened => opened?,
        };
        for record in std::mem::take(&mut segment.records) {
            if record.batch <= last || record.batch > until {
                continue;
            }
            let (head, pages) = segment.part(&record)?;
            for (page, bytes) in head.pages.iter().zip(pages.chunks(page_size as usize)) {
                let begin = u64::from(page.saturating_sub(1)) * u64::from(page_size);
                file.write_all_at(bytes, begin).map_err(at(path))?;
            }
            if let Some(end) = head.end {
                let length = u64::from(end.database_pages) * u64::from(page_size);
                file.set_len(length).map_err(at(path))?;
                (last, taken) = (record.batch, taken + 1);
            }
        }
    }
    if let Some(until) = sources.until_batch.filter(|until| *until > last) {
        return Err(missing(last + 1, until));
    }
    Ok((line, last, taken))
}
