//! The gateway as a process of its own: this program, told to serve. It takes it to be nine in the morning in Japan:
//! at night the watch would tell of a few searches already.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tsunagi::{cli::serve::log_to_stderr, client::Client, clock::Clock, config::Config, server::start::Server};
use tsunagi_testkit::world::Premises;

/// Names the configuration file in the environment of the child.
pub const SERVE: &str = "BENCH_SERVE";
/// Calls without a pause, on connections that wait for their turn; the allowances of searches are as they come.
const LIMITS: &str = "[limits]\nheader_seconds = 3600\nterminal_per_second = 1000000\nterminal_burst = 1000000\n\
officer_per_second = 1000000\nofficer_burst = 1000000\n";
const HOUR: i64 = 3_600_000_000;
const MORNING: i64 = 9 * HOUR;
/// Japan is so far ahead of UTC.
const AHEAD: i64 = 9 * HOUR;

pub struct Gateway {
    pub premises: Premises,
    child: Child,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The clock by which the gateway, and the devices of those who sign in, take it to be nine in the morning.
pub fn morning() -> Clock {
    let clock = Clock::system();
    let of_day = (clock.now().as_micros() + AHEAD).rem_euclid(24 * HOUR);
    clock.advance(time::Duration::microseconds((MORNING - of_day).rem_euclid(24 * HOUR)));
    clock
}

/// Serves until it is killed.
pub fn serve(config: &Path) {
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config::load(config, std::iter::empty()).unwrap();
        let _server = Server::start(config, morning()).await.unwrap();
        std::future::pending::<()>().await;
    });
}

impl Gateway {
    /// With a new SQLite file in the directory, or the empty PostgreSQL database of a URL.
    pub async fn start(directory: &Path, database: Option<&str>) -> Self {
        let premises = Premises::create(directory, database, free_port(), free_port(), LIMITS).await.unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .env(SERVE, directory.join("tsunagi.toml"))
            .env("RUST_LOG", "error")
            .spawn()
            .unwrap();
        while get(premises.config.monitor_listen, "/readyz").await.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { premises, child }
    }

    pub fn client(&self, name: &str, officer: &str) -> Client {
        Client::new(self.premises.config.listen, &self.premises.credentials(name), Some(officer)).unwrap()
    }

    /// Microseconds of CPU that the server has used.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks * 10_000.0
    }

    /// Commits and ledger entries since the start.
    pub async fn journal(&self) -> (f64, f64) {
        let text = get(self.premises.config.monitor_listen, "/metrics").await.unwrap();
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap().parse().unwrap();
        (value("tsunagi_journal_commits"), value("tsunagi_journal_entries"))
    }

    /// Bytes of SQLite's write-ahead log; `None` with PostgreSQL.
    pub fn log_bytes(&self) -> Option<u64> {
        let file = self.premises.config.database_file()?.display().to_string();
        std::fs::metadata(format!("{file}-wal")).ok().map(|file| file.len())
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
