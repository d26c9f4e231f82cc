//! Generations of keys, for the operator: how far a pass is, beginning one, and retiring master keys that nothing needs.

use askama::Template;

use super::{
    dates::moment_of,
    form::Form,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    error::Error,
    face::{
        answer::Answer,
        route::{ADMINISTER, OPERATOR, Route},
    },
    operations::{
        keys::rewrap_keys::{BeginRewrap, RetireMasters, RewrapView, begin_rewrap, retire_masters, view_keys},
        waiting::ask::{RequestRetirement, request_retirement},
    },
};

pub const PAGES: &[Route] = &[
    show("/keys").titled("鍵", "Keys").for_whom(OPERATOR, ADMINISTER).made_by(page!(keys)),
    act("/keys/rewraps")
        .titled("鍵を掛け替える", "Wrap keys anew")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(rewrap)),
    act("/keys/retirement-requests")
        .titled("マスター鍵の廃止を申請する", "Ask to retire master keys")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(ask_retirement)),
    act("/keys/retirements")
        .titled("マスター鍵を廃止する", "Retire master keys")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(retire)),
];

struct GenerationRow {
    generation: u32,
    wraps_new: bool,
    is_needed: bool,
    is_of_stream: bool,
}

struct PassView {
    master: u32,
    asked_by: String,
    started_at: String,
    finished_at: Option<String>,
    wrapped: u64,
    left: u64,
}

#[derive(Template)]
#[template(path = "keys/keys.html")]
struct KeysPage {
    shell: Shell,
    form: Form,
    generations: Vec<GenerationRow>,
    pass: Option<PassView>,
    has_unneeded: bool,
}

impl KeysPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        const DONE: &[(&str, (&str, &str))] = &[
            ("begun", ("鍵の掛け替えを始めました。", "The pass has begun.")),
            (
                "asked",
                (
                    "廃止を申請しました。ほかのシステム運用者の承認を待っています。",
                    "It was requested, and waits for another operator to approve it.",
                ),
            ),
            ("retired", ("不要になったマスター鍵を廃止しました。", "Master keys that nothing needed were retired.")),
        ];
        let l = visit.language();
        let found = view_keys(&visit.gateway, &visit.caller).await?;
        let found = found.value();
        let generation = |generation: &u32| GenerationRow {
            generation: *generation,
            wraps_new: *generation == found.master,
            is_needed: found.masters_needed.contains(generation),
            is_of_stream: found.masters_of_stream.contains(generation),
        };
        let generations: Vec<_> = found.masters.iter().map(generation).collect();
        let pass = |of: &RewrapView| PassView {
            master: of.master,
            asked_by: of.asked_by.clone(),
            started_at: moment_of(l, &of.started_at),
            finished_at: of.finished_at.as_ref().map(|at| moment_of(l, at)),
            wrapped: of.wrapped,
            left: of.left,
        };
        Ok(Self {
            has_unneeded: generations.iter().any(|of| !of.wraps_new && !of.is_needed && !of.is_of_stream),
            generations,
            pass: found.rewrap.as_ref().map(pass),
            form,
            shell: visit.shell(("鍵", "Keys"), PagePart::Settings).await?.after(visit, DONE),
        })
    }

    /// After an act: the page of what was done, or this one with what was refused.
    async fn after<T>(visit: &Visit, mut form: Form, done: Result<T, Error>, code: &str) -> Result<Answer, Error> {
        match done {
            Ok(_) => Ok(see_other(&format!("/keys?done={code}"))),
            Err(error) => {
                let status = form.refused(error, visit.language())?;
                again(status, &Self::of(visit, form).await?)
            }
        }
    }
}

async fn keys(visit: Visit) -> Result<Answer, Error> {
    shown(&KeysPage::of(&visit, Form::default()).await?)
}

async fn rewrap(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = BeginRewrap { idempotency: form.idempotency(&visit.call)? };
    KeysPage::after(&visit, form, begin_rewrap(&visit.gateway, &visit.caller, asked).await, "begun").await
}

async fn ask_retirement(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = RequestRetirement { idempotency: form.idempotency(&visit.call)? };
    KeysPage::after(&visit, form, request_retirement(&visit.gateway, &visit.caller, asked).await, "asked").await
}

async fn retire(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = RetireMasters { idempotency: form.idempotency(&visit.call)? };
    KeysPage::after(&visit, form, retire_masters(&visit.gateway, &visit.caller, asked).await, "retired").await
}
