//! The ports that the path accepts, by the conntrack table and by the policy.

use std::borrow::Cow;

use super::Facts;
use crate::infer::{Class, Conclusion};
use crate::model::{Origin, PortSet};

/// Ports that a command may choose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandPorts {
    pub(super) ports: PortSet,
    /// Where they come from; empty where they are those of the policy.
    pub(super) source: String,
}

impl Facts {
    /// The classes of ports that the conntrack table shows beyond doubt.
    pub(super) fn classes(&self) -> impl Iterator<Item = &Class> {
        self.conclusions().filter_map(Conclusion::class)
    }

    /// What the conntrack table shows.
    pub(super) fn conclusions(&self) -> impl Iterator<Item = &Conclusion> {
        self.seen.as_ref().ok().and_then(Option::as_ref).into_iter().flat_map(|seen| &seen.conclusions)
    }

    /// Ports that are in the policy and answered by every place that an edge can have; the answered ones where the policy is wrong.
    pub(super) fn command_ports(&self, family: &str) -> CommandPorts {
        let (policy, word) =
            (self.policy(family), if self.policy.origin == Origin::Default { "assumed" } else { "allowed" });
        let answered = self.class(family).map(Class::passed).filter(|ports| !ports.is_empty());
        let Some(answered) = answered else { return CommandPorts { ports: policy.clone(), source: String::new() } };
        let both = answered.and(policy);
        // An assumption that excludes most of what is answered is no reason to do without it.
        let is_kept = match self.policy.origin {
            Origin::Default => len(&both) * 2 >= len(&answered),
            Origin::Given | Origin::Auto => !both.is_empty(),
        };
        match is_kept {
            true => CommandPorts { ports: both, source: format!("conntrack shows them answered, and they are {word}") },
            false => CommandPorts {
                ports: answered,
                source: format!("conntrack shows them answered, unlike the {word} {policy}"),
            },
        }
    }

    /// The policy, unless the conntrack table contradicts it: then every port that it does not show to be dropped.
    pub(super) fn path_ports(&self, family: &str) -> Cow<'_, PortSet> {
        let policy = self.policy(family);
        match self.class(family).filter(|class| is_contradicted(policy, class)) {
            Some(class) => Cow::Owned(PortSet::range(0, u16::MAX).without(&class.denied())),
            None => Cow::Borrowed(policy),
        }
    }

    /// Whether the conntrack table contradicts the policy.
    pub(super) fn contradicts_policy(&self, family: &str) -> bool {
        self.class(family).is_some_and(|class| is_contradicted(self.policy(family), class))
    }

    fn policy(&self, family: &str) -> &PortSet {
        if family == "ipv6" { &self.policy.v6 } else { &self.policy.v4 }
    }

    fn class(&self, family: &str) -> Option<&Class> {
        self.conclusions().find(|conclusion| conclusion.family_name() == family).and_then(Conclusion::class)
    }
}

fn is_contradicted(policy: &PortSet, class: &Class) -> bool {
    !policy.and(&class.denied()).is_empty() || !class.passed().without(policy).is_empty()
}

fn len(ports: &PortSet) -> u32 {
    ports.ranges().map(|(low, high)| u32::from(high - low) + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{CheckReport, Level, SeenTable, run, verdict};
    use crate::conntrack::{EntryCounts, TableSource};
    use crate::infer::{Edge, LeftOut, Passes, PassingDestinations, Verdict};
    use crate::model::{Answers, Doubt, Period, Policy};
    use crate::ruleset::testing;

    /// A range that a conntrack table shows, by the brackets of its edges; an edge at an end of the port space is none.
    fn class(low: (u16, u16), high: (u16, u16)) -> Class {
        let edge = |(from, to), is_measured| Edge { from, to, best: from, is_measured };
        Class {
            passes: vec![Passes { low: edge(low, low.0 > 0), high: edge(high, high.1 < u16::MAX) }],
            undecided: PortSet::of([]),
            used: PortSet::range(0, u16::MAX),
            split: PortSet::range(low.1, high.0),
            inside: Answers { answered: 99, unanswered: 0 },
            outside: Answers { answered: 0, unanswered: 99 },
            p_below: 20,
            supporting_count: 10,
            supporting: Vec::new(),
            likely: None,
            passing: PassingDestinations::default(),
        }
    }

    fn facts(verdict: Verdict, doubt: Option<Doubt>, (policy, origin): (&str, Origin)) -> Facts {
        let conclusion = Conclusion {
            is_ipv4: true,
            is_of_sockets: false,
            is_of_table: true,
            period: Period::default(),
            uplink: None,
            used: Answers::default(),
            destinations: 10,
            left_out: LeftOut::default(),
            pattern: None,
            refusals: None,
            verdict,
            doubt,
        };
        let seen =
            SeenTable { source: TableSource::Netlink, counts: EntryCounts::default(), conclusions: vec![conclusion] };
        let ports: PortSet = policy.parse().unwrap();
        let policy = Policy { v4: ports.clone(), v6: ports, origin };
        Facts { seen: Ok(Some(seen)), policy, rules: testing::flannel_nft(), ..Facts::default() }
    }

    fn rule(facts: &Facts) -> CheckReport {
        run(facts).into_iter().find(|report| report.id == "nat_rule").unwrap()
    }

    #[test]
    fn commands_choose_answered_ports_and_allowed_ones_where_both_agree() {
        let (assumed, given) = (Origin::Default, Origin::Given);
        for (class, policy, ports, word) in [
            (
                class((0, 1034), (29886, 30020)),
                ("32768-65535", assumed),
                "1034-29886",
                "unlike the assumed 32768-65535",
            ),
            (class((0, 1034), (33900, 34100)), ("32768-65535", assumed), "1034-33900", "unlike the assumed"),
            (class((32694, 33187), (60953, 61203)), ("32768-65535", assumed), "33187-60953", "they are assumed"),
            (class((31576, 33045), (65272, 65535)), ("1024-65535", given), "33045-65272", "they are allowed"),
            (class((31576, 33045), (65272, 65535)), ("40000-40099", given), "40000-40099", "they are allowed"),
        ] {
            let report = rule(&facts(Verdict::Class(class), None, policy));
            let fix = &report.fixes[0];
            assert!(report.level >= Level::Warn, "{}", report.summary);
            assert!(fix.commands[0].ends_with(&format!(" masquerade to :{ports} fully-random")), "{:?}", fix.commands);
            assert!(fix.what.contains(ports) && fix.what.contains(word), "{}", fix.what);
        }
    }

    #[test]
    fn a_policy_that_the_table_contradicts_does_not_judge_rules() {
        let (class, given) = (class((31576, 33045), (65272, 65535)), Origin::Given);
        let facts = facts(Verdict::Class(class.clone()), None, ("1024-65535", given));
        let summary = rule(&facts).summary;
        assert!(summary.contains("leave outside 31576-65535, the ports on which conntrack sees answers"), "{summary}");
        let agreed = self::facts(Verdict::Class(class), None, ("32768-65535", given));
        assert!(rule(&agreed).summary.ends_with("50.00 % of connections leave outside 32768-65535"));
    }

    #[test]
    fn a_doubtful_class_chooses_no_ports() {
        let verdict = Verdict::Class(class((0, 1034), (29886, 30020)));
        let facts = facts(verdict, Some(Doubt::ClientsDiffer), ("32768-65535", Origin::Given));
        assert!(rule(&facts).fixes[0].commands[0].contains(":32768-65535 "));
    }

    #[test]
    fn a_table_does_not_show_whether_this_node_drops() {
        let class = Verdict::Class(class((32694, 33187), (65272, 65535)));
        let mut facts = facts(class, None, ("32768-65535", Origin::Default));
        let text = |facts: &Facts| verdict(facts, &run(facts)).text;
        let said = text(&facts);
        assert!(said.contains("return traffic reaches conntrack on about") && said.contains("XDP"), "{said}");
        assert!(!said.contains("path accepts"), "{said}");
        let dropping = "tcp dport < 32768 drop (chain i of netdev fw)";
        facts.rules.untracked_drops = vec![dropping.to_owned(), "meta iif 7 drop (chain x of bridge y)".to_owned()];
        let said = text(&facts);
        assert!(said.contains(dropping) && said.contains("1 more"), "{said}");
        let seen = run(&facts).into_iter().find(|report| report.id == "seen_now").unwrap();
        assert_eq!(seen.details.iter().filter(|detail| detail.contains("this node may drop")).count(), 2);
        assert!(!seen.summary.contains("the path passes"), "{}", seen.summary);
    }

    #[test]
    fn the_headline_says_for_how_many_destinations_a_class_holds() {
        let class = class((32694, 33187), (65272, 65535));
        let passing = PassingDestinations { count: 3, ..PassingDestinations::default() };
        let class = Class { passing, supporting_count: 7, ..class };
        let facts = facts(Verdict::Class(class), None, ("32768-65535", Origin::Default));
        let text = verdict(&facts, &run(&facts)).text;
        assert!(text.contains("only, for 7 destinations; others answer on all ports"), "{text}");
    }

    #[test]
    fn the_headline_names_what_keeps_a_class_from_being_proven() {
        let class = class((32694, 33187), (65272, 65535));
        let partial = Class { supporting: vec![supporting()], ..class.clone() };
        for (verdict, doubt, word) in [
            (Verdict::OneDestination(class.clone()), None, "one destination"),
            (Verdict::Class(partial), None, "not always"),
            (Verdict::Class(class), Some(Doubt::ClientsDiffer), "something else"),
        ] {
            let facts =
                Facts { rules: crate::ruleset::Sources::default(), ..facts(verdict, doubt, ("any", Origin::Given)) };
            let text = super::super::verdict(&facts, &run(&facts)).text;
            assert!(text.contains(word), "{text}");
            assert_eq!(text.contains("one destination"), word == "one destination", "{text}");
        }
    }

    fn supporting() -> crate::infer::SupportingDestination {
        let flow = tracer_common::Flow::new("192.0.2.1:4000".parse().unwrap(), "203.0.113.1:443".parse().unwrap());
        let half = Answers { answered: 9, unanswered: 9 };
        crate::infer::SupportingDestination {
            destination: crate::infer::Destination::of(&flow),
            inside: half,
            outside: half,
        }
    }
}
