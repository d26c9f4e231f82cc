//! The gateway through mutual TLS, beside the machine's own limits in the same run. Only ratios are to be compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench may fail"
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tsunagi::client::Client;
use tsunagi_testkit::{
    people::{Family, People},
    pki::Flaw,
    world::{OPERATOR_OFFICER, Premises},
};

const RECORDS: usize = 5_000;
const SECONDS: f64 = 3.0;
const CITY: &str = "122327";
const FAR: &str = "010006-01";
const LIMITS: &str = "[limits]\nterminal_per_second = 1000000\nterminal_burst = 1000000\nofficer_per_second = 1000000\n\
officer_burst = 1000000\n[search]\nofficer_per_hour = 1000000000\nofficer_burst = 1000000000\n\
organization_per_hour = 1000000000\norganization_burst = 1000000000\n";

/// Latencies of one line of the table.
struct Line {
    p50: f64,
    p99: f64,
    per_second: f64,
    /// Microseconds of server CPU for each request.
    cpu: Option<f64>,
    /// Ledger entries in each commit.
    per_commit: Option<f64>,
}

fn line(mut micros: Vec<f64>, elapsed: f64) -> Line {
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    Line { p50: at(0.5), p99: at(0.99), per_second: micros.len() as f64 / elapsed, cpu: None, per_commit: None }
}

fn print(name: &str, clients: usize, line: &Line) {
    let optional = |value: Option<f64>| value.map_or_else(|| "—".to_owned(), |value| format!("{value:.1}"));
    println!(
        "{name:<34} {clients:>7} {:>10.0} {:>10.0} {:>10.0} {:>12} {:>14}",
        line.p50,
        line.p99,
        line.per_second,
        optional(line.cpu),
        optional(line.per_commit)
    );
}

fn fdatasync(directory: &Path) -> Line {
    let mut file = OpenOptions::new().create(true).append(true).open(directory.join("fdatasync")).unwrap();
    let started = Instant::now();
    let mut micros = Vec::new();
    while started.elapsed().as_secs_f64() < SECONDS {
        let one = Instant::now();
        file.write_all(&[7; 512]).unwrap();
        file.sync_data().unwrap();
        micros.push(one.elapsed().as_secs_f64() * 1e6);
    }
    line(micros, started.elapsed().as_secs_f64())
}

/// One row in one transaction, with the settings of the gateway's own database.
async fn single_row_commit(directory: &Path) -> Line {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
    let options = SqliteConnectOptions::new()
        .filename(directory.join("peer.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)").execute(&pool).await.unwrap();
    let started = Instant::now();
    let mut micros = Vec::new();
    while started.elapsed().as_secs_f64() < SECONDS {
        let one = Instant::now();
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("INSERT INTO row (body) VALUES ($1)").bind(&[7_u8; 400][..]).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        micros.push(one.elapsed().as_secs_f64() * 1e6);
    }
    line(micros, started.elapsed().as_secs_f64())
}

struct Gateway {
    premises: Premises,
    child: Child,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    fn client(&self, name: &str, officer: &str) -> Client {
        Client::new(self.premises.config.listen, &self.premises.credentials(name), Some(officer)).unwrap()
    }

    /// Microseconds of CPU that the server has used.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks * 10_000.0
    }

    /// Commits and ledger entries since the start.
    async fn journal(&self) -> (f64, f64) {
        let text = get(self.premises.config.monitor_listen, "/metrics").await.unwrap();
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap().parse().unwrap();
        (value("tsunagi_journal_commits"), value("tsunagi_journal_entries"))
    }
}

async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.starts_with("HTTP/1.0 200").then_some(answer)
}

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn post(client: &Client, path: &str, body: serde_json::Value) {
    let reply = client.post(path).json(&body).send().await.unwrap();
    assert!(reply.status.is_success(), "{}", reply.text());
}

async fn start(directory: &Path) -> Gateway {
    let premises = Premises::create(directory, None, free_port(), free_port(), LIMITS).await.unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["serve", "--config"])
        .arg(directory.join("tsunagi.toml"))
        .env("RUST_LOG", "error")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while get(premises.config.monitor_listen, "/readyz").await.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let gateway = Gateway { premises, child };
    let operator = gateway.client("operator", OPERATOR_OFFICER);
    for (name, code) in [("city", CITY), ("far", FAR)] {
        post(&operator, "/v1/organizations", json!({ "code": code, "relay_desk": "当直" })).await;
        let first = json!({ "organization": code, "id": "admin", "name": "管理者", "roles": ["user_administrator"] });
        post(&operator, "/v1/staff", first).await;
        let organization = tsunagi::domain::organization::OrganizationCode::parse(code).unwrap();
        let serial = gateway.premises.authority.issue_terminal(name, &organization, Flaw::None).unwrap();
        let terminal = json!({ "serial": serial, "organization": code, "kind": "machine", "label": name });
        post(&operator, "/v1/terminals", terminal).await;
        let admin = gateway.client(name, "admin");
        let staff = json!({ "id": "o1", "name": "職員", "roles": ["caseworker"] });
        post(&admin, "/v1/staff", staff).await;
    }
    gateway
}

/// What the benchmark asks for.
#[derive(Clone, Copy, PartialEq)]
enum Ask {
    Empty,
    Register,
    View,
    Search,
}

async fn one(client: &Client, ask: Ask, families: &[(String, Family)], turn: usize) {
    let (record, family) = &families[turn % families.len()];
    let reply = match ask {
        Ask::Empty => client.get("/v1/session").send().await.unwrap(),
        Ask::Register => client.post("/v1/records").xml(family.to_xml()).send().await.unwrap(),
        Ask::View => client.get(&format!("/v1/records/{record}")).purpose("casework").send().await.unwrap(),
        Ask::Search => {
            let criteria = json!({ "purpose": "new_report", "case_reference": "B-1", "child_name": family.child,
                "guardian_name": family.guardian, "birth": { "on": family.birth_date } });
            client.post("/v1/searches").json(&criteria).send().await.unwrap()
        }
    };
    assert!(reply.status.is_success(), "{}", reply.text());
}

async fn measure(gateway: &Gateway, ask: Ask, clients: usize, families: &[(String, Family)]) -> Line {
    let name = if ask == Ask::Search { "far" } else { "city" };
    let all: Vec<Client> = (0..clients).map(|_| gateway.client(name, "o1")).collect();
    // Handshakes and caches first.
    futures_util::future::join_all(all.iter().enumerate().map(|(n, client)| one(client, ask, families, n))).await;
    let (cpu, journal) = (gateway.cpu(), gateway.journal().await);
    let started = Instant::now();
    let loops = all.iter().enumerate().map(|(number, client)| async move {
        let mut micros = Vec::new();
        let mut turn = number * 7_919;
        while started.elapsed().as_secs_f64() < SECONDS {
            let begun = Instant::now();
            one(client, ask, families, turn).await;
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
            turn += 1;
        }
        micros
    });
    let micros: Vec<f64> = futures_util::future::join_all(loops).await.into_iter().flatten().collect();
    let elapsed = started.elapsed().as_secs_f64();
    let (cpu, after) = (gateway.cpu() - cpu, gateway.journal().await);
    let count = micros.len() as f64;
    let mut line = line(micros, elapsed);
    line.cpu = Some(cpu / count);
    let commits = after.0 - journal.0;
    line.per_commit = (commits > 0.0).then(|| (after.1 - journal.1) / commits);
    line
}

async fn handshakes(gateway: &Gateway) -> Line {
    let cpu = gateway.cpu();
    let started = Instant::now();
    let mut micros = Vec::new();
    let client = gateway.client("city", "o1");
    while started.elapsed().as_secs_f64() < SECONDS {
        let begun = Instant::now();
        client.get("/v1/session").send().await.unwrap();
        client.disconnect().await;
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let count = micros.len() as f64;
    Line { cpu: Some((gateway.cpu() - cpu) / count), ..line(micros, started.elapsed().as_secs_f64()) }
}

async fn register_all(gateway: &Gateway) -> Vec<(String, Family)> {
    let mut people = People::seeded(42);
    let families: Vec<Family> = (0..RECORDS).map(|_| people.family(CITY)).collect();
    let clients: Vec<Client> = (0..16).map(|_| gateway.client("city", "o1")).collect();
    let each = clients.iter().zip(families.chunks(RECORDS.div_ceil(16))).map(|(client, chunk)| async move {
        let mut registered = Vec::new();
        for family in chunk {
            let reply = client.post("/v1/records").xml(family.to_xml()).send().await.unwrap();
            let body: serde_json::Value = reply.json().unwrap();
            registered.push((body["record"].as_str().unwrap().to_owned(), family.clone()));
        }
        registered
    });
    futures_util::future::join_all(each).await.into_iter().flatten().collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let gateway = start(directory.path()).await;
    let families = register_all(&gateway).await;
    println!(
        "{:<34} {:>7} {:>10} {:>10} {:>10} {:>12} {:>14}",
        "", "clients", "p50 µs", "p99 µs", "per second", "CPU µs each", "entries/commit"
    );
    let sync = fdatasync(directory.path());
    print("limit: append + fdatasync", 1, &sync);
    let commit = single_row_commit(directory.path()).await;
    print("limit: one row, one commit (SQLite)", 1, &commit);
    print("limit: handshake + empty route", 1, &handshakes(&gateway).await);
    let mut empty = Vec::new();
    let mut search = Vec::new();
    for (name, ask) in [
        ("empty authenticated route", Ask::Empty),
        ("view", Ask::View),
        ("search", Ask::Search),
        ("register", Ask::Register),
    ] {
        for clients in [1, 8, 64] {
            let line = measure(&gateway, ask, clients, &families).await;
            print(name, clients, &line);
            match ask {
                Ask::Empty => empty.push(line),
                Ask::Search => search.push(line),
                Ask::Register | Ask::View => {}
            }
        }
    }
    println!();
    let limit = empty[0].p50 + commit.p50;
    println!("search p50, 1 client / (empty route + one commit)   {:.2}   wanted ≤ 2", search[0].p50 / limit);
    println!(
        "ledger entries per commit at 64 clients              {:.1}   wanted ≥ 8",
        search[2].per_commit.unwrap_or(0.0)
    );
    let cpu = |line: &Line| line.cpu.unwrap_or(f64::NAN);
    println!(
        "server CPU, search / empty route, 64 clients         {:.2}   wanted ≤ 5",
        cpu(&search[2]) / cpu(&empty[2])
    );
}
