//! What the user of `top` has chosen, and what keys do to it. Pure.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::counts::{RowCounts, TopCounts};

/// What the table is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    #[default]
    Pods,
    Destinations,
    Causes,
}

/// What rows are ordered by, the largest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Flagged,
    Retransmitted,
    Attempts,
    Name,
}

impl Tab {
    pub(super) const ALL: [Self; 3] = [Self::Pods, Self::Destinations, Self::Causes];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Pods => "PODS AND CONTAINERS",
            Self::Destinations => "DESTINATIONS",
            Self::Causes => "CAUSES",
        }
    }
}

impl Sort {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::Retransmitted => "retransmitted",
            Self::Attempts => "attempts",
            Self::Name => "name",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Flagged => Self::Retransmitted,
            Self::Retransmitted => Self::Attempts,
            Self::Attempts => Self::Name,
            Self::Name => Self::Flagged,
        }
    }
}

/// What the user has chosen.
#[derive(Debug, Default)]
pub(super) struct ScreenState {
    pub(super) tab: Tab,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) is_typing: bool,
    pub(super) has_help: bool,
    pub(super) is_ipv6: bool,
    pub(super) selected: usize,
    pub(super) is_over: bool,
}

impl ScreenState {
    /// Does what a key says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "keys of a keyboard: most mean nothing here")]
    pub(super) fn key(&mut self, key: KeyEvent) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => self.is_over = true,
            KeyCode::Enter | KeyCode::Esc if self.is_typing => self.is_typing = false,
            KeyCode::Backspace if self.is_typing => drop(self.filter.pop()),
            KeyCode::Char(char) if self.is_typing => self.filter.push(char),
            _ if self.has_help => self.has_help = false,
            KeyCode::Char('q') | KeyCode::F(10) => self.is_over = true,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.has_help = true,
            KeyCode::Char('/') | KeyCode::F(4) => (self.is_typing, self.filter) = (true, String::new()),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('s') | KeyCode::F(6) => self.sort = self.sort.next(),
            KeyCode::Char('6') => self.is_ipv6 = !self.is_ipv6,
            KeyCode::Right | KeyCode::Tab | KeyCode::Char('l') => self.turn(1),
            KeyCode::Left | KeyCode::BackTab => self.turn(Tab::ALL.len() - 1),
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected += 10,
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            _ => {}
        }
    }

    fn turn(&mut self, by: usize) {
        let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or_default();
        (self.tab, self.selected) = (Tab::ALL[(at + by) % Tab::ALL.len()], 0);
    }

    /// The rows that the filter lets through, in order; the selection stays within them.
    pub(super) fn rows(&mut self, counts: &TopCounts) -> Vec<(String, RowCounts)> {
        let mut rows: Vec<_> = match self.tab {
            Tab::Pods => counts.pods.iter().map(|(name, row)| (name.clone(), *row)).collect(),
            Tab::Destinations => counts.destinations.iter().map(|(name, row)| (name.clone(), *row)).collect(),
            Tab::Causes => {
                let causes = counts.progress.causes().filter(|(_, retransmits)| *retransmits > 0);
                let row = |retransmits| RowCounts { retransmits, ..RowCounts::default() };
                causes.map(|(cause, retransmits)| (cause.replace('_', " "), row(retransmits))).collect()
            }
        };
        rows.retain(|(name, _)| name.contains(&self.filter));
        let key = |row: &RowCounts| match self.sort {
            Sort::Flagged => [row.flagged, row.retransmitted, row.retransmits],
            Sort::Retransmitted => [row.retransmitted, row.retransmits, row.flagged],
            Sort::Attempts => [row.attempts(), row.retransmits, row.flagged],
            Sort::Name => [0; 3],
        };
        rows.sort_unstable_by(|(one, a), (other, b)| key(b).cmp(&key(a)).then_with(|| one.cmp(other)));
        self.selected = self.selected.min(rows.len().saturating_sub(1));
        rows
    }
}
