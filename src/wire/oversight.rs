//! The API of oversight: break-glass, inquiries, serious cases, staffing.

use super::{
    route::{ApiRoute, BODIES, CASEWORK, CENTERS, MINISTRY, OVERSEE, READ, READERS, REVIEW, SUPERVISE, get, post, put, run},
    shape::List,
};
use crate::{
    disclosure::done::Table,
    domain::{
        oversight::{BrokenGlass, Inquiry, SeriousNote},
        staffing::{FiscalYear, StaffingReport},
    },
    error::Error,
    face::call::Call,
    operations::{
        oversight::{
            ask_owner::{
                AnswerInquiry, AskOwner, InquiryText, InquiryWritten, ViewInquiry, answer_inquiry, ask_owner,
                view_inquiry,
            },
            break_glass::{
                BreakGlassRequest, ReviewBreakGlass, Reviewed, ViewBreakGlass, review_break_glass, view_break_glass,
            },
            list_break_glass::{ListBreakGlass, ListedBreakGlassPage, list_break_glass},
            list_inquiries::{InquiryPlace, ListInquiries, ListedInquiryPage, list_inquiries},
            report_staffing::{
                ReadStaffing, StaffingReports, SubmitStaffing, Submitted, export_staffing, list_staffing,
                submit_staffing,
            },
            review_serious_case::{
                ReadSeriousNotes, SeriousCases, SeriousText, SeriousWritten, WriteSerious, designate_serious,
                list_serious, read_serious_notes, review_serious,
            },
        },
        waiting::{
            SharpReply,
            ask::{BreakGlass, break_glass},
        },
    },
};

pub const ROUTES: &[ApiRoute] = &[
    post("/v1/records/{id}/break-glass")
        .words("緊急閲覧", "Break the glass")
        .open_to(CENTERS, CASEWORK)
        .takes::<BreakGlassRequest>()
        .creates::<SharpReply>()
        .runs(run!(break_glass, call => BreakGlass {
            record: call.id("id")?,
            idempotency: call.idempotency()?,
            reason: call.json()?,
        })),
    get("/v1/break-glass")
        .words("緊急閲覧の一覧", "List broken glasses")
        .open_to(BODIES, OVERSEE)
        .query(&[("before", "`next` of the page before")])
        .answers::<ListedBreakGlassPage>()
        .runs(run!(list_break_glass, call => ListBreakGlass { before: call.before()? })),
    get("/v1/break-glass/{id}")
        .words("緊急閲覧の理由を読む", "Read the reason of a break-glass")
        .open_to(BODIES, REVIEW)
        .answers::<BrokenGlass>()
        .runs(run!(view_break_glass, call => ViewBreakGlass { break_glass: call.id("id")? })),
    post("/v1/break-glass/{id}/review")
        .words("緊急閲覧を点検する", "Review a break-glass")
        .open_to(BODIES, REVIEW)
        .answers::<Reviewed>()
        .runs(run!(review_break_glass, call => ReviewBreakGlass {
            break_glass: call.id("id")?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/records/{id}/inquiries")
        .words("中継窓口を通じて照会する", "Ask the owner through the gateway")
        .open_to(BODIES, CASEWORK)
        .takes::<InquiryText>()
        .creates::<InquiryWritten>()
        .runs(run!(ask_owner, call => AskOwner {
            record: call.id("id")?,
            idempotency: call.idempotency()?,
            question: call.json()?,
        })),
    get("/v1/inquiries")
        .words("照会の一覧", "List inquiries")
        .open_to(BODIES, READ)
        .query(&[("before", "`next` of the page before")])
        .answers::<ListedInquiryPage>()
        .runs(run!(list_inquiries, call => ListInquiries { before: inquiry_place(&call)? })),
    get("/v1/inquiries/{id}")
        .words("照会を読む", "Read an inquiry")
        .open_to(BODIES, READ)
        .answers::<Inquiry>()
        .runs(run!(view_inquiry, call => ViewInquiry { inquiry: call.id("id")? })),
    post("/v1/inquiries/{id}/answer")
        .words("照会に回答する", "Answer an inquiry")
        .open_to(BODIES, SUPERVISE)
        .takes::<InquiryText>()
        .answers::<InquiryWritten>()
        .runs(run!(answer_inquiry, call => AnswerInquiry {
            inquiry: call.id("id")?,
            idempotency: call.idempotency()?,
            answer: call.json()?,
        })),
    post("/v1/records/{id}/serious")
        .words("重大事案に指定する", "Designate a serious case")
        .open_to(BODIES, SUPERVISE)
        .takes::<SeriousText>()
        .creates::<SeriousWritten>()
        .runs(run!(designate_serious, call => serious(&call)?)),
    get("/v1/serious-cases")
        .words("重大事案の一覧", "List serious cases")
        .open_to(MINISTRY, READ)
        .answers::<SeriousCases>()
        .runs(run!(list_serious)),
    post("/v1/serious-cases/{id}/reviews")
        .words("検証の所見を書く", "Write a review note")
        .open_to(MINISTRY, CASEWORK)
        .takes::<SeriousText>()
        .creates::<SeriousWritten>()
        .runs(run!(review_serious, call => serious(&call)?)),
    get("/v1/serious-cases/{id}/notes")
        .words("指定と検証の所見を読む", "Read designation and reviews")
        .open_to(READERS, READ)
        .answers::<List<SeriousNote>>()
        .runs(run!(read_serious_notes, call => ReadSeriousNotes { record: call.id("id")? })),
    put("/v1/staffing-reports/{year}")
        .words("職員体制を報告する", "Submit a staffing report")
        .open_to(CENTERS, SUPERVISE)
        .takes::<StaffingReport>()
        .answers::<Submitted>()
        .runs(run!(submit_staffing, call => SubmitStaffing {
            year: fiscal_year(&call)?,
            idempotency: call.idempotency()?,
            report: call.json()?,
        })),
    get("/v1/staffing-reports/{year}")
        .words("職員体制の報告状況", "List staffing reports")
        .open_to(MINISTRY, READ)
        .answers::<StaffingReports>()
        .runs(run!(list_staffing, call => ReadStaffing { year: fiscal_year(&call)? })),
    get("/v1/staffing-reports/{year}/export")
        .words("職員体制をCSVで出力する", "Export staffing reports as CSV")
        .open_to(MINISTRY, READ)
        .answers::<Table>()
        .runs(run!(export_staffing, call => ReadStaffing { year: fiscal_year(&call)? })),
];

fn inquiry_place(call: &Call) -> Result<InquiryPlace, Error> {
    call.query.get("before").map_or(Ok(InquiryPlace::FIRST), |text| {
        text.parse().map_err(|()| {
            Error::field(
                "before",
                "前のページの next の値を指定してください。",
                "must be the value of next in the page before",
            )
        })
    })
}

fn serious(call: &Call) -> Result<WriteSerious, Error> {
    Ok(WriteSerious { record: call.id("id")?, idempotency: call.idempotency()?, text: call.json()? })
}

fn fiscal_year(call: &Call) -> Result<FiscalYear, Error> {
    FiscalYear::parse(call.segment("year")).ok_or(Error::field(
        "year",
        "年度を西暦4桁で指定してください。",
        "must be a fiscal year of four digits",
    ))
}
