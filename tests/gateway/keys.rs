//! Keys: they rotate while requests go on, a pass that leaves a record out is noticed, and a master key may stay in its
//! token.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json as j};
use tokio::process::Command;
use tsunagi::{
    client::Client,
    clock::Clock,
    config::Config,
    gateway::Gateway,
    keys::keyring::{Keyring, NewMaster},
    store,
};
use tsunagi_testkit::{
    people::People,
    world::{Party, Premises, World},
};
use uuid::Uuid;

use crate::{crash, disposal::pool, harness::*};

async fn registered(city: &Party, count: usize) -> Vec<String> {
    let mut people = People::seeded(11);
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        records.push(register(city, &people.family(CITY_A)).await);
    }
    records
}

fn add_master(config: &Config) -> u32 {
    Keyring::load(&config.keyring).unwrap().rotate(NewMaster::AsBefore).unwrap().current()
}

async fn begin(operator: &Client) -> Value {
    let reply = operator.post("/v1/keys/rewraps").send().await.unwrap();
    assert_eq!(reply.status, 202, "{}", reply.text());
    json(&reply)
}

async fn keys(operator: &Client) -> Value {
    let reply = operator.get("/v1/keys").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(&reply)
}

/// Looks at the keys until they are as expected.
async fn keys_until(operator: &Client, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..6_000 {
        let now = keys(operator).await;
        if wanted(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the keys are {}", keys(operator).await);
}

fn is_finished(keys: &Value) -> bool {
    keys["rewrap"]["finished_at"].is_string()
}

fn database(config: &Config) -> PathBuf {
    config.database.strip_prefix("sqlite:").unwrap().into()
}

/// Has the database drop, or refuse, every change of one record's wrapped key.
async fn keep_key_of(database: &Path, record: &str, how: &str) {
    let pool = pool(database).await;
    let id = record.parse::<Uuid>().unwrap().simple();
    let sql = format!(
        "CREATE TRIGGER keep_key BEFORE UPDATE OF sealed_key ON records WHEN NEW.id = X'{id}'
         BEGIN SELECT RAISE({how}); END"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn let_keys_change(database: &Path) {
    let pool = pool(database).await;
    sqlx::query("DROP TRIGGER keep_key").execute(&pool).await.unwrap();
    pool.close().await;
}

/// Asks one thing after another until it is to stop; returns how many came well.
async fn load(city: Client, far: Client, seed: u64, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    let mut people = People::seeded(seed);
    while !stop.load(Ordering::SeqCst) {
        let family = people.family(CITY_A);
        let reply = city.post("/v1/records").xml(family.to_xml()).send().await.unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        let record = json(&reply)["record"].as_str().unwrap().to_owned();
        let path = format!("/v1/records/{record}");
        let reply = city.get(&path).purpose("casework").send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = city.put(&path).if_match(1).xml(family.to_xml()).send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let criteria = j!({ "purpose": "casework", "case_reference": "1", "child_name": family.child,
            "guardian_name": family.guardian, "birth": { "on": family.birth_date } });
        let reply = far.post("/v1/searches").json(&criteria).send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        done.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_under_load_and_everything_opens_afterwards() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let records = registered(&city, 200).await;
    let config = stage.world.premises.config.clone();
    let old_keyring = fs::read(&config.keyring).unwrap();
    let operator = &stage.world.operator;
    // What is approved now names no generation.
    let operators = stage.world.operators().await.unwrap();
    let nothing = json(&operators.both("/v1/keys/retirement-requests", &Value::Null).await.unwrap());

    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..3)
        .map(|seed| {
            let (city, far) = (stage.world.another(&city).unwrap(), stage.world.another(&far).unwrap());
            tokio::spawn(load(city, far, seed, stop.clone(), done.clone()))
        })
        .collect();
    for master in 2..4 {
        assert_eq!(add_master(&config), master);
        assert_eq!(begin(operator).await["master"], master);
        let now = keys_until(operator, is_finished).await;
        assert_eq!(now["masters_needed"], j!([master]), "nothing refers to an older master key");
        assert!(now["rewrap"]["wrapped"].as_u64().unwrap() >= 200);
        // Requests go on for a while with the older prefecture keys destroyed.
        let before = done.load(Ordering::SeqCst);
        while done.load(Ordering::SeqCst) < before + 3 {
            assert!(callers.iter().all(|caller| !caller.is_finished()), "a caller was answered badly");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.expect("nothing failed");
    }
    for record in &records {
        assert_eq!(view(&city, record).await.status, 200);
    }

    // Then the older master keys go.
    assert_eq!(keys(operator).await["masters"], j!([1, 2, 3]));
    let retire = async || operators.administrator.post("/v1/keys/retirements", &Value::Null).await.unwrap();
    assert_refused(&retire().await, 409, "sharp_act_outdated");
    let withdrawal = format!("/v1/waiting-acts/{}/withdrawal", nothing["waiting_act"].as_str().unwrap());
    let withdrawn = operators.administrator.post(&withdrawal, &Value::Null).await.unwrap();
    assert_eq!(json(&withdrawn)["state"], "withdrawn", "{}", withdrawn.text());
    assert_refused(&retire().await, 409, "retirement_not_approved");
    operators.both("/v1/keys/retirement-requests", &Value::Null).await.unwrap();
    // What was approved names the generations that go; a person carries it out, and no machine.
    let listed = operator.get("/v1/waiting-acts").send().await.unwrap();
    assert_eq!(json(&listed)["waiting_acts"][0]["asked"], j!({ "generations": [1, 2] }), "{}", listed.text());
    assert_refused(&operator.post("/v1/keys/retirements").send().await.unwrap(), 403, "sharp_act_needs_person");
    let retired = retire().await;
    assert_eq!(retired.status, 200, "{}", retired.text());
    assert_eq!(json(&retired)["masters"], j!([3]));
    assert_refused(&retire().await, 409, "retirement_not_approved");

    // The acts are in the ledger.
    let gateway = stage.world.gateway().unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let entries = store::ledger::entries_from(&mut tx, "node-1", 0, 100_000).await.unwrap();
    let acts: BTreeSet<String> = entries
        .iter()
        .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap()["act"].as_str().unwrap().to_owned())
        .collect();
    for act in ["keys_rotate", "keys_rewrapped", "keys_retire"] {
        assert!(acts.contains(act), "{act}");
    }
    // One generation for each prefecture, and one for rows; the central ones stay, for the ledger's notes.
    let generations = store::rewraps::generations(&mut tx).await.unwrap();
    assert!(generations.iter().all(|(_, _, master)| *master == 3));
    assert_eq!(generations.iter().filter(|(prefecture, ..)| prefecture != "00").count(), 48);
    drop(tx);
    let Stage { world, directory } = stage;
    world.stop().await;

    let gateway = Gateway::open(config.clone(), Clock::system()).await.unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    for record in &records {
        let stored = store::records::find(&mut tx, record.parse().unwrap()).await.unwrap().unwrap();
        assert!(store::versions::current(&mut tx, &gateway.vault, &stored).await.is_ok());
    }
    drop(tx);
    gateway.store.close().await;
    drop(gateway);
    // The old master key alone opens nothing any more.
    fs::write(&config.keyring, old_keyring).unwrap();
    assert!(Gateway::open(config, Clock::system()).await.is_err());
    drop(directory);
}

/// The planted defect: one record's key is passed over. Its old key must not be destroyed.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_leaves_a_record_out_is_caught() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let records = registered(&city, 5).await;
    let config = stage.world.premises.config.clone();
    let operator = &stage.world.operator;
    keep_key_of(&database(&config), &records[2], "IGNORE").await;
    add_master(&config);
    begin(operator).await;
    // It went over all five, and then began anew instead of ending.
    let caught =
        keys_until(operator, |keys| keys["rewrap"]["wrapped"].as_u64() >= Some(4) && keys["rewrap"]["left"] == 5).await;
    assert!(!is_finished(&caught));
    let gateway = stage.world.gateway().unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let kept = store::rewraps::generations(&mut tx).await.unwrap();
    assert!(kept.iter().any(|(prefecture, generation, _)| prefecture == "12" && *generation == 1), "the old key stays");
    drop(tx);
    assert_eq!(view(&city, &records[2]).await.status, 200);
    assert_refused(&operator.post("/v1/keys/rewraps").send().await.unwrap(), 409, "rewrap_running");
    assert_refused(&operator.post("/v1/keys/retirements").send().await.unwrap(), 409, "rewrap_running");
    let_keys_change(&database(&config)).await;
    keys_until(operator, is_finished).await;
    for record in &records {
        assert_eq!(view(&city, record).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_pass_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let records = registered(&city, 150).await;
    let config = stage.world.premises.config.clone();
    // Something stands in its way in the third batch of 64.
    keep_key_of(&database(&config), &records[140], "ABORT, 'planted'").await;
    add_master(&config);
    let begun = begin(&stage.world.operator).await;
    keys_until(&stage.world.operator, |keys| keys["rewrap"]["wrapped"] == 128).await;
    let Stage { world, directory } = stage;
    let premises = Premises {
        directory: directory.path().to_owned(),
        config: config.clone(),
        authority: tsunagi_testkit::pki::Authority::open(&directory.path().join("certs")).unwrap(),
    };
    world.stop().await;
    let_keys_change(&database(&config)).await;
    let world = World::start(premises, Clock::system()).await.unwrap();
    let finished = keys_until(&world.operator, is_finished).await;
    assert_eq!(finished["rewrap"]["rewrap"], begun["rewrap"], "the same pass");
    assert_eq!(finished["rewrap"]["wrapped"], 150, "none was wrapped twice");
    world.stop().await;
    drop(directory);
}

/// A SoftHSM token of its own in a directory.
struct SoftToken {
    directory: PathBuf,
    configuration: String,
    pin: PathBuf,
}

const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

fn module() -> &'static str {
    MODULES.into_iter().find(|path| Path::new(path).exists()).expect("softhsm2 is installed by scripts/needs.sh")
}

impl SoftToken {
    async fn new(within: &Path) -> Self {
        let directory = within.join("token");
        fs::create_dir(&directory).unwrap();
        let file = within.join("softhsm2.conf");
        let text =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", directory.display());
        fs::write(&file, text).unwrap();
        let pin = within.join("pin");
        fs::write(&pin, "567890\n").unwrap();
        let token = Self { directory, configuration: file.display().to_string(), pin };
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "tsunagi", "--so-pin", "123456", "--pin", "567890"])
            .envs(token.variables())
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        token
    }

    fn variables(&self) -> [(&str, &str); 1] {
        [("SOFTHSM2_CONF", &self.configuration)]
    }

    /// Runs the program until it ends; answers whether it ended well, and what it said.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let ended = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
            .args(arguments)
            .envs(self.variables())
            .env("RUST_LOG", "error")
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it goes on").unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_in_a_token_never_leaves_it_and_its_absence_stops_nothing_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let token = SoftToken::new(directory.path()).await;
    let config = directory.path().join("tsunagi.toml").display().to_string();
    let pin = token.pin.display().to_string();
    let masters = || {
        let text = fs::read_to_string(&premises.config.keyring).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        table["master"].as_table().unwrap().len()
    };
    assert_eq!(masters(), 1, "the twin: a master key in the file is seen there");

    // The master key moves into the token, and the gateway wraps everything with it.
    let rotate =
        ["keys", "rotate", "--config", &config, "--module", module(), "--token-label", "tsunagi", "--pin-file", &pin];
    let (well, said) = token.run(&rotate).await;
    assert!(well, "{said}");
    let mut running = crash::serve_with(&premises, &token.variables()).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    begin(&operator).await;
    keys_until(&operator, is_finished).await;
    let operators = premises.operators(premises.config.listen, &Clock::system()).await.unwrap();
    operators.both("/v1/keys/retirement-requests", &Value::Null).await.unwrap();
    let retired = operators.administrator.post("/v1/keys/retirements", &Value::Null).await.unwrap();
    assert_eq!(json(&retired)["masters"], j!([2]), "{}", retired.text());
    assert_eq!(masters(), 0, "no master key is in the file any more");
    assert!(!fs::read_to_string(&premises.config.keyring).unwrap().contains("567890"), "nor is the PIN");
    running.end().await;
    let mut running = crash::serve_with(&premises, &token.variables()).await;
    assert_eq!(view(&city, &record).await.status, 200);

    // The token goes away: what is open stays open, and only what needs the master key is refused.
    let away = directory.path().join("away");
    fs::rename(&token.directory, &away).unwrap();
    assert_eq!(view(&city, &record).await.status, 200);
    let other = register(&city, &family(CITY_A)).await;
    assert_eq!(view(&city, &other).await.status, 200);
    assert_eq!(children(&search(&city, j!({ "child_name": "高橋" })).await).len(), 2);
    let refused = operator.post("/v1/keys/rewraps").send().await.unwrap();
    assert_refused(&refused, 503, "key_token");
    assert!(json(&refused)["title_ja"].as_str().unwrap().contains("トークン"));
    running.end().await;
    // But it does not start without.
    let serve = ["serve", "--config", &config];
    fs::create_dir(&token.directory).unwrap();
    let (well, said) = token.run(&serve).await;
    assert!(!well && said.contains("トークン「tsunagi」がありません / there is no token labelled tsunagi"), "{said}");
    fs::remove_dir(&token.directory).unwrap();
    fs::rename(&away, &token.directory).unwrap();
    fs::write(&token.pin, "000000\n").unwrap();
    let (well, said) = token.run(&serve).await;
    assert!(!well && said.contains("PINが違います / the PIN is wrong"), "{said}");
    fs::remove_file(&token.pin).unwrap();
    let (well, said) = token.run(&serve).await;
    assert!(!well && said.contains("PINを読めません / the PIN cannot be read"), "{said}");

    // It is back, with its PIN: nothing was lost, and it rotates within the token.
    fs::write(&token.pin, "567890\n").unwrap();
    let (well, said) = token.run(&["keys", "rotate", "--config", &config]).await;
    assert!(well, "{said}");
    let mut running = crash::serve_with(&premises, &token.variables()).await;
    begin(&operator).await;
    keys_until(&operator, is_finished).await;
    for record in [&record, &other] {
        assert_eq!(view(&city, record).await.status, 200);
    }
    operators.both("/v1/keys/retirement-requests", &Value::Null).await.unwrap();
    let retired = operators.administrator.post("/v1/keys/retirements", &Value::Null).await.unwrap();
    assert_eq!(json(&retired)["masters"], j!([3]), "{}", retired.text());
    running.end().await;
}
