//! Which interfaces are watched: starts with those that lead to the outside, follows their changes, and leaves the others.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use aya::{Btf, Ebpf};

use super::interfaces::Interface;
use super::queue::Queue;
use super::refusal;
use super::watched::{self, Sight, WatchedInterface};
use crate::model::HookState;
use crate::netns::Netns;

const NO_UPLINK: &str = "no interface here leads to the outside (name one with --iface): answers are not seen";
/// How long an interface is watched on once it no longer leads to the outside: answers may still come, and routes that are made
/// again take a moment.
const LINGER_NS: u64 = 10_000_000_000;

/// Why nothing could be attached now.
pub(super) fn cannot(ebpf: &mut anyhow::Result<Ebpf>, uplinks: usize) -> Option<String> {
    if uplinks == 0 { Some(NO_UPLINK.to_owned()) } else { refusal::of_loading(ebpf, watched::load) }
}

/// What is attached to interfaces.
pub(super) struct Wires {
    pub(super) namespaces: Vec<Netns>,
    pub(super) watched: Vec<WatchedInterface>,
    queue: Queue,
    pub(super) state: HookState,
    /// The user named the interfaces.
    are_named: bool,
    /// Interfaces that could not be watched, so that it is said once.
    refused: BTreeSet<(u32, u32)>,
}

/// What became of an interface.
pub(super) enum Became {
    Watched,
    Left(&'static str),
    Blind,
    Refused(String),
}

impl Wires {
    /// Attaches to all interfaces, or to none: half a wire would be a wrong witness. Interfaces that the user named must be
    /// watched; without others the rest goes on. `loaded`: whether the programs could be loaded.
    pub(super) fn attach(
        ebpf: &mut Ebpf,
        btf: &Btf,
        loaded: anyhow::Result<()>,
        namespaces: Vec<Netns>,
        uplinks: Vec<Interface>,
        are_named: bool,
    ) -> anyhow::Result<Self> {
        let state = HookState { stem: "wire".to_owned(), off: None };
        let queue = Queue::load(ebpf, btf);
        let mut wires = Self { namespaces, watched: Vec::new(), queue, state, are_named, refused: BTreeSet::new() };
        if uplinks.is_empty() {
            wires.state.off = Some(NO_UPLINK.to_owned());
        }
        let mut uplinks = uplinks.into_iter();
        if let Err(error) = loaded.and_then(|()| uplinks.try_for_each(|uplink| wires.watch(ebpf, uplink))) {
            wires.detach(ebpf)?;
            watched::unload(ebpf)?;
            if are_named {
                bail!("{}: omit --iface to capture without this interface", refusal::of_program(&error));
            }
            wires.state.off = Some(format!("{}: answers are not seen", refusal::of_program(&error)));
        }
        Ok(wires)
    }

    /// Whether the programs could be loaded, so that interfaces that come later are watched.
    pub(super) fn can_follow(&self) -> bool {
        self.state.off.as_ref().is_none_or(|why| why == NO_UPLINK)
    }

    /// Watches those interfaces of a namespace and no others; `gone` went away, even if one with the same index is there.
    pub(super) fn update(
        &mut self,
        ebpf: &mut Ebpf,
        inum: u32,
        wanted: Vec<Interface>,
        gone: &BTreeSet<u32>,
        time_ns: u64,
    ) -> Vec<(Interface, Became)> {
        let mut became = Vec::new();
        let is_left = |watched: &mut WatchedInterface| {
            let interface = &watched.interface;
            let is_renamed = |other: &Interface| other.index == interface.index && other.name != interface.name;
            let is_moved = wanted.iter().any(|other| other.replaces(interface))
                && !wanted.iter().any(|other| other.index == interface.index);
            interface.inum == inum && (gone.contains(&interface.index) || is_moved || wanted.iter().any(is_renamed))
        };
        let left: Vec<_> = self.watched.extract_if(.., is_left).collect();
        self.refused.retain(|(of, index)| *of != inum || wanted.iter().any(|wanted| wanted.index == *index));
        for watched in self.watched.iter_mut().filter(|watched| watched.interface.inum == inum) {
            watched.unwanted_ns = watched.unwanted_ns.or(Some(time_ns));
        }
        for interface in wanted {
            if let Some(known) = self.watched.iter_mut().find(|known| known.interface.key() == interface.key()) {
                (known.interface, known.unwanted_ns) = (interface, None);
                continue;
            }
            match self.watch(ebpf, interface.clone()) {
                Ok(()) => became.push((interface, Became::Watched)),
                Err(error) if self.refused.insert(interface.key()) => {
                    became.push((interface, Became::Refused(refusal::of_program(&error))));
                }
                Err(error) => log::debug!("{}: {error:#}", interface.name),
            }
        }
        for watched in left {
            let is_again = became.iter().any(|(other, _)| other.key() == watched.interface.key());
            let why = match () {
                () if gone.contains(&watched.interface.index) => "it is gone",
                () if is_again => "it has another name",
                () => "its packets are read on the devices below it",
            };
            let at = if is_again { 0 } else { became.len() };
            became.insert(at, (self.leave(ebpf, watched), Became::Left(why)));
        }
        became
    }

    /// Leaves interfaces that have not led to the outside for a while.
    pub(super) fn leave_unwanted(&mut self, ebpf: &mut Ebpf, time_ns: u64) -> Vec<(Interface, Became)> {
        let is_over = |watched: &mut WatchedInterface| {
            watched.unwanted_ns.is_some_and(|since_ns| time_ns >= since_ns + LINGER_NS)
        };
        let left: Vec<_> = self.watched.extract_if(.., is_over).collect();
        let why = if self.are_named { "it has another name" } else { "it no longer leads to the outside" };
        left.into_iter().map(|watched| (self.leave(ebpf, watched), Became::Left(why))).collect()
    }

    /// Puts our programs back to where they see everything, where other programs came between.
    pub(super) fn mend(&mut self, ebpf: &mut Ebpf) -> Vec<(Interface, Became)> {
        let mut became = Vec::new();
        for index in 0..self.watched.len() {
            let Some(watched) = self.watched.get_mut(index) else { break };
            let (interface, before) = (watched.interface.clone(), watched.sight);
            let mended = self.namespaces[interface.netns].run(|| watched.mend(ebpf, &mut self.queue));
            match mended {
                Ok(()) if watched.sight == before => {}
                Ok(()) if watched.sight == Sight::Blind => became.push((interface, Became::Blind)),
                Ok(()) => became.push((interface, Became::Watched)),
                // It may be gone, which is announced elsewhere.
                Err(error) => log::debug!("{}: {error:#}", interface.name),
            }
        }
        self.rest(ebpf);
        became
    }

    /// `wire_sent` costs every packet something, so it runs only while it is needed.
    fn rest(&mut self, ebpf: &mut Ebpf) {
        if !self.watched.iter().any(WatchedInterface::is_by_queue) {
            self.queue.detach(ebpf);
        }
    }

    fn watch(&mut self, ebpf: &mut Ebpf, interface: Interface) -> anyhow::Result<()> {
        let name = interface.name.clone();
        let mut watched = WatchedInterface::new(interface);
        let attached = self.namespaces[watched.interface.netns].run(|| watched.attach(ebpf, &mut self.queue));
        if let Err(error) = attached {
            let _ = self.release(ebpf, watched);
            return Err(error.context(format!("cannot watch interface {name}")));
        }
        self.watched.push(watched);
        Ok(())
    }

    /// What went away took our programs along.
    fn leave(&mut self, ebpf: &mut Ebpf, watched: WatchedInterface) -> Interface {
        let interface = watched.interface.clone();
        if let Err(error) = self.release(ebpf, watched) {
            log::debug!("{}: {error:#}", interface.name);
        }
        interface
    }

    fn release(&mut self, ebpf: &mut Ebpf, mut watched: WatchedInterface) -> anyhow::Result<()> {
        let name = watched.interface.name.clone();
        let released = self.namespaces[watched.interface.netns].run(|| watched.detach(ebpf));
        self.rest(ebpf);
        released.with_context(|| format!("cannot detach from interface {name}"))
    }

    /// Removes the filters; TCX links end with the programs.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        let mut result = Ok(());
        for watched in std::mem::take(&mut self.watched).into_iter().rev() {
            if watched.has_filters() {
                result = result.and(self.release(ebpf, watched));
            }
        }
        result
    }
}
