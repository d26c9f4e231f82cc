//! The keyring file: master keys by generation, and the seed of the checkpoint key. It is never in the database, nor is
//! the file of [`Shreds`] beside it.
//!
//! A master key is in the file itself, or in a PKCS#11 token of which the file names module, label and the place of the
//! PIN. It seals and opens prefecture keys and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    shreds::Shreds,
    token::{Opened, Token},
    vault::{Key, Place},
};
use crate::{
    files,
    keys::error::{KeyError, MASTER},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Generation of the master key that wraps new keys.
    current: u32,
    /// Ed25519 seed of the checkpoint key, base64.
    checkpoint_seed: String,
    /// Master keys that the file holds, by generation, base64.
    #[serde(default)]
    master: BTreeMap<String, String>,
    /// Master keys that the token holds, by generation: their labels there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    master_in_token: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
}

/// A master key: here, or in the token under a label.
#[derive(Clone)]
enum Master {
    Held(Key),
    InToken(String),
}

/// The opened keyring.
pub struct Keyring {
    path: PathBuf,
    current: u32,
    master: BTreeMap<u32, Master>,
    token: Option<Token>,
    checkpoint_seed: Key,
}

/// Where a new master key is to be.
pub enum NewMaster {
    /// Where the current one is.
    AsBefore,
    /// In this token.
    InToken(Token),
}

impl Keyring {
    /// Makes a new keyring file and the file of shreds beside it, readable by their owner alone.
    ///
    /// # Errors
    /// One exists already, or cannot be written, or the token refused.
    pub fn create(path: &Path, token: Option<Token>) -> Result<Self, KeyError> {
        if path.exists() {
            return Err(unusable(path, "it exists already"));
        }
        let mut keyring = Self {
            path: path.to_owned(),
            current: 0,
            master: BTreeMap::new(),
            token,
            checkpoint_seed: Key::generate()?,
        };
        keyring.add_master()?;
        Shreds::create(&Shreds::path_beside(path))?;
        keyring.write(files::create)?;
        Ok(keyring)
    }

    /// Reads a keyring file. A token is not asked yet.
    ///
    /// # Errors
    /// The file cannot be read, or is not a keyring.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| unusable(path, &error.to_string()))?);
        let file: File = toml::from_str(&text).map_err(|_| unusable(path, "not a keyring"))?;
        let decode = |text: &String| {
            BASE64_STANDARD
                .decode(text)
                .ok()
                .and_then(|bytes| Key::from_bytes(&bytes))
                .ok_or_else(|| unusable(path, "a key is not 32 bytes in base64"))
        };
        let number = |text: &String| text.parse().map_err(|_| unusable(path, "a generation is not a number"));
        let mut master = BTreeMap::new();
        for (generation, key) in &file.master {
            master.insert(number(generation)?, Master::Held(decode(key)?));
        }
        for (generation, label) in &file.master_in_token {
            if file.token.is_none() {
                return Err(unusable(path, "a master key is in a token, and no token is named"));
            }
            master.insert(number(generation)?, Master::InToken(label.clone()));
        }
        if !master.contains_key(&file.current) {
            return Err(unusable(path, "the current key is missing"));
        }
        let checkpoint_seed = decode(&file.checkpoint_seed)?;
        Ok(Self { path: path.to_owned(), current: file.current, master, token: file.token, checkpoint_seed })
    }

    /// Adds a new master key to the file and makes it the current one; older ones stay to open what they wrapped.
    ///
    /// # Errors
    /// The file cannot be written, or the token refused.
    pub fn rotate(mut self, place: NewMaster) -> Result<Self, KeyError> {
        if let NewMaster::InToken(token) = place {
            if self.master.values().any(|master| matches!(master, Master::InToken(_))) {
                return Err(unusable(&self.path, "its master key is in a token already"));
            }
            self.token = Some(token);
        }
        self.add_master()?;
        self.replace()?;
        Ok(self)
    }

    /// Takes every master key but the current one and those in `needed` out of the file, and destroys them in the
    /// token. Returns the generations that were removed.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn retire(&mut self, needed: &BTreeSet<u32>) -> Result<Vec<u32>, KeyError> {
        let current = self.current;
        let goes = |generation: &u32| *generation != current && !needed.contains(generation);
        let retired: Vec<u32> = self.master.keys().copied().filter(goes).collect();
        let in_token: Vec<String> = retired.iter().filter_map(|generation| self.label_of(*generation)).collect();
        // First the file: a key that it names is there.
        self.master.retain(|generation, _| !goes(generation));
        self.replace()?;
        if let (Some(token), false) = (&self.token, in_token.is_empty()) {
            token.work(|opened| in_token.iter().try_for_each(|label| opened.destroy(label)))?;
        }
        Ok(retired)
    }

    fn label_of(&self, generation: u32) -> Option<String> {
        match self.master.get(&generation)? {
            Master::InToken(label) => Some(label.clone()),
            Master::Held(_) => None,
        }
    }

    fn add_master(&mut self) -> Result<(), KeyError> {
        let next = self.master.keys().next_back().copied().unwrap_or(0) + 1;
        let key = match &self.token {
            None => Master::Held(Key::generate()?),
            Some(token) => {
                // Unlike any other keyring's that shares the token.
                let label = format!("tsunagi-master-{next}-{}", crate::clock::unclocked_id().simple());
                token.work(|opened| opened.generate(&label))?;
                Master::InToken(label)
            }
        };
        self.master.insert(next, key);
        self.current = next;
        Ok(())
    }

    /// Puts the file in the place of the older one. It is durable then: keys in the database may not outlive the file
    /// that opens them.
    fn replace(&self) -> Result<(), KeyError> {
        self.write(files::replace)
    }

    fn write(&self, put: impl FnOnce(&Path, &[u8]) -> io::Result<()>) -> Result<(), KeyError> {
        let path = &self.path;
        let encode = |key: &Key| BASE64_STANDARD.encode(key.bytes());
        let (mut master, mut master_in_token) = (BTreeMap::new(), BTreeMap::new());
        for (generation, key) in &self.master {
            match key {
                Master::Held(key) => master.insert(generation.to_string(), encode(key)),
                Master::InToken(label) => master_in_token.insert(generation.to_string(), label.clone()),
            };
        }
        let file = File {
            current: self.current,
            checkpoint_seed: encode(&self.checkpoint_seed),
            master,
            master_in_token,
            token: self.token.clone(),
        };
        let text = Zeroizing::new(toml::to_string(&file).map_err(|error| unusable(path, &error.to_string()))?);
        put(path, text.as_bytes()).map_err(|error| unusable(path, &error.to_string()))
    }

    /// Works with the master keys. A token is opened once for it, where one holds any of them.
    ///
    /// # Errors
    /// The token's, or the work's own. Wraps a key by the current master key; returns that key's generation as well.
    ///
    /// # Errors
    /// The token cannot be used, or the provider refused.
    pub fn wrap(&self, place: Place<'_>, key: &Key) -> Result<(u32, Vec<u8>), KeyError> {
        self.work(|masters| masters.seal(place, key.bytes()))
    }

    /// Opens what [`Self::wrap`] made.
    ///
    /// # Errors
    /// Another keyring, another place, or damage.
    pub fn unwrap(&self, generation: u32, place: Place<'_>, wrapped: &[u8]) -> Result<Key, KeyError> {
        let bytes = self.work(|masters| masters.open(generation, place, wrapped))?;
        Key::from_bytes(&bytes).ok_or(KeyError::Unsealed)
    }

    pub(super) fn work<T>(&self, work: impl FnOnce(&Masters<'_>) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let in_token = self.master.values().any(|master| matches!(master, Master::InToken(_)));
        match self.token.as_ref().filter(|_| in_token) {
            Some(token) => token.work(|opened| work(&Masters { keyring: self, opened: Some(opened) })),
            None => work(&Masters { keyring: self, opened: None }),
        }
    }

    /// Generation of the master key that wraps new keys.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// Generations of every master key.
    pub fn generations(&self) -> Vec<u32> {
        self.master.keys().copied().collect()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The 32-byte seed of the Ed25519 key that signs checkpoints.
    pub fn checkpoint_seed(&self) -> &[u8] {
        self.checkpoint_seed.bytes()
    }
}

/// The master keys, ready to be used.
pub(super) struct Masters<'a> {
    keyring: &'a Keyring,
    opened: Option<&'a Opened>,
}

impl Masters<'_> {
    /// Seals with the current master key; returns its generation too.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<(u32, Vec<u8>), KeyError> {
        let generation = self.keyring.current;
        let sealed = match (self.keyring.master.get(&generation), self.opened) {
            (Some(Master::Held(key)), _) => key.seal(place, plain)?,
            (Some(Master::InToken(label)), Some(opened)) => opened.seal(label, place, plain)?,
            _ => return Err(no_master(generation)),
        };
        Ok((generation, sealed))
    }

    /// Opens what the master key of a generation sealed.
    pub fn open(&self, generation: u32, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match (self.keyring.master.get(&generation), self.opened) {
            (Some(Master::Held(key)), _) => key.open(place, sealed),
            (Some(Master::InToken(label)), Some(opened)) => {
                opened.unseal(label, place, sealed)?.ok_or(KeyError::Unsealed)
            }
            _ => Err(no_master(generation)),
        }
    }
}

fn no_master(generation: u32) -> KeyError {
    KeyError::Missing { prefecture: MASTER.to_owned(), generation }
}

fn unusable(path: &Path, why: &str) -> KeyError {
    KeyError::Keyring(format!("{}: {why}", path.display()))
}
