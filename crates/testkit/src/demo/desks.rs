//! The demonstration in a browser: a certificate for each desk, and somebody to sign in as.

use std::{fmt::Write, path::Path};

use tsunagi::clock::Clock;

use super::story::Cast;
use crate::{
    persons::{self, DeskPerson},
    stage::file::{P12_PASSWORD, for_browsers},
    world::{OPERATOR_DESK, Party, World, WorldError},
};

/// Somebody at a desk.
struct Seat {
    desk: String,
    what: String,
    person: DeskPerson,
}

/// The desks of a demonstration.
pub struct Desks {
    seats: Vec<Seat>,
    port: u16,
}

impl Desks {
    /// Seats the officer of each party, and those who give access in city A and at the operator's; makes the certificate
    /// files for browsers.
    ///
    /// # Errors
    /// Somebody was refused; a file could not be written.
    pub async fn furnish(world: &World, cast: &Cast, port: u16) -> Result<Self, WorldError> {
        let mut seats = Vec::new();
        for party in cast.parties() {
            let person = world.seat(party, &party.officer).await?;
            seats.push(Seat { desk: person.desk().credentials.name.clone(), what: name_of(world, party), person });
        }
        let first = &cast.city_a.first;
        for person in [&first.administrator, &first.credential_manager] {
            let known = DeskPerson::known(person.desk(), &cast.city_a.code, &person.officer);
            let desk = known.desk().credentials.name.clone();
            seats.push(Seat { desk, what: name_of(world, &cast.city_a), person: known });
        }
        let operators = world.premises.operators(world.address, &world.clock).await?;
        for person in [operators.administrator, operators.credential_manager] {
            seats.push(Seat { desk: OPERATOR_DESK.to_owned(), what: "運用者 (operator)".to_owned(), person });
        }
        for seat in &seats {
            for_browsers(world.premises.authority.directory(), &seat.desk)?;
        }
        Ok(Self { seats, port })
    }

    /// What to click, and whom to sign in as.
    pub fn told(&self, directory: &Path) -> String {
        let certs = directory.join("certs");
        let mut text = format!(
            "In a browser (staff pages, in Japanese, or English where the browser prefers it):\n  \
             1. Import {ca} as an authority that may identify web sites, and of one desk the file NAME.p12\n     \
                (password: {P12_PASSWORD}) as a personal certificate. In Chromium: Settings, Privacy and security,\n     \
                Security, Manage certificates; in Firefox: Settings, Certificates, View Certificates.\n  \
             2. Open https://localhost:{port}/ and choose that desk's certificate.\n  \
             3. Sign in as one of these. The code of the device: `tsunagi demo --directory {directory} --code PERSON`,\n     \
                or give the secret to an authenticator. A code counts once.\n\n",
            ca = certs.join("ca.crt").display(),
            port = self.port,
            directory = directory.display(),
        );
        for Seat { desk, what, person } in &self.seats {
            let _ = writeln!(
                text,
                "  {what}\n     desk     {}\n     staff ID {}\n     password {}\n     PERSON   {}\n     secret   {}",
                certs.join(format!("{desk}.p12")).display(),
                person.officer,
                person.password,
                person.device_name(),
                person.typed_secret(),
            );
        }
        text
    }
}

fn name_of(world: &World, party: &Party) -> String {
    let name = world.gateway().map(|gateway| gateway.registry.name(&party.code)).unwrap_or_default();
    format!("{name} ({})", party.name)
}

/// Prints the code that a person's device shows, and for how long.
///
/// # Errors
/// There is no such device.
pub fn print_code(directory: &Path, person: &str) -> Result<(), WorldError> {
    let (code, seconds) =
        persons::code_of_device(&directory.join("devices"), person, &Clock::system()).ok_or_else(|| {
            WorldError::Unexpected(format!("{person}: no such person; README.txt of the demonstration names them"))
        })?;
    tsunagi::say!("{code}");
    eprintln!("tsunagi: for {seconds} more seconds, and once");
    Ok(())
}
