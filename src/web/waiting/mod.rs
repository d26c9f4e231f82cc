//! Critical acts awaiting approval for a person: who asked for what, and standing for it or dropping it.

use askama::Template;

use super::{
    dates::moment_of,
    language::Language,
    page::{Visit, act, page, see_other, show, shown},
    shell::{PagePart, Shell, role_name},
};
use crate::{
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpKind, WaitingState},
    },
    error::Error,
    face::{
        answer::Answer,
        route::{ALL, Route, STAND},
    },
    gateway::Gateway,
    identity::Role,
    operations::waiting::{
        confirm::{ConfirmAct, confirm_act},
        list::{AskedLine, WaitingLine, WithdrawAct, list_waiting, withdraw_act},
    },
};

pub const PAGES: &[Route] = &[
    show("/waiting")
        .titled("承認を待つ重要操作", "Critical acts awaiting approval")
        .for_everybody()
        .made_by(page!(waiting)),
    act("/waiting/{id}/confirm")
        .titled("重要操作を承認する", "Approve a critical act")
        .for_whom(ALL, STAND)
        .made_by(page!(confirm)),
    act("/waiting/{id}/withdraw")
        .titled("重要操作の申請を取り下げる", "Withdraw a request")
        .for_whom(ALL, STAND)
        .made_by(page!(withdraw)),
];

const DONE: &[(&str, (&str, &str))] = &[
    (
        "asked",
        (
            "申請しました。ほかの職員の承認を待っています。",
            "It was requested, and waits for another person to approve it.",
        ),
    ),
    ("confirmed", ("承認しました。", "Approved.")),
    ("withdrawn", ("申請を取り下げました。", "The request was withdrawn.")),
];

#[derive(Template)]
#[template(path = "waiting/waiting.html")]
struct WaitingPage {
    shell: Shell,
    open: Vec<ActRow>,
    decided: Vec<ActRow>,
    set_aside: usize,
}

/// A sharp act as a row.
struct ActRow {
    id: String,
    kind: &'static str,
    state: &'static str,
    is_open: bool,
    /// What was asked: label and value.
    asked: Vec<(&'static str, String)>,
    asked_by: String,
    asked_at: String,
    not_before: String,
    expires_at: String,
    first_by: Option<String>,
    persons: usize,
}

async fn waiting(visit: Visit) -> Result<Answer, Error> {
    let title = ("承認を待つ重要操作", "Critical acts awaiting approval");
    let lines = list_waiting(&visit.gateway, &visit.caller).await?;
    let shell = visit.shell(title, PagePart::Settings).await?.accounted_for(lines.entries()).after(&visit, DONE);
    let rows = lines.value().waiting_acts.iter().map(|line| ActRow::of(&visit, line));
    let (open, decided) = rows.partition(|row| row.is_open);
    shown(&WaitingPage { shell, open, decided, set_aside: lines.value().set_aside })
}

async fn confirm(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = ConfirmAct { waiting_act: visit.call.id("id")?, idempotency: form.idempotency(&visit.call)? };
    confirm_act(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other("/waiting?done=confirmed"))
}

async fn withdraw(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = WithdrawAct { waiting_act: visit.call.id("id")?, idempotency: form.idempotency(&visit.call)? };
    withdraw_act(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other("/waiting?done=withdrawn"))
}

impl ActRow {
    fn of(visit: &Visit, line: &WaitingLine) -> Self {
        let l = visit.language();
        let body = visit.gateway.registry.name(&line.asked_by_organization);
        Self {
            id: line.waiting_act.to_string(),
            kind: l.of_pair(kind_name(line.kind)),
            state: l.of_pair(state_name(line.state)),
            is_open: matches!(line.state, WaitingState::Waiting | WaitingState::Approved),
            asked: asked(l, &visit.gateway, &line.asked),
            asked_by: format!("{body} {}", line.asked_by),
            asked_at: moment_of(l, &line.asked_at),
            not_before: moment_of(l, &line.not_before),
            expires_at: moment_of(l, &line.expires_at),
            first_by: line.first_by.clone(),
            persons: line.persons,
        }
    }
}

/// A sharp act as people call it.
pub fn kind_name(kind: SharpKind) -> (&'static str, &'static str) {
    match kind {
        SharpKind::LiftShield => ("支援措置の解除", "lifting a shield"),
        SharpKind::NameBodies => ("支援措置の開示先の追加", "naming bodies under a shield"),
        SharpKind::Dispose => ("記録の廃棄", "disposal of records"),
        SharpKind::BreakGlass => ("緊急閲覧", "emergency access"),
        SharpKind::RegisterStaff => ("職員の登録", "a new member of staff"),
        SharpKind::ChangeStaff => ("職員の氏名・役割の変更", "a change of name or roles"),
        SharpKind::ReissueCredential => ("認証情報の再発行", "a credential anew"),
        SharpKind::ReopenBody => ("管理責任者の再選任", "a first administrator anew"),
        SharpKind::ConnectOrganization => ("機関の接続", "connecting a body"),
        SharpKind::RegisterTerminal => ("端末の登録", "a new terminal"),
        SharpKind::RetireKeys => ("不要なマスター鍵の廃止", "retiring keys"),
    }
}

fn state_name(state: WaitingState) -> (&'static str, &'static str) {
    match state {
        WaitingState::Waiting => ("承認待ち", "waiting for approval"),
        WaitingState::Approved => ("承認済み（実行待ち）", "approved"),
        WaitingState::Done => ("実行済み", "done"),
        WaitingState::Withdrawn => ("取下げ済み", "withdrawn"),
        WaitingState::Expired => ("期限切れ", "expired"),
    }
}

fn roles(l: Language, roles: &[Role]) -> String {
    if roles.is_empty() {
        return l.say("なし", "none").to_owned();
    }
    roles.iter().map(|role| l.of_pair(role_name(*role))).collect::<Vec<_>>().join(l.say("・", ", "))
}

/// What was asked, member by member.
fn asked(l: Language, gateway: &Gateway, asked: &AskedLine) -> Vec<(&'static str, String)> {
    let body = |code: &OrganizationCode| gateway.registry.name(code);
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    let mut line = |label: (&'static str, &'static str), value: Option<String>| {
        lines.extend(value.map(|value| (l.of_pair(label), value)));
    };
    line(("記録", "Record"), asked.record.map(|id| id.to_string()));
    line(
        ("追加する機関", "Bodies"),
        asked.named.as_ref().map(|of| of.iter().map(body).collect::<Vec<_>>().join(l.say("、", ", "))),
    );
    line(("理由", "Reason"), asked.reason.clone());
    line(("廃棄する記録", "Records"), asked.records.as_ref().map(|of| format!("{}{}", of.len(), l.say("件", ""))));
    line(("職員番号", "Staff ID"), asked.officer.clone());
    line(("氏名", "Name"), asked.name.clone());
    line(("役割", "Roles"), asked.roles.as_ref().map(|of| roles(l, of)));
    line(("変更前の氏名", "Name before"), asked.name_before.clone());
    line(("変更前の役割", "Roles before"), asked.roles_before.as_ref().map(|of| roles(l, of)));
    line(("機関", "Body"), asked.body.as_ref().map(body));
    line(("照会の連絡先", "Whom to call"), asked.relay_desk.clone());
    line(("変更前の照会の連絡先", "Whom to call before"), asked.relay_desk_before.clone());
    line(("端末の名称", "Terminal"), asked.label.clone());
    line(("証明書の番号", "Certificate"), asked.serial.clone());
    line(("鍵の世代", "Generations"), asked.generations.as_ref().map(|of| format!("{of:?}")));
    lines
}
