//! A thousand bodies of the registry, each with a terminal, a connection and five officers.

use std::cell::Cell;

use serde_json::{Value, json};
use tsunagi::{client::Client, domain::organization::OrganizationCode};
use tsunagi_testkit::{
    pki::Flaw,
    world::{ADMINISTRATOR, OPERATOR_OFFICER},
};

use crate::gateway::Gateway;

pub const BODIES: usize = 1_000;
/// Bodies that register records; each of the clients has one for itself.
pub const OWNERS: usize = 64;
pub const OFFICERS: [&str; 5] = ["o1", "o2", "o3", "o4", "o5"];
/// Connections over which the bodies are registered.
const AT_ONCE: usize = 32;
const REGISTRY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/registry");

pub struct Body {
    pub code: OrganizationCode,
    /// Its one connection; the officer is named with each request.
    pub client: Client,
    /// Cases that each of its officers has searched for.
    pub cases: Cell<usize>,
}

/// Connects them all: first those that own records, then every center among the other municipalities.
pub async fn connect(gateway: &Gateway) -> Vec<Body> {
    let codes = codes();
    let each = codes.chunks(BODIES.div_ceil(AT_ONCE)).map(|codes| async move {
        let operator = gateway.client("operator", OPERATOR_OFFICER);
        let mut bodies = Vec::new();
        for code in codes {
            bodies.push(connect_one(gateway, &operator, code).await);
        }
        bodies
    });
    futures_util::future::join_all(each).await.into_iter().flatten().collect()
}

async fn connect_one(gateway: &Gateway, operator: &Client, code: &OrganizationCode) -> Body {
    let name = code.as_str();
    post(operator, "/v1/organizations", json!({ "code": code, "relay_desk": "当直" })).await;
    let first = json!({ "organization": code, "id": ADMINISTRATOR, "name": "管理者", "roles": ["user_administrator"] });
    post(operator, "/v1/staff", first).await;
    let serial = gateway.premises.authority.issue_terminal(name, code, Flaw::None).unwrap();
    let terminal = json!({ "serial": serial, "organization": code, "kind": "machine", "label": name });
    post(operator, "/v1/terminals", terminal).await;
    let client = gateway.client(name, ADMINISTRATOR);
    for officer in OFFICERS {
        // Of no family that is asked for: that would be an officer's own name.
        post(&client, "/v1/staff", json!({ "id": officer, "name": "職員 某", "roles": ["caseworker"] })).await;
    }
    Body { code: code.clone(), client, cases: Cell::new(0) }
}

async fn post(client: &Client, path: &str, body: Value) {
    let reply = client.post(path).json(&body).send().await.unwrap();
    assert!(reply.status.is_success(), "{}", reply.text());
}

fn codes() -> Vec<OrganizationCode> {
    let municipal = of_file("local_governments.csv", |kind| !matches!(kind, "prefecture" | "ward"));
    let centers = of_file("child_guidance_centers.csv", |_| true);
    let (owners, others) = municipal.split_at(OWNERS);
    let mut codes = owners.to_vec();
    let mut others = others.iter();
    for center in &centers {
        codes.push(center.clone());
        codes.extend(others.by_ref().take(3).cloned());
    }
    codes.extend(others.cloned());
    codes.truncate(BODIES);
    assert_eq!(codes.len(), BODIES);
    codes
}

/// The codes of a file of the registry, by what stands in its third column.
fn of_file(name: &str, takes: impl Fn(&str) -> bool) -> Vec<OrganizationCode> {
    let text = std::fs::read_to_string(format!("{REGISTRY}/{name}")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| takes(row[2])).map(|row| OrganizationCode::parse(row[0]).unwrap()).collect()
}
