//! Attaches the TC programs: TCX, which the kernel removes with the process, else a filter on a clsact qdisc.

use anyhow::Context as _;
use aya::Ebpf;
use aya::programs::tc::{NlOptions, SchedClassifierLinkId, TcAttachOptions, TcAttachType, TcHandle};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier};

use super::claim::Claim;
use super::clsact;
use super::interfaces::{Interface, name_of};
use super::survey::try_load;
use crate::model::HookState;
use crate::netns::Netns;

/// The programs for each direction, by whether there is an Ethernet header.
const INGRESS: [&str; 2] = ["wire_l3_ingress", "wire_ingress"];
const EGRESS: [&str; 2] = ["wire_l3_egress", "wire_egress"];

const NO_UPLINK: &str = "no interface here has a default route (name one with --iface): answers are not seen";

/// Why nothing could be attached now.
pub(super) fn cannot(ebpf: &mut anyhow::Result<Ebpf>, uplinks: usize) -> Option<String> {
    if uplinks == 0 { Some(NO_UPLINK.to_owned()) } else { try_load(ebpf, load) }
}

/// What is attached to interfaces.
pub(super) struct Wires {
    namespaces: Vec<Netns>,
    watched: Vec<Interface>,
    filters: Vec<Filter>,
    /// The handles of the filters.
    claims: Vec<Claim>,
    state: HookState,
}

/// A filter that outlives the process unless it is removed.
struct Filter {
    uplink: Interface,
    program: &'static str,
    link: SchedClassifierLinkId,
    /// The qdisc was not there before.
    made_qdisc: bool,
}

/// Index and namespace of each interface.
pub(super) fn namespaces(uplinks: &[Interface]) -> Vec<(u32, u32)> {
    uplinks.iter().map(|uplink| (uplink.index, uplink.inum)).collect()
}

impl Wires {
    /// Attaches to all interfaces, or to none: half a wire would be a wrong witness. Interfaces that the user named must be
    /// watched; without others the rest goes on.
    pub(super) fn attach(
        ebpf: &mut Ebpf,
        loaded: anyhow::Result<()>,
        namespaces: Vec<Netns>,
        uplinks: Vec<Interface>,
        are_named: bool,
    ) -> anyhow::Result<Self> {
        let state = HookState { stem: "wire".to_owned(), off: None };
        let mut wires = Self { namespaces, watched: Vec::new(), filters: Vec::new(), claims: Vec::new(), state };
        if uplinks.is_empty() {
            wires.state.off = Some(NO_UPLINK.to_owned());
            return Ok(wires);
        }
        match loaded.and_then(|()| wires.attach_to_all(ebpf, &uplinks)) {
            Ok(()) => wires.watched = uplinks,
            Err(error) => {
                wires.detach(ebpf)?;
                // What TCX holds ends with its program.
                for name in INGRESS.into_iter().chain(EGRESS) {
                    let _ = classifier(ebpf, name)?.unload();
                }
                if are_named {
                    return Err(error.context("without --iface the rest would go on"));
                }
                wires.state.off = Some(format!("{error:#}: answers are not seen"));
            }
        }
        Ok(wires)
    }

    fn attach_to_all(&mut self, ebpf: &mut Ebpf, uplinks: &[Interface]) -> anyhow::Result<()> {
        uplinks.iter().try_for_each(|uplink| {
            self.attach_to(ebpf, uplink).with_context(|| format!("cannot watch interface {}", uplink.name))
        })
    }

    pub(super) fn interfaces(&self) -> Vec<&str> {
        self.watched.iter().map(|interface| interface.name.as_str()).collect()
    }

    pub(super) fn namespaces(&self) -> &[Netns] {
        &self.namespaces
    }

    /// Interfaces that went away since the last call. Only in the namespace that this thread is in: to look into others each
    /// time would cost more than it tells.
    pub(super) fn gone(&mut self) -> Vec<String> {
        let is_here = |interface: &Interface| {
            let is_current = self.namespaces[interface.netns].is_current().unwrap_or(false);
            !is_current || name_of(interface.index).is_some()
        };
        let (here, gone) = std::mem::take(&mut self.watched).into_iter().partition(is_here);
        self.watched = here;
        Vec::<Interface>::into_iter(gone).map(|interface| interface.name).collect()
    }

    pub(super) fn state(&self) -> HookState {
        self.state.clone()
    }

    fn attach_to(&mut self, ebpf: &mut Ebpf, uplink: &Interface) -> anyhow::Result<()> {
        let ethernet = usize::from(uplink.has_ethernet);
        let mut claim = None;
        for (program, direction) in
            [(INGRESS[ethernet], TcAttachType::Ingress), (EGRESS[ethernet], TcAttachType::Egress)]
        {
            let classifier = classifier(ebpf, program)?;
            let attached = self.namespaces[uplink.netns].run(|| attach(classifier, uplink, direction, &mut claim))?;
            self.filters.extend(attached.map(|(link, made_qdisc)| Filter {
                uplink: uplink.clone(),
                program,
                link,
                made_qdisc,
            }));
        }
        self.claims.extend(claim);
        Ok(())
    }

    /// Removes the filters; TCX links end with the programs.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        let mut result = Ok(());
        // The last first: the one that came with the qdisc is then the one that leaves it empty.
        for Filter { uplink, program, link, made_qdisc } in std::mem::take(&mut self.filters).into_iter().rev() {
            let classifier = classifier(ebpf, program)?;
            let detached = self.namespaces[uplink.netns].run(|| {
                classifier.detach(link)?;
                if made_qdisc { clsact::remove_if_unused(uplink.index) } else { Ok(()) }
            });
            result = result.and(detached.with_context(|| format!("cannot detach from interface {}", uplink.name)));
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

/// Attaches a program in the namespace of this thread; what is returned has to be detached by hand.
fn attach(
    classifier: &mut SchedClassifier,
    uplink: &Interface,
    direction: TcAttachType,
    claim: &mut Option<Claim>,
) -> anyhow::Result<Option<(SchedClassifierLinkId, bool)>> {
    // First, because a program before this one may end the walk; this one never does.
    let tcx = TcAttachOptions::TcxOrder(LinkOrder::first());
    match classifier.attach_with_options(&uplink.name, direction, tcx) {
        Ok(_) => return Ok(None),
        Err(error) => log::debug!("no TCX on {}: {error}", uplink.name),
    }
    let handle = match claim {
        Some(claim) => claim.handle(),
        None => {
            clsact::remove_leftovers(uplink.index)?;
            claim.insert(Claim::take(uplink.index)?).handle()
        }
    };
    let made_qdisc = clsact::add(&uplink.name, uplink.index)?;
    let mut attach = |priority| attach_filter(classifier, uplink, direction, priority, handle);
    match attach(1).or_else(|_| attach(0)) {
        Ok(link) => Ok(Some((link, made_qdisc))),
        Err(error) => {
            if made_qdisc {
                clsact::remove_if_unused(uplink.index)?;
            }
            Err(error.into())
        }
    }
}

fn attach_filter(
    classifier: &mut SchedClassifier,
    uplink: &Interface,
    direction: TcAttachType,
    priority: u16,
    handle: u32,
) -> Result<SchedClassifierLinkId, ProgramError> {
    let handle = TcHandle::from(handle);
    let options = TcAttachOptions::Netlink(NlOptions { priority, handle, classid: None });
    classifier.attach_with_options(&uplink.name, direction, options)
}
