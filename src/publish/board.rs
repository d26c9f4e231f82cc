//! What witnesses have signed: the newest checkpoints with their signatures, in memory and in a file beside the
//! database, so that a database that was set back does not take it along.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    files,
    ledger::{
        checkpoint::{Checkpoint, CheckpointError, PublicKey, SignedNote},
        cosignature::verify_cosignature,
    },
};

/// How the ledger contradicts what was witnessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetBack {
    /// A larger tree was witnessed than the ledger holds.
    Behind { own: u64, witnessed: u64, by: String },
    /// The tree that was witnessed is not the beginning of this one.
    Rewritten { own: u64, witnessed: u64, by: String },
    /// The file of witnessed checkpoints cannot be believed.
    File { own: u64, what: String },
}

impl SetBack {
    pub(super) fn own(&self) -> u64 {
        match self {
            Self::Behind { own, .. } | Self::Rewritten { own, .. } | Self::File { own, .. } => *own,
        }
    }

    /// For the ledger: sizes and who witnessed, in one line.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Behind { own, witnessed, by } => format!("size {own} behind {witnessed} witnessed by {by}"),
            Self::Rewritten { own, witnessed, by } => format!("size {own} without {witnessed} witnessed by {by}"),
            Self::File { own, what } => format!("size {own}: {what}"),
        }
    }

    pub(super) fn log(&self) {
        let own = self.own();
        match self {
            Self::Behind { witnessed, by, .. } => tracing::error!(
                own,
                witnessed,
                by,
                "記録簿が証人の確認した大きさより小さくなっています（古い控えからの復元等）。業務を開始しません / \
                 the ledger is smaller than what was witnessed (an older copy was restored?): nothing is served. \
                 See docs/ledger.md; to go on, start once with --accept-rollback {own}"
            ),
            Self::Rewritten { witnessed, by, .. } => tracing::error!(
                own,
                witnessed,
                by,
                "記録簿が証人の確認した内容と一致しません（書き換え等）。業務を開始しません / \
                 the ledger does not contain what was witnessed (it was rewritten?): nothing is served. \
                 See docs/ledger.md; to go on, start once with --accept-rollback {own}"
            ),
            Self::File { what, .. } => tracing::error!(
                own,
                what,
                "証人の確認したチェックポイントの控えを信用できません。業務を開始しません / \
                 the file of witnessed checkpoints cannot be believed: nothing is served. \
                 See docs/ledger.md; to go on, start once with --accept-rollback {own}"
            ),
        }
    }
}

/// A checkpoint and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    pub checkpoint: Checkpoint,
    /// The log's note, and behind it a line of each witness.
    note: String,
    /// Lines by the witness's name.
    lines: BTreeMap<String, String>,
}

impl Witnessed {
    /// The note with every signature.
    pub fn note(&self) -> String {
        self.lines.values().fold(self.note.clone(), |note, line| note + line)
    }

    pub fn signatures(&self) -> usize {
        self.lines.len()
    }
}

/// How far a witness is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WitnessProgress {
    /// Size of the tree that it signed last; `None` before its first signature since the start.
    pub size: Option<u64>,
    /// It holds a tree that this log does not contain: somebody rewrote the log, or it is wrong.
    pub disagrees: bool,
}

#[derive(Default)]
struct BoardState {
    /// Newest first: the newest with any signature, and further back those with more.
    checkpoints: Vec<Witnessed>,
    marks: BTreeMap<String, WitnessProgress>,
    held: Option<SetBack>,
}

impl BoardState {
    /// Adds signatures, and forgets checkpoints that tell nothing more: those that are neither among the newest, for a
    /// slower witness may still sign them, nor signed by more witnesses than every newer one.
    fn put(&mut self, checkpoint: &Checkpoint, note: &str, lines: BTreeMap<String, String>) {
        match self.checkpoints.iter_mut().find(|known| known.checkpoint == *checkpoint) {
            Some(known) => known.lines.extend(lines),
            None => {
                self.checkpoints.push(Witnessed { checkpoint: checkpoint.clone(), note: note.to_owned(), lines });
            }
        }
        self.checkpoints.sort_by_key(|witnessed| std::cmp::Reverse(witnessed.checkpoint.size));
        let (mut max_signatures, mut newer) = (0, 0);
        self.checkpoints.retain(|witnessed| {
            let stays = witnessed.signatures() > max_signatures || newer < NEWEST;
            max_signatures = max_signatures.max(witnessed.signatures());
            newer += 1;
            stays
        });
    }
}

/// Checkpoints that a slower witness may still sign.
const NEWEST: usize = 16;

/// The board of one log.
#[derive(Default)]
pub struct Board {
    file: Option<PathBuf>,
    state: Mutex<BoardState>,
    /// Taken while the file is written, so that an older state does not replace a newer one.
    writing: Mutex<()>,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Notes with every signature, newest first.
    checkpoints: Vec<String>,
}

/// The notes of a text: one note, or the file of a board.
pub fn notes_of(text: &str) -> Vec<String> {
    match serde_json::from_str::<Kept>(text) {
        Ok(kept) => kept.checkpoints,
        // An extra blank line, as a shell adds one, makes no other note.
        Err(_) => vec![format!("{}\n", text.trim_end())],
    }
}

/// Why the file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}: not the witnessed checkpoints of a log: {1}")]
    Form(PathBuf, String),
}

impl Board {
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, ..Self::default() }
    }

    /// Names a witness that has not signed yet.
    pub(super) fn expect(&self, witness: &str) {
        self.state().marks.insert(witness.to_owned(), WitnessProgress::default());
    }

    fn state(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest checkpoint that at least so many witnesses signed.
    pub fn newest(&self, signatures: usize) -> Option<Witnessed> {
        let state = self.state();
        state.checkpoints.iter().find(|witnessed| witnessed.signatures() >= signatures.max(1)).cloned()
    }

    /// The newest checkpoints, newest first.
    pub fn checkpoints(&self) -> Vec<Witnessed> {
        self.state().checkpoints.clone()
    }

    /// Each witness, and how far it is.
    pub fn marks(&self) -> Vec<(String, WitnessProgress)> {
        self.state().marks.iter().map(|(name, mark)| (name.clone(), *mark)).collect()
    }

    /// Why the gateway does not serve, where it does not.
    pub fn held(&self) -> Option<SetBack> {
        self.state().held.clone()
    }

    pub(super) fn hold(&self, why: SetBack) {
        self.state().held.get_or_insert(why);
    }

    pub(super) fn disagrees(&self, witness: &str) {
        self.state().marks.entry(witness.to_owned()).or_default().disagrees = true;
    }

    /// Puts a verified signature to its checkpoint.
    pub(super) fn add(&self, checkpoint: &Checkpoint, note: &str, witness: &str, line: String) {
        let mut state = self.state();
        state.marks.insert(witness.to_owned(), WitnessProgress { size: Some(checkpoint.size), disagrees: false });
        state.put(checkpoint, note, BTreeMap::from([(witness.to_owned(), line)]));
    }

    /// Writes the file. Blocks on the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn keep(&self) -> Result<(), BoardError> {
        let Some(file) = &self.file else { return Ok(()) };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Kept { checkpoints: self.checkpoints().iter().map(Witnessed::note).collect() };
        let text = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        files::replace(file, &text).map_err(|error| BoardError::File(file.clone(), error))
    }

    /// Reads the notes of the file; nothing in them is verified yet.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn kept(&self) -> Result<Vec<String>, BoardError> {
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|error| BoardError::File(file.clone(), error))?,
        };
        let kept: Kept =
            serde_json::from_str(&text).map_err(|error| BoardError::Form(file.clone(), error.to_string()))?;
        Ok(kept.checkpoints)
    }

    /// Takes a note of the file back in, with the signatures of witnesses that are still known.
    pub(super) fn take_back(
        &self,
        note: &str,
        log: &PublicKey,
        witnesses: &[PublicKey],
    ) -> Result<(), CheckpointError> {
        let checkpoint = Checkpoint::verify(note, log)?;
        let parsed = SignedNote::parse(note)?;
        let signed = witnesses.iter().filter(|witness| verify_cosignature(&parsed, witness).is_ok());
        let lines: BTreeMap<_, _> = signed.map(|key| (key.name().to_owned(), parsed.lines_by(key))).collect();
        if !lines.is_empty() {
            self.state().put(&checkpoint, &parsed.only_by(log), lines);
        }
        Ok(())
    }

    /// Moves the file aside, as evidence of what was witnessed before a rollback that an operator accepted.
    pub(super) fn set_aside(&self, size: u64) -> Result<(), BoardError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut aside = file.as_os_str().to_owned();
        aside.push(format!(".before-rollback-to-{size}"));
        match fs::rename(file, PathBuf::from(&aside)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BoardError::File(file.clone(), error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{checkpoint::Signer, cosignature::Cosigner};

    #[test]
    fn the_newest_is_kept_and_the_newest_with_more_signatures_too() {
        let directory = tempfile::tempdir().unwrap();
        let log = Signer::from_seed("log.example", &[1; 32]).unwrap();
        let witnesses: Vec<Cosigner> =
            (2..4).map(|n| Cosigner::from_seed(&format!("w/{n}"), &[n; 32]).unwrap()).collect();
        let keys: Vec<PublicKey> = witnesses.iter().map(|w| w.public_key().clone()).collect();
        let board = || Board::new(Some(directory.path().join("witnessed")));
        let first = board();
        let sign = |board: &Board, size: u64, witness: usize| {
            let note = log.sign(size, [9; 32]);
            let parsed = SignedNote::parse(&note).unwrap();
            let line = witnesses[witness].cosign(parsed.text, 5);
            board.add(&Checkpoint::read(parsed.text).unwrap(), &note, keys[witness].name(), line);
        };
        for (size, witness) in [(5, 0), (5, 1), (7, 0), (9, 0)] {
            sign(&first, size, witness);
        }
        let sizes = |board: &Board| [1, 2, 3].map(|n| board.newest(n).map(|w| w.checkpoint.size));
        assert_eq!(sizes(&first), [Some(9), Some(5), None]);
        // A slower one signs what the other has left behind already.
        for (size, witness) in [(11, 0), (9, 1)] {
            sign(&first, size, witness);
        }
        assert_eq!(sizes(&first), [Some(11), Some(9), None]);
        for size in 12..40 {
            sign(&first, size, 0);
        }
        assert_eq!(sizes(&first), [Some(39), Some(9), None]);
        assert_eq!(first.checkpoints().len(), NEWEST + 1);
        first.keep().unwrap();
        let second = board();
        for note in second.kept().unwrap() {
            second.take_back(&note, log.public_key(), &keys).unwrap();
        }
        assert_eq!(second.checkpoints(), first.checkpoints());
        assert_eq!(second.newest(2).unwrap().note().lines().count(), 7);
    }
}
