//! What metrics are made of, for every way to get them.

use anyhow::Result;

use super::board::Board;
use super::conntrack::ConntrackFiles;
use super::families;

/// What metrics are made of.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) board: Board,
    pub(super) conntrack: ConntrackFiles,
}

impl Export {
    /// All metrics; those of the process only for a scrape, for node_exporter has its own of the same names.
    pub(super) fn text(&self, with_process: bool) -> Result<String> {
        let snapshot = self.board.load();
        families::text(snapshot.as_ref().map(|(_, snapshot)| &**snapshot), &self.conntrack.read(), with_process)
    }
}
