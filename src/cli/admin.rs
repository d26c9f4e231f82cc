//! `tsunagi org`, `tsunagi terminal`, `tsunagi staff`: administration through the API.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Connection, error::CommandError};
use crate::client::{Client, Credentials, Reply};

#[derive(Subcommand)]
pub enum Org {
    /// Connect an organization, or change whom to call.
    Connect {
        #[command(flatten)]
        connection: Connection,
        code: String,
        /// Whom to call about a record.
        relay_desk: String,
    },
    /// Suspend an organization: its next request is refused.
    Suspend {
        #[command(flatten)]
        connection: Connection,
        code: String,
    },
    /// List connected organizations.
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Subcommand)]
pub enum TerminalCommand {
    /// Register the terminal that holds a certificate.
    Register {
        #[command(flatten)]
        connection: Connection,
        serial: String,
        organization: String,
        /// `machine` or `desk`.
        kind: String,
        label: String,
    },
    /// Revoke a terminal: its next request is refused, on open connections too.
    Revoke {
        #[command(flatten)]
        connection: Connection,
        serial: String,
    },
    /// List terminals.
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Subcommand)]
pub enum Staff {
    /// Register a staff member; a password is read from the variable STAFF_PASSWORD.
    Register {
        #[command(flatten)]
        connection: Connection,
        id: String,
        name: String,
        /// viewer, caseworker, supervisor, auditor, user_administrator
        #[arg(required = true)]
        roles: Vec<String>,
        /// Another organization (operator only).
        #[arg(long)]
        organization: Option<String>,
    },
    /// Revoke a staff member: the next request is refused.
    Revoke {
        #[command(flatten)]
        connection: Connection,
        organization: String,
        id: String,
    },
    /// List staff.
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

impl Connection {
    pub(super) fn client(&self) -> Result<Client, CommandError> {
        let credentials = Credentials { directory: self.certs.clone(), name: self.cert.clone() };
        Ok(Client::of_server(self.address.clone(), &credentials, Some(&self.officer))?)
    }
}

async fn post(connection: &Connection, path: &str, body: &Value) -> Result<(), CommandError> {
    let client = connection.client()?;
    let request = client.post(path);
    let request = if body.is_null() { request } else { request.json(body) };
    report(&request.send().await?)
}

async fn list(connection: &Connection, path: &str) -> Result<(), CommandError> {
    report(&connection.client()?.get(path).send().await?)
}

fn report(reply: &Reply) -> Result<(), CommandError> {
    let text = reply.json::<Value>().and_then(|value| Ok(serde_json::to_string_pretty(&value)?));
    let text = text.unwrap_or_else(|_| reply.text());
    if reply.status.is_success() {
        say!("{text}");
        Ok(())
    } else {
        Err(CommandError::Unexpected(text))
    }
}

impl Org {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Connect { connection, code, relay_desk } => {
                post(&connection, "/v1/organizations", &json!({ "code": code, "relay_desk": relay_desk })).await
            }
            Self::Suspend { connection, code } => {
                post(&connection, &format!("/v1/organizations/{code}/suspend"), &Value::Null).await
            }
            Self::List { connection } => list(&connection, "/v1/organizations").await,
        }
    }
}

impl TerminalCommand {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Register { connection, serial, organization, kind, label } => {
                let body = json!({ "serial": serial, "organization": organization, "kind": kind, "label": label });
                post(&connection, "/v1/terminals", &body).await
            }
            Self::Revoke { connection, serial } => {
                post(&connection, &format!("/v1/terminals/{serial}/revoke"), &Value::Null).await
            }
            Self::List { connection } => list(&connection, "/v1/terminals").await,
        }
    }
}

impl Staff {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Register { connection, id, name, roles, organization } => {
                let password = std::env::var("STAFF_PASSWORD").ok();
                let body = json!({
                    "organization": organization, "id": id, "name": name, "roles": roles, "password": password,
                });
                post(&connection, "/v1/staff", &body).await
            }
            Self::Revoke { connection, organization, id } => {
                post(&connection, &format!("/v1/staff/{organization}/{id}/revoke"), &Value::Null).await
            }
            Self::List { connection } => list(&connection, "/v1/staff").await,
        }
    }
}
