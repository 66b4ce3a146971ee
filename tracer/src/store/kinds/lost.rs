//! `lost`: one count for each way to lose a fact.

use tracer_common::events::{Lost, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for Lost {
    fn put(&self, to: &mut ItemWriter) {
        for count in self.counts {
            to.put_number(count);
        }
    }

    fn get(stamp: Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        let mut counts = [0; 3];
        for count in &mut counts {
            *count = from.number()?;
        }
        Ok(Self { stamp, counts })
    }
}
