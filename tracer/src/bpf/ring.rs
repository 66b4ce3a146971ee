//! Reads the ring buffer, the loss counters and how full conntrack tables are.

use std::os::fd::{AsRawFd, RawFd};

use anyhow::Context as _;
use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray, RingBuf};
use nix::time::{ClockId, clock_gettime};
use tracer_common::Event;
use tracer_common::config::Loss;
use tracer_common::events::{Lost, Selected, Stamp, Tick};

use super::object::take;
use super::skipped::Skipped;
use super::tables::ConntrackTables;
use super::watched::WatchedInterface;
use crate::netns::Netns;

/// Events handed over at once: a ring buffer that was full after a stall must not be in memory a second time.
const MAX_EVENTS_PER_DRAIN: usize = 8192;

/// The consuming end of the ring buffer.
pub(super) struct Ring {
    events: RingBuf<MapData>,
    lost: PerCpuArray<MapData, [u64; Loss::ALL.len()]>,
    selected: PerCpuArray<MapData, [u64; size_of::<Selected>() / size_of::<u64>()]>,
    seen: [u64; Loss::ALL.len()],
    /// Interface index and namespace inode number of the hooked interfaces.
    namespaces: Vec<(u32, u32)>,
    tables: ConntrackTables,
    skipped: Skipped,
}

impl Ring {
    pub(super) fn new(ebpf: &mut Ebpf, tables: ConntrackTables) -> anyhow::Result<Self> {
        let (events, lost, selected) = (take(ebpf, "EVENTS")?, take(ebpf, "LOST")?, take(ebpf, "SELECTED")?);
        Ok(Self {
            events,
            lost,
            selected,
            seen: Default::default(),
            namespaces: Vec::new(),
            tables,
            skipped: Skipped::default(),
        })
    }

    /// The interfaces whose events come from now on.
    pub(super) fn place(&mut self, watched: &[WatchedInterface]) {
        self.namespaces = watched.iter().map(|watched| (watched.interface.index, watched.interface.inum)).collect();
    }

    /// Counts from now on what these programs were kept from seeing.
    pub(super) fn count_skipped(&mut self, ebpf: &Ebpf) {
        self.skipped = Skipped::of(ebpf);
    }

    /// Looks for the conntrack tables again: conntrack has been loaded meanwhile.
    pub(super) fn look_at_tables(&mut self, namespaces: &[Netns]) {
        match ConntrackTables::open(namespaces) {
            Ok(tables) => self.tables = tables,
            Err(error) => log::warn!("cannot read how full the conntrack tables are: {error:#}"),
        }
    }

    /// Hands over events that have arrived. Returns up to when, for what happens meanwhile belongs to the next tick;
    /// `None` if there are more.
    pub(super) fn drain(&mut self, take: &mut impl FnMut(Event)) -> anyhow::Result<Option<u64>> {
        let time_ns = boot_ns()?;
        for _ in 0..MAX_EVENTS_PER_DRAIN {
            let Some(record) = self.events.next() else { return Ok(Some(time_ns)) };
            match Event::parse(&record) {
                Some(Event::Wire(mut wire)) => {
                    if wire.stamp.netns == 0 {
                        wire.stamp.netns = namespace(&self.namespaces, wire.ifindex);
                    }
                    take(wire.into());
                }
                Some(event) => take(event),
                None => log::warn!("the ring buffer has a record of {} bytes, which is not an event", record.len()),
            }
        }
        Ok(None)
    }

    /// Hands over what was counted up to now, what was lost, and then a tick of this time.
    pub(super) fn tick(&mut self, time_ns: u64, is_last: bool, take: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        self.tables.sample(time_ns, take);
        if is_last {
            self.left_over(take)?;
        }
        if let Some(lost) = self.newly_lost(time_ns, is_last)? {
            take(lost.into());
        }
        take(Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into());
        Ok(())
    }

    /// Hands over selections that no binding took.
    fn left_over(&self, take: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        let per_cpu = self.selected.get(&0, 0).context("cannot read the selections that wait")?;
        let selected = per_cpu.iter().map(|words| bytemuck::cast::<_, Selected>(*words));
        selected.filter(|selected| selected.entry != 0).for_each(|selected| take(selected.event.into()));
        Ok(())
    }

    fn newly_lost(&mut self, time_ns: u64, is_last: bool) -> anyhow::Result<Option<Lost>> {
        let per_cpu = self.lost.get(&0, 0).context("cannot read the loss counters")?;
        let mut totals = Loss::ALL.map(|loss| per_cpu.iter().map(|counts| counts[loss as usize]).sum::<u64>());
        totals[Loss::Skipped as usize] += self.skipped.count(time_ns, is_last);
        let mut counts = totals;
        for (count, seen) in counts.iter_mut().zip(self.seen) {
            *count = count.saturating_sub(seen);
        }
        self.seen = totals;
        let stamp = Stamp { time_ns, kind: Lost::KIND, netns: 0 };
        Ok(counts.iter().any(|&count| count > 0).then_some(Lost { stamp, counts }))
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.events.as_raw_fd()
    }
}

/// 0 where the same index exists in several namespaces.
fn namespace(namespaces: &[(u32, u32)], ifindex: u32) -> u32 {
    let mut found = namespaces.iter().filter(|(index, _)| *index == ifindex).map(|(_, inum)| *inum);
    match (found.next(), found.next()) {
        (Some(inum), None) => inum,
        _ => 0,
    }
}

/// The clock of events: nanoseconds since boot, suspend included.
pub(super) fn boot_ns() -> anyhow::Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).context("cannot read the clock")?;
    Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}
