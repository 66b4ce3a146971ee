//! The counts that `top` shows, as soon as they are known: an attempt that fails takes minutes to end.

use std::collections::VecDeque;
use std::io;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::model::{Capture, EndedAttempt, Finding, Judgement, Owner, Strength};
use crate::outputs::{Moment, Observer};
use crate::tally::{Answer, PortAnswers, Progress};

/// Rows of a table; what comes later is in none.
const MAX_ROWS: usize = 10_000;
/// The running share is that of so long.
const WINDOW_NS: u64 = 60 * 1_000_000_000;

/// What a row counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowCounts {
    /// Attempts that ended without a retransmit.
    pub(super) fine: u64,
    /// Attempts whose SYN was retransmitted.
    pub(super) retransmitted: u64,
    pub(super) flagged: u64,
    pub(super) retransmits: u64,
}

impl RowCounts {
    /// Attempts.
    pub(super) const fn attempts(self) -> u64 {
        self.fine + self.retransmitted
    }

    fn add(&mut self, other: Self) {
        self.fine += other.fine;
        self.retransmitted += other.retransmitted;
        self.flagged += other.flagged;
        self.retransmits += other.retransmits;
    }

    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            fine: self.fine - earlier.fine,
            retransmitted: self.retransmitted - earlier.retransmitted,
            flagged: self.flagged - earlier.flagged,
            retransmits: self.retransmits - earlier.retransmits,
        }
    }
}

pub(super) type Rows = HashMap<String, RowCounts, FixedState>;

/// What `top` shows.
#[derive(Debug, Default)]
pub struct TopCounts {
    pub(super) capture: Option<Capture>,
    pub(super) all: RowCounts,
    pub(super) pods: Rows,
    pub(super) destinations: Rows,
    pub(super) progress: Progress,
    pub(super) ports: [PortAnswers; 2],
    pub(super) open: u64,
    pub(super) is_blind: bool,
    has_watched: bool,
    pub(super) first_ns: Option<u64>,
    pub(super) now_ns: u64,
    /// Evidence by address family, the newest.
    pub(super) evidence: Vec<(&'static str, Strength)>,
    /// The counts of some moments in the last minute.
    past: VecDeque<(u64, RowCounts)>,
}

impl TopCounts {
    /// What happened in the last minute.
    pub(super) fn recent(&self) -> RowCounts {
        self.past.front().map_or(self.all, |(_, before)| self.all.since(*before))
    }

    fn count(&mut self, owner: Option<&Owner>, attempt: &crate::model::Attempt, counts: RowCounts) {
        self.all.add(counts);
        add(&mut self.pods, || owner.map_or_else(|| "-".to_owned(), Owner::label), counts);
        if let Some(flow) = attempt.original.or(attempt.translated) {
            let (address, port) = (flow.dst_addr(), flow.dst_port);
            add(&mut self.destinations, || std::net::SocketAddr::new(address, port).to_string(), counts);
        }
    }

    /// Counts the translated port.
    fn port(&mut self, attempt: &crate::model::Attempt, count: impl Fn(&mut PortAnswers, u16)) {
        if let Some(flow) = attempt.translated {
            count(&mut self.ports[usize::from(!flow.is_ipv4())], flow.src_port);
        }
    }
}

fn add(rows: &mut Rows, key: impl FnOnce() -> String, counts: RowCounts) {
    let key = key();
    if let Some(row) = rows.get_mut(&key) {
        row.add(counts);
    } else if rows.len() < MAX_ROWS {
        rows.insert(key, counts);
    }
}

impl Observer for TopCounts {
    fn judged(&mut self, finding: &Finding<'_>, before: &Judgement) {
        let is_first = before.cause.is_none();
        let counts = RowCounts {
            fine: 0,
            retransmitted: u64::from(is_first),
            flagged: u64::from(finding.judgement.flagged && !before.flagged),
            retransmits: u64::from(!finding.is_repeated),
        };
        self.count(finding.owner, finding.attempt, counts);
        if is_first {
            self.port(finding.attempt, |ports, port| ports.add(port, Answer::Unanswered));
        }
    }

    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        if ended.attempt.retransmits == 0 {
            self.count(ended.owner, ended.attempt, RowCounts { fine: 1, ..RowCounts::default() });
        }
        if Answer::of(ended.attempt) == Answer::Answered {
            let was_unanswered = ended.attempt.retransmits > 0;
            self.port(ended.attempt, |ports, port| match was_unanswered {
                true => ports.answered_later(port),
                false => ports.add(port, Answer::Answered),
            });
        }
        Ok(())
    }

    fn tick(&mut self, moment: &Moment<'_>) {
        let now_ns = moment.tick.time_ns;
        self.capture.get_or_insert_with(|| moment.capture.clone());
        self.first_ns.get_or_insert(now_ns);
        (self.now_ns, self.open) = (now_ns, moment.tick.open);
        // Older traces do not say which interfaces are watched.
        self.has_watched |= !moment.is_blind;
        self.is_blind = moment.is_blind && self.has_watched;
        self.progress = *moment.progress;
        if self.past.back().is_some_and(|(at_ns, _)| now_ns.saturating_sub(*at_ns) < WINDOW_NS / 60) {
            return;
        }
        self.past.push_back((now_ns, self.all));
        while self.past.len() > 1 && self.past.front().is_some_and(|(at, _)| now_ns.saturating_sub(*at) > WINDOW_NS) {
            self.past.pop_front();
        }
        let policies = moment.evidence.policies();
        self.evidence = policies
            .into_iter()
            .filter_map(|(path, of)| {
                let strength = of.value.iter().map(|side| side.assessment.strength()).min()?;
                Some((if path.is_ipv4 { "IPv4" } else { "IPv6" }, strength))
            })
            .collect();
    }
}
