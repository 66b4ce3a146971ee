//! `conntrack -E`: what became of each connection, followed from its beginning.

use hashbrown::HashMap;
use tracer_common::Flow;

use super::entry::{ConntrackEntry, EntryState};
use super::observations::{EntryVerdict, MIN_AGE_S, Observations};
use super::text::Event;

const MAX_FOLLOWED: usize = 1 << 20;

/// Connections whose end has not been seen.
#[derive(Debug, Default)]
pub(super) struct Events {
    followed: HashMap<(Flow, Flow), FollowedEntry, foldhash::fast::FixedState>,
    newest: Option<u64>,
    /// Connections so far: the order of their beginnings, where lines have no times.
    begun: u64,
}

#[derive(Clone, Copy, Debug)]
struct FollowedEntry {
    entry: ConntrackEntry,
    /// When it began, where the line says so.
    second: Option<u64>,
    ordinal: u64,
    is_counted: bool,
}

impl FollowedEntry {
    fn begun(&self) -> u64 {
        self.second.unwrap_or(self.ordinal)
    }
}

impl Events {
    pub(super) fn take(
        &mut self,
        event: Event,
        entry: &ConntrackEntry,
        second: Option<u64>,
        observations: &mut Observations,
    ) {
        self.newest = self.newest.max(second);
        match event {
            Event::New | Event::Update => self.begin_or_update(entry, second, observations),
            Event::Destroy => self.destroy(entry, second, observations),
        }
    }

    fn begin_or_update(&mut self, entry: &ConntrackEntry, second: Option<u64>, observations: &mut Observations) {
        let key = (entry.original, entry.reply);
        if !self.followed.contains_key(&key) {
            if self.followed.len() >= MAX_FOLLOWED {
                observations.counts.not_followed += 1;
                return;
            }
            self.begun += 1;
            let followed = FollowedEntry { entry: *entry, second, ordinal: self.begun, is_counted: false };
            self.followed.insert(key, followed);
        }
        let Some(followed) = self.followed.get_mut(&key) else { return };
        followed.entry.state = entry.state;
        if entry.is_replied && !followed.is_counted {
            followed.is_counted = true;
            observations.count(entry, EntryVerdict::Answered, followed.begun());
        }
    }

    fn destroy(&mut self, entry: &ConntrackEntry, second: Option<u64>, observations: &mut Observations) {
        let followed = self.followed.remove(&(entry.original, entry.reply));
        if followed.is_some_and(|followed| followed.is_counted) {
            return;
        }
        let last = followed.map_or(EntryState::SynSent, |followed| followed.entry.state);
        let verdict = match (entry.is_replied, last == EntryState::SynSent) {
            (true, _) => EntryVerdict::Answered,
            // It has waited for all of its time.
            (false, true) => EntryVerdict::Unanswered,
            (false, false) => EntryVerdict::ClosedUnanswered,
        };
        let begun = followed.map_or_else(|| second.unwrap_or(self.begun), |followed| followed.begun());
        observations.count(entry, verdict, begun);
    }

    /// What is left at the end still waits for an answer, or has waited long enough.
    pub(super) fn end(self, observations: &mut Observations) {
        for followed in self.followed.into_values().filter(|followed| !followed.is_counted) {
            let age = self.newest.zip(followed.second).map(|(newest, second)| newest.saturating_sub(second));
            let is_old = age.is_some_and(|age| age >= u64::from(MIN_AGE_S));
            let verdict = match (followed.entry.state == EntryState::SynSent, is_old) {
                (true, true) => EntryVerdict::Unanswered,
                (true, false) => EntryVerdict::InFlight,
                (false, _) => EntryVerdict::ClosedUnanswered,
            };
            observations.count(&followed.entry, verdict, followed.begun());
        }
    }
}
