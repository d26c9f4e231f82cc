//! Encryption at rest: AES-256-GCM, envelope keys, every ciphertext bound to its place.
//!
//! The master key (keyring file) wraps one key for each prefecture; a prefecture's key wraps one data key for each
//! record and seals what belongs to no record. A ciphertext carries its table, row and column as associated data:
//! moved elsewhere it does not open. Nonces are random, from the provider (NIST SP 800-38D section 8.2.2).

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    sync::RwLock,
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{StoreError, keyring::Keyring};
use crate::clock::random_bytes;

/// Where a ciphertext stands. Part of its authentication.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub table: &'static str,
    pub row: &'a dyn Display,
    pub column: &'static str,
}

impl Place<'_> {
    fn aad(&self) -> Aad<String> {
        Aad::from(format!("tsunagi/1/{}/{}/{}", self.table, self.row, self.column))
    }
}

/// A 256-bit key. Wiped when dropped, printed nowhere.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

const NONCE: usize = 12;
const GENERATION: usize = 4;

impl Key {
    /// # Errors
    /// The random generator failed.
    pub fn generate() -> Result<Self, StoreError> {
        random_bytes().map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| StoreError::Unsealed)
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Seals a value for its place: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// The provider refused.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let key = self.provider_key()?;
        let mut body = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(place.aad(), &mut body).map_err(|_| StoreError::Unsealed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens a value at its place.
    ///
    /// # Errors
    /// Another key, another place, or damage.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(StoreError::Unsealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| StoreError::Unsealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain =
            self.provider_key()?.open_in_place(nonce, place.aad(), &mut body).map_err(|_| StoreError::Unsealed)?.len();
        body.truncate(plain);
        Ok(body)
    }

    fn provider_key(&self) -> Result<RandomizedNonceKey, StoreError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes()).map_err(|_| StoreError::Unsealed)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// A prefecture's key as the database keeps it.
pub struct WrappedKey {
    pub prefecture: String,
    pub generation: u32,
    pub master_generation: u32,
    pub sealed: Vec<u8>,
}

/// The prefecture for what belongs to no prefecture.
pub const CENTRAL: &str = "00";

/// The opened prefecture keys of a running gateway.
pub struct Vault {
    keyring: Keyring,
    keys: RwLock<BTreeMap<(String, u32), Key>>,
}

impl Vault {
    /// Opens every wrapped key with the keyring.
    ///
    /// # Errors
    /// A key was wrapped by a master key that the keyring does not hold.
    pub fn open(keyring: Keyring, wrapped: &[WrappedKey]) -> Result<Self, StoreError> {
        let vault = Self { keyring, keys: RwLock::new(BTreeMap::new()) };
        for key in wrapped {
            let master = vault.keyring.master(key.master_generation).ok_or_else(|| StoreError::KeyMissing {
                prefecture: "master".to_owned(),
                generation: key.master_generation,
            })?;
            let bytes = master.open(prefecture_key_place(&key.row()), &key.sealed)?;
            let opened = Key::from_bytes(&bytes).ok_or(StoreError::Unsealed)?;
            vault.put(&key.prefecture, key.generation, opened);
        }
        Ok(vault)
    }

    /// The keyring, for what must open before any key of the database is known.
    pub(super) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Makes a new key for a prefecture, one generation after its latest, wrapped for the database.
    ///
    /// # Errors
    /// The random generator or the provider failed.
    pub fn new_generation(&self, prefecture: &str) -> Result<WrappedKey, StoreError> {
        let generation = self.latest(prefecture).map_or(1, |(generation, _)| generation + 1);
        let key = Key::generate()?;
        let wrapped = self.wrap_prefecture_key(prefecture, generation, &key)?;
        self.put(prefecture, generation, key);
        Ok(wrapped)
    }

    /// Wraps every prefecture key anew with the keyring's current master key.
    ///
    /// # Errors
    /// The provider failed.
    pub fn rewrap_all(&self) -> Result<Vec<WrappedKey>, StoreError> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.iter()
            .map(|((prefecture, generation), key)| self.wrap_prefecture_key(prefecture, *generation, key))
            .collect()
    }

    fn wrap_prefecture_key(&self, prefecture: &str, generation: u32, key: &Key) -> Result<WrappedKey, StoreError> {
        let (master_generation, master) = self.keyring.current();
        let mut wrapped =
            WrappedKey { prefecture: prefecture.to_owned(), generation, master_generation, sealed: Vec::new() };
        wrapped.sealed = master.seal(prefecture_key_place(&wrapped.row()), key.bytes())?;
        Ok(wrapped)
    }

    /// Seals a value with a prefecture's latest key: its generation, then nonce, ciphertext, tag.
    ///
    /// # Errors
    /// The prefecture has no key.
    pub fn seal(&self, prefecture: &str, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (generation, key) = self.latest(prefecture).ok_or_else(|| missing(prefecture, 0))?;
        let mut sealed = generation.to_be_bytes().to_vec();
        sealed.extend_from_slice(&key.seal(place, plain)?);
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// The generation is gone, or another place, or damage.
    pub fn unseal(&self, prefecture: &str, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (generation, body) = sealed.split_first_chunk::<GENERATION>().ok_or(StoreError::Unsealed)?;
        let generation = u32::from_be_bytes(*generation);
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = keys.get(&(prefecture.to_owned(), generation)).ok_or_else(|| missing(prefecture, generation))?;
        key.open(place, body)
    }

    /// Seals a text under the central key.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_text(&self, place: Place<'_>, text: &str) -> Result<Vec<u8>, StoreError> {
        self.seal(CENTRAL, place, text.as_bytes())
    }

    /// Opens a text under the central key.
    ///
    /// # Errors
    /// As [`Self::unseal`], or it is not text.
    pub fn unseal_text(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, StoreError> {
        let plain = self.unseal(CENTRAL, place, sealed)?;
        String::from_utf8(plain.to_vec()).map_err(|_| StoreError::Unsealed)
    }

    /// Wraps a record's data key with the key of its prefecture.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn wrap(&self, prefecture: &str, record: uuid::Uuid, key: &Key) -> Result<Vec<u8>, StoreError> {
        self.seal(prefecture, record_key_place(&record), key.bytes())
    }

    /// Unwraps a record's data key.
    ///
    /// # Errors
    /// As [`Self::unseal`].
    pub fn unwrap_key(&self, prefecture: &str, record: uuid::Uuid, sealed: &[u8]) -> Result<Key, StoreError> {
        let bytes = self.unseal(prefecture, record_key_place(&record), sealed)?;
        Key::from_bytes(&bytes).ok_or(StoreError::Unsealed)
    }

    fn latest(&self, prefecture: &str) -> Option<(u32, Key)> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.range((prefecture.to_owned(), 0)..=(prefecture.to_owned(), u32::MAX))
            .next_back()
            .map(|((_, generation), key)| (*generation, key.clone()))
    }

    fn put(&self, prefecture: &str, generation: u32, key: Key) {
        let mut keys = self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.insert((prefecture.to_owned(), generation), key);
    }
}

impl WrappedKey {
    fn row(&self) -> String {
        format!("{}:{}", self.prefecture, self.generation)
    }
}

fn prefecture_key_place(row: &String) -> Place<'_> {
    Place { table: "prefecture_keys", row, column: "sealed_key" }
}

fn record_key_place(record: &uuid::Uuid) -> Place<'_> {
    Place { table: "records", row: record, column: "sealed_key" }
}

fn missing(prefecture: &str, generation: u32) -> StoreError {
    StoreError::KeyMissing { prefecture: prefecture.to_owned(), generation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_ciphertext_does_not_open() {
        let key = Key::generate().unwrap();
        let here = Place { table: "t", row: &1, column: "c" };
        let sealed = key.seal(here, b"secret").unwrap();
        assert_eq!(key.open(here, &sealed).unwrap().as_slice(), b"secret");
        for elsewhere in [
            Place { table: "u", row: &1, column: "c" },
            Place { table: "t", row: &2, column: "c" },
            Place { table: "t", row: &1, column: "d" },
        ] {
            assert!(key.open(elsewhere, &sealed).is_err());
        }
        let mut damaged = sealed.clone();
        if let Some(last) = damaged.last_mut() {
            *last ^= 1;
        }
        assert!(key.open(here, &damaged).is_err());
        assert!(Key::generate().unwrap().open(here, &sealed).is_err());
    }
}
