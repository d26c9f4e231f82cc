//! What went wrong, as a page: what it is, what to do, and by which number the operator finds it.

use askama::Template;
use axum::http::{Method, StatusCode, header};

use super::{
    cookies::{SESSION, cookie, removing},
    language::Language,
    page::{html, see_other},
    shell::Shell,
};
use crate::{
    error::{CallerError, Error},
    face::{CallHead, answer::Answer},
    identity::directory::Unrecognized,
};

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    shell: Shell,
    detail: String,
    request: String,
    /// What was sent was not done.
    is_act: bool,
    /// Whether no page opens at this terminal: where one would go on is refused too.
    is_terminals: bool,
}

/// The answer to an error. Who is not signed in is led to where one signs in, and from there back.
pub fn answer(error: &Error, head: &CallHead<'_>) -> Answer {
    let is_signed_out =
        matches!(error, Error::Caller(CallerError::Unrecognized(Unrecognized::Session | Unrecognized::OfficerMissing)));
    let is_act = *head.method != Method::GET;
    if is_signed_out && !is_act {
        let led = see_other(&format!("/sign-in?next={}", head.uri.path()));
        // A browser that was led here by another site sends no cookie, and has one all the same.
        let has_ended = cookie(head.headers, SESSION).is_some();
        return if has_ended { led.with_header(header::SET_COOKIE, &removing(SESSION)) } else { led };
    }
    let language = Language::of(head.headers);
    let problem = error.problem();
    let page = RefusalPage {
        shell: Shell::bare(language, (problem.title_ja, problem.title_en)),
        detail: language.say(&problem.detail_ja, &problem.detail_en).to_owned(),
        request: head.id.to_string(),
        is_act,
        is_terminals: matches!(
            error,
            Error::Caller(CallerError::Unrecognized(
                Unrecognized::Organization
                    | Unrecognized::Terminal
                    | Unrecognized::TerminalRevoked
                    | Unrecognized::CertificateExpired
            ))
        ),
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let answer =
        html(status, &page).unwrap_or_else(|_| Answer::new(status, "text/plain; charset=utf-8", problem.title_ja));
    match error.retry_after() {
        Some(seconds) => answer.with_header(header::RETRY_AFTER, &seconds.to_string()),
        None => answer,
    }
}
