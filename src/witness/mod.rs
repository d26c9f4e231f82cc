//! Witnesses: outsiders who keep the gateway from ever showing two histories.
//!
//! A witness keeps, of each log it knows, the largest tree it has signed. It signs a larger one only with the proof that
//! nothing before was changed (C2SP `tlog-witness`). It sees sizes and hashes and nothing else: no entry, no name.
//!
//! Both sides live here. [`keeper`] and [`serve`] are the witness, a process of its own that somebody other than the
//! gateway's operator runs. [`client`], [`publish`], [`board`] and [`guard`] are the gateway's side: it sends its
//! checkpoints, keeps the signatures it gets, and at start asks whether it has been set back. [`request`] is what goes
//! between them. Never done here: looking into an entry.

pub mod board;
pub mod client;
pub mod guard;
pub mod keeper;
pub mod leaves;
pub mod publish;
pub mod request;
pub mod serve;

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Replaces a file so that it holds the old or the new text whole, whenever the power fails.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut staged = path.as_os_str().to_owned();
    staged.push(".new");
    let mut file = fs::File::create(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    // The new name is durable once its directory is.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory)?.sync_all()
}
