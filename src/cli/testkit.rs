//! `tsunagi demo` and the part of `tsunagi pki` that makes certificates: the program `tsunagi-testkit` does it, so that
//! the one that serves holds no certificate maker. See `docs/decisions/0020-two-programs.md`.

use std::{env, ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use clap::{Args, Subcommand};

use super::{error::CommandError, terminal_check::Check};

const PROGRAM: &str = "tsunagi-testkit";

/// Arguments that are not looked at here: `tsunagi-testkit` defines them.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct PassedOn {
    /// As `--help` says.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    _arguments: Vec<OsString>,
}

#[derive(Subcommand)]
pub enum Pki {
    /// Make a CA, a server certificate for localhost and an empty revocation list.
    Create(PassedOn),
    /// Issue a terminal's certificate; prints its serial.
    Terminal(PassedOn),
    /// Publish a revocation list that revokes some serials.
    Revoke(PassedOn),
    /// Say whether a gateway would let a certificate in, and if not, why.
    Check(Check),
}

impl Pki {
    pub(super) fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Check(check) => check.run(),
            Self::Create(_) | Self::Terminal(_) | Self::Revoke(_) => Err(become_testkit()),
        }
    }
}

/// Replaces this process by the program beside it, with the same arguments, streams and environment: its exit status is
/// this one's. Returns only where there is no such program, or it cannot be run.
pub(super) fn become_testkit() -> CommandError {
    let program = match env::current_exe() {
        Ok(this) => this.with_file_name(PROGRAM),
        Err(error) => return error.into(),
    };
    let error = Command::new(&program).args(env::args_os().skip(1)).exec();
    let program = program.display();
    CommandError::Unexpected(match error.kind() {
        io::ErrorKind::NotFound => format!(
            "{program} がありません。`cargo build --release --locked` で tsunagi と同じフォルダーに作られます / \
             {program} is missing; `cargo build --release --locked` builds it into the same folder as tsunagi"
        ),
        _ => format!("{program}: {error}"),
    })
}
