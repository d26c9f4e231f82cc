//! `tsunagi desk`: enrols persons and signs them in, for desks without a page.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Connection, error::CommandError, prompt};
use crate::client::{Client, Credentials, Reply, expect};

#[derive(Subcommand)]
pub enum DeskCommand {
    /// Set password and second factor with a code that was issued; prints tokens and recovery codes.
    Enrol(Enrol),
    /// Sign in with password and second factor; prints the token for SESSION_TOKEN.
    SignIn(DeskSignIn),
    /// Who is signed in (SESSION_TOKEN), and how many recovery codes are left.
    Session(Connection),
    /// Enrol the second factor, signed in with a password alone; prints the recovery codes.
    SecondFactor(Connection),
    /// Replace the recovery codes, with a code of the device; prints the new ones.
    RecoveryCodes(Connection),
    /// End the session.
    SignOut(DeskSignOut),
}

#[derive(Args)]
pub struct Enrol {
    #[command(flatten)]
    connection: Connection,
    /// Who enrols: an id; of the first persons of a body, `ID=NAME`, twice.
    #[arg(required = true)]
    persons: Vec<String>,
}

#[derive(Args)]
pub struct DeskSignIn {
    #[command(flatten)]
    connection: Connection,
    /// Change the password. It is asked for as well where the old one is to be renewed.
    #[arg(long)]
    new_password: bool,
}

#[derive(Args)]
pub struct DeskSignOut {
    #[command(flatten)]
    connection: Connection,
    /// All of the person's sessions, wherever they were opened.
    #[arg(long)]
    everywhere: bool,
}

impl DeskCommand {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Enrol(enrol) => enrol.run().await,
            Self::SignIn(sign_in) => sign_in.run().await,
            Self::Session(connection) => print(&expect(connection.client()?.get("/v1/session").send().await?, 200)?),
            Self::SecondFactor(connection) => enrol_second_factor(&connection.client()?).await,
            Self::RecoveryCodes(connection) => {
                let message = json!({ "second_factor": shown_by_device("")? });
                let client = connection.client()?;
                print(&expect(client.post("/v1/recovery-codes").json(&message).send().await?, 201)?)
            }
            Self::SignOut(DeskSignOut { connection, everywhere }) => {
                let path = if everywhere { "/v1/sessions/all" } else { "/v1/sessions" };
                print(&expect(connection.client()?.request(Method::DELETE, path).send().await?, 200)?)
            }
        }
    }
}

/// A person about to enrol, whose device has the secret of the ticket.
struct Enrolling<'a> {
    id: &'a str,
    name: Option<&'a str>,
    password: String,
    ticket: String,
}

impl Enrol {
    /// First all devices take their secrets in and all passwords are set: a code of a device is old after a minute.
    async fn run(self) -> Result<(), CommandError> {
        let Self { connection, persons } = self;
        let client = client(&connection)?;
        let code = prompt::secret("", "発行されたコード", "code that was handed out")?;
        let mut enrolling = Vec::new();
        for person in &persons {
            let (id, name) = person.split_once('=').map_or((person.as_str(), None), |(id, name)| (id, Some(name)));
            let begin = json!({ "code": code, "officer": id });
            let reply = client.post("/v1/enrolments/tickets").json(&begin).send().await?;
            let ticket: Value = expect(reply, 201)?.json()?;
            prompt::show_secret(id, (text(&ticket, "/secret"), text(&ticket, "/url")));
            let password = prompt::new_password((id, name.unwrap_or_default()))?;
            enrolling.push(Enrolling { id, name, password, ticket: text(&ticket, "/ticket").to_owned() });
        }
        let mut reply = enrol(&client, &code, &enrolling).await?;
        for _ in 1..prompt::MAX_ASKED {
            if !prompt::is_person() || code_of(&reply) != "second_factor_wrong" {
                break;
            }
            eprintln!("コードが正しくありません。次のコードで試してください / a code is not right; try the next ones");
            reply = enrol(&client, &code, &enrolling).await?;
        }
        print(&expect(reply, 201)?)
    }
}

/// Asks for what the devices show now, and sends all.
async fn enrol(client: &Client, code: &str, enrolling: &[Enrolling<'_>]) -> Result<Reply, CommandError> {
    let mut persons = Vec::new();
    for Enrolling { id, name, password, ticket } in enrolling {
        let shown = shown_by_device(id)?;
        persons.push(json!({
            "officer": id, "name": name, "password": password, "ticket": ticket, "second_factor": shown,
        }));
    }
    let message = json!({ "code": code, "persons": persons });
    Ok(client.post("/v1/enrolments").json(&message).send().await?)
}

impl DeskSignIn {
    async fn run(self) -> Result<(), CommandError> {
        let Self { connection, new_password } = self;
        let (client, id) = (client(&connection)?, &connection.officer);
        let password = prompt::secret("", "パスワード", "password")?;
        let mut message = json!({ "officer": id, "password": password, "second_factor": second_factor()? });
        if new_password {
            set(&mut message, "new_password", json!(prompt::new_password((id, ""))?));
        }
        let mut reply = client.post("/v1/sessions").json(&message).send().await?;
        if code_of(&reply) == "password_expired" && !new_password {
            eprintln!("パスワードの有効期限が切れています / The password is to be renewed");
            set(&mut message, "new_password", json!(prompt::new_password((id, ""))?));
            // The code that was typed before is too old by now.
            set(&mut message, "second_factor", json!(second_factor()?));
            reply = client.post("/v1/sessions").json(&message).send().await?;
        }
        let signed_in: Value = expect(reply, 201)?.json()?;
        if let Some(left) = signed_in.get("recovery_codes_left") {
            eprintln!("回復用コードの残り / recovery codes left: {left}");
        }
        if text(&signed_in, "/assurance") == "password" {
            eprintln!("二要素認証が未設定です / no second factor yet: tsunagi desk second-factor");
        }
        say!("{}", text(&signed_in, "/token"));
        Ok(())
    }
}

async fn enrol_second_factor(client: &Client) -> Result<(), CommandError> {
    let reply = client.post("/v1/second-factor/tickets").send().await?;
    let ticket: Value = expect(reply, 201)?.json()?;
    prompt::show_secret("", (text(&ticket, "/secret"), text(&ticket, "/url")));
    let message = json!({ "ticket": text(&ticket, "/ticket"), "second_factor": shown_by_device("")? });
    print(&expect(client.post("/v1/second-factor").json(&message).send().await?, 201)?)
}

fn client(connection: &Connection) -> Result<Client, CommandError> {
    let credentials = Credentials { directory: connection.certs.clone(), name: connection.cert.clone() };
    Ok(Client::of_server(connection.address.clone(), &credentials, None)?)
}

fn shown_by_device(of: &str) -> Result<String, CommandError> {
    prompt::secret(of, "認証アプリに表示されている6桁のコード", "code that the device shows")
}

fn second_factor() -> Result<Option<String>, CommandError> {
    let ja = "認証アプリのコード又は回復用コード（未設定なら空欄）";
    let code = prompt::secret("", ja, "code of the second factor (empty for none)")?;
    Ok(Some(code).filter(|code| !code.is_empty()))
}

fn set(message: &mut Value, field: &str, value: Value) {
    if let Some(fields) = message.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// The stable code of a refusal; empty where it is none.
fn code_of(reply: &Reply) -> String {
    reply.json::<Value>().map(|problem| text(&problem, "/code").to_owned()).unwrap_or_default()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn print(reply: &Reply) -> Result<(), CommandError> {
    say!("{}", serde_json::to_string_pretty(&reply.json::<Value>()?).unwrap_or_default());
    Ok(())
}
