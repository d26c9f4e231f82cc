//! Master keys that never leave a PKCS#11 token: it seals and opens the prefecture keys itself (AES-256-GCM).
//!
//! The token is asked at a start, and when keys rotate. What it has opened stays in memory, so a token that is taken
//! away stops rotations and the next start, and nothing else. A session is opened for each piece of work and closed
//! after it: a token that was away and is back needs nothing.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as Failure, RvError},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::vault::{NONCE, Place};
use crate::clock::random_bytes;

/// Where a token is, and where its PIN comes from. The PIN itself is never in the keyring file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Library of the token's maker.
    pub module: PathBuf,
    /// Label of the token.
    pub label: String,
    /// File whose first line is the PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_file: Option<PathBuf>,
    /// Environment variable that holds the PIN; its name may not begin with `TSUNAGI_`, which is for the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_variable: Option<String>,
}

/// Why a token did not do its work. In Japanese and English: it is read at a machine that does not start.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("PKCS#11モジュールを読み込めません / the PKCS#11 module cannot be loaded: {module}: {reason}")]
    Module { module: PathBuf, reason: String },
    #[error("トークン「{label}」がありません / there is no token labelled {label}; is it plugged in?")]
    Absent { label: String },
    #[error(
        "PINの取得元を pin_file か pin_variable のどちらか一つで指定してください / name one of pin_file and pin_variable"
    )]
    PinSource,
    #[error("PINを読めません / the PIN cannot be read from {from}")]
    PinUnreadable { from: String },
    #[error("PINが違います / the PIN is wrong")]
    PinWrong,
    #[error(
        "PINがロックされています。トークンの管理者に解除を依頼してください / the PIN is locked; ask the token's administrator"
    )]
    PinLocked,
    #[error("トークンに鍵「{label}」がありません / the token holds no key labelled {label}")]
    KeyAbsent { label: String },
    #[error("トークンに鍵「{label}」が既にあります / the token holds a key labelled {label} already")]
    KeyExists { label: String },
    #[error("トークンの処理に失敗しました / the token failed: {0}")]
    Failed(Failure),
}

impl From<Failure> for TokenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => Self::PinWrong,
            Failure::Pkcs11(RvError::PinLocked, _) => Self::PinLocked,
            other => Self::Failed(other),
        }
    }
}

/// Modules that were loaded. One may be initialized once in a process. Whoever works with a token holds the lock: to be
/// logged in is a state of the whole process.
static MODULES: LazyLock<Mutex<HashMap<PathBuf, Pkcs11>>> = LazyLock::new(Mutex::default);

const KEY_BYTES: usize = 32;
const TAG_BITS: usize = 128;

/// A token that was opened for a piece of work.
pub struct Opened {
    session: Session,
}

impl Token {
    /// Logs in, works, and logs out.
    ///
    /// # Errors
    /// No module, no token, no PIN or a wrong one; or the work's own.
    pub fn work<T, E: From<TokenError>>(&self, work: impl FnOnce(&Opened) -> Result<T, E>) -> Result<T, E> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.open(&mut modules)?;
        let outcome = work(&opened);
        drop(opened);
        drop(modules);
        outcome
    }

    fn open(&self, modules: &mut HashMap<PathBuf, Pkcs11>) -> Result<Opened, TokenError> {
        let pin = self.pin()?;
        let module = match modules.get(&self.module) {
            Some(module) => module.clone(),
            None => {
                let module = loaded(&self.module)?;
                modules.insert(self.module.clone(), module.clone());
                module
            }
        };
        let slots = module.get_slots_with_token()?;
        let is_it = |slot: &_| module.get_token_info(*slot).is_ok_and(|about| about.label().trim_end() == self.label);
        let slot = slots.into_iter().find(is_it).ok_or_else(|| TokenError::Absent { label: self.label.clone() })?;
        let session = module.open_rw_session(slot)?;
        session.login(UserType::User, Some(&pin))?;
        Ok(Opened { session })
    }

    fn pin(&self) -> Result<AuthPin, TokenError> {
        let (text, from) = match (&self.pin_file, &self.pin_variable) {
            (Some(file), None) => (fs::read_to_string(file).ok(), file.display().to_string()),
            (None, Some(variable)) => (std::env::var(variable).ok(), format!("${variable}")),
            _ => return Err(TokenError::PinSource),
        };
        let text = Zeroizing::new(text.ok_or(TokenError::PinUnreadable { from })?);
        Ok(AuthPin::new(text.lines().next().unwrap_or_default().into()))
    }
}

fn loaded(path: &Path) -> Result<Pkcs11, TokenError> {
    let fault = |failure: Failure| TokenError::Module { module: path.to_owned(), reason: failure.to_string() };
    let module = Pkcs11::new(path).map_err(fault)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Failure::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(failure) => Err(fault(failure)),
    }
}

impl Opened {
    /// Makes a key that can be used inside the token alone.
    ///
    /// # Errors
    /// A key of this label is there already, or the token failed.
    pub fn generate(&self, label: &str) -> Result<(), TokenError> {
        if self.find(label).is_ok() {
            return Err(TokenError::KeyExists { label: label.to_owned() });
        }
        self.session.generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(KEY_BYTES.try_into()?),
                Attribute::Label(label.as_bytes().to_vec()),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
            ],
        )?;
        Ok(())
    }

    /// Destroys a key. What it sealed does not open any more.
    ///
    /// # Errors
    /// The token failed. A key that is not there is destroyed already.
    pub fn destroy(&self, label: &str) -> Result<(), TokenError> {
        match self.find(label) {
            Ok(key) => Ok(self.session.destroy_object(key)?),
            Err(TokenError::KeyAbsent { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Seals a value for its place: nonce, ciphertext, tag, as [`super::vault::Key::seal`] does.
    ///
    /// # Errors
    /// The key is not there, or the token failed.
    pub fn seal(&self, label: &str, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, TokenError> {
        let key = self.find(label)?;
        let mut nonce = random_bytes::<NONCE>().map_err(|_| TokenError::Failed(Failure::InvalidValue))?;
        let mut sealed = nonce.to_vec();
        let text = place.text();
        let parameters = GcmParams::new(&mut nonce, text.as_bytes(), tag()?)?;
        sealed.extend(self.session.encrypt(&Mechanism::AesGcm(parameters), key, plain)?);
        Ok(sealed)
    }

    /// Opens a value at its place; `None` where it does not open.
    ///
    /// # Errors
    /// The key is not there, or the token failed.
    pub fn unseal(
        &self,
        label: &str,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, TokenError> {
        let key = self.find(label)?;
        let Some((nonce, body)) = sealed.split_first_chunk::<NONCE>() else { return Ok(None) };
        let mut nonce = *nonce;
        let text = place.text();
        let parameters = GcmParams::new(&mut nonce, text.as_bytes(), tag()?)?;
        match self.session.decrypt(&Mechanism::AesGcm(parameters), key, body) {
            Ok(plain) => Ok(Some(Zeroizing::new(plain))),
            // What tokens answer to a tag that does not fit.
            Err(Failure::Pkcs11(
                RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange | RvError::GeneralError,
                _,
            )) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    fn find(&self, label: &str) -> Result<ObjectHandle, TokenError> {
        let wanted = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.as_bytes().to_vec())];
        let found = self.session.find_objects(&wanted)?;
        found.first().copied().ok_or_else(|| TokenError::KeyAbsent { label: label.to_owned() })
    }
}

fn tag() -> Result<cryptoki::types::Ulong, Failure> {
    TAG_BITS.try_into()
}
