//! A call as the server hands it to an operation, of a caller who came in by the directory as everybody does.

use std::{collections::HashMap, sync::LazyLock};

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use tsunagi::{
    clock::Timestamp,
    domain::{organization::OrganizationCode, visibility::VisibilitySettings},
    identity::{
        Caller, Role,
        certificate::TerminalCertificate,
        directory::{Directory, DirectoryChange, Officer, Organization, StaffMember, Terminal, TerminalKind},
    },
    wire::call::Call,
};
use uuid::Uuid;

pub(super) fn call(headers: HeaderMap, query: HashMap<String, String>, body: Vec<u8>) -> Call {
    Call {
        caller: CALLER.clone(),
        decided_at: 0,
        attempt: 0,
        operation: "fuzz",
        path: query.clone(),
        query,
        headers,
        body: body.into(),
        fingerprint: hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]),
    }
}

static CALLER: LazyLock<Caller> = LazyLock::new(|| {
    let organization = OrganizationCode::ministry();
    let certificate = TerminalCertificate {
        organization: organization.clone(),
        serial: "1f".to_owned(),
        not_after: Timestamp::from_micros(i64::MAX),
    };
    let now = Timestamp::from_micros(0);
    let caller = directory(&organization).recognize(&certificate, &Officer::Named("o1"), now, Uuid::nil());
    caller.unwrap_or_else(|_| unreachable!("the directory knows its only caller"))
});

fn directory(code: &OrganizationCode) -> Directory {
    let directory = Directory::default();
    directory.apply(DirectoryChange::Organization(Box::new(Organization {
        code: code.clone(),
        active: true,
        relay_desk: String::new(),
        settings: VisibilitySettings::default(),
        last_upload_at: None,
    })));
    directory.apply(DirectoryChange::Terminal(Box::new(Terminal {
        serial: "1f".to_owned(),
        organization: code.clone(),
        kind: TerminalKind::Machine,
        label: String::new(),
        active: true,
    })));
    directory.apply(DirectoryChange::Staff(Box::new(StaffMember {
        organization: code.clone(),
        id: "o1".to_owned(),
        name: String::new(),
        roles: vec![Role::Viewer],
        active: true,
        password_hash: None,
    })));
    directory
}
