//! `syn_retransmit`: shape ordinal, error; facts flow with ISN.

use tracer_common::events::{Stamp, SynRetransmit};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for SynRetransmit {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.ordinal);
        to.put_signed(self.err);
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow_with_isn(flow, self.isn);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp, flow: NO_FLOW, isn: 0, ordinal: from.number()?, err: from.signed()? })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.flow, self.isn) = from.flow_with_isn()?;
        Ok(())
    }
}
