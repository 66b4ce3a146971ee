//! Source NAT by eBPF programs, as in Cilium: no rule shows it, but programs and pinned maps do.

use std::collections::BTreeMap;

use super::{Check, CheckReport, Facts, Level, fixes, percent};
use crate::model::{Origin, PortSet};

pub(super) const CHECK: Check = Check { id: "bpf_nat", run };

/// Maps and programs of Cilium's source NAT; the kernel keeps 15 characters of a name.
const CILIUM: [&str; 4] = ["cilium_snat_v4_", "cilium_snat_v6_", "cil_to_netdev", "cil_from_netdev"];
/// What other programs call theirs.
const GENERIC: &str = "snat";
/// The agent's `--node-port-range` by default; source NAT uses the ports above.
const NODE_PORTS: (u16, u16) = (30000, 32767);

/// What was found of eBPF programs on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpfNat {
    /// TC programs, each with the names of its maps.
    pub programs: Vec<(String, Vec<String>)>,
    /// Pinned maps.
    pub pinned: Vec<String>,
    /// Options of Cilium's agent; empty where it does not run or cannot be read.
    pub options: BTreeMap<String, String>,
    /// Why programs could not be listed.
    pub unseen: Option<String>,
}

impl BpfNat {
    /// The names that show source NAT.
    fn signs(&self) -> Vec<&str> {
        let is_sign = |name: &&str| CILIUM.contains(name) || name.contains(GENERIC);
        let programs = self.programs.iter().flat_map(|(program, maps)| [program].into_iter().chain(maps));
        let mut signs: Vec<&str> = programs.map(String::as_str).filter(is_sign).collect();
        signs.extend(self.pinned.iter().map(String::as_str));
        signs.sort_unstable();
        signs.dedup();
        signs
    }

    /// Whether there are any.
    pub fn is_there(&self) -> bool {
        !self.signs().is_empty()
    }

    fn is_cilium(&self) -> bool {
        !self.options.is_empty() || self.signs().iter().any(|sign| sign.starts_with("cil"))
    }

    /// The ports that Cilium draws from, where the agent's options are known.
    fn range(&self) -> Option<(u16, u16)> {
        let parse = |text: &String| {
            let (low, high) = text.split_once([',', '-'])?;
            Some((low.trim().parse::<u16>().ok()?, high.trim().parse::<u16>().ok()?))
        };
        if self.options.is_empty() {
            return None;
        }
        let node_ports = self.options.get("node-port-range").map_or(Some(NODE_PORTS), parse)?;
        let low = node_ports.1.checked_add(1)?;
        match self.options.get("node-port-nat-range-ext").filter(|text| !text.trim().is_empty()) {
            Some(text) => parse(text).map(|(from, _)| (from.min(low), u16::MAX)),
            None => Some((low, u16::MAX)),
        }
    }
}

fn run(facts: &Facts) -> Vec<CheckReport> {
    let nat = &facts.bpf_nat;
    if !nat.is_there() {
        return vec![match &nat.unseen {
            Some(why) => CHECK.report(Level::Note, format!("source NAT by eBPF cannot be ruled out: {why}")),
            None => CHECK.report(Level::Ok, "no eBPF program here looks like source NAT"),
        }];
    }
    let who = if nat.is_cilium() { "Cilium" } else { "an eBPF program" };
    let allowed = &facts.path_ports("ipv4");
    let mut report = match nat.range() {
        Some(range) => of_range(facts, who, range, allowed),
        None => CHECK.report(
            Level::Warn,
            format!("{who} translates sources, and its port range cannot be read: Cilium uses 32768-65535 by default"),
        ),
    };
    report = report.detail(format!("seen: {}", nat.signs().join(", ")));
    let options = nat.options.iter().map(|(name, value)| format!("{name}: {value}"));
    report.details.extend(options);
    report = report.detail(
        "no NAT rule of nftables or iptables shows this translation, and conntrack has no entry with its ports",
    );
    if report.level >= Level::Warn && nat.is_cilium() {
        report.fixes.extend(fixes::range(&facts.command_ports("ipv4").ports).map(|(low, _)| super::Fix {
            what: format!(
                "Cilium draws from the ports above its node port range: leave node-port-nat-range-ext empty, and let \
                 node-port-range end at {} or above",
                low.saturating_sub(1)
            ),
            consequence: "takes effect when the agents are restarted; services must have their node ports in that range".to_owned(),
            ..super::Fix::default()
        }));
    }
    vec![report]
}

fn of_range(facts: &Facts, who: &str, (low, high): (u16, u16), allowed: &PortSet) -> CheckReport {
    let outside = (low..=high).filter(|port| !allowed.contains(*port)).count();
    let share = outside as f64 / (low..=high).count() as f64;
    let level = match (outside, facts.policy.origin) {
        (0, _) => Level::Ok,
        (_, Origin::Default) => Level::Warn,
        (_, Origin::Given | Origin::Auto) => Level::Problem,
    };
    let effect = match outside {
        0 => format!("every port is in {allowed}"),
        _ => format!("{} of its ports are outside {allowed}", percent(share)),
    };
    CHECK.report(level, format!("{who} translates sources with eBPF to ports {low}-{high}: {effect}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Policy;

    fn report(options: &[(&str, &str)], maps: &[&str]) -> CheckReport {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let programs = vec![("tc_prog".to_owned(), maps.iter().map(|map| (*map).to_owned()).collect())];
        let bpf_nat = BpfNat { programs, options, ..BpfNat::default() };
        let policy = Policy { origin: Origin::Given, ..Policy::default() };
        run(&Facts { bpf_nat, policy, ..Facts::default() }).remove(0)
    }

    #[test]
    fn ciliums_ports_follow_from_its_options() {
        let maps = ["cilium_snat_v4_"];
        assert_eq!(report(&[("enable-bpf-masquerade", "true")], &maps).level, Level::Ok);
        let low = report(&[("node-port-range", "20000,22767")], &maps);
        assert!(low.level == Level::Problem && low.summary.contains("22768-65535"), "{}", low.summary);
        let extended = report(&[("node-port-nat-range-ext", "1024-29999")], &maps);
        assert!(extended.level == Level::Problem && extended.summary.contains("1024-65535"), "{}", extended.summary);
        assert_eq!(report(&[], &maps).level, Level::Warn, "the range is not known");
        assert_eq!(report(&[], &["other"]).level, Level::Ok);
    }
}
