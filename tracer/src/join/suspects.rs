//! Attempts that leave with a source address that is not their interface's: what speaks for the source as the reason of silence.

use std::collections::BTreeSet;

use tracer_common::Flow;

/// Destinations of such attempts that are followed at most, and sources: the oldest is replaced.
const MAX_FOLLOWED: usize = 256;
/// Attempts that are counted of a source at most.
const MAX_ATTEMPTS: usize = 8;

#[derive(Debug)]
struct Destination {
    addr: [u8; 16],
    port: u16,
    /// When the newest attempt began that was answered and left with the address of its interface
    answered_ns: Option<u64>,
}

/// An attempt that was retransmitted.
#[derive(Debug)]
struct Retransmitted {
    isn: u32,
    destination: ([u8; 16], u16),
}

impl Destination {
    fn is_of(&self, translated: &Flow) -> bool {
        self.addr == translated.dst && self.port == translated.dst_port
    }
}

#[derive(Debug, Default)]
pub(super) struct Suspects {
    destinations: Vec<Destination>,
    next_destination: usize,
    /// By the hash that `AnsweredSources` has
    sources: Vec<(u64, Vec<Retransmitted>)>,
    next_source: usize,
}

impl Suspects {
    /// A SYN with such a source was retransmitted.
    pub(super) fn retransmitted(&mut self, translated: &Flow, isn: u32, source: u64) {
        if self.destination(translated).is_none() {
            let destination = Destination { addr: translated.dst, port: translated.dst_port, answered_ns: None };
            put(&mut self.destinations, &mut self.next_destination, destination);
        }
        let attempt = Retransmitted { isn, destination: (translated.dst, translated.dst_port) };
        match self.sources.iter_mut().find(|(known, _)| *known == source) {
            Some((_, known)) if known.len() < MAX_ATTEMPTS && known.iter().all(|known| known.isn != isn) => {
                known.push(attempt);
            }
            Some(_) => {}
            None => put(&mut self.sources, &mut self.next_source, (source, vec![attempt])),
        }
    }

    fn destination(&self, translated: &Flow) -> Option<&Destination> {
        self.destinations.iter().find(|known| known.is_of(translated))
    }

    /// An attempt was answered; asks whether it left with the address of its interface only where that matters.
    #[inline]
    pub(super) fn answered(&mut self, translated: &Flow, began_ns: u64, is_of_interface: impl FnOnce() -> bool) {
        if let Some(known) = self.destinations.iter_mut().find(|known| known.is_of(translated))
            && known.answered_ns < Some(began_ns)
            && is_of_interface()
        {
            known.answered_ns = Some(began_ns);
        }
    }

    /// Whether an attempt to the same destination that began later was answered, with the address of its interface.
    pub(super) fn own_is_answered(&self, translated: &Flow, began_ns: u64) -> bool {
        self.destination(translated).is_some_and(|known| known.answered_ns > Some(began_ns))
    }

    /// How many attempts with this source were retransmitted, at most 8 are counted; and to how many destinations.
    pub(super) fn attempts(&self, source: u64) -> (u32, u32) {
        let known = self.sources.iter().find(|(known, _)| *known == source);
        let attempts = known.map_or(&[][..], |(_, attempts)| attempts);
        let destinations: BTreeSet<_> = attempts.iter().map(|attempt| attempt.destination).collect();
        let count = |len| u32::try_from(len).unwrap_or(u32::MAX);
        (count(attempts.len()), count(destinations.len()))
    }
}

/// Appends a value, or puts it in place of the oldest.
fn put<T>(values: &mut Vec<T>, next: &mut usize, value: T) {
    if let Some(oldest) = values.get_mut(*next).filter(|_| *next < MAX_FOLLOWED) {
        *oldest = value;
    } else {
        values.push(value);
    }
    *next = (*next + 1) % MAX_FOLLOWED;
}
