//! Interfaces that NAT rules name and that a capture does not watch by default.

use std::collections::BTreeSet;

use super::{Check, CheckReport, Facts, Level, tunnels};

pub(super) const CHECK: Check = Check { id: "uplinks", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let watched: BTreeSet<&str> = facts.uplinks().collect();
    let named =
        facts.rules.rules.iter().filter_map(crate::ruleset::NatRule::leaves_by).flatten().collect::<BTreeSet<_>>();
    let is_there = |name: &&str| facts.links.contains_key(*name) && *name != "lo";
    let missed: Vec<&str> = named
        .into_iter()
        .filter(is_there)
        .filter(|name| !watched.contains(name) && !tunnels::is_tunnel(name, &facts.links))
        .collect();
    let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let watched = list(&watched.into_iter().collect::<Vec<_>>());
    vec![if missed.is_empty() {
        CHECK.report(Level::Ok, format!("interfaces that lead to the outside: {watched}; no NAT rule names another"))
    } else {
        let options: Vec<_> = missed.iter().map(|name| format!("-i {name}")).collect();
        CHECK
            .report(
                Level::Note,
                format!(
                    "NAT rules name {}, which does not lead to the outside: a capture does not watch it by default",
                    list(&missed)
                ),
            )
            .detail(format!(
                "interfaces that lead to the outside: {watched}; add {} to tail or record",
                options.join(" ")
            ))
    }]
}
