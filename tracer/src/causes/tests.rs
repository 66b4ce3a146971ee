//! Which attempt has which cause, for all of them; the tests of a cause have its limits.

use super::testing::{capture, dropped, failing, name};
use super::*;
use crate::model::{Attempt, Egress, LaterPath, Outcome, SourceAddress, Strays, SynFeatures, TableFill, example};
use tracer_common::events::NO_ENTRY;

/// An attempt for each cause, in order of precedence.
fn attempts() -> Vec<(&'static str, Attempt)> {
    let table = Some(TableFill { count: 65536, max: 65536 });
    let unseen = Attempt { syns_leaving: 0, ..failing() };
    let answered = Attempt { syn_ack_seen: true, ..failing() };
    let wrong = Egress {
        source: SourceAddress::OfOtherInterface,
        source_interface: name("eth0"),
        attempts_with_source: 3,
        own_source_is_answered: true,
        source_interface_is_uplink: true,
        source_is_on_link: true,
        ..Egress::default()
    };
    let service = example::attempt("10.42.0.7:5000", "10.96.0.20:80", "192.0.2.1:40000", "10.96.0.20:80");
    let later = example::flow("192.0.2.1:0", "10.77.9.5:80");
    let later_path = Some(LaterPath {
        attempts: 1,
        paths: 1,
        translated: Some(later),
        interface: name(""),
        is_answered: true,
        is_concurrent: false,
        own_is_answered: false,
    });
    let pod = example::attempt("10.42.0.7:4000", "203.0.113.80:443", "10.42.0.7:4000", "203.0.113.80:443");
    let left_out = Egress { like_source_is_translated: true, ..Egress::default() };
    let ecn = Egress { first_syn: SynFeatures { ecn: true, ..SynFeatures::default() }, ..Egress::default() };
    let outside = example::attempt("10.42.0.7:51234", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
    vec![
        ("refused", Attempt { rst_seen: true, ..failing() }),
        ("unreachable", Attempt { icmp: Some((3, 1)), ..failing() }),
        ("insert_race", Attempt { unconfirmed: 1, syns_leaving: 1, ..failing() }),
        ("port_exhausted", Attempt { unconfirmed: 2, ..unseen.clone() }),
        ("conntrack_full", Attempt { syn_dropped: dropped(2, 6, NO_ENTRY), table, ..unseen.clone() }),
        ("dropped_here", Attempt { syn_dropped: dropped(2, 6, 2), ..unseen.clone() }),
        ("reply_stolen", Attempt { is_reset_here: true, ..answered.clone() }),
        ("reply_dropped_here", Attempt { answer_dropped: dropped(2, 6, 3), ..answered.clone() }),
        ("tuple_reused", Attempt { strays: Strays { acks: 2, ..Strays::default() }, ..failing() }),
        ("wrong_source", Attempt { egress: wrong, ..failing() }),
        ("stale_entry", Attempt { later_path, ..service }),
        ("not_translated", Attempt { nat_netns: None, selections: 0, egress: left_out, ..pod }),
        ("syn_option_dropped", Attempt { egress: ecn, outcome: Outcome::Established, ..answered }),
        ("port_out_of_range", outside),
        ("no_answer", failing()),
        ("unknown", unseen),
    ]
}

#[test]
fn each_cause_has_an_attempt_that_no_other_cause_takes() {
    let (capture, attempts) = (capture(), attempts());
    for (id, attempt) in &attempts {
        let case = Case::new(attempt, &capture);
        let case = case.assessed(is_flagged(&case).then_some(example::PROVEN), None);
        assert_eq!(cause_of(&case).id, *id);
    }
    let ids = |attempts: &[(&'static str, Attempt)]| attempts.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let all: Vec<_> = ALL.iter().map(|cause| cause.id).collect();
    assert_eq!(ids(&attempts), all, "attempts() has one example for each cause, in the order of ALL");
}

#[test]
fn every_cause_has_an_id_of_its_own_and_advice() {
    for (index, cause) in ALL.iter().enumerate() {
        assert_eq!(ALL.iter().position(|other| other.id == cause.id), Some(index), "{}", cause.id);
        assert!(!cause.advice.is_empty(), "{}", cause.id);
        assert!(cause.id.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()), "{}", cause.id);
    }
}

#[test]
fn every_cause_has_a_section_in_the_docs_and_is_named_in_those_of_json() {
    let (docs, json) = (include_str!("../../../docs/causes.md"), include_str!("../../../docs/json.md"));
    for cause in ALL {
        assert!(docs.contains(&format!("\n## `{}`", cause.id)), "docs/causes.md has no section {}", cause.id);
        assert!(json.contains(&format!("`{}`", cause.id)), "docs/json.md does not name {}", cause.id);
    }
}
