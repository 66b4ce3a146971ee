//! Counts over a whole capture. Pure.

use std::collections::BTreeMap;

use tracer_common::config::Loss;
use tracer_common::events::Lost;

use crate::infer::{Conclusion, Infer, Refusals};
use crate::model::{Attempt, Doubt, Filter, Judgement, Owner, PolicyEvidence, Strength};
use crate::tally::Counts;

/// The counts at the end of a capture; field names as in JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Time of the newest event, nanoseconds since 1970 UTC.
    pub end_unix_ns: Option<i128>,
    /// TCP connection attempts.
    pub attempts: u64,
    /// Those whose translated tuple is known.
    pub translated: u64,
    /// Those whose SYN was retransmitted.
    pub retransmitted_attempts: u64,
    /// Those of which a retransmit was flagged.
    pub flagged_attempts: u64,
    /// Retransmits that were flagged.
    pub flagged_retransmits: u64,
    /// Retransmitted attempts by cause, by all evidence of the capture; `unknown` where none was found.
    pub by_cause: BTreeMap<&'static str, Counts>,
    /// Flagged attempts by how strong the evidence for a filter is at the end.
    pub by_strength: BTreeMap<Strength, u64>,
    /// What the evidence says about the policy of each node, where there is any.
    pub policies: Vec<PolicyEvidence>,
    /// Attempts that failed before any retransmit, by cause, where that is known.
    pub failed_by_cause: BTreeMap<&'static str, u64>,
    /// Events lost in the kernel, by [`Loss`].
    pub lost: [u64; Loss::ALL.len()],
    /// Attempts whose SYN was seen leaving.
    pub seen_leaving: u64,
    /// Those with a socket here whose SYN was retransmitted while no watched interface saw one leave, and nothing here dropped one.
    pub unseen: u64,
    /// Attempts that the filter of the view excludes.
    pub unmatched: u64,
    /// The first owners of such attempts.
    pub unmatched_owners: Vec<Owner>,
    /// Attempts and bindings given up because a table was full.
    pub evicted: u64,
    /// What the attempts say about ports.
    pub infer: Infer,
    /// The same by uplink and period, for address families of which uplinks have different filters, or one that changed.
    pub by_uplink: Vec<Conclusion>,
    /// What the node's own sockets say about ports, where they say something.
    pub of_sockets: Vec<Conclusion>,
    /// Which ports are refused, by address family (IPv4).
    pub refusals: Vec<(bool, Refusals)>,
    /// What else explains the class of ports of an address family (IPv4 or not).
    pub doubts: Vec<(bool, Doubt)>,
}

impl Summary {
    /// Counts an attempt that has ended. It says something about the path only if it may have taken it. Its cause is counted by
    /// [`Summary::caused`], perhaps later, once all evidence is known.
    pub fn ended(&mut self, attempt: &Attempt, judgement: &Judgement, is_of_path: bool) {
        self.attempts += 1;
        if is_of_path {
            self.infer.ended(attempt);
        }
        self.translated += u64::from(attempt.translated.is_some());
        self.flagged_attempts += u64::from(judgement.flagged);
        self.retransmitted_attempts += u64::from(attempt.retransmits > 0);
    }

    /// Counts an attempt that the filter excludes.
    pub fn unmatched(&mut self, owner: Option<&Owner>) {
        const MAX_NAMED_OWNERS: usize = 5;
        self.unmatched += 1;
        if let Some(owner) = owner
            && self.unmatched_owners.len() < MAX_NAMED_OWNERS
            && !self.unmatched_owners.contains(owner)
        {
            self.unmatched_owners.push(owner.clone());
        }
    }

    /// What to say where nothing matches the filter.
    pub fn unmatched_words(&self, filter: &Filter) -> Option<String> {
        if self.attempts > 0 || filter.is_empty() {
            return None;
        }
        let options = filter.options().join(", ");
        let owners: Vec<_> =
            self.unmatched_owners.iter().map(|owner| owner.text().trim_matches('/').to_owned()).collect();
        let names = if !filter.names_owner() {
            String::new()
        } else if owners.is_empty() {
            "; none has a known pod or container".to_owned()
        } else {
            format!(
                "; their owners: {}; a name must match in full, or be a pattern such as checkout-*",
                owners.join(", ")
            )
        };
        // A live capture leaves most of the others in the kernel, so that there were none is not known.
        let seen = match self.unmatched {
            0 => String::new(),
            1 => format!(": 1 other attempt was seen{names}"),
            seen => format!(": {seen} other attempts were seen{names}"),
        };
        Some(format!("no attempt matches {options}{seen}"))
    }

    /// Counts attempts with their cause, all of them retransmitted or none, and how strong the evidence is where they are flagged.
    pub fn caused(&mut self, cause: &'static str, strength: Option<Strength>, counts: Counts) {
        if counts.retransmits > 0 {
            *self.by_cause.entry(cause).or_default() += counts;
        } else {
            *self.failed_by_cause.entry(cause).or_default() += counts.attempts;
        }
        if let Some(strength) = strength.filter(|_| counts.flagged > 0) {
            *self.by_strength.entry(strength).or_default() += counts.flagged;
        }
    }

    /// The evidence that most flagged attempts have; the weaker where two are as many.
    pub fn strength(&self) -> Option<Strength> {
        let attempts = self.by_strength.iter().filter(|&(_, &attempts)| attempts > 0);
        attempts.max_by_key(|&(&strength, &attempts)| (attempts, strength)).map(|(&strength, _)| strength)
    }

    /// Counts what the kernel could not deliver.
    pub fn lost(&mut self, lost: &Lost) {
        for (sum, more) in self.lost.iter_mut().zip(lost.counts) {
            // A damaged trace may claim any number.
            *sum = sum.saturating_add(more);
        }
    }

    /// Which ports the path accepts. Where uplinks have different filters, or one changed, for each uplink and
    /// period: the attempts of all of them together say nothing.
    pub fn conclusions(&self) -> Vec<Conclusion> {
        let is_of = |is_ipv4| move |conclusion: &&Conclusion| conclusion.is_ipv4 == is_ipv4;
        let whole = self.infer.conclusions();
        let of = |is_ipv4| {
            let by_uplink: Vec<_> = self.by_uplink.iter().filter(is_of(is_ipv4)).cloned().collect();
            if by_uplink.is_empty() { whole.iter().filter(is_of(is_ipv4)).cloned().collect() } else { by_uplink }
        };
        let mut conclusions = [of(true), of(false)].concat();
        for (is_ipv4, refusals) in &self.refusals {
            if let Some(conclusion) = conclusions.iter_mut().find(|conclusion| conclusion.is_ipv4 == *is_ipv4) {
                conclusion.refusals = Some(refusals.clone());
            }
        }
        for (is_ipv4, doubt) in &self.doubts {
            let of = conclusions.iter_mut().filter(|it| it.is_ipv4 == *is_ipv4 && it.uplink.is_none());
            of.for_each(|conclusion| conclusion.doubt = conclusion.doubt.or(Some(*doubt)));
        }
        conclusions.extend(self.of_sockets.iter().cloned());
        conclusions
    }

    /// Notes whether the SYN of an attempt that has ended was seen leaving, where interfaces are watched.
    pub fn watched(&mut self, attempt: &Attempt) {
        let is_dropped = attempt.syn_dropped.count > 0 || attempt.send_errors > 0;
        let is_unseen = attempt.syns_leaving == 0 && attempt.retransmits > 0 && attempt.socket_netns.is_some();
        self.seen_leaving += u64::from(attempt.syns_leaving > 0);
        self.unseen += u64::from(is_unseen && !is_dropped);
    }

    /// Whether sockets retransmit while the watched interfaces see no SYN leave at all.
    pub const fn is_blind(&self) -> bool {
        const MIN_UNSEEN: u64 = 5;
        self.seen_leaving == 0 && self.unseen >= MIN_UNSEEN
    }

    /// In words, where SYNs left unseen.
    pub fn unseen_words(&self) -> Option<&'static str> {
        match (self.unseen, self.is_blind()) {
            (0, _) => None,
            (_, true) => Some(
                "retransmitted, and no watched interface saw any SYN leave: name the interface that connections leave through with --iface",
            ),
            (_, false) => Some(
                "retransmitted, and no watched interface saw their SYNs leave: inside a cluster, or by another interface",
            ),
        }
    }

    /// What the kernel could not deliver, by kind.
    pub fn lost_by_kind(&self) -> impl Iterator<Item = (Loss, u64)> + '_ {
        Loss::ALL.into_iter().zip(self.lost).filter(|(loss, _)| loss.is_certain())
    }

    /// Program runs skipped by the kernel's recursion guard. Most would have emitted no event, so this is no count of lost events.
    pub const fn skipped(&self) -> u64 {
        self.lost[Loss::Skipped as usize]
    }

    /// Everything that the kernel could not deliver.
    pub fn lost_total(&self) -> u64 {
        self.lost_by_kind().fold(0, |sum, (_, count)| sum.saturating_add(count))
    }
}

#[cfg(test)]
mod tests {
    use tracer_common::events::Stamp;

    use super::*;
    use crate::model::{example, example::FLAGGED};

    #[test]
    fn a_filter_that_matches_nothing_is_reported_with_names_that_were_seen() {
        let filter = Filter { pod: vec!["chekout-*".to_owned()], ..Filter::default() };
        let mut summary = Summary::default();
        let none = "no attempt matches --pod";
        assert_eq!(summary.unmatched_words(&filter).as_deref(), Some(none));
        for _ in 0..2 {
            summary.unmatched(Some(&Owner::parse("shop/checkout-0/")));
        }
        let named = summary.unmatched_words(&filter).unwrap_or_default();
        assert!(
            named.contains("2 other attempts were seen; their owners: shop/checkout-0; a name must match in full"),
            "{named}"
        );
        assert_eq!(summary.unmatched_words(&Filter::default()), None);
        assert_eq!(Summary { attempts: 1, ..summary }.unmatched_words(&filter), None);
    }

    #[test]
    fn an_attempt_counts_once_whatever_became_of_it() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let mut summary = Summary::default();
        summary.ended(&attempt, &FLAGGED, true);
        summary.ended(&attempt, &Judgement::default(), true);
        let fine = Attempt { retransmits: 0, translated: None, ..attempt.clone() };
        summary.ended(&fine, &Judgement::default(), true);
        assert_eq!((summary.attempts, summary.translated, summary.retransmitted_attempts), (3, 2, 2));
        assert_eq!(summary.flagged_attempts, 1);
    }

    #[test]
    fn causes_are_counted_and_the_evidence_of_what_is_flagged() {
        let mut summary = Summary::default();
        assert_eq!(summary.strength(), None);
        let flagged = |attempts| Counts { attempts, flagged: attempts, retransmits: attempts, ..Counts::default() };
        summary.caused("port_out_of_range", Some(Strength::Proven), flagged(2));
        summary.caused("no_answer", Some(Strength::Contradicted), flagged(1));
        summary.caused("no_answer", None, Counts { attempts: 5, retransmits: 7, ..Counts::default() });
        summary.caused("refused", None, Counts { attempts: 2, ..Counts::default() });
        assert_eq!(summary.failed_by_cause, [("refused", 2)].into());
        assert_eq!((summary.by_cause["no_answer"].attempts, summary.by_cause["port_out_of_range"].attempts), (6, 2));
        assert_eq!(summary.by_strength, [(Strength::Proven, 2), (Strength::Contradicted, 1)].into());
        assert_eq!(summary.strength(), Some(Strength::Proven));
        summary.caused("no_answer", Some(Strength::Contradicted), flagged(1));
        assert_eq!(summary.strength(), Some(Strength::Contradicted));
    }

    #[test]
    fn what_took_another_way_says_nothing_of_the_path() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let (mut inside, mut outside) = (Summary::default(), Summary::default());
        inside.ended(&attempt, &FLAGGED, false);
        outside.ended(&attempt, &FLAGGED, true);
        assert_eq!((inside.attempts, &inside.infer), (1, &Infer::default()));
        assert_ne!(outside.infer, Infer::default());
    }

    #[test]
    fn sockets_that_retransmit_while_nothing_is_seen_leaving_show_a_blind_watch() {
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let unseen = Attempt { syns_leaving: 0, retransmits: 1, socket_netns: Some(7), ..attempt.clone() };
        let mut summary = Summary::default();
        assert_eq!(summary.unseen_words(), None);
        (0..5).for_each(|_| summary.watched(&unseen));
        summary.watched(&Attempt { send_errors: 1, ..unseen.clone() });
        summary.watched(&Attempt { retransmits: 0, ..unseen.clone() });
        assert!(summary.unseen == 5 && summary.is_blind());
        summary.watched(&Attempt { syns_leaving: 1, ..attempt });
        assert!(!summary.is_blind() && summary.unseen_words().is_some());
    }

    #[test]
    fn losses_add_up_and_never_overflow() {
        let stamp = Stamp { time_ns: 0, kind: Lost::KIND, netns: 0 };
        let mut summary = Summary::default();
        summary.lost(&Lost { stamp, counts: [1, 2, 3, 0] });
        summary.lost(&Lost { stamp, counts: [1, 0, u64::MAX, 0] });
        assert_eq!(summary.lost, [2, 2, u64::MAX, 0]);
        assert_eq!(summary.lost_total(), u64::MAX);
        assert_eq!(summary.lost_by_kind().next(), Some((Loss::RingFull, 2)));
    }
}
