//! `lost`: facts one count for each way to lose a fact.

use tracer_common::events::{Lost, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Lost {
    fn put_shape(&self, _: &mut ShapeWriter<'_>) {}

    fn put_facts(&self, to: &mut ItemWriter) {
        for count in self.counts {
            to.put_number(count);
        }
    }

    fn get_shape(stamp: Stamp, _: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp, counts: Default::default() })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        for count in &mut self.counts {
            *count = from.added()?;
        }
        Ok(())
    }
}
