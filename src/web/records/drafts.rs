//! The drafts of the person who is signed in: when each was saved, and until when it is kept. What is in one is seen by
//! opening it. A supervisor sees that those of others are there, and may discard them.

use askama::Template;
use uuid::Uuid;

use crate::{
    error::Error,
    face::{answer::Answer, route::SUPERVISE},
    operations::drafts::{
        discard_draft::{DiscardDraft, discard_draft},
        list_drafts::{DraftLine, DraftsOf, ListDrafts, list_drafts},
    },
    web::{
        dates::moment_of,
        page::{Visit, see_other, shown},
        shell::{PagePart, Shell},
    },
};

/// A line of the list.
struct DraftRow {
    id: Uuid,
    /// The record that it is to change.
    record: Option<Uuid>,
    officer: String,
    saved: String,
    ends: String,
}

#[derive(Template)]
#[template(path = "records/drafts.html")]
struct DraftsPage {
    shell: Shell,
    rows: Vec<DraftRow>,
    set_aside: usize,
    next: Option<String>,
    /// Those of everybody of the body are listed.
    is_of_body: bool,
    may_see_body: bool,
}

pub(super) async fn drafts_list(visit: Visit) -> Result<Answer, Error> {
    let of = match visit.call.query.get("of").map(String::as_str) {
        None => DraftsOf::Officer,
        Some("body") => DraftsOf::Organization,
        Some(_) => return Err(Error::NotFound("of")),
    };
    let after = match visit.call.query.get("after") {
        Some(after) => Uuid::parse_str(after).map_err(|_| Error::NotFound("after"))?,
        None => Uuid::nil(),
    };
    let listed = list_drafts(&visit.gateway, &visit.caller, ListDrafts { of, after }).await?;
    let page = listed.value();
    let is_of_body = of == DraftsOf::Organization;
    let of_body = if is_of_body { "of=body&" } else { "" };
    let discarded = [("discarded", ("下書きを破棄しました。", "The draft was discarded."))];
    shown(&DraftsPage {
        shell: visit.shell(("下書き", "Drafts"), PagePart::Records).await?.after(&visit, &discarded),
        rows: page.drafts.iter().map(|line| row(&visit, line)).collect(),
        set_aside: page.set_aside,
        next: page.next.map(|next| format!("/drafts?{of_body}after={next}")),
        is_of_body,
        may_see_body: SUPERVISE.iter().any(|role| visit.caller.has_role(*role)),
    })
}

fn row(visit: &Visit, line: &DraftLine) -> DraftRow {
    let officer = visit.gateway.directory().staff(visit.caller.organization(), &line.officer);
    DraftRow {
        id: line.draft,
        record: line.record,
        officer: officer.map_or_else(|| line.officer.clone(), |staff| staff.name),
        saved: moment_of(visit.language(), &line.saved_at),
        ends: moment_of(visit.language(), &line.ends_at),
    }
}

pub(super) async fn draft_discard(visit: Visit) -> Result<Answer, Error> {
    let draft = visit.call.id("id")?;
    let form = visit.form(&["of"])?;
    let asked = DiscardDraft { draft, idempotency: form.idempotency(&visit.call)? };
    discard_draft(&visit.gateway, &visit.caller, asked).await?;
    let of_body = if form.text("of") == "body" { "of=body&" } else { "" };
    Ok(see_other(&format!("/drafts?{of_body}done=discarded")))
}
