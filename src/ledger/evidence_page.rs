//! The page of an evidence bundle: who saw what and when, in Japanese and English, without a script or a link.

use std::fmt::Write as _;

use super::entry::{Act, Entry, Outcome};
use crate::domain::{organization::OrganizationCode, purpose::Purpose, registry::Registry, visibility::LegalBasis};

/// What the page is about.
pub struct About<'a> {
    pub organization: &'a OrganizationCode,
    /// RFC 3339.
    pub made: &'a str,
    pub origin: &'a str,
    /// Entries in the log when the page was made, and how many of these witnesses have signed.
    pub size: u64,
    pub witnessed: Option<u64>,
    /// Whether entries were left out.
    pub more: bool,
    /// Other nodes: in their logs there may be entries about the same.
    pub others: &'a [String],
}

/// Writes the page. Entries hold ids and codes alone; names of bodies come from the registry.
pub fn page(about: &About<'_>, entries: &[(u64, Entry)], registry: &Registry) -> String {
    let owner = named(about.organization.as_str(), registry);
    let mut out = String::from(HEAD);
    let witnessed = about.witnessed.map_or_else(|| "—".to_owned(), |size| size.to_string());
    let _ = write!(
        out,
        "<dl><dt>対象機関 / For</dt><dd>{owner}</dd><dt>作成 / Made</dt><dd>{}</dd>\
         <dt>記録簿 / Log</dt><dd>{}</dd><dt>記録簿の項目数 / Entries in the log</dt><dd>{}</dd>\
         <dt>証人が署名した項目数 / Entries that witnesses signed</dt><dd>{witnessed}</dd>\
         <dt>この一覧の件数 / Entries listed</dt><dd>{}</dd></dl>",
        escaped(about.made),
        escaped(about.origin),
        about.size,
        entries.len(),
    );
    if about.more {
        out.push_str(
            "<p><strong>全件ではなく、新しいものから一部のみを含みます。 / Not all entries are included, only the newest.</strong></p>",
        );
    }
    if !about.others.is_empty() {
        let others = about.others.iter().map(|node| escaped(node)).collect::<Vec<_>>().join(", ");
        let _ = write!(
            out,
            "<p><strong>次のノードの記録簿にも項目がある可能性があります。各ノードでも証拠を取得してください。 / There may be entries in \
             the logs of these nodes too; export the evidence at each: {others}</strong></p>"
        );
    }
    out.push_str(COLUMNS);
    for (position, entry) in entries {
        row(&mut out, *position, entry, registry);
    }
    out.push_str("</tbody></table></body></html>\n");
    out
}

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\">\
<title>閲覧履歴の証拠 / Evidence of disclosures</title>\
<style>body{font-family:sans-serif}table{border-collapse:collapse;font-size:small}\
td,th{border:1px solid #999;padding:.2em .4em;text-align:left;vertical-align:top}dt{font-weight:bold}</style></head><body>\
<h1>閲覧履歴の証拠 / Evidence of disclosures</h1>\
<p>このページは閲覧用です。内容の正しさは <code>tsunagi ledger verify-bundle</code> で検証してください。 / \
This page is to be read; <code>tsunagi ledger verify-bundle</code> verifies it.</p>\n";

const COLUMNS: &str = "<table><thead><tr><th>位置<br>Position</th><th>日時 (UTC)<br>When</th><th>機関<br>Organization</th>\
<th>端末<br>Terminal</th><th>職員<br>Officer</th><th>行為<br>Act</th><th>結果<br>Outcome</th><th>記録<br>Record</th>\
<th>項目群<br>Item groups</th><th>利用目的<br>Purpose</th><th>法的根拠<br>Legal basis</th></tr></thead><tbody>\n";

fn row(out: &mut String, position: u64, entry: &Entry, registry: &Registry) {
    let groups: Vec<&str> = entry.groups.iter().map(|group| group.as_str()).collect();
    let cells = [
        position.to_string(),
        escaped(&entry.at),
        named(&entry.organization, registry),
        escaped(&entry.terminal),
        escaped(&entry.officer),
        format!("{}<br>{}", act_in_japanese(entry.act), entry.act.as_str()),
        format!("{}<br>{}", outcome_in_japanese(entry.outcome), entry.outcome.as_str()),
        entry.record.map(|record| record.to_string()).unwrap_or_default(),
        groups.join(", "),
        entry
            .purpose
            .map(|purpose| format!("{}<br>{}", purpose_in_japanese(purpose), purpose.as_str()))
            .unwrap_or_default(),
        entry.legal_basis.map(LegalBasis::as_str).unwrap_or_default().to_owned(),
    ];
    out.push_str("<tr>");
    cells.iter().for_each(|cell| out.extend(["<td>", cell, "</td>"]));
    out.push_str("</tr>\n");
}

fn named(code: &str, registry: &Registry) -> String {
    let name = OrganizationCode::parse(code).map(|code| registry.name(&code)).filter(|name| name != code);
    match name {
        Some(name) => format!("{}<br>{}", escaped(&name), escaped(code)),
        None => escaped(code),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn outcome_in_japanese(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Disclosed => "開示",
        Outcome::Done => "実施",
        Outcome::NoHit => "該当なし",
        Outcome::Refused => "拒否",
    }
}

/// A purpose as people call it.
pub fn purpose_in_japanese(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::NewReport => "通告・相談の受理",
        Purpose::Casework => "進行中のケースへの対応",
        Purpose::Transfer => "転出入・ケース移管",
        Purpose::MissingChild => "行方不明児童",
        Purpose::SeriousCaseReview => "重大事案の検証",
        Purpose::Audit => "監査",
    }
}

#[expect(clippy::too_many_lines, reason = "a table: one line for each act")]
/// An act as people call it.
pub fn act_in_japanese(act: Act) -> &'static str {
    match act {
        Act::Register => "登録",
        Act::RegisterBatch => "一括登録",
        Act::Update => "更新",
        Act::Close => "終結",
        Act::View => "閲覧",
        Act::History => "履歴の閲覧",
        Act::ListOwn => "自機関の記録の一覧",
        Act::SearchOwn => "自機関の記録の検索",
        Act::TodayRead => "対応待ちの一覧",
        Act::DraftSave => "下書きの保存",
        Act::DraftView => "下書きの閲覧",
        Act::DraftDiscard => "下書きの破棄",
        Act::DraftExpire => "下書きの期限切れ",
        Act::Attach => "ファイルの添付",
        Act::ViewAttachment => "添付ファイルの閲覧",
        Act::Search => "全国検索",
        Act::SearchHit => "検索結果の表示",
        Act::TransferRequest => "情報提供の求め",
        Act::TransferOffer => "情報提供",
        Act::TransferPreview => "情報提供の内容の事前確認",
        Act::TransferConfirm => "情報提供の確認",
        Act::TransferTakeOver => "記録の引継ぎ",
        Act::TransferReject => "情報提供の拒否",
        Act::TransferWithdraw => "情報提供の取下げ",
        Act::TransferExpire => "情報提供の期限切れ",
        Act::TransferEscalate => "安全確認の期限超過",
        Act::TransferSafetyCheck => "安全確認",
        Act::NoticeBroadcast => "行方不明児童の通知の発出",
        Act::NoticeUpdate => "行方不明児童の通知の更新",
        Act::NoticeCancel => "行方不明児童の通知の解除",
        Act::NoticeView => "行方不明児童の通知の閲覧",
        Act::NoticeAnswer => "行方不明児童の通知への回答",
        Act::NoticeSearch => "行方不明児童の通知の検索",
        Act::NoticeList => "行方不明児童の通知の一覧",
        Act::StandingMatch => "行方不明児童との一致",
        Act::SeriousDesignate => "重大事案の指定",
        Act::SeriousReview => "重大事案の検証",
        Act::SeriousRead => "重大事案の閲覧",
        Act::StaffingSubmit => "職員体制の報告",
        Act::StaffingRead => "職員体制の閲覧",
        Act::ShieldSet => "支援措置の設定",
        Act::ShieldLiftAsk => "支援措置の解除の申請",
        Act::ShieldLift => "支援措置の解除",
        Act::BreakGlass => "緊急閲覧",
        Act::BreakGlassReview => "緊急閲覧の点検",
        Act::Inquire => "照会",
        Act::InquiryRead => "照会の閲覧",
        Act::InquiryAnswer => "照会への回答",
        Act::DisclosuresRead => "閲覧履歴の閲覧",
        Act::SettingsChange => "設定の変更",
        Act::OrganizationConnect => "機関の接続",
        Act::OrganizationSuspend => "機関の停止",
        Act::TerminalRegister => "端末の登録",
        Act::TerminalRevoke => "端末の失効",
        Act::StaffRegister => "職員の登録",
        Act::StaffRevoke => "職員の失効",
        Act::SessionOpen => "サインイン",
        Act::SessionEnd => "サインアウト",
        Act::EditLockTake => "編集の開始",
        Act::EditLockRenew => "編集の延長",
        Act::EditLockRelease => "編集の終了",
        Act::EditLockTakeOver => "編集の引継ぎ",
        Act::EditLockView => "編集状況の確認",
        Act::RetentionReview => "廃棄対象の確認",
        Act::RetentionChange => "保存期間の変更",
        Act::DisposalAsk => "廃棄の申請",
        Act::DisposalWithdraw => "廃棄の申請の取下げ",
        Act::DisposalApprove => "廃棄の承認",
        Act::DisposalCarryOut => "待機期間満了による廃棄",
        Act::KeyDestroy => "鍵の破棄",
        Act::LeftoverErase => "廃棄済み記録の消去",
        Act::KeysRotate => "鍵の更新",
        Act::KeysRewrapped => "鍵の掛け替え",
        Act::KeysRetire => "不要なマスター鍵の廃止",
        Act::SearchWatch => "検索の監視",
        Act::RowsChange => "期限切れ等による状態の更新",
        Act::RowsTrust => "既存データの真正性の確定",
        Act::RowRefute => "改ざんの疑いがある行の検出",
        Act::JournalRecover => "記録簿の復旧",
        Act::RollbackAccept => "巻き戻しの承認",
        Act::ShieldNameAsk => "支援措置の開示先の追加の申請",
        Act::ShieldName => "支援措置の開示先の追加",
        Act::BreakGlassAsk => "緊急閲覧の申請",
        Act::OrganizationConnectAsk => "機関の接続の申請",
        Act::TerminalRegisterAsk => "端末の登録の申請",
        Act::StaffRequest => "職員の登録・変更の申請",
        Act::StaffApprove => "職員の登録の承認",
        Act::StaffChange => "職員の変更",
        Act::CredentialIssue => "認証情報の発行",
        Act::CredentialReissueAsk => "認証情報の再発行の申請",
        Act::CredentialReissueApprove => "認証情報の再発行の承認",
        Act::CredentialEnrol => "認証情報の設定",
        Act::PasswordChange => "パスワードの変更",
        Act::SecondFactorEnrol => "二要素認証の設定",
        Act::SecondFactorShow => "重要操作の前の本人確認",
        Act::PasskeyRegister => "パスキーの登録",
        Act::PasskeyRemove => "パスキーの削除",
        Act::RecoveryCodesRenew => "回復用コードの更新",
        Act::SignInPolicyChange => "サインインの設定の変更",
        Act::SignInUnlock => "サインインの制限の解除",
        Act::BodyOpen => "機関の利用開始コードの発行",
        Act::BodyReopenAsk => "管理責任者の再選任の申請",
        Act::BodyReopenApprove => "管理責任者の再選任の承認",
        Act::SessionEndAll => "すべての端末からのサインアウト",
        Act::SharpActConfirm => "重要操作の1人目の承認",
        Act::SharpActsRead => "承認待ちの重要操作の閲覧",
        Act::SharpActWithdraw => "重要操作の申請の取下げ",
        Act::SharpActExpire => "重要操作の申請の期限切れ",
        Act::KeysRetireAsk => "不要なマスター鍵の廃止の申請",
        Act::KeysRetireApprove => "不要なマスター鍵の廃止の承認",
        Act::Refused => "拒否",
    }
}
