//! How many of some random draws fail, as a rule: the interval of a binomial distribution, exactly.

use std::ops::RangeInclusive;

/// The counts within which a binomial variable falls with at least the given probability, tails cut evenly.
pub fn interval(draws: u32, share: f64, probability: f64) -> RangeInclusive<u32> {
    if draws == 0 || share <= 0.0 {
        return 0..=0;
    }
    if share >= 1.0 {
        return draws..=draws;
    }
    let weights = binomial_weights(draws, share);
    let tail = (1.0 - probability) / 2.0 * weights.iter().sum::<f64>();
    let low = cut(weights.iter(), tail);
    let high = draws - cut(weights.iter().rev(), tail);
    low..=high
}

/// Probabilities of 0..=draws up to a common factor: 1 at the mode, so nothing overflows.
fn binomial_weights(draws: u32, share: f64) -> Vec<f64> {
    let odds = share / (1.0 - share);
    let mode = (0..draws).take_while(|&k| ratio(draws, k, odds) > 1.0).count();
    let steps: Vec<f64> = (0..draws).map(|k| ratio(draws, k, odds)).collect();
    let mut weights = vec![1.0_f64; steps.len() + 1];
    for index in mode..steps.len() {
        weights[index + 1] = weights[index] * steps[index];
    }
    for index in (0..mode).rev() {
        weights[index] = weights[index + 1] / steps[index];
    }
    weights
}

/// P(k + 1) / P(k)
fn ratio(draws: u32, k: u32, odds: f64) -> f64 {
    odds * f64::from(draws - k) / f64::from(k + 1)
}

/// How many outcomes from this end fit into the tail.
fn cut<'a>(weights: impl Iterator<Item = &'a f64>, tail: f64) -> u32 {
    let mut sum = 0.0;
    let mut count = 0;
    for weight in weights {
        sum += weight;
        if sum > tail {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_fair_coin_is_the_textbook_one() {
        // Exact quantiles of Binomial(100, 1/2) at 0.5 % and 99.5 %.
        assert_eq!(interval(100, 0.5, 0.99), 37..=63);
        assert_eq!(interval(10, 0.5, 0.99), 1..=9);
    }

    #[test]
    fn the_interval_stays_finite_for_many_draws() {
        assert_eq!(interval(10_000, 0.5, 0.99), 4871..=5129);
        assert_eq!(interval(10_000, 0.0, 0.99), 0..=0);
        assert_eq!(interval(7, 1.0, 0.99), 7..=7);
    }
}
