//! What is damaged, cut or out of order is counted, and what is around it is read.

use std::time::{Duration, Instant};

use super::*;

fn packets(times: &[u64]) -> Vec<(u64, Vec<u8>)> {
    let one = |(isn, ms): (u32, &u64)| (*ms, ethernet(&syn("192.0.2.1:40000", "203.0.113.80:443", isn)));
    (1..).zip(times).map(one).collect()
}

fn isns(file: Vec<u8>) -> (Vec<u32>, ReadReport) {
    let (events, report) = read(open(vec![file], &[]).unwrap());
    let isn = |(_, event): (u32, Event)| if let Event::Wire(wire) = event { Some(wire.isn) } else { None };
    (events.into_iter().filter_map(isn).collect(), report)
}

#[test]
fn packets_after_damage_are_found_again() {
    let mut file = pcap(ETHERNET, &packets(&[0, 1, 2, 3]));
    let record = 16 + 54;
    // The length of the second one.
    file[24 + record + 8..24 + record + 12].fill(0xff);
    let (found, report) = isns(file);
    assert_eq!((found, report.skipped_bytes), (vec![1, 3, 4], record as u64));
}

#[test]
fn a_file_that_was_cut_is_read_to_its_end() {
    let file = pcap(ETHERNET, &packets(&[0, 1, 2]));
    let (found, report) = isns(file[..file.len() - 3].to_vec());
    assert_eq!((found, report.torn_bytes), (vec![1, 2], 16 + 54 - 3));
    assert!(report.has_notes());
}

#[test]
fn times_out_of_order_and_steps_of_the_clock_are_counted() {
    let (found, report) = isns(pcap(ETHERNET, &packets(&[60_000, 59_990, 60_001, 100, 101])));
    assert_eq!((found.len(), report.out_of_order, report.clock_steps), (5, 1, 1));
}

#[test]
fn a_file_that_begins_with_damage_is_refused() {
    let mut file = pcap(ETHERNET, &packets(&[0]));
    file.truncate(20);
    assert!(open(vec![file], &[]).err().unwrap().to_string().contains("damaged or cut off"));
}

#[test]
fn a_name_that_claims_to_be_an_interface_does_not_steer_a_terminal() {
    let packets = open(vec![pcap(ETHERNET, &packets(&[0]))], &[]).unwrap();
    assert_eq!((packets.capture().node.as_str(), packets.capture().kernel.as_str()), ("0.pcap", "packet capture"));
}

/// The beginning of a pcapng file: a section and an interface.
fn pcapng(blocks: &[u8]) -> Vec<u8> {
    let section = block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]), false);
    [section, block(1, &words(&[ETHERNET, u32::MAX]), false), blocks.to_vec()].concat()
}

fn enhanced(packet: &[u8]) -> Vec<u8> {
    let len = packet.len() as u32;
    block(6, &[words(&[0, 0, 1000, len, len]).as_slice(), packet].concat(), false)
}

#[test]
fn a_snaplen_of_four_gigabytes_allocates_nothing() {
    let mut file = pcap(ETHERNET, &packets(&[0, 1]));
    file[16..20].fill(0xff);
    assert_eq!(isns(file).0, [1, 2]);
}

#[test]
fn lengths_of_blocks_that_cannot_be_are_skipped() {
    let [one, two] = [1, 2].map(|isn| enhanced(&ethernet(&syn("192.0.2.1:40000", "203.0.113.80:443", isn))));
    for len in [0, 4, 8, 13, (16 << 20) + 4, u32::MAX] {
        let wrong = [6_u32.to_le_bytes(), len.to_le_bytes()].concat();
        let (found, report) = isns(pcapng(&[one.as_slice(), &wrong, &two].concat()));
        assert_eq!((found, report.skipped_bytes), (vec![1, 2], 8), "{len}");
    }
    // An option that claims more bytes than its block has.
    let mut overrun = one;
    let at = overrun.len() - 4;
    overrun.splice(at.., [1, 0, 0xff, 0xff].into_iter().chain((76 + 12_u32).to_le_bytes()));
    let len = overrun.len() as u32;
    overrun[4..8].copy_from_slice(&len.to_le_bytes());
    let end = overrun.len() - 4;
    overrun[end..].copy_from_slice(&len.to_le_bytes());
    assert_eq!(isns(pcapng(&[overrun, two].concat())).0.last(), Some(&2));
}

/// Each place looks like the beginning of a block of 4 MiB. If all that is ahead were copied for each, that would take minutes.
#[test]
fn blocks_that_are_looked_for_take_time_by_the_size_of_the_file() {
    let (head, started) = ([6_u32.to_le_bytes(), (4_u32 << 20).to_le_bytes()].concat(), Instant::now());
    let (found, report) = isns(pcapng(&head.repeat(5 << 17)));
    assert!(found.is_empty() && report.skipped_bytes + report.torn_bytes >= 5 << 20, "{report}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn a_packed_file_that_unpacks_to_very_much_is_refused_in_bounded_memory() {
    let zeros = pcap(ETHERNET, &[(0, vec![0; 1 << 18])]);
    let bomb = || zeros.iter().copied().chain(std::iter::repeat_n(0, 80 << 20)).collect::<Vec<u8>>();
    let packed = zstd::bulk::compress(&bomb(), 1).unwrap();
    assert!(packed.len() < 100_000);
    let error = match open(vec![packed], &[]) {
        Err(error) => error,
        Ok(mut packets) => loop {
            match packets.read(64, 0, &mut Vec::new(), &mut Vec::new()) {
                Ok(true) => {}
                Ok(false) => panic!("all of it was unpacked"),
                Err(error) => break error,
            }
        },
    };
    assert!(error.to_string().contains("it unpacks to more than 1100 times its size"), "{error}");
}

#[test]
fn a_window_that_takes_too_much_memory_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    std::io::Write::write_all(&mut encoder, &pcap(ETHERNET, &packets(&[0]))).unwrap();
    let error = open(vec![encoder.finish().unwrap()], &[]).err().unwrap().to_string();
    assert!(error.contains("takes more than 128 MiB to unpack"), "{error}");
}
