//! One thing that there is to do, as a row: what it is, since when, until when, and the one act that it asks for.

use crate::{
    clock::Timestamp,
    domain::calendar::PartialDate,
    face::route::REVIEW,
    operations::today::view_today::{TodayKind, TodayLine},
    web::{dates::moment_in_list, language::Language, page::Visit, waiting::kind_name},
};

/// A thing to do as a row.
pub(super) struct LineRow {
    pub(super) kind: &'static str,
    /// Whose child it is about, where the caller may know.
    pub(super) child: Option<String>,
    pub(super) what: String,
    pub(super) other: String,
    pub(super) since: String,
    pub(super) due: String,
    pub(super) left: String,
    pub(super) path: String,
    pub(super) button: &'static str,
}

/// Whether a child may be waiting for it, or it is late.
pub(super) fn is_pressing(line: &TodayLine) -> bool {
    let is_grave = matches!(
        line.kind,
        TodayKind::MissingNotice
            | TodayKind::ShieldApproached
            | TodayKind::SafetyCheck
            | TodayKind::BreakGlass
            | TodayKind::SearchAlert
            | TodayKind::Objection
    );
    (is_grave && !line.exercise) || line.overdue
}

/// What a kind is called, what it says, and the act that it asks for.
fn words(kind: TodayKind) -> [(&'static str, &'static str); 3] {
    match kind {
        TodayKind::MissingNotice => [
            ("行方不明児童", "missing child"),
            ("全国の児童相談所への通知に回答していません", "a notice to all centers is not answered"),
            ("照合して回答する", "Look and answer"),
        ],
        TodayKind::ShieldApproached => [
            ("支援措置", "shield"),
            ("支援措置の対象世帯が全国検索されました", "a shielded family appeared in a search"),
            ("検索の内容を確認する", "See who searched"),
        ],
        TodayKind::SafetyCheck => [
            ("安全確認", "safety check"),
            ("緊急の引継ぎの安全確認が済んでいません", "safety check of an urgent transfer is not done"),
            ("安全確認を記録する", "Record the safety check"),
        ],
        TodayKind::BreakGlass => [
            ("緊急閲覧", "emergency access"),
            ("記録が緊急閲覧されました", "a record was opened by emergency access"),
            ("理由と範囲を確認する", "See why and review"),
        ],
        TodayKind::SearchAlert => [
            ("検索の監視", "searches"),
            ("職員の検索に注意すべき傾向があります", "a pattern in an officer's searches"),
            ("検索の履歴を確認する", "Look at the searches"),
        ],
        TodayKind::TransferOffered => [
            ("転入の確認", "transfer in"),
            ("情報が提供されています（未確認）", "information was provided and is not confirmed yet"),
            ("内容を開く", "Open"),
        ],
        TodayKind::TransferConfirmed => [
            ("引継ぎ", "take over"),
            ("確認した記録の引継ぎが済んでいません", "a confirmed record is not taken over yet"),
            ("内容を開く", "Open"),
        ],
        TodayKind::TransferRequested => [
            ("提供の求め", "asked for"),
            ("情報提供を求められています", "another body asks for a record"),
            ("内容を開く", "Open"),
        ],
        TodayKind::TransferUnconfirmed => [
            ("転出の未確認", "transfer out"),
            ("提供した情報がまだ確認されていません", "the receiver has not confirmed yet"),
            ("内容を開く", "Open"),
        ],
        TodayKind::Inquiry => [
            ("照会への回答", "inquiry"),
            ("照会を受けています（未回答）", "an inquiry is not answered yet"),
            ("照会を開く", "Open"),
        ],
        TodayKind::SharpAct => [
            ("重要操作の承認", "critical act"),
            ("承認を待っています", "waits for approval"),
            ("申請の内容を見る", "See the request"),
        ],
        TodayKind::Objection => [
            ("重要操作の通知", "critical act of others"),
            ("異議があれば取り下げられる申請があります", "a request to which you may object"),
            ("申請の内容を見る", "See the request"),
        ],
    }
}

/// Where one goes for it.
fn path(line: &TodayLine, reviews: bool) -> String {
    let subject = line.subject.map(|id| id.to_string()).unwrap_or_default();
    match line.kind {
        TodayKind::MissingNotice => format!("/missing/{subject}"),
        TodayKind::ShieldApproached => match line.record {
            Some(record) if reviews => format!("/disclosures?record={record}"),
            // Who saw it is for those who review; whoever works on it finds the record.
            Some(record) => format!("/records/{record}"),
            None => "/disclosures".to_owned(),
        },
        TodayKind::SafetyCheck
        | TodayKind::TransferOffered
        | TodayKind::TransferConfirmed
        | TodayKind::TransferRequested
        | TodayKind::TransferUnconfirmed => format!("/transfers/{subject}"),
        TodayKind::BreakGlass => format!("/break-glass/{subject}"),
        TodayKind::SearchAlert => "/disclosures?of=by_us".to_owned(),
        TodayKind::Inquiry => format!("/inquiries/{subject}"),
        TodayKind::SharpAct | TodayKind::Objection => "/waiting".to_owned(),
    }
}

impl LineRow {
    pub(super) fn of(visit: &Visit, line: &TodayLine) -> Self {
        let (l, now) = (visit.language(), visit.gateway.clock.now());
        let [kind, what, button] = words(line.kind).map(|pair| l.of_pair(pair));
        let what = match (line.act, line.message.as_deref().and_then(alert_name)) {
            (Some(act), _) => format!("{}{}{what}", l.of_pair(kind_name(act)), l.say("：", ": ")),
            (None, Some(pattern)) => format!("{}{}{what}", l.of_pair(pattern), l.say("：", ": ")),
            (None, None) => what.to_owned(),
        };
        let what = if line.exercise { format!("{}{what}", l.say("【訓練】", "(exercise) ")) } else { what };
        let today = visit.gateway.clock.today_in_japan();
        let child = line.child.as_ref().map(|child| {
            let age = PartialDate::parse(&child.birth_date).map(|birth| birth.age_on(today));
            match (age, l) {
                (Some(age), Language::Japanese) => format!("{}（{age}歳）", child.name),
                (Some(age), Language::English) => format!("{} ({age})", child.name),
                (None, _) => child.name.clone(),
            }
        });
        let other = line.other.as_ref().map(|code| visit.gateway.registry.name(code));
        let due = line.due.as_deref().and_then(Timestamp::from_rfc3339);
        Self {
            kind,
            child,
            what,
            other: other.unwrap_or_default(),
            since: Timestamp::from_rfc3339(&line.since).map(|at| moment_in_list(l, at)).unwrap_or_default(),
            due: due.map(|at| moment_in_list(l, at)).unwrap_or_default(),
            left: due.map(|at| time_left(l, at, now)).unwrap_or_default(),
            path: path(line, visit.caller.has_any_role(REVIEW)),
            button,
        }
    }
}

/// A pattern that the watch over searches noticed, as people call it.
fn alert_name(message: &str) -> Option<(&'static str, &'static str)> {
    Some(match message {
        "search_many_names" => ("多数の氏名の検索", "many names"),
        "search_walk" => ("順に続く検索", "one after another"),
        "search_at_night" => ("夜間の検索", "at night"),
        "search_own_name" => ("職員と同じ姓の検索", "the officer's own name"),
        "search_repeated" => ("同じ児童の繰り返しの検索", "one child again and again"),
        _ => return None,
    })
}

/// How long it is until then, or since: `1時間12分 超過`, `残り 3日`.
fn time_left(l: Language, due: Timestamp, now: Timestamp) -> String {
    let minutes = (due.as_micros() - now.as_micros()) / 60_000_000;
    let (days, hours, rest) = (minutes.abs() / 1_440, minutes.abs() / 60 % 24, minutes.abs() % 60);
    let long = match (l, days) {
        (Language::Japanese, 0) => format!("{hours}時間{rest}分"),
        (Language::Japanese, days) => format!("{days}日{hours}時間"),
        (Language::English, 0) => format!("{hours} h {rest} min"),
        (Language::English, days) => format!("{days} d {hours} h"),
    };
    match (l, minutes < 0) {
        (Language::Japanese, true) => format!("{long} 超過"),
        (Language::Japanese, false) => format!("残り {long}"),
        (Language::English, true) => format!("{long} late"),
        (Language::English, false) => format!("{long} left"),
    }
}

/// Where what a kind of message is about is listed.
pub(super) fn message_path(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "record_found" | "record_viewed" => "/disclosures",
        "inquiry_answered" => "/inquiries",
        "notice_answered" => "/missing",
        "sharp_act_done" | "sharp_act_ended" => "/waiting",
        kind if kind.starts_with("transfer") || kind.starts_with("safety") => "/transfers",
        kind if kind.starts_with("missing") => "/missing",
        kind if kind.starts_with("disposal") => "/disposals",
        kind if kind.starts_with("serious") => "/serious",
        kind if kind.starts_with("terminal") => "/terminals",
        kind if kind.starts_with("staff") || kind.starts_with("credential") => "/staff",
        kind if kind.starts_with("sign_in") => "/settings/sign-in",
        kind if kind.starts_with("settings") => "/settings/visibility",
        _ => return None,
    })
}

/// A kind of message as people call it.
pub(super) fn message_name(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "record_registered" => ("記録の登録の通知", "records registered"),
        "record_updated" => ("記録の更新の通知", "records updated"),
        "record_closed" => ("記録の終結の通知", "records closed"),
        "record_found" => ("全国検索での表示", "records shown in searches"),
        "record_viewed" => ("自機関の記録の閲覧", "records viewed"),
        "record_disposed" => ("記録の廃棄の通知", "records disposed of"),
        "transfer_confirmed" | "transfer_taken_over" => ("情報提供の確認・引継ぎ", "transfers confirmed or taken over"),
        "transfer_rejected" | "transfer_withdrawn" | "transfer_expired" => ("終わった情報提供", "transfers that ended"),
        "safety_check_done" => ("安全確認の完了", "safety checks done"),
        "missing_notice_updated" | "missing_notice_cancelled" => {
            ("行方不明児童の通知の更新・解除", "notices updated or cancelled")
        }
        "notice_answered" => ("行方不明児童の通知への回答", "answers to notices"),
        "serious_case_designated" | "serious_case_reviewed" => ("重大事案の指定・検証", "serious cases"),
        "inquiry_answered" => ("照会への回答の到着", "answers to questions"),
        "sharp_act_done" | "sharp_act_ended" => ("重要操作の結果", "critical acts done or ended"),
        "disposal_asked" | "disposal_withdrawn" | "disposal_approved" | "disposal_lapsed" | "disposal_done" => {
            ("記録の廃棄の手続", "disposals")
        }
        "row_refuted" => ("内容を確認できない記録", "records that could not be verified"),
        kind if kind.starts_with("terminal") => ("端末の登録・失効", "terminals"),
        kind if kind.starts_with("staff") || kind.starts_with("credential") || kind.starts_with("second") => {
            ("職員と認証情報の変更", "staff and credentials")
        }
        kind if kind.starts_with("organization") || kind.starts_with("counterpart") || kind.starts_with("body") => {
            ("機関の接続・変更", "bodies")
        }
        kind if kind.starts_with("settings") || kind.starts_with("sign_in") => ("設定の変更", "settings"),
        _ => ("その他の通知", "other messages"),
    }
}
