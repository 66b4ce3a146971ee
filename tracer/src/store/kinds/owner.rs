//! `owner`: facts since when, part, parts, text.

use tracer_common::events::{OWNER_TEXT, Owner, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for Owner {
    fn put_shape(&self, _: &mut ShapeWriter<'_>) {}

    fn put_facts(&self, to: &mut ItemWriter) {
        to.put_number(self.since_ns);
        to.put_number(self.part);
        to.put_number(self.parts);
        to.put_bytes(self.bytes());
    }

    fn get_shape(stamp: Stamp, _: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp, since_ns: 0, part: 0, parts: 0, length: 0, unused: [0; 5], text: [0; OWNER_TEXT] })
    }

    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.since_ns, self.part, self.parts) = (from.number()?, from.number()?, from.number()?);
        let bytes = from.bytes()?;
        self.text.get_mut(..bytes.len()).ok_or(Malformed)?.copy_from_slice(bytes);
        self.length = u8::try_from(bytes.len()).map_err(|_| Malformed)?;
        Ok(())
    }
}
