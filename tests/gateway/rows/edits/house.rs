//! The house of a life, and copies of it in which somebody edits the database.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tsunagi::{
    client::{Client, Credentials},
    clock::Clock,
    config::Config,
    gateway::Gateway,
    keys::shreds::Shreds,
    ledger::{
        audit::{Against, Auditor, Finding},
        merkle::{Frontier, Hash},
    },
    server::{error::StartError, start::Server},
    store,
};

use super::{super::database::Database, questions::Questions, story::Life, ways::Tables};
use crate::harness::*;

const NODE: &str = "node-1";

/// What is left of a life: its files, its database, and what it is asked.
pub struct House {
    directory: TempDir,
    config: Config,
    pub certificates: PathBuf,
    pub questions: Questions,
    pub life: LeftOver,
    /// The ledger at the end, as whoever witnessed it knows it.
    ledger: Vec<Hash>,
    copies: AtomicUsize,
}

/// What somebody who acts later needs to know.
pub struct LeftOver {
    pub ids: std::collections::BTreeMap<&'static str, String>,
    pub recovery_code: String,
}

impl House {
    /// Plays the life, and stops its gateway. What stands at the half is kept beside the database.
    pub async fn build() -> Self {
        let mut life = Life::begin().await;
        life.first_half().await;
        let config = life.stage.world.premises.config.clone();
        keep_half(&life.stage).await;
        life.second_half().await;
        let questions = Questions::about(&life).await;
        let ledger = leaves_of(life.stage.world.gateway().unwrap());
        let Life { stage: Stage { world, directory }, ids, night, .. } = life;
        let certificates = world.premises.authority.directory().to_owned();
        world.stop().await;
        let life = LeftOver { ids, recovery_code: night.recovery_codes[0].clone() };
        Self { directory, config, certificates, questions, life, ledger, copies: AtomicUsize::new(0) }
    }

    fn file(&self) -> Option<&Path> {
        self.config.database.strip_prefix("sqlite:").map(Path::new)
    }

    /// A copy of everything that a gateway writes to; with the snapshot of the last stop, where it shall start from it.
    pub async fn copy(&self, with_snapshot: bool) -> Copy {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let directory = self.directory.path().join(format!("copy-{number}"));
        fs::create_dir_all(directory.join("devices")).unwrap();
        let mut config = self.config.clone();
        config.keyring = directory.join("keyring.toml");
        fs::copy(&self.config.keyring, &config.keyring).unwrap();
        let (from, to) = (Shreds::path_beside(&self.config.keyring), Shreds::path_beside(&config.keyring));
        if from.exists() {
            fs::copy(from, to).unwrap();
        }
        for device in fs::read_dir(self.directory.path().join("devices")).unwrap().map(Result::unwrap) {
            fs::copy(device.path(), directory.join("devices").join(device.file_name())).unwrap();
        }
        match self.file() {
            Some(file) => {
                fs::copy(file, directory.join("tsunagi.db")).unwrap();
                config.database = format!("sqlite:{}", directory.join("tsunagi.db").display());
            }
            None => config.database = copy_of_server(&self.config.database).await,
        }
        config.snapshot = Some(directory.join("snapshot"));
        if with_snapshot && let Some(snapshot) = self.config.snapshot_file().filter(|file| file.exists()) {
            fs::copy(snapshot, directory.join("snapshot")).unwrap();
        }
        let half = self.file().map(|_| self.directory.path().join("half.db"));
        Copy { directory, config, half }
    }

    /// What an audit of the ledger finds first, with the hashes that somebody knows: at the end of the life, or since.
    pub async fn audit_ledger(&self, gateway: &Gateway, known: Option<&[Hash]>) -> Option<Finding> {
        let known = known.unwrap_or(&self.ledger);
        let mut tx = gateway.store.read().await.unwrap();
        let head = store::ledger::head(&mut tx, NODE).await.ok().flatten();
        let mut tree = Frontier::default();
        known.iter().for_each(|leaf| tree.push(*leaf));
        let against = Against::new(NODE, head, vec![tree.head()], known.to_vec()).unwrap();
        let (mut auditor, mut from) = (Auditor::new(&against), 0);
        loop {
            let page = match store::ledger::rows_from(&mut tx, NODE, from, 8_192).await {
                Ok(page) => page,
                Err(_) => return Some(Finding::NoHead { node: NODE.to_owned() }),
            };
            let Some(last) = page.last() else { break };
            from = last.position + 1;
            for row in &page {
                if let Err(finding) = auditor.push(row) {
                    return Some(finding);
                }
            }
        }
        let counted = store::ledger::counts(&mut tx).await.unwrap();
        if let Some((node, counted)) = counted.into_iter().find(|(node, _)| node != NODE) {
            return Some(Finding::OutOfPlace { node, counted, read: 0 });
        }
        auditor.finish().err()
    }
}

/// The hashes of the entries that a gateway knows.
pub fn leaves_of(gateway: &Gateway) -> Vec<Hash> {
    gateway.journal.memory().tree.read().unwrap().leaves().to_vec()
}

/// The database as it stands, for setting rows back to it.
async fn keep_half(stage: &Stage) {
    let mut database = Database::of(stage).await;
    if let Database::Sqlite(_) = database {
        let half = stage.directory.path().join("half.db");
        database.run(&format!("VACUUM INTO '{}'", half.display())).await.unwrap();
        return;
    }
    let mut tables: Vec<String> = database.columns().await.into_iter().map(|(table, _)| table).collect();
    tables.dedup();
    database.run("CREATE SCHEMA before").await.unwrap();
    for table in tables {
        database.run(&format!("CREATE TABLE IF NOT EXISTS before.{table} AS TABLE public.{table}")).await.unwrap();
    }
    database.close().await;
}

async fn of_server() -> PgConnection {
    PgConnection::connect(&format!("{}/postgres", std::env::var("TEST_POSTGRES").unwrap())).await.unwrap()
}

async fn copy_of_server(url: &str) -> String {
    let (server, name) = url.rsplit_once('/').unwrap();
    let copy = format!("test_{}", tsunagi::clock::unclocked_id().simple());
    let create = format!("CREATE DATABASE {copy} TEMPLATE {name}");
    let mut connection = of_server().await;
    // The last connection of the gateway that was stopped may not have ended yet.
    while let Err(error) = connection.execute(AssertSqlSafe(create.clone())).await {
        assert!(error.to_string().contains("being accessed"), "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    format!("{server}/{copy}")
}

/// One copy.
pub struct Copy {
    pub directory: PathBuf,
    pub config: Config,
    half: Option<PathBuf>,
}

impl Copy {
    pub async fn tables(&self) -> Tables {
        let mut database = Database::at(&self.config.database).await;
        if let Some(half) = &self.half {
            database.run(&format!("ATTACH DATABASE '{}' AS before", half.display())).await.unwrap();
        }
        Tables::of(database).await
    }

    pub async fn remove(self) {
        if self.half.is_none() {
            let name = self.config.database.rsplit('/').next().unwrap();
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            of_server().await.execute(AssertSqlSafe(drop)).await.unwrap();
        }
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// A gateway that serves a copy, and everybody who asks it.
pub struct Served {
    pub copy: Copy,
    pub server: Server,
    pub clients: Vec<Client>,
    pub clock: Clock,
}

impl Served {
    /// # Errors
    /// The gateway does not start.
    pub async fn start(house: &House, copy: Copy) -> Result<Self, (Copy, StartError)> {
        let clock = house.questions.clock();
        let server = match Server::start(copy.config.clone(), clock.clone()).await {
            Ok(server) => server,
            Err(error) => return Err((copy, error)),
        };
        let (directory, name) = (house.certificates.clone(), String::new());
        let clients = house.questions.clients(server.address, &Credentials { directory, name });
        Ok(Self { copy, server, clients, clock })
    }

    pub fn gateway(&self) -> &Gateway {
        &self.server.serving.gateway
    }

    /// As a power cut: nothing is written any more.
    pub async fn end(self) {
        let Self { copy, server, clients, .. } = self;
        drop(clients);
        let gateway = server.serving.gateway.clone();
        drop(server);
        gateway.store.close().await;
        drop(gateway);
        copy.remove().await;
    }
}
