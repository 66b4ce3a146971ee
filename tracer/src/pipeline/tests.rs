//! Causes that rest on evidence: lines say what is known then, the end of a run is judged by all of it.

use std::io;
use std::sync::{Arc, Mutex};

use super::judge::Judge;
use crate::join::{Update, UpdateKind};
use crate::model::{Attempt, Capture, Filter, Finding, InterfaceName, Outcome, PolicyChange, Strength, example};
use crate::outputs::{Output, View};
use crate::summary::Summary;

const SECOND: u64 = 1_000_000_000;

type FindingLine = (&'static str, Option<Strength>);

/// Keeps the cause and the evidence of each line.
struct Lines(Arc<Mutex<Vec<FindingLine>>>);

impl Output for Lines {
    fn explains(&self, _: &Finding<'_>) -> bool {
        true
    }

    fn start(&mut self, _: &[&Capture]) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let diagnosis = finding.diagnosis.unwrap();
        assert!(!diagnosis.explanation.contains("nothing"), "{diagnosis:?}");
        self.0.lock().unwrap().push((finding.judgement.cause.unwrap(), finding.judgement.strength));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

/// An attempt to the n-th destination from that port.
fn attempt(destination: u16, port: u16) -> Attempt {
    let dst = format!("203.0.113.{destination}:443");
    example::attempt("10.42.0.7:51234", &dst, &format!("192.0.2.1:{port}"), &dst)
}

struct Run {
    judge: Judge<'static>,
    lines: Arc<Mutex<Vec<FindingLine>>>,
    next: u32,
}

impl Run {
    fn of(captures: Vec<Capture>) -> Self {
        Self::with(View { all: true, ..View::silent(Filter::default()) }, captures)
    }

    fn with(view: View, captures: Vec<Capture>) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let output = Box::new(Lines(Arc::clone(&lines)));
        Self { judge: Judge::new(captures, view, None).with_output(output), lines, next: 0 }
    }

    fn update(&mut self, node: u32, id: u32, kind: UpdateKind, attempt: Attempt) {
        self.judge.update(node, &Update::Attempt { id, kind, attempt }).unwrap();
    }

    /// One that is answered at once, or one that retransmits its SYN; the latter goes on.
    fn begin(&mut self, node: u32, destination: u16, port: u16, answered: bool) -> (u32, Attempt) {
        let (id, first_ns) = (self.next, u64::from(self.next) * SECOND / 50);
        self.next += 1;
        let attempt = Attempt { first_ns, last_ns: first_ns, ..attempt(destination, port) };
        if answered {
            let answered = Attempt { retransmits: 0, outcome: Outcome::Established, ..attempt.clone() };
            self.update(node, id, UpdateKind::Ended, answered);
        } else {
            let kind = UpdateKind::Retransmit { time_ns: first_ns + SECOND, ordinal: 1, is_repeated: false };
            self.update(node, id, kind, attempt.clone());
        }
        (id, attempt)
    }

    fn end(&mut self, node: u32, (id, attempt): (u32, Attempt)) {
        self.update(node, id, UpdateKind::Ended, Attempt { outcome: Outcome::TimedOut, ..attempt });
    }

    fn finish(self) -> (Vec<FindingLine>, Summary) {
        let summary = self.judge.finish().unwrap();
        let lines = self.lines.lock().unwrap().clone();
        (lines, summary)
    }
}

fn causes(summary: &Summary) -> Vec<(&'static str, u64)> {
    summary.by_cause.iter().map(|(&cause, counts)| (cause, counts.attempts)).collect()
}

/// Sixty attempts to each of three destinations, half of them from ports below the policy.
fn traffic(run: &mut Run, node: u32, answered: impl Fn(u16, u16) -> bool) {
    let open: Vec<_> = (0..180_u16).map(|number| (number % 3, 1024 + number * 67 % 180 * 353)).collect();
    let open = open.into_iter().map(|(to, port)| (answered(to, port), run.begin(node, to, port, answered(to, port))));
    let open: Vec<_> = open.collect();
    open.into_iter().filter(|(answered, _)| !answered).for_each(|(_, open)| run.end(node, open));
}

#[test]
fn what_a_line_could_not_know_the_end_does() {
    let mut run = Run::of(vec![example::capture("node7")]);
    // Before anything was answered.
    let first = run.begin(0, 1, 1200, false);
    run.end(0, first);
    traffic(&mut run, 0, |_, port| port >= 32768);
    let (lines, summary) = run.finish();
    assert_eq!(lines[0], ("no_answer", Some(Strength::NoneYet)));
    assert_eq!(lines.last(), Some(&("port_out_of_range", Some(Strength::Proven))));
    assert_eq!(causes(&summary), [("port_out_of_range", 91)]);
    assert_eq!(summary.by_strength, [(Strength::Proven, 91)].into());
    assert_eq!(summary.policies[0].strength(), Strength::Proven);
}

#[test]
fn the_end_of_an_attempt_is_told_where_a_line_of_it_was_shown() {
    for (ends, expected) in [(false, 1), (true, 2)] {
        let view = View { ends, ..View::silent(Filter::default()) };
        let mut run = Run::with(view, vec![example::capture("node7")]);
        let open = [1200, 40_000].map(|port| run.begin(0, 1, port, false));
        open.into_iter().for_each(|open| run.end(0, open));
        assert_eq!(run.finish().0.len(), expected, "of the flagged one");
    }
}

#[test]
fn dead_servers_are_called_no_answer_on_every_line_and_at_the_end() {
    let mut run = Run::of(vec![example::capture("node7")]);
    traffic(&mut run, 0, |_, _| false);
    let (lines, summary) = run.finish();
    assert!(lines.iter().all(|(cause, _)| *cause == "no_answer"), "{lines:?}");
    assert_eq!(causes(&summary), [("no_answer", 180)]);
    assert_eq!(summary.flagged_attempts, 90);
    assert_eq!(summary.strength(), Some(Strength::Contradicted));
    assert_eq!(summary.policies[0].strength(), Strength::NoneYet);
}

#[test]
fn every_node_has_evidence_of_its_own() {
    let mut run = Run::of(vec![example::capture("node7"), example::capture("node8")]);
    traffic(&mut run, 0, |_, port| port >= 32768);
    traffic(&mut run, 1, |to, _| to != 0);
    let (_, summary) = run.finish();
    assert_eq!(causes(&summary), [("no_answer", 60), ("port_out_of_range", 90)]);
    let strengths: Vec<_> = summary.policies.iter().map(|policy| (policy.node.as_str(), policy.strength())).collect();
    assert_eq!(strengths, [("node7", Strength::Proven), ("node8", Strength::Contradicted)]);
}

#[test]
fn network_namespaces_whose_interfaces_have_one_number_have_evidence_of_their_own() {
    let mut run = Run::of(vec![example::capture("node7")]);
    for number in 0..240_u16 {
        // In the first namespace a filter is in the way, in the second everything is answered.
        let (netns, port) = (u32::from(number % 2), 1024 + number * 67 % 240 * 260);
        let is_answered = netns == 1 || port >= 32768;
        let (outcome, retransmits) = if is_answered { (Outcome::Established, 0) } else { (Outcome::TimedOut, 1) };
        let mut attempt = Attempt { outcome, retransmits, uplink_netns: Some(7 + netns), ..attempt(number % 3, port) };
        // The name is known once a SYN was retransmitted.
        attempt.egress.interface =
            InterfaceName::new(if is_answered { [0; 16] } else { *b"wan1\0\0\0\0\0\0\0\0\0\0\0\0" });
        let (kind, time_ns) = (UpdateKind::Retransmit { time_ns: 1, ordinal: 1, is_repeated: false }, number.into());
        let attempt = Attempt { first_ns: time_ns, last_ns: time_ns, ..attempt };
        if !is_answered {
            run.update(0, number.into(), kind, Attempt { outcome: Outcome::Pending, ..attempt.clone() });
        }
        run.update(0, number.into(), UpdateKind::Ended, attempt);
    }
    let (_, summary) = run.finish();
    let strengths: Vec<_> = summary.policies.iter().map(|policy| (policy.netns, policy.strength())).collect();
    assert_eq!(strengths, [(Some(7), Strength::Proven), (Some(8), Strength::Contradicted)]);
    let conclusions: Vec<_> = summary.conclusions().iter().map(ToString::to_string).collect();
    let [first, second] = &conclusions[..] else { panic!("{conclusions:?}") };
    assert!(first.starts_with("IPv4 by wan1 of network namespace 7: unanswered "), "{first}");
    assert!(second.starts_with("IPv4 by interface 2 of network namespace 8: no port class found"), "{second}");
}

#[test]
fn a_policy_that_the_evidence_contradicts_is_said_so_with_numbers() {
    let mut capture = example::capture("node7");
    let allow = Some(("10000-19999".parse().unwrap(), crate::model::Origin::Given));
    capture.policy = PolicyChange { allow, allow6: None }.over(&capture.policy);
    let mut run = Run::of(vec![capture]);
    traffic(&mut run, 0, |_, port| port >= 32768);
    let (_, summary) = run.finish();
    // The policy is wrong, and the range that is inferred is right.
    assert_eq!(causes(&summary), [("port_out_of_range", 90)]);
    let sentences = summary.policies[0].sentences().join("\n");
    assert!(sentences.contains("the allowed range 10000-19999 is contradicted above 19999: "), "{sentences}");
    assert!(
        sentences
            .contains("90 of 126 attempts from ports above 19999 were answered, and 0 of 28 from ports in the range"),
        "{sentences}"
    );
}

#[test]
fn what_is_answered_late_takes_back_what_it_counted_for() {
    let mut run = Run::of(vec![example::capture("node7")]);
    // Each first SYN is lost, each second one is answered.
    let open: Vec<_> = (0..60_u16).map(|number| run.begin(0, 1, 2000 + number * 1000, false)).collect();
    for (id, attempt) in open {
        run.update(0, id, UpdateKind::Ended, Attempt { outcome: Outcome::Established, ..attempt });
    }
    let (_, summary) = run.finish();
    assert_eq!(causes(&summary), [("no_answer", 60)]);
    let policy = &summary.policies[0];
    assert_eq!((policy.sides[0].assessment.inside.unanswered, policy.sides[0].assessment.outside.unanswered), (0, 0));
    assert_eq!(policy.strength(), Strength::Contradicted);
}

/// Sixty attempts that are answered after so many milliseconds, and sixty from low ports whose clients give up after 500.
fn given_up(answer_ms: u64) -> (Vec<FindingLine>, Summary) {
    let mut run = Run::of(vec![example::capture("node7")]);
    for number in 0..120_u16 {
        let (to, port) = (number % 3, 1024 + number * 67 % 120 * 537);
        let (outcome, ms) = if port >= 32768 { (Outcome::Established, answer_ms) } else { (Outcome::Closed, 500) };
        let first_ns = u64::from(number) * SECOND / 50;
        let last_ns = first_ns + ms * 1_000_000;
        let ended = Attempt { first_ns, last_ns, retransmits: 0, outcome, ..attempt(to, port) };
        run.update(0, number.into(), UpdateKind::Ended, ended);
    }
    run.finish()
}

#[test]
fn clients_that_give_up_before_answers_arrive_show_no_filter() {
    let (lines, summary) = given_up(400);
    assert!(lines.iter().all(|(cause, _)| *cause == "no_answer"), "{lines:?}");
    assert_eq!(summary.failed_by_cause, [("no_answer", 60)].into());
    assert_eq!(summary.infer.gave_up(), 60);
    assert!(summary.conclusions().iter().all(|conclusion| !conclusion.says_something()));
}

#[test]
fn clients_that_give_up_before_the_first_retransmit_show_the_filter_too() {
    let (lines, summary) = given_up(20);
    assert_eq!(summary.infer.gave_up(), 0);
    assert_eq!(lines.last(), Some(&("port_out_of_range", Some(Strength::Proven))));
    assert_eq!((summary.flagged_attempts, causes(&summary)), (0, Vec::new()));
    assert_eq!(summary.failed_by_cause, [("port_out_of_range", 60)].into());
}
