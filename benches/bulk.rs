//! Bulk registration beside `COPY`, and the journal beside single-row commits, on one throwaway PostgreSQL.
//!
//! `make bench-bulk N=100000`. Every figure of one run is of the same server, with `fsync` on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a benchmark may fail"
)]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tsunagi::{
    client::Client,
    clock::Clock,
    config::Config,
    gateway::Gateway,
    ledger::entry::{Act, Entry},
    store,
    wire::{json as json_form, xml},
};
use tsunagi_testkit::{
    people::People,
    world::{OpenedBody, Premises},
};

const CITY: &str = "122327";
const LIMITS: &str = "[limits]\nterminal_per_second = 1000000\nterminal_burst = 1000000\nofficer_per_second = 1000000\n\
officer_burst = 1000000\n";
const LINES: usize = 500;
/// Batches under way at once.
const SENDERS: usize = 4;
/// Different records; they come again and again, each time under a new id.
const FAMILIES: usize = 2_000;
/// How often the journal and its peer run, and how long each time.
const TURNS: u32 = 4;
const TURN: Duration = Duration::from_secs(4);
const CALLERS: usize = 64;
/// What the gateway writes for a registration, and what COPY writes of it.
const TABLES: [&str; 5] = ["records", "record_versions", "ledger", "changes", "inbox"];

struct Server {
    url: String,
    programs: PathBuf,
}

impl Server {
    fn of_environment() -> Option<Self> {
        let url = std::env::var("TEST_POSTGRES").ok()?;
        Some(Self { url, programs: std::env::var("POSTGRES_PROGRAMS").ok()?.into() })
    }

    async fn database(&self, name: &str) -> String {
        let mut admin = PgConnection::connect(&format!("{}/postgres", self.url)).await.unwrap();
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let url = format!("{}/{name}", self.url);
        store::open::migrate_postgres(&url).await.unwrap();
        url
    }

    fn socket(&self) -> String {
        self.url.split_once('@').unwrap().1.replace("%2F", "/")
    }
}

fn main() {
    let Some(server) = Server::of_environment() else {
        eprintln!("run it as `make bench-bulk`: it needs a throwaway PostgreSQL");
        return;
    };
    let records = std::env::var("RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        bulk(&server, records).await;
        journal(&server).await;
    });
}

async fn bulk(server: &Server, records: usize) {
    let directory = tempfile::tempdir().unwrap();
    let url = server.database("bulk").await;
    let premises = Premises::create(directory.path(), Some(&url), free_port(), free_port(), LIMITS).await.unwrap();
    let mut gateway = serve(&premises);
    ready(premises.config.monitor_listen).await;
    let city = Arc::new(connect(&premises).await);
    let mut people = People::seeded(1);
    let lines: Arc<Vec<String>> = Arc::new((0..FAMILIES).map(|_| line(&people.family(CITY))).collect());
    let bytes = lines.iter().map(String::len).sum::<usize>() / lines.len();
    println!("{records} records of {bytes} bytes in JSON, {LINES} in a batch, {SENDERS} batches at once");

    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (city, lines, next) = (city.clone(), lines.clone(), next.clone());
            let client = city.again();
            tokio::spawn(async move {
                loop {
                    let from = next.fetch_add(LINES, Ordering::Relaxed);
                    if from >= records {
                        return;
                    }
                    let batch: Vec<&str> = (from..from + LINES).map(|at| lines[at % FAMILIES].as_str()).collect();
                    let request = client.post("/v1/batches").body("application/x-ndjson", batch.join("\n"));
                    let reply = request.send().await.unwrap();
                    let taken: Value = reply.json().unwrap();
                    assert_eq!((reply.status.as_u16(), taken["registered"].as_u64()), (201, Some(LINES as u64)));
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let ours = started.elapsed().as_secs_f64();
    gateway.kill().unwrap();
    gateway.wait().unwrap();

    // The same rows into the same tables, with their indexes and triggers.
    let files = PathBuf::from(server.socket()).join("copy");
    std::fs::create_dir(&files).unwrap();
    std::process::Command::new("chmod").arg("777").arg(&files).status().unwrap();
    let mut from = PgConnection::connect(&url).await.unwrap();
    for table in TABLES {
        let copy = format!("COPY (SELECT * FROM {table}) TO '{}/{table}' (FORMAT binary)", files.display());
        from.execute(AssertSqlSafe(copy)).await.unwrap();
    }
    let peer = server.database("bulk_copy").await;
    let mut to = PgConnection::connect(&peer).await.unwrap();
    let started = Instant::now();
    for table in TABLES {
        let copy = format!("COPY {table} FROM '{}/{table}' (FORMAT binary)", files.display());
        to.execute(AssertSqlSafe(copy)).await.unwrap();
    }
    let copied = started.elapsed().as_secs_f64();
    let rate = |seconds: f64| records as f64 / seconds;
    println!("through the API           {ours:>8.1} s  {:>8.0} records/s", rate(ours));
    println!("COPY of the same rows     {copied:>8.1} s  {:>8.0} records/s", rate(copied));
    println!("ratio                     {:>8.2}    wanted ≥ 0.3", copied / ours);
    let stored = std::fs::read_dir(&files).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    println!("rows of a record          {:>8.0} bytes", stored as f64 / records as f64);
    std::fs::remove_dir_all(files).unwrap();
}

/// The two in turns, so that what else the machine does meets both.
async fn journal(server: &Server) {
    let directory = tempfile::tempdir().unwrap();
    let url = server.database("journal").await;
    let premises = Premises::create(directory.path(), Some(&url), free_port(), free_port(), LIMITS).await.unwrap();
    let config: Config = premises.config.clone();
    let gateway = Gateway::open(config, Clock::system()).await.unwrap();
    let mut admin = PgConnection::connect(&format!("{}/postgres", server.url)).await.unwrap();
    admin.execute("CREATE TABLE one_row (id BIGSERIAL PRIMARY KEY, body BYTEA)").await.unwrap();
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..TURNS {
        ours += entries_per_second(&gateway).await / f64::from(TURNS);
        theirs += pgbench(server, directory.path()) / f64::from(TURNS);
    }
    let (commits, entries) = gateway.journal.counts();
    gateway.store.close().await;
    println!("journal, {CALLERS} callers      {ours:>8.0} entries/s");
    println!("entries in a commit      {:>8.1}", entries as f64 / commits as f64);
    println!("pgbench, {CALLERS} clients      {theirs:>8.0} single-row commits/s");
    println!("ratio                     {:>8.2}    wanted ≥ 2", ours / theirs);
}

async fn entries_per_second(gateway: &Arc<Gateway>) -> f64 {
    let written = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (gateway, written) = (gateway.clone(), written.clone());
            tokio::spawn(async move {
                while started.elapsed() < TURN {
                    let entry = Entry::of_gateway(Act::DisclosuresRead, &gateway.clock);
                    gateway.journal.note(vec![entry.into()], Vec::new()).await.unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    written.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

fn pgbench(server: &Server, directory: &Path) -> f64 {
    let script = directory.join("row.sql");
    std::fs::write(&script, format!("INSERT INTO one_row (body) VALUES ('\\x{}');\n", "07".repeat(400))).unwrap();
    let run = Command::new(server.programs.join("pgbench"))
        .args([
            "-n",
            "-M",
            "prepared",
            "-c",
            "64",
            "-j",
            "2",
            "-T",
            &TURN.as_secs().to_string(),
            "-U",
            "postgres",
            "-h",
        ])
        .arg(server.socket())
        .arg("-f")
        .arg(&script)
        .arg("postgres")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap_or_else(|| panic!("pgbench: {text}"));
    tps.split(' ').next().unwrap().parse().unwrap()
}

struct City {
    address: SocketAddr,
    credentials: tsunagi::client::Credentials,
}

impl City {
    fn again(&self) -> Client {
        Client::new(self.address, &self.credentials, Some("o1")).unwrap()
    }
}

fn line(family: &tsunagi_testkit::people::Family) -> String {
    json_form::write(xml::read(family.to_xml().as_bytes()).unwrap().sections()).to_string()
}

async fn connect(premises: &Premises) -> City {
    let operators = premises.operators(premises.config.listen, &Clock::system()).await.unwrap();
    let organization = tsunagi::domain::organization::OrganizationCode::parse(CITY).unwrap();
    let OpenedBody { first, .. } = premises.open_body(&operators, ("city", &organization)).await.unwrap();
    first.appoint("o1", &["caseworker"]).await.unwrap();
    City { address: premises.config.listen, credentials: premises.credentials("city") }
}

fn serve(premises: &Premises) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["serve", "--config"])
        .arg(premises.directory.join("tsunagi.toml"))
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

async fn ready(monitor: SocketAddr) {
    loop {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(monitor).await {
            let mut answer = Vec::new();
            if stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.is_ok()
                && stream.read_to_end(&mut answer).await.is_ok()
                && answer.starts_with(b"HTTP/1.0 200")
            {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
