//! Packet captures of one node as events: what TC would have reported of the same packets.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;

use tracer_common::Event;
use tracer_common::events::{Stamp, Tick};

use super::events::PacketEvents;
use super::file::PacketFile;
use super::header::{self, Known};
use super::look::{Look, Packet};
use super::observation::{ObservedPacket, PacketKind};
use super::open::UnpackedFile;
use super::record::PacketRecord;
use super::sides::Sides;
use crate::model::Capture;
use crate::store::{Error, ReadReport, Recording};

/// What is looked at before the first event: so many observations, or all of so much time.
const MAX_HELD: usize = 32_768;
const HELD_NS: u64 = 10_000_000_000;
const TICK_NS: u64 = 50_000_000;
/// Times that fall back by more are a step of the clock; else packets are out of order.
const CLOCK_STEP_NS: u64 = 10_000_000_000;
/// Events that follow from one packet at most, but for those of new interfaces.
const EVENTS_OF_PACKET: usize = 4;

/// What the user says of packet captures.
#[derive(Clone, Debug, Default)]
pub struct PacketOptions {
    pub node: Vec<IpAddr>,
}

struct PacketInput {
    file: PacketFile,
    file_name: String,
    next: Option<PacketRecord>,
}

pub struct Packets {
    inputs: Vec<PacketInput>,
    capture: Capture,
    look: Look,
    events: PacketEvents,
    /// What was observed and is not an event yet
    held: VecDeque<ObservedPacket>,
    newest_ns: u64,
    ticked_ns: u64,
    /// Of all observations.
    syns: u64,
    has_answer: bool,
    report: ReadReport,
    has_ended: bool,
}

impl Packets {
    pub fn new(files: Vec<UnpackedFile>, options: &PacketOptions) -> Result<Self, Error> {
        let open = |unpacked| -> Result<PacketInput, Error> {
            let mut file = PacketFile::new(unpacked)?;
            let file_name = file.name().file_name().unwrap_or_default().to_string_lossy();
            let file_name = file_name.split('.').next().unwrap_or_default().to_owned();
            Ok(PacketInput { next: file.next()?, file, file_name })
        };
        let mut inputs = files.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        // The order in which they were named does not matter.
        inputs.sort_by(|a, b| a.file.name().cmp(b.file.name()));
        let mut packets = Self {
            inputs,
            capture: header::capture(&Known::default()),
            look: Look::new(Sides::new(&options.node)),
            events: PacketEvents::default(),
            held: VecDeque::new(),
            newest_ns: 0,
            ticked_ns: 0,
            syns: 0,
            has_answer: false,
            report: ReadReport::default(),
            has_ended: false,
        };
        packets.look_ahead(options)?;
        Ok(packets)
    }

    /// Reads until it is known which way SYNs go.
    fn look_ahead(&mut self, options: &PacketOptions) -> Result<(), Error> {
        let (mut first_ns, mut says_direction) = (None, true);
        while self.held.len() < MAX_HELD && self.read_packet()? {
            if let Some(syn) =
                self.held.back().filter(|newest| newest.kind == PacketKind::Syn && newest.direction.is_none())
            {
                says_direction = false;
                self.look.sides.count(&syn.flow);
            }
            if self.newest_ns.saturating_sub(*first_ns.get_or_insert(self.newest_ns)) > HELD_NS {
                break;
            }
        }
        let assumed = if says_direction { Vec::new() } else { self.look.sides.assume_node() };
        let has_both_sides = self.look.sides.has_both();
        let is_node_given = !options.node.is_empty();
        let node = if is_node_given { options.node.clone() } else { assumed };
        self.capture = header::capture(&Known {
            files: self.inputs.iter().map(|input| input.file.name()).collect(),
            system: self.inputs.iter().find_map(|input| input.file.system()),
            node: if has_both_sides { Vec::new() } else { node },
            is_node_given,
            has_both_sides,
        });
        Ok(())
    }

    /// Looks at the next packet of all files, by time; `false` at the end.
    fn read_packet(&mut self) -> Result<bool, Error> {
        let times = self.inputs.iter().enumerate().filter_map(|(at, input)| Some((input.next.as_ref()?.time_ns, at)));
        let Some((time_ns, at)) = times.min() else { return Ok(false) };
        self.note_time(time_ns);
        let Some(PacketInput { file, file_name, next }) = self.inputs.get_mut(at) else { return Ok(false) };
        if let Some(record) = next.as_ref()
            && let Some(interface) = file.interface(record.interface)
        {
            #[expect(clippy::cast_possible_truncation, reason = "nobody names so many files")]
            let packet = Packet { record, data: file.data(record), file: at as u32, interface, file_name };
            if let Some(observation) = self.look.look(&packet) {
                match observation.kind {
                    PacketKind::Syn => self.syns += 1,
                    PacketKind::SynAck | PacketKind::Refusal => self.has_answer = true,
                    PacketKind::Reset | PacketKind::Unreachable | PacketKind::Stray | PacketKind::Continues => {}
                }
                self.held.push_back(observation);
            }
        }
        *next = file.next()?;
        Ok(true)
    }

    fn note_time(&mut self, time_ns: u64) {
        match self.newest_ns.checked_sub(time_ns) {
            None | Some(0) => self.newest_ns = time_ns,
            Some(back_ns) if back_ns > CLOCK_STEP_NS => {
                self.report.clock_steps += 1;
                self.newest_ns = time_ns;
                self.ticked_ns = time_ns;
            }
            Some(_) => self.report.out_of_order += 1,
        }
    }

    /// Tells what was observed, or reads on; `false` at the end.
    fn step(&mut self, push: &mut impl FnMut(Event)) -> Result<bool, Error> {
        if let Some(event) = self.look.new_interfaces.pop_front() {
            push(event);
            return Ok(true);
        }
        if let Some(observation) = self.held.pop_front() {
            self.tick(observation.time_ns, push);
            self.events.push(&observation, &self.look.sides, push);
            return Ok(true);
        }
        let is_more = self.read_packet()?;
        if self.held.is_empty() {
            self.tick(self.newest_ns, push);
        }
        Ok(is_more)
    }

    fn tick(&mut self, time_ns: u64, push: &mut impl FnMut(Event)) {
        if time_ns.saturating_sub(self.ticked_ns) >= TICK_NS {
            self.ticked_ns = time_ns;
            push(Event::from(Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }));
        }
    }

    /// Whether the next packet has to be waited for.
    fn may_wait(&self) -> bool {
        self.held.is_empty() && self.inputs.iter().any(|input| input.file.is_drained())
    }

    fn end(&mut self, done: &mut Vec<(PathBuf, ReadReport)>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let Look { duplicates, cut, .. } = self.look;
        let unanswerable_syns = if self.has_answer { 0 } else { self.syns };
        let mut of_all = ReadReport { duplicate_syns: duplicates, cut_packets: cut, unanswerable_syns, ..self.report };
        for input in &self.inputs {
            // What is known of all files together is said with the first.
            let mut report = std::mem::take(&mut of_all);
            report.add(&input.file.report);
            done.push((input.file.name().to_owned(), report));
        }
    }
}

impl Recording for Packets {
    fn capture(&self) -> &Capture {
        &self.capture
    }

    fn position(&self) -> u64 {
        self.inputs.iter().map(|input| input.file.position()).sum()
    }

    fn read(
        &mut self,
        max: usize,
        label: u32,
        batch: &mut Vec<(u32, Event)>,
        done: &mut Vec<(PathBuf, ReadReport)>,
    ) -> Result<bool, Error> {
        let before = batch.len();
        while batch.len() - before + EVENTS_OF_PACKET <= max.max(EVENTS_OF_PACKET) {
            if batch.len() > before && self.may_wait() {
                break;
            }
            if !self.step(&mut |event| batch.push((label, event)))? {
                self.report.events += (batch.len() - before) as u64;
                self.report.last_ns = self.newest_ns;
                self.end(done);
                return Ok(batch.len() > before);
            }
        }
        self.report.events += (batch.len() - before) as u64;
        Ok(true)
    }
}
