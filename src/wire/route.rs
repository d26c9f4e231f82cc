//! What a route is, and how one is declared.
//!
//! A declaration is about four lines: method and path, words, who may, what comes in and goes out, and the operation
//! with the request that it is given. The router, the tables of the tests and OpenAPI are made from it.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use futures_util::future::BoxFuture;

use super::{
    answer::Answer,
    call::Call,
    shape::{Described, Shape},
};
use crate::{
    config::Limits,
    domain::organization::OrganizationKind,
    error::{Error, RequestError},
    gateway::Gateway,
    identity::{Caller, Role},
    operations::accounts::sessions::AtDesk,
};

use OrganizationKind::{ChildGuidanceCenter, Ministry, Municipality, Operator, Prefecture};

pub const ALL: &[OrganizationKind] = OrganizationKind::ALL;
/// Those that have records.
pub const BODIES: &[OrganizationKind] = &[Municipality, ChildGuidanceCenter];
pub const CENTERS: &[OrganizationKind] = &[ChildGuidanceCenter];
/// Those that may read a record.
pub const READERS: &[OrganizationKind] = &[Municipality, ChildGuidanceCenter, Ministry];
/// Those that answer for who saw what.
pub const ACCOUNTABLE: &[OrganizationKind] = &[Municipality, ChildGuidanceCenter, Prefecture, Ministry];
pub const MINISTRY: &[OrganizationKind] = &[Ministry];
pub const OPERATOR: &[OrganizationKind] = &[Operator];

pub const ANY: &[Role] = Role::ALL;
pub const READ: &[Role] = &[Role::Viewer, Role::Caseworker, Role::Supervisor];
pub const CASEWORK: &[Role] = &[Role::Caseworker, Role::Supervisor];
pub const SUPERVISE: &[Role] = &[Role::Supervisor];
pub const REVIEW: &[Role] = &[Role::Supervisor, Role::Auditor];
pub const ADMINISTER: &[Role] = &[Role::UserAdministrator];
/// Those who answer for what people sign in with.
pub const APPOINT: &[Role] = &[Role::UserAdministrator, Role::CredentialManager];
/// Those who may stand for one sharp act or another.
pub const STAND: &[Role] = &[Role::Caseworker, Role::Supervisor, Role::UserAdministrator, Role::CredentialManager];
/// Those who can say that a colleague is who they say they are.
pub const VOUCH: &[Role] = &[Role::Supervisor, Role::UserAdministrator, Role::CredentialManager];

/// One call of the API.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// Name of the operation, in metrics, ledger and OpenAPI.
    pub operation: &'static str,
    /// Japanese and English.
    pub words: (&'static str, &'static str),
    /// Kinds of organization to which it is open.
    pub kinds: &'static [OrganizationKind],
    /// Roles of which the officer must have one.
    pub roles: &'static [Role],
    pub size: BodySize,
    pub takes: Option<Described>,
    pub answers: Described,
    /// Of an answer that is no error.
    pub status: StatusCode,
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
    /// It may wait for something to happen: it is held against revocations meanwhile, and takes no place from others.
    pub waits: bool,
    pub run: RouteHandler,
}

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySize {
    Empty,
    Message,
    Record,
    Batch,
    Attachment,
}

impl BodySize {
    /// Bytes.
    pub fn max_bytes(self, limits: &Limits) -> usize {
        match self {
            Self::Empty => 1_024,
            Self::Message => limits.message_bytes,
            Self::Record => limits.record_bytes,
            Self::Batch => limits.batch_bytes,
            Self::Attachment => limits.attachment_bytes,
        }
    }
}

type RouteFuture = BoxFuture<'static, Result<Answer, Error>>;

/// What a route runs.
#[derive(Clone, Copy)]
pub enum RouteHandler {
    Operation(fn(Arc<Gateway>, Caller, Call) -> RouteFuture),
    /// Signing in and enrolling come before there is a caller: a desk is known, and nobody at it.
    AtDesk(fn(Arc<Gateway>, AtDesk, Call) -> RouteFuture),
}

/// An operation by its name.
pub struct Named {
    pub operation: &'static str,
    pub run: RouteHandler,
}

/// Names an operation, makes its request from the call and its answer from the reply:
/// `run!(close_record, call => CloseRecord { … })`. The expression may use `?` and `.await`.
macro_rules! run {
    ($operation:ident, $call:ident => $asked:expr) => {
        $crate::wire::route::Named {
            operation: stringify!($operation),
            run: $crate::wire::route::RouteHandler::Operation(|gateway, caller, $call| {
                Box::pin(async move {
                    let asked = $asked;
                    let reply = $operation(&gateway, &caller, asked).await?;
                    Ok($crate::wire::answer::IntoAnswer::into_answer(reply, &$call))
                })
            }),
        }
    };
    ($operation:ident) => {
        $crate::wire::route::Named {
            operation: stringify!($operation),
            run: $crate::wire::route::RouteHandler::Operation(|gateway, caller, call| {
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
        $crate::wire::route::Named {
            operation: stringify!($operation),
            run: $crate::wire::route::RouteHandler::AtDesk(|gateway, desk, $call| {
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

pub const fn get(path: &'static str) -> Route {
    Route::of(Method::GET, path)
}

pub const fn post(path: &'static str) -> Route {
    Route::of(Method::POST, path)
}

pub const fn put(path: &'static str) -> Route {
    Route::of(Method::PUT, path)
}

pub const fn delete(path: &'static str) -> Route {
    Route::of(Method::DELETE, path)
}

/// How a route is declared, step by step. Nothing is open to anybody who is not named.
impl Route {
    const fn of(method: Method, path: &'static str) -> Self {
        let keyed = !matches!(method, Method::GET);
        Self {
            method,
            path,
            operation: "",
            words: ("", ""),
            kinds: &[],
            roles: &[],
            size: BodySize::Empty,
            takes: None,
            answers: Described::nothing(),
            status: StatusCode::OK,
            query: &[],
            if_match: false,
            purpose: false,
            keyed,
            attachment_kind: false,
            waits: false,
            run: RouteHandler::AtDesk(|_, _, _| Box::pin(async { Err(RequestError::NoSuchRoute.into()) })),
        }
    }

    /// What it does, in Japanese and English.
    pub const fn words(mut self, japanese: &'static str, english: &'static str) -> Self {
        self.words = (japanese, english);
        self
    }

    /// To whom it is open: kinds of organization, and roles of which the officer must have one.
    pub const fn open_to(mut self, kinds: &'static [OrganizationKind], roles: &'static [Role]) -> Self {
        self.kinds = kinds;
        self.roles = roles;
        self
    }

    /// The body that comes in.
    pub const fn takes<T: Shape>(mut self) -> Self {
        self.takes = Some(Described::of::<T>());
        self.size = T::SIZE;
        self
    }

    /// The body that goes out.
    pub const fn answers<T: Shape>(mut self) -> Self {
        self.answers = Described::of::<T>();
        self
    }

    /// Something new comes of it (201).
    pub const fn creates<T: Shape>(mut self) -> Self {
        self.status = StatusCode::CREATED;
        self.answers::<T>()
    }

    /// It begins something that goes on (202).
    pub const fn accepts<T: Shape>(mut self) -> Self {
        self.status = StatusCode::ACCEPTED;
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
        self.waits = true;
        self
    }

    /// The operation it runs.
    pub const fn runs(mut self, named: Named) -> Self {
        self.operation = named.operation;
        self.run = named.run;
        self
    }
}

impl Route {
    /// Default deny: the kind of organization and one of the roles must be named.
    pub fn allows(&self, caller: &Caller) -> bool {
        self.kinds.contains(&caller.kind()) && self.roles.iter().any(|role| caller.has_role(*role))
    }
}
