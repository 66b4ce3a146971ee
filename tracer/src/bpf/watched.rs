//! One watched interface: attaches the TC programs to it and keeps them in their place. They are attached by TCX, which the kernel
//! removes with the process, else as filters on a clsact qdisc. On ingress ours has to run first, because a program before it may end
//! the chain. On egress a program of others may translate packets (eBPF masquerade) and end the chain: where there is one, `wire_sent`
//! looks at what leaves, after all of them. Every method runs in the namespace of the interface.

use std::collections::BTreeSet;

use anyhow::Context as _;
use aya::Ebpf;
use aya::programs::tc::{NlOptions, SchedClassifierLinkId, TcAttachOptions, TcAttachType, TcHandle};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier};

use super::chain::{self, ChainPosition};
use super::claim::InterfaceClaim;
use super::clsact;
use super::interfaces::Interface;
use super::object;
use super::queue::Queue;

/// The programs for each direction, by whether there is an Ethernet header.
const INGRESS: [&str; 2] = ["wire_l3_ingress", "wire_ingress"];
const EGRESS: [&str; 2] = ["wire_l3_egress", "wire_egress"];

/// How often a program is put back into its place until another one that wants it too is let be.
const MAX_MENDS: u32 = 5;

/// How an interface is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Packets of both directions are seen.
    Clear,
    /// A program of others comes first on ingress, and may end the chain.
    Blind,
}

/// An interface with our programs.
pub(super) struct WatchedInterface {
    pub(super) interface: Interface,
    ingress: Option<Attached>,
    /// None where `wire_sent` sees what leaves.
    egress: Option<Attached>,
    /// The handle of filters.
    claim: Option<InterfaceClaim>,
    /// Programs of other captures on it, by id.
    other_runs: BTreeSet<u32>,
    pub(super) sight: Sight,
    mends: u32,
    /// Since when it no longer leads to the outside.
    pub(super) unwanted_ns: Option<u64>,
}

/// A program on one direction.
struct Attached {
    program: &'static str,
    link: SchedClassifierLinkId,
    /// It outlives the process unless it is removed, and the qdisc was not there before.
    filter: Option<bool>,
}

impl WatchedInterface {
    pub(super) const fn new(interface: Interface) -> Self {
        Self {
            interface,
            ingress: None,
            egress: None,
            claim: None,
            other_runs: BTreeSet::new(),
            sight: Sight::Clear,
            mends: 0,
            unwanted_ns: None,
        }
    }

    /// Whether `wire_sent` sees what leaves.
    pub(super) const fn is_by_queue(&self) -> bool {
        self.egress.is_none()
    }

    /// Whether something of ours outlives the process unless it is removed.
    pub(super) fn has_filters(&self) -> bool {
        [&self.ingress, &self.egress].into_iter().flatten().any(|attached| attached.filter.is_some())
    }

    pub(super) fn attach(&mut self, ebpf: &mut Ebpf, queue: &mut Queue) -> anyhow::Result<()> {
        self.attach_to(ebpf, TcAttachType::Ingress)?;
        self.attach_to(ebpf, TcAttachType::Egress)?;
        self.mend(ebpf, queue)
    }

    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        // The last first: the one that came with the qdisc is then the one that leaves it empty.
        let egress = self.detach_from(ebpf, TcAttachType::Egress);
        egress.and(self.detach_from(ebpf, TcAttachType::Ingress))
    }

    /// Looks where our programs are, and mends what is not as it should be.
    pub(super) fn mend(&mut self, ebpf: &mut Ebpf, queue: &mut Queue) -> anyhow::Result<()> {
        let mut ingress = self.look(ebpf, TcAttachType::Ingress)?;
        if (!ingress.has_ours || ingress.before > 0) && self.mends < MAX_MENDS {
            self.attach_again(ebpf, TcAttachType::Ingress)?;
            ingress = self.look(ebpf, TcAttachType::Ingress)?;
        }
        self.sight = if ingress.has_ours && ingress.before == 0 { Sight::Clear } else { Sight::Blind };

        let egress = self.look(ebpf, TcAttachType::Egress)?;
        match (egress.others() > 0, &self.egress) {
            (true, Some(_)) if queue.attach(ebpf) => self.detach_from(ebpf, TcAttachType::Egress)?,
            (false, None) => self.attach_to(ebpf, TcAttachType::Egress)?,
            // Nothing looks at what leaves after them, so it is better to be the last of them.
            (_, Some(_)) if (!egress.has_ours || egress.after > 0) && self.mends < MAX_MENDS => {
                self.attach_again(ebpf, TcAttachType::Egress)?;
            }
            (true | false, Some(_)) | (true, None) => {}
        }
        Ok(())
    }

    fn look(&mut self, ebpf: &mut Ebpf, direction: TcAttachType) -> anyhow::Result<ChainPosition> {
        let own = object::program::<SchedClassifier>(ebpf, program(&self.interface, direction))?.info()?.id();
        let handle = self.claim.as_ref().map(InterfaceClaim::handle);
        chain::read(&self.interface.name, self.interface.index, direction, &[own], handle, &mut self.other_runs)
    }

    fn attach_again(&mut self, ebpf: &mut Ebpf, direction: TcAttachType) -> anyhow::Result<()> {
        self.mends += 1;
        self.detach_from(ebpf, direction).unwrap_or_default();
        self.attach_to(ebpf, direction)
    }

    fn attach_to(&mut self, ebpf: &mut Ebpf, direction: TcAttachType) -> anyhow::Result<()> {
        let interface = &self.interface;
        let program = program(interface, direction);
        let classifier = object::program::<SchedClassifier>(ebpf, program)?;
        let order = if is_ingress(direction) { LinkOrder::first() } else { LinkOrder::last() };
        let tcx = classifier.attach_with_options(&interface.name, direction, TcAttachOptions::TcxOrder(order));
        let attached = match tcx {
            Ok(link) => Attached { program, link, filter: None },
            Err(error) => {
                log::debug!("no TCX on {}: {error}", interface.name);
                let handle = match &mut self.claim {
                    Some(claim) => claim.handle(),
                    claim @ None => {
                        clsact::remove_leftovers(interface.index)?;
                        claim.insert(InterfaceClaim::take(interface.index)?).handle()
                    }
                };
                let (link, made_qdisc) = attach_filter(classifier, interface, direction, handle)?;
                Attached { program, link, filter: Some(made_qdisc) }
            }
        };
        *self.on(direction) = Some(attached);
        Ok(())
    }

    fn detach_from(&mut self, ebpf: &mut Ebpf, direction: TcAttachType) -> anyhow::Result<()> {
        let Some(Attached { program, link, filter }) = self.on(direction).take() else { return Ok(()) };
        object::program::<SchedClassifier>(ebpf, program)?.detach(link)?;
        if filter == Some(true) { clsact::remove_if_unused(self.interface.index) } else { Ok(()) }
    }

    const fn on(&mut self, direction: TcAttachType) -> &mut Option<Attached> {
        if is_ingress(direction) { &mut self.ingress } else { &mut self.egress }
    }
}

/// Loads the programs without attaching them.
pub(super) fn load(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    for name in INGRESS.into_iter().chain(EGRESS) {
        object::program::<SchedClassifier>(ebpf, name)?
            .load()
            .with_context(|| format!("cannot load the eBPF program {name}"))?;
    }
    Ok(())
}

/// The programs, by id.
pub(super) fn ids(ebpf: &mut Ebpf) -> BTreeSet<u32> {
    let id = |name| Some(object::program::<SchedClassifier>(ebpf, name).ok()?.info().ok()?.id());
    INGRESS.into_iter().chain(EGRESS).filter_map(id).collect()
}

/// Unloads the programs; what TCX holds ends with them.
pub(super) fn unload(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    for name in INGRESS.into_iter().chain(EGRESS) {
        let _ = object::program::<SchedClassifier>(ebpf, name)?.unload();
    }
    Ok(())
}

const fn is_ingress(direction: TcAttachType) -> bool {
    matches!(direction, TcAttachType::Ingress)
}

fn program(interface: &Interface, direction: TcAttachType) -> &'static str {
    let programs = if is_ingress(direction) { INGRESS } else { EGRESS };
    programs[usize::from(interface.has_ethernet)]
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
    let priority = if is_ingress(direction) { 1 } else { u16::MAX };
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
