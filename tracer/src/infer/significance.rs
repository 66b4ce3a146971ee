//! Can chance explain that unanswered attempts gather on one side? A bound that holds exactly, not asymptotically.
//!
//! Where the port does not matter, the unanswered attempts of a destination fall on its attempts at random, so their number
//! on one side is hypergeometric, given how many there are: destinations are strata (Mantel-Haenszel), and each may fail
//! at a rate of its own. Chernoff's bound over all strata then bounds the probability of so many. The bound is a sum of one
//! part per destination, so it also says who carries the evidence, and what is left without the strongest.

use std::f64::consts::LN_2;

use crate::model::Answers;

/// Evidence that chance explains with a probability below 0.001 is enough.
const ENOUGH_NATS: f64 = 6.907_755;
/// More are not expected of some segments and those next to them.
const MAX_EDGES: u32 = 8;
/// Where a side can begin or end: at the 257 boundaries of the bins, or within one of 256, which is then left out.
const CUTS: u32 = 513;
/// Tilts that are tried; any gives a valid bound, the best of them a sharp one.
const TILTS: [f64; 16] = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.4, 1.9, 2.5, 3.2, 4.0, 5.0, 7.0, 10.0, 20.0];
/// Strata with many outcomes are bounded more coarsely (Hoeffding), which is quick: so many outcomes are listed in all.
const MAX_LISTED_OUTCOMES: u64 = 16_384;
/// Less probable outcomes count as this probable.
const MIN_PROBABILITY: f64 = 1e-300;

/// The attempts of a destination on two sides of edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stratum {
    /// On both sides.
    pub(crate) attempts: u64,
    /// Unanswered, on both sides.
    pub(crate) unanswered: u64,
    /// On the side said to be denied.
    pub(crate) denied: u64,
    /// Unanswered on that side.
    pub(crate) denied_unanswered: u64,
}

/// Evidence in nats: chance does this with a probability below `exp(-total)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) total: f64,
    /// By stratum, in the order given.
    pub(crate) parts: Vec<f64>,
}

impl Evidence {
    /// What it amounts to.
    pub(super) fn weight(&self) -> Weight {
        Weight { total: self.total, strongest: self.parts.iter().copied().fold(0.0, f64::max) }
    }
}

/// Evidence without its parts, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weight {
    pub(super) total: f64,
    /// The part of the destination that says most.
    strongest: f64,
}

impl Weight {
    /// Whether chance explains it too seldom, at the stated level and for any choice of edges.
    pub(super) fn is_enough(&self, edges: usize) -> bool {
        self.total >= needed(edges)
    }

    /// The same where nothing was chosen to fit, so that only the level counts; and whether the other destinations agree.
    pub(super) fn is_enough_and_shared_unchosen(&self) -> (bool, bool) {
        let needed = ENOUGH_NATS + choices(0);
        (self.total >= needed, self.total - self.strongest >= needed / 2.0)
    }

    /// Whether the other destinations agree with the strongest: without it, half as much is left.
    pub(super) fn is_shared(&self, edges: usize) -> bool {
        self.total - self.strongest >= needed(edges) / 2.0
    }
}

/// What must be taken off because the edges were chosen to fit: the logarithm of how many choices there are (Bonferroni).
pub(super) fn choices(edges: u32) -> f64 {
    // Multisets of so many cuts, and either side may be the denied one.
    LN_2 + (0..edges).map(|edge| (f64::from(CUTS + edge) / f64::from(edge + 1)).ln()).sum::<f64>()
}

/// Evidence in nats that a claim about some segments needs, which with their neighbours have so many edges. That can be each number up
/// to [`MAX_EDGES`], so the level is divided among them.
pub(super) fn needed(edges: usize) -> f64 {
    ENOUGH_NATS + f64::from(MAX_EDGES).ln() + choices(u32::try_from(edges).unwrap_or(u32::MAX))
}

/// Whether evidence is enough that so many of all destinations, chosen to fit, fare otherwise than the rest.
#[expect(clippy::cast_precision_loss, reason = "a bound")]
pub(super) fn is_enough_for_choice(total: f64, all: usize, chosen: usize) -> bool {
    let few = chosen.min(all.saturating_sub(chosen));
    let ways = (0..few).map(|of| ((all - of) as f64 / (of + 1) as f64).ln()).sum::<f64>();
    total >= ENOUGH_NATS + LN_2 + ways
}

/// What estimates take for needed: enough for a class anywhere, with room.
pub(super) fn usually_needed() -> f64 {
    ENOUGH_NATS + choices(4)
}

/// Whether the attempts of these destinations are enough for a claim, whatever ports they have: a side of a destination has its
/// unanswered attempts by chance at least once for all ways to choose that many of its attempts.
#[expect(clippy::cast_precision_loss, reason = "a bound")]
pub(super) fn can_be_enough(destinations: impl Iterator<Item = Answers>) -> bool {
    let ways = |Answers { answered, unanswered }| {
        let (few, many) = (answered.min(unanswered), answered.max(unanswered));
        (1..=few).map(|of| ((many + of) as f64 / of as f64).ln()).sum::<f64>()
    };
    destinations.map(ways).sum::<f64>() >= needed(1)
}

/// The sharpest bound.
pub(crate) fn evidence(strata: &[Stratum]) -> Evidence {
    evidence_within(strata, (MAX_LISTED_OUTCOMES / strata.len().max(1) as u64).clamp(16, 512))
}

/// As `evidence`, listing at most `most` outcomes of a stratum.
pub(crate) fn evidence_within(strata: &[Stratum], most: u64) -> Evidence {
    let chances: Vec<_> = strata.iter().map(|stratum| NullDistribution::of(stratum, most)).collect();
    let parts = |tilt: f64| strata.iter().zip(&chances).map(move |(stratum, chance)| stratum.part(chance, tilt));
    let (mut best, mut total) = (None, 0.0);
    for tilt in TILTS {
        let sum = parts(tilt).sum();
        if sum > total {
            (best, total) = (Some(tilt), sum);
        }
    }
    Evidence { total, parts: best.map_or_else(|| vec![0.0; strata.len()], |tilt| parts(tilt).collect()) }
}

/// The possible numbers of unanswered attempts on the denied side under chance.
enum NullDistribution {
    /// There is but one.
    Certain,
    /// The probability of each, from the lowest on; at least [`MIN_PROBABILITY`], which keeps the bound valid.
    Exact(Vec<f64>),
    /// Too many to list.
    Many,
}

impl NullDistribution {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "probabilities, 512 at most")]
    fn of(stratum: &Stratum, most: u64) -> Self {
        let (low, high) = (stratum.fewest(), stratum.most());
        if low == high {
            return Self::Certain;
        }
        if high - low > most {
            return Self::Many;
        }
        let Stratum { attempts, unanswered, denied, .. } = *stratum;
        // How much more probable k + 1 is than k.
        let rise = |k: u64| {
            let up = (unanswered - k) as f64 * (denied - k) as f64;
            up / ((k + 1) as f64 * (attempts + k + 1 - unanswered - denied) as f64)
        };
        // From the most probable number to both ends, so that nothing overflows.
        let mode = (unanswered + 1) as f64 * (denied + 1) as f64 / (attempts + 2) as f64;
        let mode = (mode as u64).clamp(low, high);
        let mut chances = vec![1.0_f64; (high - low + 1) as usize];
        for k in mode..high {
            let at = (k - low) as usize;
            chances[at + 1] = (chances[at] * rise(k)).max(MIN_PROBABILITY);
        }
        for k in (low..mode).rev() {
            let at = (k - low) as usize;
            chances[at] = (chances[at + 1] / rise(k)).max(MIN_PROBABILITY);
        }
        let sum: f64 = chances.iter().sum();
        chances.iter_mut().for_each(|chance| *chance /= sum);
        Self::Exact(chances)
    }
}

impl Stratum {
    pub(crate) const fn of(passed: Answers, denied: Answers) -> Self {
        Self {
            attempts: passed.total() + denied.total(),
            unanswered: passed.unanswered + denied.unanswered,
            denied: denied.total(),
            denied_unanswered: denied.unanswered,
        }
    }

    const fn fewest(&self) -> u64 {
        (self.unanswered + self.denied).saturating_sub(self.attempts)
    }

    fn most(&self) -> u64 {
        self.unanswered.min(self.denied)
    }

    /// Its part of Chernoff's bound: tilt times the number seen, less the logarithm of the expectation of exp(tilt * number).
    #[expect(clippy::cast_precision_loss, reason = "probabilities")]
    fn part(&self, outcomes: &NullDistribution, tilt: f64) -> f64 {
        let above = self.denied_unanswered.saturating_sub(self.fewest()) as f64;
        match outcomes {
            NullDistribution::Certain => 0.0,
            NullDistribution::Exact(chances) => {
                // The expectation as a polynomial in exp(-tilt), counted down from the highest number.
                let (step, highest) = ((-tilt).exp(), (self.most() - self.fewest()) as f64);
                let sum = chances.iter().fold(0.0, |sum, chance| sum * step + chance);
                tilt * (above - highest) - sum.ln()
            }
            NullDistribution::Many => tilt * self.denied_unanswered as f64 - self.hoeffding(tilt),
        }
    }

    /// Draws without replacement spread less than draws with it, either way of drawing.
    #[expect(clippy::cast_precision_loss, reason = "probabilities")]
    fn hoeffding(&self, tilt: f64) -> f64 {
        let binomial = |draws: u64, hits: u64| {
            let share = hits as f64 / self.attempts as f64;
            draws as f64 * (share * tilt.exp_m1()).ln_1p()
        };
        binomial(self.denied, self.unanswered).min(binomial(self.unanswered, self.denied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By unanswered ones of all, on both sides.
    fn stratum(denied: (u64, u64), passed: (u64, u64)) -> Stratum {
        let answers = |(unanswered, all)| Answers { answered: all - unanswered, unanswered };
        Stratum::of(answers(passed), answers(denied))
    }

    /// P(at least so many) exactly.
    fn tail(stratum: &Stratum) -> f64 {
        let NullDistribution::Exact(chances) = NullDistribution::of(stratum, 512) else { return 1.0 };
        let from = usize::try_from(stratum.denied_unanswered - stratum.fewest()).unwrap_or_default();
        chances[from..].iter().sum()
    }

    #[test]
    fn a_clean_separation_is_as_unlikely_as_one_arrangement_of_all() {
        let evidence = evidence(&[stratum((3, 3), (0, 3))]);
        assert!((evidence.total - 20.0_f64.ln()).abs() < 1e-3, "{evidence:?}");
    }

    #[test]
    fn the_bound_is_above_the_exact_probability_and_not_far() {
        for (denied, passed) in [((9, 10), (3, 10)), ((40, 50), (5, 60)), ((7, 30), (1, 200)), ((30, 30), (30, 300))] {
            let stratum = stratum(denied, passed);
            let (bound, exact) = ((-evidence(&[stratum]).total).exp(), tail(&stratum));
            assert!(bound >= exact && bound < exact * 15.0, "{stratum:?}: {bound} {exact}");
        }
    }

    #[test]
    fn chance_exceeds_the_bound_no_more_often_than_it_says() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut beyond, runs) = ([0_u32; 3], 20_000);
        for _ in 0..runs {
            let strata: Vec<_> = (0..4).map(|_| shuffled(&mut rng)).collect();
            let total = evidence(&strata).total;
            for (count, once_in) in beyond.iter_mut().zip([5.0_f64, 20.0, 100.0]) {
                *count += u32::from(total >= once_in.ln());
            }
        }
        assert!(beyond[0] * 5 <= runs && beyond[1] * 20 <= runs && beyond[2] * 100 <= runs, "{beyond:?}");
        assert!(beyond[0] * 50 >= runs && beyond[1] * 200 >= runs, "far too coarse: {beyond:?}");
    }

    /// A destination whose unanswered attempts fall anywhere.
    fn shuffled(rng: &mut fastrand::Rng) -> Stratum {
        let attempts = rng.u64(2..60);
        let (unanswered, denied) = (rng.u64(0..=attempts), rng.u64(0..=attempts));
        let mut fates: Vec<_> = (0..attempts).map(|number| number < unanswered).collect();
        rng.shuffle(&mut fates);
        let mut on_denied = fates.iter().zip(0..denied);
        let denied_unanswered = on_denied.by_ref().filter(|(unanswered, _)| **unanswered).count() as u64;
        Stratum { attempts, unanswered, denied, denied_unanswered }
    }

    #[test]
    fn the_coarse_bound_is_never_sharper_than_the_exact_one() {
        let stratum = stratum((200, 220), (40, 250));
        let outcomes = NullDistribution::of(&stratum, 512);
        for tilt in TILTS {
            assert!(stratum.part(&outcomes, tilt) >= stratum.part(&NullDistribution::Many, tilt), "{tilt}");
        }
    }

    #[test]
    fn a_destination_that_fails_alike_on_both_sides_is_no_evidence() {
        assert!(evidence(&[stratum((50, 100), (50, 100)), stratum((0, 100), (0, 100))]).total < 1e-9);
        assert!(evidence(&[stratum((100, 100), (0, 0)), stratum((0, 0), (0, 100))]).total < 1e-9);
    }

    #[test]
    fn evidence_of_one_destination_vanishes_without_it() {
        let one = evidence(&[stratum((40, 40), (0, 40)), stratum((0, 40), (0, 40))]).weight();
        assert!(one.is_enough(4) && !one.is_shared(4), "{one:?}");
        let two = evidence(&[stratum((40, 40), (0, 40)), stratum((20, 20), (0, 40))]).weight();
        assert!(two.is_enough(4) && two.is_shared(4), "{two:?}");
    }

    #[test]
    fn no_side_is_more_evidence_than_there_are_ways_to_choose() {
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..200 {
            let strata: Vec<_> = (0..rng.usize(1..4)).map(|_| shuffled(&mut rng)).collect();
            let counts = |of: &Stratum| Answers { answered: of.attempts - of.unanswered, unanswered: of.unanswered };
            let split = |of: &Stratum| Stratum { denied: of.unanswered, denied_unanswered: of.unanswered, ..*of };
            let most = evidence(&strata.iter().map(split).collect::<Vec<_>>()).total;
            assert!(most < needed(1) || can_be_enough(strata.iter().map(counts)), "{strata:?}");
        }
        let one = |answered, unanswered| [Answers { answered, unanswered }];
        assert!(can_be_enough(one(20, 20).into_iter()) && !can_be_enough(one(1000, 2).into_iter()));
    }

    #[test]
    fn the_choices_of_edges_are_counted() {
        assert!((choices(1) - (2.0_f64 * 513.0).ln()).abs() < 1e-9);
        assert!((choices(2) - (513.0_f64 * 514.0).ln()).abs() < 1e-9);
    }
}
