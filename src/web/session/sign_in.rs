//! The page of signing in: id, password and second factor in one form.

use askama::Template;
use axum::http::header;

use super::FormAnchor;
use crate::{
    error::{AccountError, Error},
    face::answer::Answer,
    identity::Assurance,
    operations::accounts::{
        passkeys::{PasskeyAnswer, ask_at_sign_in},
        sign_in::{SignIn, sign_in},
    },
    planted::Planted,
    web::{
        cookies::{SESSION, VISIT, cookie, removing, setting},
        form::Form,
        input::Input,
        page::{DeskVisit, again, see_other, shown},
        passkey::PasskeyButton,
        shell::Shell,
    },
};

const TITLE: (&str, &str) = ("サインイン", "Sign in");
const ANSWER: &str = "passkey";
const TICKET: &str = "passkey_ticket";
const FIELDS: [&str; 7] = ["officer", "password", "second_factor", ANSWER, TICKET, "new_password", "next"];

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct SignInPage {
    shell: Shell,
    organization: String,
    terminal: String,
    form: Form,
    inputs: Vec<Input>,
    next: String,
    passkey: Option<PasskeyButton>,
}

impl SignInPage {
    fn of(visit: &DeskVisit, form: Form, anchor: &FormAnchor, renews: bool) -> Self {
        let (language, terminal) = (visit.language(), &visit.desk.terminal);
        let mut inputs = vec![
            Input::line(language, &form, "officer", ("職員番号", "Staff ID"))
                .required()
                .autocomplete("username")
                .width("w-s"),
            Input::password(language, &form, "password", ("パスワード", "Password")).required(),
            Input::device_code(
                language,
                &form,
                "second_factor",
                ("認証アプリのコード", "Code from your authenticator app"),
            )
            .support((
                "認証アプリに表示される6桁の数字、又は回復用コード",
                "The six digits in your authenticator app, or a recovery code",
            )),
        ];
        if renews {
            let renewed = Input::password(language, &form, "new_password", ("新しいパスワード", "New password"));
            inputs.push(renewed.support(("12文字以上128文字以下", "12 to 128 characters")));
        }
        Self {
            shell: Shell::at_desk(visit, TITLE, &anchor.value),
            organization: visit.gateway.registry.name(&terminal.organization),
            terminal: terminal.label.clone(),
            next: safe_next(visit.call.query.get("next").map_or(form.text("next"), String::as_str)).to_owned(),
            form,
            inputs,
            passkey: ask_at_sign_in(&visit.gateway, &visit.desk, &visit.call.origin)
                .map(|question| PasskeyButton::to_use(question.value(), (ANSWER, TICKET))),
        }
    }
}

/// Where one goes after signing in: a page of this gateway and nothing else.
fn safe_next(next: &str) -> &str {
    if Planted::LeadAnywhere.is_planted() {
        return next;
    }
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_'));
    if is_path && is_plain { next } else { "/" }
}

pub(super) async fn sign_in_show(visit: DeskVisit) -> Result<Answer, Error> {
    let anchor = FormAnchor::of(&visit)?;
    let renews = visit.call.query.contains_key("renew");
    let page = SignInPage::of(&visit, Form::default(), &anchor, renews);
    Ok(anchor.put_into(shown(&page)?))
}

pub(super) async fn sign_in_act(visit: DeskVisit) -> Result<Answer, Error> {
    let mut form = Form::of(&visit.call, &FIELDS)?;
    let text = |name: &str| form.text(name).to_owned();
    let optional = |name: &str| form.filled(name).map(str::to_owned);
    let message = SignIn {
        officer: text("officer").trim().to_owned(),
        password: text("password"),
        second_factor: optional("second_factor").map(|code| code.replace([' ', '-'], "")),
        passkey: optional(ANSWER).map(|answer| PasskeyAnswer {
            answer,
            ticket: text(TICKET),
            origin: visit.call.origin.clone(),
        }),
        new_password: form.value("new_password").filter(|password| !password.is_empty()).map(str::to_owned),
    };
    let desk = visit.desk.clone();
    match sign_in(&visit.gateway, desk, message).await {
        Ok(signed_in) => {
            let signed_in = signed_in.value();
            // Until the second factor is enrolled there is little that one may do.
            let next = match signed_in.assurance {
                Assurance::Password => "/second-factor",
                Assurance::Named | Assurance::TwoFactors => safe_next(form.text("next")),
            };
            let kept = cookie(&visit.call.headers, SESSION).filter(|_| Planted::KeepTheSession.is_planted());
            Ok(see_other(next)
                .with_header(header::SET_COOKIE, &setting(SESSION, kept.unwrap_or(&signed_in.token)))
                .with_header(header::SET_COOKIE, &removing(VISIT)))
        }
        Err(error) => {
            let renews = form.value("new_password").is_some()
                || matches!(error, Error::Account(AccountError::PasswordExpired | AccountError::WeakPassword(_)));
            let status = form.refused(error, visit.language())?;
            let anchor = FormAnchor::of(&visit)?;
            again(status, &SignInPage::of(&visit, form, &anchor, renews))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn nobody_is_led_elsewhere() {
        for elsewhere in
            ["", "https://x.example", "//x.example", "/\\x.example", "/%2fx", "/a?b=c", "javascript:alert(1)", "/a\nb"]
        {
            assert_eq!(safe_next(elsewhere), "/", "{elsewhere}");
        }
        assert_eq!(
            safe_next("/records/0190f3c0-0000-7000-8000-000000000000"),
            "/records/0190f3c0-0000-7000-8000-000000000000"
        );
    }
}
