//! Numbers as people read them.

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most nine characters: `9,999,999`, then `12.3 M`.
pub(super) fn short(number: u64) -> String {
    const UNITS: [(u64, char); 5] = [
        (1_000_000_000_000_000_000, 'E'),
        (1_000_000_000_000_000, 'P'),
        (1_000_000_000_000, 'T'),
        (1_000_000_000, 'G'),
        (1_000_000, 'M'),
    ];
    if number < 10_000_000 {
        return grouped(number);
    }
    let (unit, letter) = UNITS.into_iter().find(|&(unit, _)| number >= unit).unwrap_or((1_000_000, 'M'));
    format!("{}.{} {letter}", grouped(number / unit), number % unit / (unit / 10))
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

/// Of nothing there is none.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn percent(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 * 100.0 / of as f64)
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
