//! What a stage is asked for: one line of JSON each, answered by one. `{"do":"advance","seconds":30}` is answered
//! `{"done":{"now":1796000000000}}`, and what could not be done `{"failed":"why"}`.

use serde::Deserialize;
use serde_json::{Value, json};
use time::Duration;
use tsunagi::{
    client::{Client, expect},
    domain::organization::OrganizationCode,
};

use super::{cast::Cast, file};
use crate::{
    people::People,
    pki::LIST_DAYS,
    world::{Party, World, WorldError},
};

/// How often it is looked whether the gateway has taken a revocation list in: it reads it every second.
const TRIES: u32 = 100;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Asked {
    /// The gateway's time in milliseconds.
    Time,
    /// The gateway's clock goes on.
    Advance { seconds: i64 },
    /// The next step of somebody's device whose code was not used; it counts as used.
    Step { party: String, officer: String },
    /// A code with which somebody new enrols at a party's desk.
    Invite { party: String, officer: String, name: String, roles: Vec<String> },
    /// A body that is opened with a code at its desk, which is registered: its code is answered, and the desk's files.
    Body { name: String, code: String },
    /// Another desk of a party; its files are answered.
    Desk { party: String, name: String },
    /// No certificate of that desk is taken any more.
    Revoke { desk: String },
    /// A call of the API: by the party's machine, or by somebody at the desk.
    Call(CallByApi),
    /// A record of a family that does not exist, by the party's machine; its id is answered.
    Record { party: String, seed: u64 },
}

#[derive(Deserialize)]
struct CallByApi {
    party: String,
    officer: Option<String>,
    method: String,
    path: String,
    #[serde(default)]
    message: Value,
    purpose: Option<String>,
}

impl Cast {
    /// Does what a line asks for; returns the line of the answer.
    pub async fn answer(&mut self, world: &World, line: &str) -> String {
        let asked = serde_json::from_str(line).map_err(|error| WorldError::Unexpected(error.to_string()));
        let done = match asked {
            Ok(asked) => self.carry_out(world, asked).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(done) => json!({ "done": done }).to_string(),
            Err(error) => json!({ "failed": error.to_string() }).to_string(),
        }
    }

    async fn carry_out(&mut self, world: &World, asked: Asked) -> Result<Value, WorldError> {
        match asked {
            Asked::Time => Ok(now(world)),
            Asked::Advance { seconds } => {
                world.clock.advance(Duration::seconds(seconds));
                Ok(now(world))
            }
            Asked::Step { party, officer } => {
                let person = self.person(&party, &officer)?;
                let taken = person.take_step().ok_or_else(|| WorldError::Unexpected("no device".to_owned()))?;
                Ok(json!({ "step": taken.1 }))
            }
            Asked::Invite { party, officer, name, roles } => {
                let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
                let code = invite(self.party(&party)?, (&officer, &name), &roles).await?;
                Ok(json!({ "code": code }))
            }
            Asked::Body { name, code } => body(world, &name, &code).await,
            Asked::Desk { party, name } => {
                let operators = world.operators().await?;
                let first = &self.party(&party)?.first;
                let serial = world.premises.register_another(operators, first, (&name, "desk")).await?;
                self.serials.insert(name.clone(), serial);
                Ok(json!(file::for_browsers(world.premises.authority.directory(), &name)?))
            }
            Asked::Revoke { desk } => self.revoke(world, &desk).await,
            Asked::Call(call) => self.call(call).await,
            Asked::Record { party, seed } => {
                let party = self.party(&party)?;
                let family = People::seeded(seed).family(party.code.as_str());
                let registered = expect(party.client.post("/v1/records").xml(family.to_xml()).send().await?, 201)?;
                Ok(registered.json()?)
            }
        }
    }

    async fn revoke(&mut self, world: &World, desk: &str) -> Result<Value, WorldError> {
        let serial = self.serials.get(desk).ok_or_else(|| WorldError::Unexpected(format!("{desk}: not to revoke")))?;
        self.revoked.push(serial.clone());
        world.premises.authority.publish_list(&self.revoked, LIST_DAYS)?;
        for _ in 0..TRIES {
            let client = Client::new(world.address, &world.premises.credentials(desk), None)?;
            if client.get("/v1/session").send().await.is_err() {
                return Ok(json!({}));
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Err(WorldError::Unexpected(format!("{desk} is still let in")))
    }

    async fn call(&self, call: CallByApi) -> Result<Value, WorldError> {
        let method = call.method.parse().map_err(|_| WorldError::Unexpected(format!("{}: no method", call.method)))?;
        let signed_in = match &call.officer {
            Some(officer) => Some(self.person(&call.party, officer)?.client().await?),
            None => None,
        };
        let client = match &signed_in {
            Some(client) => client,
            None => &self.party(&call.party)?.client,
        };
        let mut request = client.request(method, &call.path);
        if let Some(purpose) = &call.purpose {
            request = request.purpose(purpose);
        }
        if !call.message.is_null() {
            request = request.json(&call.message);
        }
        let reply = request.send().await?;
        let body = reply.json().unwrap_or_else(|_| Value::String(reply.text()));
        Ok(json!({ "status": reply.status.as_u16(), "body": body }))
    }
}

fn now(world: &World) -> Value {
    json!({ "now": world.clock.now().as_micros() / 1_000 })
}

/// Somebody is appointed, and gets a code.
async fn invite(party: &Party, who: (&str, &str), roles: &[&str]) -> Result<String, WorldError> {
    party.first.appoint_named(who, roles).await?;
    party.first.credential_code(who.0).await
}

/// A body of which only the desk is there, and the code that opens it.
async fn body(world: &World, name: &str, code: &str) -> Result<Value, WorldError> {
    let of = OrganizationCode::parse(code).ok_or_else(|| WorldError::Unexpected(format!("{code} is no code")))?;
    let operators = world.operators().await?;
    let (desk, opening) = world.premises.prepare_body(operators, (name, &of)).await?;
    Ok(json!({ "code": opening, "desk": file::for_browsers(world.premises.authority.directory(), &desk)? }))
}
