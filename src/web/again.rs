//! A sharp act asks for the second factor again, where it was shown a while ago. It does so on a page that keeps what was
//! filled in, and from which the act goes on: a person who left the desk does nothing sharp by the hand of somebody else.

use std::future::Future;

use askama::Template;

use super::{
    csrf,
    form::Form,
    input::Input,
    page::{Visit, again},
    passkey::PasskeyButton,
    shell::{PagePart, Shell},
};
use crate::{
    error::{CallerError, Error},
    face::answer::Answer,
    operations::accounts::{
        passkeys::{PasskeyAnswer, ask_again},
        show_again::{ShowAgain, show_again},
    },
};

/// Fields that this page adds to those of the act.
const CODE: &str = "code_again";
const ANSWER: &str = "passkey_again";
const TICKET: &str = "passkey_again_ticket";

#[derive(Template)]
#[template(path = "session/again.html")]
struct AgainPage {
    shell: Shell,
    form: Form,
    /// What was filled in, to be sent again as it is.
    kept: Vec<(String, String)>,
    code: Input,
    passkey: Option<PasskeyButton>,
}

/// What was shown beside the fields of an act.
struct ShownBeside {
    code: String,
    answer: String,
    ticket: String,
}

type Fields = Vec<(String, String)>;

/// Runs what makes a page, once the second factor was shown again where the form carries it; where the act asks for it, the
/// answer is the page that does.
///
/// # Errors
/// As what makes the page.
pub async fn visited<M, F>(mut visit: Visit, make: M) -> Result<Answer, Error>
where
    M: FnOnce(Visit) -> F,
    F: Future<Output = Result<Answer, Error>>,
{
    if visit.call.body.is_empty() || visit.call.content_type() != "application/x-www-form-urlencoded" {
        return make(visit).await;
    }
    if let Some((shown, rest)) = shown_beside(&visit.call.body) {
        let token = rest.iter().find(|(name, _)| name == csrf::FIELD).map_or("", |(_, token)| token.as_str());
        csrf::check(&visit.call.fingerprint, &visit.call.headers, token)?;
        visit.call.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish().into();
        let asked = ShowAgain {
            code: Some(shown.code.replace([' ', '-'], "")).filter(|code| !code.is_empty()),
            passkey: (!shown.answer.is_empty()).then(|| PasskeyAnswer {
                answer: shown.answer,
                ticket: shown.ticket,
                origin: visit.call.origin.clone(),
            }),
            session: visit.session(),
        };
        match show_again(&visit.gateway, &visit.caller, asked).await {
            Ok(shown) => visit.caller = shown.value().by(visit.caller),
            Err(error) => return ask(&visit, Some(error)).await,
        }
    }
    let kept = visit.clone();
    match make(visit).await {
        Err(Error::Caller(CallerError::ShownLongAgo)) => ask(&kept, None).await,
        made => made,
    }
}

/// What the form carries for this page, and the fields of the act; `None` where it carries nothing.
fn shown_beside(body: &[u8]) -> Option<(ShownBeside, Fields)> {
    let sent = form_urlencoded::parse(body).into_owned();
    let (mut own, rest): (Fields, Fields) = sent.partition(|(name, _)| [CODE, ANSWER, TICKET].contains(&name.as_str()));
    let mut take = |name: &str| {
        let found = own.iter_mut().find(|(of, _)| of == name);
        found.map(|(_, value)| std::mem::take(value))
    };
    let code = take(CODE)?;
    let (answer, ticket) = (take(ANSWER).unwrap_or_default(), take(TICKET).unwrap_or_default());
    Some((ShownBeside { code, answer, ticket }, rest))
}

async fn ask(visit: &Visit, why: Option<Error>) -> Result<Answer, Error> {
    let l = visit.language();
    // Held against the session as any form is, before it is shown again.
    let kept = Form::read(&visit.call, |_| true)?;
    let mut form = Form::default();
    let status = match why {
        Some(error) => form.refused(error, l)?,
        None => 403,
    };
    let question = ask_again(&visit.gateway, &visit.caller, &visit.call.origin);
    let label = ("認証アプリのコード", "Code from your authenticator app");
    let page = AgainPage {
        shell: visit.shell(("本人確認", "Confirm your identity"), PagePart::Apart).await?,
        kept: kept
            .fields()
            .filter(|(name, _)| *name != csrf::FIELD)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        code: Input::device_code(l, &form, CODE, label).support((
            "認証アプリに表示される6桁の数字、又は回復用コード",
            "The six digits in your authenticator app, or a recovery code",
        )),
        passkey: question.map(|question| PasskeyButton::to_use(question.value(), (ANSWER, TICKET))),
        form,
    };
    again(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_in_is_kept_apart_from_what_was_shown() {
        assert!(shown_beside(b"name=x&form_token=y").is_none());
        let (shown, rest) =
            shown_beside(b"name=%E6%9E%B6&code_again=123+456&x=1%0D%0A2&passkey_again=&form_token=y").unwrap();
        assert_eq!((shown.code.as_str(), shown.answer.as_str()), ("123 456", ""));
        let rest: Vec<(&str, &str)> = rest.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(rest, [("name", "架"), ("x", "1\r\n2"), ("form_token", "y")]);
    }
}
