//! Which interfaces are watched, by the events that say so.

use std::collections::BTreeMap;

use tracer_common::events::{UPLINK_LEFT, UPLINK_WATCHED, Uplink};

use crate::model::{Attempt, Capture};

/// A node has fewer interfaces; a damaged trace may name any number.
const MAX_INTERFACES: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Watched(BTreeMap<(u32, u32), Interface>);

#[derive(Debug)]
struct Interface {
    name: String,
    /// Its packets are.
    is_seen: bool,
}

impl Watched {
    pub(super) fn event(&mut self, uplink: &Uplink) {
        let key = (uplink.ifindex, uplink.stamp.netns);
        if uplink.state == UPLINK_LEFT {
            self.0.remove(&key);
        } else if self.0.len() < MAX_INTERFACES {
            let name = String::from_utf8_lossy(uplink.name()).into_owned();
            self.0.insert(key, Interface { name, is_seen: uplink.state == UPLINK_WATCHED });
        }
    }

    /// The name of the interface that an attempt left by, where only one can be meant.
    pub(super) fn name_of(&self, attempt: &Attempt) -> Option<&str> {
        let (ifindex, netns) = (attempt.ifindex, attempt.nat_netns);
        let mut all = self.0.range((ifindex, 0)..=(ifindex, u32::MAX));
        let mut meant = all.by_ref().filter(|((_, of), _)| netns.is_none_or(|netns| netns == *of));
        let (_, interface) = meant.next()?;
        meant.next().is_none().then_some(interface.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether `wire` is on and sees no packet of any interface.
    pub(super) fn is_blind(&self, capture: &Capture) -> bool {
        let is_on = capture.hooks.iter().any(|hook| hook.stem == "wire" && hook.off.is_none());
        is_on && !self.0.values().any(|interface| interface.is_seen)
    }
}

#[cfg(test)]
mod tests {
    use tracer_common::events::{INTERFACE_NAME, Stamp, UPLINK_BLIND};

    use super::*;
    use crate::model::{HookState, example};

    #[test]
    fn a_node_is_blind_once_no_interface_is_seen_any_more() {
        let wire = |off: Option<&str>| Capture {
            hooks: vec![HookState { stem: "wire".to_owned(), off: off.map(str::to_owned) }],
            ..example::capture("node7")
        };
        let uplink = |ifindex, state| Uplink {
            stamp: Stamp { time_ns: 1, kind: Uplink::KIND, netns: 9 },
            ifindex,
            state,
            link: 0,
            unused: [0; 2],
            name: [b'x'; INTERFACE_NAME],
        };
        let mut watched = Watched::default();
        let steps = [(2, UPLINK_WATCHED, false), (3, UPLINK_WATCHED, false), (2, UPLINK_LEFT, false)];
        for (ifindex, state, is_blind) in steps.into_iter().chain([(3, UPLINK_BLIND, true), (4, UPLINK_WATCHED, false)])
        {
            watched.event(&uplink(ifindex, state));
            assert_eq!(watched.is_blind(&wire(None)), is_blind, "{ifindex} {state}");
        }
        let left_by = |nat_netns| Attempt { ifindex: 3, nat_netns, ..Attempt::default() };
        assert_eq!(watched.name_of(&left_by(Some(9))), Some("xxxxxxxxxxxxxxxx"));
        assert_eq!(watched.name_of(&left_by(Some(8))), None);
        watched
            .event(&Uplink { stamp: Stamp { time_ns: 1, kind: Uplink::KIND, netns: 8 }, ..uplink(3, UPLINK_WATCHED) });
        assert_eq!(watched.name_of(&left_by(None)), None, "one of two");
        assert!(Watched::default().is_blind(&wire(None)));
        assert!(!Watched::default().is_blind(&wire(Some("no permission"))), "what is off is reported as such");
    }
}
