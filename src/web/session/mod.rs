//! Signing in and out, and what one signs in with.
//!
//! The rules are those of [`crate::operations::accounts`]; a page adds none.

mod enrol;
pub mod recovery_codes;
mod second_factor;
mod sign_in;
mod sign_out;

use self::{
    enrol::{enrol_begin, enrol_finish, enrol_show},
    second_factor::{second_factor_finish, second_factor_show},
    sign_in::{sign_in_act, sign_in_show},
    sign_out::{sign_out_act, sign_out_everywhere_act},
};
use super::{
    cookies::{VISIT, random_value, setting},
    csrf,
    page::{DeskVisit, act, page, page_at_desk, show},
};
use crate::{
    error::{Error, ServiceError},
    face::{answer::Answer, route::Route},
};

pub const PAGES: &[Route] = &[
    show("/sign-in").titled("サインイン", "Sign in").for_everybody().made_by(page_at_desk!(sign_in_show)),
    act("/sign-in").titled("サインインする", "Sign in").for_everybody().made_by(page_at_desk!(sign_in_act)),
    act("/sign-out").titled("サインアウトする", "Sign out").for_everybody().made_by(page!(sign_out_act)),
    act("/sign-out/everywhere")
        .titled("すべての端末からサインアウトする", "Sign out everywhere")
        .for_everybody()
        .made_by(page!(sign_out_everywhere_act)),
    show("/enrol").titled("利用開始の手続", "First sign-in").for_everybody().made_by(page_at_desk!(enrol_show)),
    act("/enrol").titled("コードを確認する", "Check the code").for_everybody().made_by(page_at_desk!(enrol_begin)),
    act("/enrol/finish").titled("認証情報を設定する", "Set them").for_everybody().made_by(page_at_desk!(enrol_finish)),
    show("/second-factor")
        .titled("二要素認証の設定", "Set up the second factor")
        .for_everybody()
        .made_by(page!(second_factor_show)),
    act("/second-factor")
        .titled("二要素認証を設定する", "Set up the second factor")
        .for_everybody()
        .made_by(page!(second_factor_finish)),
];

/// To what the forms of the page are bound: the session that the browser has, in force or not, or a random value, and
/// whether the browser is still to be given it.
struct FormAnchor {
    value: String,
    is_new: bool,
}

impl FormAnchor {
    fn of(visit: &DeskVisit) -> Result<Self, Error> {
        match csrf::anchor(&visit.call.headers) {
            Some(value) => Ok(Self { value: value.to_owned(), is_new: false }),
            None => Ok(Self { value: random_value().ok_or(ServiceError::Overloaded)?, is_new: true }),
        }
    }

    fn put_into(self, answer: Answer) -> Answer {
        if !self.is_new {
            return answer;
        }
        answer.with_header(axum::http::header::SET_COOKIE, &setting(VISIT, &self.value))
    }
}
