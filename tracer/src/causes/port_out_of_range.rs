//! `port_out_of_range`: the translated port is one that the filter does not let answers through to.

use super::{Cause, Verdict};
use crate::model::{Attempt, PortSet};

pub(super) const CAUSE: Cause = Cause {
    id: "port_out_of_range",
    judge,
    explain,
    advice: "have the filter allow 1024-65535 for established connections, or let the NAT rule choose ports from the \
             allowed range only (--to-ports LO-HI, nft: masquerade to :LO-HI)",
};

pub(super) fn judge(attempt: &Attempt, allowed: &PortSet) -> Verdict {
    match (attempt.translated, attempt.is_translated()) {
        (None, _) => Verdict::NotYet,
        (Some(_), Some(false)) => Verdict::No,
        (Some(translated), None | Some(true)) if allowed.contains(translated.src_port) => Verdict::No,
        (Some(_), None | Some(true)) if attempt.retransmits == 0 => Verdict::NotYet,
        (Some(_), None | Some(true)) => Verdict::Yes,
    }
}

fn explain(attempt: &Attempt, allowed: &PortSet) -> String {
    let port = attempt.translated.map_or(0, |translated| translated.src_port);
    format!("NAT chose source port {port}, and only {allowed} are let through")
}
