//! Configuration: one TOML file, every key overridable from the environment.
//!
//! `TSUNAGI_LIMITS__CONNECTIONS=100` overrides `connections` in `[limits]`. Every key is described in
//! `docs/configuration.md`.

mod accounts;
mod retention;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use self::{accounts::AccountsConfig, retention::RetentionConfig};

/// The whole configuration of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of this node; its ledger is kept under it.
    pub node: String,
    /// Origin of the node's log, as checkpoints name it, such as `tsunagi.example/log/node-1`.
    pub log_origin: String,
    /// Address of the API (mutual TLS).
    pub listen: SocketAddr,
    /// Address of `/livez`, `/readyz` and `/metrics` (plain HTTP; keep it on loopback or the operators' network).
    pub monitor_listen: SocketAddr,
    /// `sqlite:PATH` or a `postgres://` URL.
    pub database: String,
    /// Sealed file to which memory is written when the node stops; by default beside a SQLite database, and none for
    /// PostgreSQL.
    #[serde(default)]
    pub snapshot: Option<PathBuf>,
    /// Keyring file, made by `tsunagi keys create`.
    pub keyring: PathBuf,
    /// Start although the clock lies before the latest entry of the ledger: once, after a node ran with a clock that was
    /// ahead.
    #[serde(default)]
    pub start_before_ledger: bool,
    pub tls: Tls,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub search: SearchConfig,
    #[serde(default)]
    pub ledger: LedgerConfig,
    #[serde(default)]
    pub records: RecordsConfig,
    #[serde(default)]
    pub backup: BackupConfig,
    #[serde(default)]
    pub accounts: AccountsConfig,
    #[serde(default)]
    pub retention: RetentionConfig,
}

/// Work on records.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsConfig {
    /// Seconds after which an edit lock that was not renewed ends.
    pub edit_lock_seconds: u32,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self { edit_lock_seconds: 900 }
    }
}

/// How what was acknowledged outlives the machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// Directory, mounted from another host, into which every batch goes before it is acknowledged. SQLite alone.
    pub stream: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Server certificate chain, PEM.
    pub certificate: PathBuf,
    /// Server key, PEM.
    pub key: PathBuf,
    /// CA certificates that sign terminals, PEM.
    pub client_ca: PathBuf,
    /// Revocation lists of that CA, PEM; left out, the registry of terminals alone revokes.
    #[serde(default)]
    pub revocation_list: Option<PathBuf>,
    /// Seconds between readings of CA and lists.
    #[serde(default = "Tls::default_reload")]
    pub reload_seconds: u64,
    /// Hours after the expiry of a list during which the gateway still serves, alarming; then it refuses.
    #[serde(default = "Tls::default_grace")]
    pub expired_list_grace_hours: i64,
}

impl Tls {
    fn default_reload() -> u64 {
        5
    }

    fn default_grace() -> i64 {
        72
    }
}

/// Bounds on what one caller may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Requests at once that are being worked on, or whose answers are being taken; more are answered 503.
    pub requests_in_flight: usize,
    /// Of these, requests of one terminal, and as many that wait for news; more are answered 429.
    pub terminal_in_flight: usize,
    pub handshake_seconds: u64,
    /// Seconds in which the first request of a connection must come, and the headers of every request arrive; also how
    /// long an idle connection is kept.
    pub header_seconds: u64,
    /// Seconds in which the body of a request must arrive.
    pub body_seconds: u64,
    /// Seconds in which each 64 KiB of an answer must be taken; after that the connection ends.
    pub answer_seconds: u64,
    /// Headers of one request.
    pub headers: usize,
    /// Bytes of all headers of one request.
    pub header_bytes: usize,
    /// Bytes of a JSON message.
    pub message_bytes: usize,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Bytes of a batch of records.
    pub batch_bytes: usize,
    /// Bytes of an attachment.
    pub attachment_bytes: usize,
    /// Requests a second for one terminal, and how many may come at once.
    pub terminal_per_second: u32,
    pub terminal_burst: u32,
    /// Requests a second for one officer, and how many may come at once.
    pub officer_per_second: u32,
    pub officer_burst: u32,
    /// Seconds for which a node that was asked to stop still serves, saying on `/readyz` that it is about to.
    pub drain_seconds: u64,
    /// Tries at signing in an hour for one officer at one terminal, right or wrong.
    pub sign_ins_per_hour: u32,
    /// The same of everybody at one terminal, by whatever ids.
    pub terminal_tries_per_hour: u32,
    /// Staff and terminals of other bodies that one machine of the operator's revokes an hour.
    pub machine_revocations_per_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            requests_in_flight: 1_024,
            terminal_in_flight: 256,
            handshake_seconds: 10,
            header_seconds: 60,
            body_seconds: 30,
            answer_seconds: 30,
            headers: 64,
            header_bytes: 16_384,
            message_bytes: 65_536,
            record_bytes: 2_097_152,
            batch_bytes: 16_777_216,
            attachment_bytes: 10_485_760,
            terminal_per_second: 100,
            terminal_burst: 400,
            officer_per_second: 50,
            officer_burst: 200,
            drain_seconds: 0,
            sign_ins_per_hour: 120,
            terminal_tries_per_hour: 600,
            machine_revocations_per_hour: 30,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Children that a search may find; more are answered with the advice to narrow down.
    pub most_hits: usize,
    /// Children on one page of an answer.
    pub page_hits: usize,
    /// Searches an hour for one officer, and how many may come at once.
    pub officer_per_hour: u32,
    pub officer_burst: u32,
    /// Searches an hour for one organization, and how many may come at once.
    pub organization_per_hour: u32,
    pub organization_burst: u32,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            most_hits: 50,
            page_hits: 20,
            officer_per_hour: 120,
            officer_burst: 60,
            organization_per_hour: 1_200,
            organization_burst: 300,
        }
    }
}

/// How the ledger is shown to outsiders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// Seconds between two checkpoints that are sent to the witnesses.
    pub publish_seconds: u64,
    /// Seconds that a witness may take to answer.
    pub witness_seconds: u64,
    /// Client certificate chain towards the witnesses, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// File of the newest witnessed checkpoints; by default beside a SQLite database, and none for PostgreSQL.
    pub witnessed: Option<PathBuf>,
    /// File of the entries' hashes; its default is like that of `witnessed`.
    pub leaves: Option<PathBuf>,
    pub witnesses: Vec<LedgerWitness>,
    /// Size of a ledger that is behind what was witnessed and is served all the same: from the command line alone, so
    /// that it does not stay.
    #[serde(skip)]
    pub accept_rollback: Option<u64>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            publish_seconds: 5,
            witness_seconds: 10,
            certificate: None,
            key: None,
            witnessed: None,
            leaves: None,
            witnesses: Vec::new(),
            accept_rollback: None,
        }
    }
}

/// A witness of the ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerWitness {
    /// `https://HOST[:PORT][/PREFIX]`.
    pub url: String,
    /// Its public key (`vkey` line).
    pub key: String,
    /// CA certificate of its server, PEM; left out, that of the terminals.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A mistake in the configuration: where, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}: cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    #[error("{file}: {what}")]
    File { file: PathBuf, what: String },
    #[error("environment variable {variable}: {what}")]
    Environment { variable: String, what: String },
}

const PREFIX: &str = "TSUNAGI_";

impl Config {
    /// The database file; `None` where it is PostgreSQL.
    pub fn database_file(&self) -> Option<&Path> {
        self.database.strip_prefix("sqlite:").map(Path::new)
    }

    /// Where memory is written when the node stops.
    pub fn snapshot_file(&self) -> Option<PathBuf> {
        self.snapshot.clone().or_else(|| self.beside_database("snapshot"))
    }

    /// Where the newest witnessed checkpoints are kept.
    pub fn witnessed_file(&self) -> Option<PathBuf> {
        self.ledger.witnessed.clone().or_else(|| self.beside_database("witnessed"))
    }

    /// Where the hashes of the entries are kept.
    pub fn leaves_file(&self) -> Option<PathBuf> {
        self.ledger.leaves.clone().or_else(|| self.beside_database("leaves"))
    }

    fn beside_database(&self, what: &str) -> Option<PathBuf> {
        self.database.strip_prefix("sqlite:").map(|path| PathBuf::from(format!("{path}.{what}")))
    }

    /// Reads the file, then the environment.
    ///
    /// # Errors
    /// The first mistake, with file or variable, key and what was expected.
    pub fn load(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file).map_err(|error| ConfigError::Unreadable(file.to_owned(), error))?;
        let wrong = |error: toml::de::Error| ConfigError::File { file: file.to_owned(), what: error.to_string() };
        // The file by itself first: its mistakes are reported with line and key.
        let mut config: Self = toml::from_str(&text).map_err(wrong)?;
        let mut table: toml::Table = toml::from_str(&text).map_err(wrong)?;
        for (variable, value) in environment {
            let Some(key) = variable.strip_prefix(PREFIX) else { continue };
            let path: Vec<String> = key.to_lowercase().split("__").map(str::to_owned).collect();
            overlay(&mut table, &path, &value);
            config = table
                .clone()
                .try_into()
                .map_err(|error: toml::de::Error| ConfigError::Environment { variable, what: error.to_string() })?;
        }
        Ok(config)
    }
}

fn overlay(table: &mut toml::Table, path: &[String], value: &str) {
    match path {
        [] => {}
        [key] => {
            let value = value
                .parse::<i64>()
                .map(toml::Value::Integer)
                .or_else(|_| value.parse::<bool>().map(toml::Value::Boolean))
                .unwrap_or_else(|_| toml::Value::String(value.to_owned()));
            table.insert(key.clone(), value);
        }
        [section, rest @ ..] => {
            let entry = table.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(inner) = entry {
                overlay(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "node = 'n'\nlog_origin = 'o'\nlisten = '127.0.0.1:1'\nmonitor_listen = '127.0.0.1:2'\n\
        database = 'sqlite:x'\nkeyring = 'k'\n[tls]\ncertificate = 'c'\nkey = 'k'\nclient_ca = 'a'\n";

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Config::load(file.path(), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let config =
            load(GOOD, &[("TSUNAGI_NODE", "m"), ("TSUNAGI_LIMITS__CONNECTIONS", "7"), ("OTHER", "x")]).unwrap();
        assert_eq!((config.node.as_str(), config.limits.connections), ("m", 7));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let unknown = load(&GOOD.replace("[tls]", "colour = 'red'\n[tls]"), &[]).unwrap_err().to_string();
        assert!(unknown.contains("colour") && unknown.contains("line 7"), "{unknown}");
        let wrong = load(&GOOD.replace("127.0.0.1:1", "nowhere"), &[]).unwrap_err().to_string();
        assert!(wrong.contains("listen"), "{wrong}");
        let variable = load(GOOD, &[("TSUNAGI_LIMITS__CONNECTIONS", "many")]).unwrap_err().to_string();
        assert!(variable.contains("TSUNAGI_LIMITS__CONNECTIONS"), "{variable}");
    }
}
