//! What can be done about a rule, as commands, each with what follows from it. Nothing here is ever run.

use std::collections::HashMap;

use super::path_ports::CommandPorts;
use super::share::Share;
use super::{Facts, Fix};
use crate::model::PortSet;
use crate::ruleset::{NatPorts, NatRule, shell_word, with_ports};

/// Ports that the kernel draws from by default.
const DEFAULT_SIZE: u32 = 64512;
/// The lowest port that no service of the system has.
const LOWEST: u16 = 1024;

/// The largest range that the filter accepts, above the ports that services have.
pub(super) fn range(allowed: &PortSet) -> Option<(u16, u16)> {
    let usable = allowed.ranges().filter(|(_, high)| *high >= LOWEST).map(|(low, high)| (low.max(LOWEST), high));
    usable.max_by_key(|(low, high)| high - low)
}

/// What can be done about a rule; where that is the rule with ports that the filter accepts, for each family that it meets, also the rules
/// to insert above it, whose commands are added once all are known.
pub(super) fn ports(facts: &Facts, rule: &NatRule, shares: &[Share]) -> (Option<Fix>, Vec<Vec<String>>) {
    let narrow = shares.iter().filter(|share| !share.never).map(|share| facts.command_ports(share.family));
    let narrow: Vec<CommandPorts> = narrow.collect();
    let ranges: Vec<_> = narrow.iter().filter_map(|of| range(&of.ports)).collect();
    let Some(&(low, high)) = ranges.iter().min_by_key(|(low, high)| high - low) else { return (None, Vec::new()) };
    let rules = match ranges.iter().all(|(from, to)| *from <= low && high <= *to) {
        true => with_ports(rule, (low, high)),
        false => Err("IPv4 and IPv6 need different ports, so make it two rules".to_owned()),
    };
    match rules {
        Ok(rules) => {
            let mut sources: Vec<_> = narrow.iter().map(|of| of.source.as_str()).filter(|of| !of.is_empty()).collect();
            sources.dedup();
            let colon = if sources.is_empty() { "" } else { ": " };
            let what = format!("insert the same rule above it, with ports {low}-{high}{colon}{}", sources.join("; "));
            (Some(Fix { what, consequence: after(facts, rule, low, high), ..Fix::default() }), rules)
        }
        Err(why) => (Some(by_hand(&why, low, high)), Vec::new()),
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
pub(super) struct Placed<'a> {
    numbers: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
}

impl<'a> Placed<'a> {
    /// The command that inserts a rule above another one, right when all before have been run.
    pub(super) fn command(&mut self, facts: &Facts, above: &'a NatRule, rule: &[String]) -> String {
        let NatRule { tool, table, chain, table_family: family, line, .. } = above;
        let mut words = vec![format!("{}{tool}", facts.prefix())];
        if let (true, Some(handle)) = (tool == "nft", line.handle) {
            words.extend(["insert", "rule", family, table, chain, "handle", &handle.to_string()].map(shell_word));
            words.extend(rule.iter().map(|phrase| phrase_for_shell(phrase)));
        } else {
            let before = self.numbers.entry((tool, table, chain)).or_default();
            let number = line.number + before.iter().filter(|number| **number < line.number).count();
            before.push(line.number);
            words.extend(["-t", table, "-I", chain, &number.to_string()].map(shell_word));
            words.extend(rule.iter().map(|word| shell_word(word)));
        }
        words.join(" ")
    }
}

/// nft joins its arguments, so a phrase can stay in one pair of quotes.
fn phrase_for_shell(phrase: &str) -> String {
    let is_plain = phrase.split(' ').all(|word| shell_word(word) == word);
    if is_plain { phrase.to_owned() } else { shell_word(phrase) }
}
