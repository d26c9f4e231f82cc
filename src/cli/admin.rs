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
    /// Make the code with which the first persons of an organization enrol at its desk.
    Open {
        #[command(flatten)]
        connection: Connection,
        code: String,
    },
    /// Ask that an organization gets a first administrator anew.
    Reopen {
        #[command(flatten)]
        connection: Connection,
        code: String,
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
    /// Ask for a new staff member; a second person approves.
    Register {
        #[command(flatten)]
        connection: Connection,
        id: String,
        name: String,
        /// viewer, caseworker, supervisor, auditor, user_administrator, credential_manager
        #[arg(required = true)]
        roles: Vec<String>,
    },
    /// Ask to change a staff member's name or roles; done at once where roles are only taken away.
    Change {
        #[command(flatten)]
        connection: Connection,
        id: String,
        name: String,
        /// All that the person is to have.
        roles: Vec<String>,
    },
    /// Issue the code with which a person sets password and second factor.
    Issue {
        #[command(flatten)]
        connection: Connection,
        /// Code of the person's body.
        organization: String,
        id: String,
    },
    /// Ask that a colleague who lost what they sign in with gets it anew; a second person confirms, then `staff issue`.
    Reissue {
        #[command(flatten)]
        connection: Connection,
        id: String,
    },
    /// End the lock of an id after wrong tries.
    Unlock {
        #[command(flatten)]
        connection: Connection,
        id: String,
    },
    /// Set after how many days passwords of the body are renewed.
    SignInPolicy {
        #[command(flatten)]
        connection: Connection,
        /// 1 to 3650; 0 for never.
        password_days: i64,
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
        match std::env::var("SESSION_TOKEN") {
            Ok(token) if self.officer.is_empty() => {
                Ok(Client::of_server(self.address.clone(), &credentials, None)?.with_token(token))
            }
            _ => Ok(Client::of_server(self.address.clone(), &credentials, Some(&self.officer))?),
        }
    }
}

async fn post(connection: &Connection, path: &str, body: &Value) -> Result<(), CommandError> {
    let client = connection.client()?;
    let request = client.post(path);
    let request = if body.is_null() { request } else { request.json(body) };
    report(&request.send().await?)
}

async fn put(connection: &Connection, path: &str, body: &Value) -> Result<(), CommandError> {
    report(&connection.client()?.put(path).json(body).send().await?)
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
            Self::Open { connection, code } => {
                post(&connection, &format!("/v1/organizations/{code}/opening-codes"), &Value::Null).await
            }
            Self::Reopen { connection, code } => {
                post(&connection, &format!("/v1/organizations/{code}/reopenings"), &Value::Null).await
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
            Self::Register { connection, id, name, roles } => {
                post(&connection, "/v1/staff", &json!({ "id": id, "name": name, "roles": roles })).await
            }
            Self::Change { connection, id, name, roles } => {
                put(&connection, "/v1/staff", &json!({ "id": id, "name": name, "roles": roles })).await
            }
            Self::Reissue { connection, id } => {
                post(&connection, &format!("/v1/credentials/{id}/reissues"), &Value::Null).await
            }
            Self::Unlock { connection, id } => {
                post(&connection, &format!("/v1/credentials/{id}/unlock"), &Value::Null).await
            }
            Self::SignInPolicy { connection, password_days } => {
                put(&connection, "/v1/sign-in-policy", &json!({ "password_days": password_days })).await
            }
            Self::Issue { connection, organization, id } => {
                post(&connection, &format!("/v1/staff/{organization}/{id}/credential"), &Value::Null).await
            }
            Self::Revoke { connection, organization, id } => {
                post(&connection, &format!("/v1/staff/{organization}/{id}/revoke"), &Value::Null).await
            }
            Self::List { connection } => list(&connection, "/v1/staff").await,
        }
    }
}

/// Sharp acts that wait for a person.
#[derive(Subcommand)]
pub enum Waiting {
    /// List them.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Stand for one, at a desk with a second factor.
    Confirm {
        #[command(flatten)]
        connection: Connection,
        id: String,
    },
    /// Withdraw one.
    Withdraw {
        #[command(flatten)]
        connection: Connection,
        id: String,
    },
}

impl Waiting {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::List { connection } => list(&connection, "/v1/waiting-acts").await,
            Self::Confirm { connection, id } => {
                post(&connection, &format!("/v1/waiting-acts/{id}/confirmation"), &Value::Null).await
            }
            Self::Withdraw { connection, id } => {
                post(&connection, &format!("/v1/waiting-acts/{id}/withdrawal"), &Value::Null).await
            }
        }
    }
}
