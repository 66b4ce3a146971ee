//! `unknown`: no observed event shows the cause.

use super::{Case, Cause, port_out_of_range};
use crate::model::Watch;

pub(super) const CAUSE: Cause = Cause {
    id: "unknown",
    applies: |_| true,
    explain,
    advice: "watch the interface that it should leave through (--iface), look at which hooks are off, or follow one SYN by its \
             sequence number (isn) with tcpdump",
};

fn explain(case: &Case<'_>) -> String {
    let attempt = case.attempt;
    let seen = match attempt.syns_leaving {
        0 if case.sent_since() == 0 => "all before its first event here: the capture began later, or events were lost",
        0 if case.attempt.egress.watch == Watch::Incomplete => {
            "it was not seen being dropped, and it may have left unseen: not every uplink was watched all the time"
        }
        0 if case.has_hook("wire") => "it was neither seen leaving an uplink nor being dropped",
        0 => "no interface is watched",
        left if left.saturating_mul(2) < case.sent_since() => {
            "most of its SYNs were neither seen leaving an uplink nor being dropped"
        }
        _ if attempt.syn_ack_undelivered => {
            "a SYN-ACK arrived, and the client sent its SYN again: it did not get the SYN-ACK, or did not accept it"
        }
        _ => "what was seen fits no known cause",
    };
    let evidence = port_out_of_range::evidence(case).map(|evidence| format!("; {evidence}")).unwrap_or_default();
    format!("no observation explains why the SYN was sent {} times: {seen}{evidence}", case.sent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{capture, failing};
    use crate::causes::{self};
    use crate::model::Attempt;

    #[test]
    fn only_what_nothing_else_explains_is_unknown() {
        let capture = capture();
        let unseen = Attempt { syns_leaving: 0, ..failing() };
        assert_eq!(causes::cause_of(&Case::new(&unseen, &capture)).id, "unknown");
        assert_ne!(causes::cause_of(&Case::new(&failing(), &capture)).id, "unknown");
        let explained = explain(&Case::new(&unseen, &capture));
        assert!(explained.contains("neither seen leaving"), "{explained}");
    }
}
