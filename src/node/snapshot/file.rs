//! A sealed file of what memory holds, so that a start need not read every record: the leaves of the ledger's tree and
//! the parts of the search index.
//!
//! Comes in: parts. Goes out: the same parts, or that the file is not fit to be used. Each part is sealed under the
//! central key and bound to its file and its place in it, so that none can be changed, left out, moved or taken from
//! an older file. Never done here: deciding whether the file is still true; that is asked of the ledger.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, IntoInnerError, Read, Write},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    clock::unclocked_id,
    files::{self, Replacing},
    keys::error::KeyError,
    keys::vault::{CENTRAL, Place, Vault},
    ledger::merkle::Hash,
    store::{error::StoreError, ledger::LedgerHead},
};

#[derive(Serialize, Deserialize)]
struct SnapshotManifest {
    /// Digest of the program that made it: another one may fold names otherwise.
    program: Hash,
    /// Of every node's ledger, when it was made.
    standing: DatabasePosition,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Leaf hashes of this node's ledger.
    Leaves,
    /// Of the search index.
    Index,
}

/// A part that was opened.
pub struct Part {
    pub kind: Kind,
    /// With its mark before it.
    plain: Zeroizing<Vec<u8>>,
}

impl Part {
    pub fn bytes(&self) -> &[u8] {
        self.plain.get(1..).unwrap_or_default()
    }
}

/// Where the database stood when a snapshot was written.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct DatabasePosition {
    /// The state of every node's ledger.
    pub heads: Vec<LedgerHead>,
    /// Position of the last change of any node.
    pub position: u64,
    /// Which node made that change, and when: in a database that was set back another one takes its place.
    pub last: Option<(String, i64)>,
    /// The sums over the marks of rows, as this node changed them.
    pub rows: Vec<u8>,
}

/// Why a snapshot is not used; a start reads the store instead.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("there is none")]
    Absent,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is damaged")]
    Damaged,
    #[error("another version of the program made it")]
    OtherProgram,
    #[error("the ledger is not the one it belongs to")]
    OtherLedger,
    #[error("too much was written since")]
    TooOld,
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

impl From<KeyError> for Unfit {
    fn from(error: KeyError) -> Self {
        StoreError::from(error).into()
    }
}

/// Removes a snapshot, and one that was not finished: it holds names under the central key, which is not destroyed with a
/// record's.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    files::remove(path).map_err(|error| KeyError::Keyring(format!("{}: {error}", path.display())).into())
}

/// Begins every file, and says how it is read.
const MAGIC: &[u8; 16] = b"tsunagi index 1\n";
const MANIFEST: u8 = 0;
const LEAVES: u8 = 1;
const INDEX: u8 = 2;
const END: u8 = 3;
/// Bytes of a part; more is damage.
const LONGEST: usize = 1 << 30;

fn place_of(file: Uuid, number: u64) -> String {
    format!("{file}:{number}")
}

fn place(row: &String) -> Place<'_> {
    Place { table: "snapshot", row, column: "part" }
}

/// A snapshot being written, beside the one that it will replace.
pub struct Writing<'a> {
    vault: &'a Vault,
    out: BufWriter<Replacing>,
    id: Uuid,
    number: u64,
}

impl<'a> Writing<'a> {
    /// Begins.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(path: &Path, vault: &'a Vault, standing: DatabasePosition) -> Result<Self, Unfit> {
        let id = unclocked_id();
        let mut out = BufWriter::new(Replacing::begin(path)?);
        out.write_all(MAGIC)?;
        out.write_all(id.as_bytes())?;
        let mut writing = Self { vault, out, id, number: 0 };
        let manifest = SnapshotManifest { program: program()?, standing };
        writing.seal(MANIFEST, &postcard::to_allocvec(&manifest).map_err(|_| Unfit::Damaged)?)?;
        Ok(writing)
    }

    /// Adds a part.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Unfit> {
        let mark = match kind {
            Kind::Leaves => LEAVES,
            Kind::Index => INDEX,
        };
        self.seal(mark, bytes)
    }

    /// Ends, and puts the file in the place of the older one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(mut self) -> Result<(), Unfit> {
        self.seal(END, &[])?;
        Ok(self.out.into_inner().map_err(IntoInnerError::into_error)?.finish()?)
    }

    fn seal(&mut self, kind: u8, bytes: &[u8]) -> Result<(), Unfit> {
        let mut plain = Vec::with_capacity(bytes.len() + 1);
        plain.push(kind);
        plain.extend_from_slice(bytes);
        let sealed = self.vault.seal(CENTRAL, place(&place_of(self.id, self.number)), &plain)?;
        self.number += 1;
        self.out.write_all(&u32::try_from(sealed.len()).map_err(|_| Unfit::Damaged)?.to_le_bytes())?;
        self.out.write_all(&sealed)?;
        Ok(())
    }
}

/// A snapshot being read.
pub struct SnapshotReader {
    input: BufReader<File>,
    id: Uuid,
    number: u64,
    standing: DatabasePosition,
}

impl SnapshotReader {
    /// Opens a snapshot that this program made.
    ///
    /// # Errors
    /// There is none, or it is not fit.
    pub fn open(path: &Path, vault: &Vault) -> Result<Self, Unfit> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unfit::Absent,
            _ => Unfit::Unreadable(error),
        })?;
        let mut input = BufReader::with_capacity(1 << 20, file);
        let (mut magic, mut id) = ([0; 16], [0; 16]);
        input.read_exact(&mut magic).and_then(|()| input.read_exact(&mut id)).map_err(|_| Unfit::Damaged)?;
        if magic != *MAGIC {
            return Err(Unfit::Damaged);
        }
        let mut reading = Self { input, id: Uuid::from_bytes(id), number: 0, standing: DatabasePosition::default() };
        let first = reading.unseal(vault)?;
        let Some((&MANIFEST, manifest)) = first.split_first() else { return Err(Unfit::Damaged) };
        let manifest: SnapshotManifest = postcard::from_bytes(manifest).map_err(|_| Unfit::Damaged)?;
        if manifest.program != program()? {
            return Err(Unfit::OtherProgram);
        }
        reading.standing = manifest.standing;
        Ok(reading)
    }

    pub fn standing(&self) -> &DatabasePosition {
        &self.standing
    }

    /// Hands over every part, in order.
    ///
    /// # Errors
    /// The file is damaged or ends early, or `take` says so.
    pub fn each(mut self, vault: &Vault, mut take: impl FnMut(Part) -> Result<(), Unfit>) -> Result<(), Unfit> {
        loop {
            let plain = self.unseal(vault)?;
            let kind = match plain.first() {
                Some(&LEAVES) => Kind::Leaves,
                Some(&INDEX) => Kind::Index,
                Some(&END) => return Ok(()),
                _ => return Err(Unfit::Damaged),
            };
            take(Part { kind, plain })?;
        }
    }

    fn unseal(&mut self, vault: &Vault) -> Result<Zeroizing<Vec<u8>>, Unfit> {
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(|_| Unfit::Damaged)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(Unfit::Damaged);
        }
        let mut sealed = Vec::new();
        let read = Read::by_ref(&mut self.input).take(length as u64).read_to_end(&mut sealed)?;
        if read < length {
            return Err(Unfit::Damaged);
        }
        let row = place_of(self.id, self.number);
        self.number += 1;
        vault.unseal(CENTRAL, place(&row), &sealed).map_err(|_| Unfit::Damaged)
    }
}

/// Digest of the program that runs.
fn program() -> io::Result<Hash> {
    let mut file = File::open(std::env::current_exe()?)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        context.update(bytes);
    }
    let mut digest = Hash::default();
    digest.copy_from_slice(context.finish().as_ref());
    Ok(digest)
}
