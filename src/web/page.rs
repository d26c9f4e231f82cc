//! What a page is, how one is declared, and a visit to it.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderMap, Method, StatusCode, header};
use uuid::Uuid;

use super::{
    cookies::{SESSION, cookie},
    csrf,
    form::Form,
    language::Language,
    refusal,
    shell::{PagePart, Shell},
};
use crate::{
    domain::organization::OrganizationKind,
    error::{Error, RequestError, ServiceError},
    face::{
        Face,
        answer::Answer,
        call::Call,
        route::{ALL, ANY, BodySize, Named, Route, RouteHandler},
    },
    gateway::Gateway,
    identity::{Caller, Role, directory::OfficerClaim, session::token_digest},
    operations::accounts::{sessions::AtDesk, staff::is_id},
};

/// The pages: the officer is named by the session of a cookie; errors are pages.
pub static PAGES: Face = Face { claim, claimed_at_desk, guard: csrf::guard, asks_again: true, refuse: refusal::answer };

fn claim(headers: &HeaderMap) -> OfficerClaim<'_> {
    cookie(headers, SESSION).map_or(OfficerClaim::Missing, |token| OfficerClaim::Session(token_digest(token)))
}

fn claimed_at_desk(call: &Call) -> String {
    let officer = form_urlencoded::parse(&call.body).find(|(name, _)| name == "officer");
    officer.map(|(_, officer)| officer.into_owned()).filter(|officer| is_id(officer)).unwrap_or_default()
}

/// A page to look at.
pub const fn show(path: &'static str) -> Route {
    Route::page(Method::GET, path)
}

/// An act: a form that was sent.
pub const fn act(path: &'static str) -> Route {
    Route::page(Method::POST, path)
}

/// How a page is declared, step by step. Nothing is open to anybody who is not named.
impl Route {
    const fn page(method: Method, path: &'static str) -> Self {
        let size = if matches!(method, Method::GET) { BodySize::Empty } else { BodySize::Message };
        Self {
            face: &PAGES,
            method,
            path,
            operation: "",
            words: ("", ""),
            kinds: &[],
            roles: &[],
            size,
            status: StatusCode::OK,
            waits: false,
            run: RouteHandler::AtDesk(|_, _, _| Box::pin(async { Err(RequestError::NoSuchRoute.into()) })),
        }
    }

    /// What it is called, in Japanese and English.
    pub const fn titled(mut self, japanese: &'static str, english: &'static str) -> Self {
        self.words = (japanese, english);
        self
    }

    /// To whom it is open: kinds of organization, and roles of which the officer must have one.
    pub const fn for_whom(mut self, kinds: &'static [OrganizationKind], roles: &'static [Role]) -> Self {
        self.kinds = kinds;
        self.roles = roles;
        self
    }

    pub const fn for_everybody(self) -> Self {
        self.for_whom(ALL, ANY)
    }

    /// How large the form may be.
    pub const fn sized(mut self, size: BodySize) -> Self {
        self.size = size;
        self
    }

    /// What makes it.
    pub const fn made_by(mut self, named: Named) -> Self {
        self.operation = named.operation;
        self.run = named.run;
        self
    }
}

/// Names the function that makes a page of a [`Visit`].
macro_rules! page {
    ($handler:ident) => {
        $crate::face::route::Named {
            operation: concat!("page_", stringify!($handler)),
            run: $crate::face::route::RouteHandler::Operation(|gateway, caller, call| {
                let visit = $crate::web::page::Visit { gateway, caller, call };
                Box::pin($crate::web::again::visited(visit, $handler))
            }),
        }
    };
}
pub(crate) use page;

/// The same of a [`DeskVisit`], before it is known who is there.
macro_rules! page_at_desk {
    ($handler:ident) => {
        $crate::face::route::Named {
            operation: concat!("page_", stringify!($handler)),
            run: $crate::face::route::RouteHandler::AtDesk(|gateway, desk, call| {
                Box::pin($handler($crate::web::page::DeskVisit { gateway, desk, call }))
            }),
        }
    };
}
pub(crate) use page_at_desk;

/// Somebody who is signed in asks for a page, or sends a form.
#[derive(Clone)]
pub struct Visit {
    pub gateway: Arc<Gateway>,
    pub caller: Caller,
    pub call: Call,
}

impl Visit {
    pub fn language(&self) -> Language {
        Language::of(&self.call.headers)
    }

    /// What stands around the page.
    ///
    /// # Errors
    /// The database failed.
    pub async fn shell(&self, title: (&str, &str), part: PagePart) -> Result<Shell, Error> {
        Shell::around(self, title, part).await
    }

    /// The form that was sent.
    ///
    /// # Errors
    /// As [`Form::of`].
    pub fn form(&self, fields: &[&str]) -> Result<Form, Error> {
        Form::of(&self.call, fields)
    }

    /// Digest of the token of the session.
    pub fn session(&self) -> [u8; 32] {
        token_digest(cookie(&self.call.headers, SESSION).unwrap_or_default())
    }
}

/// Somebody at a desk who is not signed in.
pub struct DeskVisit {
    pub gateway: Arc<Gateway>,
    pub desk: AtDesk,
    pub call: Call,
}

impl DeskVisit {
    pub fn language(&self) -> Language {
        Language::of(&self.call.headers)
    }
}

/// Nothing is loaded from elsewhere, framed, or sent elsewhere, and no script stands in a page.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// A page as an answer.
///
/// # Errors
/// The template failed.
pub fn html(status: StatusCode, page: &impl Template) -> Result<Answer, Error> {
    let body = page.render().map_err(|_| ServiceError::Overloaded)?;
    Ok(Answer::new(status, "text/html; charset=utf-8", body)
        .with_header(header::CONTENT_SECURITY_POLICY, POLICY)
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        // A browser that says nothing of where a form comes from could not be told from another site's.
        .with_header(header::REFERRER_POLICY, "same-origin")
        .with_header(header::VARY, "Accept-Language, Cookie"))
}

/// A page that is shown.
///
/// # Errors
/// As [`html`].
pub fn shown(page: &impl Template) -> Result<Answer, Error> {
    html(StatusCode::OK, page)
}

/// A form again, with what is wrong with it.
///
/// # Errors
/// As [`html`].
pub fn again(status: u16, page: &impl Template) -> Result<Answer, Error> {
    html(StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY), page)
}

/// What was sent is done: the browser goes on to a page, and a reload sends nothing again.
pub fn see_other(path: &str) -> Answer {
    Answer::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "").with_header(header::LOCATION, path)
}

/// What a script sent was done, or was not: no page is shown for it.
pub fn done_silently(status: u16) -> Answer {
    let status = if status == 200 { StatusCode::NO_CONTENT } else { StatusCode::CONFLICT };
    Answer::new(status, "text/plain; charset=utf-8", "")
}

/// Ids of ledger entries, as the foot of a page shows them.
pub fn entries_of(entries: Option<&[Uuid]>) -> Vec<Uuid> {
    entries.map(<[Uuid]>::to_vec).unwrap_or_default()
}
