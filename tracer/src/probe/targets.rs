//! Which targets say nothing about ports, and whether connections come too fast: judged by ports that had been answered before.

use super::ledger::{Ledger, ProbeAnswer};

/// Controls before a rate or a target is judged.
const MIN_CONTROLS: u32 = 12;
/// The same for a target that has never answered, and connections before one is called unreachable.
const MIN_CONTROLS_SILENT: u32 = 5;
/// From this share of failed controls on it is not loss alone.
const MAX_LOSS: f64 = 0.5;
/// Up to this share another target is fine.
const USUAL_LOSS: f64 = 0.25;
/// How often the rate is halved.
const MAX_SLOWDOWNS: usize = 3;

/// Targets that are down or unreachable, or that fail where others answer, while this rate is in force.
pub(super) fn failing(ledger: &Ledger, targets: usize, pace: usize) -> Vec<usize> {
    let controls = |target: usize| ledger.controls(|asked| asked.ask.target == target && asked.pace == pace);
    let is_fine = |target: usize| {
        let controls = controls(target);
        !ledger.left_out.contains(&target) && controls.made >= MIN_CONTROLS_SILENT && controls.share() <= USUAL_LOSS
    };
    let fails = |target: usize| {
        let controls = controls(target);
        let is_dead = !ledger.has_answered(target) && controls.made >= MIN_CONTROLS_SILENT;
        let is_bad = controls.made >= MIN_CONTROLS && controls.share() >= MAX_LOSS;
        is_dead || is_cut_off(ledger, target) || (is_bad && (0..targets).any(|other| other != target && is_fine(other)))
    };
    (0..targets).filter(|target| fails(*target)).collect()
}

/// Nothing but errors came back.
fn is_cut_off(ledger: &Ledger, target: usize) -> bool {
    let mut answers =
        ledger.asked.iter().filter(|asked| asked.ask.target == target).map(|asked| asked.answer).peekable();
    let is_error = |answer: ProbeAnswer| match answer {
        ProbeAnswer::Unreachable(_) | ProbeAnswer::Denied(_) => true,
        ProbeAnswer::Accepted | ProbeAnswer::Refused | ProbeAnswer::Silent | ProbeAnswer::InUse => false,
    };
    let asked = answers.clone().count();
    answers.peek().is_some() && asked >= MIN_CONTROLS_SILENT as usize && answers.all(is_error)
}

/// What to do about the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It is fine.
    Keep,
    /// Ports that had been answered go unanswered.
    Halve,
    /// They still do.
    GiveUp,
}

/// Judges the rate in force.
pub(super) fn pace(ledger: &Ledger, pace: usize) -> Pace {
    let controls = ledger.controls(|asked| asked.pace == pace && !ledger.left_out.contains(&asked.ask.target));
    if controls.made < MIN_CONTROLS || controls.share() < MAX_LOSS {
        Pace::Keep
    } else if pace >= MAX_SLOWDOWNS || (pace > 0 && controls.failed == controls.made) {
        Pace::GiveUp
    } else {
        Pace::Halve
    }
}
