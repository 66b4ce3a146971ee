//! Bytes of a trace with a look ahead: a frame is only left behind once it is known to be good or bad.

use std::io::{self, Read};

/// Bytes asked for at once; at first fewer, since of thousands of files only the beginning may be needed.
const CHUNK: usize = 256 << 10;
const FIRST_CHUNK: usize = 4 << 10;

pub struct Input {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at: u64,
}

impl Input {
    pub fn new(source: Box<dyn Read + Send>) -> Self {
        Self::starting_at(source, 0)
    }

    /// Reads from `source`, which begins at this position in its file.
    pub fn starting_at(source: Box<dyn Read + Send>, at: u64) -> Self {
        Self { source, buffer: Vec::new(), start: 0, end: 0, at }
    }

    /// Position in the file of what comes next.
    pub const fn at(&self) -> u64 {
        self.at
    }

    pub fn ahead(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads until `n` bytes are ahead, or the source ends. Waits for no more than that: the source may be a live pipe.
    pub fn fill(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.end - self.start < n {
            self.make_room(n);
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.ahead())
    }

    /// Leaves `n` bytes behind.
    pub fn skip(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.at += n as u64;
    }

    fn make_room(&mut self, n: usize) {
        if self.start > 0 && (self.start == self.end || self.start + n > self.buffer.len()) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let wanted = (self.buffer.len() * 2).clamp(FIRST_CHUNK, CHUNK).max(n);
        if self.buffer.len() < wanted {
            // With some more, or each byte skipped would have everything copied.
            let mut larger = vec![0; wanted.max(n + n / 4)];
            larger[..self.end].copy_from_slice(&self.buffer[..self.end]);
            self.buffer = larger;
        }
    }
}
