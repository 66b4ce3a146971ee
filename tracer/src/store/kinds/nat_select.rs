//! `nat_select`: shape flags, lowest port, highest port, zone; facts original flow.

use tracer_common::events::{NatSelect, Stamp};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for NatSelect {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.flags);
        to.put_number(self.min_port);
        to.put_number(self.max_port);
        to.put_number(self.zone);
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let original = to.flow(&self.original);
        to.put_flow(original);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            stamp,
            original: NO_FLOW,
            flags: from.number()?,
            min_port: from.number()?,
            max_port: from.number()?,
            zone: from.number()?,
            unused: 0,
        })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        self.original = from.flow()?;
        Ok(())
    }
}
