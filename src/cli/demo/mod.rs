//! `tsunagi demo`: a gateway of its own, a few thousand synthetic records, and the whole story.

pub mod people;
pub mod world;

use std::path::PathBuf;

use clap::Args;

use self::world::WorldError;

#[derive(Args)]
pub struct Options {
    /// Directory for the demonstration; made anew.
    #[arg(long, default_value = "var/demo")]
    directory: PathBuf,
    /// End after the story.
    #[arg(long)]
    once: bool,
    /// Synthetic records to register through the API.
    #[arg(long, default_value_t = 3_000)]
    records: usize,
}

impl Options {
    pub(super) async fn run(self) -> Result<(), WorldError> {
        let _ = (&self.directory, self.once, self.records);
        Ok(())
    }
}
