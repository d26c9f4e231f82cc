//! The program `tsunagi-testkit`, which `tsunagi demo` and `tsunagi pki` become.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tsunagi::{domain::organization::OrganizationCode, say};
use tsunagi_testkit::{
    demo,
    pki::{Authority, Flaw, SINCE_DAYS},
    stage,
    world::WorldError,
};

/// The allocator of the served program: the demonstration serves too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Demonstration, and certificates for development and tests.
#[derive(Parser)]
// Its name is that by which it is called.
#[command(name = "tsunagi", bin_name = "tsunagi", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the whole story on a gateway of its own.
    Demo(demo::Options),
    /// Certificates for development and tests.
    #[command(subcommand)]
    Pki(Pki),
    /// A gateway with parties, desks and persons who can sign in, for tests in a browser.
    Stage(stage::Options),
}

#[derive(Subcommand)]
enum Pki {
    /// Make a CA, a server certificate for localhost and an empty revocation list.
    Create {
        directory: PathBuf,
        /// Days before today since which its certificates are valid.
        #[arg(long, default_value_t = SINCE_DAYS)]
        since: i64,
    },
    /// Issue a terminal's certificate; prints its serial.
    Terminal {
        directory: PathBuf,
        name: String,
        organization: String,
        /// Days before today since which it is valid.
        #[arg(long, default_value_t = SINCE_DAYS)]
        since: i64,
    },
    /// Publish a revocation list that revokes these serials.
    Revoke {
        directory: PathBuf,
        serials: Vec<String>,
        /// Days for which the list is valid.
        #[arg(long, default_value_t = 30)]
        days: i64,
    },
}

impl Pki {
    fn run(self) -> Result<(), WorldError> {
        match self {
            Self::Create { directory, since } => {
                Authority::create_since(&directory, since)?.issue_server(&["localhost", "127.0.0.1"])?;
            }
            Self::Terminal { directory, name, organization, since } => {
                let organization = OrganizationCode::parse(&organization)
                    .ok_or_else(|| WorldError::Unexpected(format!("{organization}: not an organization code")))?;
                say!("{}", Authority::open_since(&directory, since)?.issue_terminal(&name, &organization, Flaw::None)?);
            }
            Self::Revoke { directory, serials, days } => Authority::open(&directory)?.publish_list(&serials, days)?,
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(options) => options.run().await,
        Command::Pki(pki) => pki.run(),
        Command::Stage(options) => options.run().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tsunagi: {error}");
            ExitCode::FAILURE
        }
    }
}
