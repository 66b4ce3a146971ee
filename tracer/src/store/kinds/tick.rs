//! `tick`: nothing but its time.

use tracer_common::events::{Stamp, Tick};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Tick {
    fn put_shape(&self, _: &mut ShapeWriter<'_>) {}

    fn put_facts(&self, _: &mut ItemWriter) {}

    fn get_shape(stamp: Stamp, _: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp })
    }

    #[inline]
    fn get_facts(&mut self, _: &mut ItemReader<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}
