//! Makes the code with which the first persons of a body enrol, at a desk of that body.
//!
//! A body that never had staff or records is opened by one operator. Where there were people before, an officer of that
//! body asks for it, or, where nobody is left, two operators, after a time in which everybody who could object has been
//! told ([`request_reopening`](crate::operations::waiting::ask::request_reopening)).

use std::sync::Arc;

use super::{issue_credential::IssuedCode, organizations::connected};
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
    operations::{Acting, carry_out},
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
    let body = connected(gateway, &code)?.code;
    let (code, digest) = new_code().ok_or(ServiceError::Overloaded)?;
    let acting = Acting::new(gateway, caller, Act::BodyOpen);
    carry_out(gateway, caller, None, move |tx| {
        Box::pin(async move {
            let issuer = SharpCaller::of(&acting.caller).map_err(|error| acting.declined(None, error))?;
            let about_body = |declined: Declined| {
                let entry = declined.entry.map(|entry| Box::new(entry.about(&body).of_body(&body)));
                Declined { entry, ..declined }
            };
            if !Planted::OpenAnyBody.is_planted() {
                may_open(tx, &acting, &body).await.map_err(about_body)?;
            }
            let now = acting.node.clock.now();
            let expires_at = now.plus(acting.node.config.accounts.enrolment_code());
            let issued_by = issuer.caller().person();
            let organization = body.clone();
            let issued =
                EnrolmentCode { organization, officer: None, issued_by, issued_at: now, expires_at, reissued: false };
            store::credentials::put_enrolment_code(tx, &digest, &issued).await?;
            let entry = acting.entry().about(&body).of_body(&body);
            let told = InboxItem::new(body, InboxKind::BodyOpened).from(&acting.caller).because_of(&entry);
            Ok(Effect::new(IssuedCode { code, expires_at: expires_at.to_rfc3339() }, entry).tell([told]))
        })
    })
    .await
}

async fn may_open(tx: &mut Tx, acting: &Acting, body: &OrganizationCode) -> Result<(), Declined> {
    if !store::staff_grants::had_staff_or_records(tx, body).await? {
        return Ok(());
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
    if now < act.not_before {
        return Err(acting.declined(None, SharpError::TooEarly { until: act.not_before.to_rfc3339() }));
    }
    store::waiting_acts::put(tx, vault, &WaitingAct { state: WaitingState::Done, ..act }).await?;
    Ok(())
}
