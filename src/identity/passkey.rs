//! Passkeys (WebAuthn): a key that a person's authenticator keeps and uses once it has verified the person by finger, face
//! or PIN. It signs what the gateway asked at this very address, so that it is worth nothing to a page of somebody else.

use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url,
    Webauthn, WebauthnBuilder,
};

use crate::planted::Planted;

/// What a browser is asked, and what must be known again when it answers.
pub struct Asked {
    /// JSON, as `navigator.credentials` takes it.
    pub options: String,
    /// Not for the browser to read or change.
    pub state: String,
}

/// A person's key, as it is kept: the public key, and how often the authenticator says that it was used. JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptKey(String);

impl KeptKey {
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    pub fn as_text(&self) -> &str {
        &self.0
    }

    fn of(key: &Passkey) -> Option<Self> {
        serde_json::to_string(key).ok().map(Self)
    }

    fn read(&self) -> Option<Passkey> {
        serde_json::from_str(&needing_no_verification(&self.0)).ok()
    }
}

/// The gateway, as browsers at one address know it.
pub struct RelyingParty(Webauthn);

impl RelyingParty {
    /// `host` is the name to which passkeys are bound, `origin` the address of the page: `https://HOST[:PORT]`. `None` for
    /// an address of another host.
    pub fn at(host: &str, origin: &str) -> Option<Self> {
        let origin = Url::parse(origin).ok().filter(|origin| origin.host_str() == Some(host))?;
        WebauthnBuilder::new(host, &origin).and_then(|builder| builder.rp_name("Tsunagi").build()).ok().map(Self)
    }

    /// Asks for a new key. `handle` says to the authenticator whose it is, `name` says it to the person; of `known` there
    /// is to be no second one.
    pub fn ask_for_new(&self, handle: Uuid, name: &str, known: &[KeptKey]) -> Option<Asked> {
        let known = known.iter().filter_map(KeptKey::read).map(|key| key.cred_id().clone()).collect();
        let (asked, state) = self.0.start_passkey_registration(handle, name, name, Some(known)).ok()?;
        let mut options = serde_json::to_value(&asked.public_key).ok()?;
        // Found by the authenticator itself: whoever asks for a page learns of nobody whether there are passkeys.
        let selection = options.get_mut("authenticatorSelection")?.as_object_mut()?;
        selection.insert("residentKey".to_owned(), "required".into());
        selection.insert("requireResidentKey".to_owned(), true.into());
        Some(Asked { options: options.to_string(), state: serde_json::to_string(&state).ok()? })
    }

    /// The new key, where the browser's answer is one to what was asked.
    pub fn new_key(&self, answer: &str, state: &str) -> Option<KeptKey> {
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).ok()?;
        let state: PasskeyRegistration = serde_json::from_str(state).ok()?;
        KeptKey::of(&self.0.finish_passkey_registration(&answer, &state).ok()?)
    }

    /// Asks for any key that the authenticator has for this gateway.
    pub fn ask(&self) -> Option<Asked> {
        let (asked, state) = self.0.start_discoverable_authentication().ok()?;
        let options = serde_json::to_string(&asked.public_key).ok()?;
        Some(Asked { options, state: serde_json::to_string(&state).ok()? })
    }

    /// Which of a person's keys answered to what was asked, as it is from now on. `None` where it is none of them, where
    /// the person was not verified, or where the key was used more often than the gateway knows: there are two of it.
    pub fn used(&self, answer: &str, state: &str, keys: &[KeptKey]) -> Option<(usize, KeptKey)> {
        let answer: PublicKeyCredential = serde_json::from_str(answer).ok()?;
        let state: DiscoverableAuthentication = serde_json::from_str(&needing_no_verification(state)).ok()?;
        let (_, id) = self.0.identify_discoverable_authentication(&answer).ok()?;
        let read = keys.iter().map(KeptKey::read).enumerate();
        let (place, mut key) =
            read.filter_map(|(place, key)| Some((place, key?))).find(|(_, key)| key.cred_id().as_slice() == id)?;
        let used = self.0.finish_discoverable_authentication_v2(&answer, state, &key).ok()?;
        if !used.user_verified() && !Planted::BelievePresence.is_planted() {
            return None;
        }
        key.update_credential(&used)?;
        Some((place, KeptKey::of(&key)?))
    }
}

/// A planted defect has the library ask for nobody's finger.
fn needing_no_verification(text: &str) -> std::borrow::Cow<'_, str> {
    if Planted::BelievePresence.is_planted() {
        return text.replace("\"required\"", "\"discouraged\"").into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_asked_for_at_the_own_address_alone() {
        assert!(RelyingParty::at("tsunagi.example", "https://tsunagi.example:8443").is_some());
        for elsewhere in
            ["https://evil.example", "https://sub.tsunagi.example", "https://tsunagi.example.evil", "x", ""]
        {
            assert!(RelyingParty::at("tsunagi.example", elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_asked_demands_that_the_person_is_verified_and_names_nobody() {
        let party = RelyingParty::at("tsunagi.example", "https://tsunagi.example").unwrap();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let new = read(&party.ask_for_new(Uuid::nil(), "122327/o1", &[]).unwrap().options);
        assert_eq!(new["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(new["authenticatorSelection"]["residentKey"], "required");
        let (one, other) = (party.ask().unwrap(), party.ask().unwrap());
        let asked = read(&one.options);
        assert_eq!((&asked["userVerification"], &asked["rpId"]), (&"required".into(), &"tsunagi.example".into()));
        assert!(asked["allowCredentials"].as_array().is_none_or(Vec::is_empty), "{asked}");
        assert_ne!(asked["challenge"], read(&other.options)["challenge"]);
        assert!(party.used("{}", &one.state, &[]).is_none());
    }
}
