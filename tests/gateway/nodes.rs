//! Several nodes on one PostgreSQL database: what one acknowledged, every other one knows.

mod behind;
mod cable;
mod network;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use serde_json::json as j;
use sqlx::{Connection, PgConnection};
use tsunagi::{
    client::{Client, Reply},
    config::Config,
    gateway::Gateway,
    operations::elapse::elapse,
    server::start::Server,
};
use tsunagi_testkit::people::{Family, People};

use self::{
    cable::Cable,
    network::{Lost, Network},
};
use crate::{
    crash::{self, Running, free_port},
    harness::*,
    history::clients,
    postgres,
};

/// A node of the same premises, to be served from a process of its own.
struct Node {
    config: PathBuf,
    listen: SocketAddr,
    monitor: SocketAddr,
}

impl Node {
    /// Writes the configuration of another node. Its line to the database may be a cable.
    fn new(stage: &Stage, name: &str, cable: Option<&Cable>) -> Self {
        Self::at(free_port(), free_port(), stage, name, cable)
    }

    fn at(listen: SocketAddr, monitor: SocketAddr, stage: &Stage, name: &str, cable: Option<&Cable>) -> Self {
        let directory = &stage.world.premises.directory;
        let first = std::fs::read_to_string(directory.join("tsunagi.toml")).unwrap();
        let Config { database, .. } = &stage.world.premises.config;
        let lines = first.lines().map(|line| match line.split(" = ").next() {
            Some("node") => format!("node = \"{name}\""),
            Some("log_origin") => format!("log_origin = \"localhost/log/{name}\""),
            Some("listen") => format!("listen = \"{listen}\""),
            Some("monitor_listen") => format!("monitor_listen = \"{monitor}\""),
            Some("database") => match cable {
                Some(cable) => format!("database = \"{}\"", cable.url(database)),
                None => line.to_owned(),
            },
            _ => line.to_owned(),
        });
        let config = directory.join(format!("{name}.toml"));
        std::fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
        Self { config, listen, monitor }
    }

    async fn serve(&self, defect: Option<&str>) -> Running {
        let variables = defect.map(|defect| ("PLANTED_DEFECT", defect));
        crash::run(&self.config, (self.listen, self.monitor), variables.as_slice(), "error", Stdio::null()).await
    }

    async fn serve_in(&self, network: &Network, defect: Option<&str>) -> Running {
        let mut command = network.command(env!("CARGO_BIN_EXE_tsunagi"));
        command.args(["serve", "--config"]).arg(&self.config);
        command.envs(defect.map(|defect| ("PLANTED_DEFECT", defect)));
        crash::wait_for(command, (self.listen, self.monitor), "error", Stdio::null()).await
    }

    /// Serves inside the test.
    async fn start(&self, stage: &Stage) -> Server {
        let config = Config::load(&self.config, std::iter::empty()).unwrap();
        Server::start(config, stage.world.clock.clone()).await.unwrap()
    }

    fn client(&self, stage: &Stage, name: &str, officer: &str) -> Client {
        Client::new(self.listen, &stage.world.premises.credentials(name), Some(officer)).unwrap()
    }
}

/// Two nodes, and a city and a far center at each.
async fn two_nodes() -> (Stage, Node, Server) {
    let stage = Stage::new().await;
    let node = Node::new(&stage, "node-2", None);
    let server = node.start(&stage).await;
    (stage, node, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_acknowledged_the_other_finds_shows_and_hides() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", FAR_CENTER).await;
    let far_city = stage.party("far city", FAR_CITY).await;
    let at_second = |name: &str| node.client(&stage, name, "o1");
    let (center_there, far_city_there) = (at_second("center"), at_second("far city"));
    for turn in 0..20 {
        let name = format!("架空{}", ["一", "二", "三", "四"][turn % 4].repeat(1 + turn / 4));
        let family = Family { child: format!("{name} 花子"), ..family(CITY_A) };
        let record = register(&city, &family).await;
        let criteria = j!({ "purpose": "new_report", "case_reference": "R8-1", "child_name": format!("{name} 花子"),
            "near_misses": "never" });
        let found = |reply: &Reply| children(reply).iter().filter(|child| child["record"] == record.as_str()).count();
        assert_eq!(found(&center_there.post("/v1/searches").json(&criteria).send().await.unwrap()), 1);
        assert_eq!(found(&far_city_there.post("/v1/searches").json(&criteria).send().await.unwrap()), 1);
        let shield = j!({ "kind": "1", "since": "2026-04-01" });
        let path = format!("/v1/records/{record}/shield");
        assert_eq!(city.client.put(&path).json(&shield).send().await.unwrap().status, 200);
        assert_eq!(found(&far_city_there.post("/v1/searches").json(&criteria).send().await.unwrap()), 0);
        let relayed = center_there.post("/v1/searches").json(&criteria).send().await.unwrap();
        assert_eq!(
            children(&relayed).iter().filter(|child| child["contact"]["kind"] == "relay").count(),
            found(&relayed)
        );
    }
    drop((center, far_city));
    second.stop().await;
    stage.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_on_one_node_stops_the_next_request_on_the_other() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    let there = node.client(&stage, "city", "o1");
    let session = async || there.get("/v1/session").send().await.unwrap();
    let operator = &stage.world.operator;
    assert_eq!(session().await.status, 200);
    assert_eq!(operator.post(&format!("/v1/staff/{CITY_A}/o1/revoke")).send().await.unwrap().status, 200);
    assert_refused(&session().await, 401, "officer_not_active");
    // The id is its first person's for ever: somebody else comes under another one.
    stage.world.add_staff(&city, "o2", &ALL_ROLES).await.unwrap();
    let there = node.client(&stage, "city", "o2");
    let session = async || there.get("/v1/session").send().await.unwrap();
    assert_eq!(session().await.status, 200);
    assert_eq!(operator.post(&format!("/v1/organizations/{CITY_A}/suspend")).send().await.unwrap().status, 200);
    assert_eq!(session().await.status, 401);
    let connect = j!({ "code": CITY_A, "relay_desk": "当直" });
    let chair = &stage.world.operators().await.unwrap().administrator;
    assert_eq!(chair.post("/v1/organizations", &connect).await.unwrap().status, 200);
    assert_eq!(session().await.status, 200);
    assert_eq!(operator.post(&format!("/v1/terminals/{}/revoke", city.serial)).send().await.unwrap().status, 200);
    assert_refused(&session().await, 401, "terminal_revoked");
    second.stop().await;
    stage.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_holds_on_every_node_and_ends_on_every_node() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    let person = stage.world.seat_new(&city, "desk", &["caseworker"]).await.unwrap();
    let credentials = stage.world.premises.credentials("city-desk");
    let client = |address| Client::new(address, &credentials, None).unwrap();
    let token = person.sign_in_anew().await.unwrap();
    let (here, there) = (client(stage.world.address).with_token(token.clone()), client(node.listen).with_token(token));
    assert_eq!(there.get("/v1/session").send().await.unwrap().status, 200);
    assert_eq!(there.request(axum::http::Method::DELETE, "/v1/sessions").send().await.unwrap().status, 200);
    assert_refused(&here.get("/v1/session").send().await.unwrap(), 401, "session_invalid");
    second.stop().await;
    stage.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_both_nodes_share_keys_inboxes_and_accounts() {
    let (stage, node, second) = two_nodes().await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let there = node.client(&stage, "city", "o1");
    let before = inbox(&center).await.len();
    let mut sent = Vec::new();
    for turn in 0..20 {
        let key = format!("shared-{turn}");
        let xml = family(CITY_A).to_xml();
        let at = async |client: &Client| {
            client.post("/v1/records").header("idempotency-key", &key).xml(xml.clone()).send().await.unwrap()
        };
        let (one, two) = tokio::join!(at(&city.client), at(&there));
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201), "{} {}", one.text(), two.text());
        assert_eq!(json(&one)["record"], json(&two)["record"], "one key, one record");
        sent.push(json(&one)["record"].clone());
    }
    // Each is in the center's inbox once, and the positions have no gap.
    let messages = inbox(&center).await;
    assert_eq!(messages.len() - before, sent.len());
    let positions: Vec<i64> = messages.iter().map(|message| message["position"].as_i64().unwrap()).collect();
    assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{positions:?}");
    // Each node proves its own log, and says that there is another.
    for (client, other) in [(&city.client, "node-2"), (&there, "node-1")] {
        let bundle = client.get("/v1/ledger/bundle").send().await.unwrap();
        assert!(bundle.text().contains(&format!("export the evidence at each: {other}<")), "{other} is not named");
    }
    // Both logs account to the owner, in pages that miss nothing.
    let mut logs: BTreeMap<String, usize> = BTreeMap::new();
    let mut before = String::new();
    let center_there = node.client(&stage, "center", "o1");
    for record in &sent {
        let path = format!("/v1/records/{}", record.as_str().unwrap());
        for client in [&center.client, &center_there] {
            assert_eq!(client.get(&path).purpose("casework").send().await.unwrap().status, 200);
        }
    }
    loop {
        let reply = there.get(&format!("/v1/disclosures{before}")).send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let page = json(&reply);
        for line in page["disclosures"].as_array().unwrap() {
            if line["entry"]["act"] == "view" {
                *logs.entry(line["log"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        let Some(next) = page["next"].as_str() else { break };
        before = format!("?before={next}");
    }
    assert_eq!(logs, BTreeMap::from([("node-1".to_owned(), 20), ("node-2".to_owned(), 20)]));
    second.stop().await;
    stage.world.stop().await;
}

/// Histories with kills and broken lines, unless `HISTORIES` says otherwise.
const HISTORIES: u32 = 20;

fn histories() -> u32 {
    std::env::var("HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(HISTORIES)
}

/// Longer than a node waits to learn what was committed.
const PATIENCE: Duration = Duration::from_secs(6);

/// Two nodes, the second of which is killed and loses its line to the database while histories are played.
struct Troubled {
    stage: Stage,
    cable: Cable,
    /// Where the second node is in a namespace of its own.
    network: Option<Network>,
    node: Node,
    defect: Option<&'static str>,
}

impl Troubled {
    async fn new(network: Option<Network>, defect: Option<&'static str>) -> Self {
        let stage = Stage::new().await;
        clients::connect(&stage).await;
        let database = &stage.world.premises.config.database;
        let (cable, node) = match &network {
            None => {
                let cable = Cable::to(database).await;
                let node = Node::new(&stage, "node-2", Some(&cable));
                (cable, node)
            }
            Some(network) => {
                let cable = Cable::from(network.here, database).await;
                let at = |port| SocketAddr::new(network.there, port);
                let node = Node::at(at(8443), at(9443), &stage, "node-2", Some(&cable));
                (cable, node)
            }
        };
        Self { stage, cable, network, node, defect }
    }

    async fn serve(&self) -> Running {
        match &self.network {
            None => self.node.serve(self.defect).await,
            Some(network) => self.node.serve_in(network, self.defect).await,
        }
    }

    fn faults(&self) -> &'static [&'static str] {
        match self.network {
            None => &["killed", "held up", "cut off", "left alone"],
            Some(_) => &["killed", "everything lost", "answers lost", "answers lost and killed", "left alone"],
        }
    }

    fn begin(&self, fault: &str) {
        let lose = |lost| self.network.as_ref().unwrap().lose(lost, self.cable.address.port());
        match fault {
            "held up" => self.cable.hold(),
            "cut off" => self.cable.cut(),
            "everything lost" => lose(Lost::Everything),
            "answers lost" | "answers lost and killed" => lose(Lost::Answers),
            _ => {}
        }
    }

    fn heal(&self) {
        self.cable.heal();
        self.network.iter().for_each(Network::heal);
    }

    /// Plays histories; returns how many were not linearizable.
    async fn play(self, count: u32) -> u32 {
        let mut running = self.serve().await;
        let desks = clients::desks_at_two_nodes(&self.stage, self.node.listen, self.node.monitor).await;
        let (mut untrue, mut done) = (0, BTreeMap::new());
        let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
        for (seed, fault) in (0..count).zip(self.faults().iter().cycle()) {
            let playing = tokio::spawn({
                let desks = desks.clone();
                async move { clients::play(&desks, 10_000 + seed).await }
            });
            // The moment is drawn, not waited for.
            let moment = Duration::from_millis(20 + u64::from(seed * 37 % 150));
            tokio::time::sleep(moment).await;
            *faults.entry(fault).or_default() += 1;
            self.begin(fault);
            if *fault != "killed" && *fault != "left alone" {
                // Every other time longer than a node waits for its database: what was lost is then not only late.
                let lasts = self.network.is_some() && *faults.entry(fault).or_default() % 2 == 1;
                tokio::time::sleep(if lasts { PATIENCE } else { moment }).await;
            }
            if fault.ends_with("killed") {
                running.stop().await;
            }
            self.heal();
            if fault.ends_with("killed") {
                running = self.serve().await;
            }
            let history = playing.await.unwrap();
            if let Err(why) = history.verdict() {
                if self.defect.is_none() {
                    eprintln!("the history of seed {seed} ({fault}) is not linearizable: {why}");
                }
                untrue += 1;
            }
            history.count(&mut done);
        }
        println!("{count} histories at two nodes, {faults:?}: {done:?}, not linearizable: {untrue}");
        assert!(self.defect.is_some() || done.get("unknown").is_some_and(|unknown| *unknown > 0), "no fault was felt");
        running.stop().await;
        drop(desks);
        self.stage.world.stop().await;
        untrue
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_at_two_nodes_with_kills_and_broken_lines_are_linearizable() {
    assert_eq!(Troubled::new(None, None).await.play(histories()).await, 0);
}

/// The twin: a node that does not follow what the other one commits.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_follow_is_caught() {
    assert!(Troubled::new(None, Some("stale-memory")).await.play(4).await > 0, "a planted defect went unnoticed");
}

/// The same where the packets themselves are lost. Where namespaces cannot be made it says so and shows nothing.
#[tokio::test(flavor = "multi_thread")]
async fn histories_over_a_network_that_falls_apart_are_linearizable() {
    let Some(network) = Network::new() else {
        eprintln!("not shown here: network namespaces need root, `ip` and `nft`");
        return;
    };
    assert_eq!(Troubled::new(Some(network), None).await.play(histories()).await, 0);
    let Some(network) = Network::new() else { panic!("a second namespace") };
    assert!(
        Troubled::new(Some(network), Some("stale-memory")).await.play(5).await > 0,
        "a planted defect went unnoticed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_from_its_database_says_so_and_comes_back() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let cable = Cable::to(&stage.world.premises.config.database).await;
    let node = Node::new(&stage, "node-2", Some(&cable));
    let mut running = node.serve(None).await;
    let there = node.client(&stage, "city", "o1");
    register(&city, &family(CITY_A)).await;
    let search = async || {
        let criteria = j!({ "purpose": "casework", "case_reference": "1", "child_name": "髙橋 花子" });
        there.post("/v1/searches").json(&criteria).send().await.unwrap()
    };
    assert_eq!(children(&search().await).len(), 1);
    for cut in [Cable::cut, Cable::hold] {
        cut(&cable);
        assert_refused(&search().await, 503, "journal_unavailable");
        assert!(!crash::is_ready(node.monitor).await, "it does not say that it cannot reach its database");
        // A minute by `make faults`.
        let gone = std::env::var("GONE_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
        tokio::time::sleep(Duration::from_secs(gone)).await;
        assert_refused(&search().await, 503, "journal_unavailable");
        // The other node serves on.
        register(&city, &family(CITY_A)).await;
        cable.heal();
        while !crash::is_ready(node.monitor).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let now = children(&search().await).len();
        assert!(now >= 2, "what was registered meanwhile is found: {now}");
    }
    running.stop().await;
    stage.world.stop().await;
}

/// Nodes are restarted one after the other while callers go on: whoever finds one gone asks the other under the same
/// key, no call fails, and nothing acknowledged is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_call() {
    let stage = Stage::with(&format!("{GENEROUS}drain_seconds = 1\n")).await;
    stage.party("city", CITY_A).await;
    let nodes = ["node-2", "node-3"].map(|name| Node::new(&stage, name, None));
    let mut running = Vec::new();
    for node in &nodes {
        running.push(node.serve(None).await);
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let caller = async |caller: usize| {
        let clients = [&nodes[0], &nodes[1]].map(|node| node.client(&stage, "city", "o1"));
        let mut people = People::seeded(caller as u64);
        let (mut at, mut registered, mut moved) = (caller % 2, Vec::new(), 0);
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let (key, xml) = (format!("rolling-{caller}-{}", registered.len()), people.family(CITY_A).to_xml());
            let mut tries = 0;
            let record = loop {
                let request = clients[at].post("/v1/records").header("idempotency-key", &key).xml(xml.clone());
                match request.send().await {
                    Ok(reply) => {
                        assert_eq!(reply.status, 201, "{}", reply.text());
                        break json(&reply)["record"].as_str().unwrap().to_owned();
                    }
                    Err(_) => {
                        clients[at].disconnect().await;
                        (at, moved, tries) = (1 - at, moved + 1, tries + 1);
                        assert!(tries < 4, "both nodes are gone");
                    }
                }
            };
            registered.push(record);
        }
        (registered, moved)
    };
    let restart = async {
        for (node, running) in nodes.iter().zip(&mut running) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let stopping = tokio::spawn(crash::is_told(running.pid()));
            // For a second it serves and says that it will not: a balancer sends callers to the other one.
            while crash::is_ready(node.monitor).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(node.client(&stage, "city", "o1").get("/v1/session").send().await.unwrap().status, 200);
            stopping.await.unwrap();
            running.has_ended().await;
            *running = node.serve(None).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (one, two, three, ()) = tokio::join!(caller(0), caller(1), caller(2), restart);
    let moved = one.1 + two.1 + three.1;
    let registered: Vec<String> = [one.0, two.0, three.0].concat();
    println!("{} registrations over two restarts, {moved} calls asked again at the other node", registered.len());
    assert!(moved >= 2 && registered.len() > 20);
    let client = nodes[0].client(&stage, "city", "o1");
    for record in &registered {
        let reply = client.get(&format!("/v1/records/{record}")).purpose("casework").send().await.unwrap();
        assert_eq!(reply.status, 200, "an acknowledged registration was lost");
    }
    for mut running in running {
        running.stop().await;
    }
    stage.world.stop().await;
}

/// Callers who go away leave no transaction behind: the next one would read what was true then.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_goes_away_leaves_a_transaction_open() {
    let stage = Stage::new().await;
    let gateway = stage.world.gateway().unwrap().clone();
    for turn in 0..200_u64 {
        let store = gateway.store.clone();
        let reading = tokio::spawn(async move { store.read().await.map(drop) });
        tokio::time::sleep(Duration::from_micros(turn * 5)).await;
        reading.abort();
    }
    let mut owner = PgConnection::connect(&postgres::for_owner(&stage.world.premises.config.database)).await.unwrap();
    let patience = std::time::Instant::now();
    loop {
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
        )
        .fetch_one(&mut owner)
        .await
        .unwrap();
        if open == 0 {
            break;
        }
        assert!(patience.elapsed() < Duration::from_secs(10), "{open} transactions were left open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(gateway);
    stage.world.stop().await;
}

/// A lock that another holds for too long costs the calls that wait for it, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_for_too_long_is_survived() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let mut owner = PgConnection::connect(&postgres::for_owner(&stage.world.premises.config.database)).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(8321)").execute(&mut owner).await.unwrap();
    let late = city.client.post("/v1/records").xml(family(CITY_A).to_xml()).send().await.unwrap();
    assert_eq!(late.status, 503, "{}", late.text());
    sqlx::query("SELECT pg_advisory_unlock(8321)").execute(&mut owner).await.unwrap();
    register(&city, &family(CITY_A)).await;
    stage.world.stop().await;
}

/// A snapshot of what a database has lost since is not believed, whatever was written there meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_not_taken_for_another_history_of_the_same_length() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let node = Node::new(&stage, "node-2", None);
    let mut config = Config::load(&node.config, std::iter::empty()).unwrap();
    config.snapshot = Some(stage.directory.path().join("node-2.snapshot"));
    let second = Server::start(config.clone(), stage.world.clock.clone()).await.unwrap();
    register(&city, &family(CITY_A)).await;
    assert_eq!(node.client(&stage, "city", "o1").get("/v1/session").send().await.unwrap().status, 200);
    second.stop().await;
    let starts = async || {
        let gateway = Gateway::open(config.clone(), stage.world.clock.clone()).await.unwrap();
        gateway.store.close().await;
        gateway.from_snapshot
    };
    assert!(starts().await, "the twin: of the database as it was, it is taken");
    // As if the last change were one that another node made after the database had been set back.
    let mut owner = PgConnection::connect(&postgres::for_owner(&config.database)).await.unwrap();
    let another = "UPDATE changes SET at = at + 1 WHERE position = (SELECT MAX(position) FROM changes)";
    assert_eq!(sqlx::query(another).execute(&mut owner).await.unwrap().rows_affected(), 1);
    assert!(!starts().await);
    stage.world.stop().await;
}

/// A node that knows more than the database writes nothing behind the gap: it would seem closed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_behind_changes_that_the_database_has_forgotten() {
    let missing = j!({ "state": "missing", "reason": "なし" });
    for (forgets, moved) in [(false, 1), (true, 0)] {
        let stage = Stage::new().await;
        let (city, b) = (stage.party("city", CITY_A).await, stage.party("b", CITY_B).await);
        let record = register(&city, &family(CITY_A)).await;
        let offer = j!({ "record": record, "receiver": b.code,
            "completeness": { "photos": missing, "risk_sheet": missing, "urgency": missing } });
        assert_eq!(city.client.post("/v1/transfers").json(&offer).send().await.unwrap().status, 201);
        stage.world.clock.advance(time::Duration::days(31));
        if forgets {
            let database = postgres::for_owner(&stage.world.premises.config.database);
            let mut owner = PgConnection::connect(&database).await.unwrap();
            let forgotten = "DELETE FROM changes WHERE position = (SELECT MAX(position) FROM changes)";
            assert_eq!(sqlx::query(forgotten).execute(&mut owner).await.unwrap().rows_affected(), 1);
        }
        assert_eq!(elapse(stage.world.gateway().unwrap()).await.unwrap(), moved);
    }
}

/// Two processes under one name would write one log twice: the one that comes later wins, the other one stops. Answers
/// what the earlier one says to a registration then.
async fn earlier_of_two(defect: Option<&str>) -> (Reply, bool) {
    let stage = Stage::new().await;
    stage.party("city", CITY_A).await;
    let (one, registered) = (Node::new(&stage, "node-2", None), async |node: &Node| {
        node.client(&stage, "city", "o1").post("/v1/records").xml(family(CITY_A).to_xml()).send().await.unwrap()
    });
    let mut earlier = one.serve(defect).await;
    assert_eq!(registered(&one).await.status, 201);
    let other = Node::new(&stage, "node-2", None);
    let mut later = other.serve(None).await;
    assert_eq!(registered(&other).await.status, 201);
    let late = registered(&one).await;
    let is_ready = crash::is_ready(one.monitor).await;
    assert_eq!(registered(&other).await.status, 201, "the later one goes on");
    earlier.stop().await;
    later.stop().await;
    stage.world.stop().await;
    (late, is_ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_with_one_name_the_earlier_writes_nothing_more() {
    let (late, is_ready) = earlier_of_two(None).await;
    assert_refused(&late, 503, "journal_unavailable");
    assert!(!is_ready);
}

/// The twin: a process that goes on without the ledger is caught.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_process_that_goes_on_is_caught() {
    let (late, is_ready) = earlier_of_two(Some("ignore-the-ledger")).await;
    assert_eq!((late.status.as_u16(), is_ready), (201, true));
}
