//! Somebody removes, renames or cuts the file that is written to, or another one is where a part was.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use tracer_common::Event;

use super::{capture, files, place, read, read_all, tick};
use crate::store::{Rotation, Writer};

/// A tick each half second, and what is done to the file in the middle.
fn record(mut writer: Writer, happens: impl FnOnce(&Path)) {
    let mut happens = Some(happens);
    for n in 0..40 {
        if n == 20 {
            happens.take().unwrap()(writer.path());
        }
        writer.write(&tick(n * 600_000_000)).unwrap();
    }
    writer.finish().unwrap();
}

fn events(files: &[&Path]) -> Vec<Event> {
    read_all(files).0
}

fn all() -> Vec<Event> {
    (0..40).map(|n| tick(n * 600_000_000)).collect()
}

#[test]
fn a_file_that_was_removed_or_cut_is_begun_again() {
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let cut = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    for happens in [remove as fn(&Path), cut] {
        let (_dir, path) = place();
        record(Writer::create(&path, &capture()).unwrap(), happens);
        let (events, report) = read(&fs::read(&path).unwrap()).unwrap();
        assert!(all().ends_with(&events) && events.len() >= 17 && !report.has_notes(), "{report}");
    }
}

#[test]
fn a_file_that_was_renamed_and_the_one_begun_after_it_are_one_recording() {
    for is_replaced in [false, true] {
        let (dir, path) = place();
        let old = dir.path().join("t.trace.1");
        record(Writer::create(&path, &capture()).unwrap(), |path| {
            fs::rename(path, &old).unwrap();
            if is_replaced {
                fs::write(path, "").unwrap();
            }
        });
        assert_eq!(events(&[&path, &old]), all());
        assert!(events(&[&path]).len() >= 17);
    }
}

#[test]
fn a_segment_that_was_removed_before_it_was_complete_is_followed_by_another() {
    let (dir, path) = place();
    let rotation = Rotation { segment_ns: Some(600_000_000_000), ..Rotation::default() };
    let partial = || files(dir.path()).pop().unwrap();
    record(Writer::rotating(&path, &capture(), rotation).unwrap(), |_| fs::remove_file(partial()).unwrap());
    let [segment] = files(dir.path()).try_into().unwrap();
    assert!(segment.to_string_lossy().ends_with("Z.trace") && all().ends_with(&events(&[&segment])));
}

fn total(dir: &Path) -> u64 {
    files(dir).iter().map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn all_files_together_keep_to_their_size() {
    let max_total = Some(20_000);
    let parts = Rotation { max_bytes: Some(4_000), max_total, ..Rotation::default() };
    let segments = Rotation { segment_ns: Some(5_000_000_000), ..parts };
    for rotation in [parts, segments, Rotation { keep: NonZeroU32::new(99), ..parts }] {
        let (dir, path) = place();
        let mut writer = Writer::rotating(&path, &capture(), rotation).unwrap();
        let mut largest = 0;
        for n in 0..1_000 {
            writer.write(&tick(n * 600_000_000)).unwrap();
            largest = largest.max(total(dir.path()));
        }
        let written = writer.finish().unwrap();
        largest = largest.max(total(dir.path()));
        assert!((15_000..=20_000).contains(&largest) && written.bytes > 50_000, "{largest} {written:?} {rotation:?}");
        let newest =
            files(dir.path()).iter().map(|file| events(&[file.as_path()]).pop().unwrap().stamp().time_ns).max();
        assert_eq!(newest, Some(999 * 600_000_000));
    }
}

#[test]
fn a_file_of_somebody_else_in_the_place_of_a_part_is_not_removed() {
    let (dir, path) = place();
    let other = dir.path().join("other");
    fs::write(&other, vec![7; 30_000]).unwrap();
    let rotation = Rotation { max_bytes: Some(4_000), max_total: Some(20_000), ..Rotation::default() };
    let mut writer = Writer::rotating(&path, &capture(), rotation).unwrap();
    for n in 0..1_000 {
        writer.write(&tick(n * 600_000_000)).unwrap();
        if n == 60 {
            assert!(writer.written().files > 1);
            fs::rename(&path, dir.path().join("kept")).unwrap();
            fs::write(&path, "precious").unwrap();
        }
    }
    writer.finish().unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), other.metadata().unwrap().len()), ("precious", 30_000));
    assert!(dir.path().join("kept").exists() && !dir.path().join("t.trace1").exists());
}
