//! The API of persons, sessions, organizations, terminals and settings.

use axum::http::header;

use super::route::{
    ADMINISTER, ALL, ANY, APPOINT, ApiRoute, BODIES, OPERATOR, VOUCH, delete, get, post, put, run, run_at_desk,
};
use crate::{
    domain::visibility::VisibilitySettings,
    error::{Error, RequestError},
    face::call::Call,
    identity::session::token_digest,
    operations::{
        accounts::{
            Administered,
            enrolment::{BeginEnrolment, Enrolled, Enrolment, EnrolmentTicket, begin_enrolment, enrol},
            first_persons::{OpenBody, open_body},
            issue_credential::{IssueCredential, IssuedCode, issue_credential},
            organizations::{
                ChangeSettings, ConnectedOrganization, OrganizationLines, SuspendOrganization, change_settings,
                list_organizations, suspend_organization,
            },
            passkeys::{PasskeyLines, RemovePasskey, list_passkeys, remove_passkey},
            recovery_codes::{RenewRecoveryCodes, renew_recovery_codes},
            second_factor::{EnrolSecondFactor, RecoveryCodes, ShownCode, begin_second_factor, enrol_second_factor},
            sessions::{SignOut, SignedOut, Unlock, sign_out, sign_out_everywhere, unlock_sign_in},
            sign_in::{SignIn, SignedIn, sign_in},
            sign_in_policy::{ChangeSignInPolicy, SignInPolicy, change_sign_in_policy, view_sign_in_policy},
            staff::{NewStaff, RevokeStaff, StaffLines, is_id, list_staff, revoke_staff},
            terminals::{NewTerminal, RevokeTerminal, TerminalLines, list_terminals, revoke_terminal},
            view_settings::{VisibilityInForce, view_settings},
            who_am_i::{WhoAmI, who_am_i},
        },
        waiting::{
            SharpReply,
            ask::{
                ConnectOrganization, RegisterTerminal, RequestReissue, RequestReopening, RequestStaff,
                RequestStaffChange, connect_organization, register_terminal, request_reissue, request_reopening,
                request_staff, request_staff_change,
            },
        },
    },
};

pub const ROUTES: &[ApiRoute] = &[
    post("/v1/sessions")
        .words("執務端末でサインインする", "Sign in at a desk")
        .open_to(ALL, ANY)
        .takes::<SignIn>()
        .creates::<SignedIn>()
        .unkeyed()
        .runs(run_at_desk!(sign_in, call => at_desk::<SignIn>(&call)?)),
    delete("/v1/sessions")
        .words("サインアウトする", "Sign out")
        .open_to(ALL, ANY)
        .answers::<SignedOut>()
        .unkeyed()
        .runs(run!(sign_out, call => SignOut { session: session(&call) })),
    delete("/v1/sessions/all")
        .words("すべての端末からサインアウトする", "Sign out everywhere")
        .open_to(ALL, ANY)
        .answers::<SignedOut>()
        .unkeyed()
        .runs(run!(sign_out_everywhere)),
    get("/v1/session")
        .words("認識されている利用者", "Who the caller is")
        .open_to(ALL, ANY)
        .answers::<WhoAmI>()
        .runs(run!(who_am_i)),
    post("/v1/enrolments/tickets")
        .words("認証情報の設定を始める（認証アプリへの登録）", "Begin to enrol: what the person's device takes in")
        .open_to(ALL, ANY)
        .takes::<BeginEnrolment>()
        .creates::<EnrolmentTicket>()
        .unkeyed()
        .runs(run_at_desk!(begin_enrolment, call => at_desk::<BeginEnrolment>(&call)?)),
    post("/v1/enrolments")
        .words(
            "発行されたコードでパスワードと二要素認証を設定する",
            "Set password and second factor with a code that was issued",
        )
        .open_to(ALL, ANY)
        .takes::<Enrolment>()
        .creates::<Enrolled>()
        .unkeyed()
        .runs(run_at_desk!(enrol, call => at_desk::<Enrolment>(&call)?)),
    post("/v1/second-factor/tickets")
        .words("二要素認証の設定を始める", "Begin to enrol one's second factor")
        .open_to(ALL, ANY)
        .creates::<EnrolmentTicket>()
        .unkeyed()
        .runs(run!(begin_second_factor)),
    post("/v1/second-factor")
        .words("二要素認証を設定する", "Enrol one's second factor")
        .open_to(ALL, ANY)
        .takes::<ShownCode>()
        .creates::<RecoveryCodes>()
        .unkeyed()
        .runs(run!(enrol_second_factor, call => EnrolSecondFactor { shown: call.json()?, session: session(&call) })),
    post("/v1/recovery-codes")
        .words("回復用コードを更新する", "Renew one's recovery codes")
        .open_to(ALL, ANY)
        .takes::<RenewRecoveryCodes>()
        .creates::<RecoveryCodes>()
        .unkeyed()
        .runs(run!(renew_recovery_codes, call => call.json::<RenewRecoveryCodes>()?)),
    get("/v1/sign-in-policy")
        .words("サインインの設定", "The rules of signing in")
        .open_to(ALL, ADMINISTER)
        .answers::<SignInPolicy>()
        .runs(run!(view_sign_in_policy)),
    put("/v1/sign-in-policy")
        .words("サインインの設定を変更する", "Change the rules of signing in")
        .open_to(ALL, ADMINISTER)
        .takes::<SignInPolicy>()
        .answers::<SignInPolicy>()
        .runs(run!(change_sign_in_policy, call => ChangeSignInPolicy {
            policy: call.json()?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/organizations")
        .words("機関を接続する", "Connect an organization")
        .open_to(OPERATOR, ADMINISTER)
        .takes::<ConnectedOrganization>()
        .answers::<SharpReply>()
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
    post("/v1/organizations/{code}/opening-codes")
        .words("機関の利用開始コードを発行する", "Make the code with which the first persons of a body enrol")
        .open_to(OPERATOR, ADMINISTER)
        .creates::<IssuedCode>()
        .unkeyed()
        .runs(run!(open_body, call => OpenBody { code: call.segment("code").to_owned() })),
    post("/v1/organizations/{code}/reopenings")
        .words("管理責任者の再選任を申請する", "Ask that a body gets a first administrator anew")
        .open_to(ALL, ANY)
        .accepts::<SharpReply>()
        .runs(run!(request_reopening, call => RequestReopening {
            code: call.segment("code").to_owned(),
            idempotency: call.idempotency()?,
        })),
    get("/v1/settings")
        .words("閲覧制限の設定（標準設定との対照）", "Visibility settings beside the national standard")
        .open_to(BODIES, ANY)
        .answers::<VisibilityInForce>()
        .runs(run!(view_settings)),
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
        .words(
            "端末を登録する（職員のいる機関の端末は、その機関の管理責任者が承認する）",
            "Register a terminal; of a body that has people, its own administrator confirms it",
        )
        .open_to(OPERATOR, ADMINISTER)
        .takes::<NewTerminal>()
        .creates::<SharpReply>()
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
        .words("職員の登録を申請する", "Ask for a new staff member")
        .open_to(ALL, VOUCH)
        .takes::<NewStaff>()
        .accepts::<SharpReply>()
        .runs(run!(request_staff, call => RequestStaff { staff: call.json()?, idempotency: call.idempotency()? })),
    put("/v1/staff")
        .words(
            "職員の氏名・役割の変更を申請する（役割を外すだけなら直ちに行う）",
            "Ask to change a staff member; done at once where roles are only taken away",
        )
        .open_to(ALL, VOUCH)
        .takes::<NewStaff>()
        .answers::<SharpReply>()
        .runs(run!(request_staff_change, call => RequestStaffChange {
            staff: call.json()?,
            idempotency: call.idempotency()?,
        })),
    get("/v1/staff")
        .words("職員の一覧", "List staff")
        .open_to(ALL, APPOINT)
        .answers::<StaffLines>()
        .runs(run!(list_staff)),
    post("/v1/staff/{organization}/{id}/revoke")
        .words("職員の利用登録を失効させる", "Revoke a staff member")
        .open_to(ALL, APPOINT)
        .answers::<Administered>()
        .runs(run!(revoke_staff, call => RevokeStaff {
            organization: call.segment("organization").to_owned(),
            id: call.segment("id").to_owned(),
            idempotency: call.idempotency()?,
        })),
    post("/v1/staff/{organization}/{id}/credential")
        .words("認証情報を発行する", "Issue what a person signs in with")
        .open_to(ALL, VOUCH)
        .creates::<IssuedCode>()
        .unkeyed()
        .runs(run!(issue_credential, call => IssueCredential {
            organization: call.segment("organization").to_owned(),
            id: call.segment("id").to_owned(),
        })),
    get("/v1/passkeys")
        .words("自分のパスキーの一覧", "List one's own passkeys")
        .open_to(ALL, ANY)
        .answers::<PasskeyLines>()
        .runs(run!(list_passkeys)),
    delete("/v1/passkeys/{id}")
        .words("自分のパスキーを削除する", "Remove a passkey of one's own")
        .open_to(ALL, ANY)
        .answers::<Administered>()
        .runs(run!(remove_passkey, call => RemovePasskey { id: call.id("id")?, idempotency: call.idempotency()? })),
    post("/v1/credentials/{id}/reissues")
        .words("認証情報の再発行を申請する", "Ask that a person who lost what they sign in with gets it anew")
        .open_to(ALL, VOUCH)
        .accepts::<SharpReply>()
        .runs(run!(request_reissue, call => RequestReissue {
            id: call.segment("id").to_owned(),
            idempotency: call.idempotency()?,
        })),
    post("/v1/credentials/{id}/unlock")
        .words("サインインの制限を解除する", "End the lock of an id after wrong passwords")
        .open_to(ALL, VOUCH)
        .answers::<Administered>()
        .runs(run!(unlock_sign_in, call => Unlock {
            id: call.segment("id").to_owned(),
            idempotency: call.idempotency()?,
        })),
];

/// What somebody says at a desk who is not known yet.
fn at_desk<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, Error> {
    serde_json::from_slice(&call.body)
        .map_err(|_| RequestError::Body("see the schema of the message".to_owned()).into())
}

/// Whom somebody at a desk says to be; the same for all that can be nobody's id.
pub fn claimed_officer(call: &Call) -> String {
    let message: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let claimed = message.get("officer").or_else(|| message.pointer("/persons/0/officer"));
    let officer = claimed.and_then(serde_json::Value::as_str).unwrap_or_default();
    if is_id(officer) { officer.to_owned() } else { String::new() }
}

/// Digest of the token of the session in which a call was made.
fn session(call: &Call) -> [u8; 32] {
    let authorization = call.header(header::AUTHORIZATION.as_str());
    token_digest(authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default())
}
