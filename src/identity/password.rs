//! Passwords: kept as Argon2id (RFC 9106), and refused where somebody else would guess them.
//!
//! The same keys give full-width letters at one desk and half-width ones at another. So a password is brought into one
//! form (NFKC) before it is looked at and hashed (RFC 8265 does the same for user names; for passwords it leaves the
//! width alone, which suits keyboards that have one). Older hashes were made of what was typed, and are tried with that
//! too.

use std::{collections::HashSet, sync::LazyLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use unicode_normalization::UnicodeNormalization;

use crate::{clock::random_bytes, domain::format::lexical::is_forbidden};

/// Fewest and most characters of a password.
pub const SHORTEST: usize = 12;
pub const LONGEST: usize = 128;
/// Letters that differ, at the least: `aaaaaaaaaaab` is none.
const FEWEST_DIFFERENT: usize = 5;

/// `data/passwords/README.md` says where they come from.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../data/passwords/common.txt").lines().collect());

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakPassword {
    Length,
    /// A control, private-use or invisible character is in it: nobody types it the same way twice.
    Characters,
    /// It is the person's id or name, or holds one of them and little else.
    OwnName,
    Common,
}

/// Holds a new password against the rules.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_password(password: &str, id: &str, name: &str) -> Result<(), WeakPassword> {
    let one_form = in_one_form(password);
    if !(SHORTEST..=LONGEST).contains(&one_form.chars().count()) {
        return Err(WeakPassword::Length);
    }
    if password.chars().chain(one_form.chars()).any(|c| c.is_control() || is_forbidden(c)) {
        return Err(WeakPassword::Characters);
    }
    let (folded, name) = (one_form.to_lowercase(), in_one_form(name).to_lowercase());
    let names = [id.to_lowercase(), name.clone(), name.split_whitespace().collect::<String>()];
    let without_names = names.iter().filter(|name| !name.is_empty()).fold(folded.clone(), |rest, name| {
        if name.chars().count() < 3 && rest != *name { rest } else { rest.replace(name.as_str(), "") }
    });
    if without_names != folded && without_names.chars().count() < SHORTEST / 2 {
        return Err(WeakPassword::OwnName);
    }
    let different: HashSet<char> = folded.chars().collect();
    if COMMON.contains(folded.as_str()) || different.len() < FEWEST_DIFFERENT {
        return Err(WeakPassword::Common);
    }
    Ok(())
}

/// A password as it is hashed, however wide its letters were typed.
fn in_one_form(password: &str) -> String {
    password.nfkc().collect()
}

/// Hashes a password in PHC form; `None` where the random generator fails. Takes tens of milliseconds.
pub fn hash_password(password: &str) -> Option<String> {
    hash_as_typed(&in_one_form(password))
}

fn hash_as_typed(password: &str) -> Option<String> {
    let salt = random_bytes::<16>().ok()?;
    Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

/// Whether a password is the one hashed, in its one form or, as older hashes were made, as it was typed. An officer
/// without a hash costs the same time as one with.
pub fn verify_password(password: &str, hash: Option<&str>) -> bool {
    let one_form = in_one_form(password);
    verify_as_typed(&one_form, hash) || one_form != password && verify_as_typed(password, hash)
}

fn verify_as_typed(password: &str, hash: Option<&str>) -> bool {
    match hash.and_then(|hash| PasswordHash::new(hash).ok()) {
        Some(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
        None => {
            let _ = hash_as_typed(password);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_would_guess_is_refused() {
        let check = |password: &str| check_password(password, "yamada-01", "山田 花子");
        assert_eq!(check("correct horse battery"), Ok(()));
        assert_eq!(check("北の国から来た青い鳥たち"), Ok(()));
        assert_eq!(check("short"), Err(WeakPassword::Length));
        assert_eq!(check(&"a1".repeat(65)), Err(WeakPassword::Length));
        for own in ["yamada-01yamada-01", "Yamada-01!2026", "山田花子山田花子山田花子"] {
            assert_eq!(check(own), Err(WeakPassword::OwnName), "{own}");
        }
        for common in ["Password1234", "jidousoudanjo", "1qaz2wsx3edc4rfv", "aaaaaaaaaaaab", "121212121212"] {
            assert_eq!(check(common), Err(WeakPassword::Common), "{common}");
        }
    }

    #[test]
    fn however_wide_it_is_typed_it_is_the_same_password() {
        let check = |password: &str| check_password(password, "yamada-01", "山田 花子");
        assert_eq!(check("ｐａｓｓｗｏｒｄ１２３４"), Err(WeakPassword::Common));
        assert_eq!(check("ｙａｍａｄａ－０１ｙａｍａｄａ－０１"), Err(WeakPassword::OwnName));
        for control in ["correct\thorse battery", "correct horse\u{7} battery", "correct horse\u{200B} battery"] {
            assert_eq!(check(control), Err(WeakPassword::Characters), "{control:?}");
        }
        let (wide, narrow) = ("ｃｏｒｒｅｃｔ　ｈｏｒｓｅ　４２ カゞ", "correct horse 42 カゞ");
        let hash = hash_password(wide).unwrap();
        assert!(verify_password(narrow, Some(&hash)) && verify_password(wide, Some(&hash)));
        // Older hashes were made of what was typed: they open to that, and to nothing else.
        let of_before = hash_as_typed(wide).unwrap();
        assert!(verify_password(wide, Some(&of_before)) && !verify_password(narrow, Some(&of_before)));
        assert!(!verify_password("ｃｏｒｒｅｃｔ　ｈｏｒｓｅ　４３", Some(&hash)) && !verify_password(wide, None));
    }

    #[test]
    fn the_list_of_common_ones_is_sorted_and_long_enough_to_matter() {
        let lines: Vec<&str> = include_str!("../../data/passwords/common.txt").lines().collect();
        assert!(lines.is_sorted() && lines.len() == COMMON.len());
        assert!(lines.iter().all(|line| line.chars().count() >= SHORTEST && *line == line.to_lowercase()));
    }
}
