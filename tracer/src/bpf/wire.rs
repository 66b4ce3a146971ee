//! Attaches the TC programs: TCX, which the kernel removes with the process, else a filter on a clsact qdisc. On ingress ours has
//! to run first, because a program before it may end the chain. On egress a program of others may translate packets (eBPF
//! masquerade) and end the chain: where there is one, `wire_sent` looks at what leaves, after all of them.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use aya::programs::tc::{NlOptions, SchedClassifierLinkId, TcAttachOptions, TcAttachType, TcHandle};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier};
use aya::{Btf, Ebpf};

use super::chain::{self, ChainPosition};
use super::claim::Claim;
use super::clsact;
use super::interfaces::Interface;
use super::queue::Queue;
use super::refusal;
use super::try_load::try_load;
use crate::model::HookState;
use crate::netns::Netns;

/// The programs for each direction, by whether there is an Ethernet header.
const INGRESS: [&str; 2] = ["wire_l3_ingress", "wire_ingress"];
const EGRESS: [&str; 2] = ["wire_l3_egress", "wire_egress"];

const NO_UPLINK: &str = "no interface here leads to the outside (name one with --iface): answers are not seen";
/// How long an interface is watched on once it no longer leads to the outside: answers may still come, and routes that are made
/// again take a moment.
const LINGER_NS: u64 = 10_000_000_000;
/// How often a program is put back into its place until another one that wants it too is let be.
const MAX_MENDS: u32 = 5;

/// Why nothing could be attached now.
pub(super) fn cannot(ebpf: &mut anyhow::Result<Ebpf>, uplinks: usize) -> Option<String> {
    if uplinks == 0 { Some(NO_UPLINK.to_owned()) } else { try_load(ebpf, load) }
}

/// What is attached to interfaces.
pub(super) struct Wires {
    namespaces: Vec<Netns>,
    watched: Vec<Watched>,
    queue: Queue,
    state: HookState,
    /// The user named the interfaces.
    are_named: bool,
    /// Interfaces that could not be watched, so that it is said once.
    refused: BTreeSet<(u32, u32)>,
}

/// How an interface is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Packets of both directions are seen.
    Clear,
    /// A program of others comes first on ingress, and may end the chain.
    Blind,
}

/// An interface with our programs.
pub(super) struct Watched {
    pub(super) interface: Interface,
    ingress: Option<Attached>,
    /// None where `wire_sent` sees what leaves.
    egress: Option<Attached>,
    /// The handle of filters.
    claim: Option<Claim>,
    /// Programs of other captures on it, by id.
    other_runs: BTreeSet<u32>,
    pub(super) sight: Sight,
    mends: u32,
    /// Since when it no longer leads to the outside.
    unwanted_ns: Option<u64>,
}

/// A program on one direction.
struct Attached {
    program: &'static str,
    link: SchedClassifierLinkId,
    /// It outlives the process unless it is removed, and the qdisc was not there before.
    filter: Option<bool>,
}

/// What became of an interface.
pub(super) enum Became {
    Watched,
    Left(&'static str),
    Blind,
    Refused(String),
}

impl Watched {
    /// Whether `wire_sent` sees what leaves.
    pub(super) const fn is_by_queue(&self) -> bool {
        self.egress.is_none()
    }
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
        if let Err(error) = loaded.and_then(|()| wires.attach_to_all(ebpf, uplinks)) {
            wires.detach(ebpf)?;
            // What TCX holds ends with its program.
            for name in INGRESS.into_iter().chain(EGRESS) {
                let _ = classifier(ebpf, name)?.unload();
            }
            if are_named {
                bail!("{}: without --iface the rest would go on", refusal::of_program(&error));
            }
            wires.state.off = Some(format!("{}: answers are not seen", refusal::of_program(&error)));
        }
        Ok(wires)
    }

    fn attach_to_all(&mut self, ebpf: &mut Ebpf, uplinks: Vec<Interface>) -> anyhow::Result<()> {
        uplinks.into_iter().try_for_each(|uplink| self.watch(ebpf, uplink))
    }

    /// The interfaces that are watched.
    pub(super) fn watched(&self) -> &[Watched] {
        &self.watched
    }

    pub(super) fn namespaces(&self) -> &[Netns] {
        &self.namespaces
    }

    pub(super) fn state(&self) -> HookState {
        self.state.clone()
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
        let (stay, leave): (Vec<_>, Vec<_>) = std::mem::take(&mut self.watched).into_iter().partition(|watched| {
            let interface = &watched.interface;
            let is_renamed = |other: &Interface| other.index == interface.index && other.name != interface.name;
            interface.inum != inum || !gone.contains(&interface.index) && !wanted.iter().any(is_renamed)
        });
        self.watched = stay;
        self.refused.retain(|(of, index)| *of != inum || wanted.iter().any(|wanted| wanted.index == *index));
        for watched in self.watched.iter_mut().filter(|watched| watched.interface.inum == inum) {
            watched.unwanted_ns = watched.unwanted_ns.or(Some(time_ns));
        }
        for interface in wanted {
            let key = |interface: &Interface| (interface.inum, interface.index);
            if let Some(known) = self.watched.iter_mut().find(|known| key(&known.interface) == key(&interface)) {
                (known.interface, known.unwanted_ns) = (interface, None);
                continue;
            }
            match self.watch(ebpf, interface.clone()) {
                Ok(()) => became.push((interface, Became::Watched)),
                Err(error) if self.refused.insert(key(&interface)) => {
                    became.push((interface, Became::Refused(refusal::of_program(&error))));
                }
                Err(error) => log::debug!("{}: {error:#}", interface.name),
            }
        }
        for watched in leave {
            let why = if gone.contains(&watched.interface.index) { "it is gone" } else { "it has another name" };
            let interface = watched.interface.clone();
            let is_again = became.iter().any(|(other, _)| other.index == interface.index && other.inum == inum);
            // What went away took our programs along.
            if let Err(error) = self.release(ebpf, watched) {
                log::debug!("{}: {error:#}", interface.name);
            }
            let at = if is_again { 0 } else { became.len() };
            became.insert(at, (interface, Became::Left(why)));
        }
        became
    }

    /// Leaves interfaces that have not led to the outside for a while.
    pub(super) fn leave(&mut self, ebpf: &mut Ebpf, time_ns: u64) -> Vec<(Interface, Became)> {
        let is_over = |watched: &Watched| watched.unwanted_ns.is_some_and(|since_ns| time_ns >= since_ns + LINGER_NS);
        let (leave, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut self.watched).into_iter().partition(is_over);
        self.watched = stay;
        let why = if self.are_named { "it has another name" } else { "it no longer leads to the outside" };
        let mut became = Vec::new();
        for watched in leave {
            let interface = watched.interface.clone();
            if let Err(error) = self.release(ebpf, watched) {
                log::debug!("{}: {error:#}", interface.name);
            }
            became.push((interface, Became::Left(why)));
        }
        became
    }

    /// Puts our programs back to where they see everything, where other programs came between.
    pub(super) fn mend(&mut self, ebpf: &mut Ebpf) -> Vec<(Interface, Became)> {
        let mut became = Vec::new();
        for index in 0..self.watched.len() {
            let Some(watched) = self.watched.get_mut(index) else { break };
            let (interface, before) = (watched.interface.clone(), watched.sight);
            let mended = self.namespaces[interface.netns].run(|| mend(ebpf, watched, &mut self.queue));
            match mended {
                Ok(()) if watched.sight != before => {
                    became
                        .push((interface, if watched.sight == Sight::Blind { Became::Blind } else { Became::Watched }));
                }
                Ok(()) => {}
                // It may be gone, which is announced elsewhere.
                Err(error) => log::debug!("{}: {error:#}", interface.name),
            }
        }
        self.rest(ebpf);
        became
    }

    /// `wire_sent` costs every packet something, so it runs only while it is needed.
    fn rest(&mut self, ebpf: &mut Ebpf) {
        if !self.watched.iter().any(Watched::is_by_queue) {
            self.queue.detach(ebpf);
        }
    }

    fn watch(&mut self, ebpf: &mut Ebpf, interface: Interface) -> anyhow::Result<()> {
        let name = interface.name.clone();
        let mut watched = Watched {
            interface,
            ingress: None,
            egress: None,
            claim: None,
            other_runs: BTreeSet::new(),
            sight: Sight::Clear,
            mends: 0,
            unwanted_ns: None,
        };
        let attached = self.namespaces[watched.interface.netns].run(|| {
            attach(ebpf, &mut watched, TcAttachType::Ingress)?;
            attach(ebpf, &mut watched, TcAttachType::Egress)?;
            mend(ebpf, &mut watched, &mut self.queue)
        });
        if let Err(error) = attached {
            let _ = self.release(ebpf, watched);
            return Err(error.context(format!("cannot watch interface {name}")));
        }
        self.watched.push(watched);
        Ok(())
    }

    fn release(&mut self, ebpf: &mut Ebpf, mut watched: Watched) -> anyhow::Result<()> {
        let name = watched.interface.name.clone();
        let released = self.namespaces[watched.interface.netns].run(|| {
            // The last first: the one that came with the qdisc is then the one that leaves it empty.
            let egress = detach(ebpf, &watched.interface, watched.egress.take());
            egress.and(detach(ebpf, &watched.interface, watched.ingress.take()))
        });
        self.rest(ebpf);
        released.with_context(|| format!("cannot detach from interface {name}"))
    }

    /// Removes the filters; TCX links end with the programs.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        let mut result = Ok(());
        for watched in std::mem::take(&mut self.watched).into_iter().rev() {
            let is_filter = |attached: &Option<Attached>| attached.as_ref().is_some_and(|it| it.filter.is_some());
            if is_filter(&watched.ingress) || is_filter(&watched.egress) {
                result = result.and(self.release(ebpf, watched));
            }
        }
        result
    }
}

pub(super) fn load(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    for name in INGRESS.into_iter().chain(EGRESS) {
        classifier(ebpf, name)?.load().with_context(|| format!("cannot load the eBPF program {name}"))?;
    }
    Ok(())
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut SchedClassifier> {
    let program = ebpf.program_mut(name).with_context(|| format!("the eBPF object has no program {name}"))?;
    Ok(program.try_into()?)
}

fn program(interface: &Interface, direction: TcAttachType) -> &'static str {
    let programs = if matches!(direction, TcAttachType::Ingress) { INGRESS } else { EGRESS };
    programs[usize::from(interface.has_ethernet)]
}

/// Looks where our programs are, in the namespace of this thread, and mends what is not as it should be.
fn mend(ebpf: &mut Ebpf, watched: &mut Watched, queue: &mut Queue) -> anyhow::Result<()> {
    let mut ingress = look(ebpf, watched, TcAttachType::Ingress)?;
    if (!ingress.has_ours || ingress.before > 0) && watched.mends < MAX_MENDS {
        watched.mends += 1;
        detach(ebpf, &watched.interface, watched.ingress.take()).unwrap_or_default();
        attach(ebpf, watched, TcAttachType::Ingress)?;
        ingress = look(ebpf, watched, TcAttachType::Ingress)?;
    }
    watched.sight = if ingress.has_ours && ingress.before == 0 { Sight::Clear } else { Sight::Blind };

    let egress = look(ebpf, watched, TcAttachType::Egress)?;
    match (egress.others() > 0, &watched.egress) {
        (true, Some(_)) if queue.attach(ebpf) => detach(ebpf, &watched.interface, watched.egress.take())?,
        (false, None) => attach(ebpf, watched, TcAttachType::Egress)?,
        // Nothing looks at what leaves after them, so it is better to be the last of them.
        (_, Some(_)) if (!egress.has_ours || egress.after > 0) && watched.mends < MAX_MENDS => {
            watched.mends += 1;
            detach(ebpf, &watched.interface, watched.egress.take()).unwrap_or_default();
            attach(ebpf, watched, TcAttachType::Egress)?;
        }
        (true | false, Some(_)) | (true, None) => {}
    }
    Ok(())
}

fn look(ebpf: &mut Ebpf, watched: &mut Watched, direction: TcAttachType) -> anyhow::Result<ChainPosition> {
    let own = classifier(ebpf, program(&watched.interface, direction))?.info()?.id();
    let handle = watched.claim.as_ref().map(Claim::handle);
    chain::read(&watched.interface, direction, &[own], handle, &mut watched.other_runs)
}

/// Attaches a program in the namespace of this thread.
fn attach(ebpf: &mut Ebpf, watched: &mut Watched, direction: TcAttachType) -> anyhow::Result<()> {
    let interface = &watched.interface;
    let (is_ingress, program) = (matches!(direction, TcAttachType::Ingress), program(interface, direction));
    let classifier = classifier(ebpf, program)?;
    let order = if is_ingress { LinkOrder::first() } else { LinkOrder::last() };
    let tcx = classifier.attach_with_options(&interface.name, direction, TcAttachOptions::TcxOrder(order));
    let attached = match tcx {
        Ok(link) => Attached { program, link, filter: None },
        Err(error) => {
            log::debug!("no TCX on {}: {error}", interface.name);
            let handle = match &mut watched.claim {
                Some(claim) => claim.handle(),
                claim @ None => {
                    clsact::remove_leftovers(interface.index)?;
                    claim.insert(Claim::take(interface.index)?).handle()
                }
            };
            let (link, made_qdisc) = attach_filter(classifier, interface, direction, handle)?;
            Attached { program, link, filter: Some(made_qdisc) }
        }
    };
    *(if is_ingress { &mut watched.ingress } else { &mut watched.egress }) = Some(attached);
    Ok(())
}

/// Attaches a filter on a clsact qdisc; whether that was made for it.
fn attach_filter(
    classifier: &mut SchedClassifier,
    interface: &Interface,
    direction: TcAttachType,
    handle: u32,
) -> anyhow::Result<(SchedClassifierLinkId, bool)> {
    let made_qdisc = clsact::add(&interface.name, interface.index)?;
    // Filters run by rising priority; with 0 the kernel takes the next that is free, before the others.
    let priority = if matches!(direction, TcAttachType::Ingress) { 1 } else { u16::MAX };
    let mut try_priority = |priority| -> Result<SchedClassifierLinkId, ProgramError> {
        let handle = TcHandle::from(handle);
        let options = TcAttachOptions::Netlink(NlOptions { priority, handle, classid: None });
        classifier.attach_with_options(&interface.name, direction, options)
    };
    match try_priority(priority).or_else(|_| try_priority(0)) {
        Ok(link) => Ok((link, made_qdisc)),
        Err(error) => {
            if made_qdisc {
                clsact::remove_if_unused(interface.index)?;
            }
            Err(error.into())
        }
    }
}

/// Detaches a program in the namespace of this thread.
fn detach(ebpf: &mut Ebpf, interface: &Interface, attached: Option<Attached>) -> anyhow::Result<()> {
    let Some(Attached { program, link, filter }) = attached else { return Ok(()) };
    classifier(ebpf, program)?.detach(link)?;
    if filter == Some(true) { clsact::remove_if_unused(interface.index) } else { Ok(()) }
}
