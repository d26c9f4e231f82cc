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
    /// `None` where it cannot be made: it takes root, `ip`, `nft`, and a kernel that lets them.
    pub fn new() -> Option<Self> {
        let process = std::process::id();
        let name = format!("ts{process}");
        // Of the addresses for such tests (RFC 2544), four to each process.
        let [.., third, fourth] = (process << 2).to_be_bytes();
        let address = |last: u8| IpAddr::V4(Ipv4Addr::new(198, 18, third, fourth | last));
        let (here, there) = (address(1), address(2));
        let (near, far) = (format!("{name}n"), format!("{name}f"));
        // One that a killed run left behind is nobody's.
        can(&format!("ip netns delete {name}"));
        if !can(&format!("ip netns add {name}")) {
            return None;
        }
        let steps = [
            format!("ip link add {near} type veth peer name {far} netns {name}"),
            format!("ip addr add {here}/30 dev {near}"),
            format!("ip link set {near} up"),
            format!("ip -n {name} addr add {there}/30 dev {far}"),
            format!("ip -n {name} link set {far} up"),
            format!("ip -n {name} link set lo up"),
            format!("ip netns exec {name} nft add table inet line"),
            format!("ip netns exec {name} nft add chain inet line input {{ type filter hook input priority 0; }}"),
            format!("ip netns exec {name} nft add chain inet line output {{ type filter hook output priority 0; }}"),
        ];
        if let Some(failed) = steps.iter().find(|step| !can(step)) {
            eprintln!("cannot: {failed}");
            can(&format!("ip link delete {near}"));
            can(&format!("ip netns delete {name}"));
            return None;
        }
        Some(Self { name, here, there })
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

/// Whether a command ends well.
fn can(line: &str) -> bool {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(line: &str) {
    assert!(can(line), "{line}");
}
