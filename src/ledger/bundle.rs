//! The evidence bundle: a tar of a few text files, and a manifest of their digests that the log's key has signed.
//!
//! A tar, because whoever is handed the file years later opens it with what their system brings and reads the page in
//! it; the same content always gives the same bytes. What is not in the manifest is not in the bundle.

use std::{collections::BTreeMap, io::Read};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use tar::{Archive, Builder, EntryType, Header};

use super::checkpoint::{CheckpointError, MANIFEST, PublicKey, SignedNote, Signer};

/// Name of the manifest within a bundle; it comes first.
pub const MANIFEST_FILE: &str = "manifest.txt";
/// Checkpoint, entries, inclusion proofs and the consistency proof, as `GET /v1/ledger/evidence` answers them.
pub const EVIDENCE: &str = "evidence.json";
/// The newest checkpoint that witnesses signed.
pub const WITNESSED: &str = "witnessed.txt";
/// Public keys of the log and its witnesses; those who verify compare them with the keys they were given.
pub const KEYS: &str = "keys.txt";
/// Who saw what and when, to be read.
pub const PAGE: &str = "disclosures.html";

/// Bytes of all files of a bundle.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const MAX_FILES: usize = 16;

/// Why a bundle was not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BundleError {
    #[error("not an evidence bundle: {0}")]
    Form(&'static str),
    #[error("{name}: {0}", name = MANIFEST_FILE)]
    Manifest(CheckpointError),
    #[error("{0}: the file was edited")]
    Edited(String),
    #[error("{0}: the file is missing")]
    Missing(String),
    #[error("{0}: the file does not belong to the bundle")]
    Added(String),
}

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The bytes of a bundle, signed. `about` are lines of the form `word value` for its reader.
///
/// # Errors
/// A line could be taken for something else.
pub fn write(files: &Files, about: &[String], signer: &Signer) -> Result<Vec<u8>, CheckpointError> {
    if about.iter().any(|line| line.contains('\n')) {
        return Err(CheckpointError::Form);
    }
    let mut text = MANIFEST.to_owned();
    about.iter().for_each(|line| text.extend([line, "\n"]));
    for (name, bytes) in files {
        text.extend(["sha256 ", &hex_digest(bytes), " ", name, "\n"]);
    }
    let manifest = signer.sign_manifest(text)?;
    let all = [(MANIFEST_FILE, manifest.as_bytes())].into_iter();
    let all = all.chain(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    Ok(archive(all).unwrap_or_default())
}

/// Without times, owners or anything else that would differ from one making to the next.
fn archive<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>) -> std::io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(EntryType::Regular);
        builder.append_data(&mut header, name, bytes)?;
    }
    builder.into_inner()
}

/// Takes a bundle apart, and checks every file against the manifest and the manifest against the log's key. Returns the
/// lines about it and its files.
///
/// # Errors
/// What is wrong, naming the file.
pub fn read(bytes: &[u8], log: &PublicKey) -> Result<(Vec<String>, Files), BundleError> {
    let mut files = unpack(bytes)?;
    let exact = archive(in_order(&files)).is_ok_and(|same| same == bytes);
    let manifest = files.remove(MANIFEST_FILE).ok_or_else(|| BundleError::Missing(MANIFEST_FILE.to_owned()))?;
    let manifest = String::from_utf8(manifest).map_err(|_| BundleError::Manifest(CheckpointError::Form))?;
    let note = SignedNote::parse(&manifest).map_err(BundleError::Manifest)?;
    note.verify(log).map_err(BundleError::Manifest)?;
    let lines = note.text.strip_prefix(MANIFEST).ok_or(BundleError::Manifest(CheckpointError::Form))?;
    let (mut about, mut named) = (Vec::new(), BTreeMap::new());
    for line in lines.lines() {
        match line.strip_prefix("sha256 ").and_then(|rest| rest.split_once(' ')) {
            Some((digest, name)) => {
                named.insert(name.to_owned(), digest.to_owned());
            }
            None => about.push(line.to_owned()),
        }
    }
    if let Some(added) = files.keys().find(|name| !named.contains_key(*name)) {
        return Err(BundleError::Added(added.clone()));
    }
    for (name, digest) in named {
        match files.get(&name) {
            None => return Err(BundleError::Missing(name)),
            Some(bytes) if hex_digest(bytes) != digest => return Err(BundleError::Edited(name)),
            Some(_) => {}
        }
    }
    // Whatever is in a header or after the end could be read by another program and not by this one.
    if exact { Ok((about, files)) } else { Err(BundleError::Form("its files are whole, but packed by somebody else")) }
}

fn unpack(bytes: &[u8]) -> Result<Files, BundleError> {
    let broken = |_| BundleError::Form("the tar is damaged");
    let mut archive = Archive::new(bytes);
    let (mut files, mut total) = (Files::new(), 0_u64);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        total = total.saturating_add(entry.size());
        if entry.header().entry_type() != EntryType::Regular || total > MAX_BYTES || files.len() >= MAX_FILES {
            return Err(BundleError::Form("it holds what no bundle holds"));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| BundleError::Form("a name"))?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        if files.insert(name.clone(), content).is_some() {
            return Err(BundleError::Added(name));
        }
    }
    Ok(files)
}

fn in_order(files: &Files) -> impl Iterator<Item = (&str, &[u8])> {
    let first = files.get_key_value(MANIFEST_FILE).into_iter();
    let rest = files.iter().filter(|(name, _)| *name != MANIFEST_FILE);
    first.chain(rest).map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
}

fn hex_digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        [(EVIDENCE, "{}"), (KEYS, "keys\n"), (PAGE, "<p>頁</p>")]
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .into()
    }

    #[test]
    fn a_bundle_is_the_same_each_time_and_every_edit_is_named() {
        let signer = Signer::from_seed("log.example", &[1; 32]).unwrap();
        let about = ["for 122327".to_owned()];
        let bytes = write(&files(), &about, &signer).unwrap();
        assert_eq!(bytes, write(&files(), &about, &signer).unwrap());
        let read = |bytes: &[u8]| read(bytes, signer.public_key());
        assert_eq!(read(&bytes).unwrap(), (about.to_vec(), files()));
        let whole = unpack(&bytes).unwrap();
        let packed = |files: &Files| archive(in_order(files)).unwrap();
        for name in whole.keys() {
            let mut edited = whole.clone();
            edited.get_mut(name).unwrap()[0] ^= 1;
            let error = read(&packed(&edited)).unwrap_err();
            assert!(error.to_string().starts_with(name.as_str()), "{name}: {error}");
            // Packed by another program as well: what was edited is said first.
            let longer = [packed(&edited), vec![0; 512]].concat();
            assert_eq!(read(&longer).unwrap_err(), error);
            let mut without = whole.clone();
            without.remove(name);
            assert_eq!(read(&packed(&without)), Err(BundleError::Missing(name.clone())));
        }
        let mut with = whole.clone();
        with.insert("more.txt".to_owned(), b"more".to_vec());
        assert_eq!(read(&packed(&with)), Err(BundleError::Added("more.txt".to_owned())));
        // Not a byte of it can be another one.
        for at in (0..bytes.len()).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(read(&flipped).is_err(), "byte {at}");
        }
        assert!(matches!(read(&[bytes.clone(), bytes].concat()), Err(BundleError::Form(_))));
        let other = Signer::from_seed("log.example", &[2; 32]).unwrap();
        assert!(matches!(
            read(&write(&files(), &[], &other).unwrap()),
            Err(BundleError::Manifest(CheckpointError::Unsigned))
        ));
    }
}
