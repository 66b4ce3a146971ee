//! `ct_table`: facts count, max.

use tracer_common::events::{CtTable, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for CtTable {
    fn put_shape(&self, _: &mut ShapeWriter<'_>) {}

    fn put_facts(&self, to: &mut ItemWriter) {
        to.put_number(self.count);
        to.put_number(self.max);
    }

    fn get_shape(stamp: Stamp, _: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp, count: 0, max: 0 })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.count, self.max) = (from.number()?, from.number()?);
        Ok(())
    }
}
