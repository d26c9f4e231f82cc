//! The yearly staffing report of a center (児童相談所の職員体制の調査): submitted, listed, exported.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::{CarriesNoRecordData, Done, Table},
    domain::{
        idempotency::Idempotency,
        organization::OrganizationCode,
        staffing::{FiscalYear, StaffingReport},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out},
    store,
};

/// A center's report of a year was taken.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Submitted {
    pub center: String,
    pub fiscal_year: i64,
}

/// A report as the ministry lists it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SubmittedReport {
    pub center: String,
    pub name: String,
    pub submitted_at: String,
    pub report: StaffingReport,
}

/// Who has submitted and who has not.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct StaffingReports {
    pub fiscal_year: i64,
    pub submitted: Vec<SubmittedReport>,
    pub missing: Vec<MissingReport>,
}

/// A center that has not submitted.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MissingReport {
    pub center: String,
    pub name: String,
}

/// A center reports its staff of a year, or reports it again.
pub struct SubmitStaffing {
    pub year: FiscalYear,
    pub report: StaffingReport,
    pub idempotency: Idempotency,
}

/// Takes the report of a center.
///
/// # Errors
/// A number that cannot be right.
pub async fn submit_staffing(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    SubmitStaffing { year, report, idempotency }: SubmitStaffing,
) -> Result<Done<Submitted>, Error> {
    let acting = Acting::new(gateway, caller, Act::StaffingSubmit);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            if let Some(field) = report.implausible() {
                let (rule_ja, rule_en) = ("2,000人以下で入力してください。", "must be at most 2,000 persons");
                return Err(acting.declined(None, Error::field(field, rule_ja, rule_en)));
            }
            let center = acting.caller.organization();
            store::oversight::put_staffing_report(tx, center, year, &report, acting.node.clock.now()).await?;
            let submitted = Submitted { center: center.to_string(), fiscal_year: year.number() };
            Ok(Effect::new(submitted, acting.entry().about(year)))
        })
    })
    .await
}

/// The reports of a year are asked for.
pub struct ReadStaffing {
    pub year: FiscalYear,
}

/// Lists who has submitted and who has not.
///
/// # Errors
/// The database failed, or the journal cannot write.
pub async fn list_staffing(
    gateway: &Gateway,
    caller: &Caller,
    ReadStaffing { year }: ReadStaffing,
) -> Result<Done<StaffingReports>, Error> {
    reports(gateway, caller, year).await.map(Done::told)
}

const COLUMNS: &[&str] = &[
    "機関コード",
    "名称",
    "提出日時",
    "児童福祉司",
    "スーパーバイザー",
    "児童心理司",
    "医師",
    "保健師",
    "弁護士",
    "一時保護所職員",
];

/// The same as a table for a spreadsheet.
///
/// # Errors
/// As [`list_staffing`].
pub async fn export_staffing(
    gateway: &Gateway,
    caller: &Caller,
    ReadStaffing { year }: ReadStaffing,
) -> Result<Table, Error> {
    let StaffingReports { submitted, missing, .. } = reports(gateway, caller, year).await?;
    let submitted = submitted.into_iter().map(|SubmittedReport { center, name, submitted_at, report }| {
        let numbers = [
            report.child_welfare_officers,
            report.supervising_officers,
            report.psychologists,
            report.doctors,
            report.public_health_nurses,
            report.lawyers,
            report.shelter_staff,
        ];
        [center, name, submitted_at].into_iter().chain(numbers.map(|number| number.to_string())).collect()
    });
    let missing = missing.into_iter().map(|MissingReport { center, name }| {
        let mut row = vec![center, name, "未提出".to_owned()];
        row.resize(COLUMNS.len(), String::new());
        row
    });
    Ok(Table { columns: COLUMNS, rows: submitted.chain(missing).collect() })
}

async fn reports(gateway: &Gateway, caller: &Caller, year: FiscalYear) -> Result<StaffingReports, Error> {
    let mut tx = gateway.store.read().await?;
    let rows = store::oversight::staffing_reports(&mut tx, year).await?;
    drop(tx);
    let centers = gateway.registry.centers_on(gateway.clock.today_in_japan());
    let missing = centers
        .iter()
        .filter(|center| !rows.iter().any(|(code, ..)| code == center.code.as_str()))
        .map(|center| MissingReport { center: center.code.to_string(), name: center.name.clone() })
        .collect();
    let name_of =
        |code: &str| OrganizationCode::parse(code).map_or_else(String::new, |code| gateway.registry.name(&code));
    let submitted = rows
        .into_iter()
        .map(|(center, at, report)| SubmittedReport {
            name: name_of(&center),
            center,
            submitted_at: at.to_rfc3339(),
            report,
        })
        .collect();
    let entry = Entry::of(caller, Act::StaffingRead, &gateway.clock).about(year);
    gateway.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
    Ok(StaffingReports { fiscal_year: year.number(), submitted, missing })
}
