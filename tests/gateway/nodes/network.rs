//! A node in a network namespace of its own. What it says to its database, or is told, can be dropped without a word
//! to either, as a network that falls apart does.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

/// What is dropped.
#[derive(Clone, Copy)]
pub enum Lost {
    Everything,
    /// What the node asks arrives; that it was done, it does not learn.
    Answers,
}

/// A namespace, joined to this one by a pair of interfaces.
pub struct Network {
    name: String,
    /// Where the node reaches this namespace.
    pub here: IpAddr,
    /// Where the node serves.
    pub there: IpAddr,
}

impl Network {
    /// `None` where namespaces cannot be made: it takes root, `ip` and `nft`.
    pub fn new() -> Option<Self> {
        let process = std::process::id();
        let name = format!("ts{process}");
        let can = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        // One that a killed run left behind is nobody's.
        can("ip", &["netns", "delete", &name]);
        if !can("nft", &["--version"]) || !can("ip", &["netns", "add", &name]) {
            return None;
        }
        // Of the addresses for such tests (RFC 2544), four to each process.
        let [.., third, fourth] = (process << 2).to_be_bytes();
        let address = |last: u8| IpAddr::V4(Ipv4Addr::new(198, 18, third, fourth | last));
        let network = Self { name, here: address(1), there: address(2) };
        let Self { name, here, there } = &network;
        let (near, far) = (format!("{name}n"), format!("{name}f"));
        run(&format!("ip link add {near} type veth peer name {far} netns {name}"));
        run(&format!("ip addr add {here}/30 dev {near}"));
        run(&format!("ip link set {near} up"));
        run(&format!("ip -n {name} addr add {there}/30 dev {far}"));
        run(&format!("ip -n {name} link set {far} up"));
        run(&format!("ip -n {name} link set lo up"));
        run(&format!("ip netns exec {name} nft add table inet line"));
        for hook in ["input", "output"] {
            run(&format!(
                "ip netns exec {name} nft add chain inet line {hook} {{ type filter hook {hook} priority 0; }}"
            ));
        }
        Some(network)
    }

    /// A program inside.
    pub fn command(&self, program: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Drops what goes to or comes from a port outside.
    pub fn lose(&self, lost: Lost, port: u16) {
        let rule = |rule: String| run(&format!("ip netns exec {} nft add rule inet line {rule} drop", self.name));
        rule(format!("input tcp sport {port}"));
        if let Lost::Everything = lost {
            rule(format!("output tcp dport {port}"));
        }
    }

    pub fn heal(&self) {
        run(&format!("ip netns exec {} nft flush table inet line", self.name));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The interfaces first: they go with the namespace too, but later.
        run(&format!("ip link delete {}n", self.name));
        run(&format!("ip netns delete {}", self.name));
    }
}

fn run(line: &str) {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{line}");
}
