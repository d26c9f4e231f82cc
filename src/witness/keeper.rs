//! What a witness knows of each log, and when it signs.
//!
//! The rule: a tree is signed only after it was proved to hold the one signed before, and only after that it was signed
//! is durable. So no two signatures of one witness ever tell different histories, through any crash.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use data_encoding::HEXLOWER;

use super::request::AddCheckpoint;
use crate::{
    clock::Clock,
    files,
    ledger::{
        checkpoint::{Checkpoint, CheckpointError, PublicKey, SignedNote},
        cosignature::{Cosigner, verify_cosignature},
        merkle::{Hash, empty_root, leaf_hash, verify_consistency},
    },
    planted::Planted,
};

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error("{0}: {1}. Make the state directory once by hand: a witness that lost it must get a new key")]
    Directory(PathBuf, io::Error),
    #[error("{0}: another witness keeps its state here")]
    Locked(PathBuf),
    #[error("{0}: not a checkpoint that this witness signed. Restore it; do not sign without it")]
    State(PathBuf),
    #[error("{0}: not the public key of a log")]
    Log(String),
    #[error("{0}: named twice")]
    Twice(String),
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Signed; the cosignature line.
    Signed(String),
    /// 400
    Malformed,
    /// 403: no key of this log signed it.
    Unsigned,
    /// 404
    UnknownLog,
    /// 409: the size that the witness holds.
    OtherSize(u64),
    /// 422
    NotProved,
    /// 500: the signature is kept back, because that it was given could not be made durable.
    NotKept,
}

/// The largest tree signed of a log; `None` where its file must be read again.
type LargestSigned = Option<(u64, Hash)>;

struct WitnessedLog {
    key: PublicKey,
    file: PathBuf,
    /// Locked for the whole of a request: comparing, proving, keeping and signing are one step.
    held: Mutex<LargestSigned>,
}

/// A witness.
pub struct Keeper {
    cosigner: Cosigner,
    clock: Clock,
    logs: HashMap<String, WitnessedLog>,
    /// Held while this process keeps the state.
    _lock: File,
}

impl Keeper {
    /// Opens the state directory, which must exist, and reads what was signed of each log.
    ///
    /// # Errors
    /// The directory is missing or in use, its files are not what this witness signed, or a log's key is not one.
    pub fn open(directory: &Path, cosigner: Cosigner, logs: &[String], clock: Clock) -> Result<Arc<Self>, KeeperError> {
        let lock = directory.join("lock");
        let file = File::create(&lock).map_err(|error| KeeperError::Directory(directory.to_owned(), error))?;
        file.try_lock().map_err(|_| KeeperError::Locked(directory.to_owned()))?;
        let mut known = HashMap::new();
        for line in logs {
            let key = PublicKey::parse(line).map_err(|_| KeeperError::Log(line.clone()))?;
            let file = directory.join(state_file(key.name()));
            let held =
                read_state(&file, key.name(), cosigner.public_key()).map_err(|_| KeeperError::State(file.clone()))?;
            let name = key.name().to_owned();
            let log = WitnessedLog { key, file, held: Mutex::new(Some(held)) };
            if known.insert(name.clone(), log).is_some() {
                return Err(KeeperError::Twice(name));
            }
        }
        Ok(Arc::new(Self { cosigner, clock, logs: known, _lock: file }))
    }

    /// Judges a request, and keeps what it signs before it answers. Blocks on the disk.
    pub fn add_checkpoint(&self, body: &str) -> Verdict {
        let Some(request) = AddCheckpoint::read(body) else { return Verdict::Malformed };
        let Ok(note) = SignedNote::parse(&request.note) else { return Verdict::Malformed };
        let Ok(offered) = Checkpoint::read(note.text) else { return Verdict::Malformed };
        let Some(log) = self.logs.get(&offered.origin) else { return Verdict::UnknownLog };
        if note.verify(&log.key).is_err() {
            return Verdict::Unsigned;
        }
        if request.old > offered.size {
            return Verdict::Malformed;
        }
        let mut held = log.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, root) = match *held {
            Some(held) => held,
            // The last write failed, and may have got through all the same.
            None => match read_state(&log.file, log.key.name(), self.cosigner.public_key()) {
                Ok(read) => *held.insert(read),
                Err(error) => return not_kept(&log.file, &error),
            },
        };
        if request.old != size {
            return Verdict::OtherSize(size);
        }
        if offered.size == size && offered.root != root {
            tracing::error!(origin = offered.origin, size, "two trees of one size: the log shows two histories");
            return Verdict::OtherSize(size);
        }
        let proved = verify_consistency(size, &root, offered.size, &offered.root, &request.proof);
        if !proved && !Planted::CosignWithoutProof.is_planted() {
            tracing::warn!(origin = offered.origin, size, offered = offered.size, "a proof does not hold");
            return Verdict::NotProved;
        }
        let line = self.cosigner.cosign(note.text, self.seconds());
        // Only the log's own line is kept: what others signed is not this witness's to vouch for.
        let kept = format!("{}{line}", note.only_by(&log.key));
        *held = None;
        if let Err(error) = files::replace(&log.file, kept.as_bytes()) {
            return not_kept(&log.file, &error);
        }
        *held = Some((offered.size, offered.root));
        Verdict::Signed(line)
    }

    fn seconds(&self) -> u64 {
        u64::try_from(self.clock.now().as_micros() / 1_000_000).unwrap_or(0)
    }
}

fn not_kept(file: &Path, error: &dyn std::error::Error) -> Verdict {
    tracing::error!(%error, file = %file.display(), "nothing is signed: the state cannot be kept");
    Verdict::NotKept
}

/// A log's file: origins may hold characters that a file name may not.
fn state_file(origin: &str) -> String {
    let mut name = HEXLOWER.encode(&leaf_hash(origin.as_bytes()));
    name.truncate(24);
    name + ".checkpoint"
}

#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Nothing yet is a tree without entries.
fn read_state(file: &Path, origin: &str, key: &PublicKey) -> Result<(u64, Hash), StateError> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, empty_root())),
        read => read?,
    };
    let note = SignedNote::parse(&text)?;
    verify_cosignature(&note, key)?;
    let checkpoint = Checkpoint::read(note.text)?;
    if checkpoint.origin != origin {
        return Err(CheckpointError::OtherLog(checkpoint.origin).into());
    }
    Ok((checkpoint.size, checkpoint.root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{checkpoint::Signer, merkle::MerkleTree};

    struct Scene {
        log: Signer,
        tree: MerkleTree,
        directory: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let mut tree = MerkleTree::default();
            (0..20_u8).for_each(|n| tree.push(leaf_hash(&[n])));
            Self {
                log: Signer::from_seed("log.example/1", &[1; 32]).unwrap(),
                tree,
                directory: tempfile::tempdir().unwrap(),
            }
        }

        fn open(&self) -> Result<Arc<Keeper>, KeeperError> {
            let cosigner = Cosigner::from_seed("witness.example", &[2; 32]).unwrap();
            Keeper::open(self.directory.path(), cosigner, &[self.log.verifier_key()], Clock::system())
        }

        fn request(&self, old: u64, size: u64) -> AddCheckpoint {
            let note = self.log.sign(size, self.tree.root_at(size).unwrap());
            AddCheckpoint { old, proof: self.tree.consistency(old, size).unwrap_or_default(), note }
        }
    }

    #[test]
    fn each_answer_of_the_specification() {
        let scene = Scene::new();
        let witness = scene.open().unwrap();
        let ask = |request: &AddCheckpoint| witness.add_checkpoint(&request.write());
        assert_eq!(ask(&scene.request(3, 5)), Verdict::OtherSize(0));
        let Verdict::Signed(line) = ask(&scene.request(0, 5)) else { panic!("the first is signed") };
        let note = format!("{}{line}", scene.request(0, 5).note);
        assert!(verify_cosignature(&SignedNote::parse(&note).unwrap(), witness.cosigner.public_key()).is_ok());
        assert_eq!(ask(&scene.request(0, 9)), Verdict::OtherSize(5));
        assert_eq!(ask(&AddCheckpoint { old: 9, ..scene.request(5, 5) }), Verdict::Malformed);
        assert_eq!(witness.add_checkpoint("old 5\n"), Verdict::Malformed);
        // The same again is signed again; another tree of the same size is not.
        assert!(matches!(ask(&scene.request(5, 5)), Verdict::Signed(_)));
        let forked = AddCheckpoint { note: scene.log.sign(5, [9; 32]), ..scene.request(5, 5) };
        assert_eq!(ask(&forked), Verdict::OtherSize(5));
        let mut wrong = scene.request(5, 9);
        wrong.proof.reverse();
        assert_eq!(ask(&wrong), Verdict::NotProved);
        assert_eq!(ask(&AddCheckpoint { note: scene.log.sign(9, [9; 32]), ..scene.request(5, 9) }), Verdict::NotProved);
        assert!(matches!(ask(&scene.request(5, 9)), Verdict::Signed(_)));
        let stranger = Signer::from_seed("log.example/1", &[7; 32]).unwrap();
        let unsigned = AddCheckpoint { note: stranger.sign(9, scene.tree.root_at(9).unwrap()), ..scene.request(9, 9) };
        assert_eq!(ask(&unsigned), Verdict::Unsigned);
        let unknown = Signer::from_seed("log.example/2", &[1; 32]).unwrap().sign(9, [1; 32]);
        assert_eq!(ask(&AddCheckpoint { note: unknown, ..scene.request(9, 9) }), Verdict::UnknownLog);
    }

    #[test]
    fn what_was_signed_outlives_the_process_and_damage_is_noticed() {
        let scene = Scene::new();
        let witness = scene.open().unwrap();
        assert!(matches!(witness.add_checkpoint(&scene.request(0, 12).write()), Verdict::Signed(_)));
        assert!(matches!(scene.open(), Err(KeeperError::Locked(_))));
        drop(witness);
        let witness = scene.open().unwrap();
        assert_eq!(witness.add_checkpoint(&scene.request(0, 7).write()), Verdict::OtherSize(12));
        drop(witness);
        let file = scene.directory.path().join(state_file("log.example/1"));
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("\n12\n", "\n11\n", 1)).unwrap();
        assert!(matches!(scene.open(), Err(KeeperError::State(_))));
        assert!(matches!(
            Keeper::open(
                &scene.directory.path().join("none"),
                Cosigner::from_seed("w", &[2; 32]).unwrap(),
                &[],
                Clock::system()
            ),
            Err(KeeperError::Directory(..))
        ));
    }

    /// A signature whose keeping failed is not given; what is on disk decides afterwards.
    #[test]
    fn nothing_is_signed_that_cannot_be_kept() {
        let scene = Scene::new();
        let witness = scene.open().unwrap();
        let file = scene.directory.path().join(state_file("log.example/1"));
        // A directory in the place of the staged file: it cannot be written.
        let staged = format!("{}.new", file.display());
        fs::create_dir(&staged).unwrap();
        assert_eq!(witness.add_checkpoint(&scene.request(0, 5).write()), Verdict::NotKept);
        fs::remove_dir(&staged).unwrap();
        assert!(matches!(witness.add_checkpoint(&scene.request(0, 6).write()), Verdict::Signed(_)));
    }
}
