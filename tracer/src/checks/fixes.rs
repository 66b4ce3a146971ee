//! What can be done about a rule, as commands, each with what follows from it. Nothing here is ever run.

use super::share::Share;
use super::{Facts, Fix};
use crate::model::PortSet;
use crate::ruleset::{Flags, Kind, NatRule, Owner, Ports, shell_word};

/// Ports that the kernel draws from by default.
const DEFAULT_SIZE: u32 = 64512;

/// nft's words for the flags.
pub(super) fn flags(flags: &Flags) -> Option<String> {
    let named = [(flags.random, "random"), (flags.fully_random, "fully-random"), (flags.persistent, "persistent")];
    let words: Vec<_> = named.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word).collect();
    (!words.is_empty()).then(|| words.join(","))
}

/// The largest range that the filter lets through, above the ports that services have.
pub(super) fn range(allowed: &PortSet) -> Option<(u16, u16)> {
    let usable = allowed.ranges().filter(|(_, high)| *high >= 1024).map(|(low, high)| (low.max(1024), high));
    usable.max_by_key(|(low, high)| high - low)
}

/// The rule with ports that the filter lets through.
pub(super) fn ports(facts: &Facts, rule: &NatRule, shares: &[Share]) -> Vec<Fix> {
    let Some(share) = shares.iter().find(|share| !share.never) else { return Vec::new() };
    let Some((low, high)) = range(&share.allowed).filter(|_| rule.meets_tcp() && !rule.ways.is_empty()) else {
        return Vec::new();
    };
    let commands = if rule.tool == "nft" { nft(rule, low, high) } else { iptables(rule, low, high) };
    let Some(commands) = commands else { return Vec::new() };
    let how = match rule.line.protocols.is_some() {
        true => ": the same rule with ports, above it",
        false => ": the same rule with ports, above it, for TCP and UDP",
    };
    let what = format!("let the rule choose from {low}-{high} only{how}");
    vec![Fix {
        what,
        commands: commands.iter().map(|words| command(facts, words)).collect(),
        consequence: after(rule, low, high),
    }]
}

fn after(rule: &NatRule, low: u16, high: u16) -> String {
    let size = u32::from(high - low) + 1;
    let before = match &rule.nat.ports {
        Ports::Ranges(ranges) => ranges.iter().map(|(low, high)| u32::from(high - low) + 1).max().unwrap_or(1),
        Ports::Default | Ports::Unknown => DEFAULT_SIZE,
    };
    let mut text = format!(
        "{size} connections at a time to one destination (address, port, protocol) instead of {before}; more are dropped \
         (insert_failed). Connections that exist keep their ports. Gone when the rules are loaded anew"
    );
    if rule.tool != "nft" {
        text += "; rules below it get other numbers, so run doctor again before the next fix in this chain";
    }
    if let Some(owner) = rule.owner {
        text += &format!(
            "; {} writes its chains again, at the latest when it starts, and then this may be gone",
            owner.name()
        );
    }
    text + "."
}

/// In the namespace that was looked at.
fn command(facts: &Facts, words: &[String]) -> String {
    let netns = facts.netns.as_ref().map(|path| format!("--net={}", path.display()));
    let prefix = netns.into_iter().flat_map(|path| ["nsenter".to_owned(), path]);
    prefix.chain(words.iter().cloned()).map(|word| shell_word(&word)).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(' ').map(str::to_owned)
}

/// nft, with the matches as nft wrote them; `None` where they are not known or not fit to be pasted.
fn nft(rule: &NatRule, low: u16, high: u16) -> Option<Vec<Vec<String>>> {
    let handle = rule.line.handle.filter(|_| is_fit(rule) && !rule.line.text.is_empty())?;
    let target = match rule.nat.kind {
        Kind::Masquerade => format!("masquerade to :{low}-{high}"),
        Kind::Snat => {
            let address = rule.nat.address.as_ref()?;
            let (bracketed, family) = match address.contains(':') {
                true => (format!("[{address}]"), "ip6"),
                false => (address.clone(), "ip"),
            };
            let family = if rule.table_family == "inet" { format!(" {family}") } else { String::new() };
            format!("snat{family} to {bracketed}:{low}-{high}")
        }
        Kind::Netmap => return None,
    };
    let named = rule.line.protocols.is_some();
    // Never `replace`: what is inserted above takes the connections, and the rule itself stays whole.
    let head = ["insert", "rule", &rule.table_family, &rule.table, &rule.chain, "handle"].map(str::to_owned);
    let mut command = vec!["nft".to_owned()];
    command.extend(head);
    command.push(handle.to_string());
    command.extend(rule.line.matches.iter().cloned());
    if !named {
        // Ports need a protocol that has them.
        command.extend(words("meta l4proto { tcp, udp }"));
    }
    command.extend(words(&target));
    command.extend(flags(&rule.nat.flags));
    Some(vec![command])
}

fn iptables(rule: &NatRule, low: u16, high: u16) -> Option<Vec<Vec<String>>> {
    let mut target = match rule.nat.kind {
        Kind::Masquerade => vec!["MASQUERADE".to_owned(), "--to-ports".to_owned(), format!("{low}-{high}")],
        Kind::Snat => {
            let address = rule.nat.address.as_ref()?;
            let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
            vec!["SNAT".to_owned(), "--to-source".to_owned(), format!("{address}:{low}-{high}")]
        }
        Kind::Netmap => return None,
    };
    let Flags { random, fully_random, persistent } = rule.nat.flags;
    // Only SNAT knows persistent.
    let has = [
        (random, "--random"),
        (fully_random, "--random-fully"),
        (persistent && rule.nat.kind == Kind::Snat, "--persistent"),
    ];
    target.extend(has.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.to_owned()));
    // Always above and never instead of it: numbers shift, and a rule that stays below takes nothing any more.
    let one = |protocol: Option<&str>| {
        let mut command = vec![rule.tool.clone()];
        command.extend(words("-t nat"));
        command.extend(["-I".to_owned(), rule.chain.clone(), rule.line.number.to_string()]);
        command.extend(protocol.into_iter().flat_map(|protocol| ["-p".to_owned(), protocol.to_owned()]));
        command.extend(rule.line.matches.iter().cloned());
        command.push("-j".to_owned());
        command.extend(target.iter().cloned());
        command
    };
    let commands = match rule.line.protocols {
        Some(_) => vec![one(None)],
        None => vec![one(Some("tcp")), one(Some("udp"))],
    };
    is_fit(rule).then_some(commands)
}

/// Whether what stands in the rule can be pasted: no control characters, nothing that a terminal or a reader mistakes.
fn is_fit(rule: &NatRule) -> bool {
    let names = [&rule.table, &rule.chain];
    let all = names.into_iter().chain(&rule.line.matches).chain(&rule.nat.address);
    all.into_iter().all(|word| word.chars().all(|char| matches!(char, ' '..='~')))
}

/// What the programs that write such rules can be told, by version.
pub(super) fn switch(owner: Owner, allowed: &PortSet) -> Option<Fix> {
    const KEPT: &str = "pods keep their own source ports: outside only where ports clash, or where pods use other source \
                        ports than 32768-60999; and simultaneous connections may race for a port again (insert_failed)";
    let fix = |what: &str, commands: &[&str], consequence: &str| {
        let commands = commands.iter().map(|command| (*command).to_owned()).collect();
        Some(Fix { what: what.to_owned(), commands, consequence: consequence.to_owned() })
    };
    match owner {
        Owner::Flannel => fix(
            "flannel from v0.27.4: start flanneld with --ip-masq-fully-random-disable (or \
             FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE=true); as installed from its own manifest:",
            &["kubectl -n kube-flannel set env daemonset/kube-flannel-ds -c kube-flannel \
               FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE=true"],
            &format!("{KEPT}. The flannel inside k3s has no such switch that is known here"),
        ),
        Owner::KubeProxy => fix(
            "kube-proxy asks for random ports wherever it can, and no option against it is known here: change the filter, or \
             have fewer connections masqueraded (services with externalTrafficPolicy: Local)",
            &[],
            "Local: only pods on the node that was asked answer; they see the client's own address",
        ),
        Owner::AwsVpcCni => fix(
            "the Amazon VPC CNI can leave it out:",
            &["kubectl -n kube-system set env daemonset/aws-node AWS_VPC_K8S_CNI_RANDOMIZESNAT=none"],
            KEPT,
        ),
        Owner::IpMasqAgent => fix("ip-masq-agent, where it knows the flag: --random-fully=false", &[], KEPT),
        Owner::Calico => {
            let (low, high) = range(allowed)?;
            let patch = format!("{{\"spec\":{{\"natPortRange\":\"{low}:{high}\"}}}}");
            let command = format!("calicoctl patch felixconfiguration default --patch {}", shell_word(&patch));
            fix(
                "Calico can name the ports itself:",
                &[&command],
                "every node; fewer connections at a time to one destination",
            )
        }
        Owner::Docker | Owner::Cilium | Owner::Libvirt | Owner::Netavark | Owner::Tailscale | Owner::Cni => None,
    }
}
