//! The staff pages over all those records: how long the gateway takes for each, beside the empty route, and how much a
//! browser has to load.

use std::time::Instant;

use tsunagi::{client::Client, clock::Clock, web::cookies::SESSION};
use tsunagi_testkit::{people::People, persons::FirstPersons};

use super::Server;
use crate::{measure::Latencies, population::Population};

const VISITS: usize = 100;
const WANTED_MILLISECONDS: f64 = 50.0;
const OFFICER: &str = "p1";

/// Whoever sits at the desk of a municipality with records among them.
struct Desk {
    client: Client,
    cookie: String,
}

impl Desk {
    async fn get(&self, path: &str) -> String {
        let request = self.client.get(path).header("cookie", &self.cookie).header("sec-fetch-site", "same-origin");
        let reply = request.send().await.expect("an answer");
        assert_eq!(reply.status, 200, "{path}");
        reply.text()
    }

    /// Sends the form of a search, with what the page before put in it.
    async fn search(&self, form: &str, name: &str) -> String {
        let hidden = |field: &str| {
            let start = format!("name=\"{field}\" value=\"");
            // The form of the page comes after that of signing out.
            let value = form.rsplit(&start).next().and_then(|rest| rest.split('"').next());
            value.expect("a hidden field").to_owned()
        };
        let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (token, key) = (hidden("form_token"), hidden("form_key"));
        let body = format!("form_token={token}&form_key={key}&child_name={name}&purpose=casework&case_reference=B-1");
        let request =
            self.client.post("/search").header("cookie", &self.cookie).header("sec-fetch-site", "same-origin");
        let request = request.body("application/x-www-form-urlencoded", body.into_bytes());
        let reply = request.send().await.expect("an answer");
        assert!(reply.status.is_success() || reply.status == 422, "{}", reply.status);
        reply.text()
    }
}

/// Opens the municipality of the desk, before it has records: to one that has some its own people let a terminal in.
pub(super) async fn open(server: &Server<'_>, population: &Population) -> FirstPersons {
    let premises = server.premises;
    let operators = premises.operators(premises.config.listen, &Clock::system()).await.expect("operators");
    let code = population.sample(0).facts.owner;
    premises.open_body(&operators, ("city", &code)).await.expect("a city").first
}

/// Measures every page that a caseworker opens in a day.
pub(super) async fn pages(server: &Server<'_>, first: &FirstPersons, population: &Population) {
    let code = population.sample(0).facts.owner;
    first.appoint(OFFICER, &["caseworker", "supervisor", "auditor"]).await.expect("an officer");
    let person = first.seat(OFFICER).await.expect("somebody at a desk");
    let machine = server.client("city", OFFICER);
    let family = People::seeded(1).family(code.as_str());
    let registered = machine.post("/v1/records").xml(family.to_xml()).send().await.expect("an answer");
    let registered: serde_json::Value = registered.json().expect("a record");
    let record = registered["record"].as_str().expect("its id").to_owned();
    let token = person.sign_in_anew().await.expect("a session");
    let desk = Desk { client: person.desk().client().expect("a client"), cookie: format!("{}={token}", SESSION) };
    // Handshakes first.
    empty_route(&machine).await;
    let empty = empty_route(&machine).await;
    println!("\n{:<26} {:>9} {:>9} {:>16} {:>7}", "page", "p50 ms", "p95 ms", "of empty route", "KB");
    let record = format!("/records/{record}?purpose=casework");
    for path in [
        "/",
        "/search",
        "/intake",
        "/records",
        &record,
        "/records/new",
        "/transfers",
        "/inquiries",
        "/disclosures",
        "/waiting",
        "/settings",
        "/account",
    ] {
        let (mut micros, mut bytes) = (Vec::new(), 0);
        for _ in 0..VISITS {
            let started = Instant::now();
            bytes = desk.get(path).await.len();
            micros.push(started.elapsed().as_secs_f64() * 1e6);
        }
        let shown = if path == record { "/records/…" } else { path };
        print(shown, Latencies::from(micros), &empty, bytes);
    }
    let (mut micros, mut bytes) = (Vec::new(), 0);
    for number in 0..VISITS {
        let form = desk.get("/search").await;
        let name = population.sample(number as u64).surname.kanji;
        let started = Instant::now();
        bytes = desk.search(&form, name).await.len();
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    print("/search, sent", Latencies::from(micros), &empty, bytes);
    let page = desk.get("/").await;
    let style = page.split("href=\"").find_map(|rest| rest.split('"').next().filter(|path| path.ends_with(".css")));
    println!("style                {:>50}", desk.get(style.expect("a style")).await.len() / 1024);
    println!(
        "wanted                               ≤ {WANTED_MILLISECONDS:>4.0}                    ≤ 60 with the style"
    );
}

async fn empty_route(machine: &Client) -> Latencies {
    let mut micros = Vec::new();
    for _ in 0..VISITS {
        let started = Instant::now();
        machine.get("/v1/session").send().await.expect("an answer");
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Latencies::from(micros)
}

fn print(path: &str, latencies: Latencies, empty: &Latencies, bytes: usize) {
    let (p50, p95) = (latencies.p50 / 1e3, latencies.p95 / 1e3);
    println!("{path:<26} {p50:>9.1} {p95:>9.1} {:>16.1} {:>7}", latencies.p50 / empty.p50, bytes.div_ceil(1024));
}
