//! `ct_drop`: shape reason, status, interface, packet, ctinfo, place; facts flow, ISN, original flow (left out where unknown).

use tracer_common::events::{CtDrop, Stamp};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for CtDrop {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.reason);
        to.put_number(self.status);
        to.put_number(self.ifindex);
        to.put_number(self.packet);
        to.put_number(self.ctinfo);
        to.put_number(self.place);
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        let original = (self.original != NO_FLOW).then(|| to.flow(&self.original));
        to.put_flow(flow);
        // Not remembered with the flow: a reader of 1.0 skips this event.
        to.put_number(self.isn);
        if let Some(original) = original {
            to.put_flow(original);
        }
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            stamp,
            flow: NO_FLOW,
            original: NO_FLOW,
            isn: 0,
            reason: from.number()?,
            status: from.number()?,
            ifindex: from.number()?,
            packet: from.number()?,
            ctinfo: from.number()?,
            place: from.number()?,
            unused: [0; 5],
        })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.flow, self.isn) = (from.flow()?, from.number()?);
        self.original = from.added_flow()?.unwrap_or(NO_FLOW);
        Ok(())
    }
}
