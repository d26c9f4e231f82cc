//! `tsunagi desk`: enrols persons and signs them in, for desks without a page.
//!
//! Passwords and codes are read from standard input, a line each, so that they stand in no list of processes.

use std::io::{self, BufRead};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Connection, error::CommandError};
use crate::client::{Client, Credentials, expect};

#[derive(Subcommand)]
pub enum DeskCommand {
    /// Set password and second factor with a code that was issued; prints a token and the recovery codes.
    Enrol(Enrol),
    /// Sign in with password and second factor; prints the token for SESSION_TOKEN.
    SignIn(Connection),
}

#[derive(Args)]
pub struct Enrol {
    #[command(flatten)]
    connection: Connection,
    /// The code.
    code: String,
    /// Who enrols: an id; of the first persons of a body, `ID=NAME`, twice.
    #[arg(required = true)]
    persons: Vec<String>,
}

impl DeskCommand {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Enrol(enrol) => enrol.run().await,
            Self::SignIn(connection) => {
                let password = ask("password")?;
                let second_factor =
                    Some(ask("code of the second factor (empty for none)")?).filter(|code| !code.is_empty());
                let message =
                    json!({ "officer": connection.officer, "password": password, "second_factor": second_factor });
                let reply = client(&connection)?.post("/v1/sessions").json(&message).send().await?;
                let signed_in: Value = expect(reply, 201)?.json()?;
                say!("{}", text(&signed_in, "/token"));
                Ok(())
            }
        }
    }
}

impl Enrol {
    async fn run(self) -> Result<(), CommandError> {
        let Self { connection, code, persons } = self;
        let client = client(&connection)?;
        let mut enrolling = Vec::new();
        for person in &persons {
            let (id, name) = person.split_once('=').map_or((person.as_str(), None), |(id, name)| (id, Some(name)));
            let begin = json!({ "code": code, "officer": id });
            let reply = client.post("/v1/enrolments/tickets").json(&begin).send().await?;
            let ticket: Value = expect(reply, 201)?.json()?;
            eprintln!("{id}: take this into the device: {}", text(&ticket, "/url"));
            let password = ask(&format!("{id}: new password"))?;
            let shown = ask(&format!("{id}: code that the device shows"))?;
            enrolling.push(json!({
                "officer": id, "name": name, "password": password, "ticket": text(&ticket, "/ticket"), "second_factor": shown,
            }));
        }
        let message = json!({ "code": code, "persons": enrolling });
        let enrolled: Value = expect(client.post("/v1/enrolments").json(&message).send().await?, 201)?.json()?;
        say!("{}", serde_json::to_string_pretty(&enrolled).unwrap_or_default());
        Ok(())
    }
}

fn client(connection: &Connection) -> Result<Client, CommandError> {
    let credentials = Credentials { directory: connection.certs.clone(), name: connection.cert.clone() };
    Ok(Client::of_server(connection.address.clone(), &credentials, None)?)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn ask(what: &str) -> Result<String, CommandError> {
    eprintln!("{what}:");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
