//! Keeps the promise that nothing stays behind where kernels have no TCX: clsact qdiscs and their filters.
//!
//! A filter of ours has a program called `wire_*` and a handle that its run holds, so that the filters of a killed run can
//! be distinguished from those in use, and a qdisc is removed only when no other filter is on it.

use std::io::ErrorKind;

use anyhow::Context as _;
use aya::programs::tc::{TcError, qdisc_add_clsact};
use nix::libc::{RTM_DELQDISC, RTM_DELTFILTER, RTM_GETQDISC, RTM_GETTFILTER, TCA_KIND, TCA_OPTIONS};

use super::{claim, refusal};
use crate::netlink::{Connection, attribute, find, number, text};

const TC_H_CLSACT: u32 = 0xffff_fff1;
const TC_H_MAJ_MASK: u32 = 0xffff_0000;
const TC_H_MIN_INGRESS: u32 = 0xfff2;
const TC_H_MIN_EGRESS: u32 = 0xfff3;
/// Bytes of the header of a qdisc or filter (`tcmsg`).
const HEADER: usize = 20;

/// A filter, as the kernel sent it.
pub(super) struct TcFilter(Vec<u8>);

/// Adds a clsact qdisc; whether it was not there before.
pub(super) fn add(name: &str, index: u32) -> anyhow::Result<bool> {
    match qdisc_add_clsact(name) {
        Ok(()) => return Ok(true),
        Err(TcError::AlreadyAttached) => {}
        Err(error) if refusal::has_kind(&error, ErrorKind::AlreadyExists) => {}
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
        is_there |= is_here && found(qdisc, TCA_KIND).and_then(text) == Some("clsact");
    })?;
    Ok(is_there)
}

/// Removes the clsact qdisc of an interface, if no filter is left on it.
pub(super) fn remove_if_unused(index: u32) -> anyhow::Result<()> {
    if !filters(index)?.is_empty() {
        return Ok(());
    }
    let header = header(index, TC_H_CLSACT & TC_H_MAJ_MASK, TC_H_CLSACT);
    let qdisc = [&header[..], &attribute(TCA_KIND, b"clsact\0")].concat();
    Connection::open()?.ask(RTM_DELQDISC, &qdisc, |_, _| ())
}

/// Removes the filters of runs that were killed, and the qdisc if it is empty then.
pub(super) fn remove_leftovers(index: u32) -> anyhow::Result<()> {
    let is_leftover = |filter: &TcFilter| filter.is_ours() && !claim::is_held(index, filter.handle());
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
fn filters(index: u32) -> anyhow::Result<Vec<TcFilter>> {
    Ok([of_direction(index, true)?, of_direction(index, false)?].into_iter().flatten().collect())
}

/// The filters on one direction of a clsact qdisc, in the order in which they run.
pub(super) fn of_direction(index: u32, is_ingress: bool) -> anyhow::Result<Vec<TcFilter>> {
    let parent = TC_H_CLSACT & TC_H_MAJ_MASK | if is_ingress { TC_H_MIN_INGRESS } else { TC_H_MIN_EGRESS };
    let mut found = Vec::new();
    Connection::open()?.dump(RTM_GETTFILTER, &header(index, 0, parent), |_, filter| {
        // The kernel also names each priority once, with handle 0.
        if field(filter, 8).is_some_and(|handle| handle != 0) {
            found.push(TcFilter(filter.to_vec()));
        }
    })?;
    Ok(found)
}

impl TcFilter {
    pub(super) fn handle(&self) -> u32 {
        field(&self.0, 8).unwrap_or_default()
    }

    /// Whether its program is one of snatrace.
    pub(super) fn is_ours(&self) -> bool {
        const TCA_BPF_NAME: u16 = 7;
        let name = found(&self.0, TCA_OPTIONS).and_then(|options| find(options, TCA_BPF_NAME));
        name.and_then(text).is_some_and(|name| name.starts_with("wire_"))
    }

    fn remove(&self) -> anyhow::Result<()> {
        let kind = found(&self.0, TCA_KIND).map(|name| attribute(TCA_KIND, name)).unwrap_or_default();
        let filter = [&self.0[..HEADER], &kind].concat();
        Connection::open()?.ask(RTM_DELTFILTER, &filter, |_, _| ())
    }
}

/// Of a qdisc or filter.
fn header(index: u32, handle: u32, parent: u32) -> [u8; HEADER] {
    bytemuck::cast([0, index, handle, parent, 0])
}

/// A number of the header.
fn field(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..HEADER).and_then(number)
}

fn found(message: &[u8], wanted: u16) -> Option<&[u8]> {
    find(message.get(HEADER..)?, wanted)
}
