//! People and terminals of a body, what they sign in with, and one's own.

mod account;
mod passkeys;
mod sign_in_policy;
mod staff;
mod terminals;
mod visibility;

use askama::Template;

use self::{
    account::{account, renew_codes},
    passkeys::{register_own_passkey, remove_own_passkey},
    sign_in_policy::{change_sign_in_rules, sign_in_rules},
    staff::{change_staff, issue, register_staff, reissue, revoke, staff, staff_member, unlock},
    terminals::{revoke_terminal_act, terminals},
    visibility::{change_visibility, visibility},
};
use super::{
    page::{Visit, act, page, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::organization::OrganizationKind,
    error::Error,
    face::{
        answer::Answer,
        route::{ADMINISTER, ALL, ANY, APPOINT, BODIES, CENTERS, OPERATOR, REVIEW, Route, STAND, SUPERVISE, VOUCH},
    },
};

pub const PAGES: &[Route] = &[
    show("/settings").titled("設定", "Settings").for_everybody().made_by(page!(settings)),
    show("/account").titled("自分の認証情報", "My sign-in settings").for_everybody().made_by(page!(account)),
    act("/account/recovery-codes")
        .titled("回復用コードを更新する", "Renew the recovery codes")
        .for_everybody()
        .made_by(page!(renew_codes)),
    act("/account/passkeys")
        .titled("パスキーを登録する", "Register a passkey")
        .for_everybody()
        .made_by(page!(register_own_passkey)),
    act("/account/passkeys/{id}/removal")
        .titled("パスキーを削除する", "Remove a passkey")
        .for_everybody()
        .made_by(page!(remove_own_passkey)),
    show("/settings/visibility")
        .titled("閲覧制限の設定", "What others see of our records")
        .for_whom(BODIES, ANY)
        .made_by(page!(visibility)),
    act("/settings/visibility")
        .titled("閲覧制限の設定を変更する", "Change what others see")
        .for_whom(BODIES, ADMINISTER)
        .made_by(page!(change_visibility)),
    show("/settings/sign-in")
        .titled("サインインの設定", "Rules of signing in")
        .for_whom(ALL, ADMINISTER)
        .made_by(page!(sign_in_rules)),
    act("/settings/sign-in")
        .titled("サインインの設定を変更する", "Change the rules of signing in")
        .for_whom(ALL, ADMINISTER)
        .made_by(page!(change_sign_in_rules)),
    show("/staff").titled("職員", "Staff").for_whom(ALL, VOUCH).made_by(page!(staff)),
    act("/staff")
        .titled("職員の登録を申請する", "Request a new staff member")
        .for_whom(ALL, VOUCH)
        .made_by(page!(register_staff)),
    show("/staff/{id}").titled("職員", "A member of staff").for_whom(ALL, VOUCH).made_by(page!(staff_member)),
    act("/staff/{id}")
        .titled("職員の変更を申請する", "Ask for a change")
        .for_whom(ALL, VOUCH)
        .made_by(page!(change_staff)),
    act("/staff/{id}/revoke")
        .titled("職員の利用登録を失効させる", "Revoke")
        .for_whom(ALL, APPOINT)
        .made_by(page!(revoke)),
    act("/staff/{id}/credential")
        .titled("認証情報を発行する", "Issue credentials")
        .for_whom(ALL, VOUCH)
        .made_by(page!(issue)),
    act("/staff/{id}/reissue")
        .titled("認証情報の再発行を申請する", "Request reissue")
        .for_whom(ALL, VOUCH)
        .made_by(page!(reissue)),
    act("/staff/{id}/unlock")
        .titled("サインインの制限を解除する", "Unlock sign-in")
        .for_whom(ALL, VOUCH)
        .made_by(page!(unlock)),
    show("/terminals").titled("端末", "Terminals").for_whom(ALL, ADMINISTER).made_by(page!(terminals)),
    act("/terminals/{serial}/revoke")
        .titled("端末を失効させる", "Revoke a terminal")
        .for_whom(ALL, ADMINISTER)
        .made_by(page!(revoke_terminal_act)),
];

/// What the settings lead to, as far as the caller's roles go.
#[derive(Template)]
#[template(path = "people/settings.html")]
struct SettingsPage {
    shell: Shell,
    stands: bool,
    vouches: bool,
    administers: bool,
    has_records: bool,
    disposes: bool,
    reports_staffing: bool,
    is_operator: bool,
}

async fn settings(visit: Visit) -> Result<Answer, Error> {
    let shell = visit.shell(("設定", "Settings"), PagePart::Settings).await?;
    let may = |roles| visit.caller.has_any_role(roles);
    let is_any_of = |kinds: &[OrganizationKind]| kinds.contains(&visit.caller.kind());
    shown(&SettingsPage {
        shell,
        stands: may(STAND),
        vouches: may(VOUCH),
        administers: may(ADMINISTER),
        has_records: is_any_of(BODIES),
        disposes: is_any_of(BODIES) && may(REVIEW),
        reports_staffing: is_any_of(CENTERS) && may(SUPERVISE),
        is_operator: is_any_of(OPERATOR),
    })
}
