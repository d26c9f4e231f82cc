//! A thousand bodies of the registry, each with a terminal, a connection and five officers.

use std::cell::Cell;

use tsunagi::{client::Client, domain::organization::OrganizationCode};
use tsunagi_testkit::{
    persons::FirstPersons,
    world::{ADMINISTRATOR, OpenedBody},
};

use crate::gateway::{Gateway, morning};

pub const BODIES: usize = 1_000;
/// Bodies that register records; each of the clients has one for itself.
pub const OWNERS: usize = 64;
/// The header that names the officer.
pub const OFFICER: &str = "tsunagi-officer";
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
    let operators = &gateway.premises.operators(gateway.premises.config.listen, &morning()).await.unwrap();
    let each = codes.chunks(BODIES.div_ceil(AT_ONCE)).map(|codes| async move {
        let mut bodies = Vec::new();
        for code in codes {
            bodies.push(connect_one(gateway, operators, code).await);
        }
        bodies
    });
    futures_util::future::join_all(each).await.into_iter().flatten().collect()
}

async fn connect_one(gateway: &Gateway, operators: &FirstPersons, code: &OrganizationCode) -> Body {
    let name = code.as_str();
    let OpenedBody { first, .. } = gateway.premises.open_body(operators, (name, code)).await.unwrap();
    for officer in OFFICERS {
        // Of no family that is asked for: that would be an officer's own name.
        first.appoint(officer, &["caseworker"]).await.unwrap();
    }
    let client = gateway.client(name, ADMINISTRATOR);
    // Opens the connection: no call that is measured waits for a handshake.
    client.get("/v1/session").header(OFFICER, OFFICERS[0]).send().await.unwrap();
    Body { code: code.clone(), client, cases: Cell::new(0) }
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
