//! Questions to persons, in Japanese and English: asked on standard error, answered at the terminal without echo, or by a
//! pipe, a line each. No answer is ever an argument: arguments stand in lists of processes.

use std::io::{self, BufRead, IsTerminal};

use fast_qr::QRBuilder;

use super::error::CommandError;
use crate::{
    error::{AccountError, Error},
    identity::password::check_password,
};

/// How often a person is asked for what can be mistyped.
pub(super) const MAX_ASKED: usize = 3;

/// Whether a person answers, and may be asked again.
pub(super) fn is_person() -> bool {
    io::stdin().is_terminal()
}

/// Asks for what nobody else reads: it is not shown.
///
/// # Errors
/// There is no answer.
pub(super) fn secret(of: &str, ja: &str, en: &str) -> Result<String, CommandError> {
    let of = if of.is_empty() { String::new() } else { format!("{of}: ") };
    eprintln!("{of}{ja} / {en}:");
    if is_person() {
        return Ok(rpassword::read_password()?);
    }
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(CommandError::Unexpected("入力がありません / there is no answer".to_owned()));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks for a new password, twice. A person whose password will be refused is told so at once, and asked again.
///
/// # Errors
/// There is no answer; the two differ.
pub(super) fn new_password((id, name): (&str, &str)) -> Result<String, CommandError> {
    for _ in 0..MAX_ASKED {
        let password = secret(id, "新しいパスワード（12文字以上）", "new password (12 characters or more)")?;
        if is_person()
            && let Err(weak) = check_password(&password, id, name)
        {
            let problem = Error::from(AccountError::WeakPassword(weak)).problem();
            eprintln!("{} / {}", problem.detail_ja, problem.detail_en);
            continue;
        }
        if secret(id, "もう一度、同じパスワード", "the same password again")? == password {
            return Ok(password);
        }
        eprintln!("2回の入力が一致しません / the two are not the same");
        if !is_person() {
            break;
        }
    }
    Err(CommandError::Unexpected("パスワードを設定できません / no password was set".to_owned()))
}

/// Shows what a device takes in: the secret as it is typed, as a link, and at a terminal as a QR code.
pub(super) fn show_secret(of: &str, (secret, url): (&str, &str)) {
    eprintln!("{of}: 認証アプリに登録してください / take this into the device: {secret}");
    eprintln!("{of}: {url}");
    if io::stderr().is_terminal()
        && let Ok(code) = QRBuilder::new(url).build()
    {
        eprintln!("{}", code.to_str());
    }
}
