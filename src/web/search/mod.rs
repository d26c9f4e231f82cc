//! National search: what is known of a child, and who in the country knows more.

mod criteria;
mod intake;
mod result;

use askama::Template;

use self::{
    criteria::{FIELDS, criteria_inputs, request_of},
    intake::{intake, intake_act},
    result::result_page,
};
use super::{
    form::Form,
    input::{ChoiceInput, Input},
    page::{Visit, act, again, page, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    error::Error,
    face::{
        answer::Answer,
        route::{BODIES, CASEWORK, Route},
    },
    operations::search::search_nationwide::search_nationwide,
};

pub const PAGES: &[Route] = &[
    show("/search").titled("全国検索", "National search").for_whom(BODIES, CASEWORK).made_by(page!(search)),
    act("/search").titled("全国を検索する", "Search the country").for_whom(BODIES, CASEWORK).made_by(page!(search_for)),
    show("/intake").titled("新しい通告・相談", "A new report").for_whom(BODIES, CASEWORK).made_by(page!(intake)),
    act("/intake")
        .titled("通告・相談を照合する", "Look for the child of a report")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(intake_act)),
];

const TITLE: (&str, &str) = ("全国検索", "National search");

/// The inputs of the criteria, in their groups.
struct CriteriaInputs {
    purpose: ChoiceInput,
    case_reference: Input,
    names: Vec<Input>,
    sex: ChoiceInput,
    birth: ChoiceInput,
    dates: Vec<Input>,
}

#[derive(Template)]
#[template(path = "search/search.html")]
struct SearchPage {
    shell: Shell,
    form: Form,
    criteria: CriteriaInputs,
}

async fn search(visit: Visit) -> Result<Answer, Error> {
    let shell = visit.shell(TITLE, PagePart::Search).await?;
    let form = Form::default();
    let criteria = criteria_inputs(shell.language, &form);
    shown(&SearchPage { shell, form, criteria })
}

async fn search_for(visit: Visit) -> Result<Answer, Error> {
    let language = visit.language();
    let mut form = visit.form(&FIELDS)?;
    let request = request_of(&mut form, language);
    let status = match request {
        Some(request) => match search_nationwide(&visit.gateway, &visit.caller, request).await {
            Ok(found) => return result_page(&visit, form, found).await,
            Err(error) => form.refused(error, language)?,
        },
        None => 422,
    };
    let shell = visit.shell(TITLE, PagePart::Search).await?;
    let criteria = criteria_inputs(language, &form);
    again(status, &SearchPage { shell, form, criteria })
}
