//! Signed notes and their keys (C2SP `signed-note`): a text, a blank line, and one line for each signature.
//!
//! Two kinds of Ed25519 key sign here. A log's own (type 0x01) signs the text as it is; a witness's (type 0x04) signs
//! it with the time, see [`super::cosignature`].

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::checkpoint::CheckpointError;

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The text of a note (signature type 0x01).
    Log,
    /// A text with a time, as a witness does (signature type 0x04).
    Witness,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Log, Self::Witness].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// A public key read from a `vkey` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) name: String,
    pub(super) kind: KeyKind,
    pub(super) id: [u8; 4],
    bytes: [u8; 32],
}

impl PublicKey {
    /// # Errors
    /// The line is not a key, or its hash is not that of the key.
    pub fn parse(line: &str) -> Result<Self, CheckpointError> {
        let mut parts = line.trim().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CheckpointError::Key);
        };
        let typed = BASE64_STANDARD.decode(key).map_err(|_| CheckpointError::Key)?;
        let (kind, bytes) = typed.split_first().ok_or(CheckpointError::Key)?;
        let kind = KeyKind::of(*kind).ok_or(CheckpointError::Key)?;
        let key = Self::of(name, kind, bytes).ok_or(CheckpointError::Key)?;
        if key.hash() == hash { Ok(key) } else { Err(CheckpointError::Key) }
    }

    fn of(name: &str, kind: KeyKind, bytes: &[u8]) -> Option<Self> {
        if !is_key_name(name) {
            return None;
        }
        let bytes = bytes.try_into().ok()?;
        Some(Self { name: name.to_owned(), kind, id: key_id(name, kind, &bytes), bytes })
    }

    /// The same key under another name: a log whose origin was changed.
    pub fn named(&self, name: &str) -> Option<Self> {
        Self::of(name, self.kind, &self.bytes)
    }

    /// Of a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether both are the same key, under whatever name.
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }

    /// The `vkey` line.
    pub fn line(&self) -> String {
        let mut typed = vec![self.kind.byte()];
        typed.extend_from_slice(&self.bytes);
        format!("{}+{}+{}", self.name, self.hash(), BASE64_STANDARD.encode(typed))
    }

    fn hash(&self) -> String {
        HEXLOWER.encode(&self.id)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CheckpointError> {
        UnparsedPublicKey::new(&ED25519, &self.bytes)
            .verify(message, signature)
            .map_err(|_| CheckpointError::BadSignature)
    }
}

/// A name may not be empty and holds neither spaces nor `+`.
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// First four bytes of SHA-256(name ‖ "\n" ‖ type ‖ key).
fn key_id(name: &str, kind: KeyKind, key: &[u8; 32]) -> [u8; 4] {
    let mut input = name.as_bytes().to_vec();
    input.extend_from_slice(&[b'\n', kind.byte()]);
    input.extend_from_slice(key);
    let hash = digest(&SHA256, &input);
    hash.as_ref().first_chunk::<4>().copied().unwrap_or_default()
}

/// A key pair that signs notes.
pub(super) struct SecretKey {
    pub(super) public: PublicKey,
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// # Errors
    /// The seed is not 32 bytes, or the name is not one.
    pub(super) fn from_seed(name: &str, kind: KeyKind, seed: &[u8]) -> Result<Self, CheckpointError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CheckpointError::Key)?;
        let public = PublicKey::of(name, kind, pair.public_key().as_ref()).ok_or(CheckpointError::Key)?;
        Ok(Self { public, pair })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// A note taken apart; nothing in it is verified yet.
pub struct SignedNote<'a> {
    /// With its final newline.
    pub text: &'a str,
    signatures: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> SignedNote<'a> {
    /// # Errors
    /// The form is not that of a signed note.
    pub fn parse(note: &'a str) -> Result<Self, CheckpointError> {
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(CheckpointError::Form);
        }
        // The last blank line is the one between text and signatures.
        let end = note.rfind("\n\n").ok_or(CheckpointError::Form)?;
        let (text, signatures) = note.split_at(end + 1);
        let signatures = signatures.strip_prefix('\n').unwrap_or_default();
        let lines = signatures.lines().map(|line| {
            let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
            Some((name, BASE64_STANDARD.decode(signature).ok()?))
        });
        let signatures = lines.collect::<Option<Vec<_>>>().ok_or(CheckpointError::Form)?;
        Ok(Self { text, signatures })
    }

    /// The signatures under the name and id of a key, without the id.
    pub(super) fn by(&self, key: &PublicKey) -> impl Iterator<Item = &[u8]> {
        self.signatures.iter().filter_map(move |(name, bytes)| {
            let (id, signature) = bytes.split_first_chunk::<4>()?;
            (*name == key.name && *id == key.id).then_some(signature)
        })
    }

    /// Verifies that a log's key signed the text.
    ///
    /// # Errors
    /// It did not, or a signature under its name is wrong.
    pub fn verify(&self, key: &PublicKey) -> Result<(), CheckpointError> {
        if key.kind != KeyKind::Log {
            return Err(CheckpointError::Key);
        }
        let mut signatures = self.by(key).peekable();
        if signatures.peek().is_none() {
            return Err(CheckpointError::Unsigned);
        }
        signatures.try_for_each(|signature| key.verify(self.text.as_bytes(), signature))
    }
}

impl SignedNote<'_> {
    /// The note with the signatures of one key alone.
    pub fn only_by(&self, key: &PublicKey) -> String {
        format!("{}\n{}", self.text, self.lines_by(key))
    }

    /// The signature lines of one key.
    pub fn lines_by(&self, key: &PublicKey) -> String {
        self.by(key).map(|signature| signature_line(key, signature)).collect()
    }
}

/// The line of a signature.
pub(super) fn signature_line(key: &PublicKey, signature: &[u8]) -> String {
    let mut bytes = key.id.to_vec();
    bytes.extend_from_slice(signature);
    format!("— {} {}\n", key.name, BASE64_STANDARD.encode(bytes))
}

/// The line in which a secret key is kept: `PRIVATE+KEY+NAME+HASH+BASE64`, as the Go tools for signed notes write it.
pub(super) fn secret_line(public: &PublicKey, seed: &[u8]) -> Zeroizing<String> {
    let mut typed = Zeroizing::new(vec![public.kind.byte()]);
    typed.extend_from_slice(seed);
    let typed = Zeroizing::new(BASE64_STANDARD.encode(&*typed));
    Zeroizing::new(format!("{SECRET}{}+{}+{}\n", public.name, public.hash(), *typed))
}

/// Name and seed of a secret key of a kind.
pub(super) fn parse_secret(line: &str, kind: KeyKind) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let mut parts = line.trim().strip_prefix(SECRET)?.splitn(3, '+');
    let (name, _hash, key) = (parts.next()?, parts.next()?, parts.next()?);
    let typed = Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
    let (first, seed) = typed.split_first()?;
    (*first == kind.byte()).then(|| (name.to_owned(), Zeroizing::new(seed.to_vec())))
}

const SECRET: &str = "PRIVATE+KEY+";

/// A number as notes write it: decimal, without sign or leading zero.
pub fn parse_size(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
