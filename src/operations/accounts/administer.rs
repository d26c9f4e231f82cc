//! Administration: organizations, terminals, staff, visibility settings. Revocation stops the next request.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        visibility::VisibilitySettings,
    },
    error::Error,
    gateway::Gateway,
    identity::{
        Role,
        certificate::is_serial,
        directory::{DirectoryChange, Organization, StaffMember, Terminal, TerminalKind},
        session::{SHORTEST_PASSWORD, hash_password},
    },
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry},
    operations::{carry_out, declined, hashing, written},
    store::{self, tx::Tx},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// What was administered, by its code, serial or id.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Administered {
    pub id: String,
    pub active: bool,
}

impl CarriesNoRecordData for Administered {}

/// Connects an organization, or changes whom to call.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectOrganization {
    pub code: OrganizationCode,
    /// Whom to call about a record: 1 to 200 characters.
    pub relay_desk: String,
}

/// `POST /v1/organizations` (operator)
///
/// # Errors
/// The registry does not know the code.
pub async fn connect_organization(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let ConnectOrganization { code, relay_desk } = call.json()?;
    written("relay_desk", &relay_desk, 200)?;
    if gateway.registry.body(&code).is_none() {
        return Err(Error::NotFound("organization"));
    }
    let connected = code.clone();
    change_organization(gateway, call, Act::OrganizationConnect, code, move |known| {
        Some(Organization {
            code: connected,
            active: true,
            relay_desk,
            settings: known.as_ref().map(|o| o.settings.clone()).unwrap_or_default(),
            last_upload_at: known.and_then(|o| o.last_upload_at),
        })
    })
    .await
}

/// `POST /v1/organizations/{code}/suspend` (operator): nobody of it gets in any more.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn suspend_organization(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let code = connected(gateway, call.segment("code"))?.code;
    let suspend = |known: Option<Organization>| known.map(|known| Organization { active: false, ..known });
    change_organization(gateway, call, Act::OrganizationSuspend, code, suspend).await
}

/// `PUT /v1/settings`: an organization tightens or loosens the rows of its own records.
///
/// # Errors
/// [`Error::SettingsUnlawful`] beyond the national floor or ceiling.
pub async fn change_settings(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let settings: VisibilitySettings = call.json()?;
    if !settings.is_lawful() {
        return Err(Error::SettingsUnlawful);
    }
    let code = call.caller.organization().clone();
    let change = |known: Option<Organization>| known.map(|known| Organization { settings, ..known });
    change_organization(gateway, call, Act::SettingsChange, code, change).await
}

fn connected(gateway: &Gateway, code: &str) -> Result<Organization, Error> {
    OrganizationCode::parse(code)
        .and_then(|code| gateway.directory().organization(&code))
        .ok_or(Error::NotFound("organization"))
}

/// Writes an organization as it becomes of what it is inside the journal's transaction: a suspension is not undone by
/// settings that were sent at the same moment.
async fn change_organization(
    gateway: &Arc<Gateway>,
    call: Call,
    act: Act,
    code: OrganizationCode,
    becoming: impl FnOnce(Option<Organization>) -> Option<Organization> + Send + 'static,
) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let known = store::accounts::organization(tx, &code).await?;
            let organization = becoming(known).ok_or(Error::NotFound("organization"))?;
            store::accounts::put_organization(tx, &organization, node.clock.now()).await?;
            let entry = Entry::of(&call.caller, act, &node.clock).about(&code);
            let done = Administered { id: code.to_string(), active: organization.active };
            Ok(Effect::new(done, entry)
                .then(Change::Directory(DirectoryChange::Organization(Box::new(organization))))
                .then(Change::Visibility(Scope::Organization(code))))
        })
    })
    .await
}

/// A connected organization.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrganizationLine {
    pub code: OrganizationCode,
    pub name: String,
    pub kana: String,
    pub kind: OrganizationKind,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct OrganizationLines {
    pub organizations: Vec<OrganizationLine>,
}

impl CarriesNoRecordData for OrganizationLines {}

/// `GET /v1/organizations`: who is connected.
///
/// # Errors
/// None of its own.
pub async fn list_organizations(gateway: &Gateway, _call: Call) -> Result<Answer, Error> {
    let line = |organization: Organization| OrganizationLine {
        name: gateway.registry.name(&organization.code),
        kana: gateway.registry.body(&organization.code).map(|body| body.kana.clone()).unwrap_or_default(),
        kind: organization.code.kind(),
        code: organization.code,
    };
    let organizations = gateway.directory().organizations().into_iter().map(line).collect();
    Ok(Answer::message(StatusCode::OK, &OrganizationLines { organizations }))
}

/// Registers the terminal that holds a certificate.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterTerminal {
    /// Serial of its certificate, lower-case hexadecimal without leading zeros.
    pub serial: String,
    pub organization: OrganizationCode,
    pub kind: TerminalKind,
    /// Where it stands: 1 to 120 characters.
    pub label: String,
}

/// `POST /v1/terminals` (operator)
///
/// # Errors
/// The organization is not connected; the serial is registered already.
pub async fn register_terminal(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let RegisterTerminal { serial, organization, kind, label } = call.json()?;
    written("label", &label, 120)?;
    checked_serial(&serial)?;
    connected(gateway, organization.as_str())?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            // Memory knows what is committed, and not what the same transaction did before this.
            if store::accounts::terminal(tx, &serial).await?.is_some() {
                return Err(declined(&node, &call, Act::TerminalRegister, None, Error::Exists("terminal")));
            }
            let terminal = Terminal { serial, organization, kind, label, active: true };
            // The organization learns of every terminal that may speak for it.
            let told = InboxItem::new(terminal.organization.clone(), InboxKind::TerminalRegistered);
            let effect = put_terminal(tx, &node, &call, Act::TerminalRegister, terminal).await?;
            Ok(effect.tell([told.from(&call.caller)]))
        })
    })
    .await
}

/// `POST /v1/terminals/{serial}/revoke`: the operator's, or the organization's own user administrator.
///
/// # Errors
/// [`Error::NotFound`] for a terminal of another organization.
pub async fn revoke_terminal(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let terminal = gateway
        .directory()
        .terminal(call.segment("serial"))
        .filter(|terminal| administers(&call, &terminal.organization))
        .ok_or(Error::NotFound("terminal"))?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let revoked = Terminal { active: false, ..terminal };
            put_terminal(tx, &node, &call, Act::TerminalRevoke, revoked).await
        })
    })
    .await
}

async fn put_terminal(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    act: Act,
    terminal: Terminal,
) -> Result<Effect<Administered>, Declined> {
    store::accounts::put_terminal(tx, &terminal, node.clock.now()).await?;
    let entry = Entry::of(&call.caller, act, &node.clock).about(&terminal.serial);
    let done = Administered { id: terminal.serial.clone(), active: terminal.active };
    let scope = Scope::Organization(terminal.organization.clone());
    Ok(Effect::new(done, entry)
        .then(Change::Directory(DirectoryChange::Terminal(Box::new(terminal))))
        .then(Change::Visibility(scope)))
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TerminalLine {
    pub serial: String,
    pub organization: OrganizationCode,
    pub kind: TerminalKind,
    pub label: String,
    pub active: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TerminalLines {
    pub terminals: Vec<TerminalLine>,
}

impl CarriesNoRecordData for TerminalLines {}

/// `GET /v1/terminals`: all for the operator, its own for anybody else.
///
/// # Errors
/// None of its own.
pub async fn list_terminals(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let of = (call.caller.kind() != OrganizationKind::Operator).then(|| call.caller.organization());
    let terminals = gateway
        .directory()
        .terminals_of(of)
        .into_iter()
        .map(|Terminal { serial, organization, kind, label, active }| TerminalLine {
            serial,
            organization,
            kind,
            label,
            active,
        })
        .collect();
    Ok(Answer::message(StatusCode::OK, &TerminalLines { terminals }))
}

/// Registers a staff member, or changes name, roles or password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterStaff {
    /// Left out: the caller's own. The operator alone names another, for its first administrator.
    #[serde(default)]
    pub organization: Option<OrganizationCode>,
    /// Id within the organization: 1 to 40 letters, digits, `-` or `_`.
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
    /// For desks: at least 12 characters.
    #[serde(default)]
    pub password: Option<String>,
}

/// `POST /v1/staff`
///
/// # Errors
/// A field that is not right; [`Error::NotFound`] for another organization; [`Error::FirstAdministratorOnly`].
pub async fn register_staff(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let RegisterStaff { organization, id, name, roles, password } = call.json()?;
    written("name", &name, 120)?;
    let is_id =
        (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_id {
        return Err(Error::Field {
            field: "id",
            rule_ja: "英数字・-・_ で1～40文字としてください",
            rule_en: "must be 1 to 40 letters, digits, - or _",
        });
    }
    let organization = organization.unwrap_or_else(|| call.caller.organization().clone());
    if !administers(&call, &organization) {
        return Err(Error::NotFound("organization"));
    }
    connected(gateway, organization.as_str())?;
    let new_hash = match password {
        None => None,
        Some(password) if password.chars().count() < SHORTEST_PASSWORD => {
            return Err(Error::Field {
                field: "password",
                rule_ja: "12文字以上としてください",
                rule_en: "must have at least 12 characters",
            });
        }
        Some(password) => {
            let hashed = hashing(move || hash_password(&password)).await?;
            Some(hashed.ok_or(Error::Overloaded)?)
        }
    };
    let is_foreign = organization != *call.caller.organization();
    let who = (organization.clone(), id.clone());
    let register = move |known: Option<StaffMember>, administered: bool| {
        if is_foreign && (known.is_some() || administered || roles != [Role::UserAdministrator]) {
            // The operator runs the system without seeing inside it: there it appoints the one who appoints all others.
            return Err(Error::FirstAdministratorOnly);
        }
        // Names and roles change without the password.
        let password_hash = new_hash.or_else(|| known.and_then(|staff| staff.password_hash));
        Ok(StaffMember { organization, id, name, roles, active: true, password_hash })
    };
    change_staff(gateway, call, Act::StaffRegister, who, StatusCode::CREATED, register).await
}

/// `POST /v1/staff/{organization}/{id}/revoke`
///
/// # Errors
/// [`Error::NotFound`] for staff of another organization.
pub async fn revoke_staff(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let staff = OrganizationCode::parse(call.segment("organization"))
        .filter(|organization| administers(&call, organization))
        .and_then(|organization| gateway.directory().staff(&organization, call.segment("id")))
        .ok_or(Error::NotFound("staff"))?;
    let who = (staff.organization, staff.id);
    let revoke = |known: Option<StaffMember>, _| {
        known.map(|known| StaffMember { active: false, ..known }).ok_or(Error::NotFound("staff"))
    };
    change_staff(gateway, call, Act::StaffRevoke, who, StatusCode::OK, revoke).await
}

/// Writes a staff member as it becomes of what it is inside the journal's transaction, and of whether its organization
/// is administered: a new password is not undone by a new name that was sent at the same moment, and of two first
/// administrators one is refused.
async fn change_staff(
    gateway: &Arc<Gateway>,
    call: Call,
    act: Act,
    (organization, id): (OrganizationCode, String),
    status: StatusCode,
    becoming: impl FnOnce(Option<StaffMember>, bool) -> Result<StaffMember, Error> + Send + 'static,
) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, status, move |tx| {
        Box::pin(async move {
            let known = store::accounts::staff_member(tx, &node.vault, &organization, &id).await?;
            let administered = store::accounts::is_administered(tx, &organization).await?;
            let staff = becoming(known, administered).map_err(|error| {
                let entry = Entry::of(&call.caller, act, &node.clock).refused(error.code());
                Declined { error, entry: Some(Box::new(entry.about(format!("{organization}/{id}")))) }
            })?;
            store::accounts::put_staff(tx, &node.vault, &staff).await?;
            let about = format!("{}/{}", staff.organization, staff.id);
            let entry = Entry::of(&call.caller, act, &node.clock).about(about);
            let done = Administered { id: staff.id.clone(), active: staff.active };
            // A new password or a revocation ends what was signed in with the old one.
            store::sessions::end_all(tx, &staff.organization, &staff.id).await?;
            let ended = DirectoryChange::Sessions(staff.organization.clone(), staff.id.clone(), Vec::new());
            let scope = Scope::Organization(staff.organization.clone());
            Ok(Effect::new(done, entry)
                .then(Change::Directory(ended))
                .then(Change::Directory(DirectoryChange::Staff(Box::new(staff))))
                .then(Change::Visibility(scope)))
        })
    })
    .await
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct StaffLine {
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub active: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct StaffLines {
    pub staff: Vec<StaffLine>,
}

impl CarriesNoRecordData for StaffLines {}

/// `GET /v1/staff`: the caller's own organization's.
///
/// # Errors
/// None of its own.
pub async fn list_staff(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let staff = gateway
        .directory()
        .staff_of(call.caller.organization())
        .into_iter()
        .map(|StaffMember { id, name, roles, active, .. }| StaffLine { id, name, roles, active })
        .collect();
    Ok(Answer::message(StatusCode::OK, &StaffLines { staff }))
}

/// The operator administers every organization, a user administrator its own.
fn administers(call: &Call, organization: &OrganizationCode) -> bool {
    call.caller.kind() == OrganizationKind::Operator || call.caller.organization() == organization
}

/// Holds a text against the form of a serial.
///
/// # Errors
/// It is not the serial of a certificate.
pub(super) fn checked_serial(serial: &str) -> Result<(), Error> {
    is_serial(serial).then_some(()).ok_or(Error::Field {
        field: "serial",
        rule_ja: "証明書のシリアル番号（16進小文字、先頭の0なし）を指定してください",
        rule_en: "must be a certificate's serial in lower-case hexadecimal without leading zeros",
    })
}
