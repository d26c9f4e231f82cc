//! What a route is, and who may take it.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use futures_util::future::BoxFuture;

use super::{Face, answer::Answer, call::Call};
use crate::{
    config::Limits,
    domain::organization::OrganizationKind,
    error::Error,
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
/// Those who work on records, and those who review what others did.
pub const OVERSEE: &[Role] = &[Role::Caseworker, Role::Supervisor, Role::Auditor];
pub const ADMINISTER: &[Role] = &[Role::UserAdministrator];
/// Those who answer for what people sign in with.
pub const APPOINT: &[Role] = &[Role::UserAdministrator, Role::CredentialManager];
/// Those who may stand for one sharp act or another.
pub const STAND: &[Role] = &[Role::Caseworker, Role::Supervisor, Role::UserAdministrator, Role::CredentialManager];
/// Those who can say that a colleague is who they say they are.
pub const VOUCH: &[Role] = &[Role::Supervisor, Role::UserAdministrator, Role::CredentialManager];

/// One way in, by either face.
pub struct Route {
    pub face: &'static Face,
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
    /// Of an answer that is no error.
    pub status: StatusCode,
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
    /// A record as a browser sends its form: three letters for each byte of a Japanese one, and the names of the fields.
    RecordForm,
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
            Self::RecordForm => limits.record_bytes.saturating_mul(4),
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

impl Route {
    /// Default deny: the kind of organization and one of the roles must be named.
    pub fn allows(&self, caller: &Caller) -> bool {
        self.kinds.contains(&caller.kind()) && self.roles.iter().any(|role| caller.has_role(*role))
    }
}
