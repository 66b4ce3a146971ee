//! RSTs by port class are no proof that the path passes those ports.

use crate::evidence::PortEvidence;
use crate::model::{Attempt, Claim, Outcome, PortSet, example};

/// Attempts to two destinations that are refused where `is_refused` says so; what is said of the last refused one.
fn played(is_refused: impl Fn(u16, u32) -> bool) -> (PortEvidence, Option<Claim>) {
    played_by(is_refused, |_| 1)
}

/// The same, with packets of a class by port.
fn played_by(is_refused: impl Fn(u16, u32) -> bool, class: fn(u16) -> u8) -> (PortEvidence, Option<Claim>) {
    let (mut evidence, allowed): (_, PortSet) = (PortEvidence::default(), "32768-65535".parse().unwrap());
    let mut last = None;
    for number in 0..120_u32 {
        let port = 1024 + (number * 48_271 % 64_511) as u16;
        let (nat, dst) = (format!("192.0.2.1:{port}"), format!("203.0.113.{}:443", number % 2));
        let is_refused = is_refused(port, number);
        let outcome = if is_refused { Outcome::Refused } else { Outcome::Established };
        let attempt = Attempt {
            first_ns: u64::from(number) * 1_000_000,
            retransmits: 0,
            packet_class: class(port),
            rst_seen: is_refused,
            syn_ack_seen: !is_refused,
            outcome,
            ..example::attempt("10.42.0.7:80", &dst, &nat, &dst)
        };
        evidence.ended(number, &attempt, &allowed, true);
        if is_refused {
            last = evidence.refusal(&attempt, &allowed).assessment.map(|assessment| assessment.claim);
        }
    }
    (evidence, last)
}

#[test]
fn a_firewall_that_resets_by_source_port_is_named_and_contradicts_nothing() {
    let (evidence, last) = played(|port, _| port < 32768);
    assert_eq!((evidence.policies().len(), last), (0, Some(Claim::Refused)));
    let refusals = evidence.refusals(true).unwrap();
    assert_eq!((refusals.0.inside.unanswered, refusals.0.outside.answered), (0, 0));
    assert!(
        refusals.to_string().starts_with("a firewall on the path resets connections by their source port: RST for ")
    );
}

#[test]
fn a_server_that_refuses_now_and_then_is_no_such_firewall() {
    for is_refused in [|_, number: u32| number.is_multiple_of(3), |_, number: u32| number < 60] {
        let (evidence, last) = played(is_refused);
        assert_eq!((evidence.refusals(true), last), (None, None));
    }
}

#[test]
fn a_firewall_that_resets_a_class_of_service_is_no_such_firewall() {
    let (evidence, last) = played_by(|port, _| port < 32_768, |port| if port < 32_768 { 3 } else { 9 });
    assert_eq!((evidence.refusals(true), last), (None, None));
}

#[test]
fn a_destination_that_only_refuses_shows_what_the_path_passes() {
    let (evidence, _) = played(|_, _| true);
    let sides: Vec<_> = evidence.policies().into_iter().flat_map(|(_, sides)| sides.value).collect();
    assert!(sides.iter().all(|side| side.assessment.outside.answered > 40), "{sides:?}");
}
