//! How well chance explains that only attempts from inside ports were answered, where there are few.

/// Above this, chance explains it too well to suspect a filter.
pub(super) const SUSPECT_P: f64 = 0.2;
/// ln(100): from here on something is likely, which is no proof. Where some destinations bypass the filter, it is suspected for others; a
/// rate limit is a doubt.
pub(super) const LIKELY_NATS: f64 = 4.605_170;

/// Whether chance puts all the answered ones inside with this probability at most (Fisher's exact test).
pub(super) fn is_below(at_most: f64, answered: u32, inside: u32, unanswered_outside: u32) -> bool {
    let (inside, all) = (f64::from(inside), f64::from(inside) + f64::from(unanswered_outside));
    let mut p = 1.0;
    for drawn in (0..answered).map(f64::from) {
        p *= (inside - drawn) / (all - drawn);
        if p <= at_most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_believed_once_in_five_times() {
        let is_suspect = |answered, inside, outside| is_below(SUSPECT_P, answered, inside, outside);
        // 1 of 2, 1 of 3, 1 of 5, 1 of 6 arrangements.
        assert!(!is_suspect(1, 1, 1) && !is_suspect(2, 2, 1));
        assert!(is_suspect(1, 1, 4) && is_suspect(2, 2, 2));
        assert!(!is_suspect(0, 5, 100) && !is_suspect(1, 10, 3));
        assert!(is_suspect(1000, 1000, 1000));
        // 20 of 50 answered inside: 30 outside are too few, 60 are not.
        assert!(!is_below(1e-4, 20, 50, 20) && is_below(1e-4, 20, 50, 60));
    }
}
