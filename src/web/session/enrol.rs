//! A person sets password and second factor with a code that was handed out; the first persons of a body do together.

use askama::Template;

use super::{FormAnchor, recovery_codes::RecoveryCodesPage};
use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::enrolment::{
        BeginEnrolment, EnrollingPerson, Enrolment, EnrolmentTicket, begin_enrolment, enrol,
    },
    web::{
        form::Form,
        input::Input,
        page::{DeskVisit, again, shown},
        qr::QrCode,
        shell::Shell,
    },
};

const TITLE: (&str, &str) = ("利用開始の手続", "First sign-in");
const PASSWORD_RULE: (&str, &str) = (
    "12文字以上128文字以下。職員番号・氏名・よく使われる語は使えません",
    "12 to 128 characters; not your ID, your name or what many people choose",
);

#[derive(Template)]
#[template(path = "session/enrol_code.html")]
struct EnrolCodePage {
    shell: Shell,
    form: Form,
    inputs: Vec<Input>,
}

impl EnrolCodePage {
    fn of(visit: &DeskVisit, form: Form, anchor: &FormAnchor) -> Self {
        let l = visit.language();
        let inputs = vec![
            Input::line(l, &form, "code", ("発行されたコード", "The code that you were given")).required(),
            Input::line(l, &form, "officer", ("職員番号", "Staff ID")).required().width("w-s").support((
                "機関の利用を開始する場合は、管理責任者となる職員の番号を決めて入力",
                "To open a body: the ID that its user administrator is to have",
            )),
            Input::line(l, &form, "second_officer", ("認証情報管理者の職員番号", "Staff ID of the credential manager"))
                .width("w-s")
                .support(("機関の利用を2人で開始する場合だけ入力", "Only where two persons open a body")),
        ];
        Self { shell: Shell::at_desk(visit, TITLE, &anchor.value), form, inputs }
    }
}

/// One person's part of the second step.
struct PersonStep {
    officer: String,
    ticket: String,
    /// What the device takes in; it was shown before where the form comes again.
    taken_in: Option<(String, QrCode)>,
    inputs: Vec<Input>,
}

#[derive(Template)]
#[template(path = "session/enrol_persons.html")]
struct EnrolPersonsPage {
    shell: Shell,
    form: Form,
    code: String,
    persons: Vec<PersonStep>,
}

/// Names of the fields of the first and the second person.
struct PersonFields {
    officer: &'static str,
    ticket: &'static str,
    name: &'static str,
    password: &'static str,
    repeated: &'static str,
    second_factor: &'static str,
}

const PERSONS: [PersonFields; 2] = [
    PersonFields {
        officer: "officer",
        ticket: "ticket",
        name: "name",
        password: "new_password",
        repeated: "repeated_password",
        second_factor: "second_factor",
    },
    PersonFields {
        officer: "second_officer",
        ticket: "second_ticket",
        name: "second_name",
        password: "second_new_password",
        repeated: "second_repeated_password",
        second_factor: "second_second_factor",
    },
];

pub(super) async fn enrol_show(visit: DeskVisit) -> Result<Answer, Error> {
    let anchor = FormAnchor::of(&visit)?;
    let page = EnrolCodePage::of(&visit, Form::default(), &anchor);
    Ok(anchor.put_into(shown(&page)?))
}

pub(super) async fn enrol_begin(visit: DeskVisit) -> Result<Answer, Error> {
    let mut form = Form::of(&visit.call, &["code", "officer", "second_officer"])?;
    match persons_page(&visit, &form).await {
        Ok(page) => shown(&page),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &EnrolCodePage::of(&visit, form, &FormAnchor::of(&visit)?))
        }
    }
}

/// The second step, with a new secret for each.
async fn persons_page(visit: &DeskVisit, form: &Form) -> Result<EnrolPersonsPage, Error> {
    let code = form.text("code").trim().to_owned();
    let mut persons = Vec::new();
    for fields in PERSONS {
        let Some(officer) = form.filled(fields.officer) else { continue };
        let asked = BeginEnrolment { code: code.clone(), officer: officer.to_owned() };
        let begun = begin_enrolment(&visit.gateway, visit.desk.clone(), asked).await?;
        let EnrolmentTicket { ticket, secret, url, opens_body } = begun.value();
        persons.push(PersonStep {
            officer: officer.to_owned(),
            ticket: ticket.clone(),
            taken_in: Some((secret.clone(), QrCode::of(url)?)),
            inputs: person_inputs(visit, form, &fields, *opens_body),
        });
    }
    let anchor = FormAnchor::of(visit)?;
    let shell = Shell::at_desk(visit, TITLE, &anchor.value);
    Ok(EnrolPersonsPage { shell, form: Form::default(), code, persons })
}

fn person_inputs(visit: &DeskVisit, form: &Form, fields: &PersonFields, is_opening: bool) -> Vec<Input> {
    let l = visit.language();
    // Everybody else's name is known: who was invited is asked for none.
    let name = is_opening.then(|| Input::line(l, form, fields.name, ("氏名", "Name")).required());
    let password = ("パスワード", "Password");
    let again = ("パスワード（確認のため再入力）", "The password once more");
    let code = ("認証アプリに表示されたコード", "Code shown in your authenticator app");
    let others = [
        Input::password(l, form, fields.password, password).required().support(PASSWORD_RULE),
        Input::password(l, form, fields.repeated, again).required(),
        Input::device_code(l, form, fields.second_factor, code).required(),
    ];
    name.into_iter().chain(others).collect()
}

pub(super) async fn enrol_finish(visit: DeskVisit) -> Result<Answer, Error> {
    let known = |name: &str| {
        name == "code"
            || PERSONS
                .iter()
                .any(|of| [of.officer, of.ticket, of.name, of.password, of.repeated, of.second_factor].contains(&name))
    };
    let mut form = Form::read(&visit.call, known)?;
    let l = visit.language();
    for fields in PERSONS {
        if form.text(fields.password) != form.text(fields.repeated) {
            form.fault(fields.repeated, l.say("上のパスワードと一致していません。", "It is not the password above"));
        }
    }
    let persons: Vec<EnrollingPerson> = PERSONS
        .iter()
        .filter_map(|fields| {
            Some(EnrollingPerson {
                officer: form.filled(fields.officer)?.to_owned(),
                name: form.filled(fields.name).map(str::to_owned),
                password: form.text(fields.password).to_owned(),
                ticket: form.text(fields.ticket).to_owned(),
                second_factor: form.text(fields.second_factor).replace(' ', ""),
            })
        })
        .collect();
    if form.is_faulty() {
        return again(422, &persons_page_again(&visit, form)?);
    }
    let asked = Enrolment { code: form.text("code").trim().to_owned(), persons };
    match enrol(&visit.gateway, visit.desk.clone(), asked).await {
        Ok(enrolled) => {
            let codes = enrolled.value().persons.iter();
            let codes = codes.map(|person| (person.officer.clone(), person.recovery_codes.clone())).collect();
            let shell = Shell::bare(l, ("回復用コード", "Recovery codes"));
            shown(&RecoveryCodesPage::of(shell, codes, "/sign-in"))
        }
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &persons_page_again(&visit, form)?)
        }
    }
}

/// The second step once more: passwords are typed again; what the devices took in stays.
fn persons_page_again(visit: &DeskVisit, form: Form) -> Result<EnrolPersonsPage, Error> {
    let step = |fields: &PersonFields| {
        Some(PersonStep {
            officer: form.filled(fields.officer)?.to_owned(),
            ticket: form.text(fields.ticket).to_owned(),
            taken_in: None,
            inputs: person_inputs(visit, &form, fields, form.value(fields.name).is_some()),
        })
    };
    let persons = PERSONS.iter().filter_map(step).collect();
    let shell = Shell::at_desk(visit, TITLE, &FormAnchor::of(visit)?.value);
    Ok(EnrolPersonsPage { shell, code: form.text("code").to_owned(), form, persons })
}
