//! What this node itself did to the connections, as its conntrack tables have them: whether NAT changed their source ports.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::Result;
use tracer_common::Flow;

use crate::conntrack;
use crate::netns::Netns;

/// What the tables show of the probe's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnNat {
    /// A connection whose source port NAT changed: from, to.
    pub moved: Option<(u16, u16)>,
    /// Connections that conntrack knows.
    pub found: usize,
    /// Unanswered connections that it does not know although it knows others: they never left this node.
    pub missing: usize,
}

/// A connection of the probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub(super) source: SocketAddr,
    pub(super) target: SocketAddr,
    pub(super) is_answered: bool,
}

/// Looks at the table of this thread's namespace and at that of `outer`, where NAT of what comes out of a pod takes place.
pub(super) fn look(asked: &[Own], outer: &Netns) -> Result<OwnNat> {
    let mut own = OwnNat::default();
    let unknown = find(asked, &mut own)?;
    if own.found > 0 {
        own.missing = unknown;
    }
    if outer.is_current()? {
        return Ok(own);
    }
    outer.run(|| {
        find(asked, &mut own)?;
        Ok(own)
    })
}

/// How many unanswered ones the table does not have.
fn find(asked: &[Own], own: &mut OwnNat) -> Result<usize> {
    let flows = asked.iter().map(|own| (Flow::new(own.source, own.target), own.is_answered));
    let mut waiting: HashMap<Flow, bool> = flows.collect();
    conntrack::entries(|entry| {
        if waiting.remove(&entry.original).is_some() {
            let (from, to) = (entry.original.src_port, entry.translated().src_port);
            own.found += 1;
            own.moved = own.moved.or((from != to).then_some((from, to)));
        }
    })?;
    Ok(waiting.into_values().filter(|is_answered| !is_answered).count())
}
