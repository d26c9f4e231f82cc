//! Persons at desks: they enrol with a code, sign in with the codes of a device, and stand for sharp acts.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use time::Duration;
use tsunagi::{
    client::{Client, Credentials, Reply, expect},
    clock::{Clock, Timestamp},
    domain::{organization::OrganizationCode, two_persons::StaffId as Named},
    identity::second_factor::{code_at, typed_secret},
};

use crate::world::WorldError;

/// A step of the second factor.
const STEP: i64 = 30_000_000;
/// A session is opened anew before it could have ended.
const FRESH: Duration = Duration::minutes(25);

/// A desk: its address and certificate, and the clock that its people and the gateway go by.
#[derive(Clone)]
pub struct DeskPlace {
    pub address: SocketAddr,
    pub credentials: Credentials,
    pub clock: Clock,
    /// Where people keep their devices, so that they are found by whoever serves the gateway again.
    pub devices: PathBuf,
}

impl DeskPlace {
    /// A client of the desk at which nobody is signed in.
    ///
    /// # Errors
    /// The certificate files cannot be read.
    pub fn client(&self) -> Result<Client, WorldError> {
        Ok(Client::new(self.address, &self.credentials, None)?)
    }
}

/// A person with a password and a device, who works at one desk or another.
pub struct DeskPerson {
    pub code: OrganizationCode,
    pub officer: String,
    pub password: String,
    pub recovery_codes: Vec<String>,
    desk: DeskPlace,
}

/// What a device holds, its secret and the last step whose code was used; beside it the session that was opened last: at
/// which desk, when, and its token.
struct Device {
    secret: Vec<u8>,
    step: i64,
    session: Option<(String, i64, String)>,
}

impl Device {
    fn load(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        let mut words = text.split_whitespace();
        let secret = data_encoding::BASE32_NOPAD.decode(words.next()?.as_bytes()).ok()?;
        let step = words.next()?.parse().ok()?;
        let session = match (words.next(), words.next().and_then(|at| at.parse().ok()), words.next()) {
            (Some(desk), Some(at), Some(token)) => Some((desk.to_owned(), at, token.to_owned())),
            _ => None,
        };
        Some(Self { secret, step, session })
    }

    fn keep(&self, file: &Path) -> std::io::Result<()> {
        let secret = data_encoding::BASE32_NOPAD.encode(&self.secret);
        let session = self.session.as_ref().map(|(desk, at, token)| format!("{desk} {at} {token}")).unwrap_or_default();
        fs::write(file, format!("{secret} {} {session}", self.step))
    }
}

/// Who is about to enrol; a name for the first persons of a body.
pub struct Enrolling<'a> {
    pub officer: &'a str,
    pub name: Option<&'a str>,
}

/// The code that a device shows, found by its name, and for how many seconds more.
pub fn code_of_device(devices: &Path, name: &str, clock: &Clock) -> Option<(String, i64)> {
    let (code, officer) = name.split_once('.')?;
    let named = Named { organization: OrganizationCode::parse(code)?, officer: officer.to_owned() };
    let now = clock.now();
    let device = Device::load(&devices.join(name))?;
    let left = STEP - now.as_micros().rem_euclid(STEP);
    Some((code_at(&device.secret, &named, now)?, left / 1_000_000))
}

/// A password that nobody would guess, and that every test knows.
pub fn password_of(officer: &str) -> String {
    format!("korekara mo {officer} to issho ni")
}

/// Persons enrol at a desk with a code.
///
/// # Errors
/// They were refused.
pub async fn enrol(
    desk: &DeskPlace,
    code: &OrganizationCode,
    (enrolment_code, persons): (&str, &[Enrolling<'_>]),
) -> Result<Vec<DeskPerson>, WorldError> {
    let client = desk.client()?;
    let mut people = Vec::new();
    let mut sent = Vec::new();
    for Enrolling { officer, name } in persons {
        let begin = json!({ "code": enrolment_code, "officer": officer });
        let ticket: Value = expect(until_known(&client, &begin).await?, 201)?.json()?;
        let secret = data_encoding::BASE32_NOPAD.decode(text(&ticket, "/secret").as_bytes());
        let secret = secret.map_err(|_| WorldError::Unexpected("a secret that is none".to_owned()))?;
        let person = DeskPerson::known(desk, code, officer);
        fs::create_dir_all(&desk.devices)?;
        Device { secret, step: 0, session: None }.keep(&person.device_file())?;
        sent.push(json!({ "officer": officer, "name": name, "password": person.password,
            "ticket": text(&ticket, "/ticket"), "second_factor": person.next_code() }));
        people.push(person);
    }
    let message = json!({ "code": enrolment_code, "persons": sent });
    let enrolled: Value = expect(client.post("/v1/enrolments").json(&message).send().await?, 201)?.json()?;
    let lines = enrolled.get("persons").and_then(Value::as_array).cloned().unwrap_or_default();
    for (person, line) in people.iter_mut().zip(&lines) {
        let codes = line.get("recovery_codes").and_then(Value::as_array).cloned().unwrap_or_default();
        person.recovery_codes = codes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        person.note_session(text(line, "/token"))?;
    }
    Ok(people)
}

/// A ticket for a code. A gateway with a planted defect may hand a code out before it is there to be read.
async fn until_known(client: &Client, begin: &Value) -> Result<Reply, WorldError> {
    let mut reply = client.post("/v1/enrolments/tickets").json(begin).send().await?;
    for _ in 0..5 {
        if reply.status.is_success() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        reply = client.post("/v1/enrolments/tickets").json(begin).send().await?;
    }
    Ok(reply)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl DeskPerson {
    /// Somebody who enrolled before, and has the device still.
    pub fn known(desk: &DeskPlace, code: &OrganizationCode, officer: &str) -> Self {
        Self {
            code: code.clone(),
            officer: officer.to_owned(),
            password: password_of(officer),
            recovery_codes: Vec::new(),
            desk: desk.clone(),
        }
    }

    fn note_session(&self, token: &str) -> Result<(), WorldError> {
        let file = self.device_file();
        let Some(device) = Device::load(&file) else { return Ok(()) };
        let session = (self.desk.credentials.name.clone(), self.desk.clock.now().as_micros(), token.to_owned());
        Ok(Device { session: Some(session), ..device }.keep(&file)?)
    }

    fn device_file(&self) -> PathBuf {
        self.desk.devices.join(self.device_name())
    }

    /// By which the person's device is found.
    pub fn device_name(&self) -> String {
        format!("{}.{}", self.code, self.officer)
    }

    /// The next code of the device that was not used. Nothing, where the device is lost.
    pub fn next_code(&self) -> String {
        let Some((secret, step)) = self.take_step() else { return String::new() };
        let named = Named { organization: self.code.clone(), officer: self.officer.clone() };
        code_at(&secret, &named, Timestamp::from_micros(step * STEP)).unwrap_or_default()
    }

    /// The device's secret and its next step whose code was not used, which counts as used from now on. Where all that
    /// would be taken were used, time goes on by a step. Nothing, where the device is lost.
    pub fn take_step(&self) -> Option<(Vec<u8>, i64)> {
        let file = self.device_file();
        let mut device = Device::load(&file)?;
        let now = self.desk.clock.now().as_micros().div_euclid(STEP);
        // Not of the step before: it would be too old if the next began on the way.
        let step = (device.step + 1).max(now);
        if step > now + 1 {
            self.desk.clock.advance(Duration::microseconds((step - now - 1) * STEP));
        }
        device.step = step;
        // A code that could not be noted as used is not used.
        device.keep(&file).ok()?;
        Some((device.secret, step))
    }

    /// The secret as a device takes it in; nothing, where it is lost.
    pub fn typed_secret(&self) -> String {
        Device::load(&self.device_file()).map(|device| typed_secret(&device.secret)).unwrap_or_default()
    }

    /// The device falls into a river.
    ///
    /// # Errors
    /// There was none.
    pub fn lose_device(&self) -> Result<(), WorldError> {
        Ok(fs::remove_file(self.device_file())?)
    }

    /// Signs in at a desk with what is given as the second factor.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn sign_in_at(&self, desk: &DeskPlace, second_factor: Option<&str>) -> Result<Reply, WorldError> {
        let message = json!({ "officer": self.officer, "password": self.password, "second_factor": second_factor });
        Ok(desk.client()?.post("/v1/sessions").json(&message).send().await?)
    }

    /// A client of the person's desk, signed in: anew, where the session may have ended.
    ///
    /// # Errors
    /// The person was refused.
    pub async fn client(&self) -> Result<Client, WorldError> {
        let session = Device::load(&self.device_file()).and_then(|device| device.session);
        let now = self.desk.clock.now();
        let is_fresh = |at: i64| now < Timestamp::from_micros(at).plus(FRESH);
        let token = match session {
            Some((desk, at, token)) if desk == self.desk.credentials.name && is_fresh(at) => token,
            _ => self.sign_in_anew().await?,
        };
        Ok(self.desk.client()?.with_token(token))
    }

    /// Signs in with the next code; returns the token.
    ///
    /// # Errors
    /// The person was refused.
    pub async fn sign_in_anew(&self) -> Result<String, WorldError> {
        let code = self.next_code();
        let reply = expect(self.sign_in_at(&self.desk, Some(&code)).await?, 201)?;
        let token = text(&reply.json::<Value>()?, "/token").to_owned();
        self.note_session(&token)?;
        Ok(token)
    }

    /// Works at another desk from now on, at which the person has not signed in.
    #[must_use]
    pub fn at(self, desk: DeskPlace) -> Self {
        Self { desk, ..self }
    }

    pub fn desk(&self) -> &DeskPlace {
        &self.desk
    }

    /// Sends a message, as a person who is signed in.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn post(&self, path: &str, message: &Value) -> Result<Reply, WorldError> {
        let client = self.client().await?;
        let request = client.post(path);
        let request = if message.is_null() { request } else { request.json(message) };
        Ok(request.send().await?)
    }

    /// Stands for a sharp act that waits.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn confirm(&self, waiting_act: &str) -> Result<Reply, WorldError> {
        self.post(&format!("/v1/waiting-acts/{waiting_act}/confirmation"), &Value::Null).await
    }
}

/// The two who opened a body.
pub struct FirstPersons {
    pub administrator: DeskPerson,
    pub credential_manager: DeskPerson,
}

impl FirstPersons {
    /// Two who enrolled before.
    pub fn known(desk: &DeskPlace, code: &OrganizationCode, [administrator, manager]: [&str; 2]) -> Self {
        Self {
            administrator: DeskPerson::known(desk, code, administrator),
            credential_manager: DeskPerson::known(desk, code, manager),
        }
    }

    /// Both enrol at a desk with the code that opens their body.
    ///
    /// # Errors
    /// They were refused.
    pub async fn enrol(
        desk: &DeskPlace,
        code: &OrganizationCode,
        (enrolment_code, [administrator, manager]): (&str, [&str; 2]),
    ) -> Result<Self, WorldError> {
        let persons = [
            Enrolling { officer: administrator, name: Some("管理 責任者") },
            Enrolling { officer: manager, name: Some("認証情報 管理者") },
        ];
        let mut people = enrol(desk, code, (enrolment_code, &persons)).await?.into_iter();
        match (people.next(), people.next()) {
            (Some(administrator), Some(credential_manager)) => Ok(Self { administrator, credential_manager }),
            _ => Err(WorldError::Unexpected("two first persons were expected".to_owned())),
        }
    }

    /// One asks for a staff member, the other approves.
    ///
    /// # Errors
    /// They were refused.
    pub async fn appoint(&self, officer: &str, roles: &[&str]) -> Result<(), WorldError> {
        self.appoint_named((officer, &format!("職員 {officer}")), roles).await
    }

    /// The same with the name that the person is to have.
    ///
    /// # Errors
    /// They were refused.
    pub async fn appoint_named(&self, (officer, name): (&str, &str), roles: &[&str]) -> Result<(), WorldError> {
        let staff = json!({ "id": officer, "name": name, "roles": roles });
        let asked = expect(self.credential_manager.post("/v1/staff", &staff).await?, 202)?;
        let waiting: Value = asked.json()?;
        expect(self.administrator.confirm(text(&waiting, "/waiting_act")).await?, 200)?;
        Ok(())
    }

    /// One asks for a sharp act, the other stands for it too.
    ///
    /// # Errors
    /// They were refused.
    pub async fn both(&self, path: &str, message: &Value) -> Result<Reply, WorldError> {
        let asked: Value = expect(self.administrator.post(path, message).await?, 202)?.json()?;
        Ok(expect(self.credential_manager.confirm(text(&asked, "/waiting_act")).await?, 200)?)
    }

    /// Changes a staff member's roles, or the name.
    ///
    /// # Errors
    /// They were refused.
    pub async fn change(&self, staff: &Value) -> Result<(), WorldError> {
        let client = self.credential_manager.client().await?;
        let asked = expect(client.put("/v1/staff").json(staff).send().await?, 202)?;
        let waiting: Value = asked.json()?;
        expect(self.administrator.confirm(text(&waiting, "/waiting_act")).await?, 200)?;
        Ok(())
    }

    /// Issues a credential: a code with which the person enrols.
    ///
    /// # Errors
    /// They were refused.
    pub async fn credential_code(&self, officer: &str) -> Result<String, WorldError> {
        let manager = &self.credential_manager;
        let issued = manager.post(&format!("/v1/staff/{}/{officer}/credential", manager.code), &Value::Null).await?;
        let issued: Value = expect(issued, 201)?.json()?;
        Ok(text(&issued, "/code").to_owned())
    }

    /// Issues a credential, with which the person enrols at the desk of the first persons.
    ///
    /// # Errors
    /// They were refused.
    pub async fn seat(&self, officer: &str) -> Result<DeskPerson, WorldError> {
        let (manager, code) = (&self.credential_manager, self.credential_code(officer).await?);
        let persons = [Enrolling { officer, name: None }];
        let enrolled = enrol(manager.desk(), &manager.code, (&code, &persons)).await?;
        enrolled.into_iter().next().ok_or_else(|| WorldError::Unexpected("nobody enrolled".to_owned()))
    }
}
