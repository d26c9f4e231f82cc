//! Rotates keys while requests go on: new prefecture keys under the current master key, every record's key wrapped with
//! them, and what nothing refers to any more destroyed.
//!
//! A pass over the records is a row in the database. It goes on where it was after a stop, and ends only once no row
//! of any record names an older key: that is asked of the rows, not of the pass.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::OrganizationCode,
        sharp_act::{SharpAct, SharpKind, WaitingAct, WaitingState},
    },
    error::{Error, ServiceError, SharpError},
    gateway::Gateway,
    identity::{Caller, sharp::SharpCaller},
    journal::{
        journal::{Declined, Effect},
        memory::Change,
    },
    keys::{
        keyring::Keyring,
        vault::{CENTRAL, NewKey, ROWS, WrappedKey},
    },
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out},
    store::{self, error::StoreError, rewraps::Rewrap, tx::Tx},
};

/// Records in one effect of the journal: requests wait for no more than these.
const BATCH: i64 = 64;
/// How often progress is logged, in records looked at.
const LOGGED_EVERY: u64 = 100_000;
/// After which a pass goes on where the journal could not write.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the node looks for a pass of which nobody told it.
const LOOKS_EVERY: Duration = Duration::from_secs(30);
/// How long a prefecture key that nothing refers to stays in memory: a request that read a row before has ended by then.
const LINGERS: Duration = Duration::from_secs(60);

/// What keys there are, and how far a pass is.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct KeysView {
    /// Generation of the master key that wraps new keys.
    pub master: u32,
    /// Generations of every master key in the keyring.
    pub masters: Vec<u32>,
    /// Generations of master keys to which keys in the database refer.
    pub masters_needed: Vec<u32>,
    /// Generations of master keys without which the stream of backups cannot be read; they are not retired.
    #[serde(default)]
    pub masters_of_stream: Vec<u32>,
    /// The newest pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrap: Option<RewrapView>,
}

/// A pass in which records' keys are wrapped anew.
#[derive(Clone, Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct RewrapView {
    pub rewrap: Uuid,
    pub master: u32,
    pub asked_by: String,
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Records whose key was wrapped anew.
    pub wrapped: u64,
    /// Records that may still have to be.
    pub left: u64,
}

impl RewrapView {
    fn of(rewrap: &Rewrap, left: u64) -> Self {
        Self {
            rewrap: rewrap.id,
            master: rewrap.master_generation,
            asked_by: rewrap.asked_by.clone(),
            started_at: rewrap.started_at.to_rfc3339(),
            finished_at: rewrap.finished_at.map(Timestamp::to_rfc3339),
            wrapped: rewrap.wrapped,
            left,
        }
    }
}

/// Returns what keys there are, and how far a pass is.
///
/// # Errors
/// The database failed.
pub async fn view_keys(gateway: &Gateway, _caller: &Caller) -> Result<Done<KeysView>, Error> {
    Ok(Done::told(keys_view(gateway).await?))
}

async fn keys_view(gateway: &Gateway) -> Result<KeysView, Error> {
    let mut tx = gateway.store.read().await?;
    let newest = store::rewraps::newest(&mut tx).await?;
    let rewrap = match newest {
        Some(rewrap) => {
            let left = match rewrap.finished_at {
                Some(_) => 0,
                None => store::rewraps::count_after(&mut tx, rewrap.after_record).await?,
            };
            Some(RewrapView::of(&rewrap, left))
        }
        None => None,
    };
    let needed = store::rewraps::generations(&mut tx).await?.into_iter().map(|(_, _, master)| master);
    drop(tx);
    let masters_of_stream = match gateway.config.backup.stream.clone() {
        Some(stream) => {
            blocking(move || {
                crate::node::backup::masters(&stream).map_err(|error| StoreError::Stream(error.to_string()))
            })
            .await?
        }
        None => BTreeSet::new(),
    };
    let keyring = gateway.vault.keyring();
    Ok(KeysView {
        master: keyring.current(),
        masters: keyring.generations(),
        masters_needed: needed.collect::<BTreeSet<_>>().into_iter().collect(),
        masters_of_stream: masters_of_stream.into_iter().collect(),
        rewrap,
    })
}

/// A pass is to begin.
pub struct BeginRewrap {
    pub idempotency: Idempotency,
}

/// Reads the keyring file again, wraps the prefectures' keys with its current master key, gives every prefecture a new
/// key, and begins to wrap every record's key with it.
///
/// # Errors
/// [`ServiceError::RewrapRunning`]; the keyring or its token is not available, and nothing was changed.
pub async fn begin_rewrap(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    BeginRewrap { idempotency }: BeginRewrap,
) -> Result<Done<RewrapView>, Error> {
    let mut tx = gateway.store.read().await?;
    let generations = store::rewraps::generations(&mut tx).await?;
    // Before the journal: nobody waits while millions are counted.
    let left = store::rewraps::count_after(&mut tx, Uuid::nil()).await?;
    drop(tx);
    if generations.iter().any(|(prefecture, generation, _)| !gateway.vault.knows(prefecture, *generation)) {
        reload(gateway).await?;
    }
    // The key of rows has one generation: with another every mark would be another's.
    let places = generations.into_iter().map(|(prefecture, ..)| prefecture);
    let known: BTreeSet<String> = places.filter(|place| place != ROWS).collect();
    let (path, vault) = (gateway.config.keyring.clone(), gateway.vault.clone());
    // Before the journal: a token may take its time, and nobody else waits for it.
    let prepared = blocking(move || {
        let keyring = Keyring::load(&path)?;
        let wrapped = vault.wrapped_by(&keyring)?;
        let made = vault.make_generations(&keyring, &known.into_iter().collect::<Vec<_>>())?;
        Ok(NewKeys { master: keyring.current(), wrapped, made })
    });
    let keys = prepared.await?;
    let acting = Acting::new(gateway, caller, Act::KeysRotate);
    let done = carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move { begin_pass(tx, &acting, keys, left).await })
    });
    let done = done.await?;
    reload(gateway).await?;
    gateway.vault.rewrapping.wanted.notify_one();
    Ok(done)
}

/// Prefecture keys as a pass begins with them.
struct NewKeys {
    /// Generation of the master key that wraps them.
    master: u32,
    /// Those that there are, wrapped anew.
    wrapped: Vec<WrappedKey>,
    made: Vec<NewKey>,
}

async fn begin_pass(
    tx: &mut Tx,
    acting: &Acting,
    NewKeys { master, wrapped, made }: NewKeys,
    left: u64,
) -> Result<Effect<RewrapView>, Declined> {
    let newest = store::rewraps::newest(tx).await?;
    if newest.is_some_and(|rewrap| rewrap.finished_at.is_none()) {
        return Err(acting.declined(None, ServiceError::RewrapRunning));
    }
    for key in &wrapped {
        store::accounts::rewrap_prefecture_key(tx, key).await?;
    }
    // Where another node was faster, everything is prepared again from what is there now.
    for key in &made {
        store::accounts::add_prefecture_key(tx, &key.wrapped).await?;
    }
    let rewrap = Rewrap {
        id: acting.node.clock.new_id(),
        master_generation: master,
        asked_by: acting.caller.officer().to_owned(),
        started_at: acting.node.clock.now(),
        finished_at: None,
        after_record: Uuid::nil(),
        wrapped: 0,
    };
    store::rewraps::put(tx, &rewrap).await?;
    let entry = acting.entry().about(format!("master {master}"));
    Ok(Effect::new(RewrapView::of(&rewrap, left), entry).then(Change::Keys))
}

/// Takes the keyring file and the prefecture keys of the database into memory, as they are now.
async fn reload(gateway: &Arc<Gateway>) -> Result<(), Error> {
    let mut tx = gateway.store.read().await?;
    let wrapped = store::accounts::prefecture_keys(&mut tx).await?;
    drop(tx);
    let (path, vault) = (gateway.config.keyring.clone(), gateway.vault.clone());
    Ok(blocking(move || Ok(vault.reload(Keyring::load(&path)?, &wrapped)?)).await?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Corrupt("keyring"))?
}

/// Wraps records' keys anew whenever a pass is not finished, until the server stops.
pub async fn rewrap(gateway: Arc<Gateway>, mut stopped: watch::Receiver<bool>) {
    loop {
        match one_pass(&gateway, &stopped).await {
            Ok(()) => tokio::select! {
                () = gateway.vault.rewrapping.wanted.notified() => {}
                () = tokio::time::sleep(LOOKS_EVERY) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            },
            Err(error) => {
                tracing::error!(%error, "keys could not be wrapped anew; it is tried again");
                if tokio::time::timeout(AGAIN, stopped.wait_for(|stop| *stop)).await.is_ok() {
                    return;
                }
            }
        }
    }
}

async fn one_pass(gateway: &Arc<Gateway>, stopped: &watch::Receiver<bool>) -> Result<(), Error> {
    let left = &gateway.vault.rewrapping.left;
    loop {
        let mut tx = gateway.store.read().await?;
        let rewrap = store::rewraps::newest(&mut tx).await?.filter(|rewrap| rewrap.finished_at.is_none());
        // The keys that a pass made are put to use here, whichever node began it. They are looked for after the pass:
        // whoever sees a pass sees its keys.
        let generations = store::rewraps::generations(&mut tx).await?;
        if generations.iter().any(|(prefecture, generation, _)| !gateway.vault.knows(prefecture, *generation)) {
            reload(gateway).await?;
        }
        let Some(rewrap) = rewrap else {
            left.store(0, Ordering::Relaxed);
            return Ok(());
        };
        left.store(store::rewraps::count_after(&mut tx, rewrap.after_record).await?, Ordering::Relaxed);
        drop(tx);
        loop {
            if *stopped.borrow() {
                return Ok(());
            }
            let looked_at = wrap_batch(gateway, rewrap.id).await?;
            let before =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(looked_at)));
            let before = before.unwrap_or_default();
            if before / LOGGED_EVERY != before.saturating_sub(looked_at) / LOGGED_EVERY {
                tracing::info!(left = before.saturating_sub(looked_at), "records' keys are being wrapped anew");
            }
            if looked_at == 0 {
                break;
            }
        }
        finish(gateway, rewrap.id).await?;
    }
}

/// Wraps the next records' keys; returns how many records it looked at, 0 at the end.
async fn wrap_batch(gateway: &Arc<Gateway>, id: Uuid) -> Result<u64, Error> {
    let node = gateway.clone();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    let batch = gateway.journal.write(&clockwork, None, move |tx| {
        Box::pin(async move {
            let done = |looked_at: u64| Ok(Effect::bare(looked_at));
            let Some(mut rewrap) = store::rewraps::newest(tx).await?.filter(|rewrap| rewrap.id == id) else {
                return done(0);
            };
            let keys = store::rewraps::keys_after(tx, rewrap.after_record, BATCH).await?;
            // Then what else lies under prefecture keys: the drafts.
            let Some(last) = keys.last() else {
                return done(store::drafts::seal_latest(tx, &node.vault, BATCH).await?);
            };
            rewrap.after_record = last.record;
            let looked_at = keys.len() as u64;
            rewrap.wrapped += store::rewraps::wrap_latest(tx, &node.vault, keys).await?;
            store::rewraps::put(tx, &rewrap).await?;
            done(looked_at)
        })
    });
    batch.await.map(|(looked_at, _)| looked_at)
}

/// Ends a pass: destroys the prefecture keys to which nothing refers. Where a row still names an older key, the pass
/// begins anew instead.
async fn finish(gateway: &Arc<Gateway>, id: Uuid) -> Result<(), Error> {
    // Whatever is written meanwhile is wrapped with the latest key: what is not there now will not be there later.
    let mut tx = gateway.store.read().await?;
    let used = store::rewraps::used(&mut tx).await?;
    drop(tx);
    let is_old = |prefecture: &str, generation| generation < gateway.vault.latest_generation(prefecture);
    let passed_over = used.iter().any(|(prefecture, generation)| is_old(prefecture, *generation));
    let node = gateway.clone();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    let finished = gateway.journal.write(&clockwork, None, move |tx| {
        Box::pin(async move {
            let nothing = || Effect::bare(Vec::new());
            let Some(mut rewrap) = store::rewraps::newest(tx).await?.filter(|rewrap| rewrap.id == id) else {
                return Ok(nothing());
            };
            if passed_over {
                rewrap.after_record = Uuid::nil();
                store::rewraps::put(tx, &rewrap).await?;
                return Ok(nothing());
            }
            let mut destroyed: Vec<(String, u32)> = Vec::new();
            for (prefecture, generation, _) in store::rewraps::generations(tx).await? {
                // Notes in the ledger are sealed with the central keys, and the ledger does not change.
                if prefecture != CENTRAL && generation < node.vault.latest_generation(&prefecture) {
                    store::rewraps::remove_prefecture_key(tx, &prefecture, generation).await?;
                    destroyed.push((prefecture, generation));
                }
            }
            rewrap.finished_at = Some(node.clock.now());
            store::rewraps::put(tx, &rewrap).await?;
            let entry = Entry::of_gateway(Act::KeysRewrapped, &node.clock).about(rewrap.wrapped);
            tracing::info!(wrapped = rewrap.wrapped, destroyed = destroyed.len(), "records' keys are wrapped anew");
            Ok(Effect { value: destroyed, entries: vec![entry.into()], ..nothing() })
        })
    });
    let (destroyed, _) = finished.await?;
    if passed_over {
        return Err(StoreError::Corrupt("a record's key was passed over; the pass begins anew").into());
    }
    let vault = gateway.vault.clone();
    tokio::spawn(async move {
        tokio::time::sleep(LINGERS).await;
        destroyed.iter().for_each(|(prefecture, generation)| vault.forget(prefecture, *generation));
    });
    Ok(())
}

/// Generations of master keys to which nothing in the database or its stream refers.
///
/// # Errors
/// The database failed, or the stream of backups cannot be read.
pub(crate) async fn unneeded_masters(gateway: &Gateway) -> Result<Vec<u32>, Error> {
    Ok(unneeded(&keys_view(gateway).await?))
}

fn unneeded(view: &KeysView) -> Vec<u32> {
    let is_needed = |generation: &u32| {
        *generation == view.master
            || view.masters_needed.contains(generation)
            || view.masters_of_stream.contains(generation)
    };
    view.masters.iter().copied().filter(|generation| !is_needed(generation)).collect()
}

/// Master keys are to be retired.
pub struct RetireMasters {
    pub idempotency: Idempotency,
}

/// Takes master keys to which nothing in the database or its stream refers out of the keyring. Backups from before the
/// last pass do not open with this keyring any more.
///
/// # Errors
/// [`NotSharp`](crate::error::CallerError::NotSharp); [`SharpError::RetirementNotApproved`] without the fresh
/// approval of two operators; [`SharpError::Outdated`] where others are needed no more than they approved;
/// [`ServiceError::RewrapRunning`]; the keyring or its token is not available.
pub async fn retire_masters(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RetireMasters { idempotency }: RetireMasters,
) -> Result<Done<KeysView>, Error> {
    let view = keys_view(gateway).await?;
    let acting = Acting::new(gateway, caller, Act::KeysRetire);
    if view.rewrap.as_ref().is_some_and(|rewrap| rewrap.finished_at.is_none()) {
        return Err(acting.refuse(ServiceError::RewrapRunning).await);
    }
    let goes = unneeded(&view);
    let needed: BTreeSet<u32> = view.masters_needed.into_iter().chain(view.masters_of_stream).collect();
    let about = format!("masters {}", goes.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    // Logged, then done. Where it is not done, whoever repeats it does it.
    let (_, receipt) = gateway
        .journal
        .write(caller, Some(idempotency), move |tx| {
            Box::pin(async move {
                let operator = SharpCaller::of(&acting.caller).map_err(|error| acting.declined(None, error))?;
                use_approval(tx, &acting, &operator, &goes).await?;
                Ok(Effect::new((), acting.entry().about(about.trim_end())))
            })
        })
        .await?;
    let path = gateway.config.keyring.clone();
    blocking(move || Ok(Keyring::load(&path)?.retire(&needed)?)).await?;
    reload(gateway).await?;
    Ok(Done::new(keys_view(gateway).await?, &receipt))
}

/// Uses up the approval of two operators, which names the generations that go.
async fn use_approval(tx: &mut Tx, acting: &Acting, _operator: &SharpCaller, goes: &[u32]) -> Result<(), Declined> {
    let (vault, list) = (&acting.node.vault, OrganizationCode::operator());
    let retiring = (SharpKind::RetireKeys, "");
    let approved = store::waiting_acts::newest(tx, vault, &list, retiring, WaitingState::Approved).await?;
    let Some(act) = approved.filter(|act| acting.node.clock.now() < act.expires_at) else {
        return Err(acting.declined(None, SharpError::RetirementNotApproved));
    };
    if !matches!(&act.act, SharpAct::RetireKeys { generations } if generations == goes) {
        return Err(acting.declined(act.id, SharpError::Outdated));
    }
    Ok(store::waiting_acts::put(tx, vault, &WaitingAct { state: WaitingState::Done, ..act }).await?)
}
