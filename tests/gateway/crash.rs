//! Crash test: mixed load on the real program, `kill -9` at random moments, restart; then the books are checked.
//!
//! Checked after each kill: every acknowledged registration is there, every acknowledged view and search has its
//! ledger entry, every record has one owner that an acknowledged transfer explains, and the ledger matches its head.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json as j};
use tokio::process::{Child, Command};
use tsunagi::{
    client::{Client, Reply, RequestBuilder},
    clock::Clock,
    config::Config,
    domain::organization::OrganizationCode,
    gateway::Gateway,
    store,
};
use tsunagi_testkit::{
    people::People,
    world::{OPERATOR_OFFICER, OpenedBody, Party, Premises},
};
use uuid::Uuid;

use crate::{harness::*, postgres};

const KEY: &str = "idempotency-key";

/// What callers were told, to be held against what the database says.
#[derive(Default)]
struct Books {
    /// Records acknowledged, with the key under which each was sent.
    registered: Vec<(String, Uuid)>,
    /// Entries named in answers that showed record data.
    disclosed: Vec<Uuid>,
    /// Searches that were answered.
    searched: usize,
    /// Records whose transfer to city B was acknowledged.
    taken_over: Vec<Uuid>,
    /// Records whose transfer was begun: their owner may be either.
    offered: Vec<Uuid>,
}

fn lock(books: &Mutex<Books>) -> std::sync::MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The real program, serving.
pub struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// As an operator ends it.
    pub async fn end(&mut self) {
        is_told(self.pid()).await;
        self.has_ended().await;
    }

    pub async fn has_ended(&mut self) {
        assert!(self.child.wait().await.unwrap().success());
    }

    pub async fn stop(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Asks a gateway to stop.
pub async fn is_told(pid: u32) {
    assert!(Command::new("kill").arg(pid.to_string()).status().await.unwrap().success());
}

pub async fn premises(directory: &Path) -> Premises {
    premises_with(directory, GENEROUS).await
}

pub async fn premises_with(directory: &Path, extra: &str) -> Premises {
    let database = postgres::database().await;
    Premises::create(directory, database.as_deref(), free_port(), free_port(), extra).await.unwrap()
}

pub fn operator(premises: &Premises, running: &Running) -> Client {
    client(premises, running.address, "operator", OPERATOR_OFFICER)
}

pub async fn serve(premises: &Premises, defect: Option<&str>) -> Running {
    let variables = defect.map(|defect| ("PLANTED_DEFECT", defect));
    spawn(premises, variables.as_slice(), "error", Stdio::null()).await
}

/// Serves with more variables in its environment.
pub async fn serve_with(premises: &Premises, variables: &[(&str, &str)]) -> Running {
    spawn(premises, variables, "error", Stdio::null()).await
}

/// Serves with every log line there is, into a file.
pub async fn serve_logging(premises: &Premises, log: &Path) -> Running {
    spawn(premises, &[], "trace", std::fs::File::create(log).unwrap().into()).await
}

/// Serves with libraries and variables that bring a fault about. Without a shell: a library that is loaded before the
/// program would be loaded into that first.
pub async fn serve_under(premises: &Premises, variables: &[(&str, &str)], defect: Option<&str>) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    command.args(["serve", "--config"]).arg(premises.directory.join("tsunagi.toml"));
    command.envs(variables.iter().copied()).envs(defect.map(|defect| ("PLANTED_DEFECT", defect)));
    let Config { listen, monitor_listen, .. } = premises.config;
    wait_for(command, (listen, monitor_listen), "error", Stdio::null()).await
}

async fn spawn(premises: &Premises, variables: &[(&str, &str)], level: &str, stderr: Stdio) -> Running {
    let Config { listen, monitor_listen, .. } = premises.config;
    run(&premises.directory.join("tsunagi.toml"), (listen, monitor_listen), variables, level, stderr).await
}

/// Serves what a configuration file says.
pub async fn run(
    config: &Path,
    (listen, monitor): (SocketAddr, SocketAddr),
    variables: &[(&str, &str)],
    level: &str,
    stderr: Stdio,
) -> Running {
    // A write beyond the limit of a file fails; it does not end the process.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\""])
        .arg(env!("CARGO_BIN_EXE_tsunagi"))
        .arg(config);
    command.envs(variables.iter().copied());
    wait_for(command, (listen, monitor), level, stderr).await
}

/// Starts a gateway and returns once it serves.
pub async fn wait_for(
    mut command: Command,
    (listen, monitor): (SocketAddr, SocketAddr),
    level: &str,
    stderr: Stdio,
) -> Running {
    command.env("RUST_LOG", level).stderr(stderr).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    // Not a guess at how long it takes: `/readyz` answers once the gateway serves.
    while !is_ready(monitor).await {
        assert!(child.try_wait().unwrap().is_none(), "the gateway ended");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Running { child, address: listen }
}

pub async fn is_ready(monitor: SocketAddr) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(monitor).await else { return false };
    let mut answer = Vec::new();
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.0 200")
}

/// A port that stays free while a killed gateway is away: below those that the system hands out, where another test's
/// gateway would be taken for this one.
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 1_000).unwrap();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(number < 1_000, "no port is free");
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + (process * 12 + number) % 12_000));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

pub fn client(premises: &Premises, address: SocketAddr, name: &str, officer: &str) -> Client {
    Client::new(address, &premises.credentials(name), Some(officer)).unwrap()
}

/// Connects an organization through a running gateway.
pub async fn connect(premises: &Premises, _operator: &Client, name: &str, code: &str) -> Party {
    let code = OrganizationCode::parse(code).unwrap();
    let operators = premises.operators(premises.config.listen, &Clock::system()).await.unwrap();
    let OpenedBody { serial, first } = premises.open_body(&operators, (name, &code)).await.unwrap();
    first.appoint("o1", &ALL_ROLES).await.unwrap();
    let client = client(premises, premises.config.listen, name, "o1");
    Party { code, name: name.into(), serial, officer: "o1".into(), client, first: Arc::new(first) }
}

/// Asks until there is an answer: a gateway whose database is away says 503, and the request may come again under its
/// key. `None` once the gateway is gone.
async fn answered<'a>(request: impl Fn() -> RequestBuilder<'a>) -> Option<Reply> {
    loop {
        match request().send().await {
            Err(_) => return None,
            Ok(reply) if reply.status == 503 && reply.text().contains("_unavailable") => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(reply) => return Some(reply),
        }
    }
}

/// One caller's acts until the gateway is gone.
async fn load(premises: &Premises, address: SocketAddr, seed: u64, books: &Mutex<Books>) {
    let (a, b) = (client(premises, address, "a", "o1"), client(premises, address, "b", "o1"));
    let mut people = People::seeded(seed);
    for turn in 0.. {
        let family = people.family(CITY_A);
        let key = format!("crash-{seed}-{turn}");
        let register = || a.post("/v1/records").header(KEY, &key).xml(family.to_xml());
        let Some(reply) = answered(register).await else { return };
        assert_eq!(reply.status, 201, "{}", reply.text());
        let record: Uuid = json(&reply)["record"].as_str().unwrap().parse().unwrap();
        lock(books).registered.push((key, record));
        let view = || a.get(&format!("/v1/records/{record}")).purpose("casework");
        let Some(reply) = answered(view).await else { return };
        assert_eq!(reply.status, 200, "{}", reply.text());
        lock(books).disclosed.extend(reply.entries());
        let criteria = j!({ "purpose": "casework", "case_reference": "1", "child_name": family.child,
            "guardian_name": family.guardian, "birth": { "on": family.birth_date } });
        let Some(reply) = answered(|| b.post("/v1/searches").json(&criteria)).await else { return };
        if reply.status == 200 {
            assert!(!children(&reply).is_empty(), "an acknowledged registration was not found");
            lock(books).disclosed.extend(reply.entries());
            lock(books).searched += 1;
        }
        if turn % 2 == 0 && !transfer(&a, &b, record, books).await {
            return;
        }
    }
}

/// Hands a record to city B; `false` once the gateway is gone.
async fn transfer(a: &Client, b: &Client, record: Uuid, books: &Mutex<Books>) -> bool {
    let missing = j!({ "state": "missing", "reason": "なし" });
    let offer = j!({ "record": record, "receiver": CITY_B,
        "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } });
    let offer = || a.post("/v1/transfers").header(KEY, &format!("offer-{record}")).json(&offer);
    let Some(offered) = answered(offer).await else { return false };
    assert_eq!(offered.status, 201, "{}", offered.text());
    let transfer = json(&offered)["transfer"].as_str().unwrap().to_owned();
    let confirm = || b.post(&format!("/v1/transfers/{transfer}/confirm")).header(KEY, &format!("confirm-{record}"));
    let Some(confirmed) = answered(confirm).await else { return false };
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());
    lock(books).offered.push(record);
    let take_over = || b.post(&format!("/v1/transfers/{transfer}/take-over")).header(KEY, &format!("take-{record}"));
    let Some(taken) = answered(take_over).await else { return false };
    assert_eq!(taken.status, 200, "{}", taken.text());
    lock(books).taken_over.push(record);
    true
}

/// Holds the books against the database; returns what is wrong.
async fn audit(premises: &Premises, books: &Books) -> Vec<String> {
    // Opening rebuilds the tree from the entries and holds it against the head.
    let gateway = match Gateway::open(premises.config.clone(), Clock::system()).await {
        Ok(gateway) => gateway,
        Err(error) => return vec![error.to_string()],
    };
    let mut wrong = Vec::new();
    let mut tx = gateway.store.read().await.unwrap();
    for (key, record) in &books.registered {
        match store::records::find(&mut tx, *record).await.unwrap() {
            None => wrong.push(format!("acknowledged registration lost ({key})")),
            Some(stored) => {
                let owner = stored.facts.owner.as_str();
                let possible = match (books.taken_over.contains(record), books.offered.contains(record)) {
                    (true, _) => owner == CITY_B,
                    (false, true) => owner == CITY_A || owner == CITY_B,
                    (false, false) => owner == CITY_A,
                };
                if !possible {
                    wrong.push(format!("a record has the wrong owner ({key})"));
                }
            }
        }
    }
    let entries = store::ledger::entries_from(&mut tx, &premises.config.node, 0, u32::MAX).await.unwrap();
    let entries: HashSet<Uuid> = entries.into_iter().map(|entry| entry.id).collect();
    if !books.disclosed.iter().all(|entry| entries.contains(entry)) {
        wrong.push("a disclosure without its entry".into());
    }
    drop(tx);
    gateway.store.close().await;
    wrong
}

/// Kills the gateway so many times, and with a server of its own at every second time PostgreSQL first; returns what
/// was wrong in the end.
async fn crash(
    kills: usize,
    seed: usize,
    mut server: Option<postgres::Server>,
    defect: Option<&str>,
) -> (Vec<String>, Books) {
    let directory = tempfile::tempdir().unwrap();
    let premises = Arc::new(match &server {
        None => premises(directory.path()).await,
        Some(server) => {
            let url = server.new_database().await;
            Premises::create(directory.path(), Some(&url), free_port(), free_port(), GENEROUS).await.unwrap()
        }
    });
    let books = Arc::new(Mutex::new(Books::default()));
    let mut running = serve(&premises, None).await;
    let operator = operator(&premises, &running);
    connect(&premises, &operator, "a", CITY_A).await;
    connect(&premises, &operator, "b", CITY_B).await;
    let mut random = 0x2545_F491_4F6C_DD1D_u64 ^ seed as u64;
    for kill in 0..kills {
        running.child.kill().await.unwrap();
        running = serve(&premises, defect).await;
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                let (premises, books, address) = (premises.clone(), books.clone(), running.address);
                let seed = (kill * 10 + caller) as u64;
                tokio::spawn(async move { load(&premises, address, seed, &books).await })
            })
            .collect();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Under load: the first call has come through, and every fourth time a whole transfer. A machine that is busy with
        // other tests may take its time.
        let done = || match kill % 4 {
            0 => lock(&books).taken_over.len(),
            _ => lock(&books).registered.len(),
        };
        let (before, patience) = (done(), std::time::Instant::now());
        while done() == before && patience.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // The random moment of the kill: nothing waits for it.
        tokio::time::sleep(Duration::from_micros(60_000 + random % 240_000)).await;
        match server.as_mut().filter(|_| kill % 2 == 1 || defect.is_some()) {
            Some(server) => {
                server.kill().await;
                if defect.is_some() {
                    // Nobody may repair by retrying what the server forgot.
                    running.child.kill().await.unwrap();
                }
                server.start().await;
                if defect.is_none() {
                    // The gateway goes on by itself.
                    let before = lock(&books).registered.len();
                    let patience = std::time::Instant::now();
                    while lock(&books).registered.len() < before + 8 && patience.elapsed() < Duration::from_secs(60) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    if lock(&books).registered.len() < before + 8 {
                        return (vec!["the gateway did not come back with its database".into()], Books::default());
                    }
                    running.child.kill().await.unwrap();
                }
            }
            None => running.child.kill().await.unwrap(),
        }
        let mut wrong = Vec::new();
        for caller in callers {
            // A caller stops in a panic where an answer was untrue.
            if caller.await.is_err() {
                wrong.push("an answer was untrue".to_owned());
            }
        }
        let noted = std::mem::take(&mut *lock(&books));
        wrong.extend(audit(&premises, &noted).await);
        *lock(&books) = noted;
        if !wrong.is_empty() {
            return (
                wrong,
                Arc::into_inner(books).unwrap().into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
            );
        }
        running = serve(&premises, None).await;
        retry_last(&premises, running.address, &books).await;
    }
    (Vec::new(), Arc::into_inner(books).unwrap().into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// A client that got no answer sends again under its key: there is one record, not two.
async fn retry_last(premises: &Premises, address: SocketAddr, books: &Mutex<Books>) {
    let Some((key, record)) = lock(books).registered.last().cloned() else { return };
    let mut parts = key.split('-').skip(1).map(|part| part.parse::<u64>().unwrap());
    let (seed, turn) = (parts.next().unwrap(), parts.next().unwrap());
    let mut people = People::seeded(seed);
    let family = (0..=turn).map(|_| people.family(CITY_A)).last().unwrap();
    let client = client(premises, address, "a", "o1");
    let again = client.post("/v1/records").header(KEY, &key).xml(family.to_xml()).send().await.unwrap();
    assert_eq!((again.status.as_u16(), &json(&again)["record"]), (201, &Value::String(record.to_string())));
}

/// Kills of one database: a ledger that grows makes each start longer, and the test no better.
const KILLS_OF_ONE: usize = 100;

/// As many kills as `KILLS` says, 50 where it says nothing. Every hundred begin with an empty database.
async fn crashes(kills_server: bool) {
    let kills = std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let mut done = 0;
    let (mut registered, mut disclosed, mut taken_over) = (0, 0, 0);
    while done < kills {
        let count = KILLS_OF_ONE.min(kills - done);
        let server = if kills_server { postgres::Server::of_its_own().await } else { None };
        if kills_server && server.is_none() {
            return;
        }
        let (wrong, books) = crash(count, done, server, None).await;
        assert!(wrong.is_empty(), "{wrong:?}");
        let some = [books.registered.len(), books.disclosed.len(), books.searched, books.taken_over.len()];
        assert!(
            some[0] > count && some[1] > count && some[2] > 0 && some[3] > 0,
            "too little was done to lose anything: {some:?}"
        );
        done += count;
        registered += books.registered.len();
        disclosed += books.disclosed.len();
        taken_over += books.taken_over.len();
        println!(
            "{done} kills: {registered} registrations, {disclosed} entries, {taken_over} transfers; nothing lost, \
             nothing unlogged"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_disclosed_is_unlogged() {
    crashes(false).await;
}

/// The same with a PostgreSQL server that is killed as well.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_database_is_killed_too() {
    crashes(true).await;
}

/// The twin: a gateway that does not wait for the server's flush loses what it acknowledged, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn commits_that_were_not_flushed_are_caught() {
    let Some(server) = postgres::Server::of_its_own().await else { return };
    let (wrong, _) = crash(20, 0, Some(server), Some("unflushed-commits")).await;
    let is_loss = |wrong: &String| ["lost", "without its entry", "wrong owner"].iter().any(|loss| wrong.contains(loss));
    assert!(wrong.iter().any(is_loss), "{wrong:?}");
}

/// The twin: a gateway that answers before it commits is caught.
#[tokio::test(flavor = "multi_thread")]
async fn answering_before_the_commit_is_caught() {
    let (wrong, _) = crash(20, 0, None, Some("answer-before-commit")).await;
    assert!(!wrong.is_empty(), "a planted defect went unnoticed");
}
