//! What a route is.

use std::sync::Arc;

use axum::http::Method;
use futures_util::future::BoxFuture;

use crate::{
    config::Limits,
    domain::organization::OrganizationKind,
    error::Error,
    gateway::Gateway,
    identity::{Caller, Role},
    wire::{answer::Answer, call::Call},
};

/// One call of the API.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// Name of the operation, in metrics, ledger and OpenAPI.
    pub operation: &'static str,
    /// Kinds of organization to which it is open.
    pub kinds: &'static [OrganizationKind],
    /// Roles of which the officer must have one.
    pub roles: &'static [Role],
    pub body: BodyKind,
    pub handler: Handler,
    /// Japanese and English.
    pub summary: (&'static str, &'static str),
    /// Names of the schemas of request and answer.
    pub request: Option<&'static str>,
    pub response: Option<&'static str>,
}

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    Empty,
    Message,
    Record,
    Batch,
    Attachment,
}

impl BodyKind {
    /// Bytes.
    pub fn most(self, limits: &Limits) -> usize {
        match self {
            Self::Empty => 1_024,
            Self::Message => limits.message_bytes,
            Self::Record => limits.record_bytes,
            Self::Batch => limits.batch_bytes,
            Self::Attachment => limits.attachment_bytes,
        }
    }
}

type Operation = fn(Arc<Gateway>, Call) -> BoxFuture<'static, Result<Answer, Error>>;

/// What a route runs.
#[derive(Clone, Copy)]
pub enum Handler {
    Operation(Operation),
    /// Signing in comes before there is a caller.
    SignIn,
}

impl Route {
    /// Default deny: the kind of organization and one of the roles must be named.
    pub fn allows(&self, caller: &Caller) -> bool {
        self.kinds.contains(&caller.kind()) && self.roles.iter().any(|role| caller.has_role(*role))
    }
}
