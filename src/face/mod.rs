//! What the two faces share: a route and who may take it, the parts of a call, the bytes of an answer.
//!
//! Comes in: the parts of a request. Goes out: the bytes of an answer. The API's face ([`crate::wire`]) and the pages'
//! ([`crate::web`]) each say how a call names its officer and how an error is answered; the server needs to know no more
//! of them. Never done here: anything that one face does and the other does not.

pub mod answer;
pub mod call;
pub mod csv;
pub mod media;
pub mod route;

use axum::http::{HeaderMap, Method, Uri, header};
use uuid::Uuid;

use self::{answer::Answer, call::Call};
use crate::{error::Error, identity::directory::OfficerClaim};

/// How one face speaks.
pub struct Face {
    /// Which officer a call names, and how.
    pub claim: for<'h> fn(&'h HeaderMap) -> OfficerClaim<'h>,
    /// Whom somebody at a desk says to be who is not known yet; the same for all that can be nobody's id.
    pub claimed_at_desk: fn(&Call) -> String,
    /// Looks at a call before anybody is recognized and anything of it is read.
    pub guard: fn(&CallHead<'_>) -> Result<(), Error>,
    /// Whether a sharp act asks for the second factor again where it was shown a while ago: a browser stands open when its
    /// person has left the desk.
    pub asks_again: bool,
    /// Answers with an error.
    pub refuse: fn(&Error, &CallHead<'_>) -> Answer,
}

/// What is known of a call before its body is read.
pub struct CallHead<'c> {
    pub method: &'c Method,
    pub uri: &'c Uri,
    pub headers: &'c HeaderMap,
    /// Id of the request.
    pub id: Uuid,
}

/// Address at which a caller asks the gateway, `https://HOST[:PORT]`, as the caller says it; empty where it says none.
pub fn own_origin(head: &CallHead<'_>) -> String {
    let of_header = || head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.authority().map(|authority| authority.as_str()).or_else(of_header);
    host.map(|host| format!("https://{host}")).unwrap_or_default()
}
