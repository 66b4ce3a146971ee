//! Interfaces that NAT rules name and that a capture does not watch by default.

use std::collections::BTreeSet;

use super::{Check, CheckReport, Facts, Level, tunnels};
use crate::ruleset::NatRule;

pub(super) const CHECK: Check = Check { id: "uplinks", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let watched: BTreeSet<&str> = facts.uplinks().collect();
    let named: BTreeSet<&str> = facts.rules.rules.iter().filter_map(NatRule::leaves_by).flatten().collect();
    let is_there = |name: &&str| facts.links.contains_key(*name) && *name != "lo";
    let is_missed = |name: &&str| !watched.contains(name) && !tunnels::is_tunnel(name, &facts.links);
    let missed: Vec<&str> = named.into_iter().filter(is_there).filter(is_missed).collect();
    let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let watched = list(&watched.into_iter().collect::<Vec<_>>());
    vec![if missed.is_empty() {
        CHECK.report(Level::Ok, format!("interfaces that lead to the outside: {watched}; no NAT rule names another"))
    } else {
        let options: Vec<_> = missed.iter().map(|name| format!("-i {name}")).collect();
        let (missed, options) = (list(&missed), options.join(" "));
        let summary = format!(
            "NAT rules name {missed}, which does not lead to the outside: a capture does not watch it by default"
        );
        CHECK
            .report(Level::Note, summary)
            .detail(format!("interfaces that lead to the outside: {watched}; add {options} to tail or record"))
    }]
}
