//! What the forward hook does to connections that pass through the node: a drop there looks like a filter from inside.

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "forward", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let chains = &facts.rules.forward;
    let dropping: Vec<_> = chains.iter().filter(|chain| chain.drops).collect();
    let closed: Vec<_> = dropping.iter().filter(|chain| chain.accepts == 0).collect();
    let invalid: Vec<_> = chains.iter().filter(|chain| !chain.invalid.is_empty()).collect();
    let (level, summary) = match (&closed[..], &dropping[..], &invalid[..]) {
        ([chain, ..], _, _) => (
            Level::Warn,
            format!("{} drops every forwarded packet: its policy is drop, and no rule accepts", chain.name),
        ),
        ([], [chain, ..], _) => (
            Level::Note,
            format!("{} drops forwarded packets that none of its {} accepting rules match", chain.name, chain.accepts),
        ),
        ([], [], [_, ..]) => (Level::Note, "forwarded packets that conntrack finds invalid are dropped".to_owned()),
        ([], [], []) => (Level::Ok, "no chain drops forwarded packets by policy, or as invalid".to_owned()),
    };
    let mut report = CHECK.report(level, summary);
    for chain in dropping {
        report = report.detail(format!("policy drop: {}", chain.name));
    }
    for chain in invalid {
        report = report.detail(format!("{}: {}", chain.name, chain.invalid.join("; ")));
    }
    if level > Level::Ok && !chains.iter().all(|chain| chain.invalid.is_empty()) {
        report = report.detail("an answer is invalid after its entry has expired, or after SYN-ACKs took different paths; tail --all shows such drops as dropped_here");
    }
    vec![report]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{ForwardChain, Sources};

    #[test]
    fn a_chain_that_accepts_nothing_is_a_warning() {
        let level = |drops: bool, accepts: usize, invalid: &[&str]| {
            let invalid = invalid.iter().map(|rule| (*rule).to_owned()).collect();
            let chain = ForwardChain { name: "FORWARD".to_owned(), drops, accepts, invalid };
            run(&Facts { rules: Sources { forward: vec![chain], ..Sources::default() }, ..Facts::default() })[0].level
        };
        assert_eq!(level(true, 0, &[]), Level::Warn);
        assert_eq!(level(true, 2, &[]), Level::Note);
        assert_eq!(level(false, 0, &["ct state invalid drop"]), Level::Note);
        assert_eq!(level(false, 0, &[]), Level::Ok);
    }
}
