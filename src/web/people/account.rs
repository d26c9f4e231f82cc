//! One's own: recovery codes, sessions.

use askama::Template;

use super::super::{
    form::Form,
    input::Input,
    page::{Visit, again, shown},
    session::recovery_codes::RecoveryCodesPage,
    shell::{PagePart, Shell},
};
use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::{
        recovery_codes::{RenewRecoveryCodes, renew_recovery_codes},
        who_am_i::who_am_i,
    },
};

#[derive(Template)]
#[template(path = "people/account.html")]
struct AccountPage {
    shell: Shell,
    form: Form,
    codes_left: Option<usize>,
    code: Input,
}

impl AccountPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let who = who_am_i(&visit.gateway, &visit.caller).await?;
        let label = ("認証アプリのコード", "Code of your device");
        Ok(Self {
            shell: visit.shell(("自分の認証情報", "What you sign in with"), PagePart::Settings).await?,
            codes_left: who.value().recovery_codes_left,
            code: Input::device_code(visit.language(), &form, "second_factor", label).required(),
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
