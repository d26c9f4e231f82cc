//! Yearly staffing reports (児童相談所の職員体制): written by a center, read by the ministry.

use askama::Template;
use axum::http::{StatusCode, header};

use super::{
    dates::moment_of,
    form::Form,
    input::Input,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::staffing::{FiscalYear, StaffingReport},
    error::Error,
    face::{
        answer::Answer,
        csv,
        route::{CENTERS, MINISTRY, READ, Route, SUPERVISE},
    },
    operations::oversight::report_staffing::{
        ReadStaffing, SubmitStaffing, SubmittedReport, export_staffing, list_staffing, submit_staffing,
    },
};

pub const PAGES: &[Route] = &[
    show("/staffing/report")
        .titled("職員体制の報告", "Report staffing")
        .for_whom(CENTERS, SUPERVISE)
        .made_by(page!(report)),
    act("/staffing/report")
        .titled("職員体制を報告する", "Report staffing")
        .for_whom(CENTERS, SUPERVISE)
        .made_by(page!(submit)),
    show("/staffing/export").titled("職員体制のCSV", "Staffing as CSV").for_whom(MINISTRY, READ).made_by(page!(export)),
    show("/staffing").titled("職員体制", "Staffing").for_whom(MINISTRY, READ).made_by(page!(reports)),
];

/// The professions, each with the name of its field.
const PROFESSIONS: [(&str, (&str, &str)); 7] = [
    ("child_welfare_officers", ("児童福祉司", "Child welfare officers")),
    ("supervising_officers", ("児童福祉司スーパーバイザー", "Supervising officers")),
    ("psychologists", ("児童心理司", "Psychologists")),
    ("doctors", ("医師", "Doctors")),
    ("public_health_nurses", ("保健師", "Public health nurses")),
    ("lawyers", ("弁護士", "Lawyers")),
    ("shelter_staff", ("一時保護所職員", "Staff of shelters")),
];

#[derive(Template)]
#[template(path = "staffing/report.html")]
struct ReportPage {
    shell: Shell,
    form: Form,
    year: Input,
    numbers: Vec<Input>,
}

impl ReportPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        const DONE: &[(&str, (&str, &str))] = &[("submitted", ("職員体制を報告しました。", "It was reported."))];
        let l = visit.language();
        let number = |(name, label)| Input::line(l, &form, name, label).required().width("w-xs");
        Ok(Self {
            shell: visit.shell(("職員体制の報告", "Report staffing"), PagePart::Settings).await?.after(visit, DONE),
            year: Input::line(l, &form, "year", ("年度（西暦）", "Fiscal year")).required().width("w-xs").support((
                "例：2026（令和8年度）。4月1日現在の人数（常勤換算）を整数で報告します",
                "Such as 2026. Full-time equivalents on 1 April, in whole numbers",
            )),
            numbers: PROFESSIONS.map(number).into(),
            form,
        })
    }
}

async fn report(visit: Visit) -> Result<Answer, Error> {
    let year = year_of(&visit)?.number().to_string();
    shown(&ReportPage::of(&visit, Form::with([("year".to_owned(), year)])).await?)
}

async fn submit(visit: Visit) -> Result<Answer, Error> {
    let mut form = Form::read(&visit.call, |name| name == "year" || PROFESSIONS.iter().any(|(of, _)| *of == name))?;
    let Some((year, report)) = report_of(&visit, &mut form) else {
        return again(422, &ReportPage::of(&visit, form).await?);
    };
    let asked = SubmitStaffing { year, report, idempotency: form.idempotency(&visit.call)? };
    match submit_staffing(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/staffing/report?done=submitted")),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &ReportPage::of(&visit, form).await?)
        }
    }
}

fn report_of(visit: &Visit, form: &mut Form) -> Option<(FiscalYear, StaffingReport)> {
    let l = visit.language();
    let year = form.filled("year").and_then(FiscalYear::parse);
    if year.is_none() {
        form.fault("year", l.say("西暦4桁で入力してください。", "Enter four digits."));
    }
    let mut number = |name: &str| {
        let number = form.filled(name).and_then(|text| text.parse().ok());
        if number.is_none() {
            form.fault(name, l.say("人数を整数で入力してください。", "Enter a whole number."));
        }
        number.unwrap_or_default()
    };
    let report = StaffingReport {
        child_welfare_officers: number("child_welfare_officers"),
        supervising_officers: number("supervising_officers"),
        psychologists: number("psychologists"),
        doctors: number("doctors"),
        public_health_nurses: number("public_health_nurses"),
        lawyers: number("lawyers"),
        shelter_staff: number("shelter_staff"),
    };
    if form.is_faulty() { None } else { Some((year?, report)) }
}

#[derive(Template)]
#[template(path = "staffing/reports.html")]
struct ReportsPage {
    shell: Shell,
    year: i64,
    professions: Vec<&'static str>,
    rows: Vec<(String, String, [u32; 7])>,
    missing: Vec<String>,
}

/// The fiscal year that is asked for, or the present one.
fn year_of(visit: &Visit) -> Result<FiscalYear, Error> {
    let asked = visit.call.query.get("year").and_then(|year| FiscalYear::parse(year));
    let today = visit.gateway.clock.today_in_japan();
    let this_year = today.year() - i32::from(u8::from(today.month()) < 4);
    asked.or_else(|| FiscalYear::parse(&this_year.to_string())).ok_or(Error::NotFound("year"))
}

/// The reports as a file for a spreadsheet.
async fn export(visit: Visit) -> Result<Answer, Error> {
    let year = year_of(&visit)?;
    let table = export_staffing(&visit.gateway, &visit.caller, ReadStaffing { year }).await?;
    Ok(Answer::new(StatusCode::OK, "text/csv; charset=utf-8", csv::write(&table))
        .with_header(header::CONTENT_DISPOSITION, "attachment; filename=\"staffing.csv\"")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

async fn reports(visit: Visit) -> Result<Answer, Error> {
    let (l, year) = (visit.language(), year_of(&visit)?);
    let found = list_staffing(&visit.gateway, &visit.caller, ReadStaffing { year }).await?;
    let shell = visit.shell(("職員体制", "Staffing"), PagePart::Staffing).await?;
    let shell = shell.accounted_for(found.entries().unwrap_or_default());
    let found = found.value();
    shown(&ReportsPage {
        shell,
        year: found.fiscal_year,
        professions: PROFESSIONS.map(|(_, name)| l.of_pair(name)).into(),
        rows: found.submitted.iter().map(|of| (of.name.clone(), moment_of(l, &of.submitted_at), numbers(of))).collect(),
        missing: found.missing.iter().map(|of| of.name.clone()).collect(),
    })
}

fn numbers(SubmittedReport { report, .. }: &SubmittedReport) -> [u32; 7] {
    [
        report.child_welfare_officers,
        report.supervising_officers,
        report.psychologists,
        report.doctors,
        report.public_health_nurses,
        report.lawyers,
        report.shelter_staff,
    ]
}
