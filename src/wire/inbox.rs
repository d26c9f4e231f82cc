//! The API of the inbox.

use std::time::Duration;

use super::route::{ALL, ANY, ApiRoute, get, post, run};
use crate::operations::inbox::read_inbox::{
    Acknowledge, AcknowledgeInbox, Inbox, ReadInbox, acknowledge_inbox, read_inbox,
};

pub const ROUTES: &[ApiRoute] = &[
    get("/v1/inbox")
        .words("受信箱", "Read the inbox")
        .open_to(ALL, ANY)
        .query(&[("after", "`cursor` of the page before"), ("wait", "seconds to wait for a message, at most 30")])
        .waits()
        .answers::<Inbox>()
        .runs(run!(read_inbox, call => ReadInbox {
            after: call.number("after")?.unwrap_or(0),
            wait: Duration::from_secs(call.number("wait")?.and_then(|wait| u64::try_from(wait).ok()).unwrap_or(0)),
        })),
    post("/v1/inbox/acknowledgements")
        .words("受信を確認する", "Acknowledge messages")
        .open_to(ALL, ANY)
        .takes::<Acknowledge>()
        .answers::<Acknowledge>()
        .runs(run!(acknowledge_inbox, call => AcknowledgeInbox {
            idempotency: call.idempotency()?,
            acknowledged: call.json()?,
        })),
];
