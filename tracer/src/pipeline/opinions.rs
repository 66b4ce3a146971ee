//! What was thought of the attempts under way. Facts are with the join; this is ours, and gone with the attempt.

use crate::causes;
use crate::model::Attempt;

/// By the numbers of attempts, two bytes each.
#[derive(Debug, Default)]
pub(super) struct Opinions(Vec<Opinion>);

#[derive(Clone, Copy, Debug, Default)]
struct Opinion {
    flagged: bool,
    /// Place in [`causes::ALL`] of the newest retransmit's, from 1
    cause: u8,
}

impl Opinions {
    /// Tells an attempt what was thought of it so far.
    pub(super) fn tell(&self, id: u32, attempt: &mut Attempt) {
        let Opinion { flagged, cause } = self.0.get(id as usize).copied().unwrap_or_default();
        let cause = usize::from(cause).checked_sub(1).and_then(|place| causes::ALL.get(place));
        (attempt.flagged, attempt.cause) = (flagged, cause.map(|cause| cause.id));
    }

    /// Notes what is thought of an attempt now.
    pub(super) fn note(&mut self, id: u32, attempt: &Attempt) {
        let id = id as usize;
        if id >= self.0.len() {
            self.0.resize(id + 1, Opinion::default());
        }
        let place = attempt.cause.and_then(|id| causes::ALL.iter().position(|cause| cause.id == id));
        let cause = place.map_or(0, |place| place as u8 + 1);
        self.0[id] = Opinion { flagged: attempt.flagged, cause };
    }

    /// The number is another attempt's from now on.
    pub(super) fn forget(&mut self, id: u32) {
        if let Some(opinion) = self.0.get_mut(id as usize) {
            *opinion = Opinion::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(opinions: &Opinions, id: u32) -> (bool, Option<&'static str>) {
        let mut attempt = Attempt::default();
        opinions.tell(id, &mut attempt);
        (attempt.flagged, attempt.cause)
    }

    #[test]
    fn what_is_thought_of_an_attempt_is_kept_until_it_is_forgotten() {
        let mut opinions = Opinions::default();
        for (id, cause) in (0..).zip(causes::ALL) {
            let attempt = Attempt { flagged: id % 2 == 0, cause: Some(cause.id), ..Attempt::default() };
            opinions.note(id, &attempt);
            assert_eq!(told(&opinions, id), (attempt.flagged, attempt.cause));
        }
        opinions.forget(0);
        assert_eq!(told(&opinions, 0), (false, None));
        assert_eq!(told(&opinions, 1), (false, Some(causes::ALL[1].id)));
        assert_eq!(told(&opinions, 1_000_000), (false, None));
    }
}
