//! The whole gateway at a number of records: its start from the store and from a snapshot, its memory, searches over
//! mutual TLS beside an empty route and one durable commit, and the staff pages.
//!
//! Comes in: how many records. Goes out: a table. The gateway is a process of its own: this program, told to serve.

mod load;
mod pages;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tsunagi::{client::Client, clock::Clock, domain::organization::OrganizationCode};
use tsunagi_testkit::world::{OpenedBody, Premises};

use crate::{
    SEED, engine,
    measure::{Latencies, resident_mib_of},
    population::Population,
    queries::{self, Asked, Class},
};

const LIMITS: &str = "[search]\nofficer_per_hour = 1000000000\nofficer_burst = 1000000000\n\
organization_per_hour = 1000000000\norganization_burst = 1000000000\n[limits]\nterminal_per_second = 1000000\n\
terminal_burst = 1000000\nofficer_per_second = 1000000\nofficer_burst = 1000000\n";
const CENTER: &str = "010006-01";
/// Officers who search in turn: so many that the watch has nothing to tell of any.
const OFFICERS: usize = 1_200;
const QUERIES: usize = 400;
/// Searches under way at once where CPU is measured: as at a busy moment, some share a commit.
const AT_ONCE: usize = 16;
const LIMIT_SECONDS: f64 = 3.0;

pub fn run(records: u64) {
    let population = Population::seeded(SEED);
    let engine = engine_means(&population, records);
    // Beside this program: on a disk, and out of the way of the source.
    let program = std::env::current_exe().expect("this program");
    let directory = tempfile::tempdir_in(program.parent().expect("its directory")).expect("temporary directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    let any = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let premises = runtime.block_on(Premises::create(directory.path(), None, any(), any(), LIMITS)).expect("premises");
    let snapshot = PathBuf::from(format!("{}.snapshot", directory.path().join("tsunagi.db").display()));
    let mut server = Server::start(&premises, directory.path(), &runtime);
    let first = runtime.block_on(pages::open(&server, &population));
    server.stop();
    // What was loaded since is not in it: the first start is to read the store.
    std::fs::remove_file(&snapshot).expect("a snapshot");
    let loading = Instant::now();
    runtime.block_on(load::records(&premises, &population, records));
    println!("{records} records: written to the store in {:.0} s", loading.elapsed().as_secs_f64());
    let mut server = Server::start(&premises, directory.path(), &runtime);
    println!("ready from the store      {:>8.1} s   wanted ≤ 90 at 10 million", server.ready_seconds);
    println!("resident                  {:>8.0} MiB wanted ≤ 5120 at 10 million", server.resident());
    runtime.block_on(search(&server, &population, records, &engine));
    runtime.block_on(pages::pages(&server, &first, &population));
    println!("resident after searches   {:>8.0} MiB", server.resident());
    let stopping = server.stop();
    let bytes = std::fs::metadata(&snapshot).map_or(0, |file| file.len());
    println!("stopped in                {stopping:>8.1} s   with a snapshot of {} MiB", bytes >> 20);
    let mut again = Server::start(&premises, directory.path(), &runtime);
    println!("ready from the snapshot   {:>8.1} s   wanted ≤ 15 at 10 million", again.ready_seconds);
    println!("resident                  {:>8.0} MiB", again.resident());
    again.stop();
}

/// Microseconds that the engine alone takes on the mean, by class.
fn engine_means(population: &Population, records: u64) -> HashMap<&'static str, (f64, f64)> {
    let built = engine::build(population, records);
    let mean = |class: Class| {
        let queries: Vec<_> =
            queries::draw(population, class, records, QUERIES).iter().map(|asked| asked.query()).collect();
        let latencies = engine::latencies(&built.index, &queries);
        let started = Instant::now();
        queries.iter().for_each(|query| {
            std::hint::black_box(engine::search(&built.index, query));
        });
        (class.name(), (latencies.p50, started.elapsed().as_secs_f64() * 1e6 / queries.len() as f64))
    };
    Class::ALL.into_iter().map(mean).collect()
}

struct Server<'a> {
    premises: &'a Premises,
    child: Child,
    ready_seconds: f64,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<'a> Server<'a> {
    fn start(premises: &'a Premises, directory: &Path, runtime: &tokio::runtime::Runtime) -> Self {
        let started = Instant::now();
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["serve", "--config"])
            .arg(directory.join("tsunagi.toml"))
            .env("RUST_LOG", "warn,tsunagi::node::load=info")
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the gateway");
        let monitor = premises.config.monitor_listen;
        runtime.block_on(async {
            while !is_ready(monitor).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { premises, child, ready_seconds: started.elapsed().as_secs_f64() }
    }

    fn client(&self, name: &str, officer: &str) -> Client {
        Client::new(self.premises.config.listen, &self.premises.credentials(name), Some(officer)).expect("client")
    }

    fn resident(&self) -> f64 {
        resident_mib_of(&self.child.id().to_string())
    }

    /// Microseconds of CPU that it has used.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its times");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("its name").1.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) * 10_000.0
    }

    /// Ends it as an operator does, and says how many seconds that took.
    fn stop(&mut self) -> f64 {
        let started = Instant::now();
        let told = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill");
        assert!(told.success(), "kill: {told}");
        self.child.wait().expect("it ends");
        started.elapsed().as_secs_f64()
    }
}

async fn is_ready(monitor: SocketAddr) -> bool {
    let Ok(mut stream) = tokio::net::TcpStream::connect(monitor).await else { return false };
    let mut answer = String::new();
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.0 200")
}

/// A center with its officers.
async fn center(server: &Server<'_>) -> Vec<Client> {
    let premises = &server.premises;
    let operators = premises.operators(premises.config.listen, &Clock::system()).await.expect("operators");
    let code = OrganizationCode::parse(CENTER).expect("code");
    let OpenedBody { first, .. } = premises.open_body(&operators, ("far", &code)).await.expect("a center");
    let mut officers = Vec::new();
    for number in 0..OFFICERS {
        let id = format!("o{number}");
        first.appoint(&id, &["caseworker"]).await.expect("an officer");
        officers.push(server.client("far", &id));
    }
    officers
}

async fn search(
    server: &Server<'_>,
    population: &Population,
    records: u64,
    engine: &HashMap<&'static str, (f64, f64)>,
) {
    let officers = center(server).await;
    let mut turn = officers.iter().cycle();
    let commit = commit(server.premises.config.database.trim_start_matches("sqlite:").as_ref()).await;
    // Handshakes first.
    empty_route(&officers).await;
    let empty = empty_route(&officers).await;
    println!("one row, one commit       {:>8.0} µs", commit.p50);
    println!("empty authenticated route {:>8.0} µs", empty.p50);
    let limit = commit.p50 + empty.p50;
    println!(
        "{:<26} {:>9} {:>9} {:>12} {:>10} {:>14}",
        "search", "p50 µs", "p99 µs", "of the limit", "CPU µs", "beyond engine"
    );
    for class in Class::ALL {
        let asked = queries::draw(population, class, records, QUERIES);
        let latencies = Latencies::from(ask_all(&mut turn, &asked).await);
        let cpu = server.cpu();
        let shares: Vec<&[Asked]> = asked.chunks(QUERIES.div_ceil(AT_ONCE)).collect();
        let mut turns: Vec<_> =
            shares.iter().map(|share| turn.by_ref().take(share.len()).collect::<Vec<_>>()).collect();
        let all = turns.iter_mut().zip(shares).map(|(turn, share)| async move {
            ask_all(&mut turn.iter().copied(), share).await;
        });
        futures_util::future::join_all(all).await;
        let cpu = (server.cpu() - cpu) / asked.len() as f64;
        let (own, mean) = engine[class.name()];
        println!(
            "{:<26} {:>9.0} {:>9.0} {:>12.2} {cpu:>10.0} {:>14.0}{}",
            class.name(),
            latencies.p50,
            latencies.p99,
            latencies.p50 / limit,
            cpu - mean,
            if own < 100.0 { "" } else { "   (engine over 0.1 ms)" }
        );
    }
    println!("wanted                                          ≤ 2                       ≤ 150");
}

/// Microseconds of each search, one after another.
async fn ask_all<'a>(officers: &mut impl Iterator<Item = &'a Client>, asked: &[Asked]) -> Vec<f64> {
    let mut micros = Vec::with_capacity(asked.len());
    for (asked, officer) in asked.iter().zip(officers) {
        let mut criteria = json!({ "purpose": "casework", "case_reference": "B-1",
            "child_name": asked.child, "near_misses": if asked.near { "always" } else { "never" } });
        if let Some(guardian) = &asked.guardian {
            criteria["guardian_name"] = json!(guardian);
        }
        if let Some(year) = asked.year {
            criteria["birth"] = json!({ "on": year.to_string() });
        }
        let started = Instant::now();
        let reply = officer.post("/v1/searches").json(&criteria).send().await.expect("an answer");
        micros.push(started.elapsed().as_secs_f64() * 1e6);
        let code = reply.json::<Value>().ok().and_then(|body| body["code"].as_str().map(str::to_owned));
        let expected =
            reply.status.is_success() || matches!(code.as_deref(), Some("too_many_hits" | "search_too_broad"));
        assert!(expected, "{}", reply.text());
    }
    micros
}

async fn empty_route(officers: &[Client]) -> Latencies {
    let mut micros = Vec::new();
    for officer in officers {
        let started = Instant::now();
        officer.get("/v1/session").send().await.expect("an answer");
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Latencies::from(micros)
}

/// One row in one transaction on the same disk, with the settings of the gateway's own database.
async fn commit(database: &Path) -> Latencies {
    use sqlx::{
        ConnectOptions, Connection, Executor,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    };
    let options = SqliteConnectOptions::new()
        .filename(database.with_file_name("peer.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut connection = options.connect().await.expect("SQLite opens");
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)").await.expect("table");
    let started = Instant::now();
    let mut micros = Vec::new();
    while started.elapsed().as_secs_f64() < LIMIT_SECONDS {
        let one = Instant::now();
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.expect("transaction");
        let insert = sqlx::query("INSERT INTO row (body) VALUES ($1)").bind(&[7_u8; 400][..]);
        insert.execute(&mut *tx).await.expect("row");
        tx.commit().await.expect("commit");
        micros.push(one.elapsed().as_secs_f64() * 1e6);
    }
    Latencies::from(micros)
}
