//! Staff: listed, asked for, changed, revoked; what they sign in with, issued and issued anew.

use askama::Template;

use super::super::{
    dates::moment_of,
    form::Form,
    input::Input,
    language::Language,
    page::{Visit, again, see_other, shown},
    shell::{PagePart, Shell, role_name},
};
use crate::{
    error::Error,
    face::{answer::Answer, route::APPOINT},
    identity::Role,
    operations::{
        accounts::{
            issue_credential::{IssueCredential, issue_credential},
            sessions::{Unlock, unlock_sign_in},
            staff::{NewStaff, RevokeStaff, StaffLine, list_staff, revoke_staff},
        },
        waiting::{
            SharpReply,
            ask::{
                RequestReissue, RequestStaff, RequestStaffChange, request_reissue, request_staff, request_staff_change,
            },
        },
    },
};

const DONE: &[(&str, (&str, &str))] = &[
    (
        "asked",
        (
            "申請しました。ほかの職員の承認を待っています。",
            "It was requested, and waits for another person to approve it.",
        ),
    ),
    ("done", ("変更しました。", "It was changed.")),
    (
        "revoked",
        (
            "利用登録を失効させました。認証情報は破棄され、サインイン中の画面も使えなくなりました。",
            "Revoked: the credential is destroyed, and sessions have ended.",
        ),
    ),
    ("unlocked", ("サインインの制限を解除しました。", "The lock was ended.")),
];

/// A role to be ticked.
struct RoleBox {
    value: &'static str,
    name: &'static str,
    is_ticked: bool,
}

fn role_boxes(l: Language, ticked: impl Fn(Role) -> bool) -> Vec<RoleBox> {
    let each = Role::ALL.iter();
    each.map(|role| RoleBox { value: role.as_str(), name: l.of_pair(role_name(*role)), is_ticked: ticked(*role) })
        .collect()
}

/// Names of the fields that hold a role each.
fn is_role_field(name: &str) -> bool {
    name.strip_prefix("role_").is_some_and(|role| Role::parse(role).is_some())
}

fn ticked(form: &Form) -> Vec<Role> {
    let is_ticked = |role: &&Role| form.value(&format!("role_{}", role.as_str())).is_some();
    Role::ALL.iter().filter(is_ticked).copied().collect()
}

fn roles_of(l: Language, line: &StaffLine) -> String {
    line.roles.iter().map(|role| l.of_pair(role_name(*role))).collect::<Vec<_>>().join(l.say("・", ", "))
}

#[derive(Template)]
#[template(path = "people/staff.html")]
struct StaffPage {
    shell: Shell,
    form: Form,
    rows: Vec<StaffRow>,
    id: Input,
    name: Input,
    roles: Vec<RoleBox>,
}

struct StaffRow {
    id: String,
    name: String,
    roles: String,
    active: bool,
}

impl StaffPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let lines = list_staff(&visit.gateway, &visit.caller).await?;
        let row = |line: &StaffLine| StaffRow {
            id: line.id.clone(),
            name: line.name.clone(),
            roles: roles_of(l, line),
            active: line.active,
        };
        let chosen = ticked(&form);
        Ok(Self {
            shell: visit.shell(("職員", "Staff"), PagePart::Settings).await?.after(visit, DONE),
            rows: lines.value().staff.iter().map(row).collect(),
            id: Input::line(l, &form, "id", ("職員番号", "Staff ID")).required().width("w-s").support((
                "半角の英数字・ハイフン（-）・下線（_）で40文字まで。一度使った番号は再び使えません",
                "Up to 40 letters, digits, - or _. Never given twice",
            )),
            name: Input::line(l, &form, "name", ("氏名", "Name")).required(),
            roles: role_boxes(l, |role| chosen.contains(&role)),
            form,
        })
    }
}

pub(super) async fn staff(visit: Visit) -> Result<Answer, Error> {
    shown(&StaffPage::of(&visit, Form::default()).await?)
}

fn asked_or_done(reply: &SharpReply) -> &'static str {
    if reply.waits() { "asked" } else { "done" }
}

pub(super) async fn register_staff(visit: Visit) -> Result<Answer, Error> {
    let mut form = Form::read(&visit.call, |name| matches!(name, "id" | "name") || is_role_field(name))?;
    let staff = NewStaff {
        id: form.text("id").trim().to_owned(),
        name: form.text("name").trim().to_owned(),
        roles: ticked(&form),
    };
    let asked = RequestStaff { staff, idempotency: form.idempotency(&visit.call)? };
    match request_staff(&visit.gateway, &visit.caller, asked).await {
        Ok(reply) => Ok(see_other(&format!("/staff?done={}", asked_or_done(reply.value())))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &StaffPage::of(&visit, form).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "people/staff_member.html")]
struct StaffMemberPage {
    shell: Shell,
    form: Form,
    id: String,
    name: String,
    active: bool,
    /// Whether the caller revokes people.
    appoints: bool,
    name_input: Input,
    roles: Vec<RoleBox>,
    /// A code that was just issued, and until when it works.
    issued: Option<(String, String)>,
}

impl StaffMemberPage {
    async fn of(visit: &Visit, mut form: Form, issued: Option<(String, String)>) -> Result<Self, Error> {
        let l = visit.language();
        let id = visit.call.segment("id");
        let lines = list_staff(&visit.gateway, &visit.caller).await?;
        let line = lines.value().staff.iter().find(|line| line.id == id).ok_or(Error::NotFound("staff"))?;
        let is_typed = form.value("name").is_some();
        let chosen = if is_typed { ticked(&form) } else { line.roles.clone() };
        if !is_typed {
            form.put("name".to_owned(), line.name.clone());
        }
        Ok(Self {
            shell: visit.shell(("職員", "A member of staff"), PagePart::Settings).await?.after(visit, DONE),
            id: line.id.clone(),
            name: line.name.clone(),
            active: line.active,
            appoints: visit.caller.has_any_role(APPOINT),
            name_input: Input::line(l, &form, "name", ("氏名", "Name")).required(),
            roles: role_boxes(l, |role| chosen.contains(&role)),
            form,
            issued,
        })
    }
}

pub(super) async fn staff_member(visit: Visit) -> Result<Answer, Error> {
    shown(&StaffMemberPage::of(&visit, Form::default(), None).await?)
}

/// What became of an act on a member of staff.
async fn after_act(visit: &Visit, mut form: Form, done: Result<&'static str, Error>) -> Result<Answer, Error> {
    match done {
        Ok(done) => Ok(see_other(&format!("/staff/{}?done={done}", visit.call.segment("id")))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &StaffMemberPage::of(visit, form, None).await?)
        }
    }
}

pub(super) async fn change_staff(visit: Visit) -> Result<Answer, Error> {
    let form = Form::read(&visit.call, |name| name == "name" || is_role_field(name))?;
    let staff = NewStaff {
        id: visit.call.segment("id").to_owned(),
        name: form.text("name").trim().to_owned(),
        roles: ticked(&form),
    };
    let asked = RequestStaffChange { staff, idempotency: form.idempotency(&visit.call)? };
    let done = request_staff_change(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|reply| asked_or_done(reply.value()))).await
}

pub(super) async fn revoke(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = RevokeStaff {
        organization: visit.caller.organization().to_string(),
        id: visit.call.segment("id").to_owned(),
        idempotency: form.idempotency(&visit.call)?,
    };
    let done = revoke_staff(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|_| "revoked")).await
}

pub(super) async fn reissue(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = RequestReissue { id: visit.call.segment("id").to_owned(), idempotency: form.idempotency(&visit.call)? };
    let done = request_reissue(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|reply| asked_or_done(reply.value()))).await
}

pub(super) async fn unlock(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = Unlock { id: visit.call.segment("id").to_owned(), idempotency: form.idempotency(&visit.call)? };
    let done = unlock_sign_in(&visit.gateway, &visit.caller, asked).await;
    after_act(&visit, form, done.map(|_| "unlocked")).await
}

/// The code is shown once, on the page that answers.
pub(super) async fn issue(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = IssueCredential {
        organization: visit.caller.organization().to_string(),
        id: visit.call.segment("id").to_owned(),
    };
    match issue_credential(&visit.gateway, &visit.caller, asked).await {
        Ok(code) => {
            let code = code.value();
            let issued = Some((code.code.clone(), moment_of(visit.language(), &code.expires_at)));
            shown(&StaffMemberPage::of(&visit, Form::default(), issued).await?)
        }
        Err(error) => after_act(&visit, form, Err(error)).await,
    }
}
