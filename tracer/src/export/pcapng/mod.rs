//! Packets as pcapng for Wireshark: those that hooks saw, rebuilt, each with the verdict on its attempt as a comment.
//!
//! A packet waits until its attempt has ended, and packets are written in the order of time.

mod blocks;
mod rebuilt;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::rc::Rc;

use foldhash::fast::FixedState;
use tracer_common::events::WIRE_EGRESS;
use tracer_common::{Event, Flow};

use self::blocks::{ARRIVED, LEFT, PacketBlock};
use self::rebuilt::Seen;
use super::file::Target;
use crate::model::{Capture, Clock, EndedAttempt, Strength};
use crate::outputs::Observer;
use crate::outputs::escape::Escaped;

/// Packets that wait in memory; beyond that, the oldest are given up.
const MAX_WAITING: usize = 1 << 20;
/// A packet that has waited longer belongs to no attempt that is exported: even one that nobody answers is over by then.
const MAX_WAIT_NS: u64 = 300_000_000_000;
const COMMENT: &str = "rebuilt by snatrace from the events of a trace: addresses, ports, sequence numbers of SYNs and flags are \
                       those that were seen, all else is not";

/// A packet's place: time in nanoseconds since 1970, and a number where several have the same time.
type Place = (u64, u64);

pub struct Packets {
    captures: Vec<Capture>,
    /// Also of attempts that are not flagged.
    all: bool,
    out: Target,
    waiting: BTreeMap<Place, WaitingPacket>,
    /// By tuple and ISN of the SYN.
    attempts: HashMap<(Flow, u32), Vec<Place>, FixedState>,
    /// What each interface is called, by node and number.
    names: HashMap<(u32, u32), String, FixedState>,
    interfaces: HashMap<HookInterface, u32, FixedState>,
    seen: u64,
    newest_ns: u64,
    written: PacketCounts,
}

/// How many packets became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts {
    pub packets: u64,
    /// Given up, because too many waited for the end of an attempt.
    pub given_up: u64,
}

struct WaitingPacket {
    interface: HookInterface,
    seen: Seen,
    direction: u32,
    /// Once its attempt has ended.
    comment: Option<Rc<str>>,
}

/// Each hook is an interface, and `wire` one for each that it watches.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct HookInterface {
    node: u32,
    hook: &'static str,
    ifindex: u32,
}

impl Packets {
    /// Begins the file.
    pub fn new(path: &Path, captures: &[Capture], all: bool) -> anyhow::Result<Self> {
        let mut out = Target::create(path, false)?;
        blocks::section(&mut out, COMMENT, concat!("snatrace ", env!("CARGO_PKG_VERSION")))?;
        Ok(Self {
            captures: captures.to_vec(),
            all,
            out,
            waiting: BTreeMap::new(),
            attempts: HashMap::default(),
            names: HashMap::default(),
            interfaces: HashMap::default(),
            seen: 0,
            newest_ns: 0,
            written: PacketCounts::default(),
        })
    }

    /// Completes the file.
    pub fn finish(mut self) -> anyhow::Result<PacketCounts> {
        while let Some((place, waiting)) = self.waiting.pop_first() {
            if waiting.comment.is_some() {
                self.write(place, &waiting)?;
            }
        }
        self.out.finish()?;
        Ok(self.written)
    }

    /// Takes the next event of a node.
    pub fn event(&mut self, node: u32, event: &Event) {
        if let Event::Uplink(uplink) = event {
            let name = String::from_utf8_lossy(uplink.name()).into_owned();
            self.names.insert((node, uplink.ifindex), name);
        }
        let (Some(seen), Some(capture)) = (Seen::new(event), self.captures.get(node as usize)) else { return };
        let (mut ifindex, mut direction) = (0, 0);
        if let Event::Wire(wire) = event {
            ifindex = wire.ifindex;
            direction = if wire.direction == WIRE_EGRESS { LEFT } else { ARRIVED };
        }
        let interface = HookInterface { node, hook: event.stem(), ifindex };
        let unix_ns = u64::try_from(Clock::unix_ns(capture, event.stamp().time_ns)).unwrap_or_default();
        self.seen += 1;
        self.newest_ns = self.newest_ns.max(unix_ns);
        let place = (unix_ns, self.seen);
        self.attempts.entry(seen.syn()).or_default().push(place);
        self.waiting.insert(place, WaitingPacket { interface, seen, direction, comment: None });
    }

    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        let attempt = ended.attempt;
        let tuples = [attempt.original, attempt.translated].into_iter().flatten();
        let places: Vec<Place> =
            tuples.filter_map(|tuple| self.attempts.remove(&(tuple, attempt.isn))).flatten().collect();
        let is_wanted = self.all || ended.judgement.flagged;
        let comment = is_wanted.then(|| Rc::from(comment(ended)));
        for place in places {
            if comment.is_none() {
                self.waiting.remove(&place);
            } else if let Some(waiting) = self.waiting.get_mut(&place) {
                waiting.comment.clone_from(&comment);
            }
        }
        self.write_decided()
    }

    /// Writes what waits for nothing older.
    fn write_decided(&mut self) -> io::Result<()> {
        while let Some(first) = self.waiting.first_entry() {
            let is_decided = first.get().comment.is_some();
            let is_old = first.key().0.saturating_add(MAX_WAIT_NS) < self.newest_ns;
            if !is_decided && !is_old && self.waiting.len() <= MAX_WAITING {
                return Ok(());
            }
            let Some((place, waiting)) = self.waiting.pop_first() else { return Ok(()) };
            if is_decided {
                self.write(place, &waiting)?;
            } else {
                self.attempts.remove(&waiting.seen.syn());
                self.written.given_up += u64::from(!is_old);
            }
        }
        Ok(())
    }

    fn write(&mut self, (unix_ns, _): Place, waiting: &WaitingPacket) -> io::Result<()> {
        let interface = self.interface(waiting.interface)?;
        let (bytes, original_len) = waiting.seen.rebuild();
        let (direction, comment) = (waiting.direction, waiting.comment.as_deref());
        blocks::packet(
            &mut self.out,
            &PacketBlock { interface, unix_ns, bytes: &bytes, original_len, direction, comment },
        )?;
        self.written.packets += 1;
        Ok(())
    }

    /// The number of an interface, which is described before its first packet.
    fn interface(&mut self, interface: HookInterface) -> io::Result<u32> {
        if let Some(&number) = self.interfaces.get(&interface) {
            return Ok(number);
        }
        let HookInterface { node, hook, ifindex } = interface;
        let of = match self.names.get(&(node, ifindex)) {
            Some(name) => Escaped(name).to_string(),
            None if ifindex == 0 => hook.to_owned(),
            None => format!("{hook}-{ifindex}"),
        };
        let capture = self.captures.get(node as usize).map_or("", |capture| &capture.node);
        let name = if self.captures.len() > 1 { format!("{}/{of}", Escaped(capture)) } else { of };
        let description = format!("packets that the hook {hook} of snatrace saw on {}", Escaped(capture));
        blocks::interface(&mut self.out, &name, &description)?;
        let number = self.interfaces.len() as u32;
        self.interfaces.insert(interface, number);
        Ok(number)
    }
}

fn comment(ended: &EndedAttempt<'_>) -> String {
    let EndedAttempt { capture, attempt, owner, judgement } = ended;
    let flagged = if judgement.flagged { "flagged" } else { "not flagged" };
    let tuple = |flow: Option<Flow>| flow.map_or("unknown".to_owned(), |flow| format!("{flow:?}"));
    let mut parts = vec![
        flagged.to_owned(),
        format!("cause {}", judgement.cause.unwrap_or("none")),
        format!("evidence {}", judgement.strength.map_or("none", Strength::name)),
        format!("{} SYN retransmits", attempt.retransmits),
        format!("outcome {}", attempt.outcome.name()),
        format!("original {}", tuple(attempt.original)),
        format!("translated {}", tuple(attempt.translated)),
    ];
    if let Some(owner) = owner {
        parts.push(format!("owner {}", Escaped(&owner.text())));
    }
    parts.push(format!("node {}", Escaped(&capture.node)));
    parts.join("; ")
}

impl Observer for &RefCell<Packets> {
    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        self.borrow_mut().ended(ended)
    }
}
