//! What is concluded about an attempt. Facts are in `Attempt`; the pipeline keeps this beside it.

use super::Strength;

/// The conclusions about one attempt, or about one of its retransmits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The SYN was retransmitted and its translated port is outside the policy; of an attempt, when that holds for any of its
    /// retransmits.
    pub flagged: bool,
    /// Id of the cause, a stem of `causes/`; of an attempt, that of its newest retransmit.
    pub cause: Option<&'static str>,
    /// Where it is flagged: how strong the claim is that a filter drops return traffic to its port, by what was known then.
    pub strength: Option<Strength>,
}
