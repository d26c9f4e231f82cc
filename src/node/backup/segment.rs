//! Files of a line: batches, each in sealed parts of at most a mebibyte.
//!
//! A record is a head in the clear (length, batch, part, whether it is the last, a digest of these) and the sealed
//! part. The head is part of what authenticates the part. A batch counts once its last part is durable.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    BackupError, REMEDY, at, new_key, read_key, sync_directory,
    wal::{CommittedPages, Position},
};
use crate::{
    keys::error::KeyError,
    keys::{
        keyring::Keyring,
        vault::{Key, Place},
    },
    store::error::StoreError,
};

const MAGIC: &[u8; 16] = b"tsunagi batch 1\n";
/// Pages in one part.
const PART: usize = 256;
/// After so many bytes a new file is begun, so that older ones can be removed.
const LONGEST_FILE: u64 = 64 << 20;
const HEAD: usize = 4 + 8 + 4 + 1 + 8;
const SUFFIX: &str = ".batches";

/// What a part says before its pages.
#[derive(Serialize, Deserialize)]
pub(super) struct PartHead {
    pub pages: Vec<u32>,
    /// In the last part of a batch.
    pub end: Option<BatchEnd>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct BatchEnd {
    /// Pages of the database after the batch.
    pub database_pages: u32,
    /// Where the log stood after it.
    pub position: Position,
}

fn name_of(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The files of a line with the number of the first batch of each, in order.
pub(super) fn files(line: &Path) -> Result<Vec<(u64, PathBuf)>, BackupError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(line).map_err(at(line))? {
        let path = entry.map_err(at(line))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(first) = name.strip_suffix(SUFFIX).and_then(|first| first.parse().ok()) {
            files.push((first, path));
        }
    }
    files.sort();
    Ok(files)
}

fn key_name(line: Uuid, first: u64) -> String {
    format!("{line}:{first}")
}

fn part_name(line: Uuid, head: &RecordHead) -> String {
    format!("{line}:{}:{}:{}", head.batch, head.part, head.is_last)
}

fn part_place(name: &String) -> Place<'_> {
    Place { table: "backup", row: name, column: "part" }
}

fn remedied(path: &Path, at: u64, what: String) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), at, what, remedy: REMEDY }
}

/// Head of a record, and its place.
#[derive(Clone, Debug)]
pub(super) struct RecordHead {
    at: u64,
    length: u32,
    pub batch: u64,
    part: u32,
    pub is_last: bool,
}

impl RecordHead {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.batch.to_be_bytes());
        bytes.extend_from_slice(&self.part.to_be_bytes());
        bytes.push(u8::from(self.is_last));
        let digest = digest(&SHA256, &bytes);
        bytes.extend(digest.as_ref().iter().take(8));
        bytes
    }

    fn parse(at: u64, bytes: &[u8; HEAD]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (batch, rest) = rest.split_first_chunk()?;
        let (part, rest) = rest.split_first_chunk()?;
        let head = Self {
            at,
            length: u32::from_be_bytes(*length),
            batch: u64::from_be_bytes(*batch),
            part: u32::from_be_bytes(*part),
            is_last: *rest.first()? == 1,
        };
        (head.to_bytes() == bytes).then_some(head)
    }
}

/// The file to which a line grows.
pub(super) struct Growing {
    line: Uuid,
    directory: PathBuf,
    open: Option<OpenSegment>,
}

struct OpenSegment {
    path: PathBuf,
    key: Key,
    /// Generation of the master key that wraps it.
    master: u32,
    /// `None` after a write failed: the file is opened again, and what was half written is cut off.
    file: Option<File>,
    /// Bytes that were acknowledged.
    durable: u64,
}

impl Growing {
    pub fn new(line: Uuid, directory: PathBuf) -> Self {
        Self { line, directory, open: None }
    }

    /// Appends a batch; it is durable where this succeeds.
    ///
    /// # Errors
    /// A file cannot be written. The same batch may be appended again.
    pub fn append(
        &mut self,
        keyring: &Keyring,
        batch: u64,
        wal: &File,
        committed: &CommittedPages,
    ) -> Result<(), BackupError> {
        // What is written under a new master key needs no older one.
        let goes_on = |open: &OpenSegment| open.durable <= LONGEST_FILE && open.master == keyring.current();
        if !self.open.as_ref().is_some_and(goes_on) {
            self.open = Some(self.create(keyring, batch)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut file = open.ready()?;
        let written = write_batch(&mut file, open, self.line, batch, wal, committed)?;
        file.sync_data().map_err(at(&open.path))?;
        open.durable += written;
        open.file = Some(file);
        Ok(())
    }

    fn create(&self, keyring: &Keyring, first: u64) -> Result<OpenSegment, BackupError> {
        let path = self.directory.join(name_of(first));
        // A file of this name holds no batch that was ever acknowledged: it would count as one of the stream.
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(at(&path))?;
        let (key, head) = new_key(MAGIC, keyring, &key_name(self.line, first))?;
        file.write_all(&head).map_err(at(&path))?;
        file.sync_all().map_err(at(&path))?;
        sync_directory(&self.directory)?;
        Ok(OpenSegment { path, key, master: keyring.current(), file: Some(file), durable: head.len() as u64 })
    }
}

impl OpenSegment {
    /// The file, as long as what was acknowledged. It is given back once the next batch is durable as well.
    fn ready(&mut self) -> Result<File, BackupError> {
        if let Some(file) = self.file.take() {
            return Ok(file);
        }
        let mut file = OpenOptions::new().write(true).open(&self.path).map_err(at(&self.path))?;
        let length = file.metadata().map_err(at(&self.path))?.len();
        if length < self.durable {
            return Err(remedied(
                &self.path,
                length,
                format!("batches that were acknowledged are gone: the file had {} bytes", self.durable),
            ));
        }
        file.set_len(self.durable).and_then(|()| file.seek(SeekFrom::End(0))).map_err(at(&self.path))?;
        Ok(file)
    }
}

fn write_batch(
    file: &mut File,
    open: &OpenSegment,
    line: Uuid,
    batch: u64,
    wal: &File,
    committed: &CommittedPages,
) -> Result<u64, BackupError> {
    let pages: Vec<(u32, u64)> = committed.pages.iter().map(|(page, at)| (*page, *at)).collect();
    let parts = pages.chunks(PART);
    let last = parts.len().saturating_sub(1);
    let mut written = 0;
    for (number, pages) in parts.enumerate() {
        let is_last = number == last;
        let end = is_last
            .then(|| BatchEnd { database_pages: committed.database_pages, position: committed.position.clone() });
        let head = PartHead { pages: pages.iter().map(|(page, _)| *page).collect(), end };
        let mut plain = postcard::to_allocvec(&head).map_err(|_| StoreError::Corrupt("batch"))?;
        for (_, at) in pages {
            plain.extend(committed.page(wal, *at)?.ok_or(super::WalError::NotContinued)?);
        }
        let mut record =
            RecordHead { at: 0, length: 0, batch, part: u32::try_from(number).unwrap_or(u32::MAX), is_last };
        let sealed = open.key.seal(part_place(&part_name(line, &record)), &plain)?;
        record.length = u32::try_from(sealed.len()).map_err(|_| KeyError::Unsealed)?;
        let bytes = [record.to_bytes(), sealed].concat();
        file.write_all(&bytes).map_err(at(&open.path))?;
        written += bytes.len() as u64;
    }
    Ok(written)
}

/// A file of batches being read.
pub(super) struct Segment {
    path: PathBuf,
    line: Uuid,
    file: BufReader<File>,
    key: Key,
    /// Of every record of the batches that are whole, in order.
    pub records: Vec<RecordHead>,
}

impl Segment {
    /// Opens a file and walks over its records.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or belongs to another keyring or line. A batch at the end of which a part is
    /// missing is not damage: it was never acknowledged.
    pub fn open(path: &Path, line: Uuid, first: u64, keyring: &Keyring) -> Result<Self, BackupError> {
        let mut file = BufReader::new(File::open(path).map_err(at(path))?);
        let length = file.get_ref().metadata().map_err(at(path))?.len();
        let (key, begin) = read_key(&mut file, MAGIC, keyring, &key_name(line, first), path)?;
        let mut segment = Self { path: path.to_owned(), line, file, key, records: Vec::new() };
        segment.walk(first, begin, length)?;
        Ok(segment)
    }

    fn walk(&mut self, first: u64, mut begin: u64, length: u64) -> Result<(), BackupError> {
        let (mut batch, mut part, mut whole) = (first, 0, 0);
        while begin + HEAD as u64 <= length {
            let mut bytes = [0; HEAD];
            self.file.seek(SeekFrom::Start(begin)).map_err(at(&self.path))?;
            self.file.read_exact(&mut bytes).map_err(at(&self.path))?;
            // Space that a file system had given to a write which never came.
            if bytes == [0; HEAD] {
                break;
            }
            let Some(head) = RecordHead::parse(begin, &bytes) else {
                let what = format!("the head of a part of batch {batch} was changed");
                return Err(remedied(&self.path, begin, what));
            };
            if (head.batch, head.part) != (batch, part) {
                let what = format!(
                    "part {part} of batch {batch} is expected, part {} of batch {} stands here",
                    head.part, head.batch
                );
                return Err(remedied(&self.path, begin, what));
            }
            begin += (HEAD as u64) + u64::from(head.length);
            if begin > length {
                break;
            }
            (batch, part) = if head.is_last { (batch + 1, 0) } else { (batch, part + 1) };
            let is_last = head.is_last;
            self.records.push(head);
            if is_last {
                whole = self.records.len();
            }
        }
        self.records.truncate(whole);
        Ok(())
    }

    /// Opens a part: its head, and its pages one after another.
    ///
    /// # Errors
    /// It does not open.
    pub fn part(&mut self, head: &RecordHead) -> Result<(PartHead, Zeroizing<Vec<u8>>), BackupError> {
        let mut sealed = vec![0; head.length as usize];
        self.file.seek(SeekFrom::Start(head.at + HEAD as u64)).map_err(at(&self.path))?;
        self.file.read_exact(&mut sealed).map_err(at(&self.path))?;
        let name = part_name(self.line, head);
        let damaged =
            |what: &str| remedied(&self.path, head.at, format!("part {} of batch {} {what}", head.part, head.batch));
        let plain = self
            .key
            .open(part_place(&name), &sealed)
            .map_err(|_| damaged("does not open: it was changed, moved or exchanged"))?;
        let (part, pages) = postcard::take_from_bytes::<PartHead>(&plain).map_err(|_| damaged("cannot be read"))?;
        Ok((part, Zeroizing::new(pages.to_vec())))
    }
}

/// Generation of the master key with which a file is opened; `None` where not even its head was finished.
pub(super) fn master_of(path: &Path) -> Result<Option<u32>, BackupError> {
    super::master_of(path, 0, MAGIC)
}

/// Number of the last whole batch of a line and where the log stood after it; `None` where the line has none yet.
pub(super) fn last_batch(
    directory: &Path,
    line: Uuid,
    keyring: &Keyring,
) -> Result<Option<(u64, Position)>, BackupError> {
    for (first, path) in files(directory)?.into_iter().rev() {
        let mut segment = match Segment::open(&path, line, first, keyring) {
            // Not even its head was finished: it holds nothing.
            Err(BackupError::Damaged { at: 0, .. }) => continue,
            opened => opened?,
        };
        let Some(last) = segment.records.last().cloned() else { continue };
        let (head, _) = segment.part(&last)?;
        let end = head.end.ok_or_else(|| remedied(&path, last.at, "a batch has no end".into()))?;
        return Ok(Some((last.batch, end.position)));
    }
    Ok(None)
}

/// Removes the files of a line whose every batch is before a number; returns how many.
pub(super) fn remove_before(directory: &Path, batch: u64) -> Result<usize, BackupError> {
    let files = files(directory)?;
    let mut removed = 0;
    for ((_, path), (next, _)) in files.iter().zip(files.iter().skip(1)) {
        if *next <= batch {
            fs::remove_file(path).map_err(at(path))?;
            removed += 1;
        }
    }
    Ok(removed)
}
