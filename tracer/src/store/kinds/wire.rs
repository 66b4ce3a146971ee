//! `wire`: flow with ISN, interface, packet, direction.

use tracer_common::events::{Stamp, Wire};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for Wire {
    fn put(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow(flow, Some(self.isn));
        to.put_number(self.ifindex);
        to.put_number(self.packet);
        to.put_number(self.direction);
    }

    fn get(stamp: Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        let seen = from.flow_with_isn()?;
        Ok(Self {
            stamp,
            flow: seen.flow,
            isn: seen.isn,
            ifindex: from.number()?,
            packet: from.number()?,
            direction: from.number()?,
            unused: 0,
        })
    }
}
