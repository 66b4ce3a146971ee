//! `cargo xtask bench compare`: whether two runs agree.
//!
//! What a machine gives differs from hour to hour and from day to day. A ratio to what was measured beside it in the same run
//! should not, and where it does, a single run says less than its digits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use jiff::{SpanRound, Timestamp, Unit};
use serde_json::{Map, Value};

use super::table;

/// Compare the ratios of two runs
#[derive(clap::Args)]
pub struct Args {
    /// A run, as `bench live --json` or `bench replay --json` wrote it
    before: PathBuf,
    /// Another one of the same kind
    after: PathBuf,
    /// How far apart two ratios may be
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0)]
    within: f64,
}

/// The ratios of a run, by name, and when it was.
#[derive(Debug)]
struct Run {
    when: Timestamp,
    ratios: Map<String, Value>,
}

/// What a run's file has of its ratios, besides all else.
pub fn kept(ratios: impl IntoIterator<Item = (String, f64)>) -> [(String, Value); 2] {
    let ratios: Map<String, Value> = ratios.into_iter().map(|(name, ratio)| (name, ratio.into())).collect();
    [("when".to_owned(), Timestamp::now().to_string().into()), ("ratios".to_owned(), ratios.into())]
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let (before, after) = (Run::read(&args.before)?, Run::read(&args.after)?);
    let (text, agrees) = compared(&before, &after, args.within)?;
    println!("{text}");
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Run {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no run whose ratios can be compared", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let run: Value = serde_json::from_str(text)?;
        let when = run["when"].as_str().context("it does not say when it was: made by an older bench?")?.parse()?;
        let ratios = run["ratios"].as_object().cloned().unwrap_or_default();
        if ratios.is_empty() {
            bail!("nothing in it was measured beside something else; `bench live cpu` and `bench replay` do that");
        }
        Ok(Self { when, ratios })
    }
}

/// A table of what both have, and whether all of it agrees.
fn compared(before: &Run, after: &Run, within: f64) -> Result<(String, bool)> {
    let both = before.ratios.iter().filter_map(|(name, ratio)| {
        let (before, after) = (ratio.as_f64()?, after.ratios.get(name)?.as_f64()?);
        Some((name, before, after, 100.0 * (after / before - 1.0)))
    });
    let both: Vec<_> = both.collect();
    if both.is_empty() {
        bail!("the runs have no ratio in common: measure the same parts with the same tools");
    }
    let rows: Vec<_> = both
        .iter()
        .map(|(name, before, after, apart)| {
            vec![name.to_string(), format!("{before:.3} x"), format!("{after:.3} x"), format!("{apart:+.1} %")]
        })
        .collect();
    let agree = both.iter().filter(|(.., apart)| apart.abs() <= within).count();
    let apart =
        before.when.until(after.when)?.abs().round(SpanRound::new().largest(Unit::Hour).smallest(Unit::Minute))?;
    let [one, other] = [before.when, after.when].map(|when| when.strftime("%F %H:%M UTC").to_string());
    let table = table::aligned(&["ratio", &one, &other, "apart"], &rows);
    let of = both.len();
    Ok((format!("{table}\n{agree} of {of} agree within {within} %; the runs are {apart:#} apart"), agree == of))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn of(when: &str, tail: f64, tcpdump: f64) -> Run {
        let text = serde_json::json!({ "when": when, "ratios": { "tail": tail, "tcpdump": tcpdump }, "plan": {} });
        Run::parse(&text.to_string()).unwrap()
    }

    #[test]
    fn ratios_agree_up_to_what_was_allowed_whatever_their_direction() {
        let (before, after) = (of("2026-11-23T06:10:00Z", 1.0, 1.03), of("2026-11-24T07:21:00Z", 1.0299, 1.0));
        let (text, agrees) = compared(&before, &after, 3.0).unwrap();
        assert!(agrees, "{text}");
        assert!(text.contains("| tail    | 1.000 x              | 1.030 x              | +3.0 % |"), "{text}");
        assert!(text.ends_with("2 of 2 agree within 3 %; the runs are 25h 11m apart"), "{text}");
        let (text, agrees) = compared(&before, &after, 2.95).unwrap();
        assert!(!agrees && text.contains("1 of 2 agree"), "{text}");
    }

    #[test]
    fn a_run_without_ratios_or_without_one_in_common_says_so() {
        let error = |text: &str| Run::parse(text).unwrap_err().to_string();
        assert!(error(r#"{ "cpu": {} }"#).contains("older bench"));
        assert!(error(r#"{ "when": "2026-11-23T06:10:00Z", "ratios": {} }"#).contains("bench live cpu"));
        let one = Run::parse(r#"{ "when": "2026-11-23T06:10:00Z", "ratios": { "tshark": 50 } }"#).unwrap();
        let error = compared(&one, &of("2026-11-24T06:10:00Z", 1.0, 1.0), 3.0).unwrap_err();
        assert!(error.to_string().contains("no ratio in common"));
    }

    #[test]
    fn what_is_kept_of_a_run_is_what_is_read() {
        let kept: Map<String, Value> = kept([("tail".to_owned(), 1.02)]).into_iter().collect();
        let run = Run::parse(&Value::from(kept).to_string()).unwrap();
        assert_eq!(run.ratios["tail"], 1.02);
    }
}
