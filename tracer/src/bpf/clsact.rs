//! Keeps the promise that nothing stays behind where kernels have no TCX: clsact qdiscs and their filters.
//!
//! A filter of ours has a program called `wire_*` and a handle that its run holds, so that the filters of a killed run can
//! be distinguished from those in use, and a qdisc is removed only when no other filter is on it.

use anyhow::Context as _;
use aya::programs::tc::{TcError, qdisc_add_clsact};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcHeader, TcMessage, TcOption};

use super::{claim, netlink};

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
    anyhow::ensure!(is_clsact, "it has an ingress qdisc, which does not see what leaves: replace that with clsact");
    Ok(false)
}

fn has_clsact(index: u32) -> anyhow::Result<bool> {
    let dump = RouteNetlinkMessage::GetQueueDiscipline(message(index, TcHandle::UNSPEC));
    let is_it = |answer: &RouteNetlinkMessage| {
        let RouteNetlinkMessage::NewQueueDiscipline(qdisc) = answer else { return false };
        let is_here = qdisc.header.index == index as i32 && qdisc.header.parent == TcHandle::CLSACT;
        is_here && qdisc.attributes.contains(&TcAttribute::Kind("clsact".to_owned()))
    };
    Ok(netlink::request(dump, NLM_F_REQUEST | NLM_F_DUMP)?.iter().any(is_it))
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
    let mut qdisc = message(index, TcHandle::CLSACT);
    qdisc.header.handle = TcHandle { major: TcHandle::CLSACT.major, minor: 0 };
    qdisc.attributes.push(TcAttribute::Kind("clsact".to_owned()));
    request(RouteNetlinkMessage::DelQueueDiscipline(qdisc), NLM_F_REQUEST | NLM_F_ACK).map(drop)
}

/// Removes the filters of runs that were killed, and the qdisc if it is empty then.
pub(super) fn remove_leftovers(index: u32) -> anyhow::Result<()> {
    let is_leftover = |filter: &TcMessage| is_ours(filter) && !claim::is_held(index, u32::from(filter.header.handle));
    let leftovers: Vec<_> = filters(index)?.into_iter().filter(is_leftover).collect();
    if leftovers.is_empty() {
        return Ok(());
    }
    for mut filter in leftovers {
        log::info!("removing a filter that a killed snatrace left on interface {index}");
        filter.attributes.retain(|attribute| matches!(attribute, TcAttribute::Kind(_)));
        // Another start may have been faster.
        if let Err(error) = request(RouteNetlinkMessage::DelTrafficFilter(filter), NLM_F_REQUEST | NLM_F_ACK) {
            log::info!("it was not removed: {error:#}");
        }
    }
    remove_if_unused(index)
}

/// All filters on both directions of a clsact qdisc.
fn filters(index: u32) -> anyhow::Result<Vec<TcMessage>> {
    let mut found = of_direction(index, true)?;
    found.extend(of_direction(index, false)?);
    Ok(found)
}

/// The filters on one direction of a clsact qdisc, in the order in which they run.
pub(super) fn of_direction(index: u32, is_ingress: bool) -> anyhow::Result<Vec<TcMessage>> {
    const TC_H_CLSACT: u16 = 0xffff;
    const TC_H_MIN_INGRESS: u16 = 0xfff2;
    const TC_H_MIN_EGRESS: u16 = 0xfff3;
    let minor = if is_ingress { TC_H_MIN_INGRESS } else { TC_H_MIN_EGRESS };
    let dump = message(index, TcHandle { major: TC_H_CLSACT, minor });
    let mut found = request(RouteNetlinkMessage::GetTrafficFilter(dump), NLM_F_REQUEST | NLM_F_DUMP)?;
    // The kernel also names each priority once, with handle 0.
    found.retain(|filter| filter.header.handle != TcHandle::UNSPEC);
    Ok(found)
}

fn message(index: u32, parent: TcHandle) -> TcMessage {
    let header = TcHeader { index: index as i32, parent, ..TcHeader::default() };
    TcMessage::from_parts(header, Vec::new())
}

pub(super) fn is_ours(filter: &TcMessage) -> bool {
    filter.attributes.iter().any(|attribute| {
        let TcAttribute::Options(options) = attribute else { return false };
        options.iter().any(
            |option| matches!(option, TcOption::Bpf(TcFilterBpfOption::ProgName(name)) if name.starts_with("wire_")),
        )
    })
}

/// Sends a request and keeps the filters of what the kernel answers.
fn request(message: RouteNetlinkMessage, flags: u16) -> anyhow::Result<Vec<TcMessage>> {
    let answers = netlink::request(message, flags)?.into_iter();
    Ok(answers
        .filter_map(
            |answer| if let RouteNetlinkMessage::NewTrafficFilter(filter) = answer { Some(filter) } else { None },
        )
        .collect())
}
