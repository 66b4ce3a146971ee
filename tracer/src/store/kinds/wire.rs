//! `wire`: shape interface, packet, direction, detail; facts flow with ISN.

use tracer_common::events::{Stamp, Wire};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Wire {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.ifindex);
        to.put_number(self.packet);
        to.put_number(self.direction);
        // Most have none, and a field at the end that is missing is zero.
        if self.detail != 0 {
            to.put_number(self.detail);
        }
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow_with_isn(flow, self.isn);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        let (ifindex, packet, direction) = (from.number()?, from.number()?, from.number()?);
        Ok(Self { stamp, flow: NO_FLOW, isn: 0, ifindex, packet, direction, detail: from.added()? })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.flow, self.isn) = from.flow_with_isn()?;
        Ok(())
    }
}
