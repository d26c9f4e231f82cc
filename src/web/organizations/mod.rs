//! Bodies as the operator administers them: connected, opened, suspended; their terminals. No record data.

use askama::Template;

use super::{
    dates::moment_of,
    form::Form,
    input::{ChoiceInput, Input},
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::organization::OrganizationCode,
    error::{Error, RequestError},
    face::{
        answer::Answer,
        route::{ADMINISTER, OPERATOR, Route},
    },
    identity::directory::TerminalKind,
    operations::{
        accounts::{
            first_persons::{OpenBody, open_body},
            organizations::{
                ConnectedOrganization, OrganizationLine, SuspendOrganization, list_organizations, suspend_organization,
            },
            terminals::NewTerminal,
        },
        waiting::{
            SharpReply,
            ask::{
                ConnectOrganization, RegisterTerminal, RequestReopening, connect_organization, register_terminal,
                request_reopening,
            },
        },
    },
};

pub const PAGES: &[Route] = &[
    show("/organizations")
        .titled("接続機関", "Organizations")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(organizations)),
    act("/organizations")
        .titled("機関を接続する", "Connect a body")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(connect)),
    show("/organizations/{code}")
        .titled("接続機関", "A body")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(organization)),
    act("/organizations/{code}/terminals")
        .titled("端末の登録を申請する", "Register a terminal")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(terminal)),
    act("/organizations/{code}/opening-codes")
        .titled("利用開始コードを発行する", "Issue an opening code")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(open)),
    act("/organizations/{code}/suspend")
        .titled("機関の利用を停止する", "Suspend a body")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(suspend)),
    act("/organizations/{code}/reopening")
        .titled("管理責任者の再選任を申請する", "Ask for a first administrator anew")
        .for_whom(OPERATOR, ADMINISTER)
        .made_by(page!(reopen)),
];

const DONE: &[(&str, (&str, &str))] = &[
    (
        "asked",
        (
            "申請しました。所属機関の管理責任者の承認を待っています。",
            "It was requested, and waits for the user administrator of that organization to approve it.",
        ),
    ),
    ("done", ("実行しました。", "It was done.")),
    ("suspended", ("利用を停止しました。", "It was suspended.")),
];

fn asked_or_done(reply: &SharpReply) -> &'static str {
    if reply.waits() { "asked" } else { "done" }
}

#[derive(Template)]
#[template(path = "organizations/organizations.html")]
struct OrganizationsPage {
    shell: Shell,
    form: Form,
    rows: Vec<(String, String)>,
    code: Input,
    relay_desk: Input,
}

impl OrganizationsPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let lines = list_organizations(&visit.gateway, &visit.caller).await?;
        let row = |line: &OrganizationLine| (line.code.to_string(), line.name.clone());
        Ok(Self {
            shell: visit.shell(("接続機関", "Organizations"), PagePart::Organizations).await?.after(visit, DONE),
            rows: lines.value().organizations.iter().map(row).collect(),
            code: Input::line(l, &form, "code", ("機関コード", "Code")).required().width("w-s"),
            relay_desk: Input::line(l, &form, "relay_desk", ("照会の連絡先", "Whom to call")).required(),
            form,
        })
    }
}

async fn organizations(visit: Visit) -> Result<Answer, Error> {
    shown(&OrganizationsPage::of(&visit, Form::default()).await?)
}

async fn connect(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&["code", "relay_desk"])?;
    let Some(code) = form.filled("code").and_then(OrganizationCode::parse) else {
        form.fault("code", visit.language().say("機関コードを入力してください。", "Enter the code of a body"));
        return again(422, &OrganizationsPage::of(&visit, form).await?);
    };
    let organization = ConnectedOrganization { code, relay_desk: form.text("relay_desk").to_owned() };
    let asked = ConnectOrganization { organization, idempotency: form.idempotency(&visit.call)? };
    match connect_organization(&visit.gateway, &visit.caller, asked).await {
        Ok(reply) => Ok(see_other(&format!("/organizations?done={}", asked_or_done(reply.value())))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &OrganizationsPage::of(&visit, form).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "organizations/organization.html")]
struct OrganizationPage {
    shell: Shell,
    form: Form,
    code: String,
    name: String,
    serial: Input,
    label: Input,
    kind: ChoiceInput,
    /// An opening code that was just issued, and until when it works.
    issued: Option<(String, String)>,
}

impl OrganizationPage {
    async fn of(visit: &Visit, form: Form, issued: Option<(String, String)>) -> Result<Self, Error> {
        let l = visit.language();
        let code = OrganizationCode::parse(visit.call.segment("code")).ok_or(Error::NotFound("organization"))?;
        Ok(Self {
            shell: visit.shell(("接続機関", "A body"), PagePart::Organizations).await?.after(visit, DONE),
            name: visit.gateway.registry.name(&code),
            code: code.to_string(),
            serial: Input::line(l, &form, "serial", ("証明書の番号", "Serial of the certificate"))
                .required()
                .support(("16進数の小文字、先頭の0は除く", "Lower-case hexadecimal without leading zeros")),
            label: Input::line(l, &form, "label", ("端末の名称", "Name of the terminal")).required(),
            kind: ChoiceInput::of(l, &form, "kind", ("種別", "Kind"))
                .at_first("desk")
                .option("desk", ("執務端末", "desk"))
                .option("machine", ("業務システム", "case system")),
            form,
            issued,
        })
    }
}

async fn organization(visit: Visit) -> Result<Answer, Error> {
    shown(&OrganizationPage::of(&visit, Form::default(), None).await?)
}

async fn after_act(visit: &Visit, mut form: Form, done: Result<&'static str, Error>) -> Result<Answer, Error> {
    match done {
        Ok(done) => Ok(see_other(&format!("/organizations/{}?done={done}", visit.call.segment("code")))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &OrganizationPage::of(visit, form, None).await?)
        }
    }
}

async fn terminal(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&["serial", "label", "kind"])?;
    let organization = OrganizationCode::parse(visit.call.segment("code")).ok_or(Error::NotFound("organization"))?;
    let kind = match form.text("kind") {
        "machine" => TerminalKind::Machine,
        "desk" => TerminalKind::Desk,
        _ => return Err(RequestError::FormField.into()),
    };
    let terminal = NewTerminal {
        serial: form.text("serial").trim().to_owned(),
        organization,
        kind,
        label: form.text("label").to_owned(),
    };
    let asked = RegisterTerminal { terminal, idempotency: form.idempotency(&visit.call)? };
    let done = register_terminal(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|reply| asked_or_done(reply.value()))).await
}

/// The code is shown once, on the page that answers.
async fn open(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    match open_body(&visit.gateway, &visit.caller, OpenBody { code: visit.call.segment("code").to_owned() }).await {
        Ok(code) => {
            let issued = Some((code.value().code.clone(), moment_of(visit.language(), &code.value().expires_at)));
            shown(&OrganizationPage::of(&visit, Form::default(), issued).await?)
        }
        Err(error) => after_act(&visit, form, Err(error)).await,
    }
}

async fn suspend(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = SuspendOrganization {
        code: visit.call.segment("code").to_owned(),
        idempotency: form.idempotency(&visit.call)?,
    };
    let done = suspend_organization(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|_| "suspended")).await
}

async fn reopen(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked =
        RequestReopening { code: visit.call.segment("code").to_owned(), idempotency: form.idempotency(&visit.call)? };
    let done = request_reopening(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|reply| asked_or_done(reply.value()))).await
}
