//! How much of a trace could be read, and what was damaged. Commands show it, nothing is skipped in silence.

use crate::model::plural;
use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    pub files: u64,
    /// Those whose recorder did not finish them: killed, disk full, or still recording.
    pub unfinished: u64,
    pub blocks: u64,
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
    pub packets: u64,
    /// Packets that the capturing program lost, by its own count.
    pub dropped_packets: u64,
    /// Packets that were cut (snaplen) before the end of the headers that are read.
    pub cut_packets: u64,
    /// SYNs that are copies of others: from both sides of a bridge, or a mirror.
    pub duplicate_syns: u64,
    /// SYNs of captures without any SYN-ACK or RST.
    pub unanswerable_syns: u64,
    /// Packets with an earlier time than one before them.
    pub out_of_order: u64,
    /// Times that fell back so far that the clock must have been set.
    pub clock_steps: u64,
    /// Largest time of a block read, nanoseconds since boot of its node.
    pub last_ns: u64,
}

impl ReadReport {
    /// Whether there is something to say but how much was read.
    pub fn has_notes(&self) -> bool {
        self.unfinished > 0 || self.notes().iter().any(|&(count, _)| count > 0)
    }

    pub fn add(&mut self, other: &Self) {
        let mut other = *other;
        self.sums().into_iter().zip(other.sums()).for_each(|(sum, more)| *sum += *more);
        self.last_ns = self.last_ns.max(other.last_ns);
    }

    #[rustfmt::skip]
    fn sums(&mut self) -> [&mut u64; 17] {
        let Self {
            files, unfinished, blocks, events, damaged_blocks, damaged_events, skipped_bytes, torn_bytes, unknown_events, missing_parts,
            packets, dropped_packets, cut_packets, duplicate_syns, unanswerable_syns, out_of_order, clock_steps, last_ns: _,
        } = self;
        [
            files, unfinished, blocks, events, damaged_blocks, damaged_events, skipped_bytes, torn_bytes, unknown_events, missing_parts,
            packets, dropped_packets, cut_packets, duplicate_syns, unanswerable_syns, out_of_order, clock_steps,
        ]
    }

    fn notes(&self) -> [(u64, &'static str); 12] {
        [
            (self.damaged_blocks, "damaged blocks skipped"),
            (self.damaged_events, "events known to be lost in them"),
            (self.skipped_bytes, "damaged bytes skipped"),
            (self.torn_bytes, "bytes of an incomplete block at the end left out"),
            (self.unknown_events, "events of a newer version skipped"),
            (self.missing_parts, "parts missing in between"),
            (self.dropped_packets, "packets lost by the program that captured them"),
            (self.cut_packets, "packets cut inside their headers"),
            (self.duplicate_syns, "copies of SYNs left out"),
            (
                self.unanswerable_syns,
                "SYNs and no SYN-ACK or RST: if the capture filter excluded them, unanswered SYNs prove nothing",
            ),
            (self.out_of_order, "packets out of order"),
            (self.clock_steps, "steps back of the clock"),
        ]
    }
}

impl fmt::Display for ReadReport {
    /// One line, with only those counts that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.packets {
            0 => write!(f, "read {} in {}", plural(self.events, "event"), plural(self.blocks, "block"))?,
            packets => write!(f, "read {}", plural(packets, "packet"))?,
        }
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
