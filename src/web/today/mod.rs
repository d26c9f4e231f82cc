//! The first page: what needs an act, then what is new.

mod line;

use std::collections::BTreeMap;

use askama::Template;

use self::line::{LineRow, is_pressing, message_name, message_path};
use super::{
    dates::moment,
    page::{Visit, act, page, see_other, show, shown},
    shell::{PagePart, Shell, is_open},
};
use crate::{
    error::Error,
    face::{
        answer::Answer,
        route::{REVIEW, Route},
    },
    operations::{
        inbox::read_inbox::{Acknowledge, AcknowledgeInbox, acknowledge_inbox},
        today::view_today::{TodayLine, view_today},
    },
};

pub const PAGES: &[Route] = &[
    show("/").titled("今日", "Today").for_everybody().made_by(page!(today)),
    act("/acknowledgements")
        .titled("お知らせを確認済みにする", "Acknowledge")
        .for_everybody()
        .made_by(page!(acknowledge)),
];

const DONE: &[(&str, (&str, &str))] = &[
    ("asked", ("照会を送りました。", "The question was sent.")),
    ("acknowledged", ("お知らせを確認済みにしました。", "The messages were acknowledged.")),
];

/// A count of routine messages of a kind.
struct NewsRow {
    count: usize,
    name: &'static str,
    /// Where they are listed, if that is open to the caller.
    path: Option<&'static str>,
}

impl NewsRow {
    /// Kinds that people call the same are counted together.
    fn all(visit: &Visit, new: &BTreeMap<String, usize>) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for (kind, count) in new {
            let name = visit.language().of_pair(message_name(kind));
            let path = message_path(kind).filter(|path| is_open(&visit.caller, path));
            match rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.count += count,
                None => rows.push(Self { count: *count, name, path }),
            }
        }
        rows
    }
}

#[derive(Template)]
#[template(path = "today/today.html")]
struct TodayPage {
    shell: Shell,
    now: String,
    pressing: Vec<LineRow>,
    waiting: Vec<LineRow>,
    news: Vec<NewsRow>,
    /// Whether there is something that the caller may acknowledge.
    may_acknowledge: bool,
    /// Lists to which one goes from here.
    lists: Vec<(&'static str, &'static str)>,
    /// Messages that are new, of all kinds.
    news_count: usize,
    more: bool,
    older: bool,
    latest: i64,
    set_aside: usize,
    few_codes: bool,
}

async fn today(visit: Visit) -> Result<Answer, Error> {
    let found = view_today(&visit.gateway, &visit.caller).await?;
    let shell =
        visit.shell(("今日", "Today"), PagePart::Today).await?.accounted_for(found.entries()).after(&visit, DONE);
    let (l, today) = (shell.language, found.value());
    let rows = |pressing: bool| {
        let of = today.lines.iter().filter(|line: &&TodayLine| is_pressing(line) == pressing);
        of.map(|line| LineRow::of(&visit, line)).collect()
    };
    shown(&TodayPage {
        now: moment(l, visit.gateway.clock.now()),
        pressing: rows(true),
        waiting: rows(false),
        news: NewsRow::all(&visit, &today.new),
        may_acknowledge: !today.new.is_empty()
            || visit.caller.has_any_role(REVIEW) && today.lines.iter().any(|line| line.position.is_some()),
        lists: [("/inquiries", ("照会の一覧", "Questions")), ("/break-glass", ("緊急閲覧の一覧", "Emergency access"))]
            .into_iter()
            .filter(|(path, _)| is_open(&visit.caller, path))
            .map(|(path, name)| (path, l.of_pair(name)))
            .collect(),
        news_count: today.new.values().sum(),
        more: today.more,
        older: today.older,
        latest: today.latest,
        set_aside: today.set_aside,
        few_codes: shell.has_few_codes(),
        shell,
    })
}

async fn acknowledge(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&["position"])?;
    let position = form.text("position").parse().map_err(|_| crate::error::RequestError::FormField)?;
    let asked =
        AcknowledgeInbox { acknowledged: Acknowledge { position }, idempotency: form.idempotency(&visit.call)? };
    acknowledge_inbox(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other("/?done=acknowledged"))
}
