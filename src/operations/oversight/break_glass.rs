//! Emergency access of a center on duty (緊急閲覧): a written reason, the owner told at once, reviewed later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use crate::{
    disclosure::{
        done::{CarriesNoRecordData, Done},
        gate::Disclosed,
    },
    domain::{
        idempotency::Idempotency, organization::OrganizationCode, oversight::BrokenGlass, sharp_act::SharpOutcome,
        visibility::LegalBasis,
    },
    error::Error,
    gateway::Gateway,
    identity::{Caller, sharp::SharpCaller},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry},
    operations::{Acting, accounts::names::NamesThen, carry_out, refuse_read, written},
    store::{
        self,
        error::StoreError,
        oversight::{GlassLine, NewGlass},
        tx::Tx,
    },
};

/// How long the record stays open.
pub(crate) const OPEN_FOR: Duration = Duration::hours(4);
const LONGEST_REASON: usize = 2_000;

/// Why the glass is broken.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassRequest {
    /// Why it cannot wait, 1 to 2,000 characters.
    pub reason: String,
}

/// Holds a reason against the rules of what people write.
///
/// # Errors
/// It is empty or too long.
pub(crate) fn check_reason(reason: &str) -> Result<(), Error> {
    written("reason", reason, LONGEST_REASON)
}

/// Opens a record to the caller's body for a while.
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub(crate) async fn break_glass(
    tx: &mut Tx,
    acting: &Acting,
    person: &SharpCaller,
    (record, reason): (Uuid, &str),
) -> Result<Effect<SharpOutcome>, Declined> {
    let facts = acting.findable_record(tx, record).await?;
    let node = &acting.node;
    let (id, until) = (node.clock.new_id(), node.clock.now().plus(OPEN_FOR));
    let glass = NewGlass { id, record, until, reason };
    store::oversight::break_glass(tx, &node.vault, person.caller(), glass).await?;
    let logged = node.gate.log_found(acting.entry().about(id), &acting.caller, &facts)?;
    let told = InboxItem::new(facts.owner, InboxKind::BreakGlass)
        .record(record)
        .subject(id)
        .from(&acting.caller)
        .because_of(&logged.entry);
    let broken = SharpOutcome { break_glass: Some(id), until: Some(until.to_rfc3339()), ..SharpOutcome::default() };
    Ok(Effect::new(broken, logged).tell([told]).then(Change::Visibility(Scope::Record(record))))
}

/// A break-glass is asked for.
pub struct ViewBreakGlass {
    pub break_glass: Uuid,
}

/// Shows the reason to the owner of the record and to those who gave it.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn view_break_glass(
    gateway: &Gateway,
    caller: &Caller,
    ViewBreakGlass { break_glass: id }: ViewBreakGlass,
) -> Result<Disclosed<BrokenGlass>, Error> {
    let party = caller.organization();
    let mut tx = gateway.store.read().await?;
    let is_owner = is_glass_of(&mut tx, id, party).await?;
    let line = store::oversight::glass_line(&mut tx, id).await?.filter(|line| is_owner || line.organization == *party);
    let sealed = match line {
        Some(line) => {
            let name = name_then(&mut NamesThen::of(gateway), &mut tx, &line).await?;
            store::oversight::broken_glass(&mut tx, &gateway.vault, (id, name)).await?
        }
        None => None,
    };
    drop(tx);
    let entry = Entry::of(caller, Act::BreakGlassReview, &gateway.clock).about(id);
    match sealed {
        Some(sealed) => gateway.gate.whole(caller, entry, LegalBasis::AbusePreventionArticle13_4, sealed).await,
        None => Err(refuse_read(gateway, caller, entry, Error::NotFound("break-glass")).await),
    }
}

/// What the officer who broke a glass was called then.
///
/// # Errors
/// The database failed, or a name does not open.
pub(super) async fn name_then(names: &mut NamesThen, tx: &mut Tx, line: &GlassLine) -> Result<String, StoreError> {
    let at = line.until.plus(-OPEN_FOR).to_rfc3339();
    names.at(tx, (line.organization.as_str(), &line.officer), &at).await
}

/// A break-glass has been looked at.
pub struct ReviewBreakGlass {
    pub break_glass: Uuid,
    pub idempotency: Idempotency,
}

/// A supervisor or auditor of the owner was here.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Reviewed {
    pub break_glass: Uuid,
}

/// Notes that a supervisor or auditor of the owner has looked at the reason.
///
/// # Errors
/// [`Error::NotFound`] for anybody but the owner.
pub async fn review_break_glass(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ReviewBreakGlass { break_glass: id, idempotency }: ReviewBreakGlass,
) -> Result<Done<Reviewed>, Error> {
    let acting = Acting::new(gateway, caller, Act::BreakGlassReview);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            if !is_glass_of(tx, id, acting.caller.organization()).await? {
                return Err(acting.declined(id, Error::NotFound("break-glass")));
            }
            store::oversight::review_glass(tx, id, acting.node.clock.now()).await?;
            Ok(Effect::new(Reviewed { break_glass: id }, acting.entry().about(id)))
        })
    })
    .await
}

/// Whether a break-glass opened a record of an organization's.
async fn is_glass_of(tx: &mut Tx, id: Uuid, owner: &OrganizationCode) -> Result<bool, StoreError> {
    let Some(record) = store::oversight::glass_record(tx, id).await? else { return Ok(false) };
    let stored = store::records::find(tx, record).await?;
    Ok(stored.is_some_and(|stored| stored.facts.owner == *owner))
}
