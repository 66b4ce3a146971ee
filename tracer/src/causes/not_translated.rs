//! `not_translated`: the SYN leaves with the pod's own address, which nobody outside can answer.

use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "not_translated",
    applies,
    explain,
    advice: "no NAT rule matched: unless the network routes pod addresses, masquerade what leaves the cluster (look for an \
             exception that covers the destination, such as nonMasqueradeCIDRs or an ipBlock)",
};

fn applies(case: &Case<'_>) -> bool {
    let attempt = case.attempt;
    let is_wrong = case.is_translated() == Some(false) && attempt.socket_netns.is_some() && is_foreign(case);
    is_wrong && attempt.syns_leaving > 0 && attempt.retransmits > 0 && !case.heard_back()
}

/// The source is no address of the node. Old traces do not know those.
fn is_foreign(case: &Case<'_>) -> bool {
    let addresses = &case.capture.addresses;
    case.attempt.original.is_some_and(|flow| !addresses.is_empty() && !addresses.contains(&flow.src_addr()))
}

fn explain(case: &Case<'_>) -> String {
    format!(
        "the SYN left with its original source {}, no NAT rule matched, and no answer was seen",
        case.translated_source()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, failing};
    use crate::model::{Attempt, example};

    #[test]
    fn a_pod_that_leaves_with_its_own_address_is_not_translated() {
        let pod = example::attempt("10.42.0.7:4000", "203.0.113.80:443", "10.42.0.7:4000", "203.0.113.80:443");
        let pod = Attempt { nat_netns: None, ..pod };
        assert!(applies_to(&CAUSE, &pod));
        assert!(!applies_to(&CAUSE, &Attempt { translated: None, ..pod.clone() }));
        assert!(!applies_to(&CAUSE, &Attempt { retransmits: 0, ..pod.clone() }));
        assert!(!applies_to(&CAUSE, &Attempt { syn_ack_seen: true, ..pod }));
        assert!(!applies_to(&CAUSE, &failing()));
    }

    #[test]
    fn a_socket_of_the_node_has_the_right_address() {
        let node = example::attempt("192.0.2.1:4000", "203.0.113.80:443", "192.0.2.1:4000", "203.0.113.80:443");
        assert!(!applies_to(&CAUSE, &Attempt { nat_netns: None, ..node }));
    }
}
