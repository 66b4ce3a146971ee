//! What each entry shows: that a translated port was answered, that it was not, or nothing.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::{ConntrackEntry, EntryState, Timeouts};
use crate::evidence::Clients;
use crate::infer::{Conclusion, Infer};
use crate::model::{Attempt, Filter};

/// So many seconds without an answer are more than any round trip takes; before, nothing is said.
pub const MIN_AGE_S: u32 = 2;
/// Where the clock of a table stands, which has ages only. Later than any age, so that no time is negative.
const NOW_S: u64 = 1 << 32;

/// How many entries there were of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EntryCounts {
    /// Of TCP, whatever follows.
    pub entries: u64,
    /// Whose source NAT has not changed: they may take a path without the filter.
    pub untranslated: u64,
    /// That the options leave out.
    pub filtered: u64,
    /// With an answer.
    pub answered: u64,
    /// Without one, long enough.
    pub unanswered: u64,
    /// Whose SYN was sent a moment ago.
    pub in_flight: u64,
    /// Closed without an answer: who gave up, and after how long, is not known.
    pub closed_unanswered: u64,
    /// In a state that says nothing.
    pub other_states: u64,
    /// Of UDP and others.
    pub other_protocols: u64,
    /// Lines of a file that no tool writes.
    pub not_understood: u64,
    /// Connections of a list of events for which there was no room.
    pub not_followed: u64,
}

/// How many entries say something, and why others do not.
impl fmt::Display for EntryCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = if self.entries == 1 { "entry" } else { "entries" };
        let (answered, unanswered) = (self.answered, self.unanswered);
        write!(f, "{} TCP conntrack {entries}: {answered} translated and answered, ", self.entries)?;
        write!(f, "{unanswered} translated and unanswered for at least {MIN_AGE_S} s")?;
        const LINE: &str = "line that conntrack does not write";
        const LINES: &str = "lines that conntrack does not write";
        let silent = [
            (self.untranslated, "not translated, so they may take another path"),
            (self.filtered, "excluded by the options"),
            (self.in_flight, "may still be answered"),
            (
                self.closed_unanswered,
                "closed without an answer, which proves nothing: the client may have given up at once",
            ),
            (self.other_states, "in a state that proves nothing"),
            (self.other_protocols, "not TCP"),
            (self.not_understood, if self.not_understood == 1 { LINE } else { LINES }),
            (self.not_followed, "events of connections for which there was no room"),
        ];
        let mut silent = silent.into_iter().filter(|(count, _)| *count > 0);
        silent.try_for_each(|(count, why)| write!(f, "; {count} {why}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryVerdict {
    Answered,
    Unanswered,
    InFlight,
    ClosedUnanswered,
    Other,
}

/// Everything that the entries say.
#[derive(Debug, Default)]
pub struct Observations {
    pub counts: EntryCounts,
    pub(super) times: Timeouts,
    filter: Filter,
    infer: Infer,
    clients: Clients,
}

impl Observations {
    /// Of the entries that this filter lets through.
    pub fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    pub fn conclusions(&self) -> Vec<Conclusion> {
        let with_doubt = |conclusion: Conclusion| {
            let doubt = conclusion.class().and_then(|class| self.clients.doubt(conclusion.is_ipv4, class));
            Conclusion { doubt, is_of_table: true, ..conclusion }
        };
        self.infer.conclusions().into_iter().map(with_doubt).collect()
    }

    pub(super) fn take(&mut self, entry: &ConntrackEntry) {
        let age = self.times.age(entry);
        let verdict = match (entry.is_replied, entry.state, age) {
            (true, _, _) => EntryVerdict::Answered,
            (false, EntryState::SynSent, Some(age)) if age >= MIN_AGE_S => EntryVerdict::Unanswered,
            (false, EntryState::SynSent, _) => EntryVerdict::InFlight,
            (
                false,
                EntryState::Close
                | EntryState::TimeWait
                | EntryState::LastAck
                | EntryState::CloseWait
                | EntryState::FinWait,
                _,
            ) => EntryVerdict::ClosedUnanswered,
            // Picked up in the middle, or seen in one direction only.
            (false, EntryState::SynRecv | EntryState::Established | EntryState::SynSent2 | EntryState::Other, _) => {
                EntryVerdict::Other
            }
        };
        self.count(entry, verdict, NOW_S - u64::from(age.unwrap_or_default()));
    }

    pub(super) fn count(&mut self, entry: &ConntrackEntry, verdict: EntryVerdict, second: u64) {
        self.counts.entries += 1;
        if !entry.is_translated() {
            self.counts.untranslated += 1;
            return;
        }
        if !self.is_asked_for(entry) {
            self.counts.filtered += 1;
            return;
        }
        let (counter, answered) = match verdict {
            EntryVerdict::Answered => (&mut self.counts.answered, Some(true)),
            EntryVerdict::Unanswered => (&mut self.counts.unanswered, Some(false)),
            EntryVerdict::InFlight => (&mut self.counts.in_flight, None),
            EntryVerdict::ClosedUnanswered => (&mut self.counts.closed_unanswered, None),
            EntryVerdict::Other => (&mut self.counts.other_states, None),
        };
        *counter += 1;
        let Some(answered) = answered else { return };
        self.infer.observe(&entry.translated(), answered, second);
        self.clients.take(&entry.original, &entry.translated(), answered);
    }

    fn is_asked_for(&self, entry: &ConntrackEntry) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let flows = (Some(entry.original), Some(entry.translated()));
        self.filter.matches(&Attempt { original: flows.0, translated: flows.1, ..Attempt::default() }, None)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::conntrack::lines;
    use crate::infer::Verdict as Concluded;

    /// An entry to one of a few servers, from this translated port.
    fn line(port: u16, server: u8, rest: &str) -> String {
        let (state, mark) = rest.split_once(' ').unwrap_or((rest, ""));
        format!(
            "ipv4     2 tcp      6 60 {state} src=10.42.0.5 dst=203.0.113.{server} sport={} dport=443 {mark} src=203.0.113.{server} \
             dst=192.0.2.1 sport=443 dport={port} mark=0 zone=0 use=2\n",
            port ^ 0x5555
        )
    }

    fn of(text: &str) -> Observations {
        let mut observations = Observations::default();
        lines(text.as_bytes(), &mut observations).unwrap();
        observations
    }

    /// Ports all over, of which those below `lowest` fail.
    fn table(lowest: u16, servers: u8) -> String {
        (0..400_u32).fold(String::new(), |mut text, number| {
            let port = (1024 + number * 40_503 % 64_512) as u16;
            let state = if port < lowest { "SYN_SENT [UNREPLIED]" } else { "TIME_WAIT [ASSURED]" };
            let _ = write!(text, "{}", line(port, (number % u32::from(servers)) as u8, state));
            text
        })
    }

    #[test]
    fn a_table_of_a_node_behind_a_filter_names_its_range() {
        let observations = of(&table(32768, 8));
        let [conclusion] = &observations.conclusions()[..] else { unreachable!() };
        let Concluded::Class(class) = &conclusion.verdict else { unreachable!("{conclusion}") };
        assert!((32600..=32768).contains(&class.passes[0].low.from), "{conclusion}");
        assert_eq!((observations.counts.in_flight, observations.counts.entries), (0, 400));
    }

    #[test]
    fn what_proves_nothing_leads_to_no_class() {
        // One server; none that answers; only young ones; only closed ones.
        for text in [
            table(0, 8),
            table(65535, 8).replace("TIME_WAIT [ASSURED]", "SYN_SENT [UNREPLIED]"),
            table(32768, 8).replace(" 60 SYN_SENT", " 119 SYN_SENT"),
            table(32768, 8).replace("SYN_SENT", "CLOSE"),
        ] {
            let found = of(&text).conclusions();
            assert!(found.iter().all(|conclusion| conclusion.class().is_none()), "{found:?}");
        }
        let closed = of(&table(32768, 8).replace("SYN_SENT", "CLOSE")).counts;
        assert!(closed.closed_unanswered > 150 && closed.unanswered == 0, "{closed:?}");
        let young = of(&table(32768, 8).replace(" 60 SYN_SENT", " 119 SYN_SENT")).counts;
        assert!(young.in_flight > 150 && young.unanswered == 0, "{young:?}");
    }

    #[test]
    fn what_was_not_translated_is_counted_apart() {
        let own = "tcp 6 60 SYN_SENT src=192.0.2.1 dst=203.0.113.9 sport=1200 dport=443 [UNREPLIED] src=203.0.113.9 dst=192.0.2.1 \
                   sport=443 dport=1200\n";
        let observations = of(own);
        assert_eq!((observations.counts.untranslated, observations.counts.unanswered), (1, 0));
        assert!(observations.conclusions().is_empty());
    }

    #[test]
    fn one_destination_is_not_enough() {
        let found = of(&table(32768, 1)).conclusions();
        assert!(matches!(found[0].verdict, Concluded::OneDestination(_)), "{}", found[0]);
    }

    #[test]
    fn events_are_followed_to_their_end() {
        let mut text = String::new();
        for number in 0..400_u32 {
            let (port, server) = ((1024 + number * 40_503 % 64_512) as u16, (number % 8) as u8);
            let event = |name: &str, rest: &str, second: u32| {
                let line = line(port, server, rest).replace("ipv4     2 ", "");
                format!("[{}.5]\t {name} {line}", 1_700_000_000 + second)
            };
            text += &event("[NEW]", "SYN_SENT [UNREPLIED]", number / 10);
            if port >= 32768 {
                text += &event("[UPDATE]", "SYN_RECV", number / 10);
                text += &event("[UPDATE]", "ESTABLISHED [ASSURED]", number / 10);
            } else if number % 2 == 0 {
                text += &event("[DESTROY]", "[UNREPLIED]", 120 + number / 10).replace(" 60 ", " ");
            }
        }
        let observations = of(&text);
        assert!(observations.conclusions()[0].class().is_some(), "{}", observations.conclusions()[0]);
        assert_eq!((observations.counts.entries, observations.counts.in_flight), (400, 0));
        let without_times: String =
            text.lines().map(|line| line.split_once('\t').unwrap().1.to_owned() + "\n").collect();
        let counts = of(&without_times).counts;
        assert!(counts.in_flight > 50, "their age is unknown: {counts:?}");
    }
}
