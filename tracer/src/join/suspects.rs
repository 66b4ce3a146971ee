//! Attempts that leave with a source address that is not their interface's: what speaks for the source as the reason of silence.

use std::collections::{BTreeSet, VecDeque};

use tracer_common::Flow;

/// Destinations of such attempts that are followed at most, and sources: the oldest is replaced.
const MAX_FOLLOWED: usize = 256;
/// Attempts that are counted of a source at most.
const MAX_ATTEMPTS: usize = 8;

/// Address and port
type Destination = ([u8; 16], u16);

#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// And when the newest attempt began that was answered and left with the address of its interface
    destinations: VecDeque<(Destination, Option<u64>)>,
    /// By the hash that `AnsweredSources` has: ISN and destination of the attempts that were retransmitted
    sources: VecDeque<(u64, Vec<(u32, Destination)>)>,
}

impl Suspects {
    /// A SYN with such a source was retransmitted.
    pub(super) fn retransmitted(&mut self, translated: &Flow, isn: u32, source: u64) {
        let destination = destination_of(translated);
        if self.destinations.iter().all(|(known, _)| *known != destination) {
            push(&mut self.destinations, (destination, None));
        }
        match self.sources.iter_mut().find(|(known, _)| *known == source) {
            Some((_, known)) if known.len() < MAX_ATTEMPTS && known.iter().all(|(known, _)| *known != isn) => {
                known.push((isn, destination));
            }
            Some(_) => {}
            None => push(&mut self.sources, (source, vec![(isn, destination)])),
        }
    }

    /// An attempt was answered; asks whether it left with the address of its interface only where that matters.
    #[inline]
    pub(super) fn answered(&mut self, translated: &Flow, began_ns: u64, is_of_interface: impl FnOnce() -> bool) {
        let destination = destination_of(translated);
        if let Some((_, answered_ns)) = self.destinations.iter_mut().find(|(known, _)| *known == destination)
            && *answered_ns < Some(began_ns)
            && is_of_interface()
        {
            *answered_ns = Some(began_ns);
        }
    }

    /// Whether an attempt to the same destination that began later was answered, with the address of its interface.
    pub(super) fn own_is_answered(&self, translated: &Flow, began_ns: u64) -> bool {
        let destination = destination_of(translated);
        self.destinations.iter().any(|(known, answered_ns)| *known == destination && *answered_ns > Some(began_ns))
    }

    /// How many attempts with this source were retransmitted, at most 8 are counted; and to how many destinations.
    pub(super) fn attempts(&self, source: u64) -> (u32, u32) {
        let known = self.sources.iter().find(|(known, _)| *known == source);
        let attempts = known.map_or(&[][..], |(_, attempts)| attempts);
        let destinations: BTreeSet<_> = attempts.iter().map(|(_, destination)| destination).collect();
        let count = |len| u32::try_from(len).unwrap_or(u32::MAX);
        (count(attempts.len()), count(destinations.len()))
    }
}

const fn destination_of(translated: &Flow) -> Destination {
    (translated.dst, translated.dst_port)
}

/// Appends a value, in place of the oldest if there are too many.
fn push<T>(values: &mut VecDeque<T>, value: T) {
    if values.len() >= MAX_FOLLOWED {
        values.pop_front();
    }
    values.push_back(value);
}
