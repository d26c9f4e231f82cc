//! A button by which a browser asks an authenticator. It needs the script [`super::assets::PASSKEYS`] and stays hidden
//! without it: what it does can be done without, too.

use askama::{Template, filters::HtmlSafe};

use crate::operations::accounts::passkeys::PasskeyQuestion;

/// The button, with the hidden fields into which the script puts the answer before it sends the form.
#[derive(Template)]
#[template(path = "parts/passkey.html")]
pub struct PasskeyButton {
    /// `get` or `create`: what `navigator.credentials` is asked for.
    does: &'static str,
    options: String,
    ticket: String,
    answer_field: &'static str,
    ticket_field: &'static str,
}

impl HtmlSafe for PasskeyButton {}

impl PasskeyButton {
    /// Shows a passkey that is there.
    pub fn to_use(question: &PasskeyQuestion, fields: (&'static str, &'static str)) -> Self {
        Self::of("get", question, fields)
    }

    /// Makes a new one.
    pub fn to_make(question: &PasskeyQuestion, fields: (&'static str, &'static str)) -> Self {
        Self::of("create", question, fields)
    }

    fn of(
        does: &'static str,
        question: &PasskeyQuestion,
        (answer_field, ticket_field): (&'static str, &'static str),
    ) -> Self {
        let (options, ticket) = (question.options.clone(), question.ticket.clone());
        Self { does, options, ticket, answer_field, ticket_field }
    }
}
