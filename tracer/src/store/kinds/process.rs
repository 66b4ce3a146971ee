//! `process`: facts flow with own ISN, socket, process, bytes of its name.

use tracer_common::events::{COMMAND_BYTES, Process, Stamp};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Process {
    fn put_shape(&self, _: &mut ShapeWriter<'_>) {}

    fn put_facts(&self, to: &mut ItemWriter) {
        let flow = to.flow(&self.flow);
        to.put_flow_with_own_isn(flow, self.isn);
        to.put_number(self.socket);
        to.put_number(self.pid);
        let end = self.command.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        to.put_bytes(self.command.get(..end).unwrap_or_default());
    }

    fn get_shape(stamp: Stamp, _: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp, flow: NO_FLOW, isn: 0, socket: 0, pid: 0, command: [0; COMMAND_BYTES] })
    }

    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.flow, self.isn) = from.flow_with_own_isn()?;
        (self.socket, self.pid) = (from.number()?, from.number()?);
        let bytes = from.bytes()?;
        self.command.get_mut(..bytes.len()).ok_or(Malformed)?.copy_from_slice(bytes);
        Ok(())
    }
}
