//! The command line as an operator and a body's first persons use it (docs/operations.md): from an empty directory to a
//! person at a desk, and what is refused on the way. No password, code or token stands among the arguments or in an error.

use std::{path::PathBuf, process::Stdio};

use data_encoding::BASE32_NOPAD;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};
use tsunagi::{
    clock::{Clock, Timestamp},
    domain::{organization::OrganizationCode, two_persons::StaffId},
    identity::second_factor::code_at,
};
use tsunagi_testkit::{
    persons::password_of,
    pki::Flaw,
    world::{OPERATOR_DESK, Premises},
};

pub(crate) mod night;

use crate::{
    crash::{self, Running},
    harness::*,
    postgres,
};

/// What a command said, and whether it was done.
struct Said {
    done: bool,
    out: String,
    errors: String,
}

impl Said {
    fn json(&self) -> Value {
        assert!(self.done, "{}{}", self.out, self.errors);
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("not JSON: {}", self.out))
    }

    /// The last word of what it printed.
    fn last_word(&self) -> String {
        assert!(self.done, "{}{}", self.out, self.errors);
        self.out.split_whitespace().last().unwrap().to_owned()
    }

    fn is_refused(&self, code: &str) {
        assert!(!self.done && self.out.is_empty(), "{}", self.out);
        assert!(self.errors.contains(code), "{code}: {}", self.errors);
    }
}

/// A command that asks, and what it has asked so far.
struct Asking {
    child: Child,
    asked: Lines<BufReader<ChildStderr>>,
    errors: String,
    told: Vec<String>,
}

impl Asking {
    /// Waits for a question that holds a text; returns it, unless the command ends before.
    async fn until(&mut self, text: &str) -> Option<String> {
        while let Some(line) = self.asked.next_line().await.unwrap() {
            self.errors += &line;
            self.errors.push('\n');
            if line.contains(text) {
                return Some(line);
            }
        }
        None
    }

    async fn tell(&mut self, line: &str) {
        self.child.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.told.push(line.to_owned());
        // Nothing that was told is in the list of processes, now that it was told.
        if let Some(id) = self.child.id() {
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            assert!(self.told.iter().all(|told| told.is_empty() || !arguments.contains(told.as_str())), "{arguments}");
        }
    }

    async fn end(mut self) -> Said {
        drop(self.child.stdin.take());
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
        while let Some(line) = self.asked.next_line().await.unwrap() {
            self.errors += &line;
            self.errors.push('\n');
        }
        let done = self.child.wait().await.unwrap().success();
        let said = [out.as_str(), &self.errors].concat();
        let is_said = |told: &&String| !told.is_empty() && said.contains(told.as_str());
        assert_eq!(self.told.iter().find(is_said), None, "it says again what it was told: {said}");
        Said { done, out, errors: self.errors }
    }
}

/// A gateway's directory before anything was made in it but certificates and a configuration.
struct Site {
    directory: tempfile::TempDir,
    premises: Premises,
    config: PathBuf,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let premises = crash::premises(directory.path()).await;
        let file = directory.path().join("tsunagi.toml");
        let database = match postgres::database().await {
            Some(url) => url,
            None => format!("sqlite:{}", directory.path().join("fresh.db").display()),
        };
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace(&premises.config.database, &database).replace("keyring.toml", "fresh-keyring.toml");
        let config = directory.path().join("fresh.toml");
        std::fs::write(&config, text).unwrap();
        Self { directory, premises, config }
    }

    fn terminal(&self, name: &str, code: &str) -> String {
        let code = OrganizationCode::parse(code).unwrap();
        self.premises.authority.issue_terminal(name, &code, Flaw::None).unwrap()
    }

    /// The serial of a certificate, as `tsunagi pki check` says it.
    async fn serial(&self, name: &str) -> String {
        let certs = self.directory.path().join("certs");
        let said = self
            .run(
                "",
                &[
                    "pki",
                    "check",
                    "--ca",
                    &certs.join("ca.crt").display().to_string(),
                    &certs.join(format!("{name}.crt")).display().to_string(),
                ],
            )
            .await;
        said.last_word()
    }

    fn command(&self, token: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if token.is_empty() {
            command.env_remove("SESSION_TOKEN")
        } else {
            command.env("SESSION_TOKEN", token)
        };
        command
    }

    async fn run(&self, token: &str, words: &[&str]) -> Said {
        let output = self.command(token, words).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { done: output.status.success(), out: text(output.stdout), errors: text(output.stderr) }
    }

    /// The words of a command that is sent to the gateway from a terminal.
    fn at<'w>(&'w self, desk: &'w str, words: &'w [&'w str]) -> Vec<String> {
        let (verb, rest) = words.split_at(2);
        let certs = self.directory.path().join("certs").display().to_string();
        let address = format!("localhost:{}", self.premises.config.listen.port());
        let connection = ["--address", &address, "--certs", &certs, "--cert", desk];
        verb.iter().chain(&connection).chain(rest).map(|word| (*word).to_owned()).collect()
    }

    /// A command of somebody signed in at a desk; the token is in the environment alone.
    async fn as_(&self, (desk, token): (&str, &str), words: &[&str]) -> Said {
        let words = self.at(desk, words);
        self.run(token, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    fn ask(&self, desk: &str, words: &[&str]) -> Asking {
        let words = self.at(desk, words);
        let mut child = self.command("", &words.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
        let asked = BufReader::new(child.stderr.take().unwrap()).lines();
        Asking { child, asked, errors: String::new(), told: Vec::new() }
    }

    /// Persons enrol, `ID` or `ID=NAME`, with what a password is made of.
    async fn enrol(
        &self,
        desk: &str,
        (of, code): (&str, &str),
        (persons, password): (&[&str], fn(&str) -> String),
    ) -> Said {
        let mut words = vec!["desk", "enrol"];
        words.extend(persons);
        let mut asking = self.ask(desk, &words);
        asking.until("code that was handed out").await;
        asking.tell(code).await;
        let mut secrets = Vec::new();
        for person in persons {
            let officer = person.split('=').next().unwrap();
            let Some(url) = asking.until("otpauth://totp/").await else { break };
            let secret = url.split("secret=").nth(1).unwrap().split('&').next().unwrap();
            secrets.push((officer, BASE32_NOPAD.decode(secret.as_bytes()).unwrap()));
            asking.until("new password").await;
            asking.tell(&password(officer)).await;
            asking.until("the same password again").await;
            asking.tell(&password(officer)).await;
        }
        for (officer, secret) in secrets {
            asking.until("code that the device shows").await;
            asking.tell(&code_of(of, officer, &secret)).await;
        }
        asking.end().await
    }

    /// Signs in; returns what was said, on success a token.
    async fn sign_in(&self, desk: &str, officer: &str, (password, second): (&str, &str)) -> Said {
        let mut asking = self.ask(desk, &["desk", "sign-in", "--officer", officer]);
        asking.until("password").await;
        asking.tell(password).await;
        asking.until("second factor").await;
        asking.tell(second).await;
        asking.end().await
    }

    async fn serve(&self) -> Running {
        let listen = (self.premises.config.listen, self.premises.config.monitor_listen);
        crash::run(&self.config, listen, &[], "error", Stdio::null()).await
    }
}

fn code_of(of: &str, officer: &str, secret: &[u8]) -> String {
    let person = StaffId { organization: OrganizationCode::parse(of).unwrap(), officer: officer.to_owned() };
    let now: Timestamp = Clock::system().now();
    code_at(secret, &person, now).unwrap()
}

/// A recovery code of one who enrolled.
fn recovery(enrolled: &Value, person: usize, number: usize) -> &str {
    enrolled["persons"][person]["recovery_codes"][number].as_str().unwrap()
}

fn token(enrolled: &Value, person: usize) -> &str {
    enrolled["persons"][person]["token"].as_str().unwrap()
}

/// `tsunagi init` without a desk, then `tsunagi operator`, as for a gateway from before the operator had persons.
async fn operators_code(site: &Site) -> String {
    let config = site.config.display().to_string();
    let serial = site.serial("operator").await;
    let init = ["init", "--config", &config, "--serial", &serial, "--officer", "op1", "--officer-name", "運用 担当"];
    let made = site.run("", &init).await;
    assert!(made.done && made.out.contains("no desk was named"), "{}{}", made.out, made.errors);
    let desk = site.serial(OPERATOR_DESK).await;
    let wrong = site.run("", &["operator", "--config", &config, "--desk", &serial]).await;
    wrong.is_refused("(already_exists)");
    site.run("", &["operator", "--config", &config, "--desk", &desk]).await.last_word()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_opened_and_opened_anew_by_the_command_line() {
    let site = Site::new().await;
    let code = operators_code(&site).await;
    let mut running = site.serve().await;
    // Who has the code and a bad password learns nothing and says nothing.
    let persons = (&["chair1=運用 一", "chair2=運用 二"][..], password_of as fn(&str) -> String);
    let weak = site.enrol(OPERATOR_DESK, ("operator", &code), (persons.0, |_| "password1234".to_owned())).await;
    weak.is_refused("password_refused");
    let chairs = site.enrol(OPERATOR_DESK, ("operator", &code), persons).await.json();
    site.enrol(OPERATOR_DESK, ("operator", &code), persons).await.is_refused("enrolment_code_refused");

    // Signing in: refused with a wrong password, and done with a recovery code in place of the device.
    let wrong = site.sign_in(OPERATOR_DESK, "chair1", ("not the right one at all", "000000")).await;
    wrong.is_refused("sign_in_refused");
    let right = password_of("chair1");
    let chair = site.sign_in(OPERATOR_DESK, "chair1", (&right, recovery(&chairs, 0, 0))).await.last_word();
    let chair = (OPERATOR_DESK, chair.as_str());
    let city_desk = site.terminal("city-desk", CITY_A);
    for words in [
        &["org", "connect", CITY_A, "当直 03-0000-0000"][..],
        &["terminal", "register", &city_desk, CITY_A, "desk", "窓口"],
    ] {
        assert_eq!(site.as_(chair, words).await.json()["state"], "done", "{words:?}");
    }
    let opening = site.as_(chair, &["org", "open", CITY_A]).await.json();
    let opening = opening["code"].as_str().unwrap().to_owned();
    let names = (&["admin=管理 責任者", "manager=認証情報 管理者"][..], password_of as fn(&str) -> String);
    let first = site.enrol("city-desk", (CITY_A, &opening), names).await.json();
    let (admin, manager) = (("city-desk", token(&first, 0)), ("city-desk", token(&first, 1)));
    staff_by_the_command_line(&site, (admin, manager)).await;
    opened_anew(&site, chair, (OPERATOR_DESK, token(&chairs, 1))).await;

    // While nothing serves: the code of the first persons is not made again, now that they can sign in.
    running.end().await;
    let (config, desk) = (site.config.display().to_string(), site.serial(OPERATOR_DESK).await);
    site.run("", &["operator", "--config", &config, "--desk", &desk]).await.is_refused("(body_is_open)");
}

type Seat<'s> = (&'s str, &'s str);

/// One asks for a person, the other confirms and issues; the person enrols.
async fn staff_by_the_command_line(site: &Site, (admin, manager): (Seat<'_>, Seat<'_>)) {
    let asked = site.as_(admin, &["staff", "register", "o1", "担当 者", "caseworker", "supervisor"]).await.json();
    let waits = asked["waiting_act"].as_str().unwrap();
    let listed = site.as_(manager, &["waiting", "list"]).await.json();
    assert_eq!(
        (&listed["waiting_acts"][0]["waiting_act"], &listed["waiting_acts"][0]["state"]),
        (&asked["waiting_act"], &Value::from("waiting"))
    );
    site.as_(admin, &["waiting", "confirm", waits]).await.is_refused("not_two_persons");
    assert_eq!(site.as_(manager, &["waiting", "confirm", waits]).await.json()["state"], "done");
    site.as_(manager, &["waiting", "confirm", waits]).await.is_refused("sharp_act_decided");
    let issued = site.as_(manager, &["staff", "issue", CITY_A, "o1"]).await.json();
    let code = issued["code"].as_str().unwrap();
    let enrolled = site.enrol("city-desk", (CITY_A, code), (&["o1"], password_of)).await.json();
    assert_eq!(enrolled["persons"][0]["recovery_codes"].as_array().unwrap().len(), 8);
    site.as_(manager, &["staff", "issue", CITY_A, "o1"]).await.is_refused("credential_needs_two");
    let asked = site.as_(admin, &["staff", "register", "o2", "担当 者", "viewer"]).await.json();
    let withdrawn = site.as_(admin, &["waiting", "withdraw", asked["waiting_act"].as_str().unwrap()]).await.json();
    assert_eq!(withdrawn["state"], "withdrawn");
}

/// The body has people: it is not opened anew. Then nobody is left, and it takes two operators and time.
async fn opened_anew(site: &Site, chair: Seat<'_>, other: Seat<'_>) {
    site.as_(chair, &["org", "reopen", CITY_A]).await.is_refused("body_is_open");
    for id in ["o1", "admin", "manager"] {
        assert_eq!(site.as_(chair, &["staff", "revoke", CITY_A, id]).await.json()["active"], false);
    }
    let asked = site.as_(chair, &["org", "reopen", CITY_A]).await.json();
    let waits = asked["waiting_act"].as_str().unwrap();
    site.as_(chair, &["org", "open", CITY_A]).await.is_refused("reopening_not_approved");
    assert_eq!(site.as_(other, &["waiting", "confirm", waits]).await.json()["state"], "approved");
    site.as_(chair, &["org", "open", CITY_A]).await.is_refused("sharp_act_too_early");
}
