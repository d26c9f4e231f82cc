//! Tries with what a person signs in with: each counts as wrong before it is known whether it is right.
//!
//! So tries that come at once, at one node or at several, are no more than those that come one after the other.

use std::sync::Arc;

use crate::{
    domain::{idempotency::Idempotency, two_persons::StaffId},
    error::{AccountError, Error},
    gateway::Gateway,
    identity::{Caller, session::SignInLock},
    journal::journal::{Declined, Effect},
    ledger::entry::{Act, Entry},
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// A try of a person's at a terminal.
pub(super) struct Try {
    of: StaffId,
    terminal: String,
    /// Who is named in its entries.
    claimed: Caller,
}

impl Try {
    /// Counts a try as wrong. Whoever turns out to be right forgets it.
    ///
    /// # Errors
    /// [`AccountError::SignInLocked`], with its entry.
    pub(super) async fn count(
        gateway: &Arc<Gateway>,
        (claimed, of, act): (Caller, StaffId, Act),
    ) -> Result<Self, Error> {
        let counted = Self { of, terminal: claimed.terminal().to_owned(), claimed };
        let (of, terminal, now) = (counted.of.clone(), counted.terminal.clone(), gateway.clock.now());
        let entry = Entry::of(&counted.claimed, act, &gateway.clock);
        counted
            .write(gateway, move |tx| {
                Box::pin(async move {
                    let before = store::sign_in_locks::find(tx, &terminal, &of).await?;
                    if let Some(retry_after_seconds) = before.and_then(|lock| lock.seconds_left(now)) {
                        let error = Error::from(AccountError::SignInLocked { retry_after_seconds });
                        return Err(Declined::from(error).logged(|| entry));
                    }
                    if !Planted::CountAfterHash.is_planted() {
                        put(tx, (&terminal, &of), SignInLock::after(before, now)).await?;
                    }
                    Ok(Effect::bare(()))
                })
            })
            .await?;
        Ok(counted)
    }

    /// The password was right, and nothing was tried beside it: the try does not count, unless another came since.
    ///
    /// # Errors
    /// The journal cannot write.
    pub(super) async fn take_back(self, gateway: &Arc<Gateway>) -> Result<(), Error> {
        let (of, terminal) = (self.of.clone(), self.terminal.clone());
        self.write(gateway, move |tx| {
            Box::pin(async move {
                match store::sign_in_locks::find(tx, &terminal, &of).await?.map(SignInLock::taken_back) {
                    Some(Some(before)) => put(tx, (&terminal, &of), before).await?,
                    Some(None) => {
                        store::sign_in_locks::forget(tx, Some(&terminal), &of).await?;
                    }
                    None => {}
                }
                Ok(Effect::bare(()))
            })
        })
        .await
    }

    /// It was wrong: it is counted already.
    ///
    /// # Errors
    /// The journal cannot write.
    pub(super) async fn stays(self, gateway: &Arc<Gateway>) -> Result<(), Error> {
        if !Planted::CountAfterHash.is_planted() {
            return Ok(());
        }
        let (of, terminal, now) = (self.of.clone(), self.terminal.clone(), gateway.clock.now());
        self.write(gateway, move |tx| {
            Box::pin(async move {
                let before = store::sign_in_locks::find(tx, &terminal, &of).await?;
                put(tx, (&terminal, &of), SignInLock::after(before, now)).await?;
                Ok(Effect::bare(()))
            })
        })
        .await
    }

    async fn write<F>(&self, gateway: &Arc<Gateway>, effect: F) -> Result<(), Error>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> futures_util::future::BoxFuture<'t, Result<Effect<()>, Declined>>
            + Send
            + 'static,
    {
        gateway.journal.write(&self.claimed, None::<Idempotency>, effect).await.map(|_| ())
    }
}

async fn put(tx: &mut Tx, (terminal, of): (&str, &StaffId), lock: SignInLock) -> Result<(), StoreError> {
    if Planted::NeverLock.is_planted() {
        return Ok(());
    }
    store::sign_in_locks::put(tx, terminal, of, lock).await
}
