//! What can be done about a rule, as commands, each with what follows from it. Nothing here is ever run.

use std::collections::HashMap;

use super::share::Share;
use super::{Facts, Fix};
use crate::model::PortSet;
use crate::ruleset::{Insertion, NatPorts, NatRule, shell_word, with_ports};

/// Ports that the kernel draws from by default.
const DEFAULT_SIZE: u32 = 64512;
/// The lowest port that no service of the system has.
const LOWEST: u16 = 1024;

/// The largest range that the filter accepts, above the ports that services have.
pub(super) fn range(allowed: &PortSet) -> Option<(u16, u16)> {
    let usable = allowed.ranges().filter(|(_, high)| *high >= LOWEST).map(|(low, high)| (low.max(LOWEST), high));
    usable.max_by_key(|(low, high)| high - low)
}

/// The rule with ports that the filter accepts, for each family that it meets; its commands are added once all are known.
pub(super) fn ports(facts: &Facts, rule: &NatRule, shares: &[Share]) -> (Option<Fix>, Option<Insertion>) {
    let narrow = shares.iter().filter(|share| !share.never).map(|share| &share.allowed);
    let ranges: Vec<_> = narrow.filter_map(range).collect();
    let Some(&(low, high)) = ranges.iter().min_by_key(|(low, high)| high - low) else { return (None, None) };
    if !ranges.iter().all(|(from, to)| *from <= low && high <= *to) {
        return (Some(by_hand("IPv4 and IPv6 need different ports, so make it two rules", low, high)), None);
    }
    match with_ports(rule, (low, high)) {
        Ok(insertion) => {
            let what = format!("insert the same rule above it, with ports {low}-{high}");
            (Some(Fix { what, consequence: after(facts, rule, low, high), ..Fix::default() }), Some(insertion))
        }
        Err(why) => (Some(by_hand(&why, low, high)), None),
    }
}

fn by_hand(why: &str, low: u16, high: u16) -> Fix {
    Fix {
        what: format!(
            "change the rule by hand, so that it chooses from {low}-{high}: no command is printed, because {why}"
        ),
        consequence: "to make the change permanent, make it where the rule is written: a file, or a program's \
                      configuration"
            .to_owned(),
        ..Fix::default()
    }
}

fn after(facts: &Facts, rule: &NatRule, low: u16, high: u16) -> String {
    let size = u32::from(high - low) + 1;
    let before = match &rule.nat.ports {
        NatPorts::Ranges(ranges) => ranges.iter().map(|(low, high)| u32::from(high - low) + 1).max().unwrap_or(1),
        NatPorts::Default | NatPorts::Unknown => DEFAULT_SIZE,
    };
    let mut text = format!(
        "{size} simultaneous connections to one destination (address, port, protocol) instead of {before}; more are \
         dropped (insert_failed). Existing connections keep their ports. Lost when the rules are reloaded"
    );
    if let Some(owner) = rule.owner {
        text += &format!("; {} rewrites its chains, at the latest when it starts", owner.name());
    }
    if facts.rules.has_ufw() && rule.owner.is_none() && rule.chain == "POSTROUTING" {
        text += "; ufw loads its NAT rules from /etc/ufw/before.rules: change them there";
    }
    text + "."
}

/// Commands that have been printed: those of iptables name a place, which moves with each insertion above it.
#[derive(Default)]
pub(super) struct Placed {
    numbers: HashMap<(String, String, String), Vec<usize>>,
}

impl Placed {
    /// The commands of an insertion, right when all before have been run.
    pub(super) fn commands(&mut self, facts: &Facts, insertion: &Insertion) -> Vec<String> {
        insertion.rules.iter().map(|rule| self.command(facts, insertion, rule)).collect()
    }

    fn command(&mut self, facts: &Facts, insertion: &Insertion, rule: &[String]) -> String {
        let mut words = in_netns(facts);
        words.push(insertion.tool.clone());
        if let (true, Some(handle)) = (insertion.tool == "nft", insertion.handle) {
            let place = [
                "insert",
                "rule",
                &insertion.family,
                &insertion.table,
                &insertion.chain,
                "handle",
                &handle.to_string(),
            ];
            words.extend(place.map(shell_word));
            words.extend(rule.iter().map(|phrase| phrase_for_shell(phrase)));
        } else {
            let chain = (insertion.tool.clone(), insertion.table.clone(), insertion.chain.clone());
            let before = self.numbers.entry(chain).or_default();
            let number = insertion.number + before.iter().filter(|number| **number < insertion.number).count();
            before.push(insertion.number);
            words.extend(["-t", &insertion.table, "-I", &insertion.chain, &number.to_string()].map(shell_word));
            words.extend(rule.iter().map(|word| shell_word(word)));
        }
        words.join(" ")
    }
}

fn in_netns(facts: &Facts) -> Vec<String> {
    let netns = facts.netns.as_ref().map(|path| shell_word(&format!("--net={}", path.display())));
    netns.into_iter().flat_map(|path| ["nsenter".to_owned(), path]).collect()
}

/// nft joins its arguments, so a phrase can stay in one pair of quotes.
fn phrase_for_shell(phrase: &str) -> String {
    let is_plain = phrase.split(' ').all(|word| shell_word(word) == word);
    if is_plain { phrase.to_owned() } else { shell_word(phrase) }
}
