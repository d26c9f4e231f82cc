//! The first page: what needs an act, then what is new.

use askama::Template;

use super::{
    dates::moment,
    page::{Visit, page, show, shown},
    shell::{Part, Shell},
};
use crate::{
    error::Error,
    face::{answer::Answer, route::Route},
};

pub const PAGES: &[Route] = &[show("/").titled("今日", "Today").for_everybody().made_by(page!(today))];

#[derive(Template)]
#[template(path = "today/today.html")]
struct TodayPage {
    shell: Shell,
    now: String,
}

async fn today(visit: Visit) -> Result<Answer, Error> {
    let shell = visit.shell(("今日", "Today"), Part::Today).await?;
    let now = moment(shell.language, visit.gateway.clock.now());
    shown(&TodayPage { shell, now })
}
