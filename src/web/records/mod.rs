//! Case records: listed, read, registered, edited, closed, shielded, with their files and their history.
//!
//! Comes in: a visit, and a form of a record. Goes out: pages of what the gate disclosed. Form and reading view are made of
//! the one definition of the national format: [`sheet`] and [`from_form`] go to and fro between a form and a document,
//! [`reading`] lays a section out. Never done here: deciding what may be seen; showing what was not disclosed.

mod arrangement;
mod attachments;
mod buttons;
mod close;
mod code_words;
mod differences;
mod draft;
mod drafts;
mod edit;
mod fields;
mod from_form;
pub mod head;
mod history;
mod list;
mod look_up;
mod naming;
mod own_search;
mod reading;
mod record;
mod register;
mod sheet;
mod shield;
pub mod typed_date;
mod upload;
mod words;

use self::{
    attachments::{attach_act, attach_show, attachment_show},
    close::{close_act, close_show},
    drafts::{draft_discard, drafts_list},
    edit::{edit_act, edit_begin, edit_end, edit_show, edit_take_over},
    history::{history_show, version_show},
    list::records_list,
    naming::shield_name_act,
    own_search::own_search,
    record::{record_open, record_show},
    register::{register_act, register_show},
    shield::{shield_act, shield_lift_act, shield_show},
};
use super::page::{act, page, show};
use crate::face::route::{BODIES, BodySize, CASEWORK, READ, READERS, Route, SUPERVISE};

pub const PAGES: &[Route] = &[
    show("/records").titled("児童記録票の一覧", "Own records").for_whom(BODIES, READ).made_by(page!(records_list)),
    act("/records/search")
        .titled("自機関の記録を検索する", "Search own records")
        .for_whom(BODIES, READ)
        .made_by(page!(own_search)),
    show("/records/new")
        .titled("児童記録票の新規登録", "A new record")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(register_show)),
    act("/records/new")
        .titled("児童記録票を登録する", "Register a record")
        .for_whom(BODIES, CASEWORK)
        .sized(BodySize::RecordForm)
        .made_by(page!(register_act)),
    show("/drafts").titled("下書き", "Drafts").for_whom(BODIES, CASEWORK).made_by(page!(drafts_list)),
    act("/drafts/{id}/discard")
        .titled("下書きを破棄する", "Discard a draft")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(draft_discard)),
    show("/records/{id}").titled("児童記録票", "A record").for_whom(READERS, READ).made_by(page!(record_show)),
    show("/records/{id}/sections/{section}")
        .titled("表示していない項目を表示する", "Show a section that is not shown")
        .for_whom(READERS, READ)
        .made_by(page!(record_open)),
    show("/records/{id}/history").titled("変更の履歴", "History").for_whom(BODIES, READ).made_by(page!(history_show)),
    show("/records/{id}/versions/{version}")
        .titled("版の内容と前の版との違い", "A version and what it changed")
        .for_whom(BODIES, READ)
        .made_by(page!(version_show)),
    act("/records/{id}/edit/begin")
        .titled("編集を始める", "Begin to edit")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(edit_begin)),
    act("/records/{id}/edit/end")
        .titled("編集を終える", "End editing")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(edit_end)),
    act("/records/{id}/edit/take-over")
        .titled("編集を引き継ぐ", "Take the edit over")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(edit_take_over)),
    show("/records/{id}/edit")
        .titled("児童記録票の編集", "Edit a record")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(edit_show)),
    act("/records/{id}/edit")
        .titled("児童記録票を保存する", "Save a record")
        .for_whom(BODIES, CASEWORK)
        .sized(BodySize::RecordForm)
        .made_by(page!(edit_act)),
    show("/records/{id}/close")
        .titled("終結の確認", "Whether to close")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(close_show)),
    act("/records/{id}/close")
        .titled("終結する", "Close a record")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(close_act)),
    show("/records/{id}/shield")
        .titled("支援措置", "The shield")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(shield_show)),
    act("/records/{id}/shield")
        .titled("支援措置を設定する", "Set a shield")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(shield_act)),
    act("/records/{id}/shield/names")
        .titled("開示先の追加を申請する", "Ask to name bodies")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(shield_name_act)),
    act("/records/{id}/shield/lift")
        .titled("支援措置の解除を申請する", "Ask to lift a shield")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(shield_lift_act)),
    show("/records/{id}/attachments/new")
        .titled("ファイルの添付", "A file to attach")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(attach_show)),
    act("/records/{id}/attachments")
        .titled("ファイルを添付する", "Attach a file")
        .for_whom(BODIES, CASEWORK)
        .sized(BodySize::Attachment)
        .made_by(page!(attach_act)),
    show("/records/{id}/attachments/{attachment}")
        .titled("添付ファイル", "A file")
        .for_whom(READERS, READ)
        .made_by(page!(attachment_show)),
];
