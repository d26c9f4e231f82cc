//! Whether this gateway's ledger has been set back or rewritten behind what was witnessed.
//!
//! A database restored from an old copy is in itself without a fault: entries, root and head agree. Only those who saw
//! the later tree can tell. They are the file beside the database, and the witnesses themselves.

use std::sync::PoisonError;

use super::{
    board::BoardError,
    publisher::{PublishError, Publisher, SubmissionOutcome},
};
use crate::{
    gateway::Gateway,
    ledger::{
        checkpoint::{Checkpoint, SignedNote},
        entry::{Act, Entry},
    },
    publish::board::SetBack,
};

impl Publisher {
    /// Compares the ledger with the file of witnessed checkpoints and with every witness that can be reached. Where they
    /// contradict it, nothing is served until an operator accepts that, naming the exact size.
    ///
    /// # Errors
    /// The acceptance names another size, or cannot be written to the ledger.
    pub async fn examine(&self) -> Result<(), PublishError> {
        let gateway = self.gateway();
        let found = match against_file(gateway) {
            // A witness that is behind too must not be led to sign a second history.
            Some(found) => Some(found),
            None => self.against_witnesses().await,
        };
        let accepted = gateway.config.ledger.accept_rollback;
        match (found, accepted) {
            (None, None) => {}
            (None, Some(_)) => tracing::warn!("--accept-rollback: there is nothing to accept"),
            (Some(found), None) => self.hold(found),
            (Some(found), Some(size)) if size != found.own() => {
                found.log();
                return Err(PublishError::OtherSize { own: found.own(), accepted: size });
            }
            (Some(found), Some(_)) => self.accept(&found).await?,
        }
        self.take_back();
        Ok(())
    }

    /// Serves nothing: the journal writes nothing more, and so nothing is disclosed.
    pub(super) fn hold(&self, found: SetBack) {
        if self.accepted() {
            return;
        }
        found.log();
        self.gateway().journal.condemn();
        self.gateway().witnessed.hold(found);
    }

    async fn accept(&self, found: &SetBack) -> Result<(), PublishError> {
        let gateway = self.gateway();
        found.log();
        let entry = Entry::of_gateway(Act::RollbackAccept, &gateway.clock).about(found.subject());
        gateway.journal.note(vec![entry.into()], Vec::new()).await.map_err(|_| PublishError::NotWritten)?;
        gateway.witnessed.set_aside(found.own())?;
        self.set_accepted();
        tracing::warn!(
            size = found.own(),
            "巻き戻しが運用者により承認され、記録簿に記録されました。log_origin を新しくしてください / \
             the rollback was accepted by the operator and is in the ledger. Give the log a new log_origin: the \
             witnesses will not sign this one any more"
        );
        Ok(())
    }

    async fn against_witnesses(&self) -> Option<SetBack> {
        let head = self.head();
        let asked = self.peers().iter().map(|peer| self.submit(peer, &head));
        let answers = futures_util::future::join_all(asked).await;
        let mut found = None;
        for (peer, answer) in self.peers().iter().zip(answers) {
            found = found.or(self.judge(peer, &head, answer));
        }
        found
    }

    /// What an answer means for the gateway.
    pub(super) fn set_back(own: u64, by: &str, outcome: &SubmissionOutcome) -> Option<SetBack> {
        let by = by.to_owned();
        match outcome {
            SubmissionOutcome::Behind(witnessed) => Some(SetBack::Behind { own, witnessed: *witnessed, by }),
            SubmissionOutcome::Disagrees(witnessed) => Some(SetBack::Rewritten { own, witnessed: *witnessed, by }),
            SubmissionOutcome::Signed | SubmissionOutcome::Refused(_) => None,
        }
    }

    /// Takes the checkpoints of the file back in, those of this origin.
    fn take_back(&self) {
        let gateway = self.gateway();
        let keys: Vec<_> = self.peers().iter().map(|peer| peer.key.clone()).collect();
        for note in gateway.witnessed.kept().unwrap_or_default() {
            if let Err(error) = gateway.witnessed.take_back(&note, gateway.signer.public_key(), &keys) {
                tracing::warn!(%error, "a witnessed checkpoint of the file is of another log or key; it is left out");
            }
        }
    }
}

/// The file may be of an earlier origin of this log: the key tells that it is this node's.
fn against_file(gateway: &Gateway) -> Option<SetBack> {
    let tree = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner);
    let own = tree.size();
    let unbelievable = |what: String| Some(SetBack::File { own, what });
    let notes = match gateway.witnessed.kept() {
        Ok(notes) => notes,
        Err(error @ (BoardError::File(..) | BoardError::Form(..))) => return unbelievable(error.to_string()),
    };
    for note in notes {
        let origin = SignedNote::parse(&note).and_then(|note| Checkpoint::read(note.text)).map(|read| read.origin);
        let key = origin.ok().and_then(|origin| gateway.signer.public_key().named(&origin));
        let Some(Ok(checkpoint)) = key.map(|key| Checkpoint::verify(&note, &key)) else {
            return unbelievable("it is not signed by this log's key".to_owned());
        };
        let (witnessed, by) = (checkpoint.size, "the file beside the database".to_owned());
        match tree.root_at(witnessed) {
            None => return Some(SetBack::Behind { own, witnessed, by }),
            Some(root) if root != checkpoint.root => return Some(SetBack::Rewritten { own, witnessed, by }),
            Some(_) => {}
        }
    }
    None
}
