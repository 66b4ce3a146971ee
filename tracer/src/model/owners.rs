//! Who network namespaces belonged to, and when: put together from `owner` events, asked by the time an attempt began.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tracer_common::events;

use super::Owner;

/// Namespaces that are remembered at most; more than a node has at once, since the kernel gives out freed numbers again.
const MAX_NAMESPACES: usize = 16_384;
/// Owners of one namespace that are remembered: an attempt lives for two minutes, its pod may be gone by its end.
const MAX_OWNERS_PER_NETNS: usize = 8;
/// Parts of one text at most: several times what the longest names need.
const MAX_PARTS: u8 = 16;

/// An owner as the header of a trace carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerAt {
    /// The namespace.
    pub netns: u32,
    /// From this time on, nanoseconds since boot.
    pub since_ns: u64,
    /// As [`Owner::text`].
    pub owner: String,
}

/// The owners of one namespace, each with the time from which on it is one; `None` for an unknown owner.
type Times = VecDeque<(u64, Option<Owner>)>;

/// Owners by namespace. Bounded: beyond that the namespaces named first are forgotten, and their owners unknown.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    by_netns: BTreeMap<u32, Times>,
    order: VecDeque<u32>,
    /// The text under way, where it comes in several events.
    pending: Option<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    next: events::Owner,
    bytes: Vec<u8>,
}

impl Owners {
    /// What the header of a trace says.
    pub fn of(known: &[OwnerAt]) -> Self {
        let mut owners = Self::default();
        known.iter().for_each(|at| owners.insert(at.netns, at.since_ns, Owner::parse(&at.owner)));
        owners
    }

    /// For the header of a trace: as many as so many bytes of JSON hold, those of the namespaces named last.
    pub fn known(&self, bytes: usize) -> Vec<OwnerAt> {
        let of = |(netns, times): (&u32, &Times)| {
            let text = |owner: &Option<Owner>| owner.as_ref().unwrap_or(&Owner::default()).text();
            let at = |(since_ns, owner): &(u64, _)| OwnerAt { netns: *netns, since_ns: *since_ns, owner: text(owner) };
            times.iter().map(at).collect::<Vec<_>>()
        };
        let mut left = bytes;
        let mut fits = |at: &OwnerAt| {
            let needs = serde_json::to_vec(at).map_or(usize::MAX, |json| json.len() + 1);
            left = left.saturating_sub(needs);
            left > 0
        };
        let newest = self.order.iter().rev().filter_map(|netns| self.by_netns.get_key_value(netns));
        let mut known: Vec<_> = newest.flat_map(of).take_while(|at| fits(at)).collect();
        known.sort_by_key(|at| at.netns);
        known
    }

    /// Takes an event. A text of which a part is missing is left out.
    pub fn event(&mut self, event: &events::Owner) {
        let mut pending = self.pending.take().filter(|pending| is_next(&pending.next, event));
        if event.part == 0 && (1..=MAX_PARTS).contains(&event.parts) {
            pending = Some(Pending { next: *event, bytes: Vec::new() });
        }
        let Some(mut pending) = pending else { return };
        pending.bytes.extend_from_slice(event.bytes());
        pending.next.part += 1;
        if pending.next.part < event.parts {
            self.pending = Some(pending);
        } else if let Ok(text) = std::str::from_utf8(&pending.bytes) {
            self.insert(event.stamp.netns, event.since_ns, Owner::parse(text));
        }
    }

    /// Who the namespace belonged to at that time.
    pub fn at(&self, netns: u32, time_ns: u64) -> Option<&Owner> {
        let times = self.by_netns.get(&netns)?;
        // The newest answer counts, even if it is about an earlier time.
        let (_, owner) = times.iter().rev().find(|(since_ns, _)| *since_ns <= time_ns)?;
        owner.as_ref()
    }

    fn insert(&mut self, netns: u32, since_ns: u64, owner: Owner) {
        let owner = (!owner.is_unknown()).then_some(owner);
        // Few ever get another owner, and thousands of nodes have hundreds each.
        let times = self.by_netns.entry(netns).or_insert_with(|| Times::with_capacity(1));
        if times.back() == Some(&(since_ns, owner.clone())) {
            return;
        }
        if times.is_empty() {
            self.order.push_back(netns);
        }
        if times.len() >= MAX_OWNERS_PER_NETNS {
            times.pop_front();
        }
        times.push_back((since_ns, owner));
        if self.order.len() > MAX_NAMESPACES
            && let Some(first) = self.order.pop_front()
        {
            self.by_netns.remove(&first);
        }
    }
}

fn is_next(next: &events::Owner, event: &events::Owner) -> bool {
    let of = |event: &events::Owner| (event.stamp.netns, event.since_ns, event.part, event.parts);
    of(next) == of(event)
}

#[cfg(test)]
mod tests {
    use tracer_common::events::OWNER_TEXT;

    use super::*;

    const NETNS: u32 = 4_026_532_300;

    fn report(owners: &mut Owners, since_ns: u64, text: &str) {
        Owner::parse(text).events(since_ns + 5, NETNS, since_ns).for_each(|event| owners.event(&event));
    }

    fn pod(owners: &Owners, time_ns: u64) -> Option<String> {
        owners.at(NETNS, time_ns)?.pod.as_deref().map(str::to_owned)
    }

    #[test]
    fn an_attempt_belongs_to_the_owner_of_the_time_it_began() {
        let mut owners = Owners::default();
        report(&mut owners, 100, "shop/first/");
        report(&mut owners, 200, "//");
        report(&mut owners, 300, "shop/second/");
        for (time, expected) in
            [(99, None), (100, Some("first")), (199, Some("first")), (250, None), (300, Some("second"))]
        {
            assert_eq!(pod(&owners, time).as_deref(), expected, "{time}");
        }
        assert_eq!(owners.at(NETNS + 1, 150), None);
        let known = owners.known(usize::MAX);
        assert_eq!(Owners::of(&known).known(usize::MAX), known);
        assert_eq!(pod(&Owners::of(&known), 199).as_deref(), Some("first"));
    }

    #[test]
    fn a_header_holds_the_namespaces_named_last() {
        let mut owners = Owners::default();
        for (netns, name) in [(9, "first"), (5, "second"), (7, "third")] {
            owners.insert(netns, 100, Owner::parse(&format!("shop/{name}/")));
        }
        let named = |bytes| owners.known(bytes).iter().map(|at| at.netns).collect::<Vec<_>>();
        assert_eq!(named(usize::MAX), [5, 7, 9]);
        assert_eq!(named(120), [5, 7]);
        assert!(serde_json::to_vec(&owners.known(120)).unwrap().len() <= 120 && named(0).is_empty());
    }

    #[test]
    fn a_newer_answer_about_an_earlier_time_counts() {
        let mut owners = Owners::default();
        report(&mut owners, 100, "shop/first/only");
        report(&mut owners, 90, "shop/first/");
        assert_eq!(owners.at(NETNS, 150).unwrap().container, None);
    }

    #[test]
    fn a_text_with_a_part_missing_or_out_of_place_is_left_out() {
        let long = Owner::parse(&format!("shop/{}/", "p".repeat(180)));
        let events: Vec<_> = long.events(5, NETNS, 1).collect();
        assert_eq!(events.len(), 3);
        let [first, second, third] = [events[0], events[1], events[2]];
        for events in
            [&[first, second][..], &[second, third], &[first, third], &[second, first], &[first, third, second]]
        {
            let mut owners = Owners::default();
            events.iter().for_each(|event| owners.event(event));
            assert_eq!(owners.at(NETNS, 9), None);
        }
        let mut owners = Owners::default();
        events.iter().for_each(|event| owners.event(event));
        assert_eq!(pod(&owners, 9).unwrap().len(), 180);
    }

    #[test]
    fn events_that_nobody_would_write_neither_panic_nor_fill_the_memory() {
        let mut owners = Owners::default();
        let event = Owner::parse("shop/pod/").events(5, NETNS, 1).next().unwrap();
        for (part, parts, length) in [(0, 0, 9), (255, 255, 9), (0, 255, 255), (254, 255, 9)] {
            owners.event(&events::Owner { part, parts, length, ..event });
        }
        owners.event(&events::Owner { text: [0xff; OWNER_TEXT], length: 64, ..event });
        assert_eq!(owners.at(NETNS, 9), None);
        for netns in 0..40_000 {
            let stamp = tracer_common::events::Stamp { netns, ..event.stamp };
            for _ in 0..3 {
                owners.event(&events::Owner { stamp, ..event });
            }
        }
        (0..100).for_each(|since_ns| report(&mut owners, since_ns, "a/b/"));
        assert!(owners.by_netns.len() <= MAX_NAMESPACES && owners.order.len() <= MAX_NAMESPACES);
        assert_eq!(owners.by_netns[&NETNS].len(), MAX_OWNERS_PER_NETNS);
    }
}
