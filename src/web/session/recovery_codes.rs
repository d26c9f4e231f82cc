//! Recovery codes, shown once.

use askama::Template;

use crate::web::shell::Shell;

#[derive(Template)]
#[template(path = "session/recovery_codes.html")]
pub struct RecoveryCodesPage {
    shell: Shell,
    /// Ids of staff with their codes.
    persons: Vec<(String, Vec<String>)>,
    /// Where one goes on.
    next: &'static str,
}

impl RecoveryCodesPage {
    pub fn of(shell: Shell, persons: Vec<(String, Vec<String>)>, next: &'static str) -> Self {
        Self { shell, persons, next }
    }
}
