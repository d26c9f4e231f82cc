//! Encryption at rest: AES-256-GCM, envelope keys, every ciphertext bound to its place.
//!
//! The master key (keyring file or token) wraps one key for each prefecture. A prefecture's key, together with a secret
//! of the record's own ([`Shreds`]), wraps one data key for each record; the central key seals what belongs to no
//! record. A ciphertext carries its table, row and column as associated data: moved elsewhere it does not open. Nonces
//! are random, from the provider (NIST SP 800-38D section 8.2.2).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    hmac,
};
use tokio::sync::Notify;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    keyring::{Keyring, Masters},
    shreds::{RUN_BITS, SLOT_BITS, Shreds, Slot},
};
use crate::{clock::random_bytes, keys::error::KeyError};

/// Where a ciphertext is kept. Part of its authentication.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub table: &'static str,
    pub row: &'a dyn Display,
    pub column: &'static str,
}

impl Place<'_> {
    fn aad(&self) -> Aad<String> {
        Aad::from(self.text())
    }

    pub(super) fn text(&self) -> String {
        format!("tsunagi/1/{}/{}/{}", self.table, self.row, self.column)
    }
}

/// A 256-bit key. Wiped when dropped, printed nowhere.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

pub(super) const NONCE: usize = 12;
const GENERATION: usize = 4;
const SLOT: usize = 8;

impl Key {
    /// # Errors
    /// The random generator failed.
    pub fn generate() -> Result<Self, KeyError> {
        random_bytes().map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| KeyError::Random)
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn from_array(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The key that this one and a secret give together.
    fn mixed_with(&self, secret: &Self) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(b"tsunagi/1/record key");
        context.update(secret.bytes());
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(context.sign().as_ref());
        Self(bytes)
    }

    /// A key for another purpose, from which nobody comes back to this one.
    pub fn derived(&self, purpose: &str) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes());
        bytes.copy_from_slice(hmac::sign(&key, purpose.as_bytes()).as_ref());
        Self(bytes)
    }

    /// A key that authenticates, for one purpose.
    pub fn authenticating(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.derived(purpose).bytes())
    }

    /// Seals a text.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_text(&self, place: Place<'_>, text: &str) -> Result<Vec<u8>, KeyError> {
        self.seal(place, text.as_bytes())
    }

    /// Opens a text.
    ///
    /// # Errors
    /// As [`Self::open`], or it is not text.
    pub fn open_text(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, KeyError> {
        String::from_utf8(self.open(place, sealed)?.to_vec()).map_err(|_| KeyError::Unsealed)
    }

    /// Seals a value for its place: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// The provider refused.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.provider_key()?;
        let mut body = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(place.aad(), &mut body).map_err(|_| KeyError::Unsealed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens a value at its place.
    ///
    /// # Errors
    /// Another key, another place, or damage.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(KeyError::Unsealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Unsealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain =
            self.provider_key()?.open_in_place(nonce, place.aad(), &mut body).map_err(|_| KeyError::Unsealed)?.len();
        body.truncate(plain);
        Ok(body)
    }

    fn provider_key(&self) -> Result<RandomizedNonceKey, KeyError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes()).map_err(|_| KeyError::Unsealed)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// A prefecture's key as the database keeps it.
#[derive(Clone)]
pub struct WrappedKey {
    pub prefecture: String,
    pub generation: u32,
    pub master_generation: u32,
    pub sealed: Vec<u8>,
}

/// A prefecture's key that was made and is not in use yet: first it has to be durable.
pub struct NewKey {
    pub wrapped: WrappedKey,
    key: Key,
}

/// The prefecture for what belongs to no prefecture.
pub const CENTRAL: &str = "00";
/// The place of the key that authenticates rows. It has one generation: a new one would make every row another's.
pub const ROWS: &str = "rows";

/// The opened prefecture keys of a running gateway, and the secrets of every record.
pub struct Vault {
    keyring: RwLock<Arc<Keyring>>,
    keys: RwLock<BTreeMap<(String, u32), Key>>,
    /// Prefecture keys of the database that do not open.
    damaged: RwLock<BTreeSet<(String, u32)>>,
    shreds: RwLock<Shreds>,
    /// Held by the one who destroys secrets.
    destroying: Mutex<()>,
    /// The slot of the next record.
    next_slot: AtomicU64,
    /// Records that were met whose key is destroyed: what a restored backup brought back.
    leftovers: Mutex<Vec<Uuid>>,
    /// Whether any key was destroyed since the start.
    has_destroyed: AtomicBool,
    pub rewrapping: Rewrapping,
}

/// How far the wrapping anew of records' keys is, and what wakes it.
#[derive(Default)]
pub struct Rewrapping {
    pub wanted: Notify,
    /// Records that may still have to be wrapped anew.
    pub left: AtomicU64,
}

impl Vault {
    /// Opens every wrapped key with the keyring, and the shreds beside it. A prefecture's key that does not open is set
    /// aside: [`Self::damaged`].
    ///
    /// # Errors
    /// The central key or the key of rows does not open, or was wrapped by a master key that the keyring does not hold; the
    /// token or the shreds are not available.
    pub fn open(keyring: Keyring, wrapped: &[WrappedKey]) -> Result<Self, KeyError> {
        let shreds = Shreds::load(&Shreds::path_beside(keyring.path()))?;
        let OpenedKeys { keys, damaged } = open_all(&keyring, wrapped, true)?;
        Ok(Self {
            keyring: RwLock::new(Arc::new(keyring)),
            keys: RwLock::new(keys),
            damaged: RwLock::new(damaged),
            shreds: RwLock::new(shreds),
            destroying: Mutex::default(),
            next_slot: AtomicU64::new(u64::MAX),
            leftovers: Mutex::default(),
            has_destroyed: AtomicBool::new(false),
            rewrapping: Rewrapping::default(),
        })
    }

    /// Takes the slots of a run, which no other run of any node has: records may be registered from now on.
    pub fn begin_run(&self, run: u32) {
        self.next_slot.store(u64::from(run) << RUN_BITS, Ordering::SeqCst);
    }

    /// Makes new keys for prefectures, one generation after the latest of each, wrapped by a keyring.
    ///
    /// # Errors
    /// The random generator, the provider or the token failed.
    pub fn make_generations(&self, keyring: &Keyring, prefectures: &[String]) -> Result<Vec<NewKey>, KeyError> {
        keyring.work(|masters| {
            let make = |prefecture: &String| {
                let damaged = self.damaged.read().unwrap_or_else(PoisonError::into_inner);
                let mut generation = self.latest(prefecture).map_or(1, |(generation, _)| generation + 1);
                while damaged.contains(&(prefecture.clone(), generation)) {
                    generation += 1;
                }
                let key = Key::generate()?;
                Ok(NewKey { wrapped: wrapped(masters, prefecture, generation, &key)?, key })
            };
            prefectures.iter().map(make).collect()
        })
    }

    /// Uses another state of the keyring from now on, and the prefecture keys of the database. Keys in memory stay.
    ///
    /// # Errors
    /// As [`Self::open`]; any key was wrapped by a master key that the keyring does not hold.
    pub fn reload(&self, keyring: Keyring, wrapped: &[WrappedKey]) -> Result<(), KeyError> {
        let OpenedKeys { keys, damaged } = open_all(&keyring, wrapped, false)?;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).extend(keys);
        *self.damaged.write().unwrap_or_else(PoisonError::into_inner) = damaged;
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
        Ok(())
    }

    /// Puts keys to use that are durable.
    pub fn install(&self, made: Vec<NewKey>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.extend(made.into_iter().map(|NewKey { wrapped, key }| ((wrapped.prefecture, wrapped.generation), key)));
    }

    /// Every prefecture key, wrapped anew by a keyring.
    ///
    /// # Errors
    /// The provider or the token failed.
    pub fn wrapped_by(&self, keyring: &Keyring) -> Result<Vec<WrappedKey>, KeyError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        keyring.work(|masters| {
            keys.iter().map(|((prefecture, generation), key)| wrapped(masters, prefecture, *generation, key)).collect()
        })
    }

    /// Prefecture keys of the database that did not open, by prefecture and generation.
    pub fn damaged(&self) -> Vec<(String, u32)> {
        self.damaged.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Prefectures of which no key is there.
    pub fn without_key(&self) -> Vec<String> {
        places().filter(|place| self.latest(place).is_none()).collect()
    }

    /// The key that authenticates rows; `None` where the database is from before there was one.
    pub fn rows_key(&self) -> Option<Key> {
        self.generation(ROWS, 1).ok()
    }

    /// The keyring in use.
    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest generation of a prefecture's key.
    pub fn latest_generation(&self, prefecture: &str) -> u32 {
        self.latest(prefecture).map_or(0, |(generation, _)| generation)
    }

    /// Whether a prefecture key is in memory.
    pub fn knows(&self, prefecture: &str, generation: u32) -> bool {
        self.generation(prefecture, generation).is_ok()
    }

    /// Forgets a prefecture key to which nothing refers.
    pub fn forget(&self, prefecture: &str, generation: u32) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&(prefecture.to_owned(), generation));
    }

    /// Seals a value with a prefecture's latest key: its generation, then nonce, ciphertext, tag.
    ///
    /// # Errors
    /// The prefecture has no key.
    pub fn seal(&self, prefecture: &str, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (generation, key) = self.latest(prefecture).ok_or_else(|| missing(prefecture, 0))?;
        let mut sealed = generation.to_be_bytes().to_vec();
        sealed.extend_from_slice(&key.seal(place, plain)?);
        Ok(sealed)
    }

    /// Seals what people wrote to a ledger entry, for the place beside it: the criteria of a search, a reason.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_note(&self, request: Uuid, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.seal(CENTRAL, Place { table: "ledger", row: &request, column: "sealed_note" }, plain)
    }

    /// Seals a message for the same place, as JSON.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_note_of<T: serde::Serialize>(&self, request: Uuid, message: &T) -> Result<Vec<u8>, KeyError> {
        let text = serde_json::to_vec(message).map_err(|_| KeyError::Corrupt("a note"))?;
        self.seal_note(request, &text)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// The generation is gone, or another place, or damage.
    pub fn unseal(&self, prefecture: &str, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (generation, body) = sealed.split_first_chunk::<GENERATION>().ok_or(KeyError::Unsealed)?;
        self.generation(prefecture, u32::from_be_bytes(*generation))?.open(place, body)
    }

    /// Seals a text under the central key.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_text(&self, place: Place<'_>, text: &str) -> Result<Vec<u8>, KeyError> {
        self.seal(CENTRAL, place, text.as_bytes())
    }

    /// Opens a text under the central key.
    ///
    /// # Errors
    /// As [`Self::unseal`], or it is not text.
    pub fn unseal_text(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, KeyError> {
        let plain = self.unseal(CENTRAL, place, sealed)?;
        String::from_utf8(plain.to_vec()).map_err(|_| KeyError::Unsealed)
    }

    /// Wraps the data key of a new record with the key of its prefecture and a secret of its own: generation, slot of
    /// the secret, nonce, ciphertext, tag. The secret is not in the database, and can be destroyed by itself.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn wrap(&self, prefecture: &str, record: Uuid, key: &Key) -> Result<Vec<u8>, KeyError> {
        self.wrap_at(self.take_slot()?, prefecture, record, key)
    }

    /// Wraps a record's data key anew with the latest key of a prefecture, the same or another. Its secret stays what
    /// it was, so that destroying it reaches every copy of the wrapped key there ever was.
    ///
    /// # Errors
    /// As [`Self::unwrap_key`].
    pub fn rewrap(&self, from: &str, to: &str, record: Uuid, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.unwrap_key(from, record, sealed)?;
        self.wrap_at(slot_of(sealed)?, to, record, &key)
    }

    fn wrap_at(&self, slot: Slot, prefecture: &str, record: Uuid, key: &Key) -> Result<Vec<u8>, KeyError> {
        let (generation, prefecture_key) = self.latest(prefecture).ok_or_else(|| missing(prefecture, 0))?;
        let wrapping = prefecture_key.mixed_with(&self.secret(slot)?);
        let sealed = wrapping.seal(record_key_place(&record_key_row(record, slot)), key.bytes())?;
        Ok([generation.to_be_bytes().as_slice(), slot.to_be_bytes().as_slice(), &sealed].concat())
    }

    /// Unwraps a record's data key.
    ///
    /// # Errors
    /// As [`Self::unseal`]; [`KeyError::Destroyed`] where the record was disposed of.
    pub fn unwrap_key(&self, prefecture: &str, record: Uuid, sealed: &[u8]) -> Result<Key, KeyError> {
        let (generation, slot, body) = parts(sealed)?;
        let wrapping = self.generation(prefecture, generation)?.mixed_with(&self.secret(slot)?);
        let bytes = wrapping.open(record_key_place(&record_key_row(record, slot)), body)?;
        Key::from_bytes(&bytes).ok_or(KeyError::Unsealed)
    }

    fn secret(&self, slot: Slot) -> Result<Key, KeyError> {
        self.shreds.read().unwrap_or_else(PoisonError::into_inner).secret(slot).ok_or(KeyError::Destroyed)
    }

    /// A slot that no record has. One whose secret is gone belonged to a record that a restored backup does not know.
    fn take_slot(&self) -> Result<Slot, KeyError> {
        let shreds = self.shreds.read().unwrap_or_else(PoisonError::into_inner);
        loop {
            let slot = self.next_slot.fetch_add(1, Ordering::SeqCst);
            if slot >> SLOT_BITS != 0 {
                return Err(KeyError::Corrupt("slots of records' secrets are used up, or no run was begun"));
            }
            if shreds.holds(slot) {
                return Ok(slot);
            }
        }
    }

    /// Destroys the secrets of records, for good: no copy of the database opens them any more. Those that are destroyed
    /// already are passed over. Returns how many there were.
    ///
    /// # Errors
    /// The file of shreds cannot be written; nothing is destroyed then.
    pub fn destroy(&self, slots: &[Slot]) -> Result<usize, KeyError> {
        let _alone = self.destroying.lock().unwrap_or_else(PoisonError::into_inner);
        let (held, left) = {
            let shreds = self.shreds.read().unwrap_or_else(PoisonError::into_inner);
            let held: Vec<Slot> = slots.iter().copied().filter(|slot| shreds.holds(*slot)).collect();
            if held.is_empty() {
                return Ok(0);
            }
            let left = shreds.without(&held);
            (held, left)
        };
        // Requests go on while the file is written.
        left.replace_file()?;
        *self.shreds.write().unwrap_or_else(PoisonError::into_inner) = left;
        self.has_destroyed.store(true, Ordering::SeqCst);
        Ok(held.len())
    }

    /// Whether any of these secrets can still be derived.
    pub fn holds_any(&self, slots: &[Slot]) -> bool {
        let shreds = self.shreds.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().any(|slot| shreds.holds(*slot))
    }

    /// Whether any key was destroyed since the start: what memory held of those records may not be written down.
    pub fn has_destroyed(&self) -> bool {
        self.has_destroyed.load(Ordering::SeqCst)
    }

    /// Notes a record whose key is destroyed although its row is there.
    pub fn note_leftover(&self, record: Uuid) {
        self.leftovers.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// Hands over what [`Self::note_leftover`] noted.
    pub fn take_leftovers(&self) -> Vec<Uuid> {
        std::mem::take(&mut self.leftovers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn generation(&self, prefecture: &str, generation: u32) -> Result<Key, KeyError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&(prefecture.to_owned(), generation)).cloned().ok_or_else(|| missing(prefecture, generation))
    }

    fn latest(&self, prefecture: &str) -> Option<(u32, Key)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.range((prefecture.to_owned(), 0)..=(prefecture.to_owned(), u32::MAX))
            .next_back()
            .map(|((_, generation), key)| (*generation, key.clone()))
    }
}

/// The places that have keys: each prefecture, what belongs to none, rows.
pub fn places() -> impl Iterator<Item = String> {
    (1..=47).map(|number| format!("{number:02}")).chain([CENTRAL, ROWS].map(str::to_owned))
}

/// What came of opening the keys of the database.
#[derive(Default)]
struct OpenedKeys {
    keys: BTreeMap<(String, u32), Key>,
    damaged: BTreeSet<(String, u32)>,
}

/// Opens the keys of the database. A prefecture's that does not open is set aside; what it names as its master key may be
/// damaged as well, unless any master key that is not there has to be an error.
fn open_all(keyring: &Keyring, wrapped: &[WrappedKey], may_lack_master: bool) -> Result<OpenedKeys, KeyError> {
    let open = |masters: &Masters<'_>, key: &WrappedKey| {
        let bytes = masters.open(key.master_generation, prefecture_key_place(&key.row()), &key.sealed)?;
        Key::from_bytes(&bytes).ok_or(KeyError::Unsealed)
    };
    keyring.work(|masters| {
        let mut opened = OpenedKeys::default();
        for key in wrapped {
            let place = (key.prefecture.clone(), key.generation);
            let is_needed = [CENTRAL, ROWS].contains(&key.prefecture.as_str());
            match open(masters, key) {
                Ok(key) => drop(opened.keys.insert(place, key)),
                Err(KeyError::Unsealed) if is_needed => return Err(KeyError::Damaged { place: key.row() }),
                Err(KeyError::Unsealed) => drop(opened.damaged.insert(place)),
                Err(KeyError::Missing { .. }) if may_lack_master && !is_needed => drop(opened.damaged.insert(place)),
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    })
}

impl WrappedKey {
    fn row(&self) -> String {
        format!("{}:{}", self.prefecture, self.generation)
    }
}

fn wrapped(masters: &Masters<'_>, prefecture: &str, generation: u32, key: &Key) -> Result<WrappedKey, KeyError> {
    let mut wrapped =
        WrappedKey { prefecture: prefecture.to_owned(), generation, master_generation: 0, sealed: Vec::new() };
    let (master_generation, sealed) = masters.seal(prefecture_key_place(&wrapped.row()), key.bytes())?;
    (wrapped.master_generation, wrapped.sealed) = (master_generation, sealed);
    Ok(wrapped)
}

/// Generation, slot, and what is sealed, of a record's wrapped key.
fn parts(sealed: &[u8]) -> Result<(u32, Slot, &[u8]), KeyError> {
    let (generation, rest) = sealed.split_first_chunk::<GENERATION>().ok_or(KeyError::Unsealed)?;
    let (slot, body) = rest.split_first_chunk::<SLOT>().ok_or(KeyError::Unsealed)?;
    Ok((u32::from_be_bytes(*generation), Slot::from_be_bytes(*slot), body))
}

/// Generation of the prefecture key that wraps a record's key, or sealed a value.
///
/// # Errors
/// It is neither.
pub fn generation_of(sealed: &[u8]) -> Result<u32, KeyError> {
    parts(sealed).map(|(generation, ..)| generation)
}

/// The slot of a record's secret, as its wrapped key names it.
///
/// # Errors
/// It is not a wrapped key.
pub fn slot_of(sealed: &[u8]) -> Result<Slot, KeyError> {
    parts(sealed).map(|(_, slot, _)| slot)
}

fn prefecture_key_place(row: &String) -> Place<'_> {
    Place { table: "prefecture_keys", row, column: "sealed_key" }
}

fn record_key_row(record: Uuid, slot: Slot) -> String {
    format!("{record}:{slot}")
}

fn record_key_place(row: &String) -> Place<'_> {
    Place { table: "records", row, column: "sealed_key" }
}

fn missing(prefecture: &str, generation: u32) -> KeyError {
    KeyError::Missing { prefecture: prefecture.to_owned(), generation }
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
