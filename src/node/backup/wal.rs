//! SQLite's write-ahead log, read from outside: what was committed since a position.
//!
//! The form is documented and stable (<https://sqlite.org/fileformat2.html#walformat>): a header with two salts, then
//! frames, each a whole page with the salts and a checksum over everything before it. The last frame of a transaction
//! says how many pages the database has then.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
};

use serde::{Deserialize, Serialize};

const HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;
/// With this the checksums are over little-endian words; with the lowest bit set, over big-endian ones.
const MAGIC: u32 = 0x377f_0682;

/// Why the log cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("somebody besides the gateway wrote to the database, and it cannot be known what")]
    NotContinued,
}

/// A place in a log, after a transaction that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The first is one more each time the log is begun anew, the second random.
    salts: [u32; 2],
    end: u64,
    checksum: [u32; 2],
}

/// What was committed after a position.
pub struct CommittedPages {
    pub page_size: u32,
    /// Pages of the database after it.
    pub database_pages: u32,
    /// Where the newest image of each page begins.
    pub pages: BTreeMap<u32, u64>,
    pub position: Position,
}

struct WalHeader {
    is_big_endian: bool,
    page_size: u32,
    salts: [u32; 2],
    checksum: [u32; 2],
}

fn word<const AT: usize>(bytes: &[u8]) -> u32 {
    bytes.get(AT..AT + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn checksum(mut sum: [u32; 2], bytes: &[u8], is_big_endian: bool) -> [u32; 2] {
    let read = if is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
    for [a, b, c, d, e, f, g, h] in bytes.as_chunks::<8>().0 {
        sum[0] = sum[0].wrapping_add(read([*a, *b, *c, *d])).wrapping_add(sum[1]);
        sum[1] = sum[1].wrapping_add(read([*e, *f, *g, *h])).wrapping_add(sum[0]);
    }
    sum
}

impl WalHeader {
    /// `None` where the log is empty: SQLite takes a header that is not whole for that.
    fn read(wal: &File) -> Result<Option<Self>, WalError> {
        let mut bytes = [0; HEADER as usize];
        match wal.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let is_big_endian = word::<0>(&bytes) & 1 == 1;
        let (summed, _) = bytes.split_at(24);
        let sum = checksum([0; 2], summed, is_big_endian);
        if word::<0>(&bytes) & !1 != MAGIC || sum != [word::<24>(&bytes), word::<28>(&bytes)] {
            return Ok(None);
        }
        Ok(Some(Self {
            is_big_endian,
            page_size: word::<8>(&bytes),
            salts: [word::<16>(&bytes), word::<20>(&bytes)],
            checksum: sum,
        }))
    }

    fn start(&self) -> Position {
        Position { salts: self.salts, end: HEADER, checksum: self.checksum }
    }

    /// Where to read on from a position: behind it, or from the beginning where the log was begun anew once since. That
    /// happens only when everything in it has gone into the database.
    fn after(&self, from: &Position, wal: &File) -> Result<Position, WalError> {
        if self.salts == from.salts {
            let mut last = [0; FRAME_HEADER];
            let frame = FRAME_HEADER as u64 + u64::from(self.page_size);
            if from.end > HEADER {
                match wal.read_exact_at(&mut last, from.end.saturating_sub(frame)) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(WalError::NotContinued),
                    read => read?,
                }
                if [word::<16>(&last), word::<20>(&last)] != from.checksum {
                    return Err(WalError::NotContinued);
                }
            }
            return Ok(from.clone());
        }
        // The header also counts, but each connection by itself.
        let begun_anew_once = self.salts[0] == from.salts[0].wrapping_add(1);
        if begun_anew_once { Ok(self.start()) } else { Err(WalError::NotContinued) }
    }
}

/// What was committed behind a position, or since the log began; `None` where nothing was.
///
/// # Errors
/// The log cannot be read, or does not continue what was before the position.
pub fn committed_since(wal: &File, from: Option<&Position>) -> Result<Option<CommittedPages>, WalError> {
    let Some(header) = WalHeader::read(wal)? else { return Ok(None) };
    let mut reached = match from {
        Some(from) => header.after(from, wal)?,
        None => header.start(),
    };
    let mut input = BufReader::with_capacity(1 << 20, wal);
    input.seek(SeekFrom::Start(reached.end))?;
    let mut frame = vec![0; FRAME_HEADER + header.page_size as usize];
    let (mut uncommitted, mut committed) = (Vec::new(), None::<CommittedPages>);
    loop {
        match input.read_exact(&mut frame) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        let (head, page) = frame.split_at(FRAME_HEADER);
        let (summed, _) = head.split_at(8);
        let sum = checksum(checksum(reached.checksum, summed, header.is_big_endian), page, header.is_big_endian);
        // What lies behind the last commit is of a transaction that was given up, or of an older log.
        if [word::<8>(head), word::<12>(head)] != header.salts || [word::<16>(head), word::<20>(head)] != sum {
            break;
        }
        uncommitted.push((word::<0>(head), reached.end));
        reached.end += frame.len() as u64;
        reached.checksum = sum;
        let database_pages = word::<4>(head);
        if database_pages > 0 {
            let committed = committed.get_or_insert_with(|| CommittedPages {
                page_size: header.page_size,
                database_pages,
                pages: BTreeMap::new(),
                position: reached.clone(),
            });
            committed.pages.extend(uncommitted.drain(..));
            committed.database_pages = database_pages;
            committed.position = reached.clone();
        }
    }
    Ok(committed)
}

impl CommittedPages {
    /// Reads a page; `None` where the log has been begun anew and may hold another page there.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn page(&self, wal: &File, at: u64) -> Result<Option<Vec<u8>>, WalError> {
        let mut page = vec![0; self.page_size as usize];
        wal.read_exact_at(&mut page, at + FRAME_HEADER as u64)?;
        // SQLite writes a frame's head before its page. Where the head, read after the page, is the old one, so was
        // the page.
        let mut head = [0; FRAME_HEADER];
        wal.read_exact_at(&mut head, at)?;
        Ok(([word::<8>(&head), word::<12>(&head)] == self.position.salts).then_some(page))
    }

    /// Whether the log is still the one that was read.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn is_current(&self, wal: &File) -> Result<bool, WalError> {
        Ok(WalHeader::read(wal)?.is_some_and(|header| header.salts == self.position.salts))
    }
}

impl Position {
    /// Frames before it.
    pub fn frames(&self, page_size: u32) -> u64 {
        (self.end - HEADER.min(self.end)) / (FRAME_HEADER as u64 + u64::from(page_size.max(1)))
    }

    /// Whether a log goes on from here.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn is_continued_by(&self, wal: &File) -> Result<bool, WalError> {
        match WalHeader::read(wal)? {
            None => Ok(false),
            Some(header) => match header.after(self, wal) {
                Ok(_) => Ok(true),
                Err(WalError::NotContinued) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::{
        ConnectOptions, Connection, SqliteConnection,
        sqlite::{SqliteConnectOptions, SqliteJournalMode},
    };

    use super::*;

    async fn connect(file: &Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        options.journal_mode(SqliteJournalMode::Wal).pragma("wal_autocheckpoint", "0").connect().await.unwrap()
    }

    async fn run(connection: &mut SqliteConnection, sql: &'static str) {
        sqlx::query(sql).execute(connection).await.unwrap();
    }

    const WRITE: &str = "INSERT INTO t VALUES (randomblob(9000))";
    const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

    #[tokio::test]
    async fn a_log_is_followed_whoever_begins_it_anew_but_not_over_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.db");
        let mut first = connect(&file).await;
        run(&mut first, "CREATE TABLE t (x)").await;
        let wal = File::open(directory.path().join("x.db-wal")).unwrap();
        let mut position = committed_since(&wal, None).unwrap().unwrap().position;
        assert!(committed_since(&wal, Some(&position)).unwrap().is_none());
        for _ in 0..3 {
            run(&mut first, MOVE).await;
            let mut other = connect(&file).await;
            run(&mut other, WRITE).await;
            let committed = committed_since(&wal, Some(&position)).unwrap().unwrap();
            assert!(committed.pages.len() >= 3 && committed.position.salts != position.salts);
            position = committed.position;
            run(&mut other, WRITE).await;
            let committed = committed_since(&wal, Some(&position)).unwrap().unwrap();
            assert_eq!(committed.position.salts, position.salts);
            position = committed.position;
            other.close().await.unwrap();
        }
        for _ in 0..2 {
            run(&mut first, MOVE).await;
            run(&mut first, WRITE).await;
        }
        assert!(matches!(committed_since(&wal, Some(&position)), Err(WalError::NotContinued)));
        assert!(!position.is_continued_by(&wal).unwrap());
    }

    #[tokio::test]
    async fn a_damaged_frame_ends_the_log_at_the_commit_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.db");
        let mut connection = connect(&file).await;
        run(&mut connection, "CREATE TABLE t (x)").await;
        let path = directory.path().join("x.db-wal");
        let before = committed_since(&File::open(&path).unwrap(), None).unwrap().unwrap();
        run(&mut connection, WRITE).await;
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        let damaged = directory.path().join("damaged");
        std::fs::write(&damaged, bytes).unwrap();
        let read = committed_since(&File::open(&damaged).unwrap(), None).unwrap().unwrap();
        assert_eq!(read.position, before.position);
    }
}
