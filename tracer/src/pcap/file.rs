//! One file with packets: one packet after the other, past what is damaged, in bounded memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::classic::{self, Classic};
use super::open::UnpackedFile;
use super::pcapng::{self, Block, Pcapng};
use super::record::{CapturedInterface, PacketRecord};
use crate::store::{Error, Input, ReadReport};

#[derive(Debug)]
enum Format {
    Pcap(Classic),
    Pcapng(Pcapng),
}

pub struct PacketFile {
    name: PathBuf,
    input: Input,
    position: Arc<AtomicU64>,
    is_cut: Arc<AtomicBool>,
    format: Format,
    /// All that were described so far
    interfaces: Vec<CapturedInterface>,
    /// Bytes of the record in use
    used: usize,
    last_ns: u64,
    dropped: BTreeMap<usize, u64>,
    pub report: ReadReport,
}

impl PacketFile {
    pub fn new(unpacked: UnpackedFile) -> Result<Self, Error> {
        let UnpackedFile { name, bytes, position, is_cut } = unpacked;
        let mut input = Input::new(bytes);
        let failed = |reason| Error::Read { path: name.clone(), reason };
        let damaged =
            || Error::DamagedHead { path: name.clone(), what: "its first bytes are damaged or cut off".to_owned() };
        let start = input.fill(classic::HEADER_LEN).map_err(failed)?;
        let mut interfaces = Vec::new();
        let format = if start.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            Format::Pcapng(Pcapng::default())
        } else {
            let (classic, interface) = Classic::new(start).ok_or_else(damaged)?;
            interfaces.push(interface);
            input.skip(classic::HEADER_LEN);
            Format::Pcap(classic)
        };
        let (dropped, report) = (BTreeMap::new(), ReadReport::default());
        Ok(Self { name, input, position, is_cut, format, interfaces, used: 0, last_ns: 0, dropped, report })
    }

    pub fn name(&self) -> &Path {
        &self.name
    }

    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Whether more has to be read from the file for the packet after the newest.
    pub fn is_drained(&self) -> bool {
        self.input.ahead().len() <= self.used
    }

    /// What the file says of the system it was captured on.
    pub fn system(&self) -> Option<&str> {
        match &self.format {
            Format::Pcap(_) => None,
            Format::Pcapng(pcapng) => pcapng.system.as_deref(),
        }
    }

    pub fn interface(&self, number: usize) -> Option<&CapturedInterface> {
        self.interfaces.get(number)
    }

    /// The packet of the newest record.
    pub fn data(&self, record: &PacketRecord) -> &[u8] {
        self.input.ahead().get(record.data.clone()).unwrap_or_default()
    }

    /// The next packet, in place of the one before; `None` at the end.
    pub fn next(&mut self) -> Result<Option<PacketRecord>, Error> {
        self.input.skip(std::mem::take(&mut self.used));
        loop {
            let head_len = self.head_len();
            let head = self.fill(head_len)?;
            if head.is_empty() {
                self.end(0);
                return Ok(None);
            }
            if head.len() < head_len {
                return Ok(self.torn());
            }
            let Some(len) = self.len() else {
                if self.find()? {
                    continue;
                }
                return Ok(None);
            };
            if self.fill(len)?.len() < len {
                return Ok(self.torn());
            }
            match self.parse(len) {
                Block::Packet(record) => {
                    self.used = len;
                    self.last_ns = record.time_ns;
                    self.report.packets += 1;
                    return Ok(Some(record));
                }
                Block::Other => self.input.skip(len),
                Block::Dropped { interface, count } => {
                    self.dropped.insert(interface, count);
                    self.report.dropped_packets =
                        self.dropped.values().fold(0, |sum, &count| sum.saturating_add(count));
                    self.input.skip(len);
                }
                Block::Damaged => {
                    if !self.find()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    const fn head_len(&self) -> usize {
        match &self.format {
            Format::Pcap(classic) => classic.head_len(),
            Format::Pcapng(_) => pcapng::HEAD_LEN,
        }
    }

    fn len(&self) -> Option<usize> {
        let head = self.input.ahead();
        match &self.format {
            Format::Pcap(classic) => classic.len(head),
            Format::Pcapng(pcapng) => pcapng.len(head),
        }
    }

    fn parse(&mut self, len: usize) -> Block {
        let record = self.input.ahead().get(..len).unwrap_or_default();
        match &mut self.format {
            Format::Pcap(classic) => classic.parse(record).map_or(Block::Damaged, Block::Packet),
            Format::Pcapng(pcapng) if !pcapng.is_whole(record) => Block::Damaged,
            Format::Pcapng(pcapng) => pcapng.parse(record, &mut self.interfaces, self.last_ns),
        }
    }

    /// Skips to what may be the next record; `false`, and everything skipped, if there is none.
    fn find(&mut self) -> Result<bool, Error> {
        let (from, head_len) = (self.input.at(), self.head_len());
        loop {
            self.input.skip(1);
            if self.fill(head_len)?.len() < head_len {
                self.input.skip(head_len);
                self.report.skipped_bytes += self.input.at() - from;
                self.end(0);
                return Ok(false);
            }
            if self.may_follow()? {
                self.report.skipped_bytes += self.input.at() - from;
                return Ok(true);
            }
        }
    }

    /// Whether a record may begin here, and another one, or the end of the file, follows it.
    fn may_follow(&mut self) -> Result<bool, Error> {
        let (head, head_len, last_ns) = (self.input.ahead(), self.head_len(), self.last_ns);
        let is_head = match &self.format {
            Format::Pcap(classic) => classic.may_follow(head, last_ns),
            Format::Pcapng(pcapng) => pcapng.may_follow(head),
        };
        let Some(len) = self.len().filter(|_| is_head) else { return Ok(false) };
        let ahead = self.fill(len + head_len)?;
        let Some((record, next)) = ahead.split_at_checked(len) else { return Ok(false) };
        let (record, next) = (record.len(), next.len());
        let ahead = self.input.ahead();
        let (record, next) = (&ahead[..record], &ahead[record..record + next]);
        Ok(match &self.format {
            Format::Pcap(classic) => next.is_empty() || classic.may_follow(next, last_ns),
            Format::Pcapng(pcapng) => pcapng.is_whole(record),
        })
    }

    fn torn(&mut self) -> Option<PacketRecord> {
        let bytes = self.input.ahead().len();
        self.input.skip(bytes);
        self.end(bytes as u64);
        None
    }

    /// The file ends, with so many bytes that are no record.
    fn end(&mut self, torn_bytes: u64) {
        self.report.files = 1;
        self.report.torn_bytes += torn_bytes;
        self.report.unfinished = u64::from(self.is_cut.load(Ordering::Relaxed));
    }

    fn fill(&mut self, n: usize) -> Result<&[u8], Error> {
        let name = &self.name;
        self.input.fill(n).map_err(|reason| Error::Read { path: name.clone(), reason })
    }
}
