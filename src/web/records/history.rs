//! Who changed a record, when, and what each version changed.

use askama::Template;
use uuid::Uuid;

use super::{
    differences::{Difference, differences},
    head::{ChildHead, index_of, purpose_of, record_of},
    reading::ReadValue,
    record::{SectionState, ViewedSection, sections_of},
};
use crate::{
    disclosure::{
        gate::Disclosed,
        view::{Extent, RecordView},
    },
    domain::case_record::VersionLine,
    error::Error,
    face::answer::Answer,
    operations::records::view_record::{History, ViewRecord, ViewVersion, view_history, view_version_part},
    web::{
        dates::moment_of,
        page::{Visit, shown},
        shell::{PagePart, Shell},
    },
};

/// A version, as its line says.
struct HistoryLine {
    version: i64,
    path: String,
    at: String,
    who: String,
    change: &'static str,
    /// What it was before belongs to the reader too.
    has_before: bool,
}

#[derive(Template)]
#[template(path = "records/history.html")]
struct HistoryPage {
    shell: Shell,
    head: ChildHead,
    lines: Vec<HistoryLine>,
}

#[derive(Template)]
#[template(path = "records/version.html")]
struct VersionPage {
    shell: Shell,
    head: ChildHead,
    line: HistoryLine,
    differences: Vec<Difference>,
    sections: Vec<ViewedSection>,
}

/// An older version, as far as it is asked for.
///
/// # Errors
/// [`Error::NotAvailable`].
pub(super) async fn version_seen(
    visit: &Visit,
    record: Uuid,
    (version, extent): (i64, Extent),
) -> Result<Disclosed<RecordView>, Error> {
    let asked = ViewVersion { record, version, purpose: purpose_of(visit)? };
    view_version_part(&visit.gateway, &visit.caller, asked, extent).await
}

async fn history_seen(visit: &Visit, record: Uuid) -> Result<Disclosed<History>, Error> {
    let asked = ViewRecord { record, purpose: purpose_of(visit)? };
    view_history(&visit.gateway, &visit.caller, asked).await
}

pub(super) async fn history_show(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let history = history_seen(&visit, record).await?;
    let index = index_of(&visit, record).await?;
    let entries = [history.entries(), index.entries()].concat();
    let mut lines = lines_of(&visit, record, history.value());
    lines.reverse();
    shown(&HistoryPage {
        shell: visit.shell(("変更の履歴", "History"), PagePart::Records).await?.accounted_for(&entries),
        head: ChildHead::of(&visit, index.value()),
        lines,
    })
}

pub(super) async fn version_show(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let version: i64 = visit.call.segment("version").parse().map_err(|_| Error::NotAvailable)?;
    let after = version_seen(&visit, record, (version, Extent::Closed)).await?;
    let history = history_seen(&visit, record).await?;
    let line = lines_of(&visit, record, history.value()).into_iter().find(|line| line.version == version);
    let line = line.ok_or(Error::NotAvailable)?;
    let sections: Vec<ViewedSection> = viewed(&visit, after.value());
    let mut entries = [after.entries(), history.entries()].concat();
    let mut found = Vec::new();
    if line.has_before {
        let before = version_seen(&visit, record, (version - 1, Extent::Closed)).await?;
        entries.extend_from_slice(before.entries());
        found = differences(&viewed(&visit, before.value()), &sections);
    }
    shown(&VersionPage {
        shell: visit.shell(("版の内容", "A version"), PagePart::Records).await?.accounted_for(&entries),
        head: ChildHead::of(&visit, after.value()),
        line,
        differences: found,
        sections,
    })
}

fn viewed(visit: &Visit, view: &RecordView) -> Vec<ViewedSection> {
    sections_of(visit, view).into_iter().map(|(_, section)| section).collect()
}

/// The versions that the present owner wrote: earlier ones are not its to read.
fn lines_of(visit: &Visit, record: Uuid, history: &History) -> Vec<HistoryLine> {
    let language = visit.language();
    let since = history.versions.iter().filter(|line| line.change == "taken_over").map(|line| line.version).max();
    let line = |line: &VersionLine| {
        let organization = crate::domain::organization::OrganizationCode::parse(&line.organization);
        let body = organization.map_or_else(|| line.organization.clone(), |code| visit.gateway.registry.name(&code));
        let officer = line.officer_name.as_deref().unwrap_or_default();
        HistoryLine {
            version: line.version,
            path: format!("/records/{record}/versions/{}", line.version),
            at: moment_of(language, &line.at),
            who: format!("{body} {officer}").trim().to_owned(),
            change: language.of_pair(change_name(&line.change)),
            has_before: line.version > since.unwrap_or(1),
        }
    };
    history.versions.iter().filter(|line| line.version >= since.unwrap_or(1)).map(line).collect()
}

fn change_name(change: &str) -> (&'static str, &'static str) {
    match change {
        "registered" => ("登録", "registered"),
        "closed" => ("終結", "closed"),
        "taken_over" => ("引継ぎ", "taken over"),
        _ => ("更新", "updated"),
    }
}
