//! What is damaged, cut or out of order is counted, and what is around it is read.

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
    assert!(!report.is_complete());
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
    assert!(open(vec![file], &[]).unwrap_err().to_string().contains("damaged or cut off"));
}

#[test]
fn a_name_that_claims_to_be_an_interface_does_not_steer_a_terminal() {
    let packets = open(vec![pcap(ETHERNET, &packets(&[0]))], &[]).unwrap();
    assert_eq!((packets.capture().node.as_str(), packets.capture().kernel.as_str()), ("0.pcap", "packet capture"));
}
