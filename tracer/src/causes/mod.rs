//! Why a SYN was retransmitted, one cause a file, in order of precedence.
//!
//! Causes that an event shows come before causes that rest on silence. From `port_out_of_range` on, the evidence
//! about ports decides. CONTRIBUTING.md says how to add one.

mod case;
mod conntrack_full;
mod dropped_here;
mod insert_race;
mod no_answer;
mod not_translated;
mod observed;
mod port_exhausted;
mod port_out_of_range;
mod refused;
mod reply_dropped_here;
mod reply_stolen;
mod stale_entry;
mod syn_option_dropped;
#[cfg(test)]
mod testing;
mod tuple_reused;
mod unknown;
mod unreachable;
mod wrong_source;

pub use case::Case;

use crate::model::Diagnosis;

/// A reason why a SYN is retransmitted.
pub struct Cause {
    /// The word for it in JSON, scenarios and docs.
    pub id: &'static str,
    /// Whether it applies, by the facts known so far; asked again with every retransmit and at the end of the attempt.
    pub applies: fn(&Case<'_>) -> bool,
    /// What happened, in one sentence with its numbers.
    pub explain: fn(&Case<'_>) -> String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Cause {
    /// What to do, after the cause in words.
    pub fn note(&self) -> String {
        format!("{}: {}.", self.id.replace('_', " "), self.advice)
    }
}

/// Every cause, the first that applies wins.
pub const ALL: &[Cause] = &[
    refused::CAUSE,
    unreachable::CAUSE,
    insert_race::CAUSE,
    port_exhausted::CAUSE,
    conntrack_full::CAUSE,
    dropped_here::CAUSE,
    reply_stolen::CAUSE,
    reply_dropped_here::CAUSE,
    tuple_reused::CAUSE,
    wrong_source::CAUSE,
    stale_entry::CAUSE,
    not_translated::CAUSE,
    syn_option_dropped::CAUSE,
    port_out_of_range::CAUSE,
    no_answer::CAUSE,
    unknown::CAUSE,
];

/// The first cause that applies; `unknown` where no other does.
pub fn cause_of(case: &Case<'_>) -> &'static Cause {
    ALL.iter().find(|cause| (cause.applies)(case)).unwrap_or(&unknown::CAUSE)
}

/// Whether this is the cause of what has no other.
pub fn is_unknown(cause: &Cause) -> bool {
    cause.id == unknown::CAUSE.id
}

/// Whether the attempt is to be flagged: its SYN was retransmitted, and its source was translated to a port outside the
/// policy.
pub fn is_flagged(case: &Case<'_>) -> bool {
    port_out_of_range::is_outside(case)
}

/// Whether a filter is the cause or not, by the evidence of the capture alone, which may infer another range than the policy; if it is
/// not, it is `cause_without_evidence`.
pub fn rests_on_evidence(case: &Case<'_>) -> bool {
    port_out_of_range::is_candidate(case) && !observed().any(|cause| (cause.applies)(case))
}

/// The cause of a case that rests on evidence, where no filter is.
pub fn cause_without_evidence(case: &Case<'_>) -> &'static Cause {
    let case = case.assessed(None, None);
    on_silence().find(|cause| (cause.applies)(&case)).unwrap_or(&unknown::CAUSE)
}

/// The cause that rests on evidence.
pub const RESTS_ON_EVIDENCE: &str = port_out_of_range::CAUSE.id;

/// Whether a cause is concluded from what was not seen, so that the evidence about ports matters to it.
pub fn rests_on_silence(id: &str) -> bool {
    on_silence().any(|cause| cause.id == id)
}

/// The causes that an event shows.
fn observed() -> impl Iterator<Item = &'static Cause> {
    ALL.iter().take_while(|cause| cause.id != RESTS_ON_EVIDENCE)
}

/// The causes concluded from what was not seen.
fn on_silence() -> impl Iterator<Item = &'static Cause> {
    ALL.iter().skip_while(|cause| cause.id != RESTS_ON_EVIDENCE)
}

/// Whether an attempt without retransmits has failed in a way that has a cause.
pub fn has_failed(case: &Case<'_>) -> bool {
    case.attempt.outcome.has_failed() && !is_unknown(cause_of(case))
}

/// A cause in words.
pub fn diagnose(cause: &Cause, case: &Case<'_>) -> Diagnosis {
    let (explanation, mut evidence) = ((cause.explain)(case), observed::facts(case));
    // Where no observed event shows the cause, the explanation says so.
    if !rests_on_silence(cause.id) {
        evidence.extend(port_out_of_range::evidence(case));
    }
    Diagnosis { explanation, advice: cause.advice, evidence }
}

#[cfg(test)]
mod tests;
