//! `tsunagi keys`: the keyring, and the rotation of keys while the gateway serves.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConfigFile, Connection, error::CommandError};
use crate::{
    client::expect,
    config::Config,
    keys::{
        keyring::{Keyring, NewMaster},
        shreds::Shreds,
        token::Token,
    },
    operations::keys::rewrap_keys::{KeysView, RewrapView},
};

#[derive(Subcommand)]
pub enum Keys {
    /// Make a new keyring file, and the file of shreds beside it.
    Create {
        file: PathBuf,
        #[command(flatten)]
        token: TokenPlace,
    },
    /// Add a new master key to the keyring file. Then store a copy of the file, and wrap the keys anew.
    Rotate {
        #[command(flatten)]
        config: ConfigFile,
        /// Move the master key into a token.
        #[command(flatten)]
        token: TokenPlace,
    },
    /// Have the gateway wrap all keys with the current master key, while it serves.
    Rewrap(Connection),
    /// Show generations of keys, and how far the gateway is.
    Show(Connection),
    /// Ask to retire master keys; two operators confirm at a desk.
    AskRetire(Connection),
    /// Have the gateway take master keys out of the keyring that nothing needs any more, once two operators approved it.
    Retire(Connection),
}

/// A PKCS#11 token.
#[derive(Args)]
pub struct TokenPlace {
    /// Library of the token's maker; with it the master key is in a PKCS#11 token.
    #[arg(long, requires = "token_label")]
    module: Option<PathBuf>,
    /// Label of the token.
    #[arg(long, requires = "module")]
    token_label: Option<String>,
    /// File whose first line is the PIN.
    #[arg(long, requires = "module", conflicts_with = "pin_variable")]
    pin_file: Option<PathBuf>,
    /// Environment variable that holds the PIN.
    #[arg(long, requires = "module")]
    pin_variable: Option<String>,
}

impl TokenPlace {
    fn token(self) -> Option<Token> {
        let Self { module, token_label, pin_file, pin_variable } = self;
        Some(Token { module: module?, label: token_label?, pin_file, pin_variable })
    }
}

impl Keys {
    pub(super) async fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Create { file, token } => {
                Keyring::create(&file, token.token())?;
                say!("keyring made: {}", file.display());
                say!("shreds made: {}", Shreds::path_beside(&file).display());
                say!("keep a copy of both, apart from the database");
            }
            Self::Rotate { config: ConfigFile { config }, token } => {
                let config = Config::load(&config, std::env::vars())?;
                let place = token.token().map_or(NewMaster::AsBefore, NewMaster::InToken);
                let keyring = Keyring::load(&config.keyring)?.rotate(place)?;
                say!("master key {} added to {}", keyring.current(), config.keyring.display());
                say!("store a copy of the file now, then run `tsunagi keys rewrap`");
            }
            Self::Rewrap(connection) => {
                let reply = connection.client()?.post("/v1/keys/rewraps").send().await?;
                let begun: RewrapView = expect(reply, 202)?.json()?;
                say!("begun: master key {}, {} records", begun.master, begun.left);
            }
            Self::Show(connection) => {
                let reply = connection.client()?.get("/v1/keys").send().await?;
                show(&expect(reply, 200)?.json()?);
            }
            Self::AskRetire(connection) => {
                let reply = connection.client()?.post("/v1/keys/retirement-requests").send().await?;
                say!("{}", expect(reply, 202)?.text());
                say!("two operators confirm it with `tsunagi waiting confirm`; then run `tsunagi keys retire`");
            }
            Self::Retire(connection) => {
                let reply = connection.client()?.post("/v1/keys/retirements").send().await?;
                show(&expect(reply, 200)?.json()?);
                say!(
                    "store a copy of the keyring file: a backup opens with the master key under which it was made, and no other"
                );
            }
        }
        Ok(())
    }
}

fn show(keys: &KeysView) {
    let list = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    say!("master key {}; in the keyring {}; needed {}", keys.master, list(&keys.masters), list(&keys.masters_needed));
    if !keys.masters_of_stream.is_empty() {
        say!("needed to read the stream of backups: {}", list(&keys.masters_of_stream));
    }
    match &keys.rewrap {
        None => say!("never wrapped anew"),
        Some(pass) => match &pass.finished_at {
            Some(at) => say!("wrapped anew: {} records, finished {at}", pass.wrapped),
            None => say!("being wrapped anew: {} records done, {} left", pass.wrapped, pass.left),
        },
    }
}
