//! Witnesses over real mutual TLS: what they sign, what they refuse, and that a gateway which was set back or rewritten
//! does not serve.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use tsunagi::{
    cli::{
        ledger::bundle::{BundleRefuted, verify_bundle},
        witness::create_key,
    },
    clock::Clock,
    config::Config,
    domain::organization::OrganizationCode,
    keys::keyring::Keyring,
    ledger::{
        bundle::BundleError,
        checkpoint::{Checkpoint, Signer},
        cosignature::TrustPolicy,
        merkle::{Hash, MerkleTree, leaf_hash},
    },
    node::open::lock,
    publish::client::{WitnessAnswer, WitnessClient},
    store::{self, reading},
    witness::{
        request::AddCheckpoint,
        serve::{WitnessConfig, WitnessServer, WitnessTls},
    },
};
use tsunagi_testkit::{
    pki::{Authority, Flaw},
    world::{Premises, World, WorldError},
};

use crate::harness::*;

/// Long enough for a loaded machine; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until it is so.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Premises of a gateway that is stopped and started again, and its witnesses.
struct House {
    directory: tempfile::TempDir,
    config: Config,
}

impl House {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let premises = Premises::create(directory.path(), None, any, any, GENEROUS).await.unwrap();
        let mut config = premises.config.clone();
        premises.authority.issue_terminal("to-witnesses", &OrganizationCode::operator(), Flaw::None).unwrap();
        config.ledger.publish_seconds = 1;
        config.ledger.witness_seconds = 5;
        config.ledger.certificate = Some(directory.path().join("certs/to-witnesses.crt"));
        config.ledger.key = Some(directory.path().join("certs/to-witnesses.key"));
        Self { directory, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self, origin: &str) -> Signer {
        Signer::from_seed(origin, Keyring::load(&self.config.keyring).unwrap().checkpoint_seed()).unwrap()
    }

    /// Key, state directory and configuration of a witness that knows this log.
    fn witness(&self, name: &str) -> (WitnessConfig, String) {
        let state = self.path(&format!("state-{name}"));
        fs::create_dir(&state).unwrap();
        let key = self.path(&format!("{name}.key"));
        let vkey = create_key(&key, &format!("witness.example/{name}")).unwrap();
        let tls = WitnessTls {
            certificate: self.path("certs/server.crt"),
            key: self.path("certs/server.key"),
            client_ca: self.path("certs/ca.crt"),
        };
        let logs = vec![self.log(&self.config.log_origin).verifier_key()];
        (WitnessConfig { listen: "127.0.0.1:0".parse().unwrap(), state, key, logs, tls }, vkey)
    }

    fn know(&mut self, address: SocketAddr, key: &str) {
        let url = format!("https://localhost:{}", address.port());
        self.config.ledger.witnesses.push(tsunagi::config::LedgerWitness { url, key: key.to_owned(), ca: None });
    }

    fn client(&self, address: SocketAddr) -> WitnessClient {
        let certs = |name: &str| self.path("certs").join(name);
        let (ca, certificate, key) = (certs("ca.crt"), certs("to-witnesses.crt"), certs("to-witnesses.key"));
        let url = format!("https://localhost:{}/", address.port());
        WitnessClient::new(&url, &ca, &certificate, &key, Duration::from_secs(20)).unwrap()
    }

    async fn start(&self) -> Result<World, WorldError> {
        until("the lock of the last process", async || lock(&self.config.database).ok()).await;
        let premises = Premises {
            directory: self.directory.path().to_owned(),
            config: self.config.clone(),
            authority: Authority::open(&self.path("certs")).unwrap(),
        };
        World::start(premises, Clock::system()).await
    }

    /// Entries that no witness has seen yet, and then a stop once they have.
    async fn grow(&self, name: &str, code: &str) -> u64 {
        let world = self.start().await.unwrap();
        let city = world.connect(name, code, "o1", &ALL_ROLES).await.unwrap();
        register(&city, &family(code)).await;
        let size = size_of(&world);
        until("a witnessed checkpoint", async || witnessed(&world, 1).await.filter(|w| w.0 >= size)).await;
        // It is in the file, too.
        until("the file", async || {
            let text = fs::read_to_string(self.path("tsunagi.db.witnessed")).ok()?;
            text.contains(&format!("\\n{size}\\n")).then_some(())
        })
        .await;
        world.stop().await;
        size
    }

    fn copy_database(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }
}

fn size_of(world: &World) -> u64 {
    world.gateway().unwrap().journal.memory().tree.read().unwrap().size()
}

/// Size and note of the newest checkpoint with so many signatures.
async fn witnessed(world: &World, needed: usize) -> Option<(u64, String)> {
    let reply = world.operator.get(&format!("/v1/ledger/witnessed?witnesses={needed}")).send().await.unwrap();
    (reply.status == 200).then(|| (reply.text().lines().nth(1).unwrap().parse().unwrap(), reply.text()))
}

async fn monitor(world: &World, path: &str) -> String {
    let address = world.server.as_ref().unwrap().monitor_address;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn is_held(world: &World) -> bool {
    let ready = monitor(world, "/readyz").await;
    ready.contains("503") && ready.contains("the ledger is not what was witnessed")
}

/// Whether the gateway discloses: the directory of its organizations' disclosures is behind a ledger entry.
async fn refuses(world: &World) -> bool {
    let policy = serde_json::json!({ "password_days": 0 });
    let reply = world.operator.put("/v1/sign-in-policy").json(&policy).send().await.unwrap();
    if reply.status != 200 {
        assert_refused(&reply, 503, "journal_unavailable");
    }
    reply.status != 200
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_countersigned_and_a_dead_witness_holds_nothing_up() {
    let mut house = House::new().await;
    let ((one, one_key), (two, two_key)) = (house.witness("1"), house.witness("2"));
    let first = WitnessServer::start(&one, Clock::system()).await.unwrap();
    let second = WitnessServer::start(&two, Clock::system()).await.unwrap();
    house.know(first.address, &one_key);
    house.know(second.address, &two_key);
    let world = house.start().await.unwrap();
    let city = world.connect("city", CITY_A, "o1", &ALL_ROLES).await.unwrap();
    let record = register(&city, &family(CITY_A)).await;
    let size = size_of(&world);
    let (_, note) = until("both", async || witnessed(&world, 2).await.filter(|found| found.0 >= size)).await;
    let log = city.client.get("/v1/ledger/key").send().await.unwrap().text();
    let trust = |needed| TrustPolicy::new(&log, &[one_key.clone(), two_key.clone()], Some(needed)).unwrap();
    assert_eq!(trust(2).verify(&note).unwrap().by.len(), 2);
    let metrics = monitor(&world, "/metrics").await;
    assert!(metrics.contains("tsunagi_witness_lag_entries{witness=\"witness.example/2\"} 0"), "{metrics}");

    // One is dead: answers come as before, and the other goes on signing.
    second.stop().await;
    assert_eq!(view(&city, &record).await.status, 200);
    let size = size_of(&world);
    let (_, note) = until("the other", async || witnessed(&world, 1).await.filter(|found| found.0 >= size)).await;
    assert_eq!(trust(1).verify(&note).unwrap().by.len(), 1);
    assert!(trust(2).verify(&note).is_err());
    assert!(witnessed(&world, 2).await.unwrap().0 < size);
    let metrics = monitor(&world, "/metrics").await;
    assert!(!metrics.contains("tsunagi_witness_lag_entries{witness=\"witness.example/2\"} 0"), "{metrics}");

    // Evidence to keep: verified with public keys alone, and every edit of it is named.
    let kept = city.client.get("/v1/ledger/bundle").send().await.unwrap();
    assert_eq!((kept.status.as_u16(), kept.header("content-type")), (200, Some("application/x-tar")));
    assert_eq!(kept.entries().len(), 1);
    let bundle = verify_bundle(&trust(1), &kept.body).unwrap();
    assert!(bundle.witnessed.unwrap().size() >= size);
    let of_records = bundle.verified.entries.iter().filter(|(_, entry)| entry.record.is_some());
    assert_eq!(of_records.count(), 2, "registered and viewed; beside what was done to the body itself");
    assert!(bundle.about.contains(&format!("for {CITY_A}")));
    let mut edited = kept.body.to_vec();
    let at = edited.windows(6).rposition(|window| window == CITY_A.as_bytes()).unwrap();
    edited[at] ^= 1;
    assert!(matches!(verify_bundle(&trust(1), &edited), Err(BundleRefuted::Bundle(BundleError::Edited(_)))));
    assert!(verify_bundle(&trust(2), &kept.body).is_err());
    world.stop().await;
    first.stop().await;
}

/// A log of twenty entries, by itself.
struct Log {
    signer: Signer,
    tree: MerkleTree,
}

impl Log {
    fn of(house: &House) -> Self {
        let mut tree = MerkleTree::default();
        (0..20_u8).for_each(|number| tree.push(leaf_hash(&[number])));
        Self { signer: house.log(&house.config.log_origin), tree }
    }

    fn request(&self, old: u64, size: u64) -> AddCheckpoint {
        let note = self.signer.sign(size, self.tree.root_at(size).unwrap());
        AddCheckpoint { old, proof: self.tree.consistency(old, size).unwrap_or_default(), note }
    }

    /// Another tree with a proof for this one.
    fn forged(&self, old: u64, size: u64) -> AddCheckpoint {
        AddCheckpoint { note: self.signer.sign(size, [7; 32]), ..self.request(old, size) }
    }
}

/// The witness as a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    async fn start(house: &House, config: &WitnessConfig, defect: Option<&str>) -> Self {
        let file = house.path("witness.toml");
        let text = |path: &Path| path.display().to_string();
        let WitnessConfig { listen, state, key, logs, tls } = config;
        fs::write(
            &file,
            format!(
                "listen = \"{listen}\"\nstate = \"{}\"\nkey = \"{}\"\nlogs = {logs:?}\n[tls]\ncertificate = \"{}\"\n\
                 key = \"{}\"\nclient_ca = \"{}\"\n",
                text(state),
                text(key),
                text(&tls.certificate),
                text(&tls.key),
                text(&tls.client_ca)
            ),
        )
        .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        command.args(["witness", "serve", "--config"]).arg(&file).env("RUST_LOG", "info");
        command.stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(defect) = defect {
            command.env("PLANTED_DEFECT", defect);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the witness ended");
                let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if line["fields"]["message"] == "witnessing" {
                    return line["fields"]["address"].as_str().unwrap().parse().unwrap();
                }
            }
        };
        let address = timeout(PATIENCE, listening).await.unwrap();
        // What it says further has somebody to read it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_process_keeps_what_it_signed_through_a_kill() {
    let house = House::new().await;
    let (config, _) = house.witness("1");
    let log = Log::of(&house);
    let witness = Process::start(&house, &config, None).await;
    let client = house.client(witness.address);
    let ask = async |client: &WitnessClient, request: AddCheckpoint| client.add_checkpoint(&request).await.unwrap();
    assert!(matches!(ask(&client, log.request(0, 7)).await, WitnessAnswer::Signed(_)));
    assert_eq!(ask(&client, log.request(3, 9)).await, WitnessAnswer::OtherSize(7));
    assert_eq!(ask(&client, log.forged(7, 9)).await, WitnessAnswer::NotProved);
    assert_eq!(ask(&client, log.forged(7, 7)).await, WitnessAnswer::OtherSize(7));
    let other = Signer::from_seed("other.example", &[3; 32]).unwrap().sign(9, [1; 32]);
    let refused = ask(&client, AddCheckpoint { note: other, ..log.request(7, 9) }).await;
    assert_eq!(refused, WitnessAnswer::Refused(axum::http::StatusCode::NOT_FOUND));
    let thief = Signer::from_seed(&house.config.log_origin, &[3; 32]).unwrap().sign(9, log.tree.root_at(9).unwrap());
    let refused = ask(&client, AddCheckpoint { note: thief, ..log.request(7, 9) }).await;
    assert_eq!(refused, WitnessAnswer::Refused(axum::http::StatusCode::FORBIDDEN));
    witness.kill().await;

    let witness = Process::start(&house, &config, None).await;
    let client = house.client(witness.address);
    assert_eq!(ask(&client, log.request(0, 9)).await, WitnessAnswer::OtherSize(7));
    assert!(matches!(ask(&client, log.request(7, 12)).await, WitnessAnswer::Signed(_)));
    assert!(!signs_without_proof(&client, &log, 12).await);
    witness.kill().await;

    // Nobody without a certificate of the CA gets a word in.
    let witness = Process::start(&house, &config, Some("cosign-without-proof")).await;
    let stranger = tempfile::tempdir().unwrap();
    let authority = Authority::create(stranger.path()).unwrap();
    authority.issue_terminal("x", &OrganizationCode::operator(), Flaw::None).unwrap();
    let url = format!("https://localhost:{}", witness.address.port());
    let file = |name: &str| stranger.path().join(name);
    let (ca, patience) = (house.path("certs/ca.crt"), Duration::from_secs(20));
    let outsider = WitnessClient::new(&url, &ca, &file("x.crt"), &file("x.key"), patience).unwrap();
    assert!(outsider.add_checkpoint(&log.request(12, 12)).await.is_err());
    // The twin: a witness that signs without a proof is distinguished from one that does not.
    assert!(signs_without_proof(&house.client(witness.address), &log, 12).await);
    witness.kill().await;
}

async fn signs_without_proof(client: &WitnessClient, log: &Log, held: u64) -> bool {
    matches!(client.add_checkpoint(&log.forged(held, held + 2)).await.unwrap(), WitnessAnswer::Signed(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_set_back_is_not_served_until_an_operator_says_so() {
    let mut house = House::new().await;
    let (mut config, key) = house.witness("1");
    let witness = WitnessServer::start(&config, Clock::system()).await.unwrap();
    config.listen = witness.address;
    house.know(witness.address, &key);
    let before = house.grow("first", CITY_A).await;
    house.copy_database("tsunagi.db", "old.db");
    let after = house.grow("second", CITY_B).await;
    assert!(after > before);
    for file in ["tsunagi.db-wal", "tsunagi.db-shm", "tsunagi.db.snapshot"] {
        let _ = fs::remove_file(house.path(file));
    }
    house.copy_database("old.db", "tsunagi.db");

    // The file beside the database shows it.
    let world = house.start().await.unwrap();
    assert!(is_held(&world).await && refuses(&world).await);
    world.stop().await;
    // It was set back as well: the witness shows it.
    let file = house.path("tsunagi.db.witnessed");
    let kept = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let world = house.start().await.unwrap();
    assert!(is_held(&world).await && refuses(&world).await);
    world.stop().await;
    // The witness cannot be reached at the start: it objects as soon as it can be.
    witness.stop().await;
    let world = house.start().await.unwrap();
    assert!(!is_held(&world).await);
    let witness = WitnessServer::start(&config, Clock::system()).await.unwrap();
    until("the witness's word", async || is_held(&world).await.then_some(())).await;
    assert!(refuses(&world).await);
    world.stop().await;

    // An operator accepts it, by the exact size and no other; the ledger says so.
    fs::write(&file, kept).unwrap();
    house.config.ledger.accept_rollback = Some(before + 1);
    let error = house.start().await.err().unwrap().to_string();
    assert!(error.contains(&format!("the ledger has {before} entries")), "{error}");
    house.config.ledger.accept_rollback = Some(before);
    let world = house.start().await.unwrap();
    assert!(!is_held(&world).await && !refuses(&world).await);
    let mut tx = world.gateway().unwrap().store.read().await.unwrap();
    let accepted = store::ledger::rows_from(&mut tx, "node-1", i64::try_from(before).unwrap(), 1).await.unwrap();
    drop(tx);
    let body = String::from_utf8(accepted[0].body.clone()).unwrap();
    assert!(body.contains("\"rollback_accept\"") && body.contains(&format!("size {before} behind {after}")), "{body}");
    world.stop().await;
    assert!(house.path(&format!("tsunagi.db.witnessed.before-rollback-to-{before}")).exists());

    // Without the word of acceptance the witness's objection stands, until the log goes on under a new name.
    house.config.ledger.accept_rollback = None;
    let world = house.start().await.unwrap();
    assert!(is_held(&world).await);
    world.stop().await;
    witness.stop().await;
    house.config.log_origin = "localhost/log/node-1/2".to_owned();
    config.logs.push(house.log("localhost/log/node-1/2").verifier_key());
    let witness = WitnessServer::start(&config, Clock::system()).await.unwrap();
    let world = house.start().await.unwrap();
    assert!(!is_held(&world).await && size_of(&world) > before);
    until("a signature under the new name", async || witnessed(&world, 1).await).await;
    world.stop().await;
    witness.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_rewritten_with_its_own_key_is_refused_by_its_witness_and_not_served() {
    let mut house = House::new().await;
    let (config, key) = house.witness("1");
    let witness = WitnessServer::start(&config, Clock::system()).await.unwrap();
    house.know(witness.address, &key);
    let size = house.grow("first", CITY_A).await;
    rewrite(&house.path("tsunagi.db")).await;
    for file in ["tsunagi.db.snapshot", "tsunagi.db.witnessed"] {
        fs::remove_file(house.path(file)).unwrap();
    }
    // The gateway's own check of ledger and head finds nothing: they were rewritten together.
    let world = house.start().await.unwrap();
    assert_eq!(size_of(&world), size);
    assert!(is_held(&world).await && refuses(&world).await);
    let (ours, note) = {
        let checkpoint = world.operator.get("/v1/ledger/checkpoint").send().await.unwrap().text();
        let key = house.log(&house.config.log_origin);
        (Checkpoint::verify(&checkpoint, key.public_key()).unwrap(), checkpoint)
    };
    assert_eq!(ours.size, size);
    let asked = AddCheckpoint { old: size, proof: Vec::new(), note };
    assert_eq!(house.client(witness.address).add_checkpoint(&asked).await.unwrap(), WitnessAnswer::OtherSize(size));
    world.stop().await;
    // The twin: without its witness the same gateway serves the rewritten log.
    house.config.ledger.witnesses.clear();
    let world = house.start().await.unwrap();
    assert!(!is_held(&world).await && !refuses(&world).await);
    world.stop().await;
    witness.stop().await;
}

/// Changes an entry and sets the head row to the new root.
async fn rewrite(database: &Path) {
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    for statement in [
        "DROP TRIGGER ledger_is_append_only_update",
        "UPDATE ledger SET body = CAST(replace(CAST(body AS TEXT), '\"register\"', '\"list_own\"') AS BLOB)
         WHERE CAST(body AS TEXT) LIKE '%\"act\":\"register\"%'",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let mut tx = reading::open(database.to_str().unwrap()).await.unwrap().read().await.unwrap();
    let rows = store::ledger::rows_from(&mut tx, "node-1", 0, 100_000).await.unwrap();
    drop(tx);
    let mut tree = MerkleTree::default();
    rows.iter().for_each(|row| tree.push(leaf_hash(&row.body)));
    let root: Hash = tree.root_at(tree.size()).unwrap();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    sqlx::query("UPDATE ledger_heads SET root = $1").bind(root.as_slice()).execute(&pool).await.unwrap();
    pool.close().await;
}
