//! `stale_entry`: the SYN follows a conntrack entry that is older than the rule or route which now holds.

use std::net::SocketAddr;

use tracer_common::Flow;

use super::{Case, Cause};
use crate::model::{LaterPath, Watch, plural};

pub(super) const CAUSE: Cause = Cause {
    id: "stale_entry",
    applies,
    explain,
    advice: "the conntrack entry of the first SYN is older than the present rule or route, and each retransmit \
             makes it live longer: delete it (conntrack -D -p tcp -s SOURCE -d DESTINATION), or have the client \
             connect again from another port; load rules before clients start",
};

/// So many attempts for each path that later attempts take make it certain that this attempt's path is no longer taken, even where
/// rules choose at random: chance misses one of n + 1 paths 16 n times with a probability below 1e-6.
const ATTEMPTS_PER_PATH: u32 = 16;
/// Paths that are distinguished: with as many there may be more.
const MAX_PATHS: u32 = 4;
/// Without an answer, so many later attempts.
const UNANSWERED_ATTEMPTS: u32 = 3;

/// How the path of later attempts differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// They are answered without leaving by an uplink, this attempt leaves by one.
    Inside,
    /// They get DNAT, this attempt does not.
    Dnat,
    /// This attempt gets DNAT, they do not.
    NoDnat,
    /// DNAT sends them elsewhere.
    OtherDnat,
    /// NAT changes their source, and not this attempt's.
    Snat,
    /// NAT gives them another source address.
    OtherSnat,
}

fn applies(case: &Case<'_>) -> bool {
    case.left_unanswered() && difference(case).is_some()
}

fn difference(case: &Case<'_>) -> Option<(Difference, LaterPath)> {
    let (original, translated, later) = (case.attempt.original?, case.attempt.translated?, case.attempt.later_path?);
    if later.is_concurrent {
        return None;
    }
    let Some(others) = later.translated else {
        // Where not every uplink was watched, they may have left unseen.
        let is_watched = case.has_hook("wire") && case.attempt.egress.watch != Watch::Incomplete;
        // A service may have backends on this node and elsewhere; a sidecar's own connections leave, and those that it serves do not.
        let is_certain = !case.has_dnat() || is_certain(Difference::OtherDnat, &later);
        return (is_watched && is_certain && !later.own_is_answered).then_some((Difference::Inside, later));
    };
    let destination = |flow: Flow| (flow.dst, flow.dst_port);
    let (asked, own, theirs) = (destination(original), destination(translated), destination(others));
    let difference = match () {
        () if own == asked && theirs != asked => Difference::Dnat,
        () if own != asked && theirs == asked => Difference::NoDnat,
        () if own != theirs => Difference::OtherDnat,
        // The route was asked for each SYN: the one that now holds leads this SYN elsewhere than those of the others.
        () if is_routed_apart(case, &later) => return None,
        () if translated.src == original.src && others.src != original.src => Difference::Snat,
        () if translated.src != others.src => Difference::OtherSnat,
        () => return None,
    };
    is_certain(difference, &later).then_some((difference, later))
}

/// Whether later attempts left by another interface.
fn is_routed_apart(case: &Case<'_>, later: &LaterPath) -> bool {
    let own = case.attempt.egress.interface;
    own.is_known() && later.interface.is_known() && own != later.interface
}

fn is_certain(difference: Difference, later: &LaterPath) -> bool {
    match difference {
        Difference::Inside | Difference::Dnat | Difference::NoDnat | Difference::Snat => {
            later.is_answered || later.attempts >= UNANSWERED_ATTEMPTS
        }
        // A service with several backends, or a pool of addresses, has many paths at any time.
        Difference::OtherDnat | Difference::OtherSnat => {
            later.is_answered
                && later.paths < MAX_PATHS
                && later.attempts >= ATTEMPTS_PER_PATH.saturating_mul(later.paths)
        }
    }
}

fn explain(case: &Case<'_>) -> String {
    let Some((difference, later)) = difference(case) else { return String::new() };
    let attempts = plural(later.attempts, "later attempt");
    let (syn, to, source) = (case.syn(), case.destination(), case.translated_source());
    let asked = case.original_destination();
    let others = later.translated.unwrap_or_default();
    let (later_to, later_source) = (SocketAddr::new(others.dst_addr(), others.dst_port), others.src_addr());
    let words = match difference {
        Difference::Inside => format!(
            "{syn} left to {to} by {}, while {attempts} of this client to {asked} did not leave by an uplink",
            case.interface()
        ),
        Difference::Dnat => {
            format!("{syn} left to {to} without DNAT, while {attempts} of this client to it went to {later_to}")
        }
        Difference::NoDnat => {
            format!("DNAT sent {syn} to {to}, while {attempts} of this client to {asked} left without DNAT")
        }
        Difference::OtherDnat => {
            format!(
                "DNAT sent {syn} to {to}, while all {attempts} of this client to {asked} went elsewhere ({later_to})"
            )
        }
        Difference::Snat => format!(
            "{syn} left with its original source {source}, while {attempts} of this client to {asked} left as {later_source}"
        ),
        Difference::OtherSnat => {
            format!("{syn} left as {source}, while all {attempts} of this client to {asked} left as {later_source}")
        }
    };
    let answered = if later.is_answered { " and were answered" } else { "" };
    // Which connections a rule is for, the trace does not say.
    let doubt = match difference {
        Difference::OtherDnat => {
            ", unless the service rarely chooses this backend (weights), or a rule treats such connections differently (a mark, a DSCP)"
        }
        Difference::OtherSnat => ", unless a rule treats such connections differently (a mark, a DSCP)",
        Difference::Inside | Difference::Dnat | Difference::NoDnat | Difference::Snat => "",
    };
    format!("{words}{answered}: its conntrack entry is older than the rule or route that now holds{doubt}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, id_of, name, says};
    use crate::model::{Attempt, Egress, InterfaceName, example};

    /// The path of `attempts` later attempts, answered.
    fn later(nat_dst: &str, attempts: u32) -> LaterPath {
        LaterPath {
            attempts,
            paths: 1,
            translated: Some(example::flow("192.0.2.1:0", nat_dst)),
            interface: InterfaceName::default(),
            is_answered: true,
            is_concurrent: false,
            own_is_answered: false,
        }
    }

    /// A pod's attempt to a service address.
    fn stuck(nat_src: &str, nat_dst: &str, later_path: LaterPath) -> Attempt {
        let attempt = example::attempt("10.42.0.7:5000", "10.96.0.20:80", nat_src, nat_dst);
        Attempt { later_path: Some(later_path), ..attempt }
    }

    #[test]
    fn a_syn_without_dnat_while_later_ones_get_it_follows_an_old_entry() {
        let attempt = stuck("192.0.2.1:40000", "10.96.0.20:80", later("10.77.9.5:80", 1));
        assert_eq!(id_of(&attempt), CAUSE.id);
        says(
            &CAUSE,
            &attempt,
            "the SYN left to 10.96.0.20:80 without DNAT, while 1 later attempt of this client to it went to 10.77.9.5:80",
        );
        assert!(!applies_to(&CAUSE, &Attempt { later_path: None, ..attempt.clone() }));
        assert!(!applies_to(&CAUSE, &Attempt { syn_ack_seen: true, ..attempt }));
        let bypass = LaterPath { is_concurrent: true, ..later("10.77.9.5:80", 200) };
        assert!(!applies_to(&CAUSE, &stuck("192.0.2.1:40000", "10.96.0.20:80", bypass)), "a rule leaves some out");
    }

    #[test]
    fn a_syn_that_leaves_while_later_ones_are_answered_inside() {
        let inside = |attempts| LaterPath { translated: None, ..later("10.77.9.5:80", attempts) };
        let attempt = stuck("192.0.2.1:40000", "10.96.0.20:80", inside(3));
        assert!(applies_to(&CAUSE, &attempt));
        says(&CAUSE, &attempt, "did not leave by an uplink and were answered");
        let egress = Egress { watch: Watch::Incomplete, ..attempt.egress };
        assert!(!applies_to(&CAUSE, &Attempt { egress, ..attempt.clone() }));
        let later_path = attempt.later_path.map(|later| LaterPath { own_is_answered: true, ..later });
        assert!(!applies_to(&CAUSE, &Attempt { later_path, ..attempt }));
        let backend = |attempts| stuck("192.0.2.1:40000", "198.51.100.7:80", inside(attempts));
        assert!(!applies_to(&CAUSE, &backend(15)) && applies_to(&CAUSE, &backend(16)));
    }

    #[test]
    fn one_backend_of_several_is_stale_only_if_nobody_is_sent_to_it_for_long() {
        for (attempts, paths, is_stale) in [(1, 1, false), (15, 1, false), (16, 1, true), (200, 4, false)] {
            let later_path = LaterPath { paths, ..later("10.77.9.5:80", attempts) };
            let attempt = stuck("192.0.2.1:40000", "10.77.9.4:80", later_path);
            assert_eq!(applies_to(&CAUSE, &attempt), is_stale, "{attempts} attempts, {paths} paths");
        }
    }

    #[test]
    fn a_source_that_nat_left_alone_while_it_changes_later_ones() {
        let attempt = stuck("10.42.0.7:5000", "10.96.0.20:80", later("10.96.0.20:80", 1));
        assert!(applies_to(&CAUSE, &Attempt { nat_netns: None, ..attempt }));
        let the_same = stuck("192.0.2.1:40000", "10.96.0.20:80", later("10.96.0.20:80", 100));
        assert!(!applies_to(&CAUSE, &the_same));
    }

    #[test]
    fn a_syn_that_is_routed_by_another_interface_than_later_ones_follows_a_rule_that_holds() {
        let attempt = |interface| {
            let later_path = LaterPath { interface: name(interface), ..later("10.96.0.20:80", 40) };
            let stuck = stuck("10.8.0.6:40000", "10.96.0.20:80", later_path);
            Attempt { egress: Egress { interface: name("up2"), ..stuck.egress }, ..stuck }
        };
        assert!(!applies_to(&CAUSE, &attempt("eth0")) && applies_to(&CAUSE, &attempt("up2")));
        says(&CAUSE, &attempt("up2"), "(a mark, a DSCP)");
    }
}
