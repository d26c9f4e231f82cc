//! The directory of a demonstration, made anew. What no demonstration made stays: only where a marker says that one was
//! made in this very directory are files removed, and only those that a demonstration makes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tsunagi::{files, node::open::lock};

use crate::world::WorldError;

const MARKER: &str = ".tsunagi-demo";
pub(super) const DATABASE: &str = "tsunagi.db";
const CERTS: &str = "certs";
const DEVICES_DIRECTORY: &str = "devices";
/// What a demonstration makes beside its certificates.
const FILES: [&str; 12] = [
    "README.txt",
    "keyring.toml",
    "keyring.toml.shreds",
    "tsunagi.toml",
    DATABASE,
    "tsunagi.db-journal",
    "tsunagi.db-shm",
    "tsunagi.db-wal",
    "tsunagi.db.leaves",
    "tsunagi.db.lock",
    "tsunagi.db.snapshot",
    "tsunagi.db.witnessed",
];
/// Whose certificates a demonstration makes.
const NAMES: [&str; 17] = [
    "ca",
    "server",
    "operator",
    "operator-desk",
    "city-a",
    "city-a-desk",
    "center-a",
    "center-a-desk",
    "city-b",
    "city-b-desk",
    "city-b-lost",
    "center-far",
    "center-far-desk",
    "ministry",
    "ministry-desk",
    "prefecture",
    "prefecture-desk",
];

/// Whose devices a demonstration makes: body and officer.
const DEVICES: [&str; 20] = [
    "010006-01.admin",
    "010006-01.ito",
    "010006-01.manager",
    "120006.admin",
    "120006.hayashi",
    "120006.manager",
    "120006-04.admin",
    "120006-04.manager",
    "120006-04.suzuki",
    "122327.admin",
    "122327.manager",
    "122327.sato",
    "172014.admin",
    "172014.manager",
    "172014.tanaka",
    "ministry.admin",
    "ministry.manager",
    "ministry.yamada",
    "operator.chair1",
    "operator.chair2",
];

/// Makes the directory, or removes what an earlier demonstration made there; returns its whole path.
///
/// # Errors
/// Something else is there, or it cannot be written. Nothing was removed where something else is there.
pub fn make_anew(directory: &Path) -> Result<PathBuf, WorldError> {
    // Without a slash at its end: of a symbolic link that would ask for what it points to.
    let directory: PathBuf = directory.components().collect();
    match kind_of(&directory)? {
        None => fs::create_dir_all(&directory)?,
        Some(Kind::Directory) => {}
        Some(Kind::File | Kind::Other) => return Err(refused(&directory, NO_DIRECTORY)),
    }
    let whole = fs::canonicalize(&directory)?;
    let (marker, mark) = (whole.join(MARKER), mark(&whole));
    if fs::read_dir(&whole)?.next().is_none() {
        files::create(&marker, mark.as_bytes())?;
        return Ok(whole);
    }
    let is_ours = matches!(kind_of(&marker)?, Some(Kind::File)) && fs::read(&marker)? == mark.as_bytes();
    if !is_ours {
        return Err(refused(&directory, NOT_OURS));
    }
    let made = made_in(&whole)?;
    let database = whole.join(DATABASE);
    let _served_by_nobody = match database.exists() {
        true => Some(lock(&format!("sqlite:{}", database.display())).map_err(|_| refused(&directory, SERVED))?),
        false => None,
    };
    made.iter().try_for_each(fs::remove_file)?;
    Ok(whole)
}

/// What the marker says: a copy of the directory, or what was moved to another place, is no demonstration's.
fn mark(whole: &Path) -> String {
    format!(
        "`tsunagi demo` made the files of a demonstration in this directory. It removes them, and nothing else, when it \
         makes them anew.\n{}\n",
        whole.display()
    )
}

/// The files there that a demonstration made, all of them still files.
fn made_in(whole: &Path) -> Result<Vec<PathBuf>, WorldError> {
    let (certs, devices) = (whole.join(CERTS), whole.join(DEVICES_DIRECTORY));
    let of_each = |name: &str| ["crt", "key", "p12", "new"].map(|extension| certs.join(format!("{name}.{extension}")));
    let mut made: Vec<PathBuf> =
        FILES.iter().flat_map(|name| [name.to_string(), format!("{name}.new")]).map(|name| whole.join(name)).collect();
    if is_directory(&certs)? {
        made.extend(NAMES.iter().flat_map(|name| of_each(name)));
        made.extend([certs.join("crl.pem"), certs.join("crl.new")]);
    }
    if is_directory(&devices)? {
        made.extend(DEVICES.iter().map(|device| devices.join(device)));
    }
    let mut there = Vec::new();
    for path in made {
        match kind_of(&path)? {
            None => {}
            Some(Kind::File) => there.push(path),
            Some(_) => return Err(refused(&path, NOT_AS_MADE)),
        }
    }
    Ok(there)
}

/// Whether there is such a directory.
fn is_directory(path: &Path) -> Result<bool, WorldError> {
    match kind_of(path)? {
        None => Ok(false),
        Some(Kind::Directory) => Ok(true),
        Some(Kind::File | Kind::Other) => Err(refused(path, NOT_AS_MADE)),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    File,
    Directory,
    /// A symbolic link, wherever it points, or a device.
    Other,
}

fn kind_of(path: &Path) -> io::Result<Option<Kind>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(Kind::File)),
        Ok(found) if found.is_dir() => Ok(Some(Kind::Directory)),
        Ok(_) => Ok(Some(Kind::Other)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

type Sentences = (&'static str, &'static str);
const NO_DIRECTORY: Sentences =
    ("フォルダーではありません（シンボリックリンクは使えません）", "not a directory, or a symbolic link to one");
const NOT_OURS: Sentences =
    ("デモが作成したものではないファイルがあります", "holds something that is not a demonstration");
const NOT_AS_MADE: Sentences = ("デモが作成したときのままではありません", "is not what the demonstration made");
const SERVED: Sentences = ("ゲートウェイが使用中です", "a gateway serves from it");

fn refused(path: &Path, (japanese, english): Sentences) -> WorldError {
    let path = path.display();
    WorldError::Unexpected(format!(
        "{path}: {japanese}。何も削除していません。--directory で別のフォルダーを指定してください / \
         {path}: {english}. Nothing was removed; name another directory with --directory"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Every path below a directory, with what is in it.
    fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match kind_of(&path).unwrap().unwrap() {
                Kind::Directory => found.extend(contents(&path)),
                Kind::File => found.push((path.clone(), fs::read(&path).unwrap())),
                Kind::Other => found.push((path.clone(), Vec::new())),
            }
        }
        found.sort();
        found
    }

    fn is_refused_and_nothing_removed(directory: &Path, root: &Path) {
        let before = contents(root);
        let told = make_anew(directory).unwrap_err().to_string();
        assert!(told.contains("Nothing was removed") && told.contains("何も削除していません"), "{told}");
        assert_eq!(contents(root), before);
    }

    /// A demonstration that has ended.
    fn made(root: &Path) -> PathBuf {
        let directory = make_anew(&root.join("demo")).unwrap();
        fs::create_dir(directory.join(CERTS)).unwrap();
        for name in ["keyring.toml", "tsunagi.toml", "certs/ca.key", "certs/city-a.crt", "certs/crl.pem"] {
            fs::write(directory.join(name), name).unwrap();
        }
        directory
    }

    #[test]
    fn an_earlier_demonstration_goes_and_what_somebody_added_stays() {
        let root = tempfile::tempdir().unwrap();
        let directory = made(root.path());
        for name in ["notes.txt", "tsunagi.db.of-monday", "certs/my-city.crt"] {
            fs::write(directory.join(name), name).unwrap();
        }
        assert_eq!(make_anew(&root.path().join("demo/")).unwrap(), directory);
        let left: Vec<_> = contents(&directory).into_iter().map(|(path, _)| path).collect();
        let expected = [MARKER, "certs/my-city.crt", "notes.txt", "tsunagi.db.of-monday"];
        assert_eq!(left, expected.map(|name| directory.join(name)));
    }

    #[test]
    fn a_directory_of_somebody_else_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc/tsunagi");
        fs::create_dir_all(etc.join("certs")).unwrap();
        for name in ["keyring.toml", "keyring.toml.shreds", "tsunagi.toml", "certs/server.key", "README.txt"] {
            fs::write(etc.join(name), name).unwrap();
        }
        is_refused_and_nothing_removed(&etc, root.path());
        // A file as marker that says something else, and the marker of another directory.
        fs::write(etc.join(MARKER), "").unwrap();
        is_refused_and_nothing_removed(&etc, root.path());
        let other = made(root.path());
        fs::copy(other.join(MARKER), etc.join(MARKER)).unwrap();
        is_refused_and_nothing_removed(&etc, root.path());
        // What was a demonstration is served from another place now.
        let moved = root.path().join("moved");
        fs::rename(&other, &moved).unwrap();
        is_refused_and_nothing_removed(&moved, root.path());
        is_refused_and_nothing_removed(&etc.join("keyring.toml"), root.path());
    }

    #[test]
    fn a_demonstration_that_is_up_stays() {
        let root = tempfile::tempdir().unwrap();
        let directory = made(root.path());
        fs::write(directory.join(DATABASE), "").unwrap();
        let served = lock(&format!("sqlite:{}", directory.join(DATABASE).display())).unwrap();
        is_refused_and_nothing_removed(&directory, root.path());
        drop(served);
        make_anew(&directory).unwrap();
    }

    #[test]
    fn no_symbolic_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let directory = made(root.path());
        let link = root.path().join("link");
        symlink(&directory, &link).unwrap();
        for through in [link.clone(), root.path().join("link/"), root.path().join("link/.")] {
            is_refused_and_nothing_removed(&through, root.path());
        }
        symlink(root.path().join("nowhere"), root.path().join("dangling")).unwrap();
        is_refused_and_nothing_removed(&root.path().join("dangling"), root.path());
        // In the place of what the demonstration made, a link to what it did not.
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("ca.key"), "of production").unwrap();
        for name in [CERTS, "keyring.toml", MARKER] {
            let (path, aside) = (directory.join(name), root.path().join("aside"));
            fs::rename(&path, &aside).unwrap();
            symlink(&elsewhere, &path).unwrap();
            is_refused_and_nothing_removed(&directory, root.path());
            fs::remove_file(&path).unwrap();
            fs::rename(&aside, &path).unwrap();
        }
        make_anew(&directory).unwrap();
    }
}
