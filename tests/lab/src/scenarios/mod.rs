//! The scenarios, one per file.
//!
//! To add one: a file here, a line in `ALL`, a row in docs/lab.md.

mod conntrack_full;
mod dead_servers;
mod device_rst;
mod dropped_here;
mod entry_missing;
mod filter_fixed;
mod forwarded;
mod fully_random;
mod host;
mod insert_race;
mod ipv6;
mod loss;
mod mixed;
mod no_answer;
mod not_translated;
mod other_answers;
mod other_range;
mod outages;
mod pod_firewall;
mod port_exhausted;
mod port_out_of_range;
mod ports_fixed;
mod preserved;
mod preserved_clash;
mod refused;
mod reply_dropped_here;
mod reply_misrouted;
mod reply_stolen;
mod reset_ports;
mod reused_port;
mod service;
mod stale_entry;
mod syn_option_dropped;
mod tuple_reused;
mod unknown;
mod unreachable;
mod unwatched_return;
mod wrong_source;

use anyhow::{Result, bail};

use crate::scenario::Scenario;

/// Every scenario, in the order of `--list`.
pub const ALL: &[&Scenario] = &[
    &fully_random::SCENARIO,
    &preserved::SCENARIO,
    &preserved_clash::SCENARIO,
    &ports_fixed::SCENARIO,
    &filter_fixed::SCENARIO,
    &ipv6::FILTERED,
    &ipv6::UNFILTERED,
    &host::SCENARIO,
    &service::SCENARIO,
    &forwarded::SCENARIO,
    &other_range::SCENARIO,
    &reused_port::SCENARIO,
    &port_out_of_range::SCENARIO,
    &refused::SCENARIO,
    &device_rst::SCENARIO,
    &reset_ports::SCENARIO,
    &unreachable::SCENARIO,
    &insert_race::SCENARIO,
    &port_exhausted::SCENARIO,
    &conntrack_full::SCENARIO,
    &dropped_here::SCENARIO,
    &reply_stolen::SCENARIO,
    &reply_dropped_here::SCENARIO,
    &entry_missing::SCENARIO,
    &reply_misrouted::SCENARIO,
    &pod_firewall::SCENARIO,
    &other_answers::SCENARIO,
    &tuple_reused::SCENARIO,
    &wrong_source::SCENARIO,
    &stale_entry::SCENARIO,
    &not_translated::SCENARIO,
    &syn_option_dropped::SCENARIO,
    &no_answer::SCENARIO,
    &loss::SCENARIO,
    &outages::SCENARIO,
    &unwatched_return::SCENARIO,
    &unknown::SCENARIO,
    &mixed::SCENARIO,
    &mixed::FILTERED,
    &dead_servers::ALL_DEAD,
    &dead_servers::ONE_DEAD,
];

/// The scenario of this name.
pub fn find(name: &str) -> Result<&'static Scenario> {
    let Some(scenario) = ALL.iter().find(|scenario| scenario.name == name) else {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        bail!("there is no scenario {name}: choose one of {}", names.join(", "));
    };
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_scenario_says_what_happens() {
        let names: HashSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|scenario| !scenario.name.is_empty() && !scenario.about.is_empty()));
    }

    #[test]
    fn every_cause_has_a_scenario_of_its_stem() {
        for cause in snatrace::causes::ALL {
            assert!(ALL.iter().any(|scenario| scenario.name == cause.id), "no scenario {}", cause.id);
        }
    }

    #[test]
    fn every_scenario_is_in_the_docs() {
        let docs = include_str!("../../../../docs/lab.md");
        for scenario in ALL {
            assert!(docs.contains(&format!("| `{}` |", scenario.name)), "{} has no row in docs/lab.md", scenario.name);
        }
    }

    #[test]
    fn every_chain_has_connections() {
        assert!(ALL.iter().all(|scenario| (0..100).all(|index| !(scenario.chain)(index).is_empty())));
    }

    #[test]
    fn raw_connections_name_their_source_port() {
        for scenario in ALL.iter().filter(|scenario| scenario.raw) {
            assert!((scenario.chain)(3).iter().all(|step| step.src_port.is_some()), "{}", scenario.name);
        }
    }

    #[test]
    fn expected_shares_are_those_of_the_law() {
        let share = |name| find(name).unwrap().share_failing();
        assert!((share("fully_random") - 0.5).abs() < 1e-9);
        assert!((share("other_range") - (1.0 - 10000.0 / 65536.0)).abs() < 1e-9);
        assert!(share("filter_fixed") == 0.0 && share("ipv6_unfiltered") == 0.0);
    }

    #[test]
    fn unknown_scenario_is_answered_with_the_known_ones() {
        let error = find("no_such").err().unwrap().to_string();
        assert!(error.contains("no_such") && error.contains("preserved_clash"));
    }
}
