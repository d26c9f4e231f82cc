//! How a route of the API is declared.
//!
//! A declaration is about four lines: method and path, words, who may, what comes in and goes out, and the operation
//! with the request that it is given. The router, the tables of the tests and OpenAPI are made from it.

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::{
    accounts,
    header::OFFICER,
    shape::{Described, Shape},
};
pub use crate::face::route::{
    ACCOUNTABLE, ADMINISTER, ALL, ANY, APPOINT, BODIES, CASEWORK, CENTERS, MINISTRY, Named, OPERATOR, OVERSEE, READ,
    READERS, REVIEW, STAND, SUPERVISE, VOUCH,
};
use crate::{
    domain::organization::OrganizationKind,
    error::RequestError,
    face::{
        Face,
        answer::Answer,
        route::{BodySize, Route, RouteHandler},
    },
    identity::{Role, directory::OfficerClaim, session::token_digest},
};

/// The API: officers are named by a case system, or by the token of a session; errors are problem+json.
pub static API: Face = Face {
    claim,
    claimed_at_desk: accounts::claimed_officer,
    guard: |_| Ok(()),
    asks_again: false,
    refuse: |error, head| Answer::problem(error, head.id),
};

fn claim(headers: &HeaderMap) -> OfficerClaim<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(OFFICER.as_str()), text(header::AUTHORIZATION.as_str())) {
        (_, Some(bearer)) => match bearer.strip_prefix("Bearer ") {
            Some(token) => OfficerClaim::Session(token_digest(token)),
            None => OfficerClaim::Missing,
        },
        (Some(officer), None) => OfficerClaim::Named(officer),
        (None, None) => OfficerClaim::Missing,
    }
}

/// One call of the API.
pub struct ApiRoute {
    pub route: Route,
    pub takes: Option<Described>,
    pub answers: Described,
    /// Query parameters and what they mean. None is required.
    pub query: &'static [(&'static str, &'static str)],
    /// `If-Match` names the version that is changed.
    pub if_match: bool,
    /// `Tsunagi-Purpose` states why the caller looks.
    pub purpose: bool,
    /// `Idempotency-Key` is required.
    pub keyed: bool,
    /// `Tsunagi-Attachment-Kind` may be given.
    pub attachment_kind: bool,
}

/// Names an operation, makes its request from the call and its answer from the reply:
/// `run!(close_record, call => CloseRecord { … })`. The expression may use `?` and `.await`.
macro_rules! run {
    ($operation:ident, $call:ident => $asked:expr) => {
        $crate::face::route::Named {
            operation: stringify!($operation),
            run: $crate::face::route::RouteHandler::Operation(|gateway, caller, $call| {
                Box::pin(async move {
                    let asked = $asked;
                    let reply = $operation(&gateway, &caller, asked).await?;
                    Ok($crate::wire::answer::IntoAnswer::into_answer(reply, &$call))
                })
            }),
        }
    };
    ($operation:ident) => {
        $crate::face::route::Named {
            operation: stringify!($operation),
            run: $crate::face::route::RouteHandler::Operation(|gateway, caller, call| {
                Box::pin(async move {
                    let reply = $operation(&gateway, &caller).await?;
                    Ok($crate::wire::answer::IntoAnswer::into_answer(reply, &call))
                })
            }),
        }
    };
}
pub(crate) use run;

/// The same for what is asked at a desk before it is known who asks.
macro_rules! run_at_desk {
    ($operation:ident, $call:ident => $asked:expr) => {
        $crate::face::route::Named {
            operation: stringify!($operation),
            run: $crate::face::route::RouteHandler::AtDesk(|gateway, desk, $call| {
                Box::pin(async move {
                    let asked = $asked;
                    let reply = $operation(&gateway, desk, asked).await?;
                    Ok($crate::wire::answer::IntoAnswer::into_answer(reply, &$call))
                })
            }),
        }
    };
}
pub(crate) use run_at_desk;

pub const fn get(path: &'static str) -> ApiRoute {
    ApiRoute::of(Method::GET, path)
}

pub const fn post(path: &'static str) -> ApiRoute {
    ApiRoute::of(Method::POST, path)
}

pub const fn put(path: &'static str) -> ApiRoute {
    ApiRoute::of(Method::PUT, path)
}

pub const fn delete(path: &'static str) -> ApiRoute {
    ApiRoute::of(Method::DELETE, path)
}

/// How a route is declared, step by step. Nothing is open to anybody who is not named.
impl ApiRoute {
    const fn of(method: Method, path: &'static str) -> Self {
        let keyed = !matches!(method, Method::GET);
        Self {
            route: Route {
                face: &API,
                method,
                path,
                operation: "",
                words: ("", ""),
                kinds: &[],
                roles: &[],
                size: BodySize::Empty,
                status: StatusCode::OK,
                waits: false,
                run: RouteHandler::AtDesk(|_, _, _| Box::pin(async { Err(RequestError::NoSuchRoute.into()) })),
            },
            takes: None,
            answers: Described::nothing(),
            query: &[],
            if_match: false,
            purpose: false,
            keyed,
            attachment_kind: false,
        }
    }

    /// What it does, in Japanese and English.
    pub const fn words(mut self, japanese: &'static str, english: &'static str) -> Self {
        self.route.words = (japanese, english);
        self
    }

    /// To whom it is open: kinds of organization, and roles of which the officer must have one.
    pub const fn open_to(mut self, kinds: &'static [OrganizationKind], roles: &'static [Role]) -> Self {
        self.route.kinds = kinds;
        self.route.roles = roles;
        self
    }

    /// The body that comes in.
    pub const fn takes<T: Shape>(mut self) -> Self {
        self.takes = Some(Described::of::<T>());
        self.route.size = T::SIZE;
        self
    }

    /// The body that goes out.
    pub const fn answers<T: Shape>(mut self) -> Self {
        self.answers = Described::of::<T>();
        self
    }

    /// Something new comes of it (201).
    pub const fn creates<T: Shape>(mut self) -> Self {
        self.route.status = StatusCode::CREATED;
        self.answers::<T>()
    }

    /// It begins something that goes on (202).
    pub const fn accepts<T: Shape>(mut self) -> Self {
        self.route.status = StatusCode::ACCEPTED;
        self.answers::<T>()
    }

    pub const fn query(mut self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        self.query = parameters;
        self
    }

    pub const fn if_match(mut self) -> Self {
        self.if_match = true;
        self
    }

    pub const fn purpose(mut self) -> Self {
        self.purpose = true;
        self
    }

    /// Repeating it does no harm: it needs no key.
    pub const fn unkeyed(mut self) -> Self {
        self.keyed = false;
        self
    }

    pub const fn attachment_kind(mut self) -> Self {
        self.attachment_kind = true;
        self
    }

    pub const fn waits(mut self) -> Self {
        self.route.waits = true;
        self
    }

    /// The operation it runs.
    pub const fn runs(mut self, named: Named) -> Self {
        self.route.operation = named.operation;
        self.route.run = named.run;
        self
    }
}
