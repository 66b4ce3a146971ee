//! `unreachable`: a router or the destination sent an ICMP error about the SYN.

use super::{Case, Cause};

pub(super) const CAUSE: Cause = Cause {
    id: "unreachable",
    applies,
    explain,
    advice: "an ICMP error says that the network cannot deliver, or is not allowed to: check the route to the \
             destination, and firewalls that reject",
};

fn applies(case: &Case<'_>) -> bool {
    case.attempt.icmp.is_some() && !case.is_established()
}

fn explain(case: &Case<'_>) -> String {
    let words = words(case).unwrap_or_default();
    format!("the network cannot deliver to {}: {words}", case.destination())
}

/// What the ICMP error says.
pub(super) fn words(case: &Case<'_>) -> Option<String> {
    let (kind, code) = case.attempt.icmp?;
    let is_ipv4 = case.attempt.translated.or(case.attempt.original).is_none_or(|flow| flow.is_ipv4());
    let name = if is_ipv4 { ipv4(kind, code) } else { ipv6(kind, code) };
    Some(format!("{name} (type {kind}, code {code})"))
}

/// RFC 792, RFC 1812.
const fn ipv4(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "packet too big",
        (3, 9 | 10 | 13) => "administratively prohibited",
        (11, _) => "time exceeded",
        _ => "destination unreachable",
    }
}

/// RFC 4443.
const fn ipv6(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (1, 0) => "no route to destination",
        (1, 1) => "administratively prohibited",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (2, _) => "packet too big",
        (3, _) => "time exceeded",
        _ => "destination unreachable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::testing::{applies_to, failing, says};
    use crate::model::{Attempt, Outcome};

    #[test]
    fn an_icmp_error_about_the_syn_is_unreachable_unless_it_did_not_hinder() {
        let attempt = Attempt { icmp: Some((3, 1)), ..failing() };
        assert!(applies_to(&CAUSE, &attempt));
        says(&CAUSE, &attempt, "host unreachable (type 3, code 1)");
        assert!(!applies_to(&CAUSE, &Attempt { outcome: Outcome::Established, ..attempt }));
        assert!(!applies_to(&CAUSE, &Attempt { outcome: Outcome::Closed, ..failing() }));
    }
}
