//! `tail`, `report` and `infer` never disagree about one capture: on drawn captures, and on every golden trace.

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use tracer_common::Event;

use self::world::{Play, worlds};
use super::Judge;
use crate::causes;
use crate::infer::{Class, Conclusion, Verdict};
use crate::join::{Joins, MAX_BATCH_LEN};
use crate::model::{Capture, Filter, Strength};
use crate::outputs::{self, View, inference};
use crate::pcap::PacketOptions;
use crate::report::TallyObserver;
use crate::source;
use crate::summary::Summary;
use crate::tally::Counts;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

type Events = [(u32, Event)];

/// Judges the events, joined so many at once.
fn judge(events: &Events, at_once: usize, mut judge: Judge<'_>, nodes: usize) -> Summary {
    let (mut joins, mut updates) = (Joins::new(nodes), Vec::new());
    let mut rest = events;
    judge.start().unwrap();
    while !rest.is_empty() {
        let taken = joins.take(&rest[..rest.len().min(at_once)], &mut updates);
        rest = &rest[taken..];
        updates.drain(..).for_each(|(node, update)| judge.update(node, &update).unwrap());
    }
    loop {
        joins.finish(&mut updates);
        if updates.is_empty() {
            return judge.finish().unwrap();
        }
        updates.drain(..).for_each(|(node, update)| judge.update(node, &update).unwrap());
    }
}

fn tail(captures: &[Capture], events: &Events, at_once: usize) -> (Summary, Vec<Value>) {
    let format = outputs::ALL.iter().find(|format| format.name == "json").unwrap();
    let view = View { format, all: true, ..View::silent(Filter::default()) };
    let written = Written::default();
    let output = outputs::open(&view, Box::new(written.clone()));
    let summary = judge(events, at_once, Judge::new(captures.to_vec(), view, None).with_output(output), captures.len());
    (summary, written.lines())
}

fn report(captures: &[Capture], events: &Events) -> (Summary, Counts) {
    let mut observer = TallyObserver::new(captures);
    let judged = Judge::new(captures.to_vec(), View::silent(Filter::default()), None).with_observer(&mut observer);
    let summary = judge(events, MAX_BATCH_LEN, judged, captures.len());
    (summary, observer.tally().all)
}

fn infer(captures: &[Capture], events: &Events) -> (Summary, Vec<Value>) {
    let silent = Judge::new(captures.to_vec(), View::silent(Filter::default()), None);
    let summary = judge(events, MAX_BATCH_LEN, silent, captures.len());
    let written = Written::default();
    inference::write(&summary, inference::ConclusionFormat::Json, Box::new(written.clone())).unwrap();
    (summary, written.lines())
}

fn agree(captures: &[Capture], events: &Events) {
    let (summary, lines) = tail(captures, events, 1);
    let (in_batches, lines_in_batches) = tail(captures, events, MAX_BATCH_LEN);
    let (of_report, tally) = report(captures, events);
    let (of_infer, inferred) = infer(captures, events);
    assert!(summary == in_batches && summary == of_report && summary == of_infer);
    assert_eq!(lines, lines_in_batches);
    counts_agree(&summary, &lines, tally);
    ranges_agree(&summary, &lines, &inferred);
    conclusions_agree(&summary);
}

/// Lines, summary and tables count the same attempts.
fn counts_agree(summary: &Summary, lines: &[Value], tally: Counts) {
    let of_causes = summary.by_cause.values().fold(Counts::default(), |mut sum, counts| {
        sum += *counts;
        sum
    });
    assert_eq!(of_causes.attempts, summary.retransmitted_attempts);
    assert_eq!(tally.attempts, summary.attempts);
    for flagged in [of_causes.flagged, tally.flagged, summary.by_strength.values().sum()] {
        assert_eq!(flagged, summary.flagged_attempts, "{:?} {:?}", summary.by_cause, summary.by_strength);
    }
    // The last line of each attempt; what rests on evidence is decided by all of it at the end.
    let ended: Vec<_> = lines.iter().filter(|line| line["kind"] == "ended").collect();
    let retransmitted = || ended.iter().filter(|line| line["retransmits"].as_u64() > Some(0));
    let flagged = retransmitted().filter(|line| line["flagged"] == true).count() as u64;
    assert_eq!((flagged, retransmitted().count() as u64), (summary.flagged_attempts, summary.retransmitted_attempts));
    let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
    for line in retransmitted() {
        *causes.entry(line["cause"].as_str().unwrap()).or_default() += 1;
    }
    for cause in causes::ALL.iter().filter(|cause| !causes::rests_on_silence(cause.id)) {
        let counted = summary.by_cause.get(cause.id).map_or(0, |counts| counts.attempts);
        assert_eq!(causes.get(cause.id).copied().unwrap_or(0), counted, "{}", cause.id);
    }
    assert_eq!(lines.last().unwrap()["flagged_attempts"], summary.flagged_attempts);
}

/// The summary of `tail` names the ranges that `infer` names, and says the same about the policy.
fn ranges_agree(summary: &Summary, lines: &[Value], inferred: &[Value]) {
    let of_tail = lines.last().unwrap();
    let policies: Vec<_> = inferred.iter().filter(|line| line["kind"] == "policy").cloned().collect();
    let without_kind = |mut line: Value| {
        line.as_object_mut().unwrap().remove("kind");
        line
    };
    let policies: Vec<_> = policies.into_iter().map(without_kind).collect();
    assert_eq!(of_tail["policies"], Value::from(policies));
    let texts: Vec<_> = inferred.iter().filter(|line| line["kind"] == "inference").map(|line| &line["text"]).collect();
    let conclusions = summary.conclusions();
    assert_eq!(texts.len(), conclusions.len());
    assert!(conclusions.iter().zip(texts).all(|(conclusion, text)| *text == conclusion.to_string()));
}

/// Nobody is blamed without a claim that holds, and no sentence contradicts another.
fn conclusions_agree(summary: &Summary) {
    let conclusions = summary.conclusions();
    let blamed = summary.by_cause.get(causes::RESTS_ON_EVIDENCE).map_or(0, |counts| counts.attempts);
    let holds = |of: Strength| {
        let sides = summary.policies.iter().flat_map(|policy| &policy.sides);
        sides.filter(|side| side.assessment.strength() == of).count()
    };
    let has_class = conclusions.iter().any(Conclusion::says_something);
    let is_said = holds(Strength::Proven) + holds(Strength::Supported) > 0 || has_class;
    assert!(blamed == 0 || is_said, "{blamed} blamed: {:?}\n{}", summary.policies, words(&conclusions));
    let none_found = |is_ipv4| {
        let of: Vec<_> = conclusions.iter().filter(|conclusion| conclusion.is_ipv4 == is_ipv4).collect();
        !of.is_empty() && of.iter().all(|of| matches!(of.verdict, Verdict::NoClass { .. }))
    };
    for policy in summary.policies.iter().filter(|policy| none_found(policy.is_ipv4)) {
        assert_ne!(policy.strength(), Strength::Proven, "{:?}\n{}", policy.sentences(), words(&conclusions));
    }
    // Where what passes is mostly unanswered too, destinations do not answer often enough to blame the filter for one of them.
    let is_sure = |of: &Class| of.outside.unanswered > 8 && of.inside.answered * 2 > of.inside.total();
    let is_sure = conclusions.iter().any(|conclusion| conclusion.class().is_some_and(is_sure));
    assert!(
        !is_sure || blamed > 0,
        "nobody blamed: {:?}\n{:?}\n{}",
        summary.by_cause,
        summary.policies,
        words(&conclusions)
    );
}

fn words(conclusions: &[Conclusion]) -> String {
    conclusions.iter().map(Conclusion::to_string).collect::<Vec<_>>().join("\n")
}

fn with_policy(captures: &[Capture], allow: &str) -> Vec<Capture> {
    let allow = Some((allow.parse().unwrap(), crate::model::Origin::Given));
    let policy =
        |capture: &Capture| crate::model::PolicyChange { allow: allow.clone(), allow6: None }.over(&capture.policy);
    captures.iter().map(|capture| Capture { policy: policy(capture), ..capture.clone() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 16, failure_persistence: None, rng_seed: RngSeed::Fixed(17), ..ProptestConfig::with_cases(24) })]

    #[test]
    fn commands_agree_on_drawn_captures(world in worlds()) {
        let Play { captures, events } = world.play();
        agree(&captures, &events);
    }
}

#[test]
fn commands_agree_on_golden_traces_by_any_policy() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let files = fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
    let traces: Vec<_> = files.filter(|path| path.extension().is_some_and(|of| of == "trace")).collect();
    assert!(traces.len() > 10);
    for trace in traces {
        let mut recordings = source::open(std::slice::from_ref(&trace), &PacketOptions::default()).unwrap();
        let (captures, mut events, mut batch) = (recordings.captures(), Vec::new(), Vec::new());
        while recordings.next_batch(&mut batch).unwrap() {
            events.append(&mut batch);
        }
        agree(&captures, &events);
        for allow in ["10000-19999", "1024-29999,32768-65535", "any"] {
            agree(&with_policy(&captures, allow), &events);
        }
    }
}
