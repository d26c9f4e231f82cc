//! Publishes checkpoints: every few seconds the head of the tree is signed and sent to every witness, each by itself, so
//! that a slow or dead one holds up neither the others nor any answer of the gateway.

use std::{
    io,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use super::{
    board::{BoardError, SetBack},
    client::{Unreached, WitnessAnswer, WitnessClient},
    leaves,
};
use crate::{
    gateway::Gateway,
    ledger::{
        checkpoint::{Checkpoint, CheckpointError, PublicKey, SignedNote},
        cosignature::verify_cosignature,
        merkle::Hash,
        note::KeyKind,
    },
    witness::request::AddCheckpoint,
};

/// A log that does not grow is signed again this often: the witnesses' time says that it is still the newest.
const QUIET: Duration = Duration::from_secs(60);
/// A witness's size is asked for once; a third try means that somebody else submits this log, too.
const TRIES: usize = 3;

/// Why checkpoints cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("ledger.witnesses: {0}: not the public key of a witness, or named twice")]
    Key(String),
    #[error("ledger.certificate and ledger.key are needed towards the witnesses")]
    NoCertificate,
    #[error("ledger.witnesses: {0}")]
    Client(#[from] Unreached),
    #[error("--accept-rollback {accepted}: the ledger has {own} entries. Nothing was accepted")]
    OtherSize { own: u64, accepted: u64 },
    #[error("the accepted rollback could not be written to the ledger")]
    NotWritten,
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// A witness as the gateway knows it.
pub(super) struct WitnessPeer {
    pub(super) key: PublicKey,
    client: WitnessClient,
    /// Size of the tree that it signed last, as far as is known.
    last: AtomicU64,
    /// Whether it has signed since the start: from then on the tree in memory is known to hold what it signed.
    met: AtomicBool,
}

/// A signed head of the tree.
pub(super) struct SignedHead {
    checkpoint: Checkpoint,
    note: String,
}

/// What came of a submission.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SubmissionOutcome {
    Signed,
    /// The witness has signed a larger tree.
    Behind(u64),
    /// The tree that the witness signed is not the beginning of this one.
    Disagrees(u64),
    Refused(StatusCode),
}

/// Publishes the checkpoints of one gateway.
pub struct Publisher {
    gateway: Arc<Gateway>,
    peers: Vec<Arc<WitnessPeer>>,
    accepted: AtomicBool,
}

impl Publisher {
    /// # Errors
    /// The configuration of a witness is not valid.
    pub fn new(gateway: &Arc<Gateway>) -> Result<Self, PublishError> {
        let config = &gateway.config.ledger;
        let mut peers: Vec<Arc<WitnessPeer>> = Vec::new();
        for witness in &config.witnesses {
            let wrong = || PublishError::Key(witness.key.clone());
            let key = PublicKey::parse(&witness.key).map_err(|_: CheckpointError| wrong())?;
            let twice = peers.iter().any(|peer| peer.key.is_same_key(&key) || peer.key.name() == key.name());
            if key.kind() != KeyKind::Witness || twice {
                return Err(wrong());
            }
            let (Some(certificate), Some(own)) = (&config.certificate, &config.key) else {
                return Err(PublishError::NoCertificate);
            };
            let ca = witness.ca.as_ref().unwrap_or(&gateway.config.tls.client_ca);
            let patience = Duration::from_secs(config.witness_seconds.max(1));
            let client = WitnessClient::new(&witness.url, ca, certificate, own, patience)?;
            gateway.witnessed.expect(key.name());
            peers.push(Arc::new(WitnessPeer { key, client, last: AtomicU64::new(0), met: AtomicBool::new(false) }));
        }
        if !peers.is_empty() && gateway.config.witnessed_file().is_none() {
            tracing::warn!("ledger.witnessed names no file: a database that was set back is noticed only by asking");
        }
        Ok(Self { gateway: gateway.clone(), peers, accepted: AtomicBool::new(false) })
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(super) fn peers(&self) -> &[Arc<WitnessPeer>] {
        &self.peers
    }

    pub(super) fn accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn set_accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    pub(super) fn head(&self) -> SignedHead {
        let frontier = self.gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner).frontier();
        let (size, root) = frontier.head();
        let origin = self.gateway.signer.origin().to_owned();
        SignedHead { checkpoint: Checkpoint { origin, size, root }, note: self.gateway.signer.sign(size, root) }
    }

    /// Publishes until the server stops.
    pub async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let (announce, announced) = watch::channel(None);
        let mut asking = JoinSet::new();
        for peer in &self.peers {
            asking.spawn(self.clone().keep_asking(peer.clone(), announced.clone()));
        }
        let every = Duration::from_secs(self.gateway.config.ledger.publish_seconds.max(1));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut in_file = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stopped.wait_for(|stop| *stop) => break,
            }
            // A gateway that is held publishes nothing: what it has may be the wrong history.
            if self.gateway.witnessed.held().is_some() {
                continue;
            }
            let head = Arc::new(self.head());
            in_file = self.follow_leaves(in_file, head.checkpoint.size).await;
            announce.send_replace(Some(head));
        }
        asking.shutdown().await;
    }

    async fn follow_leaves(&self, in_file: u64, size: u64) -> u64 {
        let Some(path) = self.gateway.config.leaves_file().filter(|_| in_file != size || size == 0) else {
            return in_file;
        };
        let gateway = self.gateway.clone();
        let written = tokio::task::spawn_blocking(move || -> io::Result<u64> {
            let mut from = in_file;
            let memory = gateway.journal.memory();
            leaves::follow(&path, &mut from, size, |range| -> Vec<Hash> {
                let tree = memory.tree.read().unwrap_or_else(PoisonError::into_inner);
                let (first, count) = (usize::try_from(range.start), usize::try_from(range.end - range.start));
                let (first, count) = (first.unwrap_or(usize::MAX), count.unwrap_or(0));
                tree.leaves().iter().skip(first).take(count).copied().collect()
            })?;
            Ok(from)
        });
        match written.await {
            Ok(Ok(from)) => from,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the file of the entries' hashes cannot be written");
                0
            }
            Err(_) => 0,
        }
    }

    /// One witness: whatever was announced last is what it is asked to sign next.
    async fn keep_asking(
        self: Arc<Self>,
        peer: Arc<WitnessPeer>,
        mut announced: watch::Receiver<Option<Arc<SignedHead>>>,
    ) {
        let mut signed_at: Option<Instant> = None;
        while announced.changed().await.is_ok() {
            let Some(head) = announced.borrow_and_update().clone() else { continue };
            let is_signed = peer.last.load(Ordering::Relaxed) == head.checkpoint.size;
            if is_signed && signed_at.is_some_and(|at| at.elapsed() < QUIET) {
                continue;
            }
            let answer = self.submit(&peer, &head).await;
            if matches!(answer, Ok(SubmissionOutcome::Signed)) {
                signed_at = Some(Instant::now());
                self.keep_board().await;
            }
            let first = !peer.met.load(Ordering::Relaxed);
            if let Some(found) = self.judge(&peer, &head, answer) {
                // Until it has signed once, what it says may be news of a database that was set back. Afterwards the
                // tree, which only grows, is known to hold what it signed: then the fault is outside this process.
                if first {
                    self.hold(found);
                } else {
                    self.gateway.witnessed.disagrees(peer.key.name());
                }
            }
        }
    }

    async fn keep_board(&self) {
        let gateway = self.gateway.clone();
        let kept = tokio::task::spawn_blocking(move || gateway.witnessed.keep()).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "the witnessed checkpoints cannot be kept");
        }
    }

    /// Says in the log what came of it, and whether it contradicts the ledger.
    pub(super) fn judge(
        &self,
        peer: &WitnessPeer,
        head: &SignedHead,
        answer: Result<SubmissionOutcome, Unreached>,
    ) -> Option<SetBack> {
        let (witness, size) = (peer.key.name(), head.checkpoint.size);
        match answer {
            Ok(SubmissionOutcome::Signed) => None,
            Ok(SubmissionOutcome::Refused(status)) => {
                tracing::warn!(witness, %status, "the witness does not sign: does it know this log and its key?");
                None
            }
            Ok(outcome) => {
                tracing::error!(witness, size, ?outcome, "a witness contradicts the ledger");
                Self::set_back(size, witness, &outcome)
            }
            Err(error) => {
                tracing::warn!(witness, %error, "the witness cannot be reached");
                None
            }
        }
    }

    /// Asks a witness to sign a head, with the proof from the tree that it signed last.
    pub(super) async fn submit(&self, peer: &WitnessPeer, head: &SignedHead) -> Result<SubmissionOutcome, Unreached> {
        let size = head.checkpoint.size;
        let mut old = peer.last.load(Ordering::Relaxed);
        for _ in 0..TRIES {
            let proof = {
                let tree = self.gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner);
                tree.consistency(old, size)
            };
            let Some(proof) = proof else { return Ok(SubmissionOutcome::Behind(old)) };
            match peer.client.add_checkpoint(&AddCheckpoint { old, proof, note: head.note.clone() }).await? {
                WitnessAnswer::Signed(lines) => {
                    self.post(peer, head, &lines)?;
                    return Ok(SubmissionOutcome::Signed);
                }
                WitnessAnswer::OtherSize(held) if held > size => return Ok(SubmissionOutcome::Behind(held)),
                WitnessAnswer::OtherSize(held) if held == old => return Ok(SubmissionOutcome::Disagrees(held)),
                WitnessAnswer::OtherSize(held) => old = held,
                WitnessAnswer::NotProved => return Ok(SubmissionOutcome::Disagrees(old)),
                WitnessAnswer::Refused(status) => return Ok(SubmissionOutcome::Refused(status)),
            }
        }
        Err(Unreached::Form)
    }

    /// Verifies a witness's signature, and puts it on the board.
    fn post(&self, peer: &WitnessPeer, head: &SignedHead, lines: &str) -> Result<(), Unreached> {
        let signed = format!("{}{lines}", head.note);
        let note = SignedNote::parse(&signed).map_err(|_| Unreached::Form)?;
        // With a blank line among them, lines would be signatures of another text.
        if SignedNote::parse(&head.note).map(|own| own.text) != Ok(note.text) {
            return Err(Unreached::Form);
        }
        verify_cosignature(&note, &peer.key).map_err(|_| Unreached::Form)?;
        let line = note.lines_by(&peer.key);
        self.gateway.witnessed.add(&head.checkpoint, &head.note, peer.key.name(), line);
        peer.last.store(head.checkpoint.size, Ordering::Relaxed);
        peer.met.store(true, Ordering::Relaxed);
        Ok(())
    }
}
