//! Files that hold the old or the new content whole, whenever the power fails.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Replaces a file so that it holds the old or the new bytes whole, whenever the power fails.
///
/// # Errors
/// The directory cannot be written: the old file is as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
