//! The snapshot of the last stop: a start from it finds what a start from the store finds; damage, an older database
//! and a changed ledger are noticed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json as j;
use tempfile::TempDir;
use tsunagi::{
    clock::Clock,
    config::Config,
    domain::{calendar::PartialDate, organization::OrganizationCode},
    gateway::Gateway,
    node::{audit, snapshot},
    search::{
        index::{Findable, SearchIndex},
        pattern::Pattern,
        query::{BirthCriterion, Query},
    },
};
use tsunagi_testkit::{
    people::Family,
    world::{Premises, World},
};

use crate::harness::*;

/// A gateway that is stopped and started again.
struct House {
    directory: TempDir,
    config: Config,
}

const DATABASE: &str = "tsunagi.db";
const SNAPSHOT: &str = "tsunagi.db.snapshot";

impl House {
    /// Three children, and then a stop.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let premises = Premises::create(directory.path(), None, any, any, GENEROUS).await.unwrap();
        let config = premises.config.clone();
        let stage = Stage { world: World::start(premises, Clock::system()).await.unwrap(), directory };
        let city = stage.party("city", CITY_A).await;
        for given in ["花子", "次郎", "三郎"] {
            register(&city, &named(given)).await;
        }
        stage.world.stop().await;
        Self { directory: stage.directory, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn open(&self) -> Arc<Gateway> {
        Gateway::open(self.config.clone(), Clock::system()).await.unwrap()
    }

    async fn close(&self, gateway: Arc<Gateway>) {
        gateway.store.close().await;
        drop(gateway);
        // The audit may hold it for a page of the ledger.
        while tsunagi::node::open::lock(&self.config.database).is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// Whether it starts from the snapshot, and what is found then.
    async fn started(&self) -> (bool, Vec<usize>) {
        let gateway = self.open().await;
        let outcome = (gateway.from_snapshot, found(&gateway.journal.memory().index));
        self.close(gateway).await;
        outcome
    }

    /// What is found after a start from the store.
    async fn found_in_store(&self) -> Vec<usize> {
        let aside = self.path("aside");
        fs::rename(self.path(SNAPSHOT), &aside).unwrap();
        let (from_snapshot, found) = self.started().await;
        assert!(!from_snapshot);
        fs::rename(aside, self.path(SNAPSHOT)).unwrap();
        found
    }

    /// One more child, one that gets another name, one that is closed; and then a stop.
    async fn go_on(&self) {
        let premises = Premises {
            directory: self.directory.path().to_owned(),
            config: self.config.clone(),
            authority: tsunagi_testkit::pki::Authority::open(&self.path("certs")).unwrap(),
        };
        let world = World::start(premises, Clock::system()).await.unwrap();
        let city = world.connect("city-2", CITY_B, "o1", &ALL_ROLES).await.unwrap();
        let record = register(&city, &named("四郎")).await;
        let path = format!("/v1/records/{record}");
        let renamed = city.client.put(&path).if_match(1).xml(named("五郎").to_xml()).send().await.unwrap();
        assert_eq!(renamed.status, 200, "{}", renamed.text());
        let shield = j!({ "kind": "1", "since": "R8.4.1" });
        assert_eq!(city.client.put(&format!("{path}/shield")).json(&shield).send().await.unwrap().status, 200);
        world.stop().await;
    }
}

fn named(given: &str) -> Family {
    let mut family = family(CITY_A);
    family.child = format!("高橋　{given}");
    family
}

/// How many answer each of some queries.
fn found(index: &SearchIndex) -> Vec<usize> {
    let callers = [OrganizationCode::operator(), OrganizationCode::parse(CITY_A).unwrap()];
    let born = |date: &str| Some(BirthCriterion::on(PartialDate::parse(date).unwrap()));
    let child = |name: &str| Query { child: Pattern::of(name), ..Query::default() };
    let mut queries: Vec<Query> =
        ["高橋", "花子", "次郎", "三郎", "四郎", "五郎", "タカハシ", "タカハセハナコ", "郎"].map(child).into();
    let dates = ["2018", "2018-04", "2018-04-01", "2018-05", "2019"];
    queries.extend(dates.map(|date| Query { birth: born(date), ..child("高橋") }));
    queries.push(Query { guardian: Pattern::of("髙橋"), ..Query::default() });
    queries.push(Query { relative: Pattern::of("髙橋"), ..Query::default() });
    queries.push(Query { sex: Some(b'2'), ..child("高橋") });
    let asked = queries.iter().flat_map(|query| callers.each_ref().map(|caller| (query, caller)));
    asked
        .flat_map(|(query, caller)| {
            let found = index.search(query, caller, 50, |facts| {
                if facts.shield.active { Findable::Absent } else { Findable::Shown(()) }
            });
            [found.hits.len(), found.near.len(), found.approached.len()]
        })
        .collect()
}

fn copy_database(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let [from, to] = [from, to].map(|path| PathBuf::from(format!("{}{suffix}", path.display())));
        let _ = fs::remove_file(&to);
        if from.exists() {
            fs::copy(from, to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_from_the_snapshot_finds_what_the_store_holds() {
    let house = House::new().await;
    let (from_snapshot, found) = house.started().await;
    assert!(from_snapshot);
    assert!(found.iter().filter(|count| **count > 0).count() > 20, "the queries find something: {found:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(house.path(SNAPSHOT)).unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "for the gateway alone");
    assert_eq!(found, house.found_in_store().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_since_is_read_again() {
    let house = House::new().await;
    let aside = house.path("older");
    fs::copy(house.path(SNAPSHOT), &aside).unwrap();
    house.go_on().await;
    fs::copy(&aside, house.path(SNAPSHOT)).unwrap();
    let (from_snapshot, after) = house.started().await;
    assert!(from_snapshot, "an older snapshot of the same ledger serves");
    assert_eq!(after, house.found_in_store().await);
    // The twin: what the snapshot alone holds is something else, and would be noticed.
    let gateway = house.open().await;
    let (_, _, alone) = snapshot::read::read(&aside, &gateway.vault).unwrap();
    assert_ne!(found(&alone), after);
    house.close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_noticed_wherever_it_is_damaged() {
    let house = House::new().await;
    let whole = fs::read(house.path(SNAPSHOT)).unwrap();
    let expected = house.found_in_store().await;
    let gateway = house.open().await;
    let aside = house.path("damaged");
    let is_read = |bytes: &[u8]| {
        fs::write(&aside, bytes).unwrap();
        snapshot::read::read(&aside, &gateway.vault).is_ok()
    };
    assert!(is_read(&whole), "the twin: undamaged, it is read");
    for at in (0..whole.len()).step_by(whole.len() / 199) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert!(!is_read(&damaged), "byte {at} changed");
        assert!(!is_read(&whole[..at]), "cut at {at}");
    }
    assert!(!is_read(&whole[..whole.len() - 1]), "cut at the end");
    house.close(gateway).await;
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(house.path(SNAPSHOT), damaged).unwrap();
    assert_eq!(house.started().await, (false, expected), "every record is read instead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_older_database_is_not_served_with_a_newer_snapshot() {
    let house = House::new().await;
    let before = house.found_in_store().await;
    copy_database(&house.path(DATABASE), &house.path("restored"));
    house.go_on().await;
    copy_database(&house.path("restored"), &house.path(DATABASE));
    assert_eq!(house.started().await, (false, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_changed_while_the_node_stood_still_condemns_it() {
    for tampers in [false, true] {
        let house = House::new().await;
        if tampers {
            let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", house.path(DATABASE).display())).await.unwrap();
            for statement in [
                "DROP TRIGGER ledger_is_append_only_update",
                "UPDATE ledger SET body = replace(CAST(body AS TEXT), '\"register\"', '\"view\"')",
            ] {
                sqlx::query(statement).execute(&pool).await.unwrap();
            }
            pool.close().await;
        }
        let gateway = house.open().await;
        assert!(gateway.from_snapshot);
        let entries = gateway.journal.memory().tree.read().unwrap().size();
        audit::audit(Arc::downgrade(&gateway), entries).await;
        assert_eq!(gateway.journal.is_healthy(), !tampers);
        assert_eq!(gateway.journal.note(Vec::new(), Vec::new()).await.is_ok(), !tampers, "nothing is written any more");
        house.close(gateway).await;
    }
}
