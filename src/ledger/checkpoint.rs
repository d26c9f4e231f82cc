//! Signed tree heads in the C2SP forms `tlog-checkpoint` and `signed-note`, Ed25519 keys as `vkey` lines.

use base64::{Engine, prelude::BASE64_STANDARD};

pub use super::note::{PublicKey, SignedNote};
use super::{
    merkle::Hash,
    note::{KeyKind, SecretKey, parse_size, signature_line},
};

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
    #[error("the checkpoint is of the log {0}, not of the one whose key was given")]
    OtherLog(String),
    #[error("signatures of {found} of the given witnesses; {needed} are needed")]
    TooFewWitnesses { found: usize, needed: usize },
}

impl Checkpoint {
    /// The text that is signed.
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root))
    }

    /// Verifies a signed checkpoint with the public key of its log.
    ///
    /// # Errors
    /// What is wrong with the key, the form or the signature.
    pub fn verify(note: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(note)?;
        note.verify(key)?;
        let checkpoint = Self::read(note.text)?;
        if checkpoint.origin == key.name { Ok(checkpoint) } else { Err(CheckpointError::OtherLog(checkpoint.origin)) }
    }

    /// Reads the text of a note whose signature is, or will be, verified apart.
    ///
    /// # Errors
    /// It is not the text of a checkpoint.
    pub fn read(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Form);
        }
        let root = BASE64_STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        Ok(Self {
            origin: origin.to_owned(),
            size: parse_size(size).ok_or(CheckpointError::Form)?,
            root: root.ok_or(CheckpointError::Form)?,
        })
    }
}

/// Signs for one log. The name of the key is the origin of the log.
pub struct Signer(SecretKey);

impl Signer {
    /// # Errors
    /// The seed is not 32 bytes, or the name cannot be that of a key.
    pub fn from_seed(name: &str, seed: &[u8]) -> Result<Self, CheckpointError> {
        SecretKey::from_seed(name, KeyKind::Log, seed).map(Self)
    }

    pub fn origin(&self) -> &str {
        self.0.public.name()
    }

    /// A signed note over the checkpoint.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        self.sign_note(Checkpoint { origin: self.origin().to_owned(), size, root }.body())
    }

    /// A signed note over a manifest. Its first line keeps it from ever being read as a checkpoint of this log.
    ///
    /// # Errors
    /// The text could be taken for something else.
    pub(crate) fn sign_manifest(&self, text: String) -> Result<String, CheckpointError> {
        if text.starts_with(MANIFEST) && text.ends_with('\n') {
            Ok(self.sign_note(text))
        } else {
            Err(CheckpointError::Form)
        }
    }

    fn sign_note(&self, text: String) -> String {
        let line = signature_line(&self.0.public, &self.0.sign(text.as_bytes()));
        format!("{text}\n{line}")
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// The public key as a `vkey` line, to be given to those who verify.
    pub fn verifier_key(&self) -> String {
        self.0.public.line()
    }
}

/// First line of every manifest that a log's key signs. It holds spaces, which no origin does.
pub const MANIFEST: &str = "tsunagi evidence manifest v1\n";

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

    #[test]
    fn a_key_signs_for_its_own_log_alone_and_sizes_have_one_form() {
        let signer = Signer::from_seed("log.example", &[7; 32]).unwrap();
        let text = Checkpoint { origin: "other.example".into(), size: 1, root: [1; 32] }.body();
        let note = signer.sign_note(text);
        assert_eq!(
            Checkpoint::verify(&note, signer.public_key()),
            Err(CheckpointError::OtherLog("other.example".into()))
        );
        for size in ["+5", "05", "-1", "", "5 ", "99999999999999999999"] {
            assert_eq!(parse_size(size), None, "{size}");
        }
        assert_eq!((parse_size("0"), parse_size("50")), (Some(0), Some(50)));
    }

    /// A manifest signed by the log's key is no checkpoint, and a checkpoint is no manifest.
    #[test]
    fn manifests_and_checkpoints_are_told_apart() {
        let signer = Signer::from_seed("log.example", &[7; 32]).unwrap();
        let manifest = signer.sign_manifest(format!("{MANIFEST}42\n{}\n", BASE64_STANDARD.encode([9; 32]))).unwrap();
        assert!(Checkpoint::verify(&manifest, signer.public_key()).is_err());
        assert!(signer.sign_manifest("log.example\n42\n".to_owned()).is_err());
        assert!(Signer::from_seed("tsunagi evidence manifest v1", &[7; 32]).is_err());
    }

    /// The example key of the signed-note specification.
    #[test]
    fn reads_the_key_of_the_specification() {
        let line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert!(PublicKey::parse(line).is_ok());
        assert!(PublicKey::parse(&line.replace("c74f", "c74e")).is_err());
    }
}
