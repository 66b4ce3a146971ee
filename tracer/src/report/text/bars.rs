//! Bars of Unicode blocks.

/// Eighths of a block, from below.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The bars as lines, the uppermost first, all `height` lines high at `most`.
///
/// What is not nothing is never drawn as nothing, and only `most` itself fills the last block.
pub(super) fn bars(values: &[u64], most: u64, height: usize) -> Vec<String> {
    let levels: Vec<usize> = values.iter().map(|&value| level(value, most, height * 8)).collect();
    let line = |row: usize| levels.iter().map(|level| BLOCKS[level.saturating_sub(row * 8).min(8)]).collect();
    (0..height).rev().map(line).collect()
}

fn level(value: u64, most: u64, levels: usize) -> usize {
    let scaled = u128::from(value) * levels as u128 / u128::from(most.max(1));
    match usize::try_from(scaled) {
        Ok(0) if value > 0 => 1,
        Ok(level) => level.min(levels),
        Err(_) => levels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_by_eighths_of_a_block() {
        assert_eq!(bars(&[0, 1, 2, 3, 4, 5, 6, 7, 8], 8, 1), [" ▁▂▃▄▅▆▇█"]);
        assert_eq!(bars(&[0, 8, 9, 16], 16, 2), ["  ▁█", " ███"]);
    }

    #[test]
    fn what_is_not_nothing_is_seen() {
        assert_eq!(bars(&[1, 0, u64::MAX], u64::MAX, 1), ["▁ █"]);
        assert_eq!(bars(&[0, 0], 0, 1), ["  "]);
    }

    #[test]
    fn only_the_highest_bar_is_full() {
        assert_eq!(bars(&[999, 1000], 1000, 1), ["▇█"]);
    }
}
