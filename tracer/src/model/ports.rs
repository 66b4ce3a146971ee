//! A set of ports as people write it: `32768-65535`, `80,443`, `any`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// A set of ports: ranges in ascending order that neither overlap nor touch, so equal sets compare equal.
///
/// Its text, in every output and in the trace, is the shortest that reads back as the same set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PortSet(Vec<(u16, u16)>);

/// Why a text is no set of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortSetError {
    /// Nothing, or nothing between two commas.
    #[error("a port is missing: write a range such as 32768-65535, a comma list, or any")]
    Missing,
    /// `-5` or `5-`.
    #[error("{0} has an open end: write both ends, such as 32768-65535")]
    OpenEnd(String),
    /// `abc` or `1-2-3`.
    #[error("{0} is neither a port nor a range: write 443, 32768-65535, a comma list, or any")]
    NotARange(String),
    /// `70000`.
    #[error("{0} is too high for a port: the highest is 65535")]
    TooHigh(String),
    /// `5-3`.
    #[error("{low}-{high} runs backwards: write {high}-{low}")]
    Backwards {
        /// The first number.
        low: u16,
        /// The second, smaller number.
        high: u16,
    },
}

impl PortSet {
    /// The ports from `low` to `high`, both included.
    pub fn range(low: u16, high: u16) -> Self {
        Self::merged(vec![(low.min(high), low.max(high))])
    }

    /// Whether the port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&port))
    }

    /// The ranges in ascending order, both ends included.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.0.iter().copied()
    }

    /// The ports of all these ranges, both ends included.
    pub fn of(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        Self::merged(ranges.into_iter().filter(|(low, high)| low <= high).collect())
    }

    /// The ports that are in both.
    pub fn and(&self, other: &Self) -> Self {
        let pairs = self.ranges().flat_map(|of| other.ranges().map(move |with| (of.0.max(with.0), of.1.min(with.1))));
        Self::of(pairs)
    }

    /// Its ports that are not in the other.
    pub fn without(&self, other: &Self) -> Self {
        let begins = [Some(0)].into_iter().chain(other.ranges().map(|(_, high)| high.checked_add(1)));
        let gaps = begins.zip(other.ranges().map(|(low, _)| low.checked_sub(1)).chain([Some(u16::MAX)]));
        self.and(&Self::of(gaps.filter_map(|(begin, end)| Some((begin?, end?)))))
    }

    /// Whether it has no port.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn merged(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|next, last| {
            let joins = u32::from(next.0) <= u32::from(last.1) + 1;
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
        Self(ranges)
    }
}

impl FromStr for PortSet {
    type Err = PortSetError;

    fn from_str(text: &str) -> Result<Self, PortSetError> {
        text.split(',').map(|part| parse_range(part.trim())).collect::<Result<_, _>>().map(Self::merged)
    }
}

fn parse_range(part: &str) -> Result<(u16, u16), PortSetError> {
    if part == "any" {
        return Ok((0, u16::MAX));
    }
    if part.is_empty() {
        return Err(PortSetError::Missing);
    }
    let (low, high) = part.split_once('-').unwrap_or((part, part));
    let (low, high) = (parse_port(low.trim(), part)?, parse_port(high.trim(), part)?);
    if low > high { Err(PortSetError::Backwards { low, high }) } else { Ok((low, high)) }
}

fn parse_port(text: &str, part: &str) -> Result<u16, PortSetError> {
    if text.is_empty() {
        return Err(PortSetError::OpenEnd(part.to_owned()));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PortSetError::NotARange(part.to_owned()));
    }
    text.parse().map_err(|_| PortSetError::TooHigh(text.to_owned()))
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(0, u16::MAX)] = self.0[..] {
            return f.write_str("any");
        }
        for (index, (low, high)) in self.ranges().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if low == high { write!(f, "{comma}{low}") } else { write!(f, "{comma}{low}-{high}") }?;
        }
        Ok(())
    }
}

impl TryFrom<String> for PortSet {
    type Error = PortSetError;

    fn try_from(text: String) -> Result<Self, PortSetError> {
        text.parse()
    }
}

impl JsonSchema for PortSet {
    fn schema_name() -> Cow<'static, str> {
        "Ports".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(any|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)$" })
    }
}

impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> PortSet {
        text.parse().unwrap()
    }

    fn refusal(text: &str) -> String {
        text.parse::<PortSet>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_in_another_set_is_taken_away() {
        let of = |text: &str| text.parse::<PortSet>().unwrap();
        assert_eq!(of("1024-65535").without(&of("2000-2999,40000-65535")).to_string(), "1024-1999,3000-39999");
        assert_eq!(of("any").without(&of("0-1023")).to_string(), "1024-65535");
        assert!(of("443").without(&of("any")).is_empty());
        assert_eq!(of("443").without(&PortSet::of([])).to_string(), "443");
    }

    #[test]
    fn the_text_of_a_set_is_canonical() {
        for (given, canonical) in [
            ("32768-65535", "32768-65535"),
            (" 443 , 80 ", "80,443"),
            ("5-5", "5"),
            ("10-20,15-30,31,40", "10-31,40"),
            ("1-100,5-6", "1-100"),
            ("0-65535", "any"),
            ("any", "any"),
            ("5,any", "any"),
            ("65535,0-65534", "any"),
            ("1-65535", "1-65535"),
        ] {
            assert_eq!(set(given).to_string(), canonical, "{given}");
            assert_eq!(set(canonical), set(given), "{given}");
        }
    }

    #[test]
    fn a_set_contains_its_ends_and_nothing_beyond() {
        let set = set("1024-29999,32768-65535");
        for inside in [1024, 29999, 32768, 65535] {
            assert!(set.contains(inside), "{inside}");
        }
        for outside in [0, 1023, 30000, 32767] {
            assert!(!set.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_what_is_right() {
        for (given, message) in [
            ("", "a port is missing: write a range such as 32768-65535, a comma list, or any"),
            ("80,,443", "a port is missing: write a range such as 32768-65535, a comma list, or any"),
            ("70000-1", "70000 is too high for a port: the highest is 65535"),
            ("5-3", "5-3 runs backwards: write 3-5"),
            ("abc", "abc is neither a port nor a range: write 443, 32768-65535, a comma list, or any"),
            ("1-2-3", "1-2-3 is neither a port nor a range: write 443, 32768-65535, a comma list, or any"),
            ("-5", "-5 has an open end: write both ends, such as 32768-65535"),
            ("5-", "5- has an open end: write both ends, such as 32768-65535"),
            ("+5", "+5 is neither a port nor a range: write 443, 32768-65535, a comma list, or any"),
            ("99999999999999999999", "99999999999999999999 is too high for a port: the highest is 65535"),
        ] {
            assert_eq!(refusal(given), message, "{given}");
        }
    }

    #[test]
    fn the_ports_of_two_sets() {
        let both = |a: &str, b: &str| set(a).and(&set(b));
        assert_eq!(both("1024-29999,32768-65535", "20000-40000"), set("20000-29999,32768-40000"));
        assert!(both("1-10", "11-20").is_empty());
        assert_eq!(both("any", "7"), set("7"));
    }

    #[test]
    fn serde_uses_the_same_text() {
        let json = serde_json::to_string(&set("80,443")).unwrap();
        assert_eq!(json, r#""80,443""#);
        assert_eq!(serde_json::from_str::<PortSet>(&json).unwrap(), set("80,443"));
        assert!(serde_json::from_str::<PortSet>(r#""5-3""#).is_err());
    }
}
