//! The API of sessions, organizations, terminals, staff and settings.

use axum::http::header;

use super::{
    call::Call,
    route::{ADMINISTER, ALL, ANY, BODIES, Named, OPERATOR, Route, RouteHandler, delete, get, post, put, run},
};
use crate::{
    domain::visibility::VisibilitySettings,
    error::{Error, RequestError},
    identity::{directory::Unrecognized, session::token_digest},
    operations::accounts::{
        Administered,
        organizations::{
            ChangeSettings, ConnectOrganization, ConnectedOrganization, OrganizationLines, SuspendOrganization,
            change_settings, connect_organization, list_organizations, suspend_organization,
        },
        sign_in::{SignIn, SignOut, SignedIn, SignedOut, sign_out},
        staff::{NewStaff, RegisterStaff, RevokeStaff, StaffLines, list_staff, register_staff, revoke_staff},
        terminals::{
            NewTerminal, RegisterTerminal, RevokeTerminal, TerminalLines, list_terminals, register_terminal,
            revoke_terminal,
        },
        who_am_i::{WhoAmI, who_am_i},
    },
};

pub const ROUTES: &[Route] = &[
    post("/v1/sessions")
        .words("執務端末でログインする", "Sign in at a desk")
        .open_to(ALL, ANY)
        .takes::<SignIn>()
        .creates::<SignedIn>()
        .unkeyed()
        .runs(Named { operation: "sign_in", run: RouteHandler::SignIn }),
    delete("/v1/sessions")
        .words("ログアウトする", "Sign out")
        .open_to(ALL, ANY)
        .answers::<SignedOut>()
        .unkeyed()
        .runs(run!(sign_out, call => SignOut { session: session(&call) })),
    get("/v1/session")
        .words("認識されている利用者", "Who the caller is")
        .open_to(ALL, ANY)
        .answers::<WhoAmI>()
        .runs(run!(who_am_i)),
    post("/v1/organizations")
        .words("機関を接続する", "Connect an organization")
        .open_to(OPERATOR, ADMINISTER)
        .takes::<ConnectedOrganization>()
        .answers::<Administered>()
        .runs(run!(connect_organization, call => ConnectOrganization {
            organization: call.json()?,
            idempotency: call.idempotency()?,
        })),
    get("/v1/organizations")
        .words("接続している機関", "List connected organizations")
        .open_to(ALL, ANY)
        .answers::<OrganizationLines>()
        .runs(run!(list_organizations)),
    post("/v1/organizations/{code}/suspend")
        .words("機関の利用を停止する", "Suspend an organization")
        .open_to(OPERATOR, ADMINISTER)
        .answers::<Administered>()
        .runs(run!(suspend_organization, call => SuspendOrganization {
            code: call.segment("code").to_owned(),
            idempotency: call.idempotency()?,
        })),
    put("/v1/settings")
        .words("閲覧制限の設定を変更する", "Change visibility settings")
        .open_to(BODIES, ADMINISTER)
        .takes::<VisibilitySettings>()
        .answers::<Administered>()
        .runs(run!(change_settings, call => ChangeSettings {
            settings: call.json()?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/terminals")
        .words("端末を登録する", "Register a terminal")
        .open_to(OPERATOR, ADMINISTER)
        .takes::<NewTerminal>()
        .creates::<Administered>()
        .runs(run!(register_terminal, call => RegisterTerminal {
            terminal: call.json()?,
            idempotency: call.idempotency()?,
        })),
    get("/v1/terminals")
        .words("端末の一覧", "List terminals")
        .open_to(ALL, ADMINISTER)
        .answers::<TerminalLines>()
        .runs(run!(list_terminals)),
    post("/v1/terminals/{serial}/revoke")
        .words("端末を失効させる", "Revoke a terminal")
        .open_to(ALL, ADMINISTER)
        .answers::<Administered>()
        .runs(run!(revoke_terminal, call => RevokeTerminal {
            serial: call.segment("serial").to_owned(),
            idempotency: call.idempotency()?,
        })),
    post("/v1/staff")
        .words("職員を登録する", "Register a staff member")
        .open_to(ALL, ADMINISTER)
        .takes::<NewStaff>()
        .creates::<Administered>()
        .runs(run!(register_staff, call => RegisterStaff { staff: call.json()?, idempotency: call.idempotency()? })),
    get("/v1/staff")
        .words("職員の一覧", "List staff")
        .open_to(ALL, ADMINISTER)
        .answers::<StaffLines>()
        .runs(run!(list_staff)),
    post("/v1/staff/{organization}/{id}/revoke")
        .words("職員を失効させる", "Revoke a staff member")
        .open_to(ALL, ADMINISTER)
        .answers::<Administered>()
        .runs(run!(revoke_staff, call => RevokeStaff {
            organization: call.segment("organization").to_owned(),
            id: call.segment("id").to_owned(),
            idempotency: call.idempotency()?,
        })),
];

/// Ids are short: a longer one is nobody's, and is not worth remembering.
const MAX_ID: usize = 40;

/// Who says that they sign in.
///
/// # Errors
/// The body is no such message; [`Unrecognized::Officer`] for an id that can be nobody's.
pub fn sign_in_message(call: &Call) -> Result<SignIn, Error> {
    let message: SignIn =
        serde_json::from_slice(&call.body).map_err(|_| RequestError::Body("officer, password".to_owned()))?;
    if message.officer.len() > MAX_ID { Err(Unrecognized::Officer.into()) } else { Ok(message) }
}

/// Digest of the token of the session in which a call was made.
fn session(call: &Call) -> [u8; 32] {
    let authorization = call.header(header::AUTHORIZATION.as_str());
    token_digest(authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default())
}
