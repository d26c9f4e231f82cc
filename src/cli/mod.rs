//! The command line.

/// Prints a line. Whoever read may have gone (`head`, a pager): then the program ends without a word, as others do.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => {
        $crate::cli::print_line(format_args!($($line)*))
    };
}

pub mod admin;
pub mod backup;
pub mod desk;
pub mod error;
pub mod keys;
pub mod ledger;
pub mod matching;
mod prompt;
pub mod rows;
pub mod schemas;
pub mod serve;
pub mod terminal_check;
pub mod testkit;
pub mod witness;

use std::{
    fmt,
    io::{self, Write},
    net::Ipv6Addr,
    path::PathBuf,
    process::ExitCode,
};

use axum::http::uri::Authority;
use clap::{Args, Parser, Subcommand};
use rustls::pki_types::ServerName;

use self::error::CommandError;
use crate::store;

/// Tsunagi 繋ぎ: the gateway for records of children at risk.
#[derive(Parser)]
#[command(name = "tsunagi", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API until a signal asks to stop.
    Serve(serve::Serve),
    /// Make keyring and database, and register the operator's first terminal and administrator.
    Init(serve::Init),
    /// Register the operator's desk and make the code for its first persons, where none of them can sign in yet.
    Operator(serve::OpenOperator),
    /// At a desk: enrol, sign in and out, second factor, recovery codes.
    #[command(subcommand)]
    Desk(desk::DeskCommand),
    /// Bring the schema of a PostgreSQL database up to date, as the role that owns it.
    Migrate {
        /// `postgres://` URL; left out, `OWNER_DATABASE` of the environment, which no list of processes shows.
        database: Option<String>,
    },
    /// Play the whole story on a gateway of its own.
    Demo(testkit::PassedOn),
    /// Make a base copy of the database, while the gateway serves.
    Backup(backup::BackupArgs),
    /// Make the database anew from a base copy and the stream.
    Restore(backup::Restore),
    /// Certificates for development and tests.
    #[command(subcommand)]
    Pki(testkit::Pki),
    /// Organizations (operator).
    #[command(subcommand)]
    Org(admin::Org),
    /// Terminals (operator, or a user administrator).
    #[command(subcommand)]
    Terminal(admin::TerminalCommand),
    /// Staff (user administrator).
    #[command(subcommand)]
    Staff(admin::Staff),
    /// Rows of the database, authenticated.
    #[command(subcommand)]
    Rows(rows::Rows),
    /// Hold every row of the database against its mark, while a gateway serves or not.
    Check(ConfigFile),
    /// Sharp acts that wait for a person.
    #[command(subcommand)]
    Waiting(admin::Waiting),
    /// Keys at rest.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// The ledger: fetch evidence, verify it offline.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// A witness of ledgers: a process of its own, for somebody other than the gateway's operator.
    #[command(subcommand)]
    Witness(witness::WitnessCommand),
    /// The matching of names.
    #[command(subcommand)]
    Match(matching::MatchCommand),
    /// Write the schemas and example documents of the national format.
    Schemas {
        /// Directory to write into.
        #[arg(default_value = "schemas")]
        directory: PathBuf,
    },
}

/// Where the configuration is.
#[derive(Args)]
pub struct ConfigFile {
    /// Configuration file (TOML); see docs/configuration.md.
    #[arg(long, default_value = "/etc/tsunagi/tsunagi.toml")]
    pub config: PathBuf,
}

/// How a command reaches the gateway.
#[derive(Args)]
pub struct Connection {
    /// HOST:PORT of the gateway. HOST, a name or an IP address, must be in its certificate.
    #[arg(long, default_value = "localhost:8443", value_parser = gateway_address)]
    pub address: Authority,
    /// Directory with ca.crt, NAME.crt and NAME.key.
    #[arg(long)]
    pub certs: PathBuf,
    /// NAME of the certificate to use.
    #[arg(long)]
    pub cert: String,
    /// Id of the responsible officer. At a desk, `tsunagi desk sign-in` prints a token; it is taken from SESSION_TOKEN.
    #[arg(long, default_value = "")]
    pub officer: String,
}

fn gateway_address(text: &str) -> Result<Authority, String> {
    let wanted = || "expected HOST:PORT, such as gateway.example:8443 or [2001:db8::1]:8443".to_owned();
    let address: Authority = text.parse().map_err(|_| wanted())?;
    let is_host = match address.host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().is_ok(),
        None => ServerName::try_from(address.host()).is_ok(),
    };
    let is_whole = is_host && address.port_u16().is_some() && !text.contains('@');
    if is_whole { Ok(address) } else { Err(wanted()) }
}

/// Status of a program that was ended because nobody reads what it prints (128 and SIGPIPE).
const NOBODY_READS: i32 = 141;

/// What `say!` does.
pub fn print_line(line: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(NOBODY_READS);
        }
        eprintln!("tsunagi: {error}");
        std::process::exit(1);
    }
}

/// Runs the program; says what went wrong on standard error.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await,
            Command::Init(init) => init.run().await,
            Command::Operator(operator) => operator.run().await,
            Command::Desk(desk) => desk.run().await,
            Command::Migrate { database } => migrate(database).await,
            Command::Demo(_) => Err(testkit::become_testkit()),
            Command::Backup(backup) => backup.run().await,
            Command::Restore(restore) => restore.run().await,
            Command::Pki(pki) => pki.run(),
            Command::Org(command) => command.run().await,
            Command::Terminal(command) => command.run().await,
            Command::Staff(command) => command.run().await,
            Command::Rows(command) => command.run().await,
            Command::Check(file) => rows::check(file).await,
            Command::Waiting(command) => command.run().await,
            Command::Keys(command) => command.run().await,
            Command::Ledger(command) => command.run().await,
            Command::Witness(command) => command.run().await,
            Command::Match(command) => command.run(),
            Command::Schemas { directory } => schemas::write(&directory),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn migrate(database: Option<String>) -> Result<(), CommandError> {
    let database = database.or_else(|| std::env::var("OWNER_DATABASE").ok());
    let database = database.ok_or_else(|| {
        CommandError::Unexpected("name the database, or set OWNER_DATABASE to a postgres:// URL".to_owned())
    })?;
    store::open::migrate_postgres(&database).await?;
    say!("the schema is that of this program");
    Ok(())
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("tsunagi: {error}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for address in ["localhost:8443", "gateway.example:443", "192.0.2.21:8443", "[2001:db8::1]:8443"] {
            assert_eq!(gateway_address(address).unwrap().as_str(), address);
        }
        for text in [
            "",
            "gateway.example",
            ":8443",
            "gateway.example:",
            "gateway.example:65536",
            "2001:db8::1:8443",
            "https://gateway.example:8443",
            "gateway.example:8443/",
            "op1@gateway.example:8443",
            "a b:8443",
            "[x]:1",
        ] {
            assert!(gateway_address(text).is_err(), "{text}");
        }
    }
}
