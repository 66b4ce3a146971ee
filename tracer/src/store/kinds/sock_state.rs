//! `sock_state`: flow with ISN, new state, error.

use tracer_common::events::{SockState, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for SockState {
    fn put(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow(flow, Some(self.isn));
        to.put_number(self.new_state);
        to.put_number(self.err);
    }

    fn get(stamp: Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        let seen = from.flow_with_isn()?;
        let new_state = from.number()?;
        Ok(Self { stamp, flow: seen.flow, isn: seen.isn, err: from.number()?, new_state, unused: [0; 3] })
    }
}
