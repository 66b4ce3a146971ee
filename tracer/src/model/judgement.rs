//! What is concluded about an attempt. Facts are in `Attempt`; the pipeline keeps this beside it.

/// The conclusions about one attempt, or about one of its retransmits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The SYN was retransmitted and its translated port is outside the policy; of an attempt, when that holds for any of its
    /// retransmits.
    pub flagged: bool,
    /// Id of the cause, a stem of `causes/`; of an attempt, that of its newest retransmit.
    pub cause: Option<&'static str>,
}
