//! `nat_bind`: shape status, zone, range; facts original and translated flow, both with ISN.

use tracer_common::events::{NatBind, Stamp};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for NatBind {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.status);
        to.put_number(self.zone);
        // Where `nat_select` was an event of its own there is none, and a field at the end that is missing is zero.
        if (self.range_flags, self.min_port, self.max_port) != (0, 0, 0) {
            to.put_number(self.range_flags);
            to.put_number(self.min_port);
            to.put_number(self.max_port);
        }
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let original = to.flow(&self.original);
        let translated = to.flow(&self.translated);
        to.put_flow_with_isn(original, self.isn);
        to.put_flow_with_isn(translated, self.isn);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        let (status, zone) = (from.number()?, from.number()?);
        let (range_flags, min_port, max_port) = (from.added()?, from.added()?, from.added()?);
        let (original, translated, isn) = (NO_FLOW, NO_FLOW, 0);
        Ok(Self { stamp, original, translated, isn, status, zone, range_flags, min_port, max_port })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.original, _) = from.flow_with_isn()?;
        (self.translated, self.isn) = from.flow_with_isn()?;
        Ok(())
    }
}
