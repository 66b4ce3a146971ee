//! What a rule asks of a packet, parsed: so that it can be said whether every packet that meets one rule meets another.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::addresses;

/// The start of a connection has no mark unless a rule has set one.
const NO_MARK: u32 = 0;

/// One thing that a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// Of what.
    pub subject: Subject,
    /// Whether it asks for the opposite.
    pub negated: bool,
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The source is in one of these.
    Source(Vec<IpNet>),
    /// The destination is.
    Destination(Vec<IpNet>),
    /// The packet came in by one of these interfaces; a `*` at the end stands for any rest.
    In(BTreeSet<String>),
    /// It leaves by one of these.
    Out(BTreeSet<String>),
    /// The packet's mark, or the connection's, under a mask.
    Mark {
        /// Whether it is the connection's.
        of_connection: bool,
        /// The bits that are looked at.
        mask: u32,
        /// What they can be.
        values: BTreeSet<u32>,
    },
    /// conntrack has the connection in one of these states.
    State(BTreeSet<String>),
    /// Another rule has changed the destination of the connection (DNAT).
    ChangedDestination,
    /// A socket of this node that is as the text says: forwarded packets have none.
    OwnSocket(String),
    /// Something else: equal text means equal packets.
    Other(String),
    /// Decided for each packet (a rate, a quota, chance): it equals no other, not even one that reads the same.
    Changing(String),
}

impl Condition {
    pub(super) const fn new(subject: Subject, negated: bool) -> Self {
        Self { subject, negated }
    }

    pub(super) const fn other(text: String) -> Self {
        Self::new(Subject::Other(text), false)
    }

    /// Whether a packet without a mark meets it; `None` where it does not ask for a mark.
    pub(super) fn of_unmarked(&self) -> Option<bool> {
        let Subject::Mark { mask, ref values, .. } = self.subject else { return None };
        Some(values.contains(&(NO_MARK & mask)) != self.negated)
    }

    /// Whether the first packet of a connection meets it, the only one that NAT rules see; `None` where it does not ask for a state.
    pub(super) fn of_new(&self) -> Option<bool> {
        let Subject::State(states) = &self.subject else { return None };
        Some(states.contains("new") != self.negated)
    }

    fn opposite(&self) -> Self {
        Self { negated: !self.negated, ..self.clone() }
    }

    /// Whether every packet that meets this meets `other`.
    fn implies(&self, other: &Self) -> bool {
        match (&self.subject, &other.subject) {
            (Subject::Changing(_), _) | (_, Subject::Changing(_)) => false,
            (Subject::Source(these), Subject::Source(those))
            | (Subject::Destination(these), Subject::Destination(those)) => {
                let overlap = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
                implies((these.iter(), self.negated), (those.iter(), other.negated), |a, b| b.contains(a), overlap)
            }
            (Subject::In(these), Subject::In(those)) | (Subject::Out(these), Subject::Out(those)) => implies(
                (these.iter(), self.negated),
                (those.iter(), other.negated),
                |a, b| is_within(a, b),
                |a, b| is_within(a, b) || is_within(b, a),
            ),
            (
                Subject::Mark { of_connection, mask, values },
                Subject::Mark { of_connection: others, mask: bits, values: wanted },
            ) if of_connection == others && !self.negated && mask & bits == *bits => {
                values.iter().all(|value| wanted.contains(&(value & bits)) != other.negated)
            }
            _ => self == other,
        }
    }
}

/// Whether membership of one list says membership of another; each with whether it is negated.
fn implies<'a, T: 'a + ?Sized, I: Iterator<Item = &'a T> + Clone>(
    (mut these, not_these): (I, bool),
    (mut those, not_those): (I, bool),
    is_within: impl Fn(&T, &T) -> bool,
    overlap: impl Fn(&T, &T) -> bool,
) -> bool {
    let is_empty = these.clone().next().is_none();
    match (not_these, not_those) {
        (false, false) => !is_empty && these.all(|a| those.clone().any(|b| is_within(a, b))),
        (false, true) => !is_empty && !these.any(|a| those.clone().any(|b| overlap(a, b))),
        (true, true) => those.all(|b| these.clone().any(|a| is_within(b, a))),
        (true, false) => false,
    }
}

/// Whether each name that the first stands for is one that the second stands for.
fn is_within(name: &str, of: &str) -> bool {
    match (name.strip_suffix('*'), of.strip_suffix('*')) {
        (Some(start), Some(wanted)) => start.starts_with(wanted),
        (None, Some(wanted)) => name.starts_with(wanted),
        (Some(_), None) => false,
        (None, None) => name == of,
    }
}

/// Whether a packet that meets all of `path` meets `condition`.
pub(super) fn are_enough(path: &[Condition], condition: &Condition) -> bool {
    path.iter().any(|held| held.implies(condition))
}

/// Whether no packet can meet both.
pub(super) fn exclude(path: &[Condition], condition: &Condition) -> bool {
    are_enough(path, &condition.opposite())
}

/// Whether the conditions name destinations, and none of them is routed on the internet.
pub(super) fn stay_private(path: &[Condition]) -> bool {
    path.iter().filter(|condition| !condition.negated).any(|condition| {
        matches!(&condition.subject, Subject::Destination(prefixes)
            if !prefixes.is_empty() && prefixes.iter().all(addresses::is_private))
    })
}

/// Whether only connections meet the conditions whose destination another rule has changed.
pub(super) fn need_changed_destination(path: &[Condition]) -> bool {
    path.iter().any(|condition| condition.subject == Subject::ChangedDestination && !condition.negated)
}

/// Whether only sockets of this node meet the conditions.
pub(super) fn need_own_socket(path: &[Condition]) -> bool {
    path.iter().any(|condition| matches!(condition.subject, Subject::OwnSocket(_)))
}

/// The interfaces that packets must leave by, where the conditions name some.
pub(super) fn leave_by(path: &[Condition]) -> Option<&BTreeSet<String>> {
    path.iter()
        .filter(|condition| !condition.negated)
        .find_map(|condition| if let Subject::Out(names) = &condition.subject { Some(names) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Condition {
        let nets = text.trim_start_matches('!').split(' ').map(|net| addresses::parse(net).unwrap()).collect();
        Condition::new(Subject::Source(nets), text.starts_with('!'))
    }

    fn out(text: &str) -> Condition {
        let names = text.trim_start_matches('!').split(' ').map(str::to_owned).collect();
        Condition::new(Subject::Out(names), text.starts_with('!'))
    }

    fn mark(mask: u32, value: u32, negated: bool) -> Condition {
        Condition::new(Subject::Mark { of_connection: false, mask, values: [value].into() }, negated)
    }

    #[test]
    fn a_narrow_prefix_implies_a_wide_one_and_excludes_others() {
        for (one, other, is_implied) in [
            ("10.42.0.0/16", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.42.0.0/16", false),
            ("10.1.0.0/16 10.2.0.0/16", "10.0.0.0/8", true),
            ("10.1.0.0/16 192.0.2.0/24", "10.0.0.0/8", false),
            ("10.42.0.0/16", "!192.0.2.0/24", true),
            ("10.0.0.0/8", "!10.42.0.0/16", false),
            ("!10.0.0.0/8", "!10.42.0.0/16", true),
            ("!10.42.0.0/16", "10.0.0.0/8", false),
        ] {
            assert_eq!(are_enough(&[from(one)], &from(other)), is_implied, "{one} implies {other}");
        }
        assert!(exclude(&[from("10.42.0.0/16")], &from("192.0.2.0/24")));
        assert!(!exclude(&[from("10.0.0.0/8")], &from("10.42.0.0/16")));
    }

    #[test]
    fn interfaces_are_compared_with_their_wildcards() {
        assert!(are_enough(&[out("eth0")], &out("eth*")) && !are_enough(&[out("eth*")], &out("eth0")));
        assert!(are_enough(&[out("eth0")], &out("!cni0")) && !are_enough(&[out("eth*")], &out("!eth1")));
        assert!(exclude(&[out("eth0")], &out("eth1")));
    }

    #[test]
    fn marks_are_compared_under_their_masks() {
        assert!(are_enough(&[mark(u32::MAX, 0x4001, false)], &mark(0x4000, 0x4000, false)));
        assert!(!are_enough(&[mark(0xff, 0x10, false)], &mark(u32::MAX, 0x10, false)));
        assert!(are_enough(&[mark(u32::MAX, 0x10, false)], &mark(u32::MAX, 0x11, true)));
        assert_eq!(mark(u32::MAX, 0x10, false).of_unmarked(), Some(false));
        assert_eq!(mark(u32::MAX, 0x10, true).of_unmarked(), Some(true));
        assert_eq!(mark(0x4000, 0, false).of_unmarked(), Some(true));
        assert_eq!(out("denmark0").of_unmarked(), None);
    }

    #[test]
    fn what_is_decided_anew_implies_nothing() {
        let limit = Condition::new(Subject::Changing("limit".to_owned()), false);
        assert!(!are_enough(std::slice::from_ref(&limit), &limit));
        let name = Condition::other("-m set --match-set limit-quota src".to_owned());
        assert!(are_enough(std::slice::from_ref(&name), &name));
    }
}
