//! A simulated network for the plan: filters, loss, rate limits, dead targets.

mod world;

use super::conclude::ProbeReport;
use crate::infer::{Edge, Verdict};
use world::World;

/// Filters, the last ones with edges at no round number.
const FILTERS: &[&str] = &[
    "32768-65535",
    "10000-19999",
    "30000-39999",
    "1024-32767",
    "1024-29999,32768-65535",
    "10000-19999,40000-65535",
    "1024-4999",
    "60000-65535",
    "33333-65535",
    "12345-45678",
    "1024-17777,19321-65535",
    "5000-9876,20011-30333,50007-65535",
];

/// The edges that were found.
fn found(report: &ProbeReport) -> Option<Vec<Edge>> {
    let class = report.conclusion.as_ref()?.shown_class()?;
    let edges = class.passes.iter().flat_map(|range| [range.low, range.high]);
    Some(edges.filter(|edge| edge.is_measured).collect())
}

/// Those of the filter, as far as ports are asked.
fn edges(world: &World) -> Vec<u16> {
    let truth = world.passes.and(&world.from);
    let edges = truth.ranges().flat_map(|(low, high)| [low, high]);
    edges.filter(|port| world.from.ranges().all(|(low, high)| *port != low && *port != high)).collect()
}

#[derive(Debug, Default)]
struct Score {
    exact: u32,
    /// Each edge in its bracket.
    wide: u32,
    none: u32,
    wrong: u32,
    most: usize,
    sum: usize,
    seconds: f64,
}

fn score(worlds: impl Iterator<Item = World>) -> Score {
    let mut score = Score::default();
    for world in worlds {
        let (report, seconds) = world.probe();
        let truth = edges(&world);
        score.most = score.most.max(report.connections);
        score.sum += report.connections;
        score.seconds = score.seconds.max(seconds);
        let is_no_class = matches!(report.conclusion.as_ref().unwrap().verdict, Verdict::NoClass { .. });
        let found = found(&report);
        let is_right = |found: &Vec<Edge>| {
            found.len() == truth.len()
                && found.iter().zip(&truth).all(|(edge, port)| (edge.from..=edge.to).contains(port))
        };
        match &found {
            Some(found) if is_right(found) && found.iter().all(|edge| edge.from == edge.to) => score.exact += 1,
            Some(found) if is_right(found) => score.wide += 1,
            None if !is_no_class || truth.is_empty() => score.none += 1,
            Some(_) | None => {
                println!("{world:?}: {}", report.conclusion.as_ref().unwrap());
                score.wrong += 1;
            }
        }
    }
    score
}

/// Without an answer that is wrong, and to the port in most runs.
fn assert_found(runs: u64, loss: f64, exact_percent: u32) {
    for filter in FILTERS {
        let score = score((0..runs).map(|seed| World { loss, ..World::new(seed, filter) }));
        println!("{filter} at {:.0} % loss: {score:?}", loss * 100.0);
        assert!(score.wrong == 0 && score.most <= 300, "{filter}: {score:?}");
        assert!(u64::from(score.exact) * 100 >= runs * u64::from(exact_percent), "{filter}: {score:?}");
    }
}

#[test]
fn each_filter_is_found_to_the_port() {
    assert_found(2, 0.0, 100);
    assert_found(10, 0.05, 60);
}

#[test]
#[ignore = "takes a minute: 200 runs of each filter"]
fn two_hundred_runs_of_each_filter_are_never_wrong() {
    assert_found(200, 0.05, 60);
    assert_found(200, 0.2, 0);
}

#[test]
fn what_else_fails_is_no_filter() {
    let open = |seed| World::new(seed, "1024-65535");
    let score = score((0..10).flat_map(|seed| {
        [
            World { loss: 0.2, ..open(seed) },
            World { limit: Some((10.0, 5.0)), ..open(seed) },
            World { limit: Some((30.0, 10.0)), loss: 0.05, ..open(seed) },
            World { ban: 60, ..open(seed) },
            World { ban: 100, targets: 1, ..open(seed) },
            World { dead: 1, loss: 0.05, ..open(seed) },
            World { dead: 2, ..open(seed) },
            World { in_use: 0.3, loss: 0.05, ..open(seed) },
        ]
    }));
    assert_eq!(score.wrong + score.exact + score.wide, 0, "{score:?}");
}

#[test]
fn a_filter_is_found_beside_a_dead_target_and_ports_in_use_and_behind_a_rate_limit_nothing_is_wrong() {
    let filtered = |seed| World { loss: 0.05, ..World::new(seed, "32768-65535") };
    let score = score((0..10).flat_map(|seed| {
        [
            World { dead: 1, targets: 3, ..filtered(seed) },
            World { in_use: 0.1, ..filtered(seed) },
            World { limit: Some((10.0, 5.0)), ..filtered(seed) },
            World { ban: 150, ..filtered(seed) },
        ]
    }));
    assert!(score.wrong == 0 && score.exact >= 10, "{score:?}");
}

#[test]
fn a_rate_limit_and_a_dead_target_are_named() {
    let (limited, _) = World { limit: Some((10.0, 5.0)), ..World::new(1, "1024-65535") }.probe();
    assert!(!limited.slowed_from.is_empty() && limited.rate < 50.0, "{limited:?}");
    let (dead, _) = World { dead: 1, ..World::new(1, "32768-65535") }.probe();
    assert!(dead.targets[0].is_left_out && !dead.targets[1].is_left_out, "{dead:?}");
}

#[test]
fn a_filter_that_changes_meanwhile_is_not_mixed_with_the_next_one() {
    let (old, mut claims) = ("32768-65535", 0);
    for (seed, after) in (0..6).flat_map(|seed| [40, 130, 180, 230].map(|after| (seed, after))) {
        for new in ["1024-65535", "10000-19999", "40000-65535"] {
            let world = World { loss: 0.02, changes: Some((after, new.parse().unwrap())), ..World::new(seed, old) };
            let allow = world.probe().0.allow().map(|ports| ports.to_string());
            assert!(allow.as_ref().is_none_or(|ports| ports == old || ports == new), "{world:?}: {allow:?}");
            claims += u32::from(allow.is_some());
        }
    }
    assert!(claims > 20, "{claims}");
}

#[test]
fn of_a_filter_of_odd_ports_no_range_is_claimed() {
    for seed in 0..6 {
        let (report, _) = World { loss: 0.02, ..World::new(seed, "odd") }.probe();
        assert!(report.allow().is_none(), "{report:?}");
    }
}
