//! `not_translated`: the SYN leaves with the pod's own address, which nobody outside can answer.

use super::{Case, Cause, Verdict};

pub(super) const CAUSE: Cause = Cause {
    id: "not_translated",
    judge,
    explain,
    advice: "no NAT rule matched: unless the network routes pod addresses, masquerade what leaves the cluster (look for an \
             exception that covers the destination, such as nonMasqueradeCIDRs or an ipBlock)",
};

fn judge(case: &Case<'_>) -> Verdict {
    let attempt = case.attempt;
    let is_wrong = case.is_translated() == Some(false) && attempt.socket_netns.is_some() && is_foreign(case);
    match () {
        () if case.is_established() || case.is_answered() || !is_wrong && attempt.translated.is_some() => Verdict::No,
        () if attempt.translated.is_none() || attempt.syns_leaving == 0 || attempt.retransmits == 0 => Verdict::NotYet,
        () => Verdict::Yes,
    }
}

/// The source is no address of the node. Old traces do not know those.
fn is_foreign(case: &Case<'_>) -> bool {
    let addresses = &case.capture.addresses;
    case.attempt.original.is_some_and(|flow| !addresses.is_empty() && !addresses.contains(&flow.src_addr()))
}

fn explain(case: &Case<'_>) -> String {
    format!(
        "the SYN left with its original source {}, no NAT rule matched, and nothing came back",
        case.translated_source()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{failing, verdict};
    use crate::model::{Attempt, example};

    #[test]
    fn a_pod_that_leaves_with_its_own_address_is_not_translated() {
        let pod = example::attempt("10.42.0.7:4000", "203.0.113.80:443", "10.42.0.7:4000", "203.0.113.80:443");
        let pod = Attempt { nat_netns: None, ..pod };
        assert_eq!(verdict(&CAUSE, &pod), Verdict::Yes);
        assert_eq!(verdict(&CAUSE, &Attempt { translated: None, ..pod.clone() }), Verdict::NotYet);
        assert_eq!(verdict(&CAUSE, &Attempt { retransmits: 0, ..pod.clone() }), Verdict::NotYet);
        assert_eq!(verdict(&CAUSE, &Attempt { syn_ack_seen: true, ..pod }), Verdict::No);
        assert_eq!(verdict(&CAUSE, &failing()), Verdict::No);
    }

    #[test]
    fn a_socket_of_the_node_has_the_right_address() {
        let node = example::attempt("192.0.2.1:4000", "203.0.113.80:443", "192.0.2.1:4000", "203.0.113.80:443");
        assert_eq!(verdict(&CAUSE, &Attempt { nat_netns: None, ..node }), Verdict::No);
    }
}
