//! Stores that earlier versions of the program wrote (`tests/kept`): this one opens each, everything is there, the ledger
//! verifies, and life goes on.
//!
//! The gateway's clock is some minutes after the time when a store was made, as at an upgrade: what was open then is
//! open. The terminals are those that the database knows, with certificates that the test makes for their serials.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use serde_json::{Value, json as j};
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use tsunagi::{
    client::{Client, Reply, RequestBuilder},
    clock::{Clock, utc_now},
    config::Config,
    domain::{organization::OrganizationCode, two_persons::StaffId},
    identity::{certificate::ORGANIZATION_URI, second_factor::code_at},
    node::trust::trust_rows,
    operations::elapse::elapse,
};
use tsunagi_testkit::{
    pki::Authority,
    world::{Premises, World},
};

use crate::{command_line::night::CommandDesk, harness::*, postgres};

/// What does not hold; in words, for the check has to fail by its own words where something was planted.
type Holds<T = ()> = Result<T, String>;

/// The first schema whose rows carry marks.
const MARKED_SINCE: i64 = 10;

/// How long after the store was made the present program is started: an edit lock is still held.
const LATER: Duration = Duration::minutes(5);

/// A store's files in a directory of their own, not yet opened.
struct Unpacked {
    directory: TempDir,
    contents: Value,
    /// As `database` of the configuration.
    database: String,
}

/// The directories of stores of one kind (`sqlite`, `postgres`), one for each version that was kept.
fn kept(kind: &str) -> Vec<PathBuf> {
    let versions = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept")).unwrap();
    let stores = versions.map(|version| version.unwrap().path().join(kind)).filter(|store| store.is_dir());
    let mut stores: Vec<_> = stores.collect();
    stores.sort();
    assert!(!stores.is_empty(), "no store of {kind} is kept");
    stores
}

/// Unpacks a store; one of PostgreSQL into a new database, which is migrated.
async fn unpack(store: &Path) -> Unpacked {
    let directory = tempfile::tempdir().unwrap();
    for file in ["keyring.toml", "keyring.toml.shreds"] {
        fs::copy(store.join(file), directory.path().join(file)).unwrap();
    }
    let contents = serde_json::from_slice(&fs::read(store.join("contents.json")).unwrap()).unwrap();
    let database = if store.ends_with("sqlite") {
        let file = directory.path().join("tsunagi.db");
        fs::write(&file, inflated(&store.join("tsunagi.db.gz"))).unwrap();
        format!("sqlite:{}", file.display())
    } else {
        postgres::restored(&inflated(&store.join("tsunagi.sql.gz"))).await
    };
    Unpacked { directory, contents, database }
}

fn inflated(file: &Path) -> Vec<u8> {
    let output = Command::new("gzip").arg("-dc").arg(file).output().unwrap();
    assert!(output.status.success(), "{}", file.display());
    output.stdout
}

/// Certificates of the server and of every terminal, with the serials by which the database knows them. They are valid
/// on the day when the store was made, which is the gateway's time, and today, which is its callers'.
fn certify(certs: &Path, contents: &Value, made: OffsetDateTime) {
    let key = KeyPair::from_pem(&fs::read_to_string(certs.join("ca.key")).unwrap()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&fs::read_to_string(certs.join("ca.crt")).unwrap(), key).unwrap();
    let issue = |name: &str, fit: &dyn Fn(&mut CertificateParams)| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        (params.not_before, params.not_after) = (made - Duration::days(1), utc_now() + Duration::days(100));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        fit(&mut params);
        let key = KeyPair::generate().unwrap();
        fs::write(certs.join(format!("{name}.crt")), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        fs::write(certs.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    };
    issue("server", &|params| {
        params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (name, terminal) in contents["terminals"].as_object().unwrap() {
        issue(name, &|params| {
            let organization = format!("{ORGANIZATION_URI}{}", text(&terminal["organization"]));
            params.subject_alt_names = vec![SanType::URI(organization.try_into().unwrap())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            let serial = u128::from_str_radix(text(&terminal["serial"]), 16).unwrap();
            params.serial_number = Some(SerialNumber::from_slice(&serial.to_be_bytes()));
        });
    }
}

/// A kept store, served by the present program.
struct Opened {
    world: World,
    contents: Value,
    directory: TempDir,
}

impl Opened {
    /// # Errors
    /// What the program says that does not start.
    async fn serve(unpacked: Unpacked) -> Holds<Self> {
        let Unpacked { directory, contents, database } = unpacked;
        let made = OffsetDateTime::parse(text(&contents["made"]["at"]), &Rfc3339).unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let authority = Authority::create(&directory.path().join("certs")).unwrap();
        certify(authority.directory(), &contents, made);
        let file = directory.path().join("tsunagi.toml");
        let configuration = format!(
            "node = {}\nlog_origin = {}\nlisten = \"127.0.0.1:0\"\nmonitor_listen = \"127.0.0.1:0\"\n\
             database = \"{database}\"\nkeyring = \"{}\"\n{GENEROUS}\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\
             client_ca = \"{}\"\n",
            contents["log"]["node"],
            contents["log"]["origin"],
            path("keyring.toml"),
            path("certs/server.crt"),
            path("certs/server.key"),
            path("certs/ca.crt"),
        );
        fs::write(&file, configuration).unwrap();
        let config = Config::load(&file, std::iter::empty()).unwrap();
        let premises = Premises { directory: directory.path().to_owned(), config, authority };
        let clock = Clock::system();
        clock.advance(made + LATER - utc_now());
        let is_trusted = contents["made"]["schema"].as_i64().is_some_and(|schema| schema >= MARKED_SINCE);
        if !is_trusted {
            // Rows from before schema 10 have no marks: the start refuses, and an operator has them trusted, once.
            let untrusted = World::start(premises, clock.clone()).await.err().map(|error| error.to_string());
            if !untrusted.is_some_and(|error| error.contains("rows trust")) {
                return Err("it starts on rows that nobody authenticated".to_owned());
            }
            let config = Config::load(&file, std::iter::empty()).unwrap();
            let trusted = trust_rows(&config, &clock).await.map_err(|error| format!("it is not trusted: {error}"))?;
            assert!(trusted.iter().map(|(_, rows)| rows).sum::<i64>() > 50);
        }
        let config = Config::load(&file, std::iter::empty()).unwrap();
        assert!(trust_rows(&config, &clock).await.is_err(), "it works once");
        let authority = Authority::open(&directory.path().join("certs")).unwrap();
        let premises = Premises { directory: directory.path().to_owned(), config, authority };
        let world = World::start(premises, clock).await.map_err(|error| format!("it does not start: {error}"))?;
        Ok(Self { world, contents, directory })
    }

    /// A client of a kept terminal and officer; at the desk with the session that was open.
    fn client(&self, terminal: &str, officer: &str) -> Client {
        let credentials = self.world.premises.credentials(terminal);
        let client = |officer| Client::new(self.world.address, &credentials, officer).unwrap();
        match terminal {
            "desk" => client(None).with_token(text(&self.contents["desk"]["token"]).to_owned()),
            _ => client(Some(officer)),
        }
    }

    fn client_of(&self, asked: &Value) -> Client {
        self.client(text(&asked["terminal"]), text(&asked["officer"]))
    }

    fn record(&self, who: &str) -> &str {
        text(&self.contents["records"][who])
    }

    fn transfer(&self, which: &str) -> String {
        format!("/v1/transfers/{}", text(&self.contents["transfers"][which]))
    }

    /// Everything that was kept is there: what was answered is answered, what was refused is refused, files are the same
    /// byte for byte, searches find the same, and the open session goes on.
    ///
    /// # Errors
    /// The first thing that is not as it was.
    async fn check(&self) -> Holds {
        for asked in list(&self.contents["answers"]) {
            let reply = ask(&self.client_of(asked), asked).await;
            succeeded(asked, &reply)?;
            if let Some(lack) = lack(&asked["answer"], &json(&reply)) {
                return Err(format!("{}: {lack}", named(asked)));
            }
        }
        for asked in list(&self.contents["refused"]) {
            let reply = ask(&self.client_of(asked), asked).await;
            if asked["status"] != reply.status.as_u16() || asked["code"] != json(&reply)["code"] {
                return Err(format!("{} is not refused as it was: {}", named(asked), reply.text()));
            }
        }
        for file in list(&self.contents["files"]) {
            let reply = ask(&self.client_of(file), file).await;
            succeeded(file, &reply)?;
            let digest = HEXLOWER.encode(&Sha256::digest(&reply.body));
            if file["sha256"] != digest {
                return Err(format!("{}: another file", named(file)));
            }
        }
        for asked in list(&self.contents["searches"]) {
            let reply = self.client_of(asked).post("/v1/searches").json(&asked["body"]).send().await.unwrap();
            let found = json(&reply)["children"].clone();
            let is_same = list(&found).len() == list(&asked["children"]).len();
            if !is_same || lack(&asked["children"], &found).is_some() {
                return Err(format!("a search for {} finds {found}", asked["body"]));
            }
        }
        self.nobody_else_comes_in().await
    }

    async fn nobody_else_comes_in(&self) -> Holds {
        let session = |terminal: &str, officer: &str| {
            let client = self.client(terminal, officer);
            async move { client.get("/v1/session").send().await.unwrap() }
        };
        for (terminal, officer, comes_in) in [
            ("desk", "-", true),
            ("city", "o1", true),
            ("city", "gone", false),
            ("city-old", "o1", false),
            ("far-city", "o1", false),
        ] {
            let reply = session(terminal, officer).await;
            if (reply.status == 200) != comes_in {
                return Err(format!("{officer} at {terminal}: {} {}", reply.status, reply.text()));
            }
        }
        Ok(())
    }

    /// Life goes on: what was begun is finished, and new things happen to kept records.
    async fn go_on(&self) {
        let (city, other) = (self.client("city", "o1"), self.client("other-city", "o1"));
        // The answer was lost, and the request comes again: nothing happens twice.
        let repeated = &self.contents["repeated"];
        let client = self.client_of(repeated);
        let again = client.post(text(&repeated["path"])).header("idempotency-key", text(&repeated["key"]));
        let again = again.body("application/json", text(&repeated["body"]).to_owned()).send().await.unwrap();
        assert_eq!(json(&again)["record"], repeated["record"], "{}", again.text());

        let path = format!("/v1/records/{}", self.record("main"));
        let updated = city.put(&path).if_match(4).xml(family(CITY_A).to_xml()).send().await.unwrap();
        assert_eq!((updated.status.as_u16(), &json(&updated)["version"]), (200, &j!(5)), "{}", updated.text());
        let kept = list(&self.contents["answers"]);
        let fourth = kept.iter().find(|asked| asked["path"] == format!("{path}/versions/4")).unwrap();
        assert_eq!(lack(&fourth["answer"], &json(&ask(&city, fourth).await)), None);

        let transfer = self.transfer("confirmed");
        let taken = done(other.post(&format!("{transfer}/take-over"))).await;
        assert_eq!(taken["state"], "taken_over");
        let path = format!("/v1/records/{}", self.record("confirmed"));
        for (client, relation) in [(&other, "owner"), (&city, "former_owner")] {
            assert_eq!(done(client.get(&path).purpose("casework")).await["relation"], relation);
        }
        match self.contents["desk"]["secret"].as_str() {
            Some(_) => self.persons_go_on().await,
            None => self.staff_from_before_go_on().await,
        }
    }

    /// Signs in at the desk with the password that was set then, and the device where there is one.
    async fn sign_in(&self, of: &Value) -> Reply {
        let desk = Client::new(self.world.address, &self.world.premises.credentials("desk"), None).unwrap();
        let mut message = of["sign_in"].clone();
        if let Some(secret) = of["secret"].as_str() {
            message["second_factor"] = self.code(of, secret).into();
        }
        let signed = desk.post("/v1/sessions").json(&message).send().await.unwrap();
        if json(&signed)["code"] != "password_expired" {
            return signed;
        }
        // The store's passwords were set when its first records were written, which is years ago.
        message["new_password"] = "かくうの長い合言葉その二".into();
        desk.post("/v1/sessions").json(&message).send().await.unwrap()
    }

    /// What a device shows now.
    fn code(&self, of: &Value, secret: &str) -> String {
        let (organization, officer) =
            (OrganizationCode::parse(CITY_A).unwrap(), text(&of["sign_in"]["officer"]).into());
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        code_at(&secret, &StaffId { organization, officer }, self.world.clock.now()).unwrap()
    }

    fn at_desk(&self, signed: &Reply) -> Client {
        let desk = Client::new(self.world.address, &self.world.premises.credentials("desk"), None).unwrap();
        desk.with_token(text(&json(signed)["token"]).to_owned())
    }

    /// Who has a second factor signs in with it, and stands for what a colleague asked for then.
    async fn persons_go_on(&self) {
        let second = &self.contents["second"];
        let without = Client::new(self.world.address, &self.world.premises.credentials("desk"), None).unwrap();
        let without = without.post("/v1/sessions").json(&second["sign_in"]).send().await.unwrap();
        assert_refused(&without, 401, "second_factor_missing");
        let signed = self.sign_in(second).await;
        assert_eq!(
            (signed.status.as_u16(), &json(&signed)["assurance"]),
            (201, &j!("two_factors")),
            "{}",
            signed.text()
        );
        let lift = format!("/v1/records/{}/shield/lift-approvals", self.record("lift_asked"));
        assert_eq!(done(self.at_desk(&signed).post(&lift)).await["state"], "done");
    }

    /// A password from before there were second factors signs in alone, and does no sharp act until a second
    /// factor is enrolled.
    async fn staff_from_before_go_on(&self) {
        let of = &self.contents["desk"];
        let signed = self.sign_in(of).await;
        assert_eq!((signed.status.as_u16(), &json(&signed)["assurance"]), (201, &j!("password")), "{}", signed.text());
        let desk = self.at_desk(&signed);
        // What one machine asked of another waits for persons now.
        let lift = format!("/v1/records/{}/shield/lift-requests", self.record("lift_asked"));
        let asked = self.client("city-2", "o2").post(&lift).send().await.unwrap();
        assert_eq!((asked.status.as_u16(), &json(&asked)["state"]), (202, &j!("waiting")), "{}", asked.text());
        let confirmation = format!("/v1/waiting-acts/{}/confirmation", text(&json(&asked)["waiting_act"]));
        assert_refused(&desk.post(&confirmation).send().await.unwrap(), 403, "sharp_act_needs_person");
        let commands = CommandDesk {
            address: format!("localhost:{}", self.world.address.port()),
            certs: self.world.premises.authority.directory().to_owned(),
            cert: "desk",
        };
        let (organization, officer) =
            (OrganizationCode::parse(CITY_A).unwrap(), text(&of["sign_in"]["officer"]).into());
        let person = (&StaffId { organization, officer }, self.world.clock.now());
        let enrolled = commands.second_factor(text(&json(&signed)["token"]), person).await;
        assert_eq!(enrolled["recovery_codes"].as_array().map(Vec::len), Some(8), "{enrolled}");
        assert_eq!(done(desk.get("/v1/session")).await["assurance"], "two_factors");
        let inbox = self.client("city", "o1").get("/v1/inbox").send().await.unwrap();
        assert!(inbox.text().contains("second_factor_enrolled"), "the body hears of it: {}", inbox.text());
        // Now it is a person; and one whose role does not lift shields.
        assert_refused(&desk.post(&confirmation).send().await.unwrap(), 403, "not_allowed");
        assert_refused(&self.sign_in(of).await, 401, "second_factor_missing");
    }

    /// A month later the transfers that nobody went on with have expired.
    async fn elapse(&self) {
        self.world.clock.advance(Duration::days(31));
        assert_eq!(elapse(self.world.gateway().unwrap()).await.unwrap(), 2);
        for which in ["requested", "offered"] {
            let line = done(self.client("city", "o1").get(&self.transfer(which))).await;
            assert_eq!(line["state"], "expired");
        }
        // A list of disposal that nobody stood for is withdrawn: its records can be asked for again.
        let lists = done(self.client("city", "o1").get("/v1/disposals")).await;
        assert!(list(&lists["disposals"]).iter().all(|list| list["state"] != "asked"), "{lists}");
    }

    /// Ends the gateway; then the whole log is what was signed when the store was made, and what is signed now.
    async fn verify(self) {
        let directory = self.directory.path().to_owned();
        let now = self.world.operator.get("/v1/ledger/checkpoint").send().await.unwrap().text();
        assert_eq!(self.world.operator.get("/v1/ledger/key").send().await.unwrap().text(), self.contents["log"]["key"]);
        let log = &self.contents["log"];
        for (name, text) in [("log.vkey", text(&log["key"])), ("then.txt", text(&log["checkpoint"])), ("now.txt", &now)]
        {
            fs::write(directory.join(name), text).unwrap();
        }
        let size = |checkpoint: &str| checkpoint.lines().nth(1).unwrap().parse::<u64>().unwrap();
        assert_eq!(log["entries"], size(text(&log["checkpoint"])));
        assert!(log["entries"].as_u64().unwrap() + 100 < size(&now), "what was asked is in the ledger");
        let database = self.world.premises.config.database.clone();
        self.world.stop().await;
        let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        program.args(["ledger", "verify", "--database", &database, "--key"]).arg(directory.join("log.vkey"));
        program.arg("--checkpoint").arg(directory.join("then.txt"));
        program.arg("--checkpoint").arg(directory.join("now.txt"));
        let output = program.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn named(asked: &Value) -> String {
    format!("{} {} {}", asked["terminal"], asked["officer"], asked["path"])
}

fn succeeded(asked: &Value, reply: &Reply) -> Holds {
    if reply.status == 200 { Ok(()) } else { Err(format!("{}: {} {}", named(asked), reply.status, reply.text())) }
}

async fn ask(client: &Client, asked: &Value) -> Reply {
    let purpose = asked["purpose"].as_str().unwrap_or("casework");
    client.get(text(&asked["path"])).purpose(purpose).send().await.unwrap()
}

async fn done(request: RequestBuilder<'_>) -> Value {
    let reply = request.send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    json(&reply)
}

/// What an answer lacks of the kept one. A later version may say more: members that were not there, and elements before,
/// between and behind those of a list.
fn lack(kept: &Value, now: &Value) -> Option<String> {
    match (kept, now) {
        (Value::Object(kept), Value::Object(now)) => kept.iter().find_map(|(name, value)| match now.get(name) {
            Some(there) => lack(value, there).map(|lack| format!("{name}: {lack}")),
            None => Some(format!("no {name}")),
        }),
        (Value::Array(kept), Value::Array(now)) => {
            let mut rest = now.iter();
            let missing = kept.iter().find(|kept| !rest.any(|there| lack(kept, there).is_none()));
            missing.map(|missing| format!("{missing} is not among {} elements", now.len()))
        }
        _ => (kept != now).then(|| format!("{now}, and was {kept}")),
    }
}

/// Opens a store and looks at everything in it; returns what does not hold.
async fn opened_and_checked(unpacked: Unpacked) -> Holds<Opened> {
    let opened = Opened::serve(unpacked).await?;
    let held = opened.check().await;
    match held {
        Ok(()) => Ok(opened),
        Err(error) => {
            opened.world.stop().await;
            Err(error)
        }
    }
}

async fn lives_on(store: &Path) {
    let opened = opened_and_checked(unpack(store).await).await;
    let opened = opened.unwrap_or_else(|error| panic!("{}: {error}", store.display()));
    opened.go_on().await;
    opened.elapse().await;
    opened.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_of_every_kept_version_opens_with_everything_and_lives_on() {
    for store in kept("sqlite") {
        lives_on(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_dump_of_every_kept_version_opens_with_everything_and_lives_on() {
    for store in kept("postgres") {
        lives_on(&store).await;
    }
}

/// Changes one byte in the middle of a blob.
async fn flip(pool: &SqlitePool, table: &str, column: &str, which: &str) {
    let select = format!("SELECT rowid, {column} FROM {table} WHERE {which} LIMIT 1");
    let (row, mut blob): (i64, Vec<u8>) = sqlx::query_as(sqlx::AssertSqlSafe(select)).fetch_one(pool).await.unwrap();
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    let update = format!("UPDATE {table} SET {column} = $1 WHERE rowid = $2");
    sqlx::query(sqlx::AssertSqlSafe(update)).bind(blob).bind(row).execute(pool).await.unwrap();
}

/// The twin: a store in which one row is not what it was is found, by what is lost or changed.
#[tokio::test(flavor = "multi_thread")]
async fn one_changed_row_is_found() {
    // One from before the marks: there, nothing but what is kept shows it.
    let store = kept("sqlite").swap_remove(0);
    for (planted, found) in [
        ("ledger", "the ledger of node"),
        ("version", "/versions/3"),
        ("file", "/attachments/"),
        ("transfer", "receiver_preview"),
    ] {
        let unpacked = unpack(&store).await;
        let pool = SqlitePool::connect(&unpacked.database).await.unwrap();
        match planted {
            "ledger" => {
                sqlx::query("DROP TRIGGER ledger_is_append_only_update").execute(&pool).await.unwrap();
                flip(&pool, "ledger", "body", "position = 100").await;
            }
            "version" => flip(&pool, "record_versions", "sealed_body", "version = 3").await,
            "file" => flip(&pool, "attachments", "sealed_content", "media_type = 'image/png' ORDER BY at").await,
            _ => {
                let edit = "UPDATE transfers SET state = 'confirmed' WHERE state = 'offered'";
                sqlx::query(edit).execute(&pool).await.unwrap();
            }
        }
        pool.close().await;
        let error = opened_and_checked(unpacked).await.err().unwrap_or_else(|| panic!("{planted}: nothing is found"));
        assert!(error.contains(found), "{planted}: {error}");
    }
}
