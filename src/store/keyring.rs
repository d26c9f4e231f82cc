//! The keyring file: master keys by generation, and the seed of the checkpoint key. It is never in the database.

use std::{collections::BTreeMap, fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::{StoreError, vault::Key};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Generation of the master key that wraps new keys.
    current: u32,
    /// Ed25519 seed of the checkpoint key, base64.
    checkpoint_seed: String,
    /// Master keys by generation, base64.
    master: BTreeMap<String, String>,
}

/// The opened keyring.
pub struct Keyring {
    current: u32,
    current_key: Key,
    master: BTreeMap<u32, Key>,
    checkpoint_seed: Key,
}

impl Keyring {
    /// Makes a new keyring file, readable by its owner alone.
    ///
    /// # Errors
    /// The file exists already, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let keyring = Self::with_masters(1, BTreeMap::from([(1, Key::generate()?)]), Key::generate()?)?;
        keyring.write(path, fs::OpenOptions::new().create_new(true))?;
        sync_directory(path)?;
        Ok(keyring)
    }

    /// Reads a keyring file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a keyring.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let text = fs::read_to_string(path).map_err(|error| unusable(path, &error.to_string()))?;
        let file: File = toml::from_str(&text).map_err(|_| unusable(path, "not a keyring"))?;
        let decode = |text: &String| {
            BASE64_STANDARD
                .decode(text)
                .ok()
                .and_then(|bytes| Key::from_bytes(&bytes))
                .ok_or_else(|| unusable(path, "a key is not 32 bytes in base64"))
        };
        let master = file
            .master
            .iter()
            .map(|(generation, key)| {
                let generation = generation.parse().map_err(|_| unusable(path, "a generation is not a number"))?;
                Ok((generation, decode(key)?))
            })
            .collect::<Result<_, StoreError>>()?;
        Self::with_masters(file.current, master, decode(&file.checkpoint_seed)?)
    }

    /// Adds a new master key and makes it the current one; older ones stay to open what they wrapped.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn rotate(self, path: &Path) -> Result<Self, StoreError> {
        let next = self.master.keys().next_back().copied().unwrap_or(0) + 1;
        let mut master = self.master;
        master.insert(next, Key::generate()?);
        let keyring = Self::with_masters(next, master, self.checkpoint_seed)?;
        let staged = path.with_extension("new");
        keyring.write(&staged, fs::OpenOptions::new().create(true).truncate(true))?;
        fs::rename(&staged, path).map_err(|error| unusable(path, &error.to_string()))?;
        sync_directory(path)?;
        Ok(keyring)
    }

    fn with_masters(current: u32, master: BTreeMap<u32, Key>, checkpoint_seed: Key) -> Result<Self, StoreError> {
        let current_key =
            master.get(&current).cloned().ok_or_else(|| StoreError::Keyring("the current key is missing".into()))?;
        Ok(Self { current, current_key, master, checkpoint_seed })
    }

    fn write(&self, path: &Path, options: &mut fs::OpenOptions) -> Result<(), StoreError> {
        let encode = |key: &Key| BASE64_STANDARD.encode(key.bytes());
        let file = File {
            current: self.current,
            checkpoint_seed: encode(&self.checkpoint_seed),
            master: self.master.iter().map(|(generation, key)| (generation.to_string(), encode(key))).collect(),
        };
        let text = toml::to_string(&file).map_err(|error| unusable(path, &error.to_string()))?;
        options
            .write(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(|error| unusable(path, &error.to_string()))
    }

    pub(super) fn current(&self) -> (u32, &Key) {
        (self.current, &self.current_key)
    }

    pub(super) fn master(&self, generation: u32) -> Option<&Key> {
        self.master.get(&generation)
    }

    /// The 32-byte seed of the Ed25519 key that signs checkpoints.
    pub fn checkpoint_seed(&self) -> &[u8] {
        self.checkpoint_seed.bytes()
    }
}

/// A new name is durable once its directory is: keys in the database may not outlive the file that opens them.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| unusable(path, &error.to_string()))
}

fn unusable(path: &Path, why: &str) -> StoreError {
    StoreError::Keyring(format!("{}: {why}", path.display()))
}
