//! Byte orders, resolutions and blocks of pcap and pcapng; gzip and zstd.

use std::io::Write as _;

use tracer_common::events::WIRE_INGRESS;

use super::super::record::TimestampFormat;
use super::*;

fn file() -> Vec<u8> {
    pcap(ETHERNET, &[(5, ethernet(&syn("192.0.2.1:40000", "203.0.113.80:443", 7)))])
}

/// A section with one Ethernet interface in nanoseconds and one packet, which left or arrived.
fn pcapng(flags: u32, is_big_endian: bool) -> Vec<u8> {
    let word = |word: u32| if is_big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let half = |half: u16| if is_big_endian { half.to_be_bytes() } else { half.to_le_bytes() };
    let halves = |code, len| [half(code), half(len)].concat();
    let section = [&word(0x1a2b_3c4d), halves(1, 0).as_slice(), &[0xff; 8]].concat();
    let names = [halves(2, 4), b"eth0".to_vec(), halves(9, 1), vec![9, 0, 0, 0], halves(0, 0)].concat();
    let interface = [halves(1, 0), word(0).to_vec(), names].concat();
    let packet = ethernet(&syn("192.0.2.1:40000", "203.0.113.80:443", 7));
    let (time_ns, len) = (START_NS + 5 * MS, word(packet.len() as u32));
    let head = [word(0), word((time_ns >> 32) as u32), word(time_ns as u32), len, len].concat();
    let padding = vec![0; packet.len().next_multiple_of(4) - packet.len()];
    let options = [halves(2, 4), word(flags).to_vec(), halves(0, 0)].concat();
    let enhanced = [head, packet, padding, options].concat();
    [
        block(0x0a0d_0d0a, &section, is_big_endian),
        block(1, &interface, is_big_endian),
        block(6, &enhanced, is_big_endian),
    ]
    .concat()
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_resolutions() {
    let wires = wires(file());
    assert_eq!(wires[0].stamp.time_ns, START_NS + 5 * MS);
    let mut other = file();
    other[..40].chunks_exact_mut(4).for_each(<[u8]>::reverse);
    assert_eq!(super::wires(other)[0].stamp.time_ns, START_NS + 5 * MS);
    let mut micro = file();
    micro[0] = 0xd4;
    micro[1] = 0xc3;
    micro[28..32].copy_from_slice(&5000_u32.to_le_bytes());
    assert_eq!(super::wires(micro)[0].stamp.time_ns, START_NS + 5 * MS);
}

#[test]
fn pcapng_is_read_in_both_byte_orders_with_names_times_and_directions() {
    for is_big_endian in [false, true] {
        let events = events_of(pcapng(2, is_big_endian));
        let name = |event: &Event| matches!(event, Event::Uplink(uplink) if uplink.name() == b"eth0");
        assert!(events.iter().any(name), "{events:?}");
        let left = wires(pcapng(2, is_big_endian));
        assert_eq!((left[0].direction, left[0].stamp.time_ns), (WIRE_EGRESS, START_NS + 5 * MS));
        assert_eq!(wires(pcapng(1, is_big_endian))[0].direction, WIRE_INGRESS);
    }
}

#[test]
fn sections_follow_one_another_in_any_byte_order() {
    let (events, report) = read(open(vec![[pcapng(2, false), pcapng(2, true)].concat()], &[]).unwrap());
    assert_eq!((report.packets, report.skipped_bytes, report.torn_bytes), (2, 0, 0));
    assert!(events.iter().any(|(_, event)| matches!(event, Event::Wire(_))));
}

#[test]
fn packed_files_are_unpacked_and_cut_ones_as_far_as_they_go() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&file()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::stream::encode_all(file().as_slice(), 1).unwrap();
    for packed in [gzip.clone(), zstd, [gzip.clone(), gzip[..0].to_vec()].concat()] {
        assert_eq!(wires(packed), wires(file()));
    }
    let cut = gzip[..gzip.len() - 12].to_vec();
    let (_, report) = read(open(vec![cut], &[]).unwrap());
    assert_eq!(report.unfinished, 1);
    let other = zstd::stream::encode_all(b"no packets".as_slice(), 1).unwrap();
    assert!(open(vec![other], &[]).err().unwrap().to_string().contains("without a packet capture in it"));
}

#[test]
fn any_resolution_and_offset_makes_a_time() {
    assert_eq!(TimestampFormat::new(1_000_000, 0).ns(7), 7000);
    assert_eq!(TimestampFormat::new(1, 2).ns(3), 5_000_000_000);
    assert_eq!(TimestampFormat::new(1 << 10, 0).ns(1 << 10), 1_000_000_000);
    assert_eq!(TimestampFormat::new(1, i64::MIN).ns(1), 0);
    assert_eq!(TimestampFormat::new(0, i64::MAX).ns(u64::MAX), u64::MAX);
}
