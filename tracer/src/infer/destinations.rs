//! Evidence by destination, in bounded memory: failures of a dead destination must not look like failures of a port.
//!
//! A destination counts from its first answer on; unanswered attempts before it wait here. The first destinations have
//! an entry each; later ones share entries by network, and then one entry.

use super::destination::Destination;
use super::index::DestinationIndex;
use super::observation::{Probe, ShortestAnswer};
use super::port_counts::PortCounts;
use super::repeats::Repeats;
use super::runs::{PathRuns, Runs};
use crate::fetch::fetch;
use crate::model::Answers;

/// Unanswered attempts that wait for a destination's first answer.
const MAX_WAITING_ATTEMPTS: usize = 64;
/// Per destination, ports are counted in bins of 256.
pub(super) const BINS: usize = 256;
/// Unanswered and answered attempts, as [`Answers::of`] takes them.
pub(super) type Bins = [[u32; 2]; BINS];

/// What is known of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DestinationHistory {
    pub(super) destination: Destination,
    /// Attempts that count.
    pub(super) answers: Answers,
    /// Unanswered attempts before the first answer.
    waiting: Vec<Probe>,
    /// Unanswered attempts for which there was no room to wait.
    dropped: u64,
    runs: Runs,
    /// It accepts connections: RSTs are not its own, or do not last.
    accepts: bool,
    /// Attempts that an RST answered since then.
    refused: u64,
    shortest: ShortestAnswer,
    /// Unanswered attempts whose clients gave up before an answer may have come.
    gave_up: u64,
    /// By bins of ports, from the first answer on: those that `repeats` lets count, and of unanswered ones `runs`.
    bins: Option<Box<Bins>>,
}

impl DestinationHistory {
    fn take(&mut self, probe: Probe, counts: &mut PortCounts, shared: &mut Shared, place: usize) {
        self.accepts |= probe.answered && !probe.is_refused;
        if probe.is_refused && self.accepts {
            self.refused += 1;
            return;
        }
        if probe.answered {
            self.shortest.answered_after(probe.waited_ms);
        }
        if self.bins.is_some() {
            return self.count(probe, counts, shared, place);
        }
        if !probe.answered {
            return self.wait(probe);
        }
        self.count(probe, counts, shared, place);
        for early in std::mem::take(&mut self.waiting) {
            self.count(early, counts, shared, place);
        }
    }

    /// Has fetched what it takes to count the port.
    fn fetch(&self, port: u16) {
        fetch(self.bins.as_ref().map(|bins| &bins[usize::from(port >> 8)]));
    }

    fn wait(&mut self, probe: Probe) {
        if self.waiting.len() < MAX_WAITING_ATTEMPTS {
            self.waiting.push(probe);
        } else {
            self.dropped += 1;
        }
    }

    fn count(
        &mut self,
        Probe { port, answered, is_refused: _, second, waited_ms, is_kept, is_of_counts }: Probe,
        counts: &mut PortCounts,
        Shared { runs: path, repeats }: &mut Shared,
        place: usize,
    ) {
        if !answered && self.shortest.is_too_early(waited_ms) {
            self.gave_up += 1;
            return;
        }
        counts.add(port, answered);
        self.answers.add(answered);
        let bins = self.bins.get_or_insert_with(|| Box::new([[0; 2]; BINS]));
        if answered {
            self.runs.answered(second);
            path.answered(second);
        } else {
            // Each takes note of every failure.
            let (counts_for_path, counts_here) = (path.failed(second), self.runs.failed(second));
            // An outage hits drawn ports at random, which the test takes into account.
            if !counts_for_path || is_kept && !counts_here {
                return;
            }
        }
        if !is_of_counts && !repeats.is_news(place, port, answered) {
            return;
        }
        let count = &mut bins[usize::from(port >> 8)][usize::from(answered)];
        *count = count.saturating_add(1);
    }

    /// Attempts in bins; `None` for a destination that never answered.
    pub(super) fn bins(&self) -> Option<&Bins> {
        self.bins.as_deref()
    }

    /// Attempts that an RST answered, where others were accepted.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Unanswered attempts that do not count, because their clients gave up early.
    pub(super) const fn gave_up(&self) -> u64 {
        self.gave_up
    }

    /// Attempts that do not count.
    pub(super) fn left_out(&self) -> u64 {
        self.dropped + self.waiting.len() as u64
    }
}

/// What all destinations have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shared {
    /// An outage of the path hits every destination.
    runs: PathRuns,
    repeats: Repeats,
}

/// All destinations, in the order of their first attempts, so that equal captures conclude equally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Destinations {
    /// By the number of the destination.
    entries: Vec<DestinationHistory>,
    index: DestinationIndex,
    with_others: Shared,
    /// Where the attempts of a batch belong; empty in between.
    places: Vec<usize>,
    /// Attempts to destinations without an entry of their own.
    pub(super) shared: u64,
}

impl Destinations {
    pub(super) fn take(&mut self, attempts: &[(Destination, Probe)], counts: &mut PortCounts) {
        let mut places = std::mem::take(&mut self.places);
        places.extend(attempts.iter().map(|&(destination, probe)| {
            let place = self.place(destination);
            self.entries[place].fetch(probe.port);
            counts.fetch(probe.port);
            self.with_others.repeats.fetch(place, probe.port);
            place
        }));
        for (&(destination, probe), place) in attempts.iter().zip(places.drain(..)) {
            let is_shared = self.entries[place].destination != destination;
            self.shared += u64::from(is_shared);
            // Of destinations that share an entry some may be dead, and the client that tries those may have ports of its own.
            if is_shared && probe.is_kept {
                continue;
            }
            self.entries[place].take(probe, counts, &mut self.with_others, place);
        }
        self.places = places;
    }

    pub(super) fn entries(&self) -> &[DestinationHistory] {
        &self.entries
    }

    fn place(&mut self, destination: Destination) -> usize {
        let (number, _) = self.index.number(destination, 0);
        if usize::from(number) == self.entries.len() {
            let destination = self.index.destination(number);
            self.entries.push(DestinationHistory { destination, ..DestinationHistory::default() });
        }
        number.into()
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let of = |entry: &DestinationHistory| {
            entry.waiting.capacity() * size_of::<Probe>() + entry.bins.as_ref().map_or(0, |_| BINS * 8)
        };
        self.entries.capacity() * size_of::<DestinationHistory>()
            + self.entries.iter().map(of).sum::<usize>()
            + self.index.bytes()
            + self.with_others.repeats.bytes()
    }
}

#[cfg(test)]
mod tests {
    use tracer_common::Flow;

    use super::*;
    use crate::infer::index::{MAX_DESTINATIONS, MAX_NETWORKS};

    fn to(address: &str) -> Destination {
        Destination::of(&Flow::new("192.0.2.1:1".parse().unwrap(), address.parse().unwrap()))
    }

    fn probe(port: u16, answered: bool) -> Probe {
        let waited_ms = if answered { 20 } else { 2000 };
        Probe { port, answered, is_refused: false, second: 0, waited_ms, is_kept: true, is_of_counts: false }
    }

    fn drawn(port: u16) -> Probe {
        Probe { is_kept: false, ..probe(port, true) }
    }

    #[test]
    fn a_destination_counts_from_its_first_answer_on_with_what_waited_for_it() {
        let (mut destinations, mut counts) = (Destinations::default(), PortCounts::default());
        for port in 0..100 {
            destinations.take(&[(to("203.0.113.1:80"), probe(port, false))], &mut counts);
        }
        assert!(counts.seen().is_empty());
        destinations.take(&[(to("203.0.113.1:80"), probe(40000, true))], &mut counts);
        let entry = &destinations.entries()[0];
        assert_eq!((entry.answers, entry.left_out()), (Answers { answered: 1, unanswered: 64 }, 36));
        assert_eq!(counts.seen().len(), 65);
    }

    #[test]
    fn clients_that_give_up_before_the_destination_answers_do_not_count() {
        let (mut destinations, mut counts) = (Destinations::default(), PortCounts::default());
        let there = to("203.0.113.1:80");
        let probes = [(false, 100), (true, 90), (false, 100), (false, 200), (true, 60), (false, 130)];
        for (port, (answered, waited_ms)) in (1..).zip(probes) {
            destinations.take(&[(there, Probe { waited_ms, ..probe(port, answered) })], &mut counts);
        }
        let entry = &destinations.entries()[0];
        assert_eq!((entry.answers, entry.gave_up()), (Answers { answered: 2, unanswered: 2 }, 2));
    }

    #[test]
    fn many_destinations_share_entries_and_none_is_lost() {
        let (mut destinations, mut counts) = (Destinations::default(), PortCounts::default());
        for number in 0..40_000_u32 {
            let [_, a, b, c] = number.to_be_bytes();
            destinations.take(&[(to(&format!("10.{b}.{c}.{a}:80")), drawn(40000))], &mut counts);
        }
        assert_eq!(destinations.entries().len(), MAX_DESTINATIONS + 153);
        for number in 0..400_u32 {
            let [.., a, b] = number.to_be_bytes();
            destinations.take(&[(to(&format!("11{a}.{b}.1.1:80")), drawn(40000))], &mut counts);
        }
        assert_eq!(destinations.entries().len(), MAX_DESTINATIONS + MAX_NETWORKS + 1);
        assert_eq!(destinations.shared, 40_400 - MAX_DESTINATIONS as u64);
        let sum: u64 = destinations.entries().iter().map(|entry| entry.answers.total()).sum();
        assert_eq!(sum, 40_400);
        destinations.take(&[(to("119.9.9.9:80"), probe(1024, false))], &mut counts);
        assert_eq!(destinations.shared, 40_401 - MAX_DESTINATIONS as u64);
        assert!(destinations.entries().iter().all(|entry| entry.answers.unanswered == 0), "a port that a client chose");
    }

    #[test]
    fn a_destination_is_named_as_what_it_is() {
        assert_eq!(to("203.0.113.1:80").to_string(), "203.0.113.1:80");
        assert_eq!(to("203.0.113.1:80").network().to_string(), "203.0.0.0/16");
        assert_eq!(to("[2001:db8:1::2]:80").to_string(), "[2001:db8:1::2]:80");
        assert_eq!(to("[2001:db8:1::2]:80").network().to_string(), "2001:db8::/32");
        assert_eq!(Destination::others().to_string(), "other destinations");
    }
}
