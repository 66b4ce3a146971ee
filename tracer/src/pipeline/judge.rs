//! Updates in, findings out: owners, causes, counts, outputs.

use std::io;

use tracer_common::Event;

use super::by_uplink;
use super::judgements::Judgements;
use super::undecided::Undecided;
use super::watched::Watched;
use crate::causes::{self, Case};
use crate::evidence::{InPeriod, Path, Place, PortClaim, PortEvidence};
use crate::infer::Conclusion;
use crate::join::{TickState, Update, UpdateKind};
use crate::model::{
    Assessment, Attempt, Capture, Clock, EndedAttempt, Filter, Finding, Judgement, Owner, Owners, Period,
    PolicyEvidence, SideEvidence, Strength,
};
use crate::outputs::policies::not_passed;
use crate::outputs::{Moment, Observer, Output, View};
use crate::summary::Summary;
use crate::tally::{Answer, Counts, Progress};

pub struct Judge<'a> {
    nodes: Vec<NodeState>,
    shared: Shared<'a>,
}

struct NodeState {
    /// With the policy in force.
    capture: Capture,
    owners: Owners,
    judgements: Judgements,
    /// Its own: other nodes may be behind other filters.
    evidence: PortEvidence,
    undecided: Undecided,
    /// Of connections of the node itself, from the first on that is not answered.
    of_sockets: Option<Box<(PortEvidence, Undecided)>>,
    progress: Progress,
    watched: Watched,
    last_ns: Option<u64>,
}

struct Shared<'a> {
    view: View,
    output: Option<Box<dyn Output + 'a>>,
    observers: Vec<&'a mut dyn Observer>,
    summary: Summary,
    shown: u64,
    /// How many findings to show at most.
    count: Option<u64>,
}

impl<'a> Judge<'a> {
    /// Judges the attempts of these nodes by the policy of their capture, up to `count` findings of the view.
    pub fn new(captures: Vec<Capture>, view: View, count: Option<u64>) -> Self {
        let node = |capture: Capture| NodeState {
            owners: Owners::of(&capture.owners),
            judgements: Judgements::default(),
            evidence: PortEvidence::default(),
            undecided: Undecided::default(),
            of_sockets: None,
            progress: Progress::default(),
            watched: Watched::default(),
            last_ns: None,
            capture,
        };
        let nodes = captures.into_iter().map(node).collect();
        let observers = Vec::new();
        let shared = Shared { view, output: None, observers, summary: Summary::default(), shown: 0, count };
        Self { nodes, shared }
    }

    #[must_use]
    pub fn with_output(mut self, output: Box<dyn Output + 'a>) -> Self {
        self.shared.output = Some(output);
        self
    }

    /// Shows every retransmit and every attempt that has ended to an observer.
    #[must_use]
    pub fn with_observer(mut self, observer: &'a mut dyn Observer) -> Self {
        self.shared.observers.push(observer);
        self
    }

    pub(super) fn start(&mut self) -> io::Result<()> {
        let Some(output) = &mut self.shared.output else { return Ok(()) };
        output.start(&self.nodes.iter().map(|node| &node.capture).collect::<Vec<_>>())?;
        output.flush()
    }

    pub(super) fn update(&mut self, node: u32, update: &Update) -> io::Result<()> {
        let Some(node) = self.nodes.get_mut(node as usize) else { return Ok(()) };
        let time_ns = match update {
            Update::Attempt { attempt, .. } => Some(attempt.last_ns),
            Update::Context(event) => Some(event.stamp().time_ns),
            Update::Tick(tick) => Some(tick.time_ns),
            Update::Evicted(_) => None,
        };
        node.last_ns = node.last_ns.max(time_ns);
        match update {
            Update::Attempt { id, kind, attempt } => self.shared.attempt(node, *id, *kind, attempt)?,
            Update::Context(event) => match event {
                Event::Lost(lost) => {
                    self.shared.summary.lost(lost);
                    node.progress.lost(lost);
                }
                Event::Owner(owner) => node.owners.event(owner),
                Event::Uplink(uplink) => node.watched.event(uplink),
                Event::Address(_)
                | Event::Process(_)
                | Event::Tick(_)
                | Event::CtTable(_)
                | Event::NatSelect(_)
                | Event::NatBind(_)
                | Event::SynRetransmit(_)
                | Event::SockState(_)
                | Event::Wire(_)
                | Event::CtDrop(_) => {}
            },
            Update::Tick(tick) => self.shared.tick(node, *tick)?,
            Update::Evicted(count) => self.shared.summary.evicted += count,
        }
        Ok(())
    }

    /// Whether as many findings were shown as were asked for.
    pub(super) fn is_done(&self) -> bool {
        self.shared.is_done()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.shared.output.as_mut().map_or(Ok(()), |output| output.flush())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<Summary> {
        self.shared.summary.infer.settle();
        self.nodes.iter_mut().for_each(|node| node.evidence.settle());
        let nodes = self.nodes.iter().map(|node| (&node.capture, &node.evidence));
        self.shared.summary.by_uplink = by_uplink::conclusions(&self.shared.summary.infer, nodes);
        for is_ipv4 in [true, false] {
            let refusals = self.nodes.iter().filter_map(|node| node.evidence.refusals(is_ipv4));
            let strongest = refusals.max_by_key(|refusals| refusals.0.p_below);
            self.shared.summary.refusals.extend(strongest.map(|refusals| (is_ipv4, refusals)));
        }
        for conclusion in self.shared.summary.conclusions() {
            // Where several paths show it, each may have too few attempts to exclude everything else.
            let about =
                |class| self.nodes.iter().flat_map(move |it| it.evidence.doubts_about(conclusion.is_ipv4, class));
            if let Some([Some(doubt)]) = conclusion.class().map(|class| about(class).collect::<Vec<_>>()).as_deref() {
                self.shared.summary.doubts.push((conclusion.is_ipv4, *doubt));
            }
        }
        let conclusions = self.shared.summary.conclusions();
        let of_all = conclusions.iter().filter(|it| it.uplink.is_none() && it.period == Period::default());
        let classes: Vec<_> = of_all.filter_map(|it| Some((it.is_ipv4, it.class()?))).collect();
        let summary = &mut self.shared.summary;
        for NodeState { capture, evidence, undecided, last_ns, .. } in &mut self.nodes {
            classes.iter().for_each(|(is_ipv4, class)| evidence.assume(*is_ipv4, class));
            let end_unix_ns = last_ns.map(|last_ns| Clock::unix_ns(capture, last_ns));
            summary.end_unix_ns = summary.end_unix_ns.max(end_unix_ns);
            undecided.decide(evidence, summary);
            summary.policies.extend(evidence.sides().into_iter().map(|sides| policy(capture, sides)));
        }
        for NodeState { capture, of_sockets, .. } in &mut self.nodes {
            let Some((evidence, undecided)) = of_sockets.as_deref_mut() else { continue };
            evidence.settle();
            undecided.decide(evidence, summary);
            for sides in evidence.policies() {
                let mut policy = policy(capture, sides);
                policy.is_of_sockets = true;
                // What came before the first failure is not counted: too little to say that there is nothing to compare with.
                policy.sides.retain(|side| side.assessment.strength() != Strength::NoneYet);
                summary.policies.push(policy);
            }
            let conclusions = evidence.conclusions().into_iter().map(|(_, InPeriod { since_ns, until_ns, value })| {
                Conclusion { is_of_sockets: true, period: Period::of(capture, since_ns, until_ns), ..value }
            });
            summary.of_sockets.extend(conclusions.filter(Conclusion::says_something));
        }
        let says_something =
            |policy: &PolicyEvidence| !policy.sides.is_empty() || not_passed(policy, &conclusions).is_some();
        summary.policies.retain(says_something);
        if let Some(output) = &mut self.shared.output {
            output.finish(&self.shared.summary)?;
        }
        Ok(self.shared.summary)
    }
}

fn policy(capture: &Capture, (path, sides): (Path, InPeriod<Vec<SideEvidence>>)) -> PolicyEvidence {
    let period = Period::of(capture, sides.since_ns, sides.until_ns);
    let mut of = PolicyEvidence::new(capture, path.is_ipv4, (path.netns, path.ifindex), period, sides.value);
    of.interface = path.name;
    of
}

impl Shared<'_> {
    fn is_done(&self) -> bool {
        self.count.is_some_and(|count| self.shown >= count)
    }

    fn tick(&mut self, node: &NodeState, tick: TickState) -> io::Result<()> {
        let NodeState { capture, progress, evidence, watched, .. } = node;
        let is_blind = watched.is_blind(capture);
        let moment = Moment { capture, tick, progress, infer: &self.summary.infer, evidence, is_blind };
        self.observers.iter_mut().for_each(|observer| observer.tick(&moment));
        self.output.as_mut().map_or(Ok(()), |output| output.tick(&moment))
    }

    fn attempt(&mut self, node: &mut NodeState, id: u32, kind: UpdateKind, attempt: &Attempt) -> io::Result<()> {
        let NodeState { capture, owners, judgements, evidence, undecided, of_sockets, progress, watched, .. } = node;
        let owner = attempt.socket_netns.and_then(|netns| owners.at(netns, attempt.first_ns));
        let matches = |filter: &Filter| filter.matches(attempt, owner);
        let is_wanted = matches(&capture.filter) && matches(&self.view.filter);
        let case = Case::new(attempt, capture);
        let is_of_node = attempt.is_of_node();
        if is_of_node && is_wanted && case.is_of_path() && attempt.is_unanswered() {
            of_sockets.get_or_insert_default();
        }
        let is_evidence =
            is_wanted && if is_of_node { of_sockets.is_some() && case.is_of_path() } else { case.is_evidence() };
        let (evidence, undecided) = match of_sockets {
            Some(own) if is_of_node => {
                if kind == UpdateKind::Ended {
                    // It may have been taken for another one before.
                    evidence.ended(id, attempt, case.allowed, false);
                }
                (&mut own.0, &mut own.1)
            }
            Some(_) | None => (evidence, undecided),
        };
        match kind {
            UpdateKind::Retransmit { time_ns, ordinal, is_repeated } if is_wanted => {
                let place = if is_evidence { evidence.retransmitted(id, attempt, case.allowed) } else { None };
                let mut judgement = judgements.load(id);
                let is_flagged = judgement.flagged || causes::is_flagged(&case);
                let subject = JudgedAttempt { case: assessed(case, evidence, is_flagged, place), owner, watched };
                let result = self.retransmit(&subject, &mut judgement, time_ns, ordinal, is_repeated, progress);
                judgements.store(id, judgement);
                result
            }
            UpdateKind::Retransmit { .. } => Ok(()),
            UpdateKind::Ended => {
                let judgement = judgements.take(id);
                let place = evidence.ended(id, attempt, case.allowed, is_evidence);
                if !is_wanted {
                    self.summary.unmatched(owner);
                    return Ok(());
                }
                progress.ended(attempt);
                let rests = causes::rests_on_evidence(&case).then(|| {
                    let port = attempt.port_in_question(case.allowed)?;
                    let is_newest = attempt.translated.is_some_and(|translated| translated.src_port == port);
                    let counted = place.filter(|_| is_newest);
                    Some((counted.or_else(|| evidence.place(attempt, case.allowed))?, port))
                });
                let rests = rests.flatten();
                let case = assessed(case, evidence, judgement.flagged, place);
                let aside = self.ended(&JudgedAttempt { case, owner, watched }, judgement, rests.is_some())?;
                if let (Some(place), Some((otherwise, counts))) = (rests, aside) {
                    undecided.add(evidence, place, attempt.first_ns, otherwise, counts);
                }
                Ok(())
            }
        }
    }

    fn retransmit(
        &mut self,
        subject: &JudgedAttempt<'_>,
        judgement: &mut Judgement,
        time_ns: u64,
        ordinal: u32,
        is_repeated: bool,
        progress: &mut Progress,
    ) -> io::Result<()> {
        let case = &subject.case;
        let (flagged, cause) = (causes::is_flagged(case), causes::cause_of(case));
        let now = Judgement { flagged, cause: Some(cause.id), strength: case.strength() };
        let before = std::mem::replace(judgement, Judgement { flagged: judgement.flagged || flagged, ..now });
        progress.retransmit(&now, &before, is_repeated);
        // A repeated report counts if the first one was not flagged, or not wanted: its original tuple was unknown then.
        let is_counted = is_repeated && before.flagged;
        if flagged && !is_counted {
            self.summary.flagged_retransmits += 1;
        }
        let is_news = before.cause != now.cause && !causes::is_unknown(cause);
        let finding = Finding { is_news, is_repeated, ..subject.finding(time_ns, ordinal, &now) };
        self.observers.iter_mut().for_each(|observer| observer.judged(&finding, &before));
        if self.is_done() || !self.view.shows(&finding) {
            return Ok(());
        }
        self.shown += 1;
        self.observers.iter_mut().try_for_each(|observer| observer.retransmit(&finding))?;
        let Some(output) = self.output.as_mut().filter(|_| !self.view.quiet) else { return Ok(()) };
        let diagnosis = output.explains(&finding).then(|| causes::diagnose(cause, case));
        let interface = subject.watched.name_of(case.attempt);
        output.finding(&Finding { diagnosis: diagnosis.as_ref(), interface, ..finding })
    }

    /// Events after the last retransmit may show the cause. Where it rests on evidence and more of that may decide otherwise, the cause
    /// that the attempt has without evidence, and what is to be counted.
    fn ended(
        &mut self,
        subject: &JudgedAttempt<'_>,
        before: Judgement,
        rests_on_evidence: bool,
    ) -> io::Result<Option<(&'static str, Counts)>> {
        let (case, owner) = (&subject.case, subject.owner);
        let (attempt, capture) = (case.attempt, case.capture);
        let is_case = attempt.retransmits > 0 || causes::has_failed(case);
        let cause = is_case.then(|| causes::cause_of(case));
        let judgement = &Judgement { cause: cause.map(|cause| cause.id), strength: case.strength(), ..before };
        if capture.hooks.iter().any(|hook| hook.stem == "wire" && hook.off.is_none()) {
            self.summary.watched(attempt);
        }
        self.summary.ended(attempt, judgement, case.is_of_path());
        let mut aside = None;
        if let Some(cause) = cause {
            let counts = Counts::of(attempt, judgement, Answer::of(attempt));
            if rests_on_evidence {
                aside = Some((causes::cause_without_evidence(case).id, counts));
            } else {
                self.summary.caused(cause.id, judgement.strength, counts);
            }
        }
        let ended = EndedAttempt { capture, attempt, owner, judgement };
        self.observers.iter_mut().try_for_each(|observer| observer.ended(&ended))?;
        // Of one that was given up before its first retransmit there was no line to see.
        let is_given_up = attempt.retransmits == 0 && judgement.cause == Some(causes::RESTS_ON_EVIDENCE);
        let has_lines = self.view.all || self.view.ends && (before.flagged || is_given_up);
        let Some(cause) = cause.filter(|_| has_lines && !self.is_done()) else { return Ok(aside) };
        let is_shown = self.view.all || is_given_up;
        let is_news = is_shown && (before.cause != judgement.cause || causes::is_unknown(cause));
        self.shown += u64::from(is_news);
        let finding = subject.finding(attempt.last_ns, attempt.retransmits, judgement);
        let finding = Finding { is_news, is_over: true, ..finding };
        let Some(output) = self.output.as_mut().filter(|_| !self.view.quiet) else { return Ok(aside) };
        let diagnosis = output.explains(&finding).then(|| causes::diagnose(cause, case));
        let interface = subject.watched.name_of(attempt);
        output.finding(&Finding { diagnosis: diagnosis.as_ref(), interface, ..finding })?;
        Ok(aside)
    }
}

/// The case with what the evidence says about its port.
fn assessed<'a>(case: Case<'a>, evidence: &'a mut PortEvidence, is_flagged: bool, place: Option<Place>) -> Case<'a> {
    let is_refused = case.attempt.is_refused() && case.is_evidence() && !case.attempt.is_of_node();
    if is_refused && evidence.refusal(case.attempt, case.allowed).assessment.is_some() {
        let PortClaim { assessment, inferred } = evidence.refusal(case.attempt, case.allowed);
        return case.assessed(assessment, inferred);
    }
    if !is_flagged && !causes::rests_on_evidence(&case) {
        return case;
    }
    let PortClaim { assessment, inferred } =
        evidence.assess(case.attempt, case.allowed, case.may_have_left(), is_flagged, place);
    // Of connections of the node itself, those before the first failure are not counted: too little for anything but a claim that holds.
    let is_said = |of: &Assessment| !case.attempt.is_of_node() || of.strength().holds();
    case.assessed(assessment.filter(is_said), inferred)
}

struct JudgedAttempt<'a> {
    case: Case<'a>,
    owner: Option<&'a Owner>,
    watched: &'a Watched,
}

impl JudgedAttempt<'_> {
    fn finding<'b>(&'b self, time_ns: u64, ordinal: u32, judgement: &'b Judgement) -> Finding<'b> {
        let Self { case: Case { attempt, capture, allowed, assessment: _, inferred: _ }, owner, watched: _ } = *self;
        let (is_repeated, is_news, is_over, diagnosis) = (false, false, false, None);
        Finding {
            capture,
            time_ns,
            ordinal,
            is_repeated,
            attempt,
            owner,
            interface: None,
            judgement,
            allowed,
            is_news,
            is_over,
            diagnosis,
        }
    }
}
