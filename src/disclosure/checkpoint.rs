//! Signed tree heads in the C2SP forms `tlog-checkpoint` and `signed-note`, Ed25519 keys as `vkey` lines.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::merkle::Hash;

/// Signature type of Ed25519 in signed notes.
const ED25519_TYPE: u8 = 1;

/// A tree head: whose log, how many entries, which root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// Why a checkpoint was not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    #[error("not a public key line of the form NAME+HASH+BASE64")]
    Key,
    #[error("not a checkpoint: origin, size and root on three lines, a blank line, signatures")]
    Form,
    #[error("no signature by the given key")]
    Unsigned,
    #[error("the signature does not verify")]
    BadSignature,
}

impl Checkpoint {
    /// The text that is signed.
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root))
    }

    /// Verifies a signed checkpoint with a public key.
    ///
    /// # Errors
    /// What is wrong with the key, the form or the signature.
    pub fn verify(note: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let (body, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Form)?;
        let body = format!("{body}\n");
        let signature = signatures
            .lines()
            .filter_map(|line| line.strip_prefix("— ")?.split_once(' '))
            .find(|(name, _)| *name == key.name)
            .ok_or(CheckpointError::Unsigned)?;
        let bytes = BASE64_STANDARD.decode(signature.1).map_err(|_| CheckpointError::Form)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(CheckpointError::Form)?;
        if *id != key.id {
            return Err(CheckpointError::Unsigned);
        }
        UnparsedPublicKey::new(&ED25519, &key.bytes)
            .verify(body.as_bytes(), signature)
            .map_err(|_| CheckpointError::BadSignature)?;
        let mut lines = body.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        let root = BASE64_STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        Ok(Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| CheckpointError::Form)?,
            root: root.ok_or(CheckpointError::Form)?,
        })
    }
}

/// Signs the checkpoints of one log. The name of the key is the origin of the log.
pub struct Signer {
    name: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// # Errors
    /// The seed is not 32 bytes.
    pub fn from_seed(name: &str, seed: &[u8]) -> Result<Self, CheckpointError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CheckpointError::Key)?;
        Ok(Self { name: name.to_owned(), pair })
    }

    pub fn origin(&self) -> &str {
        &self.name
    }

    /// A signed note over the checkpoint.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let body = Checkpoint { origin: self.name.clone(), size, root }.body();
        let mut signature = key_id(&self.name, self.public_bytes()).to_vec();
        signature.extend_from_slice(self.pair.sign(body.as_bytes()).as_ref());
        format!("{body}\n— {} {}\n", self.name, BASE64_STANDARD.encode(signature))
    }

    /// The public key as a `vkey` line, to be given to those who verify.
    pub fn verifier_key(&self) -> String {
        let id = key_id(&self.name, self.public_bytes());
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(self.public_bytes());
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}+{id}+{}", self.name, BASE64_STANDARD.encode(typed))
    }

    fn public_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

/// A public key read from a `vkey` line.
pub struct PublicKey {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
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
        let Some((&ED25519_TYPE, bytes)) = typed.split_first() else { return Err(CheckpointError::Key) };
        let id = key_id(name, bytes);
        let written: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        if bytes.len() != 32 || written != hash {
            return Err(CheckpointError::Key);
        }
        Ok(Self { name: name.to_owned(), id, bytes: bytes.to_vec() })
    }
}

/// First four bytes of SHA-256(name ‖ "\n" ‖ type ‖ key).
fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let mut input = name.as_bytes().to_vec();
    input.extend_from_slice(b"\n");
    input.push(ED25519_TYPE);
    input.extend_from_slice(key);
    let hash = digest(&SHA256, &input);
    let mut id = [0; 4];
    id.copy_from_slice(hash.as_ref().get(..4).unwrap_or(&[0; 4]));
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_checkpoint_verifies_and_an_edited_one_does_not() {
        let signer = Signer::from_seed("log.example", &[7; 32]).unwrap();
        let key = PublicKey::parse(&signer.verifier_key()).unwrap();
        let note = signer.sign(42, [9; 32]);
        let checkpoint = Checkpoint::verify(&note, &key).unwrap();
        assert_eq!((checkpoint.size, checkpoint.root), (42, [9; 32]));
        assert_eq!(Checkpoint::verify(&note.replacen("42", "43", 1), &key), Err(CheckpointError::BadSignature));
        let other = Signer::from_seed("log.example", &[8; 32]).unwrap();
        let other = PublicKey::parse(&other.verifier_key()).unwrap();
        assert_eq!(Checkpoint::verify(&note, &other), Err(CheckpointError::Unsigned));
    }

    /// The example key of the signed-note specification.
    #[test]
    fn reads_the_key_of_the_specification() {
        let line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert!(PublicKey::parse(line).is_ok());
        assert!(PublicKey::parse(&line.replace("c74f", "c74e")).is_err());
    }
}
