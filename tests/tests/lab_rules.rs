//! `doctor` on sets of rules as programs write them (tests/rules): what it predicts is what real connections do, and every
//! command that it prints does what it says and nothing else.
//!
//! Each file begins with what is expected of it:
//! `# level: problem` the worst level of a rule; `# outside: 50` percent of 400 connections from a pod that leave below 32768;
//! `# from: fd42::5` where that pod has another address than 10.42.0.5;
//! `# fixed: no` where no command can be printed; `# mark: 0x4000` what connections to port 8080 are marked with;
//! `# port: 443` where they go otherwise; `# uplink: NAME`, `# sets: NAME TYPE MEMBER ...` what is there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt::ReceiveTimeout,
    sockopt::SendTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::Value;
use snatrace::netns::Netns;

const ALLOWED: &str = "32768-65535";
const LOWEST: u16 = 32768;
const CONNECTIONS: u32 = 400;
/// A connection that takes longer has failed, and with it the test.
const PATIENCE_S: i64 = 3;
/// The pod, and a machine behind the node that has other addresses.
const POD: &str = "10.42.0.5";
const OTHER: &str = "10.43.0.9";
const SERVER: &str = "198.51.100.80";
const POD6: &str = "fd42::5";
const OTHER6: &str = "fd43::9";
const SERVER6: &str = "2001:db8:80::80";
/// Where connections have no mark, and where they have.
const PLAIN: u16 = 80;
const MARKED: u16 = 8080;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Three namespaces: pod, node and server. Gone when this is dropped.
struct Net {
    prefix: String,
}

impl Net {
    fn up(uplink: &str) -> Self {
        let net = Self { prefix: format!("rules{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)) };
        for name in ["pod", "node", "srv"] {
            run("ip", &["netns", "add", &net.name(name)]);
            net.ip(name, "link set lo up");
        }
        let (node, server) = (net.name("node"), net.name("srv"));
        net.ip("pod", &format!("link add eth0 type veth peer name veth0 netns {node}"));
        net.ip("node", &format!("link add {uplink} type veth peer name eth0 netns {server}"));
        let pod = format!(
            "addr add {POD}/24 dev eth0\naddr add {OTHER}/24 dev eth0
            addr add {POD6}/64 dev eth0 nodad\naddr add {OTHER6}/64 dev eth0 nodad
            link set eth0 up
            route add default via 10.42.0.1\n-6 route add default via fd42::1"
        );
        let node = format!(
            "addr add 10.42.0.1/24 dev veth0\naddr add 10.43.0.1/24 dev veth0
            addr add fd42::1/64 dev veth0 nodad\naddr add fd43::1/64 dev veth0 nodad
            link set veth0 up
            addr add 203.0.113.2/24 dev {uplink}\naddr add 203.0.113.3/24 dev {uplink}
            addr add 2001:db8:1::2/64 dev {uplink} nodad\naddr add 2001:db8:1::3/64 dev {uplink} nodad
            link set {uplink} up
            route add default via 203.0.113.1\n-6 route add default via 2001:db8:1::1"
        );
        // What is not translated comes back too.
        let server = format!(
            "addr add 203.0.113.1/24 dev eth0\naddr add {SERVER}/32 dev lo
            addr add 2001:db8:1::1/64 dev eth0 nodad\naddr add {SERVER6}/128 dev lo nodad
            link set eth0 up
            route add default via 203.0.113.2\n-6 route add default via 2001:db8:1::2"
        );
        for (name, commands) in [("pod", pod), ("node", node), ("srv", server)] {
            commands.lines().for_each(|command| net.ip(name, command.trim()));
        }
        net.inside("node", "sysctl", &["-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"], None);
        net
    }

    fn name(&self, which: &str) -> String {
        format!("{}-{which}", self.prefix)
    }

    fn path(&self, which: &str) -> PathBuf {
        Path::new("/run/netns").join(self.name(which))
    }

    fn ip(&self, which: &str, words: &str) {
        let name = self.name(which);
        run("ip", &["-n", &name].into_iter().chain(words.split(' ')).collect::<Vec<_>>());
    }

    /// Runs a tool in a namespace, with this input.
    fn inside(&self, which: &str, tool: &str, arguments: &[&str], input: Option<&str>) -> String {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(which), tool]).args(arguments);
        output(&mut command, input)
    }

    fn doctor(&self, arguments: &[&str]) -> String {
        let mut doctor = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
        doctor.args(["doctor", "--allow", ALLOWED, "--netns"]).arg(self.path("node")).args(arguments);
        output(&mut doctor, None)
    }

    fn judgement(&self) -> Value {
        serde_json::from_str(&self.doctor(&["-o", "json"])).unwrap()
    }

    /// The sources that the server sees, of connections from this address to this port.
    fn connect(&self, from: &str, port: u16, connections: u32) -> Vec<SocketAddr> {
        let at = |name: &str| Netns::open(&self.path(name)).unwrap();
        let from: SockaddrStorage = SocketAddr::new(from.parse().unwrap(), 0).into();
        let (family, server) = match from.as_sockaddr_in6() {
            Some(_) => (AddressFamily::Inet6, SERVER6),
            None => (AddressFamily::Inet, SERVER),
        };
        let listener = at("srv").run(|| Ok(TcpListener::bind((server, port))?)).unwrap();
        setsockopt(&listener, ReceiveTimeout, &TimeVal::seconds(PATIENCE_S)).unwrap();
        let to: SockaddrStorage = SocketAddr::new(server.parse().unwrap(), port).into();
        std::thread::scope(|scope| {
            let seen = scope.spawn(move || (0..connections).map(|_| listener.accept().unwrap().1).collect());
            let connect_all = || {
                for _ in 0..connections {
                    let client = socket(family, SockType::Stream, SockFlag::empty(), None)?;
                    setsockopt(&client, SendTimeout, &TimeVal::seconds(PATIENCE_S))?;
                    bind(client.as_raw_fd(), &from)?;
                    connect(client.as_raw_fd(), &to)?;
                }
                Ok(())
            };
            at("pod").run(connect_all).unwrap();
            seen.join().unwrap()
        })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in ["pod", "node", "srv"] {
            let _ = Command::new("ip").args(["netns", "del", &self.name(name)]).status();
        }
    }
}

fn run(tool: &str, arguments: &[&str]) -> String {
    output(Command::new(tool).args(arguments), None)
}

fn output(command: &mut Command, input: Option<&str>) -> String {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(input) = input {
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a file expects, by word.
struct Case {
    name: String,
    rules: String,
    expected: BTreeMap<String, String>,
    sets: Vec<String>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let rules = fs::read_to_string(path).unwrap();
        let lines = rules.lines().map_while(|line| line.strip_prefix("# ")?.split_once(": "));
        let lines: Vec<_> = lines.map(|(word, value)| (word.to_owned(), value.to_owned())).collect();
        let sets = lines.iter().filter(|(word, _)| word == "sets").map(|(_, value)| value.clone()).collect();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        Self { name, expected: lines.into_iter().collect(), rules, sets }
    }

    fn says(&self, word: &str) -> Option<&str> {
        self.expected.get(word).map(String::as_str)
    }

    fn load(&self, net: &Net) {
        for set in &self.sets {
            let words: Vec<&str> = set.split(' ').collect();
            net.inside("node", "ipset", &["create", words[0], words[1]], None);
            for member in &words[2..] {
                net.inside("node", "ipset", &["add", words[0], member], None);
            }
        }
        match self.name.ends_with(".nft") {
            true => net.inside("node", "nft", &["-f", "-"], Some(&self.rules)),
            false if self.name.ends_with(".ip6tables") => {
                net.inside("node", "ip6tables-nft-restore", &[], Some(&self.rules))
            }
            false => net.inside("node", "iptables-nft-restore", &[], Some(&self.rules)),
        };
        if let Some(mark) = self.says("mark") {
            let table = format!(
                "table inet marker {{\n chain pre {{\n type filter hook prerouting priority -150;\n tcp dport {MARKED} meta mark set {mark}\n }}\n}}\n"
            );
            net.inside("node", "nft", &["-f", "-"], Some(&table));
        }
    }
}

/// The worst level of a NAT rule.
fn level(judgement: &Value) -> &str {
    let rules = judgement["checks"].as_array().unwrap().iter().filter(|check| check["id"] == "nat_rule");
    let levels: Vec<&str> = rules.map(|rule| rule["level"].as_str().unwrap()).collect();
    ["problem", "warn", "note", "ok"].into_iter().find(|level| levels.contains(level)).unwrap_or("ok")
}

fn commands(judgement: &Value) -> Vec<String> {
    let fixes = judgement["checks"].as_array().unwrap().iter().flat_map(|check| check["fixes"].as_array().unwrap());
    fixes.flat_map(|fix| fix["commands"].as_array().unwrap()).map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// In percent.
fn outside(seen: &[SocketAddr]) -> f64 {
    100.0 * seen.iter().filter(|source| source.port() < LOWEST).count() as f64 / seen.len() as f64
}

fn addresses(seen: &[SocketAddr]) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = seen.iter().map(SocketAddr::ip).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Where the connections of each kind come from: of both sources and families, without and with the mark.
fn all_kinds(net: &Net) -> Vec<Vec<SocketAddr>> {
    let sources = [POD, OTHER, POD6, OTHER6];
    let kinds = sources.into_iter().flat_map(|from| [(from, PLAIN), (from, MARKED)]);
    kinds.map(|(from, port)| net.connect(from, port, 20)).collect()
}

fn play(case: &Case) -> Result<(), String> {
    let net = Net::up(case.says("uplink").unwrap_or("eth0"));
    case.load(&net);
    let check = |is_right: bool, what: String| if is_right { Ok(()) } else { Err(format!("{}: {what}", case.name)) };
    let port = if case.says("mark").is_some() {
        MARKED
    } else {
        case.says("port").map_or(PLAIN, |port| port.parse().unwrap())
    };

    let from = case.says("from").unwrap_or(POD);
    let before = net.judgement();
    let expected = case.says("level").unwrap_or("problem");
    check(level(&before) == expected, format!("{} instead of {expected}: {:#}", level(&before), before["checks"]))?;
    let share = outside(&net.connect(from, port, CONNECTIONS));
    let wanted: f64 = case.says("outside").unwrap_or("50").parse().unwrap();
    // Five standard deviations.
    let tolerance = if wanted == 0.0 { 0.0 } else { 12.5 };
    check((share - wanted).abs() <= tolerance, format!("{share} % outside instead of {wanted}"))?;

    let commands = commands(&before);
    let is_fixed = case.says("fixed").unwrap_or(if wanted > 0.0 { "yes" } else { "no" }) == "yes";
    check(commands.is_empty() != is_fixed, format!("commands: {commands:#?}"))?;
    if !is_fixed {
        return Ok(());
    }
    let old = all_kinds(&net);
    for command in &commands {
        let result = Command::new("bash").args(["-c", command]).output().unwrap();
        check(result.status.success(), format!("{command}: {}", String::from_utf8_lossy(&result.stderr)))?;
    }
    let share = outside(&net.connect(from, port, CONNECTIONS));
    check(share == 0.0, format!("{share} % outside after {commands:#?}"))?;
    for (old, new) in old.iter().zip(all_kinds(&net)) {
        check(
            addresses(old) == addresses(&new),
            format!("{:?} became {:?} by {commands:#?}", addresses(old), addresses(&new)),
        )?;
    }
    let after = net.judgement();
    check(["ok", "note"].contains(&level(&after)), format!("{} after the fix: {:#}", level(&after), after["checks"]))
}

/// nft that owns a table as long as it lives: no other program can change it.
fn own(net: &Net, commands: &str) -> std::process::Child {
    let mut nft = Command::new("ip");
    nft.args(["netns", "exec", &net.name("node"), "nft", "-i"]);
    let mut child = nft.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(commands.as_bytes()).unwrap();
    child.stdin.as_mut().unwrap().flush().unwrap();
    let is_there = || net.inside("node", "nft", &["list", "tables"], None).contains("owned");
    tests::process::until("the table of the other program", is_there);
    std::thread::sleep(std::time::Duration::from_millis(300));
    child
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_table_of_another_program_is_left_alone() {
    // Another table has an owner and rules with the same handles: the fix is for the rule that it is about.
    let net = Net::up("eth0");
    let rules = "table ip a {\n chain post {\n type nat hook postrouting priority srcnat;\n ip saddr 10.42.0.0/16 tcp dport 80 masquerade random\n }\n}\n";
    net.inside("node", "nft", &["-f", "-"], Some(rules));
    let commands_of_other = "add table inet owned { flags owner; }\nadd chain inet owned c\nadd rule inet owned c tcp dport 22 ip saddr 192.0.2.0/24 counter\n";
    let mut other = own(&net, commands_of_other);
    let judgement = net.judgement();
    let commands = commands(&judgement);
    assert!(
        commands.len() == 1
            && commands[0].contains("ip saddr 10.42.0.0/16 tcp dport 80 masquerade to :32768-65535 random"),
        "{commands:#?}"
    );
    run("bash", &["-c", &commands[0]]);
    let left = net.inside("node", "nft", &["list", "table", "ip", "a"], None);
    assert!(left.contains("ip saddr 10.42.0.0/16 tcp dport 80 masquerade random\n"), "{left}");
    assert_eq!(outside(&net.connect(POD, PLAIN, CONNECTIONS)), 0.0);
    other.kill().unwrap();
    other.wait().unwrap();

    // The NAT rule itself is in such a table.
    let net = Net::up("eth0");
    let commands_of_other = "add table ip owned { flags owner; }\nadd chain ip owned post { type nat hook postrouting priority 100; }\nadd rule ip owned post ip saddr 10.42.0.0/16 masquerade random\n";
    let mut other = own(&net, commands_of_other);
    let judgement = net.judgement();
    assert!(level(&judgement) == "problem" && self::commands(&judgement).is_empty(), "{:#}", judgement["checks"]);
    let rule = judgement["checks"].as_array().unwrap().iter().find(|check| check["id"] == "nat_rule").unwrap();
    assert_eq!(rule["rule"]["table_owner"], "nft");
    assert!(rule["fixes"][0]["what"].as_str().unwrap().contains("nft owns the table"), "{rule:#}");
    other.kill().unwrap();
    other.wait().unwrap();
}

/// Seconds of processor time of all children so far.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn thousands_of_rules_are_judged_in_seconds_and_few_lines() {
    let net = Net::up("eth0");
    let mut rules = String::from("table ip big {\n chain post {\n type nat hook postrouting priority srcnat;\n");
    for number in 0..20_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        rules += &format!("ip saddr 10.{a}.{b}.{c} oifname \"eth0\" masquerade fully-random\n");
    }
    net.inside("node", "nft", &["-f", "-"], Some(&(rules + "}\n}\n")));
    let mut pods = String::from(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n",
    );
    (0..300).for_each(|pod| pods += &format!(":CNI-{pod} - [0:0]\n"));
    for pod in 0..300 {
        let address = format!("10.99.{}.{}", pod / 200, pod % 200);
        pods += &format!(
            "-A POSTROUTING -s {address}/32 -j CNI-{pod}\n-A CNI-{pod} -d 10.99.0.0/16 -j ACCEPT\n-A CNI-{pod} ! -d 224.0.0.0/4 -j MASQUERADE --random-fully\n"
        );
    }
    net.inside("node", "iptables-nft-restore", &[], Some(&(pods + "COMMIT\n")));
    // Processor time, because other tests may run at the same time.
    let start = cpu();
    net.inside("node", "nft", &["-j", "list", "ruleset"], None);
    net.inside("node", "nft", &["-a", "list", "ruleset"], None);
    net.inside("node", "iptables-nft-save", &[], None);
    let tools = cpu() - start;
    let start = cpu();
    let judgement = net.judgement();
    let took = cpu() - start;
    println!("the tools took {tools:.2} s, doctor {took:.2} s");
    assert!(took < tools + 3.0, "{took} s, the tools alone {tools} s");
    let groups = judgement["checks"].as_array().unwrap().iter().filter(|check| check["id"] == "nat_rule");
    let groups: Vec<_> = groups.map(|group| group["rule"]["rules"].as_u64().unwrap()).collect();
    assert_eq!((groups.len(), groups.iter().sum::<u64>()), (2, 20_300), "{groups:?}");
    for arguments in [&[][..], &["--verbose"]] {
        let text = net.doctor(arguments);
        assert!(text.lines().count() <= 100, "{text}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn rules_of_every_kind_are_judged_and_mended() {
    let only = std::env::var("RULES").unwrap_or_default();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let cases = files
        .iter()
        .filter(|file| only.split(',').any(|part| file.to_str().unwrap().contains(part)))
        .map(|file| Case::read(file));
    let has_ipset = Command::new("ipset").arg("-v").stdout(Stdio::null()).status().is_ok();
    let (cases, unable): (Vec<_>, Vec<_>) = cases.partition(|case| has_ipset || case.sets.is_empty());
    unable.iter().for_each(|case| println!("{}: ipset is not installed", case.name));
    let played = |case: &Case| {
        std::panic::catch_unwind(|| play(case))
            .unwrap_or_else(|_| Err(format!("{}: the test itself failed", case.name)))
            .err()
    };
    let failures: Vec<String> = cases.iter().filter_map(played).collect();
    println!("{} sets of rules", cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
