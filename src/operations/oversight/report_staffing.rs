//! The yearly staffing report of a center (児童相談所の職員体制の調査): submitted, listed, exported.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    domain::staffing::StaffingReport,
    error::Error,
    gateway::Gateway,
    journal::journal::Effect,
    ledger::entry::{Act, Entry},
    operations::{carry_out, declined},
    store,
    wire::{
        answer::{Answer, CarriesNoRecordData, PlainText},
        call::Call,
    },
};

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Submitted {
    pub center: String,
    pub fiscal_year: i64,
}

impl CarriesNoRecordData for Submitted {}

/// A report as the ministry lists it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SubmittedReport {
    pub center: String,
    pub name: String,
    pub submitted_at: String,
    pub report: StaffingReport,
}

/// Who has submitted and who has not.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StaffingReports {
    pub fiscal_year: i64,
    pub submitted: Vec<SubmittedReport>,
    pub missing: Vec<MissingReport>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct MissingReport {
    pub center: String,
    pub name: String,
}

impl CarriesNoRecordData for StaffingReports {}

fn fiscal_year(call: &Call) -> Result<i64, Error> {
    call.segment("year").parse().ok().filter(|year| (2000..=2199).contains(year)).ok_or(Error::Field {
        field: "year",
        rule_ja: "年度を西暦4桁で指定してください",
        rule_en: "must be a fiscal year of four digits",
    })
}

/// `PUT /v1/staffing-reports/{year}`: a center submits, or submits again.
///
/// # Errors
/// A number that cannot be right.
pub async fn submit_staffing(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let year = fiscal_year(&call)?;
    let acting = call.acting()?;
    let report: StaffingReport = call.json()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            if let Some(field) = report.implausible() {
                let error =
                    Error::Field {
                        field, rule_ja: "2000人を超えています", rule_en: "is more than 2,000 persons"
                    };
                return Err(declined(&node, &call, Act::StaffingSubmit, None, error));
            }
            let center = call.caller.organization();
            store::oversight::put_staffing_report(tx, center, year, &report, node.clock.now()).await?;
            let entry = Entry::of(&call.caller, Act::StaffingSubmit, &node.clock).about(year);
            Ok(Effect::new(Submitted { center: center.to_string(), fiscal_year: year }, entry))
        })
    })
    .await
}

/// `GET /v1/staffing-reports/{year}`
///
/// # Errors
/// The database failed.
pub async fn list_staffing(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let year = fiscal_year(&call)?;
    let reports = reports(gateway, &call, year).await?;
    Ok(Answer::message(StatusCode::OK, &reports))
}

/// `GET /v1/staffing-reports/{year}/export`: as CSV (RFC 4180), UTF-8 with a byte order mark for spreadsheets.
///
/// # Errors
/// The database failed.
pub async fn export_staffing(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let year = fiscal_year(&call)?;
    let reports = reports(gateway, &call, year).await?;
    let mut csv = String::from(
        "\u{FEFF}機関コード,名称,提出日時,児童福祉司,スーパーバイザー,児童心理司,医師,保健師,弁護士,一時保護所職員\r\n",
    );
    for SubmittedReport { center, name, submitted_at, report } in &reports.submitted {
        csv.push_str(&format!(
            "{center},{name},{submitted_at},{},{},{},{},{},{},{}\r\n",
            report.child_welfare_officers,
            report.supervising_officers,
            report.psychologists,
            report.doctors,
            report.public_health_nurses,
            report.lawyers,
            report.shelter_staff,
        ));
    }
    for MissingReport { center, name } in &reports.missing {
        csv.push_str(&format!("{center},{name},未提出,,,,,,,\r\n"));
    }
    Ok(Answer::text("text/csv; charset=utf-8", PlainText(csv)))
}

async fn reports(gateway: &Gateway, call: &Call, year: i64) -> Result<StaffingReports, Error> {
    let mut tx = gateway.store.read().await?;
    let rows = store::oversight::staffing_reports(&mut tx, year).await?;
    drop(tx);
    let centers = gateway.registry.centers_on(gateway.clock.today_in_japan());
    let missing = centers
        .iter()
        .filter(|center| !rows.iter().any(|(code, ..)| code == center.code.as_str()))
        .map(|center| MissingReport { center: center.code.to_string(), name: center.name.clone() })
        .collect();
    let submitted = rows
        .into_iter()
        .map(|(center, at, report)| SubmittedReport {
            name: crate::domain::organization::OrganizationCode::parse(&center)
                .map_or_else(String::new, |code| gateway.registry.name(&code)),
            center,
            submitted_at: at.to_rfc3339(),
            report,
        })
        .collect();
    let entry = Entry::of(&call.caller, Act::StaffingRead, &gateway.clock).about(year);
    gateway.journal.record(call.decided_at, vec![entry.into()], Vec::new()).await?;
    Ok(StaffingReports { fiscal_year: year, submitted, missing })
}
