//! The body of `POST /add-checkpoint`: the old size, the proof, a blank line, the checkpoint.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::ledger::{
    checkpoint::{Checkpoint, SignedNote},
    merkle::Hash,
    note::parse_size,
};

/// Hashes of a proof.
const MAX_PROOF: usize = 63;
/// Type of the body that names a witness's size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// Bytes of a request: a proof, and a checkpoint with more signatures than anybody makes.
pub const MAX_BYTES: usize = 64 * 1024;

/// A log's wish to have a checkpoint cosigned.
#[derive(Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the tree that the witness signed last.
    pub old: u64,
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub note: String,
}

impl AddCheckpoint {
    pub fn write(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| BASE64_STANDARD.encode(hash) + "\n").collect();
        format!("old {}\n{proof}\n{}", self.old, self.note)
    }

    /// `None` where the form is wrong. Nothing is verified.
    pub fn read(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = parse_size(lines.next()?.strip_prefix("old ")?)?;
        let hash = |line: &str| BASE64_STANDARD.decode(line).ok()?.try_into().ok();
        let proof = lines.map(hash).collect::<Option<Vec<Hash>>>()?;
        if proof.len() > MAX_PROOF {
            return None;
        }
        Checkpoint::read(SignedNote::parse(note).ok()?.text).ok()?;
        Some(Self { old, proof, note: note.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::checkpoint::Signer;

    #[test]
    fn what_is_written_is_read_and_nothing_malformed_is() {
        let note = Signer::from_seed("log.example", &[1; 32]).unwrap().sign(7, [3; 32]);
        let request = AddCheckpoint { old: 5, proof: vec![[1; 32], [2; 32]], note };
        let body = request.write();
        assert!(body.starts_with("old 5\nAQEBAQ"), "{body}");
        assert_eq!(AddCheckpoint::read(&body), Some(request));
        for (from, to) in [
            ("old 5", "old 05"),
            ("old 5", "old -5"),
            ("old 5", "new 5"),
            ("AQEB", "AQE"),
            ("\n\nlog", "\nlog"),
            ("\n7\n", "\nx\n"),
        ] {
            assert!(body.contains(from), "{from}");
            assert_eq!(AddCheckpoint::read(&body.replacen(from, to, 1)), None, "{from} → {to}");
        }
        let long = format!("old 5\n{}\n{}", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n".repeat(64), "x");
        assert_eq!(AddCheckpoint::read(&long), None);
    }
}
