//! The records of the own body.

use askama::Template;

use super::{own_search, reading};
use crate::{
    error::Error,
    face::{answer::Answer, route::CASEWORK},
    operations::records::list_records::{ListRecords, OwnRecord, list_records},
    web::{
        dates::moment_of,
        form::Form,
        input::{ChoiceInput, Input},
        language::Language,
        page::{Visit, shown},
        shell::{PagePart, Shell},
    },
};
use uuid::Uuid;

/// A line of the list.
pub(super) struct RecordLine {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) birth_date: String,
    pub(super) state: Vec<&'static str>,
    pub(super) updated: String,
}

#[derive(Template)]
#[template(path = "records/list.html")]
struct RecordsPage {
    shell: Shell,
    lines: Vec<RecordLine>,
    set_aside: usize,
    is_first: bool,
    next: Option<String>,
    may_write: bool,
    name: Input,
    of: ChoiceInput,
}

pub(super) async fn records_list(visit: Visit) -> Result<Answer, Error> {
    let language = visit.language();
    let after = match visit.call.query.get("after") {
        Some(after) => Uuid::parse_str(after).map_err(|_| Error::NotFound("after"))?,
        None => Uuid::nil(),
    };
    let listed = list_records(&visit.gateway, &visit.caller, ListRecords { after }).await?;
    let page = listed.value();
    let shell = visit.shell(("児童記録票", "Records"), PagePart::Records).await?.accounted_for(listed.entries());
    let (name, of) = own_search::inputs(language, &Form::default());
    shown(&RecordsPage {
        shell,
        name,
        of,
        lines: page.records.iter().map(|record| line(language, record)).collect(),
        set_aside: page.set_aside,
        is_first: after.is_nil(),
        next: page.next.map(|next| format!("/records?after={next}")),
        may_write: CASEWORK.iter().any(|role| visit.caller.has_role(*role)),
    })
}

pub(super) fn line(language: Language, record: &OwnRecord) -> RecordLine {
    let states = [
        (record.shielded, ("支援措置", "shielded")),
        (record.serious, ("重大事案", "serious case")),
        (record.closed, ("終結", "closed")),
    ];
    RecordLine {
        path: format!("/records/{}", record.record),
        name: record.name.clone(),
        birth_date: reading::date(language, &record.birth_date),
        state: states.into_iter().filter(|(is, _)| *is).map(|(_, said)| language.of_pair(said)).collect(),
        updated: moment_of(language, &record.updated_at),
    }
}
