//! Whether any interface is watched, by the events that say so.

use std::collections::BTreeMap;

use tracer_common::events::{UPLINK_LEFT, UPLINK_WATCHED, Uplink};

use crate::model::Capture;

/// A node has fewer interfaces; a damaged trace may name any number.
const MAX_INTERFACES: usize = 16_384;

/// Interfaces by namespace and number, and whether their packets are seen.
#[derive(Debug, Default)]
pub(super) struct Watched(BTreeMap<(u32, u32), bool>);

impl Watched {
    pub(super) fn event(&mut self, uplink: &Uplink) {
        let key = (uplink.stamp.netns, uplink.ifindex);
        if uplink.state == UPLINK_LEFT {
            self.0.remove(&key);
        } else if self.0.len() < MAX_INTERFACES {
            self.0.insert(key, uplink.state == UPLINK_WATCHED);
        }
    }

    /// Whether `wire` is on and sees no packet of any interface.
    pub(super) fn is_blind(&self, capture: &Capture) -> bool {
        let is_on = capture.hooks.iter().any(|hook| hook.stem == "wire" && hook.off.is_none());
        is_on && !self.0.values().any(|is_seen| *is_seen)
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
            name: [0; INTERFACE_NAME],
        };
        let mut watched = Watched::default();
        let steps = [(2, UPLINK_WATCHED, false), (3, UPLINK_WATCHED, false), (2, UPLINK_LEFT, false)];
        for (ifindex, state, is_blind) in steps.into_iter().chain([(3, UPLINK_BLIND, true), (4, UPLINK_WATCHED, false)])
        {
            watched.event(&uplink(ifindex, state));
            assert_eq!(watched.is_blind(&wire(None)), is_blind, "{ifindex} {state}");
        }
        assert!(Watched::default().is_blind(&wire(None)));
        assert!(!Watched::default().is_blind(&wire(Some("no permission"))), "what is off is reported as such");
    }
}
