//! One's own: recovery codes, passkeys, sessions.

use askama::Template;

use super::super::{
    dates::moment_of,
    form::Form,
    input::Input,
    page::{Visit, again, shown},
    passkey::PasskeyButton,
    session::recovery_codes::RecoveryCodesPage,
    shell::{PagePart, Shell},
};
use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::{
        passkeys::{PasskeyLine, ask_for_new, list_passkeys},
        recovery_codes::{RenewRecoveryCodes, renew_recovery_codes},
        who_am_i::who_am_i,
    },
};

#[derive(Template)]
#[template(path = "people/account.html")]
pub(super) struct AccountPage {
    shell: Shell,
    form: Form,
    codes_left: Option<usize>,
    code: Input,
    passkeys: Vec<PasskeyRow>,
    /// What a new passkey is called, and the button that asks for it; none where there are no passkeys.
    new_passkey: Option<(Input, PasskeyButton)>,
}

struct PasskeyRow {
    id: String,
    label: String,
    registered: String,
}

/// Fields of the form by which a passkey is registered.
pub(super) const LABEL: &str = "label";
pub(super) const ANSWER: &str = "passkey";
pub(super) const TICKET: &str = "passkey_ticket";

const DONE: &[(&str, (&str, &str))] = &[
    ("registered", ("パスキーを登録しました。次のサインインから使えます。", "The passkey is registered.")),
    ("removed", ("パスキーを削除しました。", "The passkey was removed.")),
];

impl AccountPage {
    pub(super) async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let passkeys = list_passkeys(&visit.gateway, &visit.caller).await?;
        let row = |line: &PasskeyLine| PasskeyRow {
            id: line.id.to_string(),
            label: line.label.clone(),
            registered: moment_of(l, &line.registered_at),
        };
        let question = ask_for_new(&visit.gateway, &visit.caller, &visit.call.origin).await?;
        let new_passkey = question.map(|question| {
            let label = Input::line(l, &form, LABEL, ("パスキーの名称", "Name of the passkey")).required();
            let label = label.support((
                "どの認証器か分かる名前（40文字まで）",
                "By which you know the authenticator; up to 40 characters",
            ));
            (label, PasskeyButton::to_make(question.value(), (ANSWER, TICKET)))
        });
        let who = who_am_i(&visit.gateway, &visit.caller).await?;
        let label = ("認証アプリのコード", "Code from your authenticator app");
        Ok(Self {
            shell: visit.shell(("自分の認証情報", "My sign-in settings"), PagePart::Settings).await?.after(visit, DONE),
            passkeys: passkeys.value().passkeys.iter().map(row).collect(),
            new_passkey,
            codes_left: who.value().recovery_codes_left,
            code: Input::device_code(l, &form, "second_factor", label).required(),
            form,
        })
    }
}

pub(super) async fn account(visit: Visit) -> Result<Answer, Error> {
    shown(&AccountPage::of(&visit, Form::default()).await?)
}

pub(super) async fn renew_codes(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&["second_factor"])?;
    let asked = RenewRecoveryCodes { second_factor: form.text("second_factor").replace(' ', "") };
    match renew_recovery_codes(&visit.gateway, &visit.caller, asked).await {
        Ok(codes) => {
            let shell = visit.shell(("回復用コード", "Recovery codes"), PagePart::Settings).await?;
            let codes = vec![(visit.caller.officer().to_owned(), codes.value().recovery_codes.clone())];
            shown(&RecoveryCodesPage::of(shell, codes, "/account"))
        }
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &AccountPage::of(&visit, form).await?)
        }
    }
}
