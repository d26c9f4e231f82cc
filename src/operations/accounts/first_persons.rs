//! Makes the code with which the first persons of a body enrol, at a desk of that body.
//!
//! A body that never had staff or records is opened by one operator. Where there were people before, an officer of that
//! body asks for it, or, where nobody is left, two operators, after a time in which everybody who could object has been
//! told ([`request_reopening`](crate::operations::waiting::ask::request_reopening)). Whether those people are still there,
//! or somebody is again, is looked up once more here. That a code was made is told to all of them.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    issue_credential::IssuedCode,
    organizations::connected,
    standing::{concerned, ever_was},
};
use crate::{
    disclosure::done::Done,
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpKind, WaitingAct, WaitingState},
    },
    error::{AccountError, Error, ServiceError, SharpError},
    gateway::Gateway,
    identity::{Caller, Role, second_factor::new_code, sharp::SharpCaller},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, waiting::footing::stands_from},
    planted::Planted,
    store::{self, credentials::EnrolmentCode, tx::Tx},
};

/// A body is to be opened.
pub struct OpenBody {
    pub code: String,
}

/// Makes the code for the first persons of a body.
///
/// # Errors
/// [`SharpError`], [`AccountError::BodyIsOpen`], [`AccountError::ReopeningNotApproved`], as the body's past asks for.
pub async fn open_body(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    OpenBody { code }: OpenBody,
) -> Result<Done<IssuedCode>, Error> {
    let acting = Acting::new(gateway, caller, Act::BodyOpen);
    let body = match connected(gateway, &code) {
        Ok(body) => body.code,
        Err(error) => return Err(acting.refuse(error).await),
    };
    let (code, digest) = new_code().ok_or(ServiceError::Overloaded)?;
    carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            let about_body = |declined: Declined| declined.saying(|entry| entry.about(&body).of_body(&body));
            let issuer = SharpCaller::of(&acting.caller).map_err(|error| about_body(acting.declined(None, error)))?;
            let reopening = match Planted::OpenAnyBody.is_planted() {
                false => may_open(tx, &acting, &body).await.map_err(about_body)?,
                true => None,
            };
            let now = acting.node.clock.now();
            let expires_at = now.plus(acting.node.config.accounts.enrolment_code());
            let issued_by = issuer.caller().person();
            let organization = body.clone();
            let issued =
                EnrolmentCode { organization, officer: None, issued_by, issued_at: now, expires_at, reissued: false };
            store::credentials::put_enrolment_code(tx, &digest, &issued).await?;
            let entry = acting.entry().about(&body).of_body(&body);
            let told: Vec<InboxItem> = told_of_opening(&acting, &body)
                .into_iter()
                .map(|to| InboxItem::new(to, InboxKind::BodyOpened).from(&acting.caller).because_of(&entry))
                .map(|item| reopening.into_iter().fold(item, InboxItem::subject))
                .collect();
            Ok(Effect::new(IssuedCode { code, expires_at: expires_at.to_rfc3339() }, entry).tell(told))
        })
    })
    .await
}

fn told_of_opening(acting: &Acting, body: &OrganizationCode) -> Vec<OrganizationCode> {
    match Planted::TellNoCounterparts.is_planted() {
        false => concerned(&acting.node, body),
        true => vec![body.clone()],
    }
}

/// Whether the code may be made; returns what was approved for it, where the body had people.
async fn may_open(tx: &mut Tx, acting: &Acting, body: &OrganizationCode) -> Result<Option<Uuid>, Declined> {
    if !ever_was(tx, &acting.node, body).await? {
        return Ok(None);
    }
    let (vault, now) = (&acting.node.vault, acting.node.clock.now());
    let subject = (SharpKind::ReopenBody, body.as_str());
    let list = OrganizationCode::operator();
    let approved = store::waiting_acts::newest(tx, vault, &list, subject, WaitingState::Approved).await?;
    let Some(act) = approved.filter(|act| now < act.expires_at) else {
        let staff = acting.node.directory().staff_of(body);
        let administered = staff.iter().any(|staff| staff.active && staff.roles.contains(&Role::UserAdministrator));
        let error = if administered { AccountError::BodyIsOpen } else { AccountError::ReopeningNotApproved };
        return Err(acting.declined(None, error));
    };
    let not_before = stands_from(tx, acting, &act).await?;
    if now < not_before {
        return Err(acting.declined(None, SharpError::TooEarly { until: not_before.to_rfc3339() }));
    }
    let id = act.id;
    store::waiting_acts::put(tx, vault, &WaitingAct { state: WaitingState::Done, ..act }).await?;
    Ok(Some(id))
}
