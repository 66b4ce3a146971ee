//! `uplink`: shape interface, state, link; facts name.

use tracer_common::events::{INTERFACE_NAME, Stamp, Uplink};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Uplink {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.ifindex);
        to.put_number(self.state);
        to.put_number(self.link);
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        to.put_bytes(self.name());
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        let (ifindex, state, link) = (from.number()?, from.number()?, from.number()?);
        Ok(Self { stamp, ifindex, state, link, unused: [0; 2], name: [0; INTERFACE_NAME] })
    }

    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        let bytes = from.bytes()?;
        self.name.get_mut(..bytes.len()).ok_or(Malformed)?.copy_from_slice(bytes);
        Ok(())
    }
}
