//! `tsunagi keys`: the keyring and its rotation. The gateway must be stopped while keys rotate.

use std::path::PathBuf;

use clap::Subcommand;
use uuid::Uuid;

use super::{ConfigFile, demo::world::WorldError};
use crate::{
    config::Config,
    gateway::{lock, open_store},
    store::{self, Access, Store, StoreError, keyring::Keyring, vault::Vault},
};

#[derive(Subcommand)]
pub enum Keys {
    /// Make a new keyring file.
    Create { file: PathBuf },
    /// Add a new master key and new prefecture keys, and wrap every record's key anew.
    Rotate(ConfigFile),
}

impl Keys {
    pub(super) async fn run(self) -> Result<(), WorldError> {
        match self {
            Self::Create { file } => {
                Keyring::create(&file)?;
                println!("keyring made: {} (keep a copy apart from the database)", file.display());
            }
            Self::Rotate(ConfigFile { config }) => {
                let config = Config::load(&config, std::env::vars())?;
                let _lock = lock(&config.database)?;
                let store = open_store(&config.database).await?;
                let keyring = Keyring::load(&config.keyring)?.rotate(&config.keyring)?;
                let records = rotate(&store, keyring).await?;
                store.close().await;
                println!("rotated: {records} records wrapped anew");
            }
        }
        Ok(())
    }
}

const PAGE: i64 = 500;

/// Wraps every prefecture key with the keyring's current master key, gives each prefecture a new key, and wraps every
/// record's data key with it: in one transaction, so that a failure leaves everything as it was. Answers the number
/// of records.
///
/// # Errors
/// A key does not open, or the database failed.
pub async fn rotate(store: &Store, keyring: Keyring) -> Result<usize, StoreError> {
    let mut tx = store.write(Access::Change).await?;
    let wrapped = store::accounts::prefecture_keys(&mut tx).await?;
    let vault = Vault::open(keyring, &wrapped)?;
    let mut prefectures: Vec<String> = wrapped.into_iter().map(|key| key.prefecture).collect();
    prefectures.sort();
    prefectures.dedup();
    for prefecture in prefectures {
        vault.new_generation(&prefecture)?;
    }
    for key in vault.rewrap_all()? {
        store::accounts::put_prefecture_key(&mut tx, &key).await?;
    }
    let mut after = Uuid::nil();
    let mut count = 0;
    loop {
        let page = store::records::all_after(&mut tx, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.facts.id;
        count += page.len();
        for stored in page {
            let id = stored.facts.id;
            let key = vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
            store::records::set_key(&mut tx, &stored.facts, &vault.wrap(&stored.prefecture, id, &key)?).await?;
        }
    }
    tx.commit().await?;
    Ok(count)
}
