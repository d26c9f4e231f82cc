//! The one HTTPS client: how long its connection lasts, and whom it believes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};
use tsunagi::client::{Client, Credentials};
use tsunagi_testkit::pki::Authority;

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
