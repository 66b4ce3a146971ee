//! `sock_state`: shape new state, error, retransmits; facts flow with ISN.

use tracer_common::events::{SockState, Stamp};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for SockState {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.new_state);
        to.put_number(self.err);
        if self.retransmits != 0 {
            to.put_number(self.retransmits);
        }
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow_with_isn(flow, self.isn);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        let (new_state, err) = (from.number()?, from.number()?);
        Ok(Self { stamp, flow: NO_FLOW, isn: 0, err, new_state, retransmits: from.added()?, unused: [0; 2] })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.flow, self.isn) = from.flow_with_isn()?;
        Ok(())
    }
}
