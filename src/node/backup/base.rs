//! A base copy: the whole database at one moment, taken while it is written to, in one sealed file.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, IntoInnerError, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    BackupError, at, new_key, read_key,
    segment::remove_before,
    wal::{CommittedPages, Position, WalError, committed_since},
};
use crate::{
    clock::{Timestamp, unclocked_id},
    files::Replacing,
    keys::error::KeyError,
    keys::{
        keyring::Keyring,
        vault::{Key, Place},
    },
    ledger::merkle::Hash,
    store::{error::StoreError, ledger::LedgerHead, open::BUSY},
};

const MAGIC: &[u8; 16] = b"tsunagi base  1\n";
const PAGES: u8 = 0;
const MANIFEST: u8 = 1;
/// Bytes of pages in one sealed chunk.
const CHUNK: usize = 1 << 20;
/// Bytes of a sealed chunk; more is damage.
const LONGEST: usize = CHUNK + 4_096 + (64 << 10);
/// How often the log is read again where it was begun anew meanwhile. It cannot happen twice in a row.
const TRIES: usize = 4;
/// A copy in a directory of backups: `tsunagi-TIME-ID.base`.
const SUFFIX: &str = ".base";
const REMEDY: &str = "Take another base copy";

/// What a base copy says of itself, sealed at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BaseManifest {
    pub id: Uuid,
    /// Microseconds since 1970.
    pub made_at: i64,
    pub page_size: u32,
    pub pages: u32,
    pub sha256: Hash,
    /// Of every node's ledger, at the latest when the copy began: the restored ledgers begin with these.
    pub heads: Vec<LedgerHead>,
    /// The line of the stream, and a batch that the copy holds for certain.
    pub line: Option<(Uuid, u64)>,
    /// Position in the write-ahead log at the moment of the copy.
    pub(super) position: Option<Position>,
}

impl BaseManifest {
    pub fn bytes(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.pages)
    }

    pub fn made_at(&self) -> Timestamp {
        Timestamp::from_micros(self.made_at)
    }
}

fn chunk_name(id: Uuid, number: u64) -> String {
    format!("{id}:{number}")
}

fn chunk_place(name: &String) -> Place<'_> {
    Place { table: "backup", row: name, column: "chunk" }
}

/// The database file and its log, held for reading.
pub struct BackupSource {
    connection: SqliteConnection,
    wal: PathBuf,
    file: Arc<File>,
}

impl BackupSource {
    /// Opens a database to read from, beside a gateway that may be serving it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn open(database: &Path) -> Result<Self, BackupError> {
        let file = File::open(database).map_err(at(database))?;
        let options = SqliteConnectOptions::new().filename(database).read_only(true).busy_timeout(BUSY);
        let connection = options.connect().await?;
        Ok(Self { connection, wal: beside(database, "-wal"), file: Arc::new(file) })
    }

    /// The line and the batch that the database holds.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn position(&mut self) -> Result<Option<(Uuid, u64)>, BackupError> {
        super::stream::position_row(&mut self.connection).await
    }

    /// Copies the database as it is at one moment after this call, in a file that appears whole or not at all.
    ///
    /// While the reading transaction lasts, SQLite moves nothing from the log into the database that was committed
    /// later than its beginning, and does not begin the log anew while it holds anything the database does not. So
    /// the newest image of each page in the log, and the database file for all others, are one consistent state,
    /// however much is written meanwhile.
    ///
    /// # Errors
    /// The database cannot be read, or the file cannot be written.
    pub async fn copy(
        &mut self,
        to: &Path,
        keyring: &Keyring,
        made_at: Timestamp,
    ) -> Result<BaseManifest, BackupError> {
        let mut tx = self.connection.begin().await?;
        let rows: Vec<(String, i64, Vec<u8>)> =
            sqlx::query_as("/* base_heads */ SELECT node, size, root FROM ledger_heads ORDER BY node")
                .fetch_all(&mut *tx)
                .await?;
        let heads = rows
            .into_iter()
            .map(|(node, size, root)| {
                let root = root.try_into().map_err(|_| StoreError::Corrupt("tree head"))?;
                Ok(LedgerHead { node, size: u64::try_from(size).unwrap_or(0), root })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let line = super::stream::position_row(&mut tx).await?;
        let id = unclocked_id();
        let manifest = BaseManifest {
            id,
            made_at: made_at.as_micros(),
            page_size: 0,
            pages: 0,
            sha256: Hash::default(),
            heads,
            line,
            position: None,
        };
        let key = new_key(MAGIC, keyring, &id.to_string())?;
        let (file, wal, to) = (self.file.clone(), self.wal.clone(), to.to_owned());
        let writing = tokio::task::spawn_blocking(move || {
            let image = Image { file: &file, wal: overlay(&wal)? };
            write(&to, key, &image, manifest)
        });
        let manifest = writing.await.map_err(|_| StoreError::Corrupt("base copy"))??;
        tx.rollback().await?;
        Ok(manifest)
    }

    /// Ends reading. Where SQLite has the same database open in this process, keep the file that this returns until
    /// that is closed: to close a file takes from its process every lock on it, SQLite's too.
    ///
    /// # Errors
    /// The connection does not close.
    pub async fn close(self) -> Result<Arc<File>, BackupError> {
        self.connection.close().await?;
        Ok(self.file)
    }
}

/// A file beside the database: its name with a suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// What the log holds. Read once more where it was begun anew meanwhile: part of the new one would hide behind the old.
fn overlay(path: &Path) -> Result<Option<(File, CommittedPages)>, BackupError> {
    let wal = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(at(path))?,
    };
    for _ in 0..TRIES {
        let Some(committed) = committed_since(&wal, None)? else { return Ok(None) };
        if committed.is_current(&wal)? {
            return Ok(Some((wal, committed)));
        }
    }
    Err(WalError::NotContinued.into())
}

struct Image<'a> {
    file: &'a File,
    wal: Option<(File, CommittedPages)>,
}

impl Image<'_> {
    /// Size of a page, and how many there are.
    fn size(&self, path: &Path) -> Result<(u32, u32), BackupError> {
        if let Some((_, committed)) = &self.wal {
            return Ok((committed.page_size, committed.database_pages));
        }
        let mut header = [0; 100];
        self.file.read_exact_at(&mut header, 0).map_err(at(path))?;
        let [.., high, low] = *header.first_chunk::<18>().unwrap_or(&[0; 18]);
        // 1 means 65536.
        let page_size = match u32::from(u16::from_be_bytes([high, low])) {
            1 => 65_536,
            size => size.max(512),
        };
        let length = self.file.metadata().map_err(at(path))?.len();
        Ok((page_size, u32::try_from(length / u64::from(page_size)).unwrap_or(u32::MAX)))
    }

    fn page(&self, number: u32, page_size: u32, path: &Path) -> Result<Vec<u8>, BackupError> {
        if let Some((wal, committed)) = &self.wal
            && let Some(place) = committed.pages.get(&number)
            && let Some(page) = committed.page(wal, *place)?
        {
            return Ok(page);
        }
        let mut page = vec![0; page_size as usize];
        let begin = u64::from(number - 1) * u64::from(page_size);
        match self.file.read_exact_at(&mut page, begin) {
            // SQLite never writes the page that holds its locks, a gibibyte from the beginning.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && begin == 1 << 30 => {}
            read => read.map_err(at(path))?,
        }
        Ok(page)
    }
}

fn write(
    to: &Path,
    (key, head): (Key, Vec<u8>),
    image: &Image<'_>,
    mut manifest: BaseManifest,
) -> Result<BaseManifest, BackupError> {
    let mut out = BufWriter::with_capacity(CHUNK, Replacing::begin(to).map_err(at(to))?);
    out.write_all(manifest.id.as_bytes()).and_then(|()| out.write_all(&head)).map_err(at(to))?;
    let mut chunks = Chunks { out, key, id: manifest.id, number: 0, path: to };
    manifest.position = image.wal.as_ref().map(|(_, committed)| committed.position.clone());
    (manifest.page_size, manifest.pages) = image.size(to)?;
    let mut context = Context::new(&SHA256);
    let mut chunk = Vec::with_capacity(CHUNK);
    for number in 1..=manifest.pages {
        let page = image.page(number, manifest.page_size, to)?;
        context.update(&page);
        chunk.extend_from_slice(&page);
        if chunk.len() >= CHUNK || number == manifest.pages {
            chunks.put(PAGES, &chunk)?;
            chunk.clear();
        }
    }
    manifest.sha256.copy_from_slice(context.finish().as_ref());
    chunks.put(MANIFEST, &postcard::to_allocvec(&manifest).map_err(|_| StoreError::Corrupt("manifest"))?)?;
    let written = chunks.out.into_inner().map_err(IntoInnerError::into_error).and_then(Replacing::finish);
    written.map_err(at(to))?;
    Ok(manifest)
}

struct Chunks<'a> {
    out: BufWriter<Replacing>,
    key: Key,
    id: Uuid,
    number: u64,
    path: &'a Path,
}

impl Chunks<'_> {
    fn put(&mut self, kind: u8, bytes: &[u8]) -> Result<(), BackupError> {
        let plain = [&[kind], bytes].concat();
        let sealed = self.key.seal(chunk_place(&chunk_name(self.id, self.number)), &plain)?;
        self.number += 1;
        let length = u32::try_from(sealed.len()).map_err(|_| KeyError::Unsealed)?;
        self.out.write_all(&length.to_be_bytes()).and_then(|()| self.out.write_all(&sealed)).map_err(at(self.path))
    }
}

/// A base copy being read.
pub(super) struct BaseReader {
    input: BufReader<File>,
    path: PathBuf,
    key: Key,
    id: Uuid,
    at: u64,
}

/// Generation of the master key with which a base copy is opened; `None` where its head is not whole.
pub(super) fn master_of(path: &Path) -> Result<Option<u32>, BackupError> {
    // Behind its id.
    super::master_of(path, 16, MAGIC)
}

impl BaseReader {
    pub fn open(path: &Path, keyring: &Keyring) -> Result<Self, BackupError> {
        let mut input = BufReader::with_capacity(CHUNK, File::open(path).map_err(at(path))?);
        let mut id = [0; 16];
        input.read_exact(&mut id).map_err(at(path))?;
        let id = Uuid::from_bytes(id);
        let (key, head) = read_key(&mut input, MAGIC, keyring, &id.to_string(), path)?;
        Ok(Self { input, path: path.to_owned(), key, id, at: head + id.as_bytes().len() as u64 })
    }

    /// Hands over the pages in order, and returns what the copy says of itself.
    ///
    /// # Errors
    /// It is damaged or ends early, or `take` fails.
    pub fn each(mut self, mut take: impl FnMut(&[u8]) -> Result<(), BackupError>) -> Result<BaseManifest, BackupError> {
        let mut context = Context::new(&SHA256);
        let mut bytes = 0;
        for number in 0.. {
            let plain = self.chunk(number)?;
            match plain.split_first() {
                Some((&PAGES, pages)) => {
                    context.update(pages);
                    bytes += pages.len() as u64;
                    take(pages)?;
                }
                Some((&MANIFEST, manifest)) => {
                    let manifest: BaseManifest =
                        postcard::from_bytes(manifest).map_err(|_| self.damaged("the manifest cannot be read"))?;
                    if manifest.sha256 != context.finish().as_ref() || manifest.bytes() != bytes {
                        return Err(self.damaged("the pages are not those of the manifest"));
                    }
                    return Ok(manifest);
                }
                _ => return Err(self.damaged("a chunk cannot be read")),
            }
        }
        Err(self.damaged("it has no end"))
    }

    fn chunk(&mut self, number: u64) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(|_| self.damaged("it ends early"))?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(self.damaged("a length was changed"));
        }
        let mut sealed = vec![0; length];
        self.input.read_exact(&mut sealed).map_err(|_| self.damaged("it ends early"))?;
        let name = chunk_name(self.id, number);
        let plain = self.key.open(chunk_place(&name), &sealed);
        let plain = plain.map_err(|_| self.damaged("a chunk does not open: it was changed, moved or exchanged"))?;
        self.at += 4 + length as u64;
        Ok(plain)
    }

    fn damaged(&self, what: &str) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), at: self.at, what: what.into(), remedy: REMEDY }
    }
}

/// What a base copy says of itself, with every byte of it checked.
///
/// # Errors
/// It is damaged or belongs to another keyring.
pub fn check(path: &Path, keyring: &Keyring) -> Result<BaseManifest, BackupError> {
    BaseReader::open(path, keyring)?.each(|_| Ok(()))
}

/// Makes a new base copy for the newest line of a stream, and removes what it covers: files of the line, and older
/// lines. Returns the copy and how many files were removed; `None` where nothing was written since the line began.
///
/// # Errors
/// The database cannot be read or does not belong to the line, or the stream cannot be written.
pub async fn renew(
    stream: &Path,
    database: &Path,
    keyring: &Keyring,
    made_at: Timestamp,
) -> Result<Option<(PathBuf, BaseManifest, usize)>, BackupError> {
    // Two at once would write one file, and each remove what the other relies on.
    let _alone = super::stream::lock(stream, "renewing")?;
    let mut lines = super::stream::lines(stream)?;
    let none = BackupError::NoBase { path: stream.to_owned(), remedy: "Start the gateway: it begins the stream" };
    let (line, directory) = lines.pop().ok_or(none)?;
    let mut source = BackupSource::open(database).await?;
    let Some((own, batch)) = source.position().await?.filter(|(_, batch)| *batch > 0) else { return Ok(None) };
    if own != line {
        return Err(BackupError::NewerLine { newer: line });
    }
    let path = directory.join(super::stream::BASE);
    let manifest = source.copy(&path, keyring, made_at).await?;
    source.close().await?;
    // The batch before is in the stream for certain: the one that the copy holds was begun after it.
    let mut removed = remove_before(&directory, batch - 1)?;
    for (_, older) in lines {
        removed += fs::read_dir(&older).map_err(at(&older))?.count();
        fs::remove_dir_all(&older).map_err(at(&older))?;
    }
    Ok(Some((path, manifest, removed)))
}

/// Name of a new copy in a directory of backups: by time, so that the newest is the last.
pub fn name_in(directory: &Path, made_at: Timestamp) -> PathBuf {
    let time: String = made_at.to_rfc3339().chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    directory.join(format!("tsunagi-{time}{SUFFIX}"))
}

/// A base copy that is named, or the newest in a directory.
///
/// # Errors
/// There is none.
pub fn find(from: &Path) -> Result<PathBuf, BackupError> {
    if from.is_file() {
        return Ok(from.to_owned());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(from).map_err(at(from))? {
        let path = entry.map_err(at(from))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SUFFIX)) {
            found.push(path);
        }
    }
    found.sort();
    found.pop().ok_or(BackupError::NoBase {
        path: from.to_owned(),
        remedy: "Name a directory into which `tsunagi backup --to` wrote, or one such file",
    })
}
