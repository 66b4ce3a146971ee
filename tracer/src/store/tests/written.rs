//! How files are created, flushed, rotated, and what happens when they cannot be written.

use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tracer_common::Event;
use tracer_common::events::{
    ADDRESS_ADDED, Address, LOCAL_ROUTE_ADDED, LOCAL_ROUTE_REMOVED, Stamp, SynRetransmit, UPLINK_LEFT, UPLINK_WATCHED,
    Uplink,
};

use super::{EACH, attempt, capture, files, owner, place, read, read_all, three_blocks, tick};
use crate::model::Owners;
use crate::store::{Error, Reader, Rotation, Writer, Written};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn part(path: &Path) -> u32 {
    Reader::open(path).unwrap().capture.part
}

#[test]
fn a_killed_recorder_loses_at_most_the_last_half_second() {
    let (_dir, path) = place();
    let mut writer = Writer::create(&path, &capture()).unwrap();
    let ticks = || (0..100_u64).map(|n| tick(n * 50_000_000));
    ticks().for_each(|event| writer.write(&event).unwrap());
    // As after SIGKILL: nothing is written any more.
    std::mem::forget(writer);
    let (events, report) = read(&std::fs::read(&path).unwrap()).unwrap();
    assert!(events.len() >= 90, "{report}");
    assert!(ticks().take(events.len()).eq(events), "{report}");
    assert_eq!((report.unfinished, report.damaged_blocks, report.skipped_bytes, report.torn_bytes), (1, 0, 0, 0));
}

#[test]
fn a_block_is_written_when_time_passes_without_events() {
    let (_dir, path) = place();
    let mut writer = Writer::create(&path, &capture()).unwrap();
    writer.write(&tick(1_000)).unwrap();
    writer.flush_if_due(400_000_000).unwrap();
    assert_eq!(writer.written().events, 0);
    writer.flush_if_due(500_001_000).unwrap();
    assert_eq!(writer.written().events, 1);
    assert_eq!(read(&std::fs::read(&path).unwrap()).unwrap().0, [tick(1_000)]);
}

#[test]
fn a_writer_that_is_dropped_keeps_its_events() {
    let (_dir, path) = place();
    let mut writer = Writer::create(&path, &capture()).unwrap();
    writer.write(&tick(1)).unwrap();
    drop(writer);
    let (events, report) = read(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((events, report.unfinished), (vec![tick(1)], 1));
}

#[test]
fn a_full_disk_is_told() {
    let error = Writer::create(Path::new("/dev/full"), &capture()).err().unwrap();
    assert!(matches!(error, Error::Write { .. }));
    assert!(
        error.to_string().starts_with("failed to continue writing /dev/full: No space left on device; "),
        "{error}"
    );
}

fn rotate(path: &Path, keep: Option<u32>, attempts: u64) -> Written {
    let rotation = Rotation { max_bytes: Some(2_000), keep: keep.and_then(NonZeroU32::new), ..Rotation::default() };
    let mut writer = Writer::rotating(path, &capture(), rotation).unwrap();
    for n in 0..attempts {
        attempt(n * 600_000_000, n as u16).iter().for_each(|event| writer.write(event).unwrap());
    }
    writer.finish().unwrap()
}

#[test]
fn a_new_file_begins_at_the_size() {
    let (dir, path) = place();
    let written = rotate(&path, None, 40);
    let files = files(dir.path());
    assert!(files.len() > 3 && files.len() as u64 == written.files, "{files:?} {written:?}");
    assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 2_000));
    assert!(files.iter().all(|file| mode(file) == 0o600));
    assert_eq!(files.iter().map(|file| file.metadata().unwrap().len()).sum::<u64>(), written.bytes);
    assert_eq!(part(&path), 0);
    assert_eq!(part(&path.with_extension("trace2")), 2);
    let report = read_all(&files).1;
    assert!(!report.has_notes(), "{report}");
}

#[test]
fn a_file_keeps_to_its_size_even_if_much_happens_at_once_that_no_compression_helps() {
    let (dir, path) = place();
    let max_bytes = 64 << 10;
    let mut writer =
        Writer::rotating(&path, &capture(), Rotation { max_bytes: Some(max_bytes), ..Rotation::default() }).unwrap();
    let mut random = 1_u64;
    for n in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [a, b, c, d, e, f, g, h] = random.to_be_bytes();
        let flow = super::flow(&format!("10.{a}.{b}.{c}:{}", u16::from_be_bytes([d, e])), "203.0.113.5:443");
        let isn = u32::from_be_bytes([c, a, d, b]) ^ u32::from_be_bytes([e, f, g, h]);
        let stamp = super::stamp(n * 10_000, SynRetransmit::KIND);
        writer.write(&SynRetransmit { stamp, flow, isn, ordinal: 1, err: 0 }.into()).unwrap();
    }
    let written = writer.finish().unwrap();
    assert!(written.bytes > 3 * max_bytes, "{written:?}");
    assert!(files(dir.path()).iter().all(|file| file.metadata().unwrap().len() <= max_bytes));
}

fn segments(path: &Path, keep: Option<u32>) -> Writer {
    let keep = keep.and_then(NonZeroU32::new);
    Writer::rotating(path, &capture(), Rotation { segment_ns: Some(5_000_000_000), keep, ..Rotation::default() })
        .unwrap()
}

#[test]
fn a_segment_appears_under_its_name_once_it_is_complete() {
    let (dir, path) = place();
    let mut writer = segments(&path, None);
    for n in 0..=240_u64 {
        writer.write(&tick(n * 50_000_000)).unwrap();
        let (partial, complete): (Vec<_>, Vec<_>) =
            files(dir.path()).into_iter().partition(|file| file.to_string_lossy().ends_with(".partial"));
        assert_eq!((partial.len(), mode(&partial[0])), (1, 0o600));
        for file in &complete {
            let report = read(&std::fs::read(file).unwrap()).unwrap().1;
            assert!(!report.has_notes(), "{report}");
        }
    }
    let written = writer.finish().unwrap();
    let files = files(dir.path());
    assert_eq!((files.len() as u64, written.files, written.events), (3, 3, 241));
    assert!(files.iter().all(|file| file.to_string_lossy().ends_with("Z.trace")), "{files:?}");
    assert_eq!(files.iter().map(|file| part(file)).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(read_all(&files).0.len() == 241);
}

#[test]
fn the_oldest_segments_make_room_and_one_that_was_collected_is_not_missed() {
    let (dir, path) = place();
    let mut writer = segments(&path, Some(2));
    for n in 0..=600_u64 {
        writer.write(&tick(n * 50_000_000)).unwrap();
        if n == 120 {
            let complete = files(dir.path()).into_iter().find(|file| part(file) == 0).unwrap();
            std::fs::remove_file(complete).unwrap();
        }
    }
    let written = writer.finish().unwrap();
    assert_eq!((files(dir.path()).len(), written.files), (2, 6));
}

#[test]
fn only_the_newest_files_are_kept() {
    let (dir, path) = place();
    let written = rotate(&path, Some(3), 40);
    let files = files(dir.path());
    assert_eq!(files.len(), 3);
    let mut parts: Vec<_> = files.iter().map(|file| u64::from(part(file))).collect();
    parts.sort_unstable();
    assert_eq!(parts, [written.files - 3, written.files - 2, written.files - 1]);
    let (mut events, _) = read_all(&files);
    let mut all: Vec<_> = (0..40).flat_map(|n| attempt(n * 600_000_000, n as u16)).collect();
    // What is watched is said again at the beginning of each file.
    for events in [&mut events, &mut all] {
        events.retain(|event| !matches!(event, Event::Uplink(_) | Event::Address(_)));
    }
    assert!(!events.is_empty() && all.ends_with(&events));
}

#[test]
fn standard_output_is_not_rotated() {
    let rotation = Rotation { max_bytes: Some(1), ..Rotation::default() };
    assert!(Writer::rotating(Path::new("-"), &capture(), rotation).is_err());
}

#[test]
fn what_was_written_is_counted() {
    let (_dir, path) = place();
    let mut writer = Writer::create(&path, &capture()).unwrap();
    three_blocks().iter().for_each(|event| writer.write(event).unwrap());
    let written = writer.finish().unwrap();
    assert_eq!(written, Written { events: 3 * EACH as u64, bytes: path.metadata().unwrap().len(), files: 1 });
}

#[test]
fn a_file_whose_predecessors_are_gone_knows_who_namespaces_belong_to() {
    let (dir, path) = place();
    let rotation = Rotation { max_bytes: Some(2_000), keep: NonZeroU32::new(2), ..Rotation::default() };
    let mut writer = Writer::rotating(&path, &capture(), rotation).unwrap();
    writer.write(&owner(5)).unwrap();
    for n in 1..4_000_u64 {
        writer.write(&tick(n * 50_000_000)).unwrap();
    }
    assert!(writer.finish().unwrap().files > 3);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let reader = Reader::open(&entry.unwrap().path()).unwrap();
        let owners = Owners::of(&reader.capture.owners);
        let known = owners.at(owner(5).stamp().netns, 5).unwrap();
        assert_eq!(known.text(), "shop/checkout-7d9f8b6c5d-x2x4z/app");
    }
}

#[test]
fn a_later_file_begins_with_what_is_watched() {
    let stamp = |kind, time_ns| Stamp { time_ns, kind, netns: 5 };
    let uplink = |time_ns, ifindex, state| {
        let name = *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0";
        Event::from(Uplink { stamp: stamp(Uplink::KIND, time_ns), ifindex, state, link: 0, unused: [0; 2], name })
    };
    let address = |time_ns, state| {
        let (stamp, addr) = (stamp(Address::KIND, time_ns), [7; 16]);
        Event::from(Address { stamp, addr, ifindex: 2, prefix: 64, state, unused: [0; 2] })
    };
    let (dir, path) = place();
    let rotation = Rotation { max_bytes: Some(2_000), ..Rotation::default() };
    let mut writer = Writer::rotating(&path, &capture(), rotation).unwrap();
    let mut write = |event: Event| writer.write(&event).unwrap();
    write(uplink(1, 2, UPLINK_WATCHED));
    write(address(1, ADDRESS_ADDED));
    write(address(1, LOCAL_ROUTE_ADDED));
    write(address(2, LOCAL_ROUTE_REMOVED));
    write(address(3, LOCAL_ROUTE_ADDED));
    (1..2_000_u64).for_each(|n| write(tick(n * 50_000_000)));
    write(uplink(100_000_000_000, 2, UPLINK_LEFT));
    write(uplink(100_000_000_000, 3, UPLINK_WATCHED));
    (2_000..4_000_u64).for_each(|n| write(tick(n * 50_000_000)));
    assert!(writer.finish().unwrap().files > 3);

    let files = files(dir.path());
    assert_eq!(files[0], path);
    let first = |file: &Path| read(&std::fs::read(file).unwrap()).unwrap().0[..3].to_vec();
    let same = |event: &Event, other: Event| match (event, other) {
        (Event::Uplink(one), Event::Uplink(other)) => (one.ifindex, one.state) == (other.ifindex, other.state),
        (Event::Address(one), Event::Address(other)) => one.addr == other.addr && one.state == other.state,
        _ => false,
    };
    let second = first(&path.with_extension("trace1"));
    assert!(
        same(&second[0], uplink(0, 2, UPLINK_WATCHED))
            && same(&second[1], address(0, ADDRESS_ADDED))
            && same(&second[2], address(0, LOCAL_ROUTE_ADDED)),
        "{second:?}"
    );
    let last = first(&path.with_extension(format!("trace{}", files.len() - 1)));
    // An interface that is not watched has a name, too.
    assert!(
        same(&last[0], uplink(0, 2, UPLINK_LEFT))
            && same(&last[1], uplink(0, 3, UPLINK_WATCHED))
            && same(&last[2], address(0, ADDRESS_ADDED)),
        "{last:?}"
    );
}
