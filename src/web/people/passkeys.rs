//! One's own passkeys: registered and removed.

use super::{
    super::page::{Visit, again, see_other},
    account::{ANSWER, AccountPage, LABEL, TICKET},
};
use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::passkeys::{PasskeyAnswer, RegisterPasskey, RemovePasskey, register_passkey, remove_passkey},
};

pub(super) async fn register_own_passkey(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&[LABEL, ANSWER, TICKET])?;
    let text = |name: &str| form.text(name).to_owned();
    let answer = PasskeyAnswer { answer: text(ANSWER), ticket: text(TICKET), origin: visit.call.origin.clone() };
    let asked = RegisterPasskey { label: text(LABEL), answer, idempotency: form.idempotency(&visit.call)? };
    match register_passkey(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/account?done=registered")),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &AccountPage::of(&visit, form).await?)
        }
    }
}

pub(super) async fn remove_own_passkey(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = RemovePasskey { id: visit.call.id("id")?, idempotency: form.idempotency(&visit.call)? };
    remove_passkey(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other("/account?done=removed"))
}
