//! What is known of one destination: answers by the side of the policy that the port is on.

use super::chance::{SUSPECT_P, is_below};
use super::place::Place;
use crate::infer::{Probe, RARE_PASS_DIVISOR, Runs, Stratum, evidence_within};
use crate::model::{Answers, Side};

/// Weighed attempts of a destination; beyond that all of its weights are halved, so that what changed shows.
const MAX_WEIGHED: u32 = 1024;
/// Outcomes that the test lists for a destination; beyond that a coarser bound does.
const MAX_OUTCOMES: u64 = 64;
/// Consecutive inside attempts without an answer after which a destination counts as not answering: a loss of 5 % does that
/// once in 8,000 times.
const INSIDE_RUN: u32 = 3;
/// What a destination says about the ports of one side outside of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    #[default]
    Silent,
    /// Inside ports are mostly answered, those of this side practically never.
    Filtered,
    /// Ports of this side are answered.
    Passing,
}

/// A destination, or a network of them.
#[derive(Clone, Debug, Default)]
pub(super) struct DestinationEvidence {
    /// As the sums over destinations know it.
    pub(super) standing: Standing,
    /// They do not know all of it.
    pub(super) is_changed: bool,
    /// It is of several destinations.
    is_shared: bool,
    /// Unanswered and answered attempts, by side.
    counts: [[u32; 2]; 4],
    /// `counts` without consecutive failures (see `infer`), and with less weight for what is long ago.
    weighed: [[u32; 2]; 4],
    runs: Runs,
    /// Attempts whose port NAT kept, as far as 255.
    kept: [u8; 4],
    /// When the newest answered attempt began.
    newest_answer_ns: u64,
    /// Inside attempts since then that are unanswered.
    inside_run: u32,
    tests: [Test; 3],
    /// The sum of `weighed`.
    weight: u32,
}

/// A result of the test of significance, kept until much more is known.
#[derive(Clone, Copy, Debug, Default)]
struct Test {
    nats: f64,
    /// Weighed attempts when it was computed.
    at: u32,
}

/// What the sums over destinations need to know of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Unanswered and answered attempts, by side.
    pub(super) counts: [[u32; 2]; 4],
    pub(super) roles: [Role; 3],
    /// An inside attempt was answered; `None` where there was none.
    pub(super) inside: Option<bool>,
    /// Tried from the side, and never answered there.
    pub(super) unanswered: [bool; 3],
    /// It answered at least once.
    pub(super) is_answering: bool,
    /// It was tried.
    pub(super) is_tried: bool,
}

impl DestinationEvidence {
    /// Counts an attempt; whether it is weighed.
    pub(super) fn count(&mut self, place: Place, first_ns: u64, probe: Probe) -> bool {
        let Place { side, is_kept, is_shared, .. } = place;
        self.is_shared |= is_shared;
        let place = &mut self.counts[side as usize][usize::from(probe.answered)];
        *place = place.saturating_add(1);
        // Some of several destinations may be dead, and the client that tries those may have ports of its own.
        if is_shared && is_kept {
            return false;
        }
        self.kept[side as usize] = self.kept[side as usize].saturating_add(is_kept.into());
        if probe.answered {
            self.runs.answered(probe.second);
            if first_ns >= self.newest_answer_ns {
                (self.newest_answer_ns, self.inside_run) = (first_ns, 0);
            }
        } else {
            self.inside_run += u32::from(side == Side::Inside && first_ns > self.newest_answer_ns);
            if !self.runs.failed(probe.second) {
                return false;
            }
        }
        self.weighed[side as usize][usize::from(probe.answered)] += 1;
        self.weight += 1;
        if self.weight > MAX_WEIGHED {
            self.halve();
        }
        true
    }

    fn halve(&mut self) {
        self.weighed.as_flattened_mut().iter_mut().for_each(|count| *count = count.div_ceil(2));
        self.weight = self.weighed.as_flattened().iter().sum();
        self.tests.iter_mut().for_each(|test| test.at /= 2);
    }

    /// Takes back an attempt.
    pub(super) fn uncount(&mut self, place: Place, answered: bool, is_weighed: bool) {
        let Place { side, is_kept, is_shared, .. } = place;
        self.kept[side as usize] = self.kept[side as usize].saturating_sub((is_kept && !is_shared).into());
        let answered = usize::from(answered);
        let (exact, weighed) = (&mut self.counts[side as usize][answered], &mut self.weighed[side as usize][answered]);
        *exact = exact.saturating_sub(1);
        if is_weighed && *weighed > 0 {
            *weighed -= 1;
            self.weight -= 1;
        }
    }

    pub(super) fn counts(&self, side: Side) -> Answers {
        Answers::of(self.counts[side as usize])
    }

    /// Attempts from ports on that side that the client chose.
    pub(super) fn kept(&self, side: Side) -> u64 {
        self.kept[side as usize].into()
    }

    /// What it stands for now.
    pub(super) fn stands(&self) -> Standing {
        let [inside, ..] = self.weighed;
        Standing {
            counts: self.counts,
            roles: Side::OUTSIDE.map(|side| self.role(side)),
            // Where each destination counts once, several that are counted together cannot.
            inside: (inside != [0, 0] && !self.is_shared).then_some(inside[1] > 0),
            unanswered: Side::OUTSIDE.map(|side| {
                let [unanswered, answered] = self.weighed[side as usize];
                unanswered > 0 && answered == 0 && !self.is_shared && !self.fails_inside()
            }),
            is_answering: self.counts.iter().any(|side| side[1] > 0),
            is_tried: self.counts.as_flattened().iter().any(|count| *count > 0),
        }
    }

    pub(super) fn role(&self, side: Side) -> Role {
        let ([inside_unanswered, inside_answered], [unanswered, answered]) =
            (self.weighed[0], self.weighed[side as usize]);
        if answered > 0 && answered * RARE_PASS_DIVISOR > answered + unanswered {
            Role::Passing
        } else if unanswered > 0 && inside_answered > 0 && inside_answered >= inside_unanswered {
            Role::Filtered
        } else {
            Role::Silent
        }
    }

    /// Inside ports are answered and those of the side are not, and chance does not explain it well.
    pub(super) fn is_suspect(&self, side: Side) -> bool {
        let ([inside_unanswered, inside_answered], [unanswered, _]) = (self.weighed[0], self.weighed[side as usize]);
        self.role(side) == Role::Filtered
            && !self.fails_inside()
            && is_below(SUSPECT_P, inside_answered, inside_answered + inside_unanswered, unanswered)
    }

    /// Inside ports go unanswered: always, mostly, or since a while.
    pub(super) fn fails_inside(&self) -> bool {
        let [unanswered, answered] = self.weighed[0];
        self.inside_run >= INSIDE_RUN || unanswered >= 2 && unanswered > answered
    }

    /// An inside port was tried, and none was answered.
    pub(super) const fn is_silent_inside(&self) -> bool {
        let [unanswered, answered] = self.weighed[0];
        unanswered > 0 && answered == 0
    }

    pub(super) const fn answers_inside(&self) -> bool {
        self.weighed[0][1] > 0
    }

    /// Its attempts on the two sides, for the test of significance.
    pub(super) fn stratum(&self, side: Side) -> Stratum {
        Stratum::of(Answers::of(self.weighed[0]), Answers::of(self.weighed[side as usize]))
    }

    /// In nats: chance explains what this destination says about the side with a probability below exp(-nats).
    pub(super) fn nats(&mut self, side: Side) -> f64 {
        let stratum = self.stratum(side);
        let weighed = stratum.attempts as u32;
        let Some(test) = self.tests.get_mut((side as usize).wrapping_sub(1)) else { return 0.0 };
        // A few more change little: the more there are, the less.
        let more = if test.at < 64 { test.at / 8 } else { test.at };
        if weighed > test.at + more {
            *test = Test { nats: evidence_of(stratum), at: weighed };
        }
        test.nats
    }

    /// The evidence, computed now.
    pub(super) fn evidence(&self, side: Side) -> f64 {
        evidence_of(self.stratum(side))
    }

    /// The next test starts from what is known then.
    pub(super) const fn forget_tests(&mut self) {
        self.tests = [Test { nats: 0.0, at: 0 }; 3];
    }
}

/// The evidence of one destination, or of two kinds of attempts.
pub(super) fn evidence_of(stratum: Stratum) -> f64 {
    evidence_within(&[stratum], MAX_OUTCOMES).total
}
