//! Keeps the promise that nothing stays behind where kernels have no TCX: clsact qdiscs and their filters.
//!
//! A filter of ours has a program called `wire_*` and a handle that its run holds, so that the filters of a killed run can
//! be distinguished from those in use, and a qdisc is removed only when no other filter is on it.

use anyhow::Context as _;
use aya::programs::tc::{TcError, qdisc_add_clsact};

use super::claim;
use crate::netlink::{Connection, find, number, text};

const RTM_DELQDISC: u16 = 37;
const RTM_GETQDISC: u16 = 38;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
const TCA_KIND: u16 = 1;
const TC_H_CLSACT: u32 = 0xffff_fff1;
const TC_H_MAJ_MASK: u32 = 0xffff_0000;
const TC_H_MIN_INGRESS: u32 = 0xfff2;
const TC_H_MIN_EGRESS: u32 = 0xfff3;
/// Bytes of the header of a qdisc or filter (`tcmsg`).
const HEADER: usize = 20;

/// A filter.
pub(super) struct Filter {
    /// As the kernel sent it.
    message: Vec<u8>,
}

/// Adds a clsact qdisc; whether it was not there before.
pub(super) fn add(name: &str, index: u32) -> anyhow::Result<bool> {
    match qdisc_add_clsact(name) {
        Ok(()) => return Ok(true),
        Err(TcError::AlreadyAttached) => {}
        Err(error) if exists(&error) => {}
        Err(error) => return Err(error).with_context(|| format!("cannot add a clsact qdisc to {name}")),
    }
    // It has the same place, and takes filters for both directions as ones on packets that arrive.
    let is_clsact = has_clsact(index)?;
    anyhow::ensure!(
        is_clsact,
        "it has an ingress qdisc, which does not see packets that leave: replace it with a clsact qdisc"
    );
    Ok(false)
}

fn has_clsact(index: u32) -> anyhow::Result<bool> {
    let mut is_there = false;
    Connection::open()?.dump(RTM_GETQDISC, &header(index, 0, 0), |_, qdisc| {
        let is_here = field(qdisc, 4) == Some(index) && field(qdisc, 12) == Some(TC_H_CLSACT);
        is_there |= is_here && attribute(qdisc, TCA_KIND).and_then(text) == Some("clsact");
    })?;
    Ok(is_there)
}

fn exists(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Removes the clsact qdisc of an interface, if no filter is left on it.
pub(super) fn remove_if_unused(index: u32) -> anyhow::Result<()> {
    if !filters(index)?.is_empty() {
        return Ok(());
    }
    let mut qdisc = header(index, TC_H_CLSACT & TC_H_MAJ_MASK, TC_H_CLSACT).to_vec();
    kind(&mut qdisc, b"clsact\0");
    Connection::open()?.ask(RTM_DELQDISC, &qdisc, |_, _| ())
}

/// Removes the filters of runs that were killed, and the qdisc if it is empty then.
pub(super) fn remove_leftovers(index: u32) -> anyhow::Result<()> {
    let is_leftover = |filter: &Filter| filter.is_ours() && !claim::is_held(index, filter.handle());
    let leftovers: Vec<_> = filters(index)?.into_iter().filter(is_leftover).collect();
    if leftovers.is_empty() {
        return Ok(());
    }
    for filter in leftovers {
        log::info!("removing a filter that a killed snatrace left on interface {index}");
        // Another start may have been faster.
        if let Err(error) = filter.remove() {
            log::info!("it was not removed: {error:#}");
        }
    }
    remove_if_unused(index)
}

/// All filters on both directions of a clsact qdisc.
fn filters(index: u32) -> anyhow::Result<Vec<Filter>> {
    let mut found = of_direction(index, true)?;
    found.extend(of_direction(index, false)?);
    Ok(found)
}

/// The filters on one direction of a clsact qdisc, in the order in which they run.
pub(super) fn of_direction(index: u32, is_ingress: bool) -> anyhow::Result<Vec<Filter>> {
    let parent = TC_H_CLSACT & TC_H_MAJ_MASK | if is_ingress { TC_H_MIN_INGRESS } else { TC_H_MIN_EGRESS };
    let mut found = Vec::new();
    Connection::open()?.dump(RTM_GETTFILTER, &header(index, 0, parent), |_, filter| {
        // The kernel also names each priority once, with handle 0.
        if field(filter, 8).is_some_and(|handle| handle != 0) {
            found.push(Filter { message: filter.to_vec() });
        }
    })?;
    Ok(found)
}

impl Filter {
    pub(super) fn handle(&self) -> u32 {
        field(&self.message, 8).unwrap_or_default()
    }

    /// Whether its program is one of snatrace.
    pub(super) fn is_ours(&self) -> bool {
        const TCA_OPTIONS: u16 = 2;
        const TCA_BPF_NAME: u16 = 7;
        let name = attribute(&self.message, TCA_OPTIONS).and_then(|options| find(options, TCA_BPF_NAME));
        name.and_then(text).is_some_and(|name| name.starts_with("wire_"))
    }

    fn remove(&self) -> anyhow::Result<()> {
        let mut filter = self.message[..HEADER].to_vec();
        if let Some(name) = attribute(&self.message, TCA_KIND) {
            kind(&mut filter, name);
        }
        Connection::open()?.ask(RTM_DELTFILTER, &filter, |_, _| ())
    }
}

/// Of a qdisc or filter.
fn header(index: u32, handle: u32, parent: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let fields = header.chunks_exact_mut(4).zip([0, index, handle, parent]);
    fields.for_each(|(to, field)| to.copy_from_slice(&field.to_ne_bytes()));
    header
}

/// A number of the header.
fn field(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..HEADER).and_then(number)
}

fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    find(message.get(HEADER..)?, wanted)
}

/// Appends the kind, which ends with a zero.
fn kind(message: &mut Vec<u8>, name: &[u8]) {
    message.extend([4 + name.len() as u16, TCA_KIND].map(u16::to_ne_bytes).concat());
    message.extend(name);
    message.resize(message.len().next_multiple_of(4), 0);
}
