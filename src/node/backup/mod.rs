//! Backup and recovery of a SQLite database: base copies, and a stream of every committed batch to another host.
//!
//! Comes in: the database file and the write-ahead log, as SQLite wrote them. Goes out: sealed files, and from these
//! the database again, up to the last batch that was acknowledged. Never done here: changing the database beyond the
//! one row that says which batch it holds, or writing over a database that exists.
//!
//! A *line* is one base copy and the batches that follow it, numbered from 1 without a gap; it has a directory of its
//! own in the stream. Every file has a key of its own, wrapped by the keyring's master key, and every piece of it is
//! sealed and bound to its line and number: none can be read, changed, moved, left out or exchanged. Only the end of a
//! stream can be cut off unnoticed; a checkpoint in another's hands shows it. See decision 16.

pub mod base;
pub mod restore;
mod segment;
mod stream;
mod wal;

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use uuid::Uuid;

pub use self::{
    stream::{Stream, masters},
    wal::WalError,
};
use crate::{
    files,
    keys::error::KeyError,
    keys::{
        keyring::Keyring,
        vault::{Key, Place},
    },
    store::error::StoreError,
};

/// Why a backup, a stream or a restore cannot go on: the place, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{path}, byte {at}: {what}. {remedy}")]
    Damaged { path: PathBuf, at: u64, what: String, remedy: &'static str },
    #[error("{path}: batches {from} to {to} are missing. {remedy}")]
    Missing { path: PathBuf, from: u64, to: u64, remedy: &'static str },
    #[error(
        "{path}: made with another keyring, or for another place: its key does not open. Use the keyring that belongs to it, and leave the names of files and directories as they were"
    )]
    Foreign { path: PathBuf },
    #[error("{path}: no base copy is here. {remedy}")]
    NoBase { path: PathBuf, remedy: &'static str },
    #[error("{path}: exists already; a restore writes over nothing. Move it away first")]
    Exists { path: PathBuf },
    #[error(
        "{path}: another process holds this lock, or it cannot be taken. Give each gateway a stream of its own, and let one \
         backup end before the next"
    )]
    Locked { path: PathBuf },
    #[error(
        "the stream holds batch {stream} of this database, the database itself only batch {database}: it is an older copy, \
         and what was acknowledged since is not in it. Restore with `tsunagi restore`; do not serve from it"
    )]
    DatabaseIsOlder { stream: u64, database: u64 },
    #[error(
        "the stream is of another database, or holds more than was restored of it. Restore with `tsunagi restore`; to begin \
         a new stream move the old one away"
    )]
    OtherDatabase,
    #[error(
        "a newer line of the stream follows the one of this base: {newer}. Leave out --from to restore from it, or name the line with --line"
    )]
    NewerLine { newer: Uuid },
    #[error("the restored ledger is not the one that the base copy states: {0}")]
    OtherLedger(&'static str),
    #[error(
        "{path}: what was committed is not there. Was the database moved or replaced under the gateway? Stop it, put the \
         files back, start it"
    )]
    NotInLog { path: PathBuf },
    #[error("write-ahead log: {0}. Stop the gateway and start it again: it begins a new line with a new base copy")]
    Wal(#[from] WalError),
    #[error(transparent)]
    Store(#[from] Box<StoreError>),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<KeyError> for BackupError {
    fn from(error: KeyError) -> Self {
        StoreError::from(error).into()
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

const REMEDY: &str = "Take the file from another copy of the stream, or restore from a newer base copy; \
    with neither, --until-batch restores what comes before, and everything acknowledged after is lost";

/// Names the file in an error of the system.
fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |error| BackupError::File { path, error }
}

/// Makes the names in a directory durable.
fn sync_directory(directory: &Path) -> Result<(), BackupError> {
    files::sync_directory(directory).map_err(at(directory))
}

/// Makes the key of a new file. Returns it and the file's head, which holds it wrapped by the current master key.
fn new_key(magic: &[u8; 16], keyring: &Keyring, name: &String) -> Result<(Key, Vec<u8>), StoreError> {
    let key = Key::generate()?;
    let (generation, wrapped) = keyring.wrap(key_place(name), &key)?;
    let mut head = magic.to_vec();
    head.extend_from_slice(&generation.to_be_bytes());
    head.extend_from_slice(&u16::try_from(wrapped.len()).map_err(|_| KeyError::Unsealed)?.to_be_bytes());
    head.extend_from_slice(&wrapped);
    Ok((key, head))
}

/// Reads a head that [`new_key`] made. Returns the key and the length of the head.
fn read_key(
    input: &mut impl Read,
    magic: &[u8; 16],
    keyring: &Keyring,
    name: &String,
    path: &Path,
) -> Result<(Key, u64), BackupError> {
    let short = |_: io::Error| BackupError::Damaged {
        path: path.to_owned(),
        at: 0,
        what: "the head of the file is not whole".into(),
        remedy: REMEDY,
    };
    let (mut begins, mut generation, mut length) = ([0; 16], [0; 4], [0; 2]);
    input.read_exact(&mut begins).map_err(short)?;
    input.read_exact(&mut generation).map_err(short)?;
    input.read_exact(&mut length).map_err(short)?;
    let mut wrapped = vec![0; usize::from(u16::from_be_bytes(length))];
    input.read_exact(&mut wrapped).map_err(short)?;
    let foreign = || BackupError::Foreign { path: path.to_owned() };
    // Space that a file system had given to a write which never came.
    if begins == [0; 16] {
        return Err(short(io::ErrorKind::UnexpectedEof.into()));
    }
    if begins != *magic {
        return Err(foreign());
    }
    let generation = u32::from_be_bytes(generation);
    let key = keyring.unwrap(generation, key_place(name), &wrapped).map_err(|_| foreign())?;
    let head = begins.len() + size_of_val(&generation) + length.len() + wrapped.len();
    Ok((key, head as u64))
}

/// Generation of the master key that wraps the key of a file, from its head; `None` where the head is not whole.
fn master_of(path: &Path, before_head: u64, magic: &[u8; 16]) -> Result<Option<u32>, BackupError> {
    let mut head = Vec::new();
    let mut file = match std::fs::File::open(path) {
        // A base copy that covers it has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(at(path))?,
    };
    file.seek(SeekFrom::Start(before_head)).map_err(at(path))?;
    file.take(20).read_to_end(&mut head).map_err(at(path))?;
    let generation = head.strip_prefix(magic).and_then(|generation| generation.try_into().ok());
    Ok(generation.map(u32::from_be_bytes))
}

fn key_place(name: &String) -> Place<'_> {
    Place { table: "backup", row: name, column: "key" }
}
