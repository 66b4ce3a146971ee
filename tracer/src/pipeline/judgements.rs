//! The judgements of the open attempts. Facts are with the join; these are kept here, and dropped with the attempt.

use crate::causes;
use crate::model::Judgement;

/// By the numbers of attempts, two bytes each: a million may be open. The strength of the evidence is assessed each time.
#[derive(Debug, Default)]
pub(super) struct Judgements(Vec<Packed>);

/// A [`Judgement`] in two bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Packed {
    flagged: bool,
    /// Place in [`causes::ALL`], from 1; 0 for none
    cause: u8,
}

impl Judgements {
    pub(super) fn load(&self, id: u32) -> Judgement {
        self.0.get(id as usize).copied().unwrap_or_default().unpack()
    }

    /// Keeps what is concluded about the attempt now.
    pub(super) fn store(&mut self, id: u32, judgement: Judgement) {
        let id = id as usize;
        if id >= self.0.len() {
            self.0.resize(id + 1, Packed::default());
        }
        self.0[id] = Packed::pack(judgement);
    }

    /// Drops what was concluded about the attempt and returns it: the number is another attempt's from now on.
    pub(super) fn take(&mut self, id: u32) -> Judgement {
        self.0.get_mut(id as usize).map(std::mem::take).unwrap_or_default().unpack()
    }
}

impl Packed {
    fn pack(Judgement { flagged, cause, strength: _ }: Judgement) -> Self {
        let place = cause.and_then(|id| causes::ALL.iter().position(|cause| cause.id == id));
        Self { flagged, cause: place.map_or(0, |place| place as u8 + 1) }
    }

    fn unpack(self) -> Judgement {
        let cause = usize::from(self.cause).checked_sub(1).and_then(|place| causes::ALL.get(place));
        Judgement { flagged: self.flagged, cause: cause.map(|cause| cause.id), strength: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_is_kept_until_its_attempt_has_ended() {
        let mut judgements = Judgements::default();
        for (id, cause) in (0..).zip(causes::ALL) {
            let judgement = Judgement { flagged: id % 2 == 0, cause: Some(cause.id), strength: None };
            judgements.store(id, judgement);
            assert_eq!(judgements.load(id), judgement);
        }
        assert_eq!(judgements.take(0), Judgement { flagged: true, cause: Some(causes::ALL[0].id), strength: None });
        assert_eq!(judgements.load(0), Judgement::default());
        assert_eq!(judgements.load(1), Judgement { flagged: false, cause: Some(causes::ALL[1].id), strength: None });
        assert_eq!(judgements.take(1_000_000), Judgement::default());
    }
}
