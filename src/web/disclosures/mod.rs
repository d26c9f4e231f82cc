//! Access history (閲覧履歴): by record, by body, with the proof of each entry.

mod plot;

use askama::Template;
use axum::http::{StatusCode, header};
use data_encoding::BASE64;
use uuid::Uuid;

use self::plot::HoursPlot;
use super::{
    dates::moment_of,
    language::Language,
    page::{Visit, page, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::{organization::OrganizationCode, visibility::ItemGroup},
    error::Error,
    face::{
        answer::Answer,
        route::{ACCOUNTABLE, ALL, ANY, BODIES, OVERSEE, READ, REVIEW, Route},
    },
    ledger::{
        entry::{Entry, Outcome},
        evidence_page::{act_in_japanese, purpose_in_japanese},
    },
    operations::accounting::{
        export_evidence::{ExportEvidence, export_evidence},
        prove_ledger::{ProveInclusion, prove_inclusion, read_checkpoint},
        read_disclosures::{Accounted, Disclosure, ReadDisclosures, read_disclosures},
    },
};

pub const PAGES: &[Route] = &[
    show("/disclosures").titled("閲覧履歴", "Access history").for_whom(ACCOUNTABLE, REVIEW).made_by(page!(disclosures)),
    show("/disclosures/{id}/proof")
        .titled("記録簿の証明", "Proof of an entry")
        .for_whom(ALL, ANY)
        .made_by(page!(proof)),
    show("/disclosures/evidence")
        .titled("署名された証拠の束", "Signed bundle of evidence")
        .for_whom(ACCOUNTABLE, REVIEW)
        .made_by(page!(bundle)),
];

/// Rows of a page: what an old terminal is sent at once stays small.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "disclosures/disclosures.html")]
struct DisclosuresPage {
    shell: Shell,
    /// `ours` or `by_us`.
    of: &'static str,
    record: Option<Uuid>,
    oversees: bool,
    reads: bool,
    rows: Vec<EntryRow>,
    plot: HoursPlot,
    next: Option<Uuid>,
}

/// An entry of the ledger as a row.
struct EntryRow {
    id: String,
    at: String,
    organization: String,
    officer: String,
    terminal: String,
    act: String,
    record: Option<Uuid>,
    groups: String,
    purpose: String,
    refused: Option<String>,
}

async fn disclosures(visit: Visit) -> Result<Answer, Error> {
    let query = &visit.call.query;
    let of = if query.get("of").is_some_and(|of| of == "by_us") { "by_us" } else { "ours" };
    let record = visit.call.query_id("record")?;
    let accounted = match (of, record) {
        ("by_us", _) => Accounted::ByUs,
        (_, Some(record)) => Accounted::Record(record),
        _ => Accounted::Ours,
    };
    let before = visit.call.query_id("before")?.unwrap_or(Uuid::max());
    let asked = ReadDisclosures { of: accounted, before, most: ROWS };
    let found = read_disclosures(&visit.gateway, &visit.caller, asked).await?;
    let shell = visit.shell(("閲覧履歴", "Access history"), PagePart::Disclosures).await?;
    let shell = shell.accounted_for(found.entries().unwrap_or_default());
    let page = found.value();
    let row =
        |line: &Disclosure| EntryRow::of(shell.language, &line.entry, (&line.organization_name, &line.officer_name));
    shown(&DisclosuresPage {
        rows: page.disclosures.iter().map(row).collect(),
        plot: HoursPlot::of(shell.language, page.disclosures.iter().map(|line| line.entry.at.as_str())),
        next: page.next,
        oversees: BODIES.contains(&visit.caller.kind()) && visit.caller.has_any_role(OVERSEE),
        reads: visit.caller.has_any_role(READ),
        shell,
        of,
        record,
    })
}

/// The evidence about the body's records, or about one, as a file that anybody can verify.
async fn bundle(visit: Visit) -> Result<Answer, Error> {
    let asked = ExportEvidence { record: visit.call.query_id("record")? };
    let file = export_evidence(&visit.gateway, &visit.caller, asked).await?;
    Ok(Answer::new(StatusCode::OK, "application/x-tar", file.bytes)
        .with_header(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{}\"", file.name))
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

impl EntryRow {
    fn of(l: Language, entry: &Entry, (organization, officer): (&str, &str)) -> Self {
        let groups = entry.groups.iter().map(|group| l.of_pair(group_name(*group)));
        Self {
            id: entry.id.to_string(),
            at: moment_of(l, &entry.at),
            organization: organization.to_owned(),
            officer: if officer.is_empty() { entry.officer.clone() } else { officer.to_owned() },
            terminal: terminal_end(&entry.terminal),
            act: l.say(act_in_japanese(entry.act), &entry.act.as_str().replace('_', " ")).to_owned(),
            record: entry.record,
            groups: groups.collect::<Vec<_>>().join(l.say("、", ", ")),
            purpose: entry
                .purpose
                .map(|purpose| l.say(purpose_in_japanese(purpose), &purpose.as_str().replace('_', " ")).to_owned())
                .unwrap_or_default(),
            refused: (entry.outcome == Outcome::Refused).then(|| entry.refusal.clone().unwrap_or_default()),
        }
    }
}

/// The end of a certificate's number, by which a terminal is known on its own list.
fn terminal_end(serial: &str) -> String {
    let before = serial.chars().count().saturating_sub(8);
    let end: String = serial.chars().skip(before).collect();
    if before == 0 { end } else { format!("…{end}") }
}

/// An item group as people call it.
pub fn group_name(group: ItemGroup) -> (&'static str, &'static str) {
    match group {
        ItemGroup::Index => ("基本項目", "basic items"),
        ItemGroup::Contact => ("住所・連絡先", "address"),
        ItemGroup::Affiliation => ("所属", "school"),
        ItemGroup::Case => ("ケース", "case"),
        ItemGroup::Assessment => ("評価", "assessment"),
        ItemGroup::Support => ("支援", "support"),
        ItemGroup::Family => ("家庭", "family"),
        ItemGroup::Attachments => ("添付", "files"),
        ItemGroup::Officer => ("担当者", "officer"),
        ItemGroup::Reporter => ("通告者", "reporter"),
        ItemGroup::Shielded => ("支援措置", "shield"),
        ItemGroup::Health => ("母子保健・健診", "health"),
        ItemGroup::Welfare => ("福祉（手当・税・手帳）", "welfare"),
        ItemGroup::Diagnosis => ("診断（社会・心理・医学）", "diagnosis"),
        ItemGroup::Protection => ("保護（一時保護・措置・里親）", "protection"),
    }
}

#[derive(Template)]
#[template(path = "disclosures/proof.html")]
struct ProofPage {
    shell: Shell,
    /// What the entry says, in words.
    said: Option<EntryRow>,
    position: u64,
    entry: String,
    inclusion: Vec<String>,
    checkpoint: String,
}

async fn proof(visit: Visit) -> Result<Answer, Error> {
    let entry = visit.call.id("id").map_err(|_| Error::NotFound("entry"))?;
    let proved = prove_inclusion(&visit.gateway, &visit.caller, ProveInclusion { entry, size: None }).await?;
    let checkpoint = read_checkpoint(&visit.gateway, &visit.caller).await?;
    let proved = proved.value();
    let said = BASE64.decode(proved.entry.as_bytes()).ok().and_then(|bytes| Entry::from_bytes(&bytes)).map(|entry| {
        let organization = OrganizationCode::parse(&entry.organization);
        let name =
            organization.map_or_else(|| entry.organization.to_string(), |code| visit.gateway.registry.name(&code));
        EntryRow::of(visit.language(), &entry, (&name, ""))
    });
    shown(&ProofPage {
        said,
        shell: visit.shell(("記録簿の証明", "Proof of an entry"), PagePart::Disclosures).await?,
        position: proved.position,
        entry: proved.entry.clone(),
        inclusion: proved.inclusion.clone(),
        checkpoint: checkpoint.0,
    })
}
