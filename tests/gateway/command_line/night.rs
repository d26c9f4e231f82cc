//! What persons at a desk do by the command line, as docs/operations.md says: a phone is lost at night, a password ran out,
//! codes are renewed, somebody was locked.

use serde_json::json as j;
use time::Duration;
use tsunagi::client::Client;
use tsunagi_testkit::persons::DeskPerson;

use super::*;

/// A desk from which commands are given.
pub(crate) struct CommandDesk<'s> {
    pub(crate) address: String,
    pub(crate) certs: PathBuf,
    pub(crate) cert: &'s str,
}

impl CommandDesk<'_> {
    fn command(&self, token: &str, words: &[&str]) -> Command {
        let (verb, rest) = words.split_at(2);
        let certs = self.certs.display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        command.args(verb).args(["--address", &self.address, "--certs", &certs, "--cert", self.cert]).args(rest);
        command.env("SESSION_TOKEN", token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// A command that asks nothing.
    async fn run(&self, token: &str, words: &[&str]) -> Said {
        let output = self.command(token, words).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { done: output.status.success(), out: text(output.stdout), errors: text(output.stderr) }
    }

    fn ask(&self, token: &str, words: &[&str]) -> Asking {
        let mut child = self.command(token, words).spawn().unwrap();
        let asked = BufReader::new(child.stderr.take().unwrap()).lines();
        Asking { child, asked, errors: String::new(), told: Vec::new() }
    }

    async fn signs_in(&self, officer: &str, (password, second): (&str, &str)) -> Said {
        let mut asking = self.ask("", &["desk", "sign-in", "--officer", officer]);
        asking.until("password").await;
        asking.tell(password).await;
        asking.until("second factor").await;
        asking.tell(second).await;
        asking.end().await
    }

    /// A person's device takes a secret in, and the password is set where there is one to set. Returns what the device
    /// shows.
    async fn takes_in(asking: &mut Asking, (person, password): (&StaffId, Option<&str>), now: Timestamp) -> String {
        let url = asking.until("otpauth://totp/").await.unwrap();
        let secret = url.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        if let Some(password) = password {
            for question in ["new password", "the same password again"] {
                asking.until(question).await;
                asking.tell(password).await;
            }
        }
        code_at(&secret, person, now).unwrap()
    }

    /// `tsunagi desk second-factor`, as somebody gives it who has a password alone. Returns what was said.
    pub(crate) async fn second_factor(&self, token: &str, (person, now): (&StaffId, Timestamp)) -> Value {
        let mut asking = self.ask(token, &["desk", "second-factor"]);
        let code = Self::takes_in(&mut asking, (person, None), now).await;
        asking.until("code that the device shows").await;
        asking.tell(&code).await;
        asking.end().await.json()
    }
}

fn desk_of<'s>(stage: &Stage, person: &'s DeskPerson) -> CommandDesk<'s> {
    CommandDesk {
        address: format!("localhost:{}", stage.world.address.port()),
        certs: stage.directory.path().join("certs"),
        cert: &person.desk().credentials.name,
    }
}

/// The phone fell into a river: with a recovery code, or with two colleagues, the glass is broken within ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_phone_at_night_by_the_command_line() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let far = stage.party("far", FAR_CENTER).await;
    let night = stage.world.seat(&far, "o1").await.unwrap();
    let [one, other] = two_supervisors(&stage, &far).await;
    let desk = desk_of(&stage, &night);
    let record = register(&city, &family(CITY_A)).await;
    night.lose_device().unwrap();
    let broken = async |client: Client, record: &str| {
        let reason = j!({ "reason": "夜間に負傷した児童を保護した" });
        client.post(&format!("/v1/records/{record}/break-glass")).json(&reason).send().await.unwrap().status
    };

    // With one of the codes from the drawer.
    let signed = desk.signs_in("o1", (&night.password, &night.recovery_codes[0])).await;
    assert!(signed.errors.contains("recovery codes left: 7"), "{}", signed.errors);
    let token = signed.last_word();
    let session = desk.run(&token, &["desk", "session"]).await.json();
    assert_eq!((&session["assurance"], &session["recovery_codes_left"]), (&j!("two_factors"), &j!(7)));
    assert_eq!(broken(night.desk().client().unwrap().with_token(token.clone()), &record).await, 201);
    assert_eq!(desk.run(&token, &["desk", "sign-out"]).await.json()["signed_out"], true);
    desk.run(&token, &["desk", "session"]).await.is_refused("session_invalid");

    // Those are at home: one colleague asks, the other confirms, either issues.
    let tokens = [one.sign_in_anew().await.unwrap(), other.sign_in_anew().await.unwrap()];
    let asked = desk.run(&tokens[0], &["staff", "reissue", "o1"]).await.json();
    let waits = asked["waiting_act"].as_str().unwrap();
    desk.run(&tokens[0], &["waiting", "confirm", waits]).await.is_refused("not_two_persons");
    assert_eq!(desk.run(&tokens[1], &["waiting", "confirm", waits]).await.json()["state"], "approved");
    let issued = desk.run(&tokens[1], &["staff", "issue", FAR_CENTER, "o1"]).await.json();
    desk.signs_in("o1", (&night.password, &night.recovery_codes[1])).await.is_refused("sign_in_refused");
    let mut asking = desk.ask("", &["desk", "enrol", "o1"]);
    asking.until("code that was handed out").await;
    asking.tell(issued["code"].as_str().unwrap()).await;
    let of = StaffId { organization: far.code.clone(), officer: "o1".to_owned() };
    let password = password_of("o1, anew");
    let code = CommandDesk::takes_in(&mut asking, (&of, Some(&password)), stage.world.clock.now()).await;
    asking.until("code that the device shows").await;
    asking.tell(&code).await;
    let enrolled = asking.end().await.json();
    let other = register(&city, &family(CITY_A)).await;
    let client = night.desk().client().unwrap().with_token(token_of(&enrolled));
    assert_eq!(broken(client, &other).await, 201);
}

fn token_of(enrolled: &Value) -> String {
    token(enrolled, 0).to_owned()
}

/// A password runs out at the desk, and is changed there; wrong tries are ended by a supervisor; codes are renewed.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_renewed_a_lock_ended_and_codes_replaced_by_the_command_line() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let (desk, admin) = (desk_of(&stage, &person), &city.first.administrator);
    let token = admin.sign_in_anew().await.unwrap();
    for _ in 0..5 {
        desk.signs_in("d1", ("not the right one at all", "")).await.is_refused("sign_in_refused");
    }
    desk.signs_in("d1", (&person.password, "")).await.is_refused("sign_in_locked");
    assert_eq!(desk.run(&token, &["staff", "unlock", "d1"]).await.json()["id"], "d1");
    assert!(desk.signs_in("d1", (&person.password, &person.next_code())).await.done);

    desk.run(&token, &["staff", "sign-in-policy", "4000"]).await.is_refused("field_refused");
    assert_eq!(desk.run(&token, &["staff", "sign-in-policy", "1"]).await.json()["password_days"], 1);
    stage.world.clock.advance(Duration::hours(25));
    let mut asking = desk.ask("", &["desk", "sign-in", "--officer", "d1"]);
    asking.until("password").await;
    asking.tell(&person.password).await;
    asking.until("second factor").await;
    asking.tell(&person.next_code()).await;
    asking.until("password is to be renewed").await.unwrap();
    let new = "a quite different one";
    for question in ["new password", "the same password again"] {
        asking.until(question).await;
        asking.tell(new).await;
    }
    asking.until("second factor").await;
    asking.tell(&person.next_code()).await;
    let session = asking.end().await.last_word();

    // Two that differ set nothing.
    let mut asking = desk.ask("", &["desk", "sign-in", "--new-password", "--officer", "d1"]);
    for (question, answer) in [
        ("password", new),
        ("second factor", "000000"),
        ("new password", "one of the two"),
        ("again", "the other of them"),
    ] {
        asking.until(question).await;
        asking.tell(answer).await;
    }
    asking.end().await.is_refused("the two are not the same");

    let mut asking = desk.ask(&session, &["desk", "recovery-codes"]);
    asking.until("code that the device shows").await;
    asking.tell(&person.next_code()).await;
    let renewed = asking.end().await.json();
    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 8);
    let code = renewed["recovery_codes"][0].as_str().unwrap();
    assert!(desk.signs_in("d1", (new, code)).await.done);
}
