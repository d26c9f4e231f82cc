//! Staff from before there were second factors set one up.

use askama::Template;

use crate::{
    error::Error,
    face::answer::Answer,
    operations::accounts::{
        enrolment::EnrolmentTicket,
        second_factor::{EnrolSecondFactor, ShownCode, begin_second_factor, enrol_second_factor},
    },
    web::{
        form::Form,
        input::Input,
        page::{Visit, again, shown},
        qr::QrCode,
        session::recovery_codes::RecoveryCodesPage,
        shell::{PagePart, Shell},
    },
};

const TITLE: (&str, &str) = ("二要素認証の設定", "Set up the second factor");

#[derive(Template)]
#[template(path = "session/second_factor.html")]
struct SecondFactorPage {
    shell: Shell,
    form: Form,
    ticket: String,
    /// What the device takes in; not shown again where it has done so.
    taken_in: Option<(QrCode, String)>,
    code: Input,
}

impl SecondFactorPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let (ticket, taken_in) = match form.filled("ticket") {
            Some(ticket) => (ticket.to_owned(), None),
            None => {
                let begun = begin_second_factor(&visit.gateway, &visit.caller).await?;
                let EnrolmentTicket { ticket, secret, url, .. } = begun.value();
                (ticket.clone(), Some((QrCode::of(url)?, secret.clone())))
            }
        };
        let label = ("認証アプリに表示されたコード", "Code shown in your authenticator app");
        Ok(Self {
            shell: visit.shell(TITLE, PagePart::Apart).await?,
            code: Input::device_code(visit.language(), &form, "second_factor", label).required(),
            ticket,
            taken_in,
            form,
        })
    }
}

pub(super) async fn second_factor_show(visit: Visit) -> Result<Answer, Error> {
    shown(&SecondFactorPage::of(&visit, Form::default()).await?)
}

pub(super) async fn second_factor_finish(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&["ticket", "second_factor"])?;
    let shown_code = ShownCode {
        ticket: form.text("ticket").to_owned(),
        second_factor: form.text("second_factor").replace(' ', ""),
    };
    let asked = EnrolSecondFactor { shown: shown_code, session: visit.session() };
    match enrol_second_factor(&visit.gateway, &visit.caller, asked).await {
        Ok(codes) => {
            let shell = visit.shell(("回復用コード", "Recovery codes"), PagePart::Apart).await?;
            shown(&RecoveryCodesPage::of(
                shell,
                vec![(visit.caller.officer().to_owned(), codes.value().recovery_codes.clone())],
                "/",
            ))
        }
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &SecondFactorPage::of(&visit, form).await?)
        }
    }
}
