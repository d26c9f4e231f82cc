//! A gateway of its own in a directory, with a PKI, a keyring and parties: for the demonstration and for tests.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tsunagi::{
    client::{Client, ClientError, Credentials, Reply, expect},
    clock::Clock,
    config::{Config, ConfigError},
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    keys::{error::KeyError, keyring::Keyring},
    node::open::OpenError,
    operations::accounts::bootstrap::{Bootstrap, bootstrap},
    server::{error::StartError, start::Server},
};

use crate::{
    persons::{DeskPerson, DeskPlace, FirstPersons},
    pki::{Authority, Flaw, PkiError},
};

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

/// File of the code with which the operator's first persons enrol.
const OPERATOR_CODE: &str = "operator-code";
/// Name of the certificate of the operator's desk.
pub const OPERATOR_DESK: &str = "operator-desk";
/// Id of the operator's first administrator.
pub const OPERATOR_OFFICER: &str = "op1";
/// Id of each organization's first user administrator.
pub const ADMINISTRATOR: &str = "admin";
/// Id of each organization's first credential manager.
pub const CREDENTIAL_MANAGER: &str = "manager";
/// Ids of the operator's first persons.
pub const OPERATORS: [&str; 2] = ["chair1", "chair2"];

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
        Self::create_at(directory, database, (listen, monitor), extra, Clock::system()).await
    }

    /// The same at the time of a clock.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_at(
        directory: &Path,
        database: Option<&str>,
        addresses: (SocketAddr, SocketAddr),
        extra: &str,
        clock: Clock,
    ) -> Result<Self, WorldError> {
        // Valid on the day that the clock says, and today.
        let ago = (Clock::system().now().as_micros() - clock.now().as_micros()) / 86_400_000_000;
        let authority = Authority::create_since(&directory.join("certs"), ago.max(0) + 2)?;
        Self::create_under(authority, directory, database, addresses, extra, clock).await
    }

    /// The same with the certificates of a CA, which is in the directory's folder `certs`.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_under(
        authority: Authority,
        directory: &Path,
        database: Option<&str>,
        (listen, monitor): (SocketAddr, SocketAddr),
        extra: &str,
        clock: Clock,
    ) -> Result<Self, WorldError> {
        authority.issue_server(&["localhost", "127.0.0.1"])?;
        let serial = authority.issue_terminal("operator", &OrganizationCode::operator(), Flaw::None)?;
        let desk = authority.issue_terminal(OPERATOR_DESK, &OrganizationCode::operator(), Flaw::None)?;
        Keyring::create(&directory.join("keyring.toml"), None)?;
        let file = directory.join("tsunagi.toml");
        fs::write(&file, config_text(directory, database, listen, monitor, extra))?;
        let config = Config::load(&file, std::iter::empty())?;
        let gateway = Gateway::open(config.clone(), clock).await?;
        let (officer, name) = (OPERATOR_OFFICER.to_owned(), "運用 担当".to_owned());
        let operator_code = bootstrap(&gateway, Bootstrap { serial, officer, name, desk: Some(desk) }).await?;
        gateway.store.close().await;
        drop(gateway);
        // What still runs of it lets go of the database a moment later; who serves it next would find it taken.
        while tsunagi::node::open::lock(&config.database).is_err() {
            tokio::task::yield_now().await;
        }
        fs::write(directory.join(OPERATOR_CODE), operator_code)?;
        Ok(Self { directory: directory.to_owned(), config, authority })
    }

    /// A desk by the name of its certificate.
    pub fn desk(&self, address: SocketAddr, clock: &Clock, name: &str) -> DeskPlace {
        let devices = self.directory.join("devices");
        DeskPlace { address, credentials: self.credentials(name), clock: clock.clone(), devices }
    }

    /// The operator's first persons, who enrol at its desk where they have not yet.
    ///
    /// # Errors
    /// They were refused.
    pub async fn operators(&self, address: SocketAddr, clock: &Clock) -> Result<FirstPersons, WorldError> {
        let (desk, code) = (self.desk(address, clock, OPERATOR_DESK), OrganizationCode::operator());
        let file = self.directory.join(OPERATOR_CODE);
        let Ok(opening) = fs::read_to_string(&file) else { return Ok(FirstPersons::known(&desk, &code, OPERATORS)) };
        let first = FirstPersons::enrol(&desk, &code, (&opening, OPERATORS)).await?;
        fs::remove_file(&file)?;
        Ok(first)
    }

    /// The first persons of a body that was opened before, by the name of its certificates.
    pub fn first_persons(
        &self,
        address: SocketAddr,
        clock: &Clock,
        (name, code): (&str, &OrganizationCode),
    ) -> FirstPersons {
        let desk = self.desk(address, clock, &format!("{name}-desk"));
        FirstPersons::known(&desk, code, [ADMINISTRATOR, CREDENTIAL_MANAGER])
    }

    /// Opens a body as it is done in life: an operator connects it, registers a desk and a machine, and hands out a code
    /// with which its first two persons enrol at the desk.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn open_body(
        &self,
        operators: &FirstPersons,
        (name, code): (&str, &OrganizationCode),
    ) -> Result<OpenedBody, WorldError> {
        let chair = &operators.administrator;
        let (desk, opening) = self.prepare_body(operators, (name, code)).await?;
        let serial = self.register_terminal(operators, (name, code, "machine")).await?;
        let place = self.desk(chair.desk().address, &chair.desk().clock, &desk);
        let first = FirstPersons::enrol(&place, code, (&opening, [ADMINISTRATOR, CREDENTIAL_MANAGER])).await?;
        Ok(OpenedBody { serial, first })
    }

    /// An operator connects a body, registers a desk, and hands out the code with which its first two persons enrol there.
    /// Returns the name of the desk's certificate, and the code.
    ///
    /// # Errors
    /// The operator was refused.
    pub async fn prepare_body(
        &self,
        operators: &FirstPersons,
        (name, code): (&str, &OrganizationCode),
    ) -> Result<(String, String), WorldError> {
        let chair = &operators.administrator;
        let connected = json!({ "code": code, "relay_desk": format!("{name} 03-0000-0000") });
        expect(chair.post("/v1/organizations", &connected).await?, 200)?;
        let desk = format!("{name}-desk");
        self.register_terminal(operators, (&desk, code, "desk")).await?;
        let issued = chair.post(&format!("/v1/organizations/{code}/opening-codes"), &Value::Null).await?;
        let issued: Value = expect(issued, 201)?.json()?;
        let opening = issued.get("code").and_then(Value::as_str).unwrap_or_default();
        Ok((desk, opening.to_owned()))
    }

    /// Issues a certificate, and has an operator register the terminal that holds it, for a body that never had people;
    /// returns its serial.
    ///
    /// # Errors
    /// The operator was refused.
    pub async fn register_terminal(
        &self,
        operators: &FirstPersons,
        terminal: (&str, &OrganizationCode, &str),
    ) -> Result<String, WorldError> {
        let (serial, reply) = self.ask_for_terminal(operators, terminal).await?;
        expect(reply, 201)?;
        Ok(serial)
    }

    /// The same for a body that has people: its administrator confirms the terminal.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn register_another(
        &self,
        operators: &FirstPersons,
        first: &FirstPersons,
        (name, kind): (&str, &str),
    ) -> Result<String, WorldError> {
        let body = &first.administrator;
        let (serial, reply) = self.ask_for_terminal(operators, (name, &body.code, kind)).await?;
        let waiting: Value = expect(reply, 202)?.json()?;
        let waiting = waiting.get("waiting_act").and_then(Value::as_str).unwrap_or_default();
        expect(body.confirm(waiting).await?, 200)?;
        Ok(serial)
    }

    /// Issues a certificate, and has an operator ask for the terminal that holds it; returns its serial and the answer.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn ask_for_terminal(
        &self,
        operators: &FirstPersons,
        (name, code, kind): (&str, &OrganizationCode, &str),
    ) -> Result<(String, Reply), WorldError> {
        let serial = self.authority.issue_terminal(name, code, Flaw::None)?;
        let label = if kind == "machine" { format!("{name} 業務システム") } else { format!("{name} 窓口") };
        let terminal = json!({ "serial": serial, "organization": code, "kind": kind, "label": label });
        let reply = operators.administrator.post("/v1/terminals", &terminal).await?;
        Ok((serial, reply))
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

/// A body that was opened: the serial of its machine, and its first persons.
pub struct OpenedBody {
    pub serial: String,
    pub first: FirstPersons,
}

/// A served gateway and its operator.
pub struct World {
    pub premises: Premises,
    pub server: Option<Server>,
    pub address: SocketAddr,
    pub clock: Clock,
    /// The operator's machine, which names its officer: it looks, asks, and takes away.
    pub operator: Client,
    operators: OnceCell<FirstPersons>,
}

/// A body with a machine that names an officer, and with persons at a desk.
pub struct Party {
    pub code: OrganizationCode,
    /// Name of its certificate files.
    pub name: String,
    pub serial: String,
    pub officer: String,
    pub client: Client,
    /// The two who opened the body; shared by the terminals of one body.
    pub first: Arc<FirstPersons>,
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
        Ok(Self { premises, server: Some(server), address, clock, operator, operators: OnceCell::new() })
    }

    /// The operator's persons, who enrol when they are first asked for.
    ///
    /// # Errors
    /// They were refused.
    pub async fn operators(&self) -> Result<&FirstPersons, WorldError> {
        self.operators.get_or_try_init(|| self.premises.operators(self.address, &self.clock)).await
    }

    /// The gateway inside, for looking at what no client can see.
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.server.as_ref().map(|server| &server.serving.gateway)
    }

    /// Opens a body, with one machine and an officer whom it names.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn connect(&self, name: &str, code: &str, officer: &str, roles: &[&str]) -> Result<Party, WorldError> {
        self.connect_named(name, code, (officer, &format!("職員 {officer}")), roles).await
    }

    /// The same with the name that the officer is to have.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn connect_named(
        &self,
        name: &str,
        code: &str,
        (officer, officer_name): (&str, &str),
        roles: &[&str],
    ) -> Result<Party, WorldError> {
        let code = OrganizationCode::parse(code)
            .ok_or_else(|| WorldError::Unexpected(format!("{code} is no organization code")))?;
        let OpenedBody { serial, first } = self.premises.open_body(self.operators().await?, (name, &code)).await?;
        first.appoint_named((officer, officer_name), roles).await?;
        let client = Client::new(self.address, &self.premises.credentials(name), Some(officer))?;
        let (name, officer) = (name.to_owned(), officer.to_owned());
        Ok(Party { code, name, serial, officer, client, first: Arc::new(first) })
    }

    /// Registers a staff member whom a machine names, by the body's first two persons.
    ///
    /// # Errors
    /// They were refused.
    pub async fn add_staff(&self, party: &Party, officer: &str, roles: &[&str]) -> Result<(), WorldError> {
        party.first.appoint(officer, roles).await
    }

    /// A staff member at the body's desk, with a credential of their own.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn seat(&self, party: &Party, officer: &str) -> Result<DeskPerson, WorldError> {
        party.first.seat(officer).await
    }

    /// Registers a staff member and seats them at the body's desk.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn seat_new(&self, party: &Party, officer: &str, roles: &[&str]) -> Result<DeskPerson, WorldError> {
        party.first.appoint(officer, roles).await?;
        party.first.seat(officer).await
    }

    /// Another machine of a body, with its certificate.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn add_terminal(&self, name: &str, party: &Party, officer: &str) -> Result<Party, WorldError> {
        let operators = self.operators().await?;
        let serial = self.premises.register_another(operators, &party.first, (name, "machine")).await?;
        let client = Client::new(self.address, &self.premises.credentials(name), Some(officer))?;
        let (name, officer) = (name.to_owned(), officer.to_owned());
        Ok(Party { code: party.code.clone(), name, serial, officer, client, first: party.first.clone() })
    }

    /// A desk of a body that is not open yet.
    ///
    /// # Errors
    /// The operator was refused.
    pub async fn first_desk(&self, name: &str, code: &OrganizationCode) -> Result<DeskPlace, WorldError> {
        self.premises.register_terminal(self.operators().await?, (name, code, "desk")).await?;
        Ok(self.premises.desk(self.address, &self.clock, name))
    }

    /// Another desk of a body.
    ///
    /// # Errors
    /// Somebody was refused.
    pub async fn add_desk(&self, name: &str, party: &Party) -> Result<DeskPlace, WorldError> {
        self.premises.register_another(self.operators().await?, &party.first, (name, "desk")).await?;
        Ok(self.premises.desk(self.address, &self.clock, name))
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
