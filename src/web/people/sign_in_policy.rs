//! How the people of a body sign in: what holds for everybody, and what the body decides.

use askama::Template;

use super::super::{
    form::Form,
    input::Input,
    page::{Visit, again, see_other, shown},
    shell::{PagePart, Shell},
};
use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::sign_in_policy::{
        ChangeSignInPolicy, SignInPolicy, change_sign_in_policy, view_sign_in_policy,
    },
};

const DAYS: &str = "password_days";
const DONE: &[(&str, (&str, &str))] = &[("changed", ("サインインの設定を変更しました。", "The rules were changed."))];

#[derive(Template)]
#[template(path = "people/sign_in_policy.html")]
struct SignInPolicyPage {
    shell: Shell,
    form: Form,
    days: Input,
}

impl SignInPolicyPage {
    /// As the rules are, or as somebody typed them.
    async fn of(visit: &Visit, typed: Option<Form>) -> Result<Self, Error> {
        let form = match typed {
            Some(form) => form,
            None => {
                let policy = view_sign_in_policy(&visit.gateway, &visit.caller).await?;
                Form::with([(DAYS.to_owned(), policy.value().password_days.to_string())])
            }
        };
        let label = ("パスワードを更新する間隔（日）", "Days after which a password is renewed");
        let support = (
            "0～3650の整数。0は、期限を設けないことを表します。期限を過ぎた職員は、次にサインインするときに新しいパスワードを設定します。",
            "A whole number from 0 to 3650; 0 is for never. Whoever is past it sets a new password at the next sign-in.",
        );
        Ok(Self {
            shell: visit
                .shell(("サインインの設定", "Rules of signing in"), PagePart::Settings)
                .await?
                .after(visit, DONE),
            days: Input::line(visit.language(), &form, DAYS, label).required().support(support).width("w-xs").number(),
            form,
        })
    }
}

pub(super) async fn sign_in_rules(visit: Visit) -> Result<Answer, Error> {
    shown(&SignInPolicyPage::of(&visit, None).await?)
}

pub(super) async fn change_sign_in_rules(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let mut form = visit.form(&[DAYS])?;
    let Some(Ok(password_days)) = form.filled(DAYS).map(str::parse) else {
        form.fault(DAYS, l.say("0～3650の整数を入力してください。", "Enter a whole number from 0 to 3650."));
        return again(422, &SignInPolicyPage::of(&visit, Some(form)).await?);
    };
    let policy = SignInPolicy { password_days };
    let asked = ChangeSignInPolicy { policy, idempotency: form.idempotency(&visit.call)? };
    match change_sign_in_policy(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/settings/sign-in?done=changed")),
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &SignInPolicyPage::of(&visit, Some(form)).await?)
        }
    }
}
