//! `syn_retransmit`: flow with ISN, ordinal, error.

use tracer_common::events::{Stamp, SynRetransmit};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for SynRetransmit {
    fn put(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow(flow, Some(self.isn));
        to.put_number(self.ordinal);
        to.put_signed(self.err);
    }

    fn get(stamp: Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        let seen = from.flow_with_isn()?;
        Ok(Self { stamp, flow: seen.flow, isn: seen.isn, ordinal: from.number()?, err: from.signed()? })
    }
}
