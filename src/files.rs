//! Files that hold the old or the new content whole, whenever the power fails.
//!
//! What is written is kept beside the file, with `.new` after its name, until it is durable. The name is always the
//! same: what a crash leaves there is found, and goes with the next writing or with [`remove`].

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tempfile::NamedTempFile;

const SUFFIX: &str = ".new";

/// A file that is to take the place of another, readable by its owner alone. Dropped before [`Self::finish`] it is
/// removed, and the older one stays.
pub struct Replacing {
    staged: NamedTempFile,
    path: PathBuf,
}

impl Replacing {
    /// # Errors
    /// The directory cannot be written.
    pub fn begin(path: &Path) -> io::Result<Self> {
        remove_if_there(beside(path))?;
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let mut staged = tempfile::Builder::new();
        let staged = staged.prefix(name).suffix(SUFFIX).rand_bytes(0).tempfile_in(directory_of(path))?;
        Ok(Self { staged, path: path.to_owned() })
    }

    /// Makes the file durable and puts it in the place of the older one.
    ///
    /// # Errors
    /// It cannot be made durable. The older one is as it was, unless it was the directory that could not.
    pub fn finish(self) -> io::Result<()> {
        self.staged.as_file().sync_all()?;
        self.staged.persist(&self.path)?;
        // The new name is durable once its directory is.
        sync_directory(directory_of(&self.path))
    }

    /// The same where there must be no older one.
    fn finish_first(self) -> io::Result<()> {
        self.staged.as_file().sync_all()?;
        self.staged.persist_noclobber(&self.path)?;
        sync_directory(directory_of(&self.path))
    }
}

impl Write for Replacing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.staged.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.staged.flush()
    }
}

/// Replaces a file, or makes it, readable by its owner alone.
///
/// # Errors
/// As [`Replacing::finish`].
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Replacing::begin(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Makes a file, readable by its owner alone; it is there whole or not at all.
///
/// # Errors
/// It exists already, or cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Replacing::begin(path)?;
    file.write_all(bytes)?;
    file.finish_first()
}

/// Removes a file, and what a crash left of its successor.
///
/// # Errors
/// One of them cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    remove_if_there(path)?;
    remove_if_there(beside(path))
}

/// What changes with a file, or with another in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

/// Looks at a file without reading it; `None` where there is none.
pub fn stamp(path: &Path) -> Option<FileStamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(FileStamp { modified: metadata.modified().ok()?, bytes: metadata.len(), inode: metadata.ino() })
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The disk does not confirm it.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// The directory in which a file lies.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path) -> OsString {
    let mut staged = path.as_os_str().to_owned();
    staged.push(SUFFIX);
    staged
}

fn remove_if_there(path: impl AsRef<Path>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_stays_until_the_new_is_whole_and_what_a_crash_left_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyring.toml");
        create(&path, b"old").unwrap();
        assert_eq!(create(&path, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let mut given_up = Replacing::begin(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        assert_eq!(names(directory.path()), ["keyring.toml", "keyring.toml.new"]);
        drop(given_up);
        assert_eq!((names(directory.path()), fs::read(&path).unwrap()), (vec!["keyring.toml".into()], b"old".into()));
        // As a kill leaves it, and for everybody to read.
        fs::write(beside(&path), "half").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!((names(directory.path()), fs::read(&path).unwrap()), (vec!["keyring.toml".into()], b"new".into()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(beside(&path), "half").unwrap();
        remove(&path).unwrap();
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn where_the_new_cannot_be_written_the_old_is_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        replace(&path, b"old").unwrap();
        fs::create_dir(beside(&path)).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
