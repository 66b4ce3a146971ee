//! What is watched follows the node while it changes: after each change exactly what failed is flagged.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;
use tests::lab::{ALLOW, Connection, Lab, connections, is_flagged_end};
use tests::process::{Outcome, Running, summary};

/// What is announced is followed within this time.
const SOON: Duration = Duration::from_millis(700);
/// And what is not announced, a program of TCX, within this.
const CHECKED: Duration = Duration::from_millis(1500);

/// Two routers' worth of ways out, and a capture that goes on while they change.
struct Node {
    lab: Lab,
    node: String,
    router: String,
    failed: BTreeSet<Connection>,
}

impl Node {
    fn up() -> Self {
        let lab = Lab::up("fully_random");
        let name = |variable: &str| Path::new(lab.variable(variable)).file_name().unwrap().to_str().unwrap().to_owned();
        let (node, router) = (name("NODE_NETNS"), name("ROUTER_NETNS"));
        Self { lab, node, router, failed: BTreeSet::new() }
    }

    fn ip(&self, words: &str) {
        Outcome::of(Command::new("ip").args(["-n", &self.node]).args(words.split(' '))).done();
    }

    fn at_router(&self, words: &str) {
        let words = words.split(' ');
        Outcome::of(Command::new("ip").args(["netns", "exec", &self.router]).args(words)).done();
    }

    fn at_node(&self, tool: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.node, tool]);
        command
    }

    fn tc(&self, words: &str) {
        Outcome::of(self.at_node("tc").args(words.split(' ').map(|word| word.replace('|', " ")))).done();
    }

    /// Another way to the router, behind the same filter.
    fn link(&self, name: &str, number: u8) {
        self.ip(&format!("link add {name} type veth peer name to{number} netns {}", self.router));
        self.ip(&format!("address add 10.99.{number}.2/24 dev {name}"));
        self.ip(&format!("link set {name} up"));
        self.at_router(&format!("ip address add 10.99.{number}.1/24 dev to{number}"));
        self.at_router(&format!("ip link set to{number} up"));
    }

    fn filter(&self) {
        let rule = "iifname server0 ip daddr 10.99.0.0/16 tcp flags & ack == ack tcp dport != 32768-65535 drop";
        self.at_router(&format!("nft add rule inet provider prerouting {rule}"));
    }

    /// Attaches filters that end the chain, as a program of others does that returns `TC_ACT_OK`.
    fn pass_by(&self, name: &str) {
        self.tc(&format!("qdisc replace dev {name} clsact"));
        for direction in ["ingress", "egress"] {
            self.tc(&format!("filter add dev {name} {direction} prio 1 bpf da bytecode 1,6|0|0|0,"));
        }
        sleep(CHECKED);
    }

    /// Makes connections, of which some fail.
    fn connect(&mut self, after: &str) {
        let directory = tempfile::tempdir().unwrap();
        let truth = directory.path().join("truth");
        Outcome::of(self.lab.client(&["-n", "40", "--truth"]).arg(&truth)).done();
        let lines = fs::read_to_string(&truth).unwrap();
        let failed = connections(&lines, |line| line["ok"] == false);
        let worked = connections(&lines, |line| line["ok"] == true);
        assert!(failed.len() >= 5 && worked.len() >= 5, "{after}: {} failed, {} worked", failed.len(), worked.len());
        self.failed.extend(failed);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn what_is_watched_follows_routes_links_addresses_and_filters() {
    let mut node = Node::up();
    node.filter();
    let tail = Running::attached(&mut node.lab.capture("tail", ALLOW, &["--all", "-o", "json"]));
    node.connect("the start");

    node.link("eth1", 1);
    node.ip("route replace default via 10.99.1.1");
    sleep(SOON);
    node.connect("the default route has moved to another interface");

    node.ip("link delete eth1");
    node.link("eth1", 1);
    node.ip("route replace default via 10.99.1.1");
    sleep(SOON);
    node.connect("the uplink was deleted and made again");

    node.link("eth2", 2);
    node.ip("route add 0.0.0.0/1 via 10.99.2.1");
    node.ip("route add 128.0.0.0/1 via 10.99.2.1");
    sleep(SOON);
    node.connect("half-defaults lead elsewhere");

    node.link("eth3", 3);
    node.ip("route add default via 10.99.3.1 table 77");
    node.ip("rule add iif cni0 lookup 77 priority 100");
    sleep(SOON);
    node.connect("a rule leads to another table");

    node.ip("address delete 10.99.3.2/24 dev eth3");
    node.ip("address add 10.99.3.9/24 dev eth3");
    node.ip("route replace default via 10.99.3.1 table 77");
    sleep(SOON);
    node.connect("the uplink has another address");

    node.pass_by("eth3");
    node.connect("filters of others end the chain");

    node.link("eth4", 4);
    node.ip("link add br4 type bridge");
    node.ip("address delete 10.99.4.2/24 dev eth4");
    node.ip("address add 10.99.4.2/24 dev br4");
    node.ip("link set br4 up");
    node.ip("link set eth4 master br4");
    node.ip("route replace default via 10.99.4.1 table 77");
    sleep(SOON);
    node.connect("the uplink is a bridge");
    node.pass_by("eth4");
    node.connect("filters of others end the chain on the port of the bridge");
    node.ip("link set eth4 nomaster");
    node.ip("link set eth4 master br4");
    node.tc("qdisc delete dev eth4 clsact");
    sleep(CHECKED);
    node.connect("the filters are gone");

    tail.signal(Signal::SIGTERM);
    let outcome = tail.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let (flagged, failed) = (connections(&outcome.stdout, is_flagged_end), &node.failed);
    assert_eq!(&flagged, failed, "{}", outcome.stderr);
    for said in [
        "watching eth1",
        "no longer watching eth1: it is gone",
        "watching eth2",
        "watching eth3",
        "watching eth4",
        "no longer watching eth4",
    ] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_machine_on_a_bridge_is_seen_where_the_bridge_is_the_uplink() {
    let node = Node::up();
    node.link("eth1", 1);
    node.ip("link add br1 address 02:00:00:00:01:01 type bridge");
    node.ip("address delete 10.99.1.2/24 dev eth1");
    node.ip("address add 10.99.1.2/24 dev br1");
    node.ip("link set br1 up");
    node.ip("link set eth1 master br1");
    node.ip("route replace default via 10.99.1.1");
    // The machine is a pod with another interface; nobody has the address that it connects to, and the router drops the SYNs.
    let pod = Path::new(node.lab.variable("POD_NETNS")).file_name().unwrap().to_str().unwrap();
    node.ip(&format!("link add vm0 type veth peer name eth9 netns {pod}"));
    node.ip("link set vm0 master br1 up");
    for words in ["address add 10.99.1.50/24 dev eth9", "link set eth9 up", "route add 10.98.0.0/16 via 10.99.1.1"] {
        Outcome::of(Command::new("ip").args(["-n", pod]).args(words.split(' '))).done();
    }
    node.at_router("ip route add blackhole 10.98.0.0/16");
    let connect = "exec 3<>/dev/tcp/10.98.0.1/80";
    for (interface, is_seen) in [(&[][..], true), (&["--iface", "eth1"], true), (&["--iface", "br1"], false)] {
        let mut tail = node.lab.snatrace();
        tail.args(["tail", "--netns", node.lab.variable("NODE_NETNS"), "--all", "-o", "json"]).args(interface);
        let tail = Running::attached(&mut tail);
        Outcome::of(Command::new("ip").args(["netns", "exec", pod, "timeout", "2.5", "bash", "-c", connect]));
        tail.signal(Signal::SIGTERM);
        let outcome = tail.finish();
        let summary = summary(&outcome.stdout);
        let cause = if is_seen { "no_answer" } else { "unknown" };
        assert_eq!((&summary["attempts"], &summary["by_cause"][cause]), (&1.into(), &1.into()), "{outcome:#?}");
        assert_eq!(outcome.stdout.contains("seen leaving 2 times as 10.99.1.50"), is_seen, "{outcome:#?}");
        assert_eq!(outcome.stderr.contains("br1 is a bridge: SYNs that"), !is_seen, "{outcome:#?}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn sockets_that_retransmit_while_the_wire_sees_none_of_their_syns_are_said_at_once() {
    let mut node = Node::up();
    // A way out that nothing takes.
    node.link("eth1", 1);
    let options = ["--all", "-o", "json", "--iface", "eth1"];
    let tail = Running::attached(&mut node.lab.capture("tail", ALLOW, &options));
    node.connect("the wrong interface is watched");
    tail.signal(Signal::SIGTERM);
    let outcome = tail.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert_eq!(outcome.stderr.matches("no watched interface sees any SYN leave").count(), 1, "{}", outcome.stderr);
    let summary = summary(&outcome.stdout);
    assert_eq!(summary["by_cause"].as_object().unwrap().keys().collect::<Vec<_>>(), ["unknown"], "{summary}");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn uplinks_of_one_number_in_two_namespaces_are_judged_apart() {
    let (filtered, dead) = (Lab::up("fully_random"), Lab::up("no_answer"));
    let options = ["--netns", dead.variable("NODE_NETNS"), "--src", dead.variable("SRC"), "--all", "-o", "json"];
    let tail = Running::attached(&mut filtered.capture("tail", ALLOW, &options));
    for lab in [&filtered, &dead] {
        Outcome::of(&mut lab.client(&["-n", "60", "--truth", "/dev/null"])).done();
    }
    tail.signal(Signal::SIGTERM);
    let summary = summary(&tail.finish().stdout);
    let policies = summary["policies"].as_array().unwrap();
    let of = |key: &str| policies.iter().map(|policy| &policy[key]).collect::<Vec<_>>();
    let (uplinks, spaces) = (of("ifindex"), of("netns"));
    assert!(uplinks.len() == 2 && uplinks[0] == uplinks[1] && spaces[0] != spaces[1], "{policies:#?}");
    let causes: Vec<_> = summary["by_cause"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(causes, ["no_answer", "port_out_of_range"]);
}

/// Two classes of service, each with its part of the ports.
const CLASSES: &str = r#"table ip classes {
    chain sort {
        type filter hook prerouting priority mangle;
        iifname "cni0" ct mark 0 ct mark set numgen inc mod 2 offset 1
        iifname "cni0" ct mark 1 ip dscp set ef
    }
    chain translate {
        type nat hook postrouting priority srcnat - 10;
        oifname "eth0" meta l4proto tcp ct mark 1 masquerade to :1024-32767 fully-random
        oifname "eth0" meta l4proto tcp ct mark 2 masquerade to :32768-65535 fully-random
    }
}"#;

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_class_of_service_that_is_dropped_is_not_a_filter_of_ports() {
    let mut node = Node::up();
    Outcome::of(node.at_node("nft").arg(CLASSES)).done();
    node.at_router("nft flush chain inet provider prerouting");
    node.at_router("nft add rule inet provider prerouting ip dscp ef drop");
    let tail = Running::attached(&mut node.lab.capture("tail", ALLOW, &["--all", "-o", "json"]));
    for _ in 0..3 {
        node.connect("a class of service is dropped");
    }
    tail.signal(Signal::SIGTERM);
    let outcome = tail.finish();
    let summary = summary(&outcome.stdout);
    assert_eq!(summary["flagged_attempts"], node.failed.len(), "{summary:#}");
    assert_eq!(summary["by_cause"].as_object().unwrap().keys().collect::<Vec<_>>(), ["no_answer"], "{summary:#}");
    assert!(outcome.stdout.contains("next hop, DSCP, TTL"), "{outcome:#?}");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn answers_dropped_below_a_macvlan_are_dropped_here() {
    let mut node = Node::up();
    node.link("eth1", 1);
    node.ip("address delete 10.99.1.2/24 dev eth1");
    node.ip("link add mv1 link eth1 type macvlan mode bridge");
    node.ip("address add 10.99.1.2/24 dev mv1");
    node.ip("link set mv1 up");
    node.ip("route replace default via 10.99.1.1");
    let rules =
        "table netdev below { chain in { type filter hook ingress device eth1 priority 0; tcp dport < 32768 drop; }; }";
    Outcome::of(node.at_node("nft").arg(rules)).done();
    let tail = Running::attached(&mut node.lab.capture("tail", ALLOW, &["--all", "-o", "json"]));
    node.connect("the parent of the uplink has a firewall");
    tail.signal(Signal::SIGTERM);
    let summary = summary(&tail.finish().stdout);
    let causes = summary["by_cause"].as_object().unwrap();
    assert_eq!(causes.keys().collect::<Vec<_>>(), ["reply_dropped_here"], "{summary:#}");
    assert_eq!(causes["reply_dropped_here"], node.failed.len(), "{summary:#}");
}
