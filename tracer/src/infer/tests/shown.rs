//! The sentences.

use tracer_common::Flow;

use super::world::{Ports, World};
use crate::infer::Infer;

fn assert_told(world: &World, expected: &str) {
    assert_eq!(world.conclude().to_string(), expected, "{world:?}");
}

#[test]
fn a_class_is_told_with_counts_bracket_and_likely_rule() {
    assert_told(
        &World::new(1, 842).passing("32768-65535"),
        "IPv4: unanswered 439 of 439 below 32768, answered 403 of 403 from 32768 (6 destinations, p < 1e-233): the \
         path passes one range: lowest open port 32748-32829, highest at least 65524; likely rule 32768-65535",
    );
    assert_told(
        &World::new(1, 2000).passing("1024-39999"),
        "IPv4: unanswered 757 of 757 above 39999, answered 1243 of 1243 up to 39999 (6 destinations, p < 1e-531): \
         the path passes one range: lowest open port at most 1045, highest 39957-40009; likely rule 1024-39999",
    );
    assert_told(
        &World { fails: 0.05, dead: 1, ..World::new(1, 5000) }.passing("1024-29999,32768-65535"),
        "IPv4: unanswered 174 of 174 outside 1024-29999,32768-65535, answered 3776 of 4001 inside (5 destinations, \
         p < 1e-171): the path passes 2 ranges: lowest open port at most 1025, highest 29979-30004; lowest \
         32722-32796, highest at least 65531; likely rule 1024-29999,32768-65535; left out: 825 attempts to 1 \
         destination that never answered",
    );
}

#[test]
fn an_edge_that_nobody_knows_is_told_without_a_likely_rule() {
    assert_told(
        &World::new(1, 900).passing("33333-65535"),
        "IPv4: unanswered 465 of 465 below 33294, answered 435 of 435 from 33294 (6 destinations, p < 1e-249): the \
         path passes one range: lowest open port 33228-33360, highest at least 65524",
    );
}

#[test]
fn evidence_of_one_destination_is_told_as_such() {
    assert_told(
        &World { destinations: 1, ..World::new(3, 1000) }.passing("32768-65535"),
        "IPv4: unanswered 509 of 509 below 32768, answered 491 of 491 from 32768 (1 destination, p < 1e-280): it \
         looks as if the path passes one range: lowest open port 32633-32864, highest at least 65508; likely rule \
         32768-65535; but most of the evidence comes from 203.0.0.0:443, which may itself be the reason: attempts \
         to other destinations are needed to conclude it",
    );
}

#[test]
fn ports_that_half_of_the_ways_drop_are_no_range_that_the_path_passes() {
    let mut infer = Infer::default();
    let attempts = (1024..=65_535).step_by(300).flat_map(|port| (0..3_u16).map(move |to| (to, port)));
    for is_answered in [true, false] {
        for (to, port) in attempts.clone() {
            let (src, dst) = (format!("192.0.2.1:{port}"), format!("203.0.113.{to}:443"));
            let flow = Flow::new(src.parse().unwrap(), dst.parse().unwrap());
            infer.count(&flow, is_answered, u64::from((port >= 32_768 || (port / 300 + to) % 2 == 0) == is_answered));
        }
    }
    let [conclusion] = &infer.conclusions()[..] else { panic!() };
    assert!(conclusion.class().is_none() && conclusion.denied().is_none());
    assert_eq!(conclusion.verdict_name(), "partial");
    assert!(conclusion.to_string().contains("more often than on the other, but not always"), "{conclusion}");
}

#[test]
fn nothing_is_said_of_ports_far_from_all_that_were_used() {
    let world = World { ports: Ports::Drawn(20_000..=65_535), ..World::new(1, 1000).passing("32768-65535") };
    let denied = world.conclude().denied().unwrap();
    assert!(!denied.contains(10_000) && denied.contains(20_000), "{denied}");
}

#[test]
fn no_class_is_told_with_what_would_have_been_seen() {
    assert_told(
        &World { fails: 0.02, ..World::new(1, 1000) },
        "IPv4: no port class found in 1000 attempts to 6 destinations that answered at least once, 15 unanswered; a \
         class with 1.9 % of the attempts, the same for all destinations, would have been found",
    );
}

#[test]
fn attempts_that_were_given_up_may_be_those_of_a_class() {
    let mut conclusion = World { fails: 0.02, ..World::new(1, 1000) }.conclude();
    conclusion.left_out.gave_up = 101;
    let text = conclusion.to_string();
    assert!(text.ends_with("; left out: 101 attempts whose client gave up before an answer was due"), "{text}");
    assert!(!text.contains("would have been found"), "{text}");
}

#[test]
fn too_few_attempts_are_told_with_what_is_missing() {
    assert_told(
        &World { destinations: 2, ..World::new(1, 12) },
        "IPv4: too few attempts to conclude anything: 12 attempts to 2 destinations that answered at least once, 0 \
         unanswered; about 79 more attempts would reveal a class that has half of the ports",
    );
    assert_told(
        &World { destinations: 3, dead: 1, ..World::new(2, 40) }.passing("32768-65535"),
        "IPv4: too few attempts to conclude anything: 27 attempts to 2 destinations that answered at least once, 12 \
         unanswered; so far only some of the ports fail, which a filter or an outage can explain: about 74 more \
         attempts, at other times, would decide; left out: 13 attempts to \
         1 destination that never answered",
    );
    assert_told(
        &World { destinations: 1, ..World::new(1, 500) },
        "IPv4: too few attempts to conclude anything: 500 attempts to 1 destination that answered at least once, 0 \
         unanswered; about 46 more attempts, to other destinations, would reveal a class that has half of the ports",
    );
    assert_told(
        &World { dead: 6, ..World::new(1, 50) },
        "IPv4: nothing to conclude: no attempt that counts was answered; about 91 more attempts, to other \
         destinations, would reveal a class that has half of the ports; left out: 50 attempts to 6 destinations \
         that never answered",
    );
}

#[test]
fn destinations_that_the_filter_does_not_concern_are_named_and_left_out_of_the_claim() {
    assert_told(
        &World { unfiltered: 2, ..World::new(1, 842) }.passing("32768-65535"),
        "IPv4: unanswered 283 of 283 below 32768, answered 278 of 278 from 32768 (4 destinations, p < 1e-160): the \
         path to 4 of 6 destinations passes one range: lowest open port 32401-33050, highest at least 65524; likely \
         rule 32768-65535; 2 other destinations (203.0.0.0:443, 203.0.0.1:443) answered 146 of 146 attempts from \
         other ports: no such filter is on the path to them",
    );
    let mixed = World { destinations: 10, unfiltered: 5, ..World::new(2, 300) }.passing("32768-65535").conclude();
    assert_eq!((mixed.verdict_name(), super::class(&mixed).passing.count), ("class", 5), "{mixed}");
    assert!(!mixed.to_string().contains("the path passes"), "{mixed}");
}
