//! Whatever is done to the bytes of a trace: a clear message, or what is left of it with a count. Never a panic.

use std::sync::LazyLock;

use tracer_common::Event;

use super::{EACH, capture, many_blocks, place, read, three_blocks, trace, write};
use crate::model::{Capture, Filter};
use crate::store::Reader;
use crate::store::block::ItemWriter;
use crate::store::frame::{self, FRAME_LEN, FrameHeader, HEAD_LEN, MARKER};

/// Where frames begin.
fn frames(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| FrameHeader::parse(&bytes[*at..]).is_some()).collect()
}

/// A trace with a payload of our choice in a frame whose checksums are right.
fn forged(mut header: FrameHeader, payload: &[u8]) -> Vec<u8> {
    static BEGINNING: LazyLock<Vec<u8>> = LazyLock::new(|| trace(&[]));
    let mut bytes = BEGINNING[..BEGINNING.len() - FRAME_LEN].to_vec();
    header.payload_crc = crc32c::crc32c(payload);
    header.stored_len = payload.len() as u32;
    header.put(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

fn events_header(codec: u8, raw_len: u32) -> FrameHeader {
    FrameHeader { kind: frame::KIND_EVENTS, codec, raw_len, number: 1, ..FrameHeader::default() }
}

#[test]
fn reader_stops_at_a_tail_torn_at_any_byte() {
    let (all, whole) = (three_blocks(), trace(&three_blocks()));
    let frames = frames(&whole);
    let (last, end) = (frames[3], frames[4]);
    for length in last..end {
        let (events, report) = read(&whole[..length]).unwrap();
        assert_eq!(events, all[..2 * EACH], "cut at {length}");
        assert_eq!(report.torn_bytes as usize, length - last, "cut at {length}");
        assert_eq!((report.unfinished, report.damaged_blocks, report.skipped_bytes), (1, 0, 0), "cut at {length}");
    }
    for length in end..whole.len() {
        let (events, report) = read(&whole[..length]).unwrap();
        assert_eq!((events.len(), report.unfinished, report.torn_bytes as usize), (3 * EACH, 1, length - end));
    }
}

#[test]
fn a_trace_cut_within_its_beginning_is_refused() {
    let whole = trace(&three_blocks());
    for length in 0..frames(&whole)[1] {
        let message = read(&whole[..length]).unwrap_err().to_string();
        assert!(message.starts_with("cannot read t.trace: "), "{message}");
    }
}

#[test]
fn a_damaged_beginning_loses_only_itself() {
    let (all, whole) = (many_blocks(), trace(&many_blocks()));
    let frames = frames(&whole);
    // Head, head and capture, and with them the first blocks.
    let [first, second, _, fourth] = frames[..4] else { panic!("{frames:?}") };
    for (damaged, lost) in [(HEAD_LEN, 0), (first + 60, 0), (second + 60, 1), (fourth, 2), (fourth + 60, 3)] {
        for byte in [0, b'x', 0xf5] {
            let mut bytes = whole.clone();
            bytes[..damaged].fill(byte);
            let (events, report) = read(&bytes).unwrap();
            assert_eq!(events, all[lost * EACH..], "{damaged}");
            assert!(report.skipped_bytes > 0 && report.torn_bytes == 0, "{report}");
        }
        assert_eq!(read(&whole[damaged..]).unwrap().0, all[lost * EACH..], "cut off: {damaged}");
    }
}

#[test]
fn no_other_trace_says_how_to_judge_one_without_its_beginning() {
    let (mut short, long) = (trace(&three_blocks()), trace(&many_blocks()));
    short[..HEAD_LEN + 60].fill(0);
    assert!(read(&[short, long].concat()).is_err());
}

#[test]
fn a_capture_that_is_repeated_in_vain_is_looked_for_in_linear_time() {
    let mut bytes = vec![0; HEAD_LEN];
    for number in 1..100_000 {
        let kind = frame::KIND_CAPTURE_AGAIN;
        FrameHeader { number, kind, stored_len: 4 << 20, ..events_header(frame::CODEC_STORED, 4 << 20) }
            .put(&mut bytes);
    }
    assert!(read(&bytes).is_err());
}

#[test]
fn any_flipped_bit_costs_at_most_its_block() {
    let (all, whole) = (three_blocks(), trace(&three_blocks()));
    let frames = frames(&whole);
    let mut bytes = whole.clone();
    for at in 0..whole.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            match (read(&bytes), frames.iter().rposition(|start| *start <= at)) {
                // Too short for the capture to be repeated.
                (Err(_), None | Some(0)) => {}
                (Ok((events, report)), None) if at < HEAD_LEN => {
                    assert_eq!(
                        (events, report.skipped_bytes),
                        (all.clone(), HEAD_LEN as u64),
                        "bit {bit} of byte {at}"
                    );
                }
                (Ok((events, report)), Some(block @ 1..=3)) => {
                    let intact: Vec<_> = [&all[..(block - 1) * EACH], &all[block * EACH..]].concat();
                    assert_eq!(events, intact, "bit {bit} of byte {at}");
                    assert_eq!(report.damaged_blocks, 1, "bit {bit} of byte {at}: {report}");
                    assert!(report.skipped_bytes > 0 && report.torn_bytes == 0, "bit {bit} of byte {at}: {report}");
                }
                (Ok((events, report)), Some(4)) => {
                    assert_eq!(events, all, "bit {bit} of byte {at}");
                    assert!(report.torn_bytes > 0 && report.unfinished == 1, "bit {bit} of byte {at}: {report}");
                }
                (outcome, block) => panic!("bit {bit} of byte {at} in frame {block:?}: {outcome:?}"),
            }
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn what_is_missing_or_too_much_is_counted_and_costs_nothing_else() {
    let (all, whole) = (three_blocks(), trace(&three_blocks()));
    let frames = frames(&whole);
    let (hole, without_second) = (frames[2] + FRAME_LEN + 5, [&all[..EACH], &all[2 * EACH..]].concat());
    // Bytes of a block, two blocks; a block that is there twice, zeros at the end.
    let cases = [
        ([&whole[..hole], &whole[hole + 9..]].concat(), &without_second[..], (1, EACH as u64, 0)),
        ([&whole[..frames[1]], &whole[frames[3]..]].concat(), &all[2 * EACH..], (2, 0, 0)),
        ([&whole[..frames[3]], &whole[frames[2]..]].concat(), &all, (1, 0, 0)),
        ([&whole[..], &[0; 5000]].concat(), &all, (0, 0, 5000)),
    ];
    for (bytes, expected, counts) in cases {
        let (events, report) = read(&bytes).unwrap();
        assert_eq!(events, expected, "{report}");
        assert_eq!((report.damaged_blocks, report.damaged_events, report.torn_bytes), counts, "{report}");
    }
}

#[test]
fn garbage_after_the_beginning_is_skipped() {
    let whole = trace(&three_blocks());
    let frames = frames(&whole);
    let mut state = 1_u64;
    for round in 0..300 {
        let garbage: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Full of markers, so that they are looked at.
            if state >> 62 == 0 { MARKER[(state >> 40) as usize % 4] } else { (state >> 33) as u8 }
        })
        .take(round * 37)
        .collect();
        let bytes = [&whole[..frames[1]], &garbage, &whole[frames[1]..]].concat();
        let (events, report) = read(&bytes).unwrap();
        assert_eq!((events.len(), report.skipped_bytes), (3 * EACH, garbage.len() as u64));
        let only = [&whole[..frames[1]], &garbage].concat();
        assert_eq!(read(&only).unwrap().1.torn_bytes, garbage.len() as u64);
        let _ = read(&[&whole[..HEAD_LEN], &garbage].concat()).unwrap_err();
    }
}

#[test]
fn items_with_any_byte_changed_end_without_a_panic() {
    let mut items = ItemWriter::default();
    three_blocks().iter().for_each(|event| items.push(event));
    let mut payload = items.bytes().to_vec();
    let header = FrameHeader { events: 24, ..events_header(frame::CODEC_STORED, payload.len() as u32) };
    assert_eq!(read(&forged(header, &payload)).unwrap().0, three_blocks());
    let mut failures = 0;
    for at in 0..payload.len() {
        for value in [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff] {
            let before = std::mem::replace(&mut payload[at], value);
            let (_, report) = read(&forged(header, &payload)).unwrap();
            assert!(report.damaged_blocks + report.blocks == 1, "{report}");
            failures += report.damaged_blocks;
            payload[at] = before;
        }
    }
    assert!(failures > 100, "{failures}");
}

#[test]
fn a_payload_that_unpacks_to_more_than_it_says_is_damaged() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
    let (_, report) = read(&forged(events_header(frame::CODEC_ZSTD, 1000), &bomb)).unwrap();
    assert_eq!(report.damaged_blocks, 1, "{report}");
}

#[test]
fn a_small_payload_that_unpacks_to_very_much_is_damaged_and_no_writer_makes_one() {
    let events: Vec<Event> = std::iter::repeat_n(three_blocks()[0], 20_000).collect();
    let mut items = ItemWriter::default();
    events.iter().for_each(|event| items.push(event));
    let payload = zstd::bulk::compress(items.bytes(), 1).unwrap();
    assert!(items.bytes().len() > frame::max_raw_len(payload.len()), "it compresses badly");
    let raw_len = items.bytes().len() as u32;
    let header = FrameHeader { events: 20_000, ..events_header(frame::CODEC_ZSTD, raw_len) };
    let (read_events, report) = read(&forged(header, &payload)).unwrap();
    assert_eq!((read_events.len(), report.damaged_blocks), (0, 1), "{report}");
    assert_eq!(read(&trace(&events)).unwrap().0, events);
}

#[test]
fn a_head_with_more_prefixes_than_a_capture_can_have_is_refused() {
    let prefixes = |count| {
        let src = vec!["10.0.0.0/8".parse().unwrap(); count];
        let capture = Capture { filter: Filter { src, ..Filter::default() }, ..capture() };
        let (_dir, path) = place();
        write(&path, &capture, &[]);
        Reader::open(&path).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(prefixes(256), Ok(()));
    assert!(prefixes(257).unwrap_err().contains("its filter has 257 prefixes"));
}

#[test]
fn a_frame_beyond_the_limits_is_no_frame() {
    for (stored_len, raw_len) in [(0, u32::MAX), (u32::MAX, 0)] {
        let mut bytes = Vec::new();
        FrameHeader { stored_len, ..events_header(frame::CODEC_ZSTD, raw_len) }.put(&mut bytes);
        assert_eq!(FrameHeader::parse(&bytes), None);
    }
}

#[test]
fn nested_bad_frames_are_read_in_linear_time() {
    let mut bytes = trace(&[]);
    bytes.truncate(bytes.len() - FRAME_LEN);
    for number in 1..20_000 {
        FrameHeader { number, events: 1, stored_len: 100_000, ..events_header(frame::CODEC_STORED, 100_000) }
            .put(&mut bytes);
    }
    // One event each, so this counts the frames that were looked at.
    // Each header claims the 100 kB that follow: checked again for each, that would be 2 GB.
    let (events, report) = read(&bytes).unwrap();
    assert!(events.is_empty() && (5..50).contains(&report.damaged_events), "{report}");
}
