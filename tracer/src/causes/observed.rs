//! The facts that a judgement rests on, in short words, the same for every cause.

use tracer_common::events::{NO_ENTRY, UNTRACKED};

use super::Case;
use super::{tuple_reused, unreachable, wrong_source};
use crate::model::{Dropped, SourceAddress, SynFeatures, Watch, plural};

/// What is known of the attempt.
pub(super) fn facts(case: &Case<'_>) -> Vec<String> {
    let attempt = case.attempt;
    let mut facts = vec![format!("SYN sent {}", plural(case.sent(), "time"))];
    if attempt.sent_before > 0 {
        let before = attempt.sent_before;
        facts.push(format!("{before} of them before its first event: the capture began later, or events were lost"));
    }
    if attempt.syns_leaving > 0 {
        let tunnel = if attempt.egress.encapsulates { ", which encapsulates" } else { "" };
        facts.push(format!("seen leaving {}{tunnel}", case.left()));
    } else if case.has_hook("wire") {
        facts.push(unseen(attempt.egress.watch).to_owned());
    }
    facts.extend(egress(case));
    if attempt.selections > 1 {
        facts.push(format!("NAT chose a source {} times", attempt.selections));
    }
    if attempt.send_errors > 0 {
        facts.push(format!("sending failed {}", case.send_errors()));
    }
    facts.extend(dropped(case, attempt.syn_dropped, "SYN"));
    if attempt.dropped_after_leaving > 0 {
        facts.push(format!("{} of them after it was seen leaving", attempt.dropped_after_leaving));
    }
    if attempt.syn_dropped_aside.count > 0 {
        let (count, why) = (u32::from(attempt.syn_dropped_aside.count), case.reason_words(attempt.syn_dropped_aside));
        facts.push(format!(
            "{} after the SYN had left (a copy of it, or beyond the uplink): {why}",
            plural(count, "drop")
        ));
    }
    if attempt.unconfirmed > 0 {
        facts.push(format!("{} of them after NAT had chosen a source, before it was confirmed", attempt.unconfirmed));
    }
    if let Some(table) = attempt.table {
        facts.push(format!("conntrack table has {} of {} entries", table.count, table.max));
    }
    facts.extend(came_back(case));
    facts.extend(dropped(case, attempt.answer_dropped, "SYN-ACK"));
    if attempt.is_answer_diverted {
        facts.push("the SYN-ACK was on its way to another address or port than the client's".to_owned());
    }
    if attempt.strays.without_entry > 0 {
        facts.push("no conntrack entry had translated the SYN-ACK back".to_owned());
    }
    if attempt.strays.left_again > 0 {
        let count = plural(attempt.strays.left_again, "SYN-ACK");
        facts.push(format!("{count} left again by an uplink"));
    }
    if attempt.is_answer_from_elsewhere {
        facts.push("the SYN-ACK came from another address than the destination's".to_owned());
    }
    if attempt.is_reset_here {
        facts.push("an RST left for the SYN-ACK while the client waited for it".to_owned());
    }
    // Where the translated tuple is known, nat_bind would add nothing.
    let is_missed = |stem: &str| stem != "nat_bind" || attempt.translated.is_none();
    let off = case.capture.hooks.iter().filter(|hook| hook.off.is_some() && is_missed(&hook.stem));
    let off: Vec<_> = off.map(|hook| hook.stem.as_str()).collect();
    if !off.is_empty() {
        facts.push(format!("hooks off: {}", off.join(", ")));
    }
    facts
}

/// A SYN was not seen leaving.
const fn unseen(watch: Watch) -> &'static str {
    match watch {
        Watch::Unknown | Watch::Complete => "not seen leaving an uplink",
        Watch::Incomplete => "not seen leaving; not every uplink was watched all the time",
    }
}

/// How the SYNs left, where that is unusual.
fn egress(case: &Case<'_>) -> Vec<String> {
    let (egress, mut facts) = (&case.attempt.egress, Vec::new());
    facts.extend(egress.first_interface.map(|first| format!("the first SYN left by {first}")));
    match egress.source {
        SourceAddress::Unknown | SourceAddress::OfInterface => {}
        SourceAddress::OfOtherInterface => {
            facts.push(format!("the source is an address of {}", egress.source_interface));
        }
        SourceAddress::NotOfNode if wrong_source::is_loopback(case) => {
            facts.push("the source is a loopback address".to_owned());
        }
        SourceAddress::NotOfNode if egress.source_is_answered => {
            facts.push("the source is no address of this node, but others of its network were answered".to_owned());
        }
        SourceAddress::NotOfNode if egress.source_is_on_link && case.is_source_untouched() => {
            facts.push(format!("the source is that of another host in the network of {}", case.interface()));
        }
        SourceAddress::NotOfNode => {
            facts.push(
                "the source is no address of this node: unless the network routes or translates it, no answer can arrive"
                    .to_owned(),
            );
        }
    }
    let SynFeatures { ecn, data, fast_open, mptcp } = egress.first_syn;
    let asks =
        [(ecn, "asks for ECN"), (data, "carries data"), (fast_open, "asks for Fast Open"), (mptcp, "asks for MPTCP")];
    for (has_it, words) in asks {
        if has_it {
            facts.push(format!("the first SYN {words}"));
        }
    }
    if egress.newest_syn.lacks_any_of(egress.first_syn) {
        facts.push("the newest SYN lacks that".to_owned());
    }
    if let Some(later) = case.attempt.later_path.filter(|later| !later.is_concurrent) {
        let attempts = plural(later.attempts, "later attempt");
        facts.push(format!("{attempts} of this client to this destination left by another path, none by this path"));
    }
    facts
}

fn came_back(case: &Case<'_>) -> Vec<String> {
    let attempt = case.attempt;
    let mut facts = Vec::new();
    if attempt.syn_ack_seen {
        let other = if attempt.strays.for_other_mac > 0 { " with the MAC address of another host" } else { "" };
        facts.push(format!("SYN-ACK arrived{other}"));
    }
    if attempt.syn_ack_undelivered {
        facts.push("the SYN was retransmitted after that".to_owned());
    }
    if attempt.rst_seen {
        facts.push("RST arrived".to_owned());
    }
    let strays = tuple_reused::arrived(case);
    if !strays.is_empty() {
        facts.push(format!("{} arrived for the translated tuple", strays.join(", ")));
    }
    if case.attempt.strays.resets_sent > 0 {
        facts.push("an RST left with the translated tuple that answers no SYN-ACK for this SYN".to_owned());
    }
    facts.extend(unreachable::words(case).map(|words| format!("ICMP arrived: {words}")));
    if attempt.is_answered_unseen {
        facts.push("the client sent more segments: an answer came by an interface that is not watched".to_owned());
    }
    if !case.heard_back() && attempt.syns_leaving > 0 {
        facts.push("no SYN-ACK, RST or ICMP error seen arriving".to_owned());
    }
    facts
}

fn dropped(case: &Case<'_>, dropped: Dropped, what: &str) -> Option<String> {
    let entry = match dropped.ctinfo {
        NO_ENTRY if !dropped.are_mixed => ", without conntrack entry",
        UNTRACKED if !dropped.are_mixed => ", untracked",
        _ => "",
    };
    let count = u32::from(dropped.count);
    let copies = if what == "SYN" && case.dropped() < count { ", copies included" } else { "" };
    let count = (count > 0).then(|| plural(count, what))?;
    Some(format!("{count} dropped on this node{copies}{entry}: {}", case.reason_words(dropped)))
}
