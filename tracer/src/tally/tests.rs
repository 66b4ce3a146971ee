//! An attempt goes into every count it belongs to, and into no other.

use super::*;
use crate::model::{Capture, Outcome, Owner, example, example::FLAGGED};

fn attempt() -> Attempt {
    let attempt = example::attempt("10.42.0.7:5000", "10.96.0.10:80", "192.0.2.1:1200", "203.0.113.80:8080");
    Attempt { outcome: Outcome::TimedOut, ..attempt }
}

fn tally(attempts: &[Attempt]) -> Tally {
    let capture = capture();
    let mut tally = Tally::default();
    attempts.iter().for_each(|attempt| tally.ended(0, &ended(&capture, attempt)));
    tally
}

/// On a node that booted in 1970.
fn capture() -> Capture {
    Capture { boot_unix_ns: 0, ..example::capture("node7") }
}

fn ended<'a>(capture: &'a Capture, attempt: &'a Attempt) -> EndedAttempt<'a> {
    EndedAttempt { capture, attempt, owner: None, judgement: &FLAGGED }
}

#[test]
fn an_attempt_is_in_every_table() {
    let tally = tally(&[attempt()]);
    let expected = Counts { attempts: 1, answered: 0, unanswered: 1, flagged: 1, retransmits: 1 };
    assert_eq!(tally.all, expected);
    assert_eq!(tally.destinations.ranking(9).worst, [("10.96.0.10:80".parse().unwrap(), expected)]);
    assert_eq!(tally.sources.ranking(9).worst, [("10.42.0.7".parse().unwrap(), expected)]);
    assert_eq!(tally.nodes, [expected]);
    assert_eq!(tally.modes, [(NatMode::FullyRandom, expected)].into());
    assert_eq!(tally.ports_v4.between(1200, 1200), (0, 1));
    assert!(tally.ports_v6.is_empty());
}

#[test]
fn attempts_count_for_the_pod_or_the_container_that_they_belong_to_and_for_nobody_else() {
    let (capture, attempt) = (capture(), attempt());
    let mut tally = tally(std::slice::from_ref(&attempt));
    for names in ["shop/web-0/app", "shop/web-0/", "blog/web-0/", "//web"] {
        tally.ended(0, &EndedAttempt { owner: Some(&Owner::parse(names)), ..ended(&capture, &attempt) });
    }
    let counts =
        |times: u64| Counts { attempts: times, unanswered: times, flagged: times, retransmits: times, answered: 0 };
    assert_eq!(
        tally.pods.ranking(9).worst,
        [(("shop".into(), "web-0".into()), counts(2)), (("blog".into(), "web-0".into()), counts(1))]
    );
    assert_eq!(tally.namespaces.ranking(9).worst, [("shop".into(), counts(2)), ("blog".into(), counts(1))]);
    assert_eq!(tally.containers.ranking(9).worst, [("web".into(), counts(1))]);
    assert_eq!(tally.all.attempts, 5);
}

#[test]
fn a_port_that_a_socket_chose_itself_is_not_in_the_picture() {
    let flow = attempt().translated;
    let host = Attempt { original: flow, nat_netns: None, range: None, ..attempt() };
    let tally = tally(&[host]);
    assert!(tally.ports_v4.is_empty());
    assert!(tally.modes.is_empty());
    assert_eq!(tally.all.unanswered, 1);
}

#[test]
fn families_have_pictures_of_their_own() {
    let v6 = example::attempt("[fd00::7]:5000", "[2001:db8::1]:443", "[2001:db8::2]:40000", "[2001:db8::1]:443");
    let tally = tally(&[v6]);
    assert!(tally.ports_v4.is_empty());
    assert_eq!(tally.ports_v6.between(40000, 40000), (0, 1));
}

#[test]
fn the_span_reaches_from_the_first_to_the_last_thing_heard() {
    let late = Attempt { first_ns: 3_000_000_000, last_ns: 9_000_000_000, ..attempt() };
    let tally = tally(&[late, attempt()]);
    assert_eq!((tally.first_unix_ns, tally.last_unix_ns), (Some(1_000_000_000), Some(9_000_000_000)));
    assert_eq!(tally.timeline.columns(60).len(), 3);
}
