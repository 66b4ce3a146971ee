//! The connections that the traffic client makes: of which scenario, in which lab, how many. Passed in an environment variable.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::net::{Family, Net};
use super::netns;
use super::rule_set::Rules;
use super::scenario::{Place, Scenario, Step};
use super::scenarios;

/// The environment variable that holds the plan as JSON.
pub const VARIABLE: &str = "SNATRACE_LAB_PLAN";

/// The traffic of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the scenario.
    pub scenario: String,
    /// Family of the connections.
    pub family: Family,
    /// Number of the lab.
    pub lab: u8,
    /// Rules of the node.
    pub rules: Rules,
    /// Number of connections.
    pub connections: u32,
    /// Number of connections at once.
    pub concurrency: u32,
    /// When a connection is given up, in milliseconds: the first retransmit comes after one second.
    pub give_up_ms: u64,
    /// Time between the starts of two chains, in microseconds, so that people can watch.
    pub pace_us: u64,
}

impl Plan {
    /// The plan of the environment.
    pub fn from_env() -> Result<Self> {
        let text = std::env::var(VARIABLE).with_context(|| {
            format!("{VARIABLE} is not set: run this inside `snatrace-lab demo SCENARIO -- COMMAND`")
        })?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {VARIABLE}"))
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).context("cannot write the plan as JSON")
    }

    /// When a connection is given up.
    pub const fn give_up(&self) -> Duration {
        Duration::from_millis(self.give_up_ms)
    }

    /// Every connection, in chains.
    pub fn chains(&self) -> Result<Vec<Chain>> {
        let scenario = scenarios::find(&self.scenario)?;
        let mut chains = Vec::new();
        let mut left = self.connections as usize;
        for index in 0.. {
            let steps: Vec<_> = (scenario.chain)(index).into_iter().take(left).collect();
            if steps.is_empty() {
                break;
            }
            left -= steps.len();
            chains.push(self.chain(scenario, index, &steps));
        }
        Ok(chains)
    }

    fn chain(&self, scenario: &Scenario, index: u32, steps: &[Step]) -> Chain {
        let net = Net::new(self.lab);
        let from_node = steps.iter().any(|step| step.from == Place::Node);
        let dst = if self.rules.goes_through_services(scenario) && !from_node {
            net.service(self.family, index)
        } else {
            (scenario.destination)(&net, self.family, index)
        };
        let connections = steps.iter().map(|&step| {
            let (name, src) = match step.from {
                Place::Pod(pod) => (net.pod_ns(pod), net.pod(self.family, pod)),
                Place::Node => (net.node_ns(), net.node(self.family)),
            };
            Connection { netns: netns::path(&name), src, dst, step }
        });
        Chain { connections: connections.collect() }
    }
}

/// Connections that follow one another.
#[derive(Clone, Debug)]
pub struct Chain {
    /// In their order.
    pub connections: Vec<Connection>,
}

/// One connection to be made.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where its socket is made.
    pub netns: PathBuf,
    /// Its source address.
    pub src: std::net::IpAddr,
    /// Its destination.
    pub dst: std::net::SocketAddr,
    /// The rest of it.
    pub step: Step,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn plan(scenario: &str, connections: u32) -> Plan {
        let (scenario, family) = (scenario.to_owned(), Family::V4);
        let rules = Rules::FlannelNft;
        Plan { scenario, family, lab: 7, rules, connections, concurrency: 10, give_up_ms: 2500, pace_us: 0 }
    }

    #[test]
    fn a_plan_has_exactly_the_connections_asked_for() {
        for scenario in scenarios::ALL {
            let chains = plan(scenario.name, 100).chains().unwrap();
            let connections = chains.iter().map(|chain| chain.connections.len()).sum::<usize>();
            assert_eq!(connections, 100, "{}", scenario.name);
        }
    }

    #[test]
    fn chosen_source_ports_meet_a_destination_only_once_across_chains() {
        for scenario in scenarios::ALL {
            let mut seen = HashSet::new();
            for chain in plan(scenario.name, 10_000).chains().unwrap() {
                let connection = &chain.connections[0];
                let port = connection.step.src_port;
                assert!(port.is_none() || seen.insert((connection.src, port, connection.dst)), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn services_are_used_where_scenario_or_rules_ask_for_them() {
        let port = |plan: Plan| plan.chains().unwrap()[0].connections[0].dst.port();
        assert_eq!(port(plan("service", 1)), 80);
        assert_eq!(port(plan("fully_random", 1)), 8080);
        assert_eq!(port(Plan { rules: Rules::KubeProxyNft, ..plan("fully_random", 1) }), 80);
        assert_eq!(port(Plan { rules: Rules::KubeProxyNft, ..plan("host", 1) }), 8080);
    }

    #[test]
    fn a_plan_survives_the_environment() {
        let plan = plan("forwarded", 5);
        assert_eq!(serde_json::from_str::<Plan>(&plan.to_json().unwrap()).unwrap(), plan);
    }
}
