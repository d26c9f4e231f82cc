//! The API of drafts.

use axum::http::header;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    answer::IntoAnswer,
    route::{ApiRoute, BODIES, CASEWORK, delete, get, put, run},
    shape::{Schemas, Shape},
};
use crate::{
    disclosure::gate::Disclosed,
    domain::draft::DraftContent,
    error::Error,
    face::{answer::Answer, call::Call, route::BodySize},
    operations::drafts::{
        discard_draft::{DiscardDraft, DraftDiscarded, discard_draft},
        list_drafts::{DraftLines, DraftsOf, ListDrafts, list_drafts},
        open_draft::{OpenDraft, open_draft},
        save_draft::{DraftSaved, SaveDraft, save_draft},
    },
};

pub const ROUTES: &[ApiRoute] = &[
    put("/v1/drafts/{id}")
        .words("新しい記録の下書きを保存する", "Keep a draft of a new record")
        .open_to(BODIES, CASEWORK)
        .takes::<DraftFile>()
        .answers::<DraftSaved>()
        .runs(run!(save_draft, call => saved(&call, None, call.id("id")?)?)),
    put("/v1/records/{id}/drafts/{draft}")
        .words("記録の変更の下書きを保存する", "Keep a draft of a change of a record")
        .open_to(BODIES, CASEWORK)
        .takes::<DraftFile>()
        .answers::<DraftSaved>()
        .runs(run!(save_draft, call => saved(&call, Some(call.id("id")?), call.id("draft")?)?)),
    get("/v1/drafts")
        .words("下書きの一覧（内容は含まない）", "List drafts; nothing of what is in them")
        .open_to(BODIES, CASEWORK)
        .query(&[
            ("of", "`mine`, or `body` for its supervisors; left out, `mine`"),
            ("after", "`next` of the page before"),
        ])
        .answers::<DraftLines>()
        .runs(run!(list_drafts, call => ListDrafts { of: drafts_of(&call)?, after: call.after()? })),
    get("/v1/drafts/{id}")
        .words("下書きを開く（作成した職員に限る）", "Open a draft: its officer alone")
        .open_to(BODIES, CASEWORK)
        .answers::<DraftContent>()
        .runs(run!(open_draft, call => OpenDraft { draft: call.id("id")? })),
    delete("/v1/drafts/{id}")
        .words("下書きを破棄する", "Discard a draft")
        .open_to(BODIES, CASEWORK)
        .answers::<DraftDiscarded>()
        .runs(run!(discard_draft, call => DiscardDraft { draft: call.id("id")?, idempotency: call.idempotency()? })),
];

fn saved(call: &Call, record: Option<Uuid>, draft: Uuid) -> Result<SaveDraft, Error> {
    let content = Zeroizing::new(call.body.to_vec());
    Ok(SaveDraft { draft, record, content, idempotency: call.idempotency()? })
}

fn drafts_of(call: &Call) -> Result<DraftsOf, Error> {
    match call.query.get("of").map_or("mine", String::as_str) {
        "mine" => Ok(DraftsOf::Officer),
        "body" => Ok(DraftsOf::Organization),
        _ => Err(Error::field("of", "mine 又は body を指定してください。", "must be mine or body")),
    }
}

/// A form as its page has it, on its way in.
pub struct DraftFile;

impl Shape for DraftFile {
    const SIZE: BodySize = BodySize::Record;

    fn content(_: &mut Schemas) -> Value {
        json!({ "application/octet-stream": {} })
    }
}

impl Shape for DraftContent {
    fn content(_: &mut Schemas) -> Value {
        json!({ "application/octet-stream": {} })
    }
}

/// A draft as it was saved. Never shown inline by a browser.
impl IntoAnswer for Disclosed<DraftContent> {
    fn into_answer(self, call: &Call) -> Answer {
        let body = self.value().content.to_vec();
        let answer = Answer::new(call.status, "application/octet-stream", body).with_entries(self.entries());
        answer.with_header(header::CONTENT_DISPOSITION, "attachment")
    }
}
