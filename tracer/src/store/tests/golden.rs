//! Traces of every version ever released can be read, and those of newer ones as far as they can be understood.

use std::fmt::Write as _;
use std::path::PathBuf;

use tracer_common::Event;

use super::{Error, capture, many_blocks, read, three_blocks, trace};
use crate::store::frame::{self, FrameHeader, HEAD_LEN};
use crate::store::{MAJOR, MINOR};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/format").join(name)
}

/// One line for each event.
fn text(events: &[Event]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        writeln!(text, "{event:?}").unwrap();
        text
    })
}

/// The trace of this version is written once, with the switch that rewrites all golden files: those of released versions stay.
#[test]
fn every_golden_trace_is_read_whole_and_this_version_has_one() {
    let newest = golden(&format!("v{MAJOR}.{MINOR}.trace"));
    if std::env::var_os("UPDATE_EXPECT").is_some() && !newest.exists() {
        std::fs::write(&newest, trace(&many_blocks())).unwrap();
    }
    assert!(newest.exists(), "{} is missing; run this test with UPDATE_EXPECT=1", newest.display());
    for entry in std::fs::read_dir(golden("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "trace") {
            let (events, report) = read(&std::fs::read(&path).unwrap()).unwrap();
            expect_test::expect_file![path.with_extension("events")].assert_eq(&text(&events));
            assert!(!report.has_notes(), "{}: {report}", path.display());
        }
    }
}

/// Since 1.6 the capture is repeated: the beginning may be damaged.
#[test]
fn a_golden_trace_without_its_head_is_read() {
    let mut bytes = std::fs::read(golden("v1.6.trace")).unwrap();
    bytes[..HEAD_LEN + 200].fill(0);
    let (events, report) = read(&bytes).unwrap();
    expect_test::expect_file![golden("v1.6.events")].assert_eq(&text(&events));
    assert!(report.skipped_bytes > 0 && report.unfinished == 0, "{report}");
}

fn with_version(major: u16, minor: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_head(&mut bytes, major, minor);
    bytes.extend_from_slice(&trace(&three_blocks())[HEAD_LEN..]);
    bytes
}

#[test]
fn a_newer_minor_version_is_read() {
    assert_eq!(read(&with_version(MAJOR, MINOR + 9)).unwrap().0, three_blocks());
}

#[test]
fn a_newer_major_version_is_refused_with_what_to_do() {
    let error = read(&with_version(MAJOR + 1, 3)).unwrap_err();
    assert!(matches!(error, Error::NewerMajor { major: 2, minor: 3, .. }));
    let message = "cannot read t.trace: its format is 2.3, this snatrace reads up to 1.x; use a newer snatrace";
    assert_eq!(error.to_string(), message);
}

/// A trace with one frame after its beginning.
fn with_frame(kind: u8, json: &serde_json::Value, events: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_head(&mut bytes, MAJOR, MINOR);
    let json = json.to_string();
    for (number, kind, events, payload) in [(0, frame::KIND_CAPTURE, 0, json.as_bytes()), (1, kind, events, payload)] {
        let (length, payload_crc) = (payload.len() as u32, crc32c::crc32c(payload));
        let sizes = FrameHeader { stored_len: length, raw_len: length, payload_crc, ..FrameHeader::default() };
        FrameHeader { kind, events, number, ..sizes }.put(&mut bytes);
        bytes.extend_from_slice(payload);
    }
    bytes
}

#[test]
fn a_field_of_the_capture_that_is_not_known_is_ignored() {
    let mut json = serde_json::to_value(capture()).unwrap();
    json["moon_phase"] = serde_json::json!({"full": true});
    assert!(read(&with_frame(frame::KIND_END, &json, 0, &[])).is_ok());
}

#[test]
fn events_of_a_newer_version_are_skipped_and_counted() {
    // A shape of kind 99 in namespace 5 with more to it; two such events around a tick (shape of kind 7); a new table;
    // a tick's shape and facts with something added at their end.
    let payload = [
        [2, 4, 99, 5, 1, 2].as_slice(),
        &[2, 2, 7, 0],
        &[8, 3, 1, 2, 3],
        &[9, 1, 20],
        &[5, 2, 1, 1],
        &[8, 0],
        &[2, 3, 7, 0, 42],
        &[10, 3, 10, 1, 1],
    ]
    .concat();
    let json = serde_json::to_value(capture()).unwrap();
    let (events, report) = read(&with_frame(frame::KIND_EVENTS, &json, 4, &payload)).unwrap();
    assert_eq!(events, [super::tick(10), super::tick(15)]);
    assert_eq!((report.unknown_events, report.damaged_blocks, report.blocks), (2, 0, 1));
}

#[test]
fn frames_of_a_newer_version_are_skipped_and_counted() {
    let json = serde_json::to_value(capture()).unwrap();
    let (events, report) = read(&with_frame(200, &json, 3, &[0; 64])).unwrap();
    assert!(events.is_empty());
    assert_eq!((report.unknown_events, report.damaged_blocks), (3, 0));
}
