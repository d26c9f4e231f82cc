//! Tells the story as it happens, and keeps count of what held.

use tsunagi::say;
use uuid::Uuid;

/// Prints each step: who did what, what they saw, what was withheld, which ledger entry proves it.
#[derive(Default)]
pub struct Narrator {
    held: usize,
    broken: Vec<String>,
}

impl Narrator {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn chapter(&mut self, number: u8, title: &str) {
        say!("\n── {number}. {title}");
    }

    /// One act: who, and what.
    pub fn act(&mut self, who: &str, what: &str) {
        say!("  {who}: {what}");
    }

    pub fn saw(&mut self, what: &str) {
        say!("      saw       {what}");
    }

    pub fn withheld(&mut self, what: &str) {
        say!("      withheld  {what}");
    }

    /// The ledger entries that prove the act.
    pub fn proved_by(&mut self, entries: &[Uuid]) {
        for entry in entries {
            say!("      entry     {entry}");
        }
    }

    /// An expectation of the story.
    pub fn holds(&mut self, what: &str, holds: bool) {
        if holds {
            self.held += 1;
            say!("      ✓ {what}");
        } else {
            say!("      ✗ {what}");
            self.broken.push(what.to_owned());
        }
    }

    pub fn all_held(&self) -> bool {
        self.broken.is_empty() && self.held > 0
    }

    pub fn sum_up(&self) {
        say!("\n{} expectations held, {} did not.", self.held, self.broken.len());
        for broken in &self.broken {
            say!("  ✗ {broken}");
        }
    }
}
