//! The one HTTPS client: how long its connection lasts, and whom it believes.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};
use tsunagi::{
    client::{Client, Credentials},
    clock::Clock,
};
use tsunagi_testkit::{
    pki::Authority,
    world::{Premises, World},
};

use crate::harness::*;

/// Hands connections on to a gateway, and counts them.
async fn counted(to: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_until_one_ends_it() {
    let stage = Stage::new().await;
    let (address, count) = counted(stage.world.address).await;
    let client = Client::new(address, &stage.world.premises.credentials("operator"), Some("op1")).unwrap();
    for _ in 0..300 {
        assert_eq!(client.get("/v1/session").send().await.unwrap().status, 200);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    client.disconnect().await;
    assert_eq!(client.get("/v1/session").send().await.unwrap().status, 200);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // A request that is given up leaves no connection on which the next would read its answer.
    let given_up = client.get("/v1/inbox?after=1000000&wait=20").send();
    assert!(tokio::time::timeout(Duration::from_millis(200), given_up).await.is_err());
    assert_eq!(client.get("/v1/session").send().await.unwrap().status, 200);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_ca_is_believed_and_the_error_says_so() {
    let stage = Stage::new().await;
    let own = stage.world.premises.authority.directory();
    let other = Authority::create(&stage.directory.path().join("other")).unwrap();
    for file in ["operator.crt", "operator.key"] {
        std::fs::copy(own.join(file), other.directory().join(file)).unwrap();
    }
    let credentials = Credentials { directory: other.directory().to_owned(), name: "operator".into() };
    let client = Client::new(stage.world.address, &credentials, Some("op1")).unwrap();
    let Err(error) = client.get("/v1/session").send().await else { panic!("a server of another CA is believed") };
    assert!(error.to_string().contains("certificate"), "{error}");
}

/// A gateway at this address whose certificate has these names, and what the command line says to it by a name.
struct Named {
    world: World,
    directory: tempfile::TempDir,
}

impl Named {
    async fn serve(listen: SocketAddr, names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let monitor = "127.0.0.1:0".parse().unwrap();
        let premises = Premises::create(directory.path(), None, listen, monitor, GENEROUS).await.unwrap();
        premises.authority.issue_server(names).unwrap();
        Self { world: World::start(premises, Clock::system()).await.unwrap(), directory }
    }

    /// Whether the command was done, and what it said.
    async fn told(&self, host: &str, command: &[&str]) -> (bool, String) {
        let (verb, rest) = command.split_at(2);
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"))
            .args(verb)
            .args(["--address", &format!("{host}:{}", self.world.address.port())])
            .args(["--cert", "operator", "--officer", "op1", "--certs"])
            .arg(self.directory.path().join("certs"))
            .args(rest)
            .output()
            .await
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    async fn is_believed(&self, host: &str) -> bool {
        let (done, said) = self.told(host, &["org", "list"]).await;
        assert!(done || said.contains("certificate not valid for name"), "{host}: {said}");
        done
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_believes_the_host_it_is_given_and_no_other() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let by_address = Named::serve(listen, &["127.0.0.1"]).await;
    assert!(by_address.is_believed("127.0.0.1").await);
    assert!(!by_address.is_believed("localhost").await);
    let by_name = Named::serve(listen, &["localhost"]).await;
    assert!(by_name.is_believed("localhost").await);
    assert!(!by_name.is_believed("127.0.0.1").await);
    if TcpListener::bind("[::1]:0").await.is_ok() {
        let by_ipv6 = Named::serve("[::1]:0".parse().unwrap(), &["::1"]).await;
        assert!(by_ipv6.is_believed("[::1]").await);
    }
    let elsewhere = Named::serve(listen, &["gateway.example", "192.0.2.21"]).await;
    assert!(!elsewhere.is_believed("localhost").await && !elsewhere.is_believed("127.0.0.1").await);
}

/// As in production: the gateway has a name of its own, and the operator needs nothing but the command line.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_a_name_of_its_own_is_administered_by_the_command_line() {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_lowercase();
    let Some(listen) = (name.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next()) else {
        eprintln!("not shown here: {name} does not resolve");
        return;
    };
    let named = Named::serve(listen, &[&name]).await;
    assert!(named.is_believed(&name).await);
    assert!(!named.is_believed(&listen.ip().to_string()).await, "only its name is in the certificate");
    for command in [&["org", "connect", CITY_A, "当直 03-0000-0000"][..], &["staff", "list"]] {
        let (done, said) = named.told(&name, command).await;
        assert!(done, "{command:?}: {said}");
    }
}
