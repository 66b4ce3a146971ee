//! A lab that is up: built step by step, and undone by guards.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::claim::Claim;
use crate::net::Net;
use crate::netns::{self, Namespace};
use crate::pods::Pods;
use crate::rule_set::Rules;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::{filter, requirements, rules, topology};

/// A lab that is up. Dropping it takes everything down, in the order of the fields.
pub struct Lab {
    /// Its addresses and names.
    pub net: Net,
    pods: Option<Pods>,
    _server: Server,
    _namespaces: Vec<Namespace>,
    claim: Claim,
}

impl Lab {
    /// Builds the network, its rules and its server for a scenario.
    pub fn build(scenario: &Scenario, rules: Rules) -> Result<Self> {
        requirements::check(rules)?;
        let claim = Claim::take()?;
        let net = Net::new(claim.number());
        let namespaces = net.namespaces().iter().map(|name| Namespace::create(name)).collect::<Result<Vec<_>>>()?;
        topology::build(&net)?;
        rules::install(&net, rules, scenario)?;
        filter::install(&net, scenario.filter)?;
        if scenario.raw {
            topology::silence_pod(&net)?;
        }
        (scenario.prepare)(&net, scenario.family)
            .with_context(|| format!("cannot set up the fault of {}", scenario.name))?;
        let server = Server::start(&netns::path(&net.server_ns()))?;
        let pods = Pods::start(&net, &claim.scratch())?;
        Ok(Self { net, pods, _server: server, _namespaces: namespaces, claim })
    }

    /// The number of packets that the provider's filter has dropped.
    pub fn filter_drops(&self) -> Result<u64> {
        filter::drops(&self.net)
    }

    /// The pods as a kubelet leaves them, where this machine has control groups.
    pub const fn pods(&self) -> Option<&Pods> {
        self.pods.as_ref()
    }

    /// A directory that is removed with the lab.
    pub fn scratch(&self) -> PathBuf {
        self.claim.scratch()
    }
}
