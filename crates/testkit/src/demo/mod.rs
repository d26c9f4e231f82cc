//! `tsunagi demo`: a gateway of its own, a few thousand synthetic records, and the whole story.

pub mod desks;
pub mod narrator;
pub mod site;
pub mod story;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tsunagi::{client::expect, clock::Clock, say};

use self::{desks::Desks, narrator::Narrator, story::Cast};
use crate::{
    people::{Family, People},
    world::{Party, Premises, World, WorldError},
};

#[derive(Args)]
pub struct Options {
    /// Directory for the demonstration: an empty one, or that of an earlier demonstration, whose files are made anew.
    #[arg(long, default_value = "var/demo")]
    directory: PathBuf,
    /// End after the story; status 0 only if every step's expectation held.
    #[arg(long)]
    once: bool,
    /// Synthetic records to register through the API.
    #[arg(long, default_value_t = 3_000)]
    records: usize,
    /// Port of the API; the monitor listens on the next one.
    #[arg(long, default_value_t = 8_443)]
    port: u16,
    /// Print the code that a person's device shows, and do nothing else; README.txt of the demonstration names the persons.
    #[arg(long, value_name = "PERSON")]
    code: Option<String>,
}

/// Generous limits: the demonstration registers its records as fast as it can.
const LIMITS: &str = "[limits]\nterminal_per_second = 100000\nterminal_burst = 100000\nofficer_per_second = 100000\n\
officer_burst = 100000\n";
const CALLERS: usize = 16;

impl Options {
    /// Plays the demonstration.
    ///
    /// # Errors
    /// It could not be made, or an expectation of the story did not hold.
    pub async fn run(self) -> Result<(), WorldError> {
        if let Some(person) = &self.code {
            return desks::print_code(&self.directory, person);
        }
        let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        // Before anything is removed: it may be what another demonstration serves from.
        for port in [self.port, self.port.saturating_add(1)] {
            std::net::TcpListener::bind(address(port)).map_err(|error| {
                let remedy = "end what listens there, or name another port with --port and another --directory";
                WorldError::Unexpected(format!("{}: {error}; {remedy}", address(port)))
            })?;
        }
        let directory = site::make_anew(&self.directory)?;
        say!("繋ぎ Tsunagi: demonstration under {}", self.directory.display());
        say!("  development PKI and keyring …");
        let (listen, monitor) = (address(self.port), address(self.port.saturating_add(1)));
        let premises = Premises::create(&directory, None, listen, monitor, LIMITS).await?;
        let world = World::start(premises, Clock::system()).await?;
        say!("  gateway on https://localhost:{}, SQLite {}", self.port, directory.join(site::DATABASE).display());
        let cast = Cast::connect(&world).await?;
        let desks = Desks::furnish(&world, &cast, self.port).await?;
        let by_hand = format!("{}\n{}", desks.told(&self.directory), curl_lines(&self.directory, &cast, self.port));
        write_readme(&directory, &cast, &by_hand)?;
        register_many(&world, &cast.city_a, self.records).await?;
        let mut narrator = Narrator::new();
        story::play(&world, &cast, &mut narrator).await?;
        narrator.sum_up();
        if self.once {
            world.stop().await;
            return if narrator.all_held() {
                Ok(())
            } else {
                Err(WorldError::Unexpected("an expectation of the story did not hold".into()))
            };
        }
        say!("\n{by_hand}");
        say!("The gateway stays up until Ctrl-C.");
        signal(SignalKind::interrupt())?.recv().await;
        world.stop().await;
        Ok(())
    }
}

/// Registers synthetic families through the API, with progress.
async fn register_many(world: &World, city: &Party, records: usize) -> Result<(), WorldError> {
    let started = Instant::now();
    let done = AtomicUsize::new(0);
    let caller = |number: usize| {
        let (done, count) = (&done, records / CALLERS + usize::from(number < records % CALLERS));
        async move {
            let client = world.another(city)?;
            let mut people = People::seeded(number as u64 + 1);
            for _ in 0..count {
                let family: Family = people.family(city.code.as_str());
                expect(client.post("/v1/records").xml(family.to_xml()).send().await?, 201)?;
                let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
                if so_far % 250 == 0 {
                    let mut out = std::io::stdout();
                    // Progress, which nobody needs to see.
                    let _ = write!(out, "\r  registering through the API: {so_far} of {records}")
                        .and_then(|()| out.flush());
                }
            }
            Ok::<(), WorldError>(())
        }
    };
    futures_util::future::try_join_all((0..CALLERS).map(caller)).await?;
    let seconds = started.elapsed().as_secs_f64();
    say!("\r  registered {records} synthetic records through the API in {seconds:.1} s          ");
    Ok(())
}

fn write_readme(directory: &Path, cast: &Cast, by_hand: &str) -> Result<(), WorldError> {
    let mut text = String::from(
        "A demonstration of Tsunagi. Everything here is synthetic and may be deleted.\n\n\
         certs/ca.crt            the development CA\ncerts/server.crt        the gateway\n\
         certs/operator.crt|key  the operator (officer op1)\ncerts/*-desk.p12        a desk, for a browser\n",
    );
    for party in cast.parties() {
        text += &format!("certs/{}.crt|key  organization {} (officer {})\n", party.name, party.code, party.officer);
    }
    text += "keyring.toml            master keys; in production kept apart from the database\n\
             tsunagi.db              the database\ntsunagi.toml            the configuration\n\n";
    text += by_hand;
    Ok(fs::write(directory.join("README.txt"), text)?)
}

fn curl_lines(directory: &Path, cast: &Cast, port: u16) -> String {
    let certs = directory.join("certs");
    let curl = |party: &Party| {
        let file = |name: &str| certs.join(name).display().to_string();
        format!(
            "curl --cacert {} --cert {} --key {} -H 'Tsunagi-Officer: {}'",
            file("ca.crt"),
            file(&format!("{}.crt", party.name)),
            file(&format!("{}.key", party.name)),
            party.officer
        )
    };
    let base = format!("https://localhost:{port}/v1");
    format!(
        "By calls:\n  {} {base}/session\n  {} {base}/records\n  {} {base}/inbox\n  \
         {} {base}/searches -H 'Idempotency-Key: by-hand-1' -H 'Content-Type: application/json' \\\n    \
         -d '{{\"purpose\":\"new_report\",\"case_reference\":\"R8-2\",\"child_name\":\"ひな\",\"birth\":{{\"on\":\"2016\"}}}}'\n  \
         {} {base}/disclosures\n",
        curl(&cast.city_a),
        curl(&cast.city_a),
        curl(&cast.center_a),
        curl(&cast.far_center),
        curl(&cast.city_a),
    )
}
