//! `address`: shape interface, prefix, state; facts address.

use tracer_common::events::{Address, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Address {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.ifindex);
        to.put_number(self.prefix);
        to.put_number(self.state);
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        to.put_bytes(&self.addr);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        let (ifindex, prefix, state) = (from.number()?, from.number()?, from.number()?);
        Ok(Self { stamp, addr: [0; 16], ifindex, prefix, state, unused: [0; 2] })
    }

    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        self.addr = from.bytes()?.try_into().map_err(|_| Malformed)?;
        Ok(())
    }
}
