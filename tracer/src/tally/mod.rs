//! What became of all attempts of a capture, counted: by port, over time, by destination, source, pod, process, node and cause. Pure.
//!
//! Bounded whatever comes: a counter for every port, a limited number of steps in time, a limited number of rows in each
//! table. `report` shows it.

mod answer;
mod counts;
mod ports;
mod progress;
mod timeline;
mod top;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use answer::Answer;
pub use counts::Counts;
pub use ports::{HIGHEST, LOWEST, PortAnswers};
pub use progress::Progress;
pub use timeline::{Step, Timeline};
pub use top::Top;

use crate::model::{Attempt, EndedAttempt, NatMode, Owner};

const NS_PER_S: i128 = 1_000_000_000;

/// Who made an attempt, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// Namespace and pod.
    Pod(Arc<str>, Arc<str>),
    /// A container without a pod.
    Container(Arc<str>),
    /// The original source, or the translated one where only the wire was seen.
    Address(IpAddr),
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// All attempts.
    pub all: Counts,
    /// Translated ports of IPv4.
    pub ports_v4: PortAnswers,
    /// Of IPv6.
    pub ports_v6: PortAnswers,
    /// By the second in which an attempt began.
    pub timeline: Timeline,
    /// By destination, as the client asked for it.
    pub destinations: Top<SocketAddr>,
    /// By original source: a pod has an address of its own. The translated one where only the wire was seen.
    pub sources: Top<IpAddr>,
    /// By namespace of Kubernetes, where it is known.
    pub namespaces: Top<Arc<str>>,
    /// By namespace and pod, where it is known.
    pub pods: Top<(Arc<str>, Arc<str>)>,
    /// By container, where it is no pod's.
    pub containers: Top<Arc<str>>,
    /// By client and destination, where a SYN was retransmitted.
    pub retransmitted: Top<(Client, SocketAddr)>,
    /// By name of the process, where the SYN was retransmitted and it is known.
    pub processes: Top<Arc<str>>,
    /// By node, numbered as captures are.
    pub nodes: Vec<Counts>,
    /// By how the rule chooses ports.
    pub modes: BTreeMap<NatMode, Counts>,
    /// When the first attempt began, nanoseconds since 1970.
    pub first_unix_ns: Option<i128>,
    /// The time of the last event about one.
    pub last_unix_ns: Option<i128>,
}

impl Client {
    fn of(owner: &Owner) -> Option<Self> {
        match (&owner.namespace, &owner.pod, &owner.container) {
            (Some(namespace), Some(pod), _) => Some(Self::Pod(Arc::clone(namespace), Arc::clone(pod))),
            (None, None, Some(container)) => Some(Self::Container(Arc::clone(container))),
            // No capture writes such an owner.
            (Some(_), None, _) | (None, Some(_), _) | (None, None, None) => None,
        }
    }
}

impl Tally {
    /// Counts an attempt that has ended on the capture with that number.
    pub fn ended(&mut self, number: usize, ended: &EndedAttempt<'_>) {
        let EndedAttempt { capture, attempt, owner, judgement } = *ended;
        let answer = Answer::of(attempt);
        let counts = Counts::of(attempt, judgement, answer);
        self.all += counts;
        self.time(capture.boot_unix_ns, attempt, counts);
        let client = owner.and_then(Client::of);
        self.peers(attempt, client.as_ref(), counts);
        match client {
            Some(Client::Pod(namespace, pod)) => {
                self.namespaces.add(Arc::clone(&namespace), counts);
                self.pods.add((namespace, pod), counts);
            }
            Some(Client::Container(container)) => self.containers.add(container, counts),
            Some(Client::Address(_)) | None => {}
        }
        if let Some(process) = &attempt.process {
            self.processes.add(process.command().into(), counts);
        }
        self.port(attempt, answer);
        if self.nodes.len() <= number {
            self.nodes.resize(number + 1, Counts::default());
        }
        self.nodes[number] += counts;
        if attempt.is_translated() != Some(false) {
            *self.modes.entry(NatMode::from(attempt.range)).or_default() += counts;
        }
    }

    fn time(&mut self, boot_unix_ns: i64, attempt: &Attempt, counts: Counts) {
        let unix_ns = |time_ns: u64| i128::from(boot_unix_ns) + i128::from(time_ns);
        let (first, last) = (unix_ns(attempt.first_ns), unix_ns(attempt.last_ns));
        self.first_unix_ns = Some(self.first_unix_ns.map_or(first, |earlier| earlier.min(first)));
        self.last_unix_ns = Some(self.last_unix_ns.map_or(last, |later| later.max(last)));
        self.timeline.add(first.div_euclid(NS_PER_S) as i64, counts);
    }

    fn peers(&mut self, attempt: &Attempt, client: Option<&Client>, counts: Counts) {
        let Some(flow) = attempt.original.or(attempt.translated) else { return };
        let destination = SocketAddr::new(flow.dst_addr(), flow.dst_port);
        self.destinations.add(destination, counts);
        if attempt.retransmits > 0 {
            let client = client.cloned().unwrap_or(Client::Address(flow.src_addr()));
            self.retransmitted.add((client, destination), counts);
        }
        self.sources.add(flow.src_addr(), counts);
    }

    /// The picture of ports is about NAT: a port that a socket chose itself says nothing in it.
    fn port(&mut self, attempt: &Attempt, answer: Answer) {
        let Some(translated) = attempt.translated.filter(|_| attempt.is_translated() != Some(false)) else { return };
        let ports = if translated.is_ipv4() { &mut self.ports_v4 } else { &mut self.ports_v6 };
        ports.add(translated.src_port, answer);
    }
}

#[cfg(test)]
mod tests;
