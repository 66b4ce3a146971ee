//! The kernel skips a tracepoint's program now and then: what the socket knows at its end makes up for it.

use super::*;
use crate::model::Outcome;

#[test]
fn a_retransmit_that_nobody_told_is_told_when_the_socket_is_established() {
    let end = counted(established(S + 2 * MS, ISN, pod(1)), 1);
    let outcomes = join(&[syn(S, ISN, node(8)), syn_ack(S + MS, ISN, node(8)), end]);
    assert_eq!(outcomes.retransmitted(), [(S + 2 * MS, 1)]);
    assert_eq!((outcomes.only().retransmits, outcomes.only().outcome), (1, Outcome::Established));
}

#[test]
fn what_was_told_is_not_told_again() {
    let reported = [syn(0, ISN, node(9)), retransmit(S, ISN, pod(1), 1), syn(S, ISN, node(9))];
    for end in [established(S + 50 * MS, ISN, pod(1)), closed(2 * S, ISN, pod(1), ETIMEDOUT)] {
        let outcomes = join(&[&reported[..], &[counted(end, 1)]].concat());
        assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    }
}

#[test]
fn a_retransmit_told_without_its_source_is_told_again_when_the_socket_names_it() {
    for end in [established(2 * S, ISN, pod(1)), closed(2 * S, ISN, pod(1), 0)] {
        let outcomes = join(&[syn(0, ISN, node(9)), syn(S, ISN, node(9)), counted(end, 1)]);
        assert_eq!(outcomes.retransmitted(), [(S, 1), (2 * S, 1)]);
        let sources: Vec<_> = outcomes
            .retransmits
            .iter()
            .map(|retransmit| (retransmit.attempt.original, retransmit.is_repeated))
            .collect();
        assert_eq!(sources, [(None, false), (Some(pod(1)), true)]);
        assert_eq!(outcomes.only().retransmits, 1);
    }
}

#[test]
fn a_syn_that_is_still_its_sockets_names_the_source_where_the_socket_never_tells() {
    let outcomes = join(&[own_syn(0, ISN, node(9)), own_syn(S, ISN, node(9))]);
    assert_eq!((outcomes.retransmitted(), outcomes.only().is_translated()), (vec![(S, 1)], Some(false)));
    assert_eq!(outcomes.retransmits[0].attempt.original, Some(node(9)));
}

#[test]
fn a_retransmit_that_waits_when_the_socket_ends_is_told_once() {
    let end = counted(established(S + 5 * MS, ISN, pod(1)), 1);
    let outcomes = join(&[syn(0, ISN, node(9)), syn(S, ISN, node(9)), end]);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    assert_eq!(outcomes.retransmits[0].attempt.original, Some(pod(1)));
}

#[test]
fn what_a_socket_that_failed_could_not_send_is_no_retransmit() {
    let outcomes = join(&[counted(closed(3 * S, ISN, pod(1), ETIMEDOUT), 3)]);
    assert!(outcomes.retransmits.is_empty());
    assert_eq!(outcomes.only().retransmits, 0);
}

#[test]
fn a_syn_that_was_dropped_well_before_one_left_tells_of_a_retransmit_without_a_socket() {
    let translated = node(9);
    let events = [dropped(0, ISN, translated, 0x190), syn(S, ISN, node(8)), syn_ack(S + MS, ISN, node(8)), tick(2 * S)];
    let outcomes = join(&events);
    assert_eq!(outcomes.retransmitted(), [(S, 1)]);
    let attempt = outcomes.only();
    assert_eq!((attempt.retransmits, attempt.unconfirmed, attempt.syns_leaving), (1, 1, 1));
    // The retransmit's own event takes the place of that.
    let outcomes = join(&[events[0], events[1], retransmit(S + 1_000, ISN, pod(1), 1), tick(2 * S)]);
    assert_eq!((outcomes.retransmitted(), outcomes.only().retransmits), (vec![(S + 1_000, 1)], 1));
}

#[test]
fn a_drop_that_is_seen_next_to_the_syn_that_leaves_tells_of_no_retransmit() {
    let outcomes = join(&[dropped(0, ISN, node(9), 0x190), syn(100 * MS, ISN, node(9)), tick(2 * S)]);
    assert!(outcomes.retransmits.is_empty());
}

#[test]
fn a_syn_dropped_before_nat_does_not_hide_the_retransmit_that_nat_and_socket_tell() {
    let (original, translated) = (pod(1), node(9));
    let first = dropped(0, ISN, original, 0);
    let again = [bind(S, ISN, original, translated), syn(S + 1_000, ISN, translated)];
    let outcomes = join(&[&[first], &again[..], &[retransmit(S + 2_000, ISN, original, 1)]].concat());
    assert_eq!((outcomes.retransmitted(), outcomes.only().retransmits), (vec![(S + 2_000, 1)], 1));
    let outcomes = join(&[&[first], &again[..], &[tick(2 * S)]].concat());
    assert_eq!((outcomes.retransmitted(), outcomes.only().retransmits), (vec![(S, 1)], 1));
}

#[test]
fn syns_from_before_the_capture_are_not_taken_for_unseen() {
    // Two that began before: one is at its fifth retransmit, the other one at its first.
    let (old, young) = (pod(40_000), pod(40_001));
    let attempt = only(&[
        tick(100 * S),
        syn(100 * S + S / 2, ISN, node(1_500)),
        retransmit(100 * S + S / 2 + 1_000, ISN, old, 5),
        retransmit(132 * S, ISN, old, 6),
    ]);
    assert_eq!((attempt.retransmits, attempt.sent_before, attempt.syns_leaving), (6, 5, 1));
    let attempt = only(&[tick(100 * S), retransmit(100 * S + S / 2, ISN, young, 1)]);
    assert_eq!((attempt.retransmits, attempt.sent_before), (1, 1));
    // One that began here, and one whose first SYN was not seen, although something was to see it.
    let attempt = only(&[tick(0), syn(99 * S, ISN, node(1_500)), retransmit(100 * S, ISN, young, 1)]);
    assert_eq!(attempt.sent_before, 0);
    let attempt = only(&[tick(0), retransmit(100 * S, ISN, young, 1)]);
    assert_eq!(attempt.sent_before, 0);
    // The first SYN was answered by a segment that does not acknowledge it, so the client sent it again at once.
    let sent = |at| syn(at, ISN, node(1_500));
    let attempt = only(&[tick(0), sent(10 * MS), sent(14 * MS), retransmit(14 * MS + 1_000, ISN, young, 1)]);
    assert_eq!(attempt.sent_before, 0);
}
