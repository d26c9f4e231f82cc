//! The machine is gone: what was acknowledged comes back from a base copy and the stream, and damage is reported with
//! its place.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::json as j;
use tempfile::TempDir;
use tokio::process::Command;
use tsunagi::{
    client::Client,
    clock::Clock,
    domain::organization::OrganizationCode,
    gateway::Gateway,
    ledger::checkpoint::{Checkpoint, PublicKey},
    store,
};
use tsunagi_testkit::{
    people::People,
    world::{Party, Premises},
};
use uuid::Uuid;

use crate::{at_rest, crash, harness::*};

/// A gateway whose data lie on one host and whose stream on another: two directories.
struct Site {
    data: TempDir,
    away: TempDir,
    premises: Premises,
}

impl Site {
    async fn new() -> Self {
        Self::with_stream(true).await
    }

    async fn with_stream(has_stream: bool) -> Self {
        let (data, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let stream = away.path().join("stream");
        fs::create_dir(&stream).unwrap();
        let section = format!("[backup]\nstream = \"{}\"\n", stream.display());
        let premises =
            crash::premises_with(data.path(), &format!("{GENEROUS}{}", if has_stream { &section } else { "" })).await;
        // Keys and configuration are kept elsewhere too; here, away from the data.
        for name in ["keyring.toml", "keyring.toml.shreds", "tsunagi.toml"] {
            fs::copy(data.path().join(name), away.path().join(name)).unwrap();
        }
        Self { data, away, premises }
    }

    fn stream(&self) -> PathBuf {
        self.away.path().join("stream")
    }

    fn copies(&self) -> PathBuf {
        self.away.path().join("copies")
    }

    fn database(&self) -> PathBuf {
        self.data.path().join("tsunagi.db")
    }

    /// What a `tsunagi` command says.
    async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        command.args(arguments).arg("--config").arg(self.premises.directory.join("tsunagi.toml"));
        command.output().await.unwrap()
    }

    async fn backup(&self) -> String {
        succeeded(&self.command(&["backup", "--to", self.copies().to_str().unwrap()]).await)
    }

    /// Everything on the host is gone but for its name: keys and configuration come back from where they are kept.
    fn destroy(&self) {
        for entry in fs::read_dir(self.data.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
        for name in ["keyring.toml", "keyring.toml.shreds", "tsunagi.toml"] {
            fs::copy(self.away.path().join(name), self.data.path().join(name)).unwrap();
        }
    }

    /// Restores, and says what is missing of what was acknowledged.
    async fn lost(&self, acknowledged: &[Uuid], checkpoint: Option<&Checkpoint>) -> Vec<String> {
        let gateway = Gateway::open(self.premises.config.clone(), Clock::system()).await.unwrap();
        let mut lost = Vec::new();
        let mut tx = gateway.store.read().await.unwrap();
        for record in acknowledged {
            if store::records::find(&mut tx, *record).await.unwrap().is_none() {
                lost.push(format!("record {record}"));
            }
        }
        if let Some(checkpoint) = checkpoint {
            let root = gateway.journal.memory().tree.read().unwrap().root_at(checkpoint.size);
            if root != Some(checkpoint.root) {
                lost.push(format!("the signed head of {} entries", checkpoint.size));
            }
        }
        drop(tx);
        gateway.store.close().await;
        lost
    }

    /// The line that the gateway writes now.
    fn line(&self) -> PathBuf {
        let mut lines: Vec<_> =
            fs::read_dir(self.stream()).unwrap().map(|e| e.unwrap().path()).filter(|path| path.is_dir()).collect();
        lines.sort();
        lines.pop().unwrap()
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.line()).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "batches"));
        files.sort();
        files
    }
}

fn succeeded(output: &Output) -> String {
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    told
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "it was not refused: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Registers until the gateway is gone; notes each record that was acknowledged.
async fn load(client: Client, seed: u64, acknowledged: Arc<Mutex<Vec<Uuid>>>) {
    let mut people = People::seeded(seed);
    loop {
        let Ok(reply) = client.post("/v1/records").xml(people.family(CITY_A).to_xml()).send().await else { return };
        assert_eq!(reply.status, 201, "{}", reply.text());
        let record = json(&reply)["record"].as_str().unwrap().parse().unwrap();
        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

async fn checkpoint(client: &Client) -> Checkpoint {
    let key = client.get("/v1/ledger/key").send().await.unwrap();
    let text = client.get("/v1/ledger/checkpoint").send().await.unwrap();
    Checkpoint::verify(&text.text(), &PublicKey::parse(key.text().trim()).unwrap()).unwrap()
}

/// Writes under load, with a base copy meanwhile, besides the stream or as its new base; kills, destroys, restores.
/// Returns what was lost.
async fn disaster(seed: u64, defect: Option<&str>) -> Vec<String> {
    let site = Site::new().await;
    let mut running = crash::serve(&site.premises, defect).await;
    let city = the_city(&site, &running).await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let count = || acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len();
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let client = Client::new(site.premises.config.listen, &site.premises.credentials("a"), Some("o1")).unwrap();
            tokio::spawn(load(client, seed * 10 + caller, acknowledged.clone()))
        })
        .collect();
    let writes = number("WRITES", 10);
    until(|| count() > writes).await;
    let copied = match seed % 3 {
        2 => succeeded(&site.command(&["backup"]).await),
        _ => site.backup().await,
    };
    let since = count();
    until(|| count() > since + writes).await;
    let signed = checkpoint(&city.client).await;
    until(|| count() > since + writes + 10).await;
    running.stop().await;
    for caller in callers {
        caller.await.unwrap();
    }
    site.destroy();
    let started = Instant::now();
    let told = match seed % 3 {
        1 => site.command(&["restore", "--from", site.copies().to_str().unwrap()]).await,
        _ => site.command(&["restore"]).await,
    };
    let told = succeeded(&told);
    let seconds = started.elapsed().as_secs_f64();
    let bytes = fs::metadata(site.database()).unwrap().len();
    let streamed: u64 = site.segments().iter().map(|segment| fs::metadata(segment).unwrap().len()).sum();
    for said in ["records: ", "ledger of node-1: ", "last acknowledged write: 20"] {
        assert!(told.contains(said), "{told}");
    }
    assert!(copied.contains("ledger of node-1: at least"), "{copied}");
    let acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let lost = site.lost(&acknowledged, Some(&signed)).await;
    let per_gib = seconds * f64::from(1 << 30) / bytes as f64;
    println!(
        "{} writes acknowledged, {} lost, {streamed} bytes of stream, {bytes} bytes restored in {seconds:.1} s \
         ({per_gib:.0} s per GiB)",
        acknowledged.len(),
        lost.len()
    );
    lost
}

/// A number that `make restore-test` may set.
fn number<T: std::str::FromStr>(variable: &str, default: T) -> T {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

async fn until(holds: impl Fn() -> bool) {
    let patience = Instant::now();
    while !holds() {
        assert!(patience.elapsed() < Duration::from_secs(300), "it does not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_with_the_machine() {
    for seed in 0..number("RESTORES", 3) {
        assert_eq!(disaster(seed, None).await, Vec::<String>::new());
    }
}

/// The twin: a gateway that answers before the batch is streamed loses the last one with the machine.
#[tokio::test(flavor = "multi_thread")]
async fn answering_before_the_stream_is_caught() {
    // The moment is a short one: it is tried until it is met.
    for seed in 0..30 {
        if !disaster(seed, Some("answer-before-stream")).await.is_empty() {
            return;
        }
    }
    panic!("a planted defect went unnoticed");
}

/// A site with some records, stopped in good order, and then without its data.
async fn destroyed() -> (Site, Vec<Uuid>) {
    let site = Site::new().await;
    let records = some_records(&site, 1).await;
    site.destroy();
    (site, records)
}

/// The city at a gateway that runs, connected where it is not yet.
async fn the_city(site: &Site, running: &crash::Running) -> Party {
    let credentials = site.premises.credentials("a");
    if !credentials.directory.join("a.crt").exists() {
        return crash::connect(&site.premises, &crash::operator(&site.premises, running), "a", CITY_A).await;
    }
    Party {
        code: OrganizationCode::parse(CITY_A).unwrap(),
        name: "a".into(),
        serial: String::new(),
        officer: "o1".into(),
        client: Client::new(site.premises.config.listen, &credentials, Some("o1")).unwrap(),
        first: Arc::new(site.premises.first_persons(
            site.premises.config.listen,
            &Clock::system(),
            ("a", &OrganizationCode::parse(CITY_A).unwrap()),
        )),
    }
}

/// Serves, registers three children, stops in good order; so many times.
async fn some_records(site: &Site, times: usize) -> Vec<Uuid> {
    let mut records = Vec::new();
    for _ in 0..times {
        let mut running = crash::serve(&site.premises, None).await;
        let city = the_city(site, &running).await;
        for _ in 0..3 {
            records.push(register(&city, &family(CITY_A)).await.parse().unwrap());
        }
        running.end().await;
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_goes_on_over_stops_and_kills_and_restores_whole() {
    let site = Site::new().await;
    let first = site.line();
    let mut records = some_records(&site, 2).await;
    assert_eq!(site.line(), first, "a graceful stop begins no new line");
    let mut running = crash::serve(&site.premises, None).await;
    let city = the_city(&site, &running).await;
    records.push(register(&city, &family(CITY_A)).await.parse().unwrap());
    running.stop().await;
    let mut running = crash::serve(&site.premises, None).await;
    assert_eq!(site.line(), first, "nor does a kill");
    running.end().await;
    // Renewed, the line holds less and says as much.
    let told = succeeded(&site.command(&["backup"]).await);
    assert!(told.contains("removed from the stream"), "{told}");
    let mut running = crash::serve(&site.premises, None).await;
    let city = the_city(&site, &running).await;
    records.push(register(&city, &family(CITY_A)).await.parse().unwrap());
    running.end().await;
    site.destroy();
    succeeded(&site.command(&["restore"]).await);
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
    assert_ne!(site.line(), first, "what is written to a restored database belongs to a new line");
}

/// Somebody wrote to the database while the gateway was away: the line does not go on as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_misses_something_is_not_continued() {
    let site = Site::new().await;
    let mut records = some_records(&site, 1).await;
    let first = site.line();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", site.database().display())).await.unwrap();
    sqlx::query("UPDATE ledger_heads SET at = at + 1").execute(&pool).await.unwrap();
    pool.close().await;
    records.extend(some_records(&site, 1).await);
    assert_ne!(site.line(), first);
    site.destroy();
    succeeded(&site.command(&["restore"]).await);
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
}

/// An older copy of the database is not served beside a stream that knows more.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_is_not_served() {
    let site = Site::new().await;
    some_records(&site, 1).await;
    let older = fs::read(site.database()).unwrap();
    some_records(&site, 1).await;
    fs::write(site.database(), older).unwrap();
    let served = site.command(&["serve"]).await;
    let told = refused(&served);
    assert!(told.contains("older copy") && told.contains("tsunagi restore"), "{told}");
}

/// Nor an empty one: the next base copy would throw away what the stream holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_not_served_beside_a_stream_that_holds_a_ledger() {
    let site = Site::new().await;
    let records = some_records(&site, 1).await;
    for suffix in ["", "-wal", "-shm"] {
        let mut path = site.database().into_os_string();
        path.push(suffix);
        let _ = fs::remove_file(path);
    }
    let told = refused(&site.command(&["serve"]).await);
    assert!(told.contains("another database") && told.contains("tsunagi restore"), "{told}");
    // Nor where the end of the stream is damaged.
    let segment = site.segments().pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&segment, damaged).unwrap();
    let told = refused(&site.command(&["serve"]).await);
    assert!(told.contains("another database"), "{told}");
    fs::write(&segment, whole).unwrap();
    site.destroy();
    succeeded(&site.command(&["restore"]).await);
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
}

/// A base copy that is cut short leaves the database what it is: the next start makes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_whose_base_copy_was_not_finished_is_begun_again() {
    let site = Site::new().await;
    let records = some_records(&site, 1).await;
    let first = site.line();
    site.destroy();
    succeeded(&site.command(&["restore"]).await);
    // The restored database begins a line of its own, for whose base copy there is no room.
    let mut command = Command::new("prlimit");
    command.args(["--fsize=65536", env!("CARGO_BIN_EXE_tsunagi"), "serve", "--config"]);
    let stopped = command.arg(site.premises.directory.join("tsunagi.toml")).output().await.unwrap();
    assert!(!stopped.status.success());
    let unfinished = site.line();
    assert!(unfinished != first && !unfinished.join("base").exists());
    some_records(&site, 1).await;
    assert!(site.line() != unfinished && site.line().join("base").exists());
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
}

/// A master key that the stream needs is not retired, whatever the database needs. With a new base copy none does.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_of_the_stream_stays_until_a_new_base_copy_covers_it() {
    let site = Site::new().await;
    some_records(&site, 1).await;
    let mut running = crash::serve(&site.premises, None).await;
    let operator = crash::operator(&site.premises, &running);
    let city = the_city(&site, &running).await;
    register(&city, &family(CITY_A)).await;
    succeeded(&site.command(&["keys", "rotate"]).await);
    assert_eq!(operator.post("/v1/keys/rewraps").send().await.unwrap().status, 202);
    while json(&operator.get("/v1/keys").send().await.unwrap())["rewrap"]["finished_at"].is_null() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let operators = site.premises.operators(site.premises.config.listen, &Clock::system()).await.unwrap();
    let retired = async || {
        operators.both("/v1/keys/retirement-requests", &serde_json::Value::Null).await.unwrap();
        let reply = operators.administrator.post("/v1/keys/retirements", &serde_json::Value::Null).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let keys = json(&reply);
        (keys["masters"].clone(), keys["masters_of_stream"].clone())
    };
    assert_eq!(retired().await, (serde_json::json!([1, 2]), serde_json::json!([1, 2])));
    succeeded(&site.command(&["backup"]).await);
    assert_eq!(retired().await, (serde_json::json!([2]), serde_json::json!([2])));
    running.stop().await;
    // It starts, and it restores.
    let records = some_records(&site, 1).await;
    fs::copy(site.data.path().join("keyring.toml"), site.away.path().join("keyring.toml")).unwrap();
    site.destroy();
    succeeded(&site.command(&["restore"]).await);
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_writes_over_nothing_and_needs_the_keyring() {
    let (site, _) = destroyed().await;
    fs::write(site.database(), b"something").unwrap();
    let told = refused(&site.command(&["restore"]).await);
    assert!(told.contains("exists already"), "{told}");
    assert_eq!(fs::read(site.database()).unwrap(), b"something");
    fs::remove_file(site.database()).unwrap();
    let keyring = site.data.path().join("keyring.toml");
    fs::remove_file(&keyring).unwrap();
    fs::remove_file(site.data.path().join("keyring.toml.shreds")).unwrap();
    tsunagi::keys::keyring::Keyring::create(&keyring, None).unwrap();
    let told = refused(&site.command(&["restore"]).await);
    assert!(told.contains("another keyring"), "{told}");
    assert!(!site.database().exists());
}

/// Each kind of damage to a stream is refused with its place and what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_stream_is_refused_with_its_place() {
    let site = Site::new().await;
    some_records(&site, 3).await;
    site.destroy();
    let segments = site.segments();
    assert!(segments.len() >= 3, "{segments:?}");
    let [first, second, ..] = segments.as_slice() else { panic!("{segments:?}") };
    let base = site.line().join("base");
    type Damage<'a> = Box<dyn Fn() + 'a>;
    let altered = |path: &Path, at: fn(usize) -> usize| {
        let mut bytes = fs::read(path).unwrap();
        let at = at(bytes.len());
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let cases: Vec<(&str, &Path, Damage<'_>, &[&str])> = vec![
        (
            "a changed part",
            second,
            Box::new(|| altered(second, |length| length / 2)),
            &["byte ", "batch ", "--until-batch"],
        ),
        ("a changed head", second, Box::new(|| altered(second, |_| 84)), &["byte 82", "--until-batch"]),
        (
            "a file that is gone",
            second,
            Box::new(|| fs::remove_file(second).unwrap()),
            &["are missing", "--until-batch"],
        ),
        (
            "a file that ends early",
            first,
            Box::new(|| {
                let length = fs::metadata(first).unwrap().len();
                fs::OpenOptions::new().write(true).open(first).unwrap().set_len(length - 1).unwrap();
            }),
            &["are missing"],
        ),
        (
            "files that were exchanged",
            second,
            Box::new(|| {
                let aside = fs::read(first).unwrap();
                fs::copy(second, first).unwrap();
                fs::write(second, aside).unwrap();
            }),
            &["for another place"],
        ),
        (
            "a changed base copy",
            &base,
            Box::new(|| altered(&base, |length| length / 2)),
            &["byte ", "another base copy"],
        ),
        (
            "a base copy that ends early",
            &base,
            Box::new(|| {
                let length = fs::metadata(&base).unwrap().len();
                fs::OpenOptions::new().write(true).open(&base).unwrap().set_len(length - 9).unwrap();
            }),
            &["ends early", "another base copy"],
        ),
    ];
    for (name, _, damage, said) in &cases {
        let kept: Vec<_> = [first, second, &base].map(|path| (path.clone(), fs::read(path).unwrap())).into();
        damage();
        let told = refused(&site.command(&["restore"]).await);
        for said in *said {
            assert!(told.contains(said), "{name}: {told}");
        }
        assert!(!site.database().exists(), "{name}");
        for (path, bytes) in kept {
            fs::write(path, bytes).unwrap();
        }
    }
    // The twin: undamaged, the same restores; and up to a batch, where somebody says so.
    succeeded(&site.command(&["restore"]).await);
    site.destroy();
    let told = succeeded(&site.command(&["restore", "--until-batch", "2"]).await);
    assert!(told.contains("the last is 2"), "{told}");
}

/// A part that was cut out of the middle of a file and a part of another line do not pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_line_is_foreign() {
    let (site, _) = destroyed().await;
    let (other, _) = destroyed().await;
    fs::copy(other.segments().first().unwrap(), site.segments().first().unwrap()).unwrap();
    let told = refused(&site.command(&["restore"]).await);
    assert!(told.contains("another keyring, or for another place"), "{told}");
}

/// One more each time that SQLite begins its log anew.
fn log_sequence(site: &Site) -> u32 {
    let wal = fs::read(site.data.path().join("tsunagi.db-wal")).unwrap();
    u32::from_be_bytes(wal[16..20].try_into().unwrap())
}

/// The other host's disk is full: nothing is acknowledged and nothing disclosed, `/readyz` says so, and once there is
/// room the write that was in doubt is there, once; also where the gateway was killed in between.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_stream_nothing_is_acknowledged_and_it_recovers() {
    let site = Site::new().await;
    let mut running = crash::serve(&site.premises, None).await;
    let city = the_city(&site, &running).await;
    let mut records: Vec<Uuid> = Vec::new();
    // No file may grow beyond what the stream's is now. The log of the database has begun anew, and is shorter.
    let began = log_sequence(&site);
    while log_sequence(&site) == began {
        records.push(register(&city, &family(CITY_A)).await.parse().unwrap());
    }
    let full = fs::metadata(site.segments().last().unwrap()).unwrap().len();
    limit(&running, &format!("{full}:unlimited")).await;
    let mut in_doubt = family(CITY_A);
    in_doubt.child = "高橋　疑子".into();
    let write = |key: &'static str| {
        city.client.post("/v1/records").header("idempotency-key", key).xml(in_doubt.to_xml()).send()
    };
    for _ in 0..2 {
        assert_refused(&write("in-doubt").await.unwrap(), 503, "journal_unavailable");
        let viewed = view(&city, &records[0].to_string()).await;
        assert_refused(&viewed, 503, "journal_unavailable");
    }
    assert!(!crash::is_ready(site.premises.config.monitor_listen).await, "/readyz says so");
    limit(&running, "unlimited").await;
    let acknowledged = write("in-doubt").await.unwrap();
    assert_eq!(acknowledged.status, 201, "{}", acknowledged.text());
    records.push(json(&acknowledged)["record"].as_str().unwrap().parse().unwrap());
    assert!(crash::is_ready(site.premises.config.monitor_listen).await);
    let found = search(&city, j!({ "child_name": "疑子" })).await;
    assert_eq!(children(&found).len(), 1, "once");
    // Again, and this time the gateway dies in doubt: the next one streams what was committed before it serves.
    let full = fs::metadata(site.segments().last().unwrap()).unwrap().len();
    limit(&running, &format!("{full}:unlimited")).await;
    assert_refused(&write("in-doubt-at-the-end").await.unwrap(), 503, "journal_unavailable");
    running.stop().await;
    let line = site.line();
    let mut running = crash::serve(&site.premises, None).await;
    assert_eq!(site.line(), line, "the line goes on");
    let again = the_city(&site, &running).await;
    let found = search(&again, j!({ "child_name": "疑子" })).await;
    assert_eq!(children(&found).len(), 2);
    running.stop().await;
    site.destroy();
    let told = succeeded(&site.command(&["restore"]).await);
    assert!(told.contains(&format!("records: {}", records.len() + 1)), "{told}");
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
}

/// The log is moved away under a gateway that runs: what it commits then is nowhere but in a file without a name.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_log_is_not_acknowledged() {
    let site = Site::new().await;
    let mut running = crash::serve(&site.premises, None).await;
    let city = the_city(&site, &running).await;
    register(&city, &family(CITY_A)).await;
    let (log, aside) = (site.data.path().join("tsunagi.db-wal"), site.data.path().join("aside"));
    fs::rename(&log, &aside).unwrap();
    let write = || {
        city.client.post("/v1/records").header("idempotency-key", "log-was-moved").xml(family(CITY_A).to_xml()).send()
    };
    for _ in 0..2 {
        assert_refused(&write().await.unwrap(), 503, "journal_unavailable");
    }
    fs::rename(&aside, &log).unwrap();
    let acknowledged = write().await.unwrap();
    assert_eq!(acknowledged.status, 201, "{}", acknowledged.text());
    running.stop().await;
}

/// Two copies at once would write one file, and remove what the other one covers.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_backup_waits_for_nobody_and_ruins_nothing() {
    let (site, mut records) = (Site::new().await, Vec::new());
    records.extend(some_records(&site, 1).await);
    let base = fs::read(site.line().join("base")).unwrap();
    let other = fs::File::create(site.stream().join("renewing")).unwrap();
    other.try_lock().unwrap();
    let told = refused(&site.command(&["backup"]).await);
    assert!(told.contains("renewing"), "{told}");
    assert_eq!(fs::read(site.line().join("base")).unwrap(), base);
    drop(other);
    succeeded(&site.command(&["backup"]).await);
    assert_ne!(fs::read(site.line().join("base")).unwrap(), base);
    site.destroy();
    succeeded(&site.command(&["restore"]).await);
    assert_eq!(site.lost(&records, None).await, Vec::<String>::new());
}

/// No file of a gateway may grow beyond this.
async fn limit(running: &crash::Running, bytes: &str) {
    let (pid, limit) = (running.pid().to_string(), format!("--fsize={bytes}"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().await.unwrap().success());
}

/// A gateway does not serve while its stream is not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_does_not_start_without_its_stream() {
    let site = Site::new().await;
    let aside = site.away.path().join("aside");
    fs::rename(site.stream(), &aside).unwrap();
    let told = refused(&site.command(&["serve"]).await);
    assert!(told.contains("stream") && told.contains("No such file"), "{told}");
    fs::rename(&aside, site.stream()).unwrap();
    let mut running = crash::serve(&site.premises, None).await;
    // Nor does a second one write into it.
    let config = fs::read_to_string(site.premises.directory.join("tsunagi.toml")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let moved = other.path().join("other.db");
    let config = config.replace(&site.database().display().to_string(), &moved.display().to_string());
    fs::write(other.path().join("tsunagi.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    command.args(["serve", "--config"]).arg(other.path().join("tsunagi.toml"));
    let second = command.env("TSUNAGI_LISTEN", "127.0.0.1:0").env("TSUNAGI_MONITOR_LISTEN", "127.0.0.1:0");
    let told = refused(&second.output().await.unwrap());
    assert!(told.contains("another process holds this lock"), "{told}");
    running.end().await;
}

/// Without a stream, a base copy is what there is; a snapshot that knows more than the restored database is not
/// believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_copy_alone_restores_its_moment_and_no_snapshot_of_a_later_one() {
    let site = Site::with_stream(false).await;
    let before = some_records(&site, 1).await;
    let mut running = crash::serve(&site.premises, None).await;
    site.backup().await;
    running.end().await;
    let after = some_records(&site, 1).await;
    let snapshot = site.data.path().join("tsunagi.db.snapshot");
    let kept = fs::read(&snapshot).unwrap();
    site.destroy();
    fs::write(&snapshot, kept).unwrap();
    let told = succeeded(&site.command(&["restore", "--from", site.copies().to_str().unwrap()]).await);
    assert!(told.contains("this is the state of the base copy") && told.contains("records: 3"), "{told}");
    let gateway = Gateway::open(site.premises.config.clone(), Clock::system()).await.unwrap();
    assert!(!gateway.from_snapshot, "a snapshot of what was lost is not believed");
    assert_eq!(gateway.journal.memory().index.len(), 3);
    gateway.store.close().await;
    drop(gateway);
    assert_eq!(site.lost(&before, None).await, Vec::<String>::new());
    assert_eq!(site.lost(&after, None).await.len(), 3, "the twin: what is not in the copy is missed");
}

/// A stolen backup tells nothing: no name, and not even which organizations there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_backup_tells_nothing() {
    let site = Site::new().await;
    let mut running = crash::serve(&site.premises, None).await;
    let city = the_city(&site, &running).await;
    let mut planted = family(CITY_A);
    (planted.child, planted.guardian) = (at_rest::PLANTED[0].into(), at_rest::PLANTED[2].into());
    register(&city, &planted).await;
    site.backup().await;
    for directory in [site.line(), site.copies()] {
        assert!(fs::read_dir(&directory).unwrap().count() > 0);
        for text in at_rest::PLANTED.iter().copied().chain([CITY_A, "registered_at", "SQLite format"]) {
            assert_eq!(at_rest::holders(&directory, text), Vec::<String>::new(), "{text}");
        }
        for entry in fs::read_dir(&directory).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "for its owner alone");
        }
    }
    // The twin: the database itself holds what is in the clear there.
    assert!(!at_rest::holders(site.data.path(), CITY_A).is_empty());
    running.end().await;
}
