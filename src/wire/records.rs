//! The API of case records.

use super::{
    header::ATTACHMENT_KIND,
    json,
    route::{ApiRoute, BODIES, CASEWORK, READ, READERS, SUPERVISE, delete, get, post, put, run},
    shape::{AttachmentFile, BatchFile, NationalFormat},
};
use crate::{
    disclosure::view::RecordView,
    domain::{
        attachment::{Attachment, AttachmentKind, FileContent},
        batch::BatchReport,
        format::Fault,
        visibility::GroupSet,
    },
    error::{Error, RequestError},
    face::{call::Call, media},
    operations::{
        records::{
            attach_file::{AttachFile, Attached, ViewAttachment, attach_file, view_attachment},
            close_record::{CloseRecord, close_record},
            edit_lock::{
                ChangeEditLock, EditLockHeld, EditLockReleased, EditLockState, TakeOverEditLock, TakeOverReason,
                ViewEditLock, release_edit_lock, take_edit_lock, take_over_edit_lock, view_edit_lock,
            },
            list_records::{ListRecords, OwnRecords, list_records},
            register_batch::{BatchTaken, Line, MAX_LINES, ReadBatch, RegisterBatch, read_batch, register_batch},
            register_record::{RegisterRecord, Written, register_record},
            search_own_records::{FoundOwnRecords, OwnSearch, search_own_records},
            shield_record::{SetShield, ShieldRequest, set_shield},
            update_record::{UpdateRecord, update_record},
            view_record::{History, ViewRecord, ViewVersion, view_history, view_record, view_version},
        },
        waiting::{
            SharpReply,
            ask::{AskLift, AskNaming, NamedBodies, ask_lift, ask_naming},
            confirm::{ApproveLift, approve_lift},
        },
    },
};

pub const ROUTES: &[ApiRoute] = &[
    post("/v1/batches")
        .words("児童記録票を一括で登録する（1行に1件）", "Register a file of many records, one on each line")
        .open_to(BODIES, CASEWORK)
        .takes::<BatchFile>()
        .creates::<BatchTaken>()
        .runs(run!(register_batch, call => batch(&call)?)),
    get("/v1/batches/{id}")
        .words("一括登録の行ごとの結果を読む", "Read what became of each line of a batch")
        .open_to(BODIES, READ)
        .answers::<BatchReport>()
        .runs(run!(read_batch, call => ReadBatch { batch: call.id("id")? })),
    post("/v1/records")
        .words("児童記録票を登録する", "Register a record")
        .open_to(BODIES, CASEWORK)
        .takes::<NationalFormat>()
        .creates::<Written>()
        .runs(run!(register_record, call => RegisterRecord { idempotency: call.idempotency()?, document: call.document().await? })),
    get("/v1/records")
        .words("自機関の記録の一覧", "List one's own records")
        .open_to(BODIES, READ)
        .query(&[("after", "`next` of the page before")])
        .answers::<OwnRecords>()
        .runs(run!(list_records, call => ListRecords { after: call.after()? })),
    post("/v1/records/searches")
        .words("自機関の記録を氏名で検索する", "Search one's own records by a name")
        .open_to(BODIES, READ)
        .takes::<OwnSearch>()
        .answers::<FoundOwnRecords>()
        .unkeyed()
        .runs(run!(search_own_records, call => call.json::<OwnSearch>()?)),
    get("/v1/records/{id}")
        .words("記録を閲覧する", "View a record")
        .open_to(READERS, READ)
        .purpose()
        .answers::<RecordView>()
        .runs(run!(view_record, call => ViewRecord { record: call.id("id")?, purpose: call.purpose()? })),
    put("/v1/records/{id}")
        .words("記録を更新する", "Update a record")
        .open_to(BODIES, CASEWORK)
        .if_match()
        .takes::<NationalFormat>()
        .answers::<Written>()
        .runs(run!(update_record, call => UpdateRecord {
            record: call.id("id")?,
            version: call.if_match()?,
            idempotency: call.idempotency()?,
            document: call.document().await?,
            keeps: GroupSet::EMPTY,
        })),
    get("/v1/records/{id}/history")
        .words("版の履歴", "History of versions")
        .open_to(BODIES, READ)
        .purpose()
        .answers::<History>()
        .runs(run!(view_history, call => ViewRecord { record: call.id("id")?, purpose: call.purpose()? })),
    get("/v1/records/{id}/versions/{version}")
        .words("以前の版を閲覧する", "View an older version")
        .open_to(BODIES, READ)
        .purpose()
        .answers::<RecordView>()
        .runs(run!(view_version, call => ViewVersion {
            version: call.segment("version").parse().map_err(|_| Error::NotAvailable)?,
            record: call.id("id")?,
            purpose: call.purpose()?,
        })),
    post("/v1/records/{id}/close")
        .words("記録を終結する", "Close a record")
        .open_to(BODIES, SUPERVISE)
        .if_match()
        .answers::<Written>()
        .runs(run!(close_record, call => CloseRecord {
            record: call.id("id")?,
            version: call.if_match()?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/records/{id}/attachments")
        .words("ファイルを添付する", "Attach a file")
        .open_to(BODIES, CASEWORK)
        .attachment_kind()
        .takes::<AttachmentFile>()
        .creates::<Attached>()
        .runs(run!(attach_file, call => AttachFile {
            record: call.id("id")?,
            idempotency: call.idempotency()?,
            content: content(&call)?,
            kind: attachment_kind(&call)?,
        })),
    get("/v1/records/{id}/attachments/{attachment}")
        .words("添付を閲覧する", "View an attachment")
        .open_to(READERS, READ)
        .purpose()
        .answers::<Attachment>()
        .runs(run!(view_attachment, call => ViewAttachment {
            record: call.id("id")?,
            attachment: call.id("attachment").map_err(|_| Error::NotAvailable)?,
            purpose: call.purpose()?,
        })),
    put("/v1/records/{id}/edit-lock")
        .words("編集ロックを取得し、又は延長する", "Take or renew the edit lock")
        .open_to(BODIES, CASEWORK)
        .answers::<EditLockHeld>()
        .runs(run!(take_edit_lock, call => edit_lock(&call)?)),
    get("/v1/records/{id}/edit-lock")
        .words("編集中の職員を確認する", "See who is editing")
        .open_to(BODIES, READ)
        .answers::<EditLockState>()
        .runs(run!(view_edit_lock, call => ViewEditLock { record: call.id("id")? })),
    delete("/v1/records/{id}/edit-lock")
        .words("編集を終える", "Release the edit lock")
        .open_to(BODIES, CASEWORK)
        .answers::<EditLockReleased>()
        .runs(run!(release_edit_lock, call => edit_lock(&call)?)),
    post("/v1/records/{id}/edit-lock/take-over")
        .words("監督者が編集を引き継ぐ", "Take the edit lock over from another officer")
        .open_to(BODIES, SUPERVISE)
        .takes::<TakeOverReason>()
        .answers::<EditLockHeld>()
        .runs(run!(take_over_edit_lock, call => TakeOverEditLock {
            record: call.id("id")?,
            idempotency: call.idempotency()?,
            reason: call.json()?,
        })),
    put("/v1/records/{id}/shield")
        .words("支援措置を設定する", "Shield a record")
        .open_to(BODIES, CASEWORK)
        .takes::<ShieldRequest>()
        .answers::<Written>()
        .runs(run!(set_shield, call => SetShield {
            record: call.id("id")?,
            shield: call.json()?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/records/{id}/shield/lift-requests")
        .words("支援措置の解除を申請する", "Ask to lift a shield")
        .open_to(BODIES, CASEWORK)
        .accepts::<SharpReply>()
        .runs(run!(ask_lift, call => AskLift { record: call.id("id")?, idempotency: call.idempotency()? })),
    post("/v1/records/{id}/shield/lift-approvals")
        .words("支援措置の解除を承認する（監督者、執務端末）", "Stand for lifting a shield: a supervisor at a desk")
        .open_to(BODIES, SUPERVISE)
        .answers::<SharpReply>()
        .runs(run!(approve_lift, call => ApproveLift { record: call.id("id")?, idempotency: call.idempotency()? })),
    post("/v1/records/{id}/shield/naming-requests")
        .words("支援措置の開示先の追加を申請する", "Ask to name bodies under a shield")
        .open_to(BODIES, CASEWORK)
        .takes::<NamedBodies>()
        .accepts::<SharpReply>()
        .runs(run!(ask_naming, call => AskNaming {
            record: call.id("id")?,
            bodies: call.json()?,
            idempotency: call.idempotency()?,
        })),
];

fn edit_lock(call: &Call) -> Result<ChangeEditLock, Error> {
    Ok(ChangeEditLock { record: call.id("id")?, idempotency: call.idempotency()? })
}

/// The file, where it is what its media type says.
fn content(call: &Call) -> Result<FileContent, Error> {
    media::file(&call.content_type(), call.body.clone()).ok_or_else(|| RequestError::MediaType.into())
}

fn attachment_kind(call: &Call) -> Result<AttachmentKind, Error> {
    let stated = call.header(ATTACHMENT_KIND.as_str());
    stated.map_or(Some(AttachmentKind::Other), AttachmentKind::parse).ok_or(Error::field(
        "Tsunagi-Attachment-Kind",
        "injury_photo 又は other を指定してください。",
        "must be injury_photo or other",
    ))
}

/// Media type of a batch: a record of the national format in JSON on each line.
const BATCH: &str = "application/x-ndjson";

fn batch(call: &Call) -> Result<RegisterBatch, Error> {
    let idempotency = call.idempotency()?;
    if call.content_type() != BATCH {
        return Err(Error::field(
            "Content-Type",
            "application/x-ndjson（1行に1件のJSON）で送信してください。",
            "must be application/x-ndjson: one record in JSON on each line",
        ));
    }
    let (body, max_bytes) = (call.body.clone(), call.record_bytes);
    let lines = move || {
        let lines = (1..).zip(body.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty());
        // One more than may be: the operation says so.
        lines.take(MAX_LINES + 1).map(|(number, line)| (number, read_line(line, max_bytes))).collect::<Vec<Line>>()
    };
    Ok(RegisterBatch { lines: Box::new(lines), idempotency })
}

fn read_line(line: &[u8], max_bytes: usize) -> Result<crate::domain::format::Document, Vec<Fault>> {
    if line.len() > max_bytes {
        return Err(vec![Fault {
            line: 0,
            path: "/".to_owned(),
            rule: "too_large".into(),
            message_ja: format!("1件の上限は{max_bytes}バイトです。"),
            message_en: format!("A record has at most {max_bytes} bytes."),
        }]);
    }
    json::read(line)
}
