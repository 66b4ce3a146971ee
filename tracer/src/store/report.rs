//! How much of a trace could be read, and what was damaged. Commands show it, nothing is skipped in silence.

use std::fmt;

/// Counts of one file, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Files read to their end.
    pub files: u64,
    /// Those whose recorder did not finish them: killed, disk full, or still recording.
    pub unfinished: u64,
    /// Blocks of events read.
    pub blocks: u64,
    /// Events read.
    pub events: u64,
    /// Blocks that were damaged or missing and were skipped.
    pub damaged_blocks: u64,
    /// Events in them, as far as readable headers count them.
    pub damaged_events: u64,
    /// Bytes that were skipped because of damage between readable frames.
    pub skipped_bytes: u64,
    /// Bytes at the end that are no complete frame.
    pub torn_bytes: u64,
    /// Events of kinds that a newer snatrace wrote.
    pub unknown_events: u64,
    /// Parts of a recording that are missing between others.
    pub missing_parts: u64,
    /// Largest time of a block read, nanoseconds since boot of its node.
    pub last_ns: u64,
}

impl ReadReport {
    /// Whether everything was read and understood. A file that was not finished is no damage.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.damaged_blocks == 0
            && self.skipped_bytes == 0
            && self.torn_bytes == 0
            && self.unknown_events == 0
            && self.missing_parts == 0
    }

    /// Adds the counts of another file.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.unfinished += other.unfinished;
        self.blocks += other.blocks;
        self.events += other.events;
        self.damaged_blocks += other.damaged_blocks;
        self.damaged_events += other.damaged_events;
        self.skipped_bytes += other.skipped_bytes;
        self.torn_bytes += other.torn_bytes;
        self.unknown_events += other.unknown_events;
        self.missing_parts += other.missing_parts;
        self.last_ns = self.last_ns.max(other.last_ns);
    }

    fn notes(&self) -> [(u64, &'static str); 6] {
        [
            (self.damaged_blocks, "damaged blocks skipped"),
            (self.damaged_events, "events known to be lost in them"),
            (self.skipped_bytes, "damaged bytes skipped"),
            (self.torn_bytes, "bytes of an incomplete block at the end left out"),
            (self.unknown_events, "events of a newer version skipped"),
            (self.missing_parts, "parts missing in between"),
        ]
    }
}

impl fmt::Display for ReadReport {
    /// One line, with only those counts that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {} events in {} blocks", self.events, self.blocks)?;
        for (count, what) in self.notes() {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if self.unfinished > 0 {
            f.write_str(", the recorder did not finish (killed, disk full, or still recording)")?;
        }
        Ok(())
    }
}
