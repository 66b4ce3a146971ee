//! How well chance explains that only attempts from inside ports were answered, where there are few.

/// Above this, chance explains it too well to suspect a filter.
const SUSPECT_P: f64 = 0.2;

/// Whether chance puts all the answered ones inside less than once in five times (Fisher's exact test).
pub(super) fn is_suspect(answered: u32, inside: u32, unanswered_outside: u32) -> bool {
    let (inside, all) = (f64::from(inside), f64::from(inside) + f64::from(unanswered_outside));
    let mut p = 1.0;
    for drawn in (0..answered).map(f64::from) {
        p *= (inside - drawn) / (all - drawn);
        if p <= SUSPECT_P {
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
        // 1 of 2, 1 of 3, 1 of 5, 1 of 6 arrangements.
        assert!(!is_suspect(1, 1, 1) && !is_suspect(2, 2, 1));
        assert!(is_suspect(1, 1, 4) && is_suspect(2, 2, 2));
        assert!(!is_suspect(0, 5, 100) && !is_suspect(1, 10, 3));
        assert!(is_suspect(1000, 1000, 1000));
    }
}
