//! The API of missing-child notices.

use serde_json::{Value, json};

use super::{
    route::{ApiRoute, CASEWORK, CENTERS, READ, get, post, put, run},
    shape::{Joined, List, Schemas},
};
use crate::{
    disclosure::gate::With,
    domain::missing_notice::{CenterState, ListedNotices, NoticeContent},
    error::Error,
    face::call::Call,
    operations::missing_children::{
        announce_missing_child::{
            BroadcastNotice, CancelNotice, NoticeWritten, UpdateNotice, broadcast_notice, cancel_notice, update_notice,
        },
        answer_missing_notice::{AnswerNotice, AnswerRequest, Answered, answer_notice},
        list_missing_notices::{ListNotices, ListedNoticePage, list_notices},
        view_missing_notice::{
            FoundNotice, NoticeLine, NoticeOfCenters, NoticeSearch, ViewNotice, search_notices, view_notice,
            view_notice_centers,
        },
    },
};

pub const ROUTES: &[ApiRoute] = &[
    post("/v1/missing-notices")
        .words("行方不明児童を全国の児童相談所に通知する", "Broadcast a missing-child notice")
        .open_to(CENTERS, CASEWORK)
        .takes::<NoticeContent>()
        .creates::<NoticeWritten>()
        .runs(run!(broadcast_notice, call => BroadcastNotice {
            idempotency: call.idempotency()?,
            content: call.json()?,
        })),
    get("/v1/missing-notices")
        .words("通知の一覧", "List notices")
        .open_to(CENTERS, READ)
        .query(&[("of", "`standing`, `ended` or `all`; left out, `all`"), ("before", "`next` of the page before")])
        .answers::<ListedNoticePage>()
        .runs(run!(list_notices, call => ListNotices { which: listed(&call)?, before: call.before()? })),
    get("/v1/missing-notices/{id}")
        .words("通知を読む", "View a notice")
        .open_to(CENTERS, READ)
        .answers::<With<NoticeContent, NoticeLine>>()
        .runs(run!(view_notice, call => ViewNotice { notice: call.id("id")? })),
    put("/v1/missing-notices/{id}")
        .words("通知を更新する", "Update a notice")
        .open_to(CENTERS, CASEWORK)
        .if_match()
        .takes::<NoticeContent>()
        .answers::<NoticeWritten>()
        .runs(run!(update_notice, call => UpdateNotice {
            content: call.json()?,
            notice: call.id("id")?,
            version: call.if_match()?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/missing-notices/{id}/cancel")
        .words("通知を解除する", "Cancel a notice")
        .open_to(CENTERS, CASEWORK)
        .if_match()
        .answers::<NoticeWritten>()
        .runs(run!(cancel_notice, call => CancelNotice {
            notice: call.id("id")?,
            version: call.if_match()?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/missing-notices/{id}/answers")
        .words("通知に回答する", "Answer a notice")
        .open_to(CENTERS, CASEWORK)
        .takes::<AnswerRequest>()
        .answers::<Answered>()
        .runs(run!(answer_notice, call => AnswerNotice {
            notice: call.id("id")?,
            idempotency: call.idempotency()?,
            answer: call.json()?,
        })),
    get("/v1/missing-notices/{id}/centers")
        .words("児童相談所ごとの到達・閲覧・回答", "Delivery, reading and answers by center")
        .open_to(CENTERS, READ)
        .answers::<With<Vec<CenterState>, NoticeOfCenters>>()
        .runs(run!(view_notice_centers, call => ViewNotice { notice: call.id("id")? })),
    post("/v1/missing-notices/searches")
        .words("過去の通知を検索する", "Search old notices")
        .open_to(CENTERS, CASEWORK)
        .takes::<NoticeSearch>()
        .answers::<List<FoundNotice>>()
        .unkeyed()
        .runs(run!(search_notices, call => call.json::<NoticeSearch>()?)),
];

fn listed(call: &Call) -> Result<ListedNotices, Error> {
    match call.query.get("of").map_or("all", String::as_str) {
        "standing" => Ok(ListedNotices::Standing),
        "ended" => Ok(ListedNotices::Ended),
        "all" => Ok(ListedNotices::All),
        _ => Err(Error::field("of", "standing、ended 又は all を指定してください。", "must be standing, ended or all")),
    }
}

impl Joined for NoticeContent {
    const MEMBER: Option<&'static str> = Some("content");

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.refer::<Self>()
    }
}

impl Joined for Vec<CenterState> {
    const MEMBER: Option<&'static str> = Some("centers");

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "array", "items": schemas.refer::<CenterState>() })
    }
}
