//! Countersignatures of witnesses (C2SP `tlog-cosignature`, Ed25519): "at this time this was the largest tree that I
//! have seen of this log, and it was only ever added to".

use zeroize::Zeroizing;

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    merkle::Hash,
    note::{KeyKind, PublicKey, SecretKey, SignedNote, parse_secret, secret_line, signature_line},
};

/// The text under a cosignature.
fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// A witness's key pair.
pub struct Cosigner(SecretKey);

impl Cosigner {
    /// # Errors
    /// The seed is not 32 bytes, or the name cannot be that of a key.
    pub fn from_seed(name: &str, seed: &[u8]) -> Result<Self, CheckpointError> {
        SecretKey::from_seed(name, KeyKind::Witness, seed).map(Self)
    }

    /// Reads the line of a witness's key file.
    ///
    /// # Errors
    /// It is not the secret key of a witness.
    pub fn from_line(line: &str) -> Result<Self, CheckpointError> {
        let (name, seed) = parse_secret(line, KeyKind::Witness).ok_or(CheckpointError::Key)?;
        let cosigner = Self::from_seed(&name, &seed)?;
        if secret_line(cosigner.public_key(), &seed).trim() == line.trim() {
            Ok(cosigner)
        } else {
            Err(CheckpointError::Key)
        }
    }

    /// The line of a new key file.
    ///
    /// # Errors
    /// As [`Self::from_seed`].
    pub fn key_file(name: &str, seed: &[u8]) -> Result<Zeroizing<String>, CheckpointError> {
        Ok(secret_line(Self::from_seed(name, seed)?.public_key(), seed))
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// The signature line over the text of a checkpoint, at a time in seconds since 1970.
    pub fn cosign(&self, text: &str, seconds: u64) -> String {
        let mut signature = seconds.to_be_bytes().to_vec();
        signature.extend(self.0.sign(message(seconds, text).as_bytes()));
        signature_line(&self.0.public, &signature)
    }
}

/// When a witness signed a note, in seconds since 1970.
///
/// # Errors
/// It did not, or its signature is wrong.
pub fn verify_cosignature(note: &SignedNote<'_>, key: &PublicKey) -> Result<u64, CheckpointError> {
    if key.kind() != KeyKind::Witness {
        return Err(CheckpointError::Key);
    }
    let mut newest = None;
    for signature in note.by(key) {
        let (seconds, signature) = signature.split_first_chunk::<8>().ok_or(CheckpointError::Form)?;
        let seconds = u64::from_be_bytes(*seconds);
        if i64::try_from(seconds).is_err() {
            return Err(CheckpointError::Form);
        }
        key.verify(message(seconds, note.text).as_bytes(), signature)?;
        newest = newest.max(Some(seconds));
    }
    newest.ok_or(CheckpointError::Unsigned)
}

/// Whose signatures make a checkpoint worth believing.
pub struct TrustPolicy {
    pub log: PublicKey,
    pub witnesses: Vec<PublicKey>,
    /// How many of the witnesses must have signed.
    pub needed: usize,
}

/// A checkpoint with what vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    pub checkpoint: Checkpoint,
    /// Names of the witnesses, and when each signed.
    pub by: Vec<(String, u64)>,
}

impl Vouched {
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    pub fn root(&self) -> Hash {
        self.checkpoint.root
    }
}

impl TrustPolicy {
    /// # Errors
    /// A line is not a key of its kind, one key is named twice, or more signatures are needed than there are witnesses.
    pub fn new(log: &str, witnesses: &[String], needed: Option<usize>) -> Result<Self, CheckpointError> {
        let log = PublicKey::parse(log)?;
        let witnesses = witnesses.iter().map(|line| PublicKey::parse(line)).collect::<Result<Vec<_>, _>>()?;
        // One key under two names is one witness, and a log does not vouch for itself.
        let told_apart = |(place, key): (usize, &PublicKey)| {
            !key.is_same_key(&log) && !witnesses.iter().take(place).any(|earlier| earlier.is_same_key(key))
        };
        let fit = log.kind() == KeyKind::Log
            && witnesses.iter().all(|key| key.kind() == KeyKind::Witness)
            && witnesses.iter().enumerate().all(told_apart);
        if !fit {
            return Err(CheckpointError::Key);
        }
        let needed = needed.unwrap_or(witnesses.len());
        if needed > witnesses.len() {
            return Err(CheckpointError::TooFewWitnesses { found: witnesses.len(), needed });
        }
        Ok(Self { log, witnesses, needed })
    }

    /// # Errors
    /// The log did not sign, a signature is wrong, or too few witnesses signed.
    pub fn verify(&self, note: &str) -> Result<Vouched, CheckpointError> {
        let checkpoint = Checkpoint::verify(note, &self.log)?;
        let note = SignedNote::parse(note)?;
        let mut by = Vec::new();
        for witness in &self.witnesses {
            match verify_cosignature(&note, witness) {
                Ok(seconds) => by.push((witness.name().to_owned(), seconds)),
                Err(CheckpointError::Unsigned) => {}
                Err(error) => return Err(error),
            }
        }
        if by.len() < self.needed {
            return Err(CheckpointError::TooFewWitnesses { found: by.len(), needed: self.needed });
        }
        Ok(Vouched { checkpoint, by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::checkpoint::Signer;

    const SECONDS: u64 = 1_679_315_147;

    fn cosigner(name: &str, seed: u8) -> Cosigner {
        Cosigner::from_seed(name, &[seed; 32]).unwrap()
    }

    /// Made with the OpenSSL command line from the specification's text, not with this program: seed 32 times 0x07.
    #[test]
    fn a_cosignature_is_what_another_implementation_makes() {
        let witness = cosigner("witness.example/w1", 7);
        let text = Checkpoint::read(&format!("log.example\n42\n{}\n", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="))
            .unwrap();
        assert_eq!(text.root, [9; 32]);
        assert_eq!(
            witness.public_key().line(),
            "witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
        );
        assert_eq!(
            witness.cosign("log.example\n42\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n", SECONDS),
            "— witness.example/w1 qkoJ0QAAAABkGFDLGGG0ASkH1hrx1Xz9EYyaJY8xPjKYS6qtTSJ0RnqXfgzUy1qeyHiJzpqIKRsofD5xpljPFK1\
             hemkXw7iQ5s25DQ==\n"
        );
    }

    #[test]
    fn enough_different_witnesses_vouch_and_nobody_else_does() {
        let log = Signer::from_seed("log.example", &[1; 32]).unwrap();
        let (one, two) = (cosigner("w/1", 2), cosigner("w/2", 3));
        let note = log.sign(42, [9; 32]);
        let text = SignedNote::parse(&note).unwrap().text.to_owned();
        let both = format!("{note}{}{}", one.cosign(&text, SECONDS), two.cosign(&text, SECONDS + 1));
        let lines = [one.public_key().line(), two.public_key().line()];
        let trust = |needed| TrustPolicy::new(&log.verifier_key(), &lines, Some(needed)).unwrap();
        let vouched = trust(2).verify(&both).unwrap();
        assert_eq!(vouched.by, [("w/1".to_owned(), SECONDS), ("w/2".to_owned(), SECONDS + 1)]);
        let single = format!("{note}{}", one.cosign(&text, SECONDS));
        assert_eq!(trust(2).verify(&single), Err(CheckpointError::TooFewWitnesses { found: 1, needed: 2 }));
        assert!(trust(1).verify(&single).is_ok());
        // The same witness twice, a signature over another text, an edited time, a stranger under a known name.
        let twice = format!("{single}{}", one.cosign(&text, SECONDS + 9));
        assert!(trust(2).verify(&twice).is_err());
        let moved = format!("{note}{}", one.cosign(&text.replacen("42", "41", 1), SECONDS));
        assert_eq!(trust(1).verify(&moved), Err(CheckpointError::BadSignature));
        let stranger = format!("{note}{}", cosigner("w/1", 4).cosign(&text, SECONDS));
        assert_eq!(trust(1).verify(&stranger), Err(CheckpointError::TooFewWitnesses { found: 0, needed: 1 }));
        // A list that counts one key twice, or the log as its own witness, or more than there are.
        let other_name = cosigner("w/3", 2).public_key().line();
        assert!(TrustPolicy::new(&log.verifier_key(), &[lines[0].clone(), other_name], None).is_err());
        let own = cosigner("w/4", 1).public_key().line();
        assert!(TrustPolicy::new(&log.verifier_key(), &[own], None).is_err());
        assert!(TrustPolicy::new(&log.verifier_key(), &lines, Some(3)).is_err());
        assert!(TrustPolicy::new(&lines[0], &[], None).is_err());
    }
}
