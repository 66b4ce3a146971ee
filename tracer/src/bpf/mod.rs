//! The live capture: loads the programs, attaches them, reads the ring buffer. The only module that knows aya.

mod chain;
mod claim;
mod clsact;
mod filters;
mod follow;
mod foreign;
mod hooks;
mod interfaces;
mod layout;
mod links;
mod lower;
mod neighbours;
mod monitor;
mod object;
mod privileges;
mod queue;
mod refusal;
mod ring;
mod routes;
mod shared;
mod skipped;
mod survey;
mod tables;
mod tcx;
mod waiting;
mod watched;
mod widths;
mod wire;

use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use anyhow::Context as _;
use aya::Ebpf;
use aya_log::EbpfLogger;
use ipnet::IpNet;
use tracer_common::Event;

use crate::btf;
use crate::model::{HookState, PortSet, boot_offset_s};
use crate::netns::Netns;
use filters::NodeMaps;
use follow::Follow;
pub use foreign::classifiers;
use hooks::Hooks;
use layout::KernelLayout;
use neighbours::Neighbours;
use ring::Ring;
pub use shared::{SharedTracer, TracerHandle};
pub use survey::survey;
use tables::ConntrackTables;
use waiting::WaitingPorts;
use wire::Wires;

/// What to capture.
#[derive(Clone, Debug, Default)]
pub struct TracerOptions {
    /// Namespaces whose NAT and interfaces are looked at; snatrace's own if there is none, and then NAT in all of them.
    pub netns: Vec<PathBuf>,
    /// Interfaces for `wire`; those that lead to the outside if there is none.
    pub interfaces: Vec<String>,
    /// Original source addresses; all if there is none.
    pub src: Vec<IpNet>,
    /// Original destination addresses; all if there is none.
    pub dst: Vec<IpNet>,
    /// Original destination ports.
    pub dport: Option<PortSet>,
}

/// A running capture. Dropping it detaches everything.
pub struct Tracer {
    ring: Ring,
    hooks: Hooks,
    wires: Wires,
    follow: Follow,
    /// Where namespaces were named
    neighbours: Option<Neighbours>,
    waiting: WaitingPorts,
    /// Of the namespaces that are looked at, as of the start.
    pub addresses: Vec<IpAddr>,
    /// The kernel's reasons to drop a packet, by number.
    pub drop_reasons: Vec<(u32, String)>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    // Last, so that the programs outlive their links.
    ebpf: Ebpf,
}

impl Tracer {
    /// Loads and attaches all hooks that this kernel can run.
    pub fn start(options: &TracerOptions) -> anyhow::Result<Self> {
        privileges::check()?;
        check_clock()?;
        let has_kprobes = hooks::has_kprobes();
        let tracer = Self::attach(options, has_kprobes)?;
        if !has_kprobes || tracer.hooks.may_run("nat_bind") {
            return Ok(tracer);
        }
        // The kernel has kprobes but denies them; only an attempt shows it.
        drop(tracer);
        Self::attach(options, false)
    }

    /// `has_binds`: the kprobe nat_bind will report bindings, so `wire` and `ct_drop` need not.
    fn attach(options: &TracerOptions, has_binds: bool) -> anyhow::Result<Self> {
        let layout = KernelLayout::read(&btf::Btf::of_kernel()?);
        let namespaces = open_namespaces(&options.netns)?;
        let (spaces, uplinks) = interfaces::follow_all(&namespaces, &options.interfaces)?;

        let mut globals = object::globals(&layout, options, has_binds);
        let mut ebpf = object::load(&globals)?;
        let mut loaded = watched::load(&mut ebpf);
        if loaded.is_err() && globals.WIRE_READS != 0 {
            // The kernel may forbid to read its memory (lockdown): then only the wire shows translated ports.
            (globals.WIRE_READS, globals.WIRE_BINDS, globals.WIRE_NETNS) = (0, 0, 0);
            globals.FILTER_WIRE &= u32::from(has_binds);
            ebpf = object::load(&globals)?;
            loaded = watched::load(&mut ebpf);
        }
        filters::fill(&mut ebpf, options, &namespaces)?;
        let logger = object::is_debugging()
            .then(|| EbpfLogger::init(&mut ebpf))
            .transpose()
            .context("cannot read the programs' log")?;
        let types = object::types()?;
        let mut ring = Ring::new(&mut ebpf, ConntrackTables::open(&namespaces)?)?;
        let mut follow = Follow::new(spaces, &options.interfaces, NodeMaps::new(&mut ebpf)?, &watched::ids(&mut ebpf));
        let wires = Wires::attach(&mut ebpf, &types, loaded, namespaces, uplinks, !options.interfaces.is_empty())?;
        follow.begin(&wires, ring::boot_ns()?)?;
        ring.place(&wires.watched);
        let hooks = Hooks::attach(&mut ebpf, &types, &layout, wires.state.clone())?;
        drop(types);
        ring.count_skipped(&ebpf);
        object::trim_heap();
        let waiting = WaitingPorts::new(&mut ebpf)?;
        let addresses = follow.addresses();
        let neighbours = (!options.netns.is_empty()).then(|| Neighbours::new(&options.netns)).transpose()?;
        Ok(Self {
            ring,
            hooks,
            wires,
            follow,
            neighbours,
            waiting,
            addresses,
            drop_reasons: layout.drop_reasons,
            logger,
            ebpf,
        })
    }

    /// Which hooks are on, and why the others are not.
    pub fn hooks(&self) -> &[HookState] {
        &self.hooks.states
    }

    /// Names of the interfaces whose packets are looked at.
    pub fn interfaces(&self) -> Vec<&str> {
        self.wires.watched.iter().map(|watched| watched.interface.name.as_str()).collect()
    }

    /// Hands over events that have arrived; returns up to when, in nanoseconds since boot, or `None` if there are more.
    pub fn drain(&mut self, take: &mut impl FnMut(Event)) -> anyhow::Result<Option<u64>> {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        self.follow.events(take);
        let Some(neighbours) = &mut self.neighbours else { return self.ring.drain(take) };
        self.ring.drain(&mut |event| {
            if neighbours.wants(&event) {
                take(event);
            }
        })
    }

    /// Hands over how full tables are, what was lost, and then a tick of this time.
    pub fn tick(&mut self, time_ns: u64, is_last: bool, take: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        self.waiting.sweep(time_ns)?;
        self.ring.tick(time_ns, is_last, take)
    }

    /// Attaches what waits for a module that has been loaded meanwhile; returns the stems of the hooks that are new.
    pub fn retry(&mut self) -> Vec<&'static str> {
        let on = self.hooks.retry(&mut self.ebpf);
        if !on.is_empty() {
            self.ring.count_skipped(&self.ebpf);
            self.ring.look_at_tables(&self.wires.namespaces);
        }
        on
    }

    /// Follows what has changed about interfaces, routes and addresses; what is to be said of it.
    pub fn follow(&mut self) -> anyhow::Result<Vec<String>> {
        if self.follow.poll(&mut self.ebpf, &mut self.wires, ring::boot_ns()?)? {
            self.ring.place(&self.wires.watched);
        }
        let unlinked = self.follow.unlinked();
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.forget(&unlinked);
        }
        Ok(self.follow.notices())
    }

    /// Has everything about interfaces, routes and programs read again; whether `wire` is on.
    pub fn read_again(&mut self) -> bool {
        self.follow.read_again();
        self.wires.can_follow()
    }

    /// Whether a hook waits for a module.
    pub fn is_waiting(&self) -> bool {
        self.hooks.is_waiting()
    }

    /// Detaches everything. The kernel removes what is attached by link; filters on old kernels have to be removed by hand.
    pub fn detach(&mut self) -> anyhow::Result<()> {
        self.wires.detach(&mut self.ebpf)
    }
}

impl Drop for Tracer {
    /// For a capture that fails before its end.
    fn drop(&mut self) {
        // The next start removes what is left.
        let _ = self.detach();
    }
}

impl AsRawFd for Tracer {
    /// Readable when the ring buffer is filling up.
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// Events have the kernel's own time since boot, and ticks that of this process.
fn check_clock() -> anyhow::Result<()> {
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    let offset_s = boot_offset_s(&offsets);
    anyhow::ensure!(
        offset_s == 0,
        "this time namespace shifts the time since boot by {offset_s} s, so the times of events would be wrong: \
         start snatrace outside of it (nsenter --target 1 --time)"
    );
    Ok(())
}

/// Names of the interfaces that a capture watches by default in the namespace of this thread.
pub fn uplinks() -> anyhow::Result<Vec<String>> {
    let (_, uplinks) = interfaces::follow_all(&[Netns::current()?], &[])?;
    Ok(uplinks.into_iter().map(|uplink| uplink.name).collect())
}

fn open_namespaces(paths: &[PathBuf]) -> anyhow::Result<Vec<Netns>> {
    if paths.is_empty() {
        return Ok(vec![Netns::own()?]);
    }
    paths.iter().map(|path| Netns::open(path)).collect()
}
