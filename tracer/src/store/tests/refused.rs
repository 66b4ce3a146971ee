//! What is no trace is named, in one line that says what to do.

use std::path::Path;

use super::{merged, place, read, three_blocks, trace, write};
use crate::store::{Reader, Writer};

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn files_of_other_kinds_are_named() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "cannot read t.trace: this is an empty file; name a trace (snatrace record) or a packet capture"),
        (b"{\"kind\":\"retransmit\"}", "this is a JSON file"),
        (b"hello, world, this is text", "this is not a snatrace trace"),
        (b"\x89SNTR\n\x1a\x01\x00\x00\x00", "a transfer as text has damaged"),
        (b"\x89SNT", "cut off in its first bytes"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(bytes);
        assert!(message.contains(expected) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn a_directory_is_refused() {
    let (dir, _) = place();
    let message = Reader::open(dir.path()).err().unwrap().to_string();
    assert!(message.contains(": this is a directory; name a trace"), "{message}");
    let message = Writer::create(dir.path(), &super::capture()).err().unwrap().to_string();
    assert!(message.ends_with(": Is a directory; name another file"), "{message}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let message = Reader::open(Path::new("/nonexistent/t")).err().unwrap().to_string();
    assert_eq!(message, "cannot read /nonexistent/t: No such file or directory; check the name");
}

#[test]
fn traces_joined_with_cat_are_refused_after_the_first() {
    let (first, second) = (trace(&three_blocks()), trace(&three_blocks()));
    let at = first.len() + 16;
    let message = refusal(&[first, second].concat());
    assert!(message.contains(&format!("another trace begins at byte {at};")), "{message}");
}

#[test]
fn the_same_part_twice_is_refused() {
    let (dir, path) = place();
    write(&path, &super::capture(), &three_blocks());
    let copy = dir.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    let message = merged(&[&path, &copy]).err().unwrap().to_string();
    assert!(message.contains("both are part 0 of the same recording; name each part once"), "{message}");
}

#[test]
fn more_traces_than_files_a_process_may_open_are_no_reason_to_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..20).map(|part| dir.path().join(format!("{part}.trace"))).collect();
    for (part, path) in paths.iter().enumerate() {
        write(path, &crate::model::Capture { part: part as u32, ..super::capture() }, &three_blocks());
    }
    let mut traces = merged(&paths).unwrap();
    let open = || {
        let files =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| file.unwrap().path().read_link().ok());
        files.filter(|file| file.starts_with(dir.path())).count()
    };
    assert_eq!(open(), 0);
    let mut batch = Vec::new();
    while traces.next_batch(&mut batch).unwrap() {
        assert!(open() <= 1);
    }
}

/// Blocks that hold more than is read at once, of more recordings than may be open.
#[test]
fn recordings_that_cannot_all_be_open_at_once_are_merged_alike() {
    let dir = tempfile::tempdir().unwrap();
    let events: Vec<_> = (0..300_u64).map(|n| super::tick(n * 1_000_000 + n % 7)).chain(three_blocks()).collect();
    let paths: Vec<_> = (0..20).map(|node| dir.path().join(format!("{node}.trace"))).collect();
    for (node, path) in paths.iter().enumerate() {
        write(path, &crate::model::Capture { node: format!("{node:02}"), ..super::capture() }, &events);
    }
    let mut damaged = std::fs::read(&paths[3]).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&paths[3], damaged).unwrap();
    let merge = |max_open| {
        let mut traces = merged(&paths).unwrap().with_limits(max_open, 64);
        let (mut all, mut batch) = (Vec::new(), Vec::new());
        while traces.next_batch(&mut batch).unwrap() {
            all.append(&mut batch);
        }
        (all, traces.report(), traces.position())
    };
    let (whole, parked) = (merge(100), merge(3));
    assert!(whole.0.len() > 19 * events.len() && whole.1.damaged_blocks == 1, "{}", whole.1);
    assert_eq!(whole.0, parked.0);
    assert_eq!((whole.1, whole.2), (parked.1, parked.2));
}
