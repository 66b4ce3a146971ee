//! Several traces make one stream that does not depend on the order in which they were named.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tracer_common::Event;

use super::{capture, merged, tick, write};
use crate::model::Capture;
use crate::store::ReadReport;

fn put(dir: &TempDir, name: &str, change: impl Fn(&mut Capture), times: &[u64]) -> PathBuf {
    let (path, mut capture) = (dir.path().join(name), capture());
    change(&mut capture);
    let events: Vec<Event> = times.iter().map(|time| tick(*time)).collect();
    write(&path, &capture, &events);
    path
}

fn merge(paths: &[&Path]) -> (Vec<(u32, u64)>, Vec<String>, ReadReport) {
    let mut traces = merged(paths).unwrap();
    let nodes = traces.captures().iter().map(|capture| capture.node.clone()).collect();
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while traces.next_batch(&mut batch).unwrap() {
        all.extend(batch.iter().map(|(number, event)| (*number, event.stamp().time_ns)));
    }
    (all, nodes, traces.report())
}

#[test]
fn parts_of_a_recording_are_read_in_order() {
    let dir = TempDir::new().unwrap();
    let a = put(&dir, "a", |capture| capture.part = 9, &[1, 2]);
    let b = put(&dir, "b", |capture| capture.part = 10, &[4, 3]);
    let c = put(&dir, "c", |capture| capture.part = 11, &[5]);
    let (events, nodes, report) = merge(&[&c, &a, &b]);
    assert_eq!(events, [(0, 1), (0, 2), (0, 4), (0, 3), (0, 5)]);
    assert_eq!((nodes.len(), report.files, report.missing_parts), (1, 3, 0));
}

#[test]
fn parts_missing_in_between_are_counted() {
    let dir = TempDir::new().unwrap();
    let a = put(&dir, "a", |capture| capture.part = 2, &[1]);
    let b = put(&dir, "b", |capture| capture.part = 5, &[2]);
    let (events, _, report) = merge(&[&b, &a]);
    assert_eq!(events, [(0, 1), (0, 2)]);
    assert_eq!(report.missing_parts, 2);
    assert_eq!(report.to_string(), "read 2 events in 2 blocks, 2 parts missing in between");
}

#[test]
fn recordings_are_merged_by_wall_clock() {
    let dir = TempDir::new().unwrap();
    let node = |name: &'static str, boot| {
        move |capture: &mut Capture| {
            (capture.node, capture.boot_unix_ns) = (name.to_owned(), boot);
        }
    };
    let b = put(&dir, "b", node("b", 100), &[10, 30, 25, 50]);
    let a = put(&dir, "a", node("a", 105), &[5, 25, 40]);
    let expected = [(0, 5), (1, 10), (0, 25), (1, 30), (1, 25), (0, 40), (1, 50)];
    for paths in [[&*a, &*b], [&*b, &*a]] {
        let (events, nodes, _) = merge(&paths);
        assert_eq!(events, expected);
        assert_eq!(nodes, ["a", "b"]);
    }
}

#[test]
fn times_at_the_ends_of_their_range_are_merged() {
    let dir = TempDir::new().unwrap();
    let a = put(&dir, "a", |capture| capture.boot_unix_ns = i64::MAX, &[u64::MAX, 0]);
    let b = put(&dir, "b", |capture| capture.boot_unix_ns = i64::MIN, &[u64::MAX]);
    let (events, _, _) = merge(&[&a, &b]);
    assert_eq!(events, [(0, u64::MAX), (1, u64::MAX), (1, 0)]);
}

#[test]
fn long_recordings_are_merged_in_batches() {
    let dir = TempDir::new().unwrap();
    let times = |first: u64| (0..5_000).map(|n| first + 2 * n).collect::<Vec<_>>();
    let a = put(&dir, "a", |capture| capture.session = 1, &times(0));
    let b = put(&dir, "b", |capture| capture.session = 2, &times(1));
    let (events, _, report) = merge(&[&a, &b]);
    assert!(events.iter().enumerate().all(|(n, event)| *event == ((n % 2) as u32, n as u64)));
    assert_eq!((events.len(), report.events), (10_000, 10_000));
}
