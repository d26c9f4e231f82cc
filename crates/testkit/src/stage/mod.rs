//! `tsunagi-testkit stage`: a gateway with every kind of party, desks and persons who can sign in, for tests in a
//! browser.
//!
//! It writes down in one file what a browser needs to be any of them, says that it is ready, does what it is asked for
//! on its standard input, line by line, and ends when that closes. Planted defects work as anywhere: by the environment
//! of a debug build.

mod ask;
mod cast;
pub(crate) mod file;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tsunagi::{clock::Clock, say};

use self::cast::Cast;
use crate::{
    pki::{Authority, LIST_DAYS, PkiError},
    world::{Premises, World, WorldError},
};

#[derive(Args)]
pub struct Options {
    /// Directory for the gateway, its certificates and `stage.json`; it must not hold anything yet.
    #[arg(long)]
    directory: PathBuf,
    /// Directory of a CA made by `pki create`, which issues the certificates: a browser that trusts it trusts every
    /// stage.
    #[arg(long)]
    authority: Option<PathBuf>,
    /// Name of a party to open, such as `city-a`; of all of them where none is named.
    #[arg(long)]
    party: Vec<String>,
}

/// Limits that no test meets by accident.
const LIMITS: &str = "[accounts]\npasskey_host = \"localhost\"\n[search]\nofficer_per_hour = 1000000\nofficer_burst = 1000000\norganization_per_hour = 1000000\n\
organization_burst = 1000000\n[limits]\nterminal_per_second = 100000\nterminal_burst = 100000\n\
officer_per_second = 100000\nofficer_burst = 100000\nsign_ins_per_hour = 100000\nterminal_tries_per_hour = 100000\n\
machine_revocations_per_hour = 100000\n";

impl Options {
    /// Opens the stage, and plays along until nobody asks any more.
    ///
    /// # Errors
    /// It could not be made, or standard input not be read.
    pub async fn run(self) -> Result<(), WorldError> {
        fs::create_dir_all(&self.directory)?;
        let directory = fs::canonicalize(&self.directory)?;
        let authority = issuing(self.authority.as_deref(), &directory.join("certs"))?;
        let (clock, any) = (Clock::system(), std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        let premises = Premises::create_under(authority, &directory, None, (any, any), LIMITS, clock.clone()).await?;
        let world = World::start(premises, clock).await?;
        let mut cast = Cast::open(&world, &self.party).await?;
        file::write(&directory, &cast.described(&world)?)?;
        say!("{}", json!({ "ready": true }));
        let mut lines = BufReader::new(stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            say!("{}", cast.answer(&world, &line).await);
        }
        world.stop().await;
        Ok(())
    }
}

/// The CA of a stage, in its own directory: a copy of another's, so that each has a revocation list of its own.
fn issuing(of: Option<&Path>, certs: &Path) -> Result<Authority, PkiError> {
    let Some(of) = of else { return Authority::create(certs) };
    let failed = |error| PkiError::File(of.to_owned(), error);
    fs::create_dir_all(certs).map_err(failed)?;
    for name in ["ca.crt", "ca.key"] {
        fs::copy(of.join(name), certs.join(name)).map_err(failed)?;
    }
    let authority = Authority::open(certs)?;
    authority.publish_list(&[], LIST_DAYS)?;
    Ok(authority)
}
