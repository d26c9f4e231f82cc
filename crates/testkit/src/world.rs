//! A gateway of its own in a directory, with a PKI, a keyring and parties: for the demonstration and for tests.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tsunagi::{
    client::{Client, ClientError, Credentials, expect},
    clock::Clock,
    config::{Config, ConfigError},
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    keys::{error::KeyError, keyring::Keyring},
    node::open::OpenError,
    operations::accounts::bootstrap::bootstrap,
    server::{error::StartError, start::Server},
};

use crate::pki::{Authority, Flaw, PkiError};

/// What went wrong while a world was made, or what a party did not expect.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Gateway(#[from] Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Unexpected(String),
}

/// Files of a gateway, made and not yet served.
pub struct Premises {
    pub directory: PathBuf,
    pub config: Config,
    pub authority: Authority,
}

/// Id of the operator's first administrator.
pub const OPERATOR_OFFICER: &str = "op1";
/// Id of each organization's first user administrator.
pub const ADMINISTRATOR: &str = "admin";

impl Premises {
    /// Makes PKI, keyring, configuration and a database that knows the operator alone: a new SQLite file in the
    /// directory, or the empty PostgreSQL database of a URL.
    ///
    /// # Errors
    /// The directory cannot be written, or the database not be reached.
    pub async fn create(
        directory: &Path,
        database: Option<&str>,
        listen: SocketAddr,
        monitor: SocketAddr,
        extra: &str,
    ) -> Result<Self, WorldError> {
        let certs = directory.join("certs");
        let authority = Authority::create(&certs)?;
        authority.issue_server(&["localhost", "127.0.0.1"])?;
        let serial = authority.issue_terminal("operator", &OrganizationCode::operator(), Flaw::None)?;
        Keyring::create(&directory.join("keyring.toml"), None)?;
        let file = directory.join("tsunagi.toml");
        fs::write(&file, config_text(directory, database, listen, monitor, extra))?;
        let config = Config::load(&file, std::iter::empty())?;
        let gateway = Gateway::open(config.clone(), Clock::system()).await?;
        bootstrap(&gateway, &serial, OPERATOR_OFFICER, "運用 担当").await?;
        gateway.store.close().await;
        Ok(Self { directory: directory.to_owned(), config, authority })
    }

    pub fn credentials(&self, name: &str) -> Credentials {
        Credentials { directory: self.authority.directory().to_owned(), name: name.to_owned() }
    }
}

fn config_text(
    directory: &Path,
    database: Option<&str>,
    listen: SocketAddr,
    monitor: SocketAddr,
    extra: &str,
) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    let sqlite = format!("sqlite:{}", path("tsunagi.db"));
    let database = database.unwrap_or(&sqlite);
    format!(
        "node = \"node-1\"\nlog_origin = \"localhost/log/node-1\"\nlisten = \"{listen}\"\nmonitor_listen = \"{monitor}\"\n\
         database = \"{database}\"\nkeyring = \"{}\"\n{extra}\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\
         client_ca = \"{}\"\nrevocation_list = \"{}\"\nreload_seconds = 1\n",
        path("keyring.toml"),
        path("certs/server.crt"),
        path("certs/server.key"),
        path("certs/ca.crt"),
        path("certs/crl.pem"),
    )
}

/// A served gateway and its operator.
pub struct World {
    pub premises: Premises,
    pub server: Option<Server>,
    pub address: SocketAddr,
    pub clock: Clock,
    pub operator: Client,
}

/// Somebody with a certificate and an officer.
pub struct Party {
    pub code: OrganizationCode,
    /// Name of its certificate files.
    pub name: String,
    pub serial: String,
    pub officer: String,
    pub client: Client,
}

impl World {
    /// Makes and serves a gateway.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(premises: Premises, clock: Clock) -> Result<Self, WorldError> {
        let server = Server::start(premises.config.clone(), clock.clone()).await?;
        let address = server.address;
        let operator = Client::new(address, &premises.credentials("operator"), Some(OPERATOR_OFFICER))?;
        Ok(Self { premises, server: Some(server), address, clock, operator })
    }

    /// The gateway inside, for looking at what no client can see.
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.server.as_ref().map(|server| &server.serving.gateway)
    }

    /// Connects an organization with one machine terminal and one officer.
    ///
    /// # Errors
    /// The operator was refused.
    pub async fn connect(&self, name: &str, code: &str, officer: &str, roles: &[&str]) -> Result<Party, WorldError> {
        let code = OrganizationCode::parse(code)
            .ok_or_else(|| WorldError::Unexpected(format!("{code} is no organization code")))?;
        let connected = json!({ "code": code, "relay_desk": format!("{name} 03-0000-0000") });
        expect(self.operator.post("/v1/organizations").json(&connected).send().await?, 200)?;
        let first = json!({
            "organization": code, "id": ADMINISTRATOR, "name": "利用者 管理者", "roles": ["user_administrator"],
        });
        expect(self.operator.post("/v1/staff").json(&first).send().await?, 201)?;
        let party = self.add_terminal(name, &code, officer).await?;
        self.add_staff(&party, officer, roles).await?;
        Ok(party)
    }

    /// Registers a staff member without a password, as the organization's own administrator.
    ///
    /// # Errors
    /// The administrator was refused.
    pub async fn add_staff(&self, party: &Party, officer: &str, roles: &[&str]) -> Result<(), WorldError> {
        let administrator = Client::new(self.address, &self.premises.credentials(&party.name), Some(ADMINISTRATOR))?;
        let staff = json!({ "id": officer, "name": format!("職員 {officer}"), "roles": roles });
        expect(administrator.post("/v1/staff").json(&staff).send().await?, 201)?;
        Ok(())
    }

    /// Issues a certificate and registers the terminal that holds it.
    ///
    /// # Errors
    /// The operator was refused.
    pub async fn add_terminal(&self, name: &str, code: &OrganizationCode, officer: &str) -> Result<Party, WorldError> {
        let serial = self.premises.authority.issue_terminal(name, code, Flaw::None)?;
        let terminal = json!({ "serial": serial, "organization": code, "kind": "machine", "label": format!("{name} 業務システム") });
        expect(self.operator.post("/v1/terminals").json(&terminal).send().await?, 201)?;
        let client = Client::new(self.address, &self.premises.credentials(name), Some(officer))?;
        Ok(Party { code: code.clone(), name: name.to_owned(), serial, officer: officer.to_owned(), client })
    }

    /// Another client of the same terminal and officer, with a connection of its own.
    ///
    /// # Errors
    /// The certificate files cannot be read.
    pub fn another(&self, party: &Party) -> Result<Client, WorldError> {
        Ok(Client::new(self.address, &self.premises.credentials(&party.name), Some(&party.officer))?)
    }

    pub async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}
