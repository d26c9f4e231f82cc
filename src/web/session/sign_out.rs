//! Signing out, here or everywhere.

use axum::http::header;

use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::sessions::{SignOut, sign_out, sign_out_everywhere},
    web::{
        cookies::{SESSION, removing},
        page::{Visit, see_other},
    },
};

pub(super) async fn sign_out_act(visit: Visit) -> Result<Answer, Error> {
    visit.form(&[])?;
    sign_out(&visit.gateway, &visit.caller, SignOut { session: visit.session() }).await?;
    Ok(signed_out())
}

pub(super) async fn sign_out_everywhere_act(visit: Visit) -> Result<Answer, Error> {
    visit.form(&[])?;
    sign_out_everywhere(&visit.gateway, &visit.caller).await?;
    Ok(signed_out())
}

fn signed_out() -> Answer {
    see_other("/sign-in")
        .with_header(header::SET_COOKIE, &removing(SESSION))
        // Nothing that was seen is found by the back button.
        .with_header(header::HeaderName::from_static("clear-site-data"), "\"cache\"")
}
