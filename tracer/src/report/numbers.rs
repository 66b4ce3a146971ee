//! Numbers as people read them.

use crate::model::percent;

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let mut text = number.to_string();
    for end in (1..text.len()).rev().skip(2).step_by(3) {
        text.insert(end, ',');
    }
    text
}

/// At most nine characters: `9,999,999`, then `12.3 M`.
pub(super) fn short(number: u64) -> String {
    if number < 10_000_000 {
        return grouped(number);
    }
    let (unit, letter) = match number.ilog10() {
        18.. => (1_000_000_000_000_000_000, 'E'),
        15..18 => (1_000_000_000_000_000, 'P'),
        12..15 => (1_000_000_000_000, 'T'),
        9..12 => (1_000_000_000, 'G'),
        0..9 => (1_000_000, 'M'),
    };
    format!("{}.{} {letter}", number / unit, number % unit / (unit / 10))
}

/// `50.2 %`; nothing of nothing is `-`. Neither 0 nor 100 unless it is exactly that.
pub(super) fn share(part: u64, of: u64) -> String {
    match percent(part, of) {
        None => "-".to_owned(),
        Some(percent) if part > 0 && percent < 0.05 => "< 0.1 %".to_owned(),
        Some(percent) if part < of && percent >= 99.95 => "> 99.9 %".to_owned(),
        Some(percent) => format!("{percent:.1} %"),
    }
}

/// `45 s`, `1 min 7 s`, `3 h 20 min`, `2 d 4 h`.
pub(super) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = UNITS.iter().position(|&(unit, _)| seconds >= unit).unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for &(unit, name) in UNITS.iter().skip(first).take(2) {
        if rest >= unit || parts.is_empty() {
            parts.push(format!("{} {name}", grouped(rest / unit)));
        }
        rest %= unit;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_short_number_has_at_most_nine_characters() {
        for (number, text) in [(9_999_999, "9,999,999"), (12_345_678, "12.3 M"), (999_999_999, "999.9 M")] {
            assert_eq!(short(number), text);
        }
        for shift in 0..64 {
            assert!(short(u64::MAX >> shift).len() <= 9, "{}", short(u64::MAX >> shift));
        }
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        for (part, of, text) in [
            (0, 0, "-"),
            (0, 9, "0.0 %"),
            (9, 9, "100.0 %"),
            (1, 3, "33.3 %"),
            (1, 100_000, "< 0.1 %"),
            (99_999, 100_000, "> 99.9 %"),
        ] {
            assert_eq!(share(part, of), text);
        }
    }

    #[test]
    fn a_span_has_two_units() {
        for (seconds, text) in
            [(0, "0 s"), (45, "45 s"), (67, "1 min 7 s"), (120, "2 min"), (12_000, "3 h 20 min"), (187_261, "2 d 4 h")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}
