//! The line between a node and its database, which can be held up or cut.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing comes through, and nobody is told.
    Held,
    /// Connections end, and new ones are refused.
    Cut,
}

/// A relay on a port of its own to the server's socket.
pub struct Cable {
    pub address: SocketAddr,
    state: watch::Sender<State>,
}

impl Cable {
    /// A relay to the server of a URL of [`crate::postgres::database`].
    pub async fn to(url: &str) -> Self {
        Self::from(Ipv4Addr::LOCALHOST.into(), url).await
    }

    /// The same, on another address.
    pub async fn from(near: IpAddr, url: &str) -> Self {
        let (_, rest) = url.split_once('@').unwrap();
        let (host, _) = rest.split_once('/').unwrap();
        let socket = format!("{}/.s.PGSQL.5432", host.replace("%2F", "/"));
        let listener = TcpListener::bind((near, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (socket, seen) = (socket.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(far) = UnixStream::connect(&socket).await else { return };
                    let (near_read, near_write) = near.into_split();
                    let (far_read, far_write) = far.into_split();
                    tokio::select! {
                        () = relay(near_read, far_write, seen.clone()) => {}
                        () = relay(far_read, near_write, seen.clone()) => {}
                        () = is_cut(seen) => {}
                    }
                });
            }
        });
        Self { address, state }
    }

    /// The URL with this relay for its host.
    pub fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once('@').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        format!("{scheme}@{}/{database}", self.address)
    }

    pub fn hold(&self) {
        self.state.send_replace(State::Held);
    }

    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub fn heal(&self) {
        self.state.send_replace(State::Open);
    }
}

async fn is_cut(mut seen: watch::Receiver<State>) {
    let _ = seen.wait_for(|state| *state == State::Cut).await;
}

async fn relay(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut seen: watch::Receiver<State>) {
    let mut bytes = vec![0; 65_536];
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        if seen.wait_for(|state| *state != State::Held).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
