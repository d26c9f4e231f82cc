//! What a stage writes down: by it a browser is at any desk, and any of the persons.

use std::{collections::BTreeMap, fs, path::Path};

use data_encoding::BASE64;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use serde::Serialize;

use crate::world::WorldError;

/// Name of the file.
pub const NAME: &str = "stage.json";
/// Password of each certificate file for browsers.
pub const P12_PASSWORD: &str = "tsunagi";

#[derive(Serialize)]
pub struct StageFile<'s> {
    /// `https://localhost:PORT`.
    pub origin: String,
    /// Certificate of the CA; as the other paths, a PEM file.
    pub ca: String,
    /// The gateway's own, by which a test may serve other pages of `localhost`.
    pub server: TerminalFiles,
    pub p12_password: &'static str,
    /// What the gateway knows, and beside it certificates with which nobody gets in.
    pub terminals: BTreeMap<String, TerminalFiles>,
    pub persons: Vec<PersonLine<'s>>,
}

#[derive(Serialize)]
pub struct TerminalFiles {
    pub certificate: String,
    pub key: String,
    /// Both in one file, as browsers take it.
    pub p12: Option<String>,
}

#[derive(Serialize)]
pub struct PersonLine<'s> {
    pub party: &'s str,
    pub organization: &'s str,
    /// Name of the terminal of the desk.
    pub desk: String,
    pub officer: &'s str,
    pub name: &'s str,
    pub roles: Vec<&'s str>,
    pub password: &'s str,
    /// Base32, as a device takes it in.
    pub secret: String,
    pub recovery_codes: &'s [String],
}

/// Writes it.
pub fn write(directory: &Path, stage: &StageFile<'_>) -> Result<(), WorldError> {
    let text = serde_json::to_vec_pretty(stage).map_err(|error| WorldError::Unexpected(error.to_string()))?;
    Ok(fs::write(directory.join(NAME), text)?)
}

/// The files of a terminal by the name of its certificate, and beside them one for browsers, which is made here.
pub fn for_browsers(certs: &Path, name: &str) -> Result<TerminalFiles, WorldError> {
    let p12 = certs.join(format!("{name}.p12"));
    let made = p12_of(&certs.join(format!("{name}.crt")), &certs.join(format!("{name}.key")), name)?;
    fs::write(&p12, made)?;
    Ok(TerminalFiles { p12: Some(p12.display().to_string()), ..files(certs, name) })
}

pub fn files(certs: &Path, name: &str) -> TerminalFiles {
    let path = |extension: &str| certs.join(format!("{name}.{extension}")).display().to_string();
    TerminalFiles { certificate: path("crt"), key: path("key"), p12: None }
}

fn p12_of(certificate: &Path, key: &Path, name: &str) -> Result<Vec<u8>, WorldError> {
    let broken = |error: p12_keystore::error::Error| WorldError::Unexpected(format!("{name}.p12: {error}"));
    let certificate = Certificate::from_der(&der_of(certificate)?).map_err(broken)?;
    let key = PrivateKey::from_der(&der_of(key)?).map_err(broken)?;
    let mut store = KeyStore::new();
    store.add_entry(name, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(name, key, [certificate])));
    let writer = store.writer(P12_PASSWORD).encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256);
    writer.mac_algorithm(MacAlgorithm::HmacSha256).write().map_err(broken)
}

/// What is in a PEM file with one thing in it.
fn der_of(file: &Path) -> Result<Vec<u8>, WorldError> {
    let text = fs::read_to_string(file)?;
    let lines: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64.decode(lines.as_bytes()).map_err(|_| WorldError::Unexpected(format!("{}: no PEM", file.display())))
}
