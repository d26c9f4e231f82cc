//! Asks for sharp acts: by machine, or by the first of the persons. An act that one person may do is done at once where
//! that person asks at a desk with a second factor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    SharpReply, act_of_asking, act_of_doing,
    begin::{ToWait, begin},
    footing::{Footing, of_reopening},
    objection::{alarm, alarmed},
    perform::{SharpPersons, about_body, acted_on, of_acted_on, perform, told_to_acted_on},
};
use crate::{
    clock::Timestamp,
    disclosure::done::Done,
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::{SharpAct, SharpKind, WaitingAct, WaitingState},
    },
    error::{AccountError, CallerError, Error},
    gateway::Gateway,
    identity::{
        Caller,
        sharp::{NotSharp, SharpCaller},
    },
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    operations::{
        Acting,
        accounts::{
            organizations::{ConnectedOrganization, check_connection, connected},
            staff::{self, NewStaff, StaffAsked},
            standing::{Consent, consent_to_terminal},
            terminals::{NewTerminal, check_terminal},
        },
        carry_out,
        keys::rewrap_keys::unneeded_masters,
        oversight::break_glass::{BreakGlassRequest, check_reason},
        records::shield_record::shielded_record,
    },
    planted::Planted,
    store::{self, tx::Tx},
};

/// A record of the caller's, whose shield is to be lifted.
pub struct AskLift {
    pub record: Uuid,
    pub idempotency: Idempotency,
}

/// Asks to lift a shield.
///
/// # Errors
/// [`Error::NotAvailable`]; [`Error::NotFound`] where there is no shield.
pub async fn ask_lift(gateway: &Arc<Gateway>, caller: &Caller, asked: AskLift) -> Result<Done<SharpReply>, Error> {
    ask(gateway, caller, SharpAct::LiftShield { record: asked.record }, asked.idempotency).await
}

/// Bodies to which address and affiliation may go.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedBodies {
    /// 1 to 20 codes of bodies that exist.
    pub named: Vec<OrganizationCode>,
}

/// Bodies are to be named under the shield of a record of the caller's.
pub struct AskNaming {
    pub record: Uuid,
    pub bodies: NamedBodies,
    pub idempotency: Idempotency,
}

/// Bodies that are named at once.
const MAX_NAMED: usize = 20;

/// Asks to name bodies under a shield.
///
/// # Errors
/// As [`ask_lift`]; a body that the registry does not know.
pub async fn ask_naming(gateway: &Arc<Gateway>, caller: &Caller, asked: AskNaming) -> Result<Done<SharpReply>, Error> {
    let AskNaming { record, bodies: NamedBodies { named }, idempotency } = asked;
    if named.is_empty() || named.len() > MAX_NAMED || named.iter().any(|code| gateway.registry.body(code).is_none()) {
        let error = Error::field(
            "named",
            "登録されている機関を、1～20機関入力してください。",
            "must hold 1 to 20 codes of bodies in the registry",
        );
        return Err(acting_on(gateway, caller, SharpKind::NameBodies)
            .refuse_saying(|entry| entry.about(record), error)
            .await);
    }
    ask(gateway, caller, SharpAct::NameBodies { record, named }, idempotency).await
}

/// A record must be read at once.
pub struct BreakGlass {
    pub record: Uuid,
    pub reason: BreakGlassRequest,
    pub idempotency: Idempotency,
}

/// Breaks the glass: at once where a person asks at a desk.
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub async fn break_glass(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    BreakGlass { record, reason: BreakGlassRequest { reason }, idempotency }: BreakGlass,
) -> Result<Done<SharpReply>, Error> {
    if let Err(error) = check_reason(&reason) {
        return Err(acting_on(gateway, caller, SharpKind::BreakGlass)
            .refuse_saying(|entry| entry.about(record), error)
            .await);
    }
    ask(gateway, caller, SharpAct::BreakGlass { record, reason }, idempotency).await
}

/// A person is to get an id and roles.
pub struct RequestStaff {
    pub staff: NewStaff,
    pub idempotency: Idempotency,
}

/// Asks for a new staff member of the caller's organization.
///
/// # Errors
/// A field that breaks its rule; [`AccountError::StaffIdTaken`].
pub async fn request_staff(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RequestStaff { staff: NewStaff { id, name, roles }, idempotency }: RequestStaff,
) -> Result<Done<SharpReply>, Error> {
    if let Err(error) = staff::check(&id, &name) {
        return Err(acting_on(gateway, caller, SharpKind::RegisterStaff).refuse(error).await);
    }
    ask(gateway, caller, SharpAct::RegisterStaff { id, name, roles }, idempotency).await
}

/// A person's name or roles are to change.
pub struct RequestStaffChange {
    pub staff: NewStaff,
    pub idempotency: Idempotency,
}

/// Asks to change a staff member. Where roles are taken away and nothing else changes, it is done at once.
///
/// # Errors
/// As [`request_staff`]; [`Error::NotFound`].
pub async fn request_staff_change(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RequestStaffChange { staff: NewStaff { id, name, roles }, idempotency }: RequestStaffChange,
) -> Result<Done<SharpReply>, Error> {
    if let Err(error) = staff::check(&id, &name) {
        return Err(acting_on(gateway, caller, SharpKind::ChangeStaff).refuse(error).await);
    }
    ask(gateway, caller, SharpAct::ChangeStaff { id, name, roles }, idempotency).await
}

/// A person lost what they sign in with.
pub struct RequestReissue {
    pub id: String,
    pub idempotency: Idempotency,
}

/// Asks for a credential anew.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn request_reissue(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RequestReissue { id, idempotency }: RequestReissue,
) -> Result<Done<SharpReply>, Error> {
    ask(gateway, caller, SharpAct::ReissueCredential { id }, idempotency).await
}

/// A body is to get a first administrator anew.
pub struct RequestReopening {
    pub code: String,
    pub idempotency: Idempotency,
}

/// Asks to open a body anew: any active officer of that body, or, where it has nobody left, who administers users or
/// credentials of the operator.
///
/// # Errors
/// [`Error::NotFound`] for another body; [`AccountError::BodyIsOpen`] where it has staff, for the operator.
pub async fn request_reopening(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RequestReopening { code, idempotency }: RequestReopening,
) -> Result<Done<SharpReply>, Error> {
    let may_ask =
        |code: &OrganizationCode| caller.kind() == OrganizationKind::Operator || code == caller.organization();
    match connected(gateway, &code).map(|body| body.code) {
        Ok(code) if may_ask(&code) => ask(gateway, caller, SharpAct::ReopenBody { code }, idempotency).await,
        _ => Err(acting_on(gateway, caller, SharpKind::ReopenBody).refuse(Error::NotFound("organization")).await),
    }
}

/// An organization is to be connected, or changed.
pub struct ConnectOrganization {
    pub organization: ConnectedOrganization,
    pub idempotency: Idempotency,
}

/// Connects an organization, or changes whom to call.
///
/// # Errors
/// The registry does not know the code.
pub async fn connect_organization(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ConnectOrganization { organization, idempotency }: ConnectOrganization,
) -> Result<Done<SharpReply>, Error> {
    if let Err(error) = check_connection(gateway, &organization) {
        return Err(acting_on(gateway, caller, SharpKind::ConnectOrganization).refuse(error).await);
    }
    let ConnectedOrganization { code, relay_desk } = organization;
    ask(gateway, caller, SharpAct::ConnectOrganization { code, relay_desk }, idempotency).await
}

/// A terminal is to be registered.
pub struct RegisterTerminal {
    pub terminal: NewTerminal,
    pub idempotency: Idempotency,
}

/// Registers a terminal: at once where the body never had people, or it is the operator's own. Where somebody at the body
/// can sign in, it waits there for who administers its users or credentials; where nobody can, for a second operator,
/// after all who would know better were told.
///
/// # Errors
/// The organization is not connected; the serial is registered already.
pub async fn register_terminal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RegisterTerminal { terminal, idempotency }: RegisterTerminal,
) -> Result<Done<SharpReply>, Error> {
    if let Err(error) = check_terminal(gateway, &terminal) {
        return Err(acting_on(gateway, caller, SharpKind::RegisterTerminal).refuse(error).await);
    }
    let NewTerminal { serial, organization, kind: terminal, label } = terminal;
    ask(gateway, caller, SharpAct::RegisterTerminal { serial, organization, terminal, label }, idempotency).await
}

/// Master keys are to be retired.
pub struct RequestRetirement {
    pub idempotency: Idempotency,
}

/// Asks to retire master keys: those that nothing needs now, by their generations.
///
/// # Errors
/// It is asked for already; the stream of backups cannot be read.
pub async fn request_retirement(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RequestRetirement { idempotency }: RequestRetirement,
) -> Result<Done<SharpReply>, Error> {
    let generations = unneeded_masters(gateway).await?;
    ask(gateway, caller, SharpAct::RetireKeys { generations }, idempotency).await
}

fn acting_on(gateway: &Arc<Gateway>, caller: &Caller, kind: SharpKind) -> Acting {
    Acting::new(gateway, caller, act_of_asking(kind))
}

async fn ask(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    act: SharpAct,
    idempotency: Idempotency,
) -> Result<Done<SharpReply>, Error> {
    let acting = acting_on(gateway, caller, act.kind());
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (entry, body) = (acting.entry(), acted_on(&act).cloned());
            let asked = ask_inside(tx, acting, act).await;
            asked.map_err(|declined| of_acted_on(declined.logged(|| entry), body.as_ref()))
        })
    })
    .await
}

async fn ask_inside(tx: &mut Tx, acting: Acting, act: SharpAct) -> Result<Effect<SharpReply>, Declined> {
    let kind = act.kind();
    let own = acting.caller.organization().clone();
    let not_before = check(tx, &acting, &act).await?;
    if let SharpAct::ChangeStaff { id, name, roles } = &act {
        let asked = StaffAsked { body: &own, id: id.clone(), name: name.clone(), roles: roles.clone() };
        let taking = Acting { act: act_of_doing(kind), ..acting.clone() };
        if let Some(effect) = staff::take_roles(tx, &taking, asked).await? {
            return Ok(effect.map(|outcome| SharpReply::done(kind, WaitingState::Done, outcome)));
        }
    }
    // Who may stand for it stands for it by asking; not where the second factor is to be shown again first.
    if acting.caller.has_any_role(kind.roles())
        && let Err(why @ NotSharp::ShownLongAgo) = SharpCaller::of(&acting.caller)
    {
        return Err(acting.declined(None, why));
    }
    if kind.persons() == 1
        && acting.caller.has_any_role(kind.roles())
        && is_the_callers_alone(tx, &acting, &act).await?
        && let Ok(person) = SharpCaller::of(&acting.caller)
    {
        let doing = Acting { act: act_of_doing(kind), ..acting };
        let effect = perform(tx, &doing, &SharpPersons::One(person), (&own, act)).await?;
        return Ok(effect.map(|outcome| SharpReply::done(kind, WaitingState::Done, outcome)));
    }
    let id = acting.node.clock.new_id();
    let waiting = begin(tx, &acting, ToWait { id, act, not_before }).await?;
    // Whoever asks the same again is not told of again.
    let is_new = waiting.id == id || Planted::AskWithoutEnd.is_planted();
    let entry = about_body(acting.entry().about(waiting.id), &waiting.act, &waiting.organization);
    let told: Vec<InboxItem> = told_of(&acting, &waiting)
        .into_iter()
        .filter(|_| is_new)
        .map(|(to, kind)| InboxItem::new(to, kind).subject(id).from(&acting.caller).because_of(&entry))
        .collect();
    // That a body is to be taken in hand is told in words of its own.
    let acted_on = told_to_acted_on(&waiting, (InboxKind::SharpActAsked, Some(&acting.caller)), &entry)
        .filter(|_| is_new && alarmed(&acting.node, &waiting).is_empty());
    Ok(Effect::new(SharpReply::waiting(&waiting), entry).tell(told).tell(acted_on))
}

/// Whether it is for the caller's body alone to say.
async fn is_the_callers_alone(tx: &mut Tx, acting: &Acting, act: &SharpAct) -> Result<bool, Declined> {
    match act {
        SharpAct::RegisterTerminal { organization, .. } => {
            Ok(consent_to_terminal(tx, &acting.node, organization).await? == Consent::OneOperator)
        }
        _ => Ok(true),
    }
}

/// What must hold already when it is asked; returns from when on it may be done.
async fn check(tx: &mut Tx, acting: &Acting, act: &SharpAct) -> Result<Timestamp, Declined> {
    let now = acting.node.clock.now();
    let own = acting.caller.organization();
    match act {
        SharpAct::LiftShield { record } | SharpAct::NameBodies { record, .. } => {
            shielded_record(tx, acting, own, *record).await?;
        }
        SharpAct::BreakGlass { record, .. } => {
            acting.findable_record(tx, *record).await?;
        }
        SharpAct::RegisterStaff { id, .. } => staff::check_unused(tx, acting, (own, id)).await?,
        SharpAct::ChangeStaff { id, roles, .. } => staff::check_change(tx, acting, (own, id), roles).await?,
        SharpAct::ReissueCredential { id } => {
            staff::active(tx, acting, (own, id)).await?;
        }
        SharpAct::ReopenBody { code } => return check_reopening(tx, acting, code).await,
        SharpAct::RegisterTerminal { serial, organization, .. } => {
            if store::accounts::terminal(tx, serial).await?.is_some() {
                return Err(acting.declined(None, Error::Exists("terminal")));
            }
            if consent_to_terminal(tx, &acting.node, organization).await? == Consent::TwoOperators {
                return Ok(now.plus(acting.node.config.accounts.takeover()));
            }
        }
        SharpAct::Dispose { .. } | SharpAct::ConnectOrganization { .. } | SharpAct::RetireKeys { .. } => {}
    }
    Ok(now)
}

/// A terminal that the operator registered a moment ago speaks for nobody but the operator: an officer who asks for the
/// body to be opened anew does so at one that has been there for as long as an operator would have to wait.
async fn check_reopening(tx: &mut Tx, acting: &Acting, code: &OrganizationCode) -> Result<Timestamp, Declined> {
    let Acting { node, caller, .. } = acting;
    let (now, wait) = (node.clock.now(), node.config.accounts.takeover());
    if caller.kind() != OrganizationKind::Operator {
        let registered_at = store::staff_grants::terminal_registered_at(tx, caller.terminal()).await?;
        let is_young = registered_at.is_none_or(|at| now < at.plus(wait));
        if is_young && !Planted::BelieveYoungTerminals.is_planted() {
            return Err(acting.declined(None, AccountError::ReopeningNotApproved));
        }
    } else if !caller.has_any_role(SharpKind::ReopenBody.roles()) {
        let roles = SharpKind::ReopenBody.roles().iter().map(|role| role.as_str()).collect();
        return Err(acting.declined(None, CallerError::NotAllowed { kinds: &[], roles }));
    }
    match of_reopening(tx, node, code, (&caller.person(), now)).await? {
        Footing::From(at) => Ok(at),
        Footing::HasPeople => Err(acting.declined(None, AccountError::BodyIsOpen)),
        Footing::Changed => Err(acting.declined(None, AccountError::ReopeningNotApproved)),
    }
}

/// Who is told that it is asked for: those in whose list it stands, those who lend a person, and, where a body is to be
/// taken in hand, that body and all who could know better.
fn told_of(acting: &Acting, waiting: &WaitingAct) -> Vec<(OrganizationCode, InboxKind)> {
    let node = &acting.node;
    let kind = match waiting.act.kind() {
        SharpKind::LiftShield => InboxKind::ShieldLiftAsked,
        _ => InboxKind::SharpActAsked,
    };
    let mut told = vec![(waiting.organization.clone(), kind)];
    told.extend(waiting.helper.clone().map(|helper| (helper, InboxKind::SharpActAsked)));
    told.extend(alarmed(node, waiting).into_iter().map(|to| (to, alarm(waiting))));
    told
}
