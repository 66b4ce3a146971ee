//! Events come out exactly as they went in, in exactly that order.

use proptest::prelude::*;
use tracer_common::events::{OWNER_TEXT, Stamp};
use tracer_common::{Event, Flow};

use super::{EACH, attempt, read, three_blocks, trace};

/// Few addresses, so that the tables are used, and any address, so that they grow.
fn address() -> impl Strategy<Value = [u8; 16]> {
    let v4 = (0..4_u8).prop_map(|n| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 42, 0, n]);
    prop_oneof![v4, any::<[u8; 16]>()]
}

fn flows() -> impl Strategy<Value = Flow> {
    let port = || prop_oneof![0..3_u16, any::<u16>()];
    (address(), address(), port(), port()).prop_map(|(src, dst, src_port, dst_port)| Flow {
        src,
        dst,
        src_port,
        dst_port,
    })
}

fn stamps(kind: u32) -> impl Strategy<Value = Stamp> {
    let time = prop_oneof![0..2_000_000_000_u64, any::<u64>()];
    (time, prop_oneof![Just(0), any::<u32>()]).prop_map(move |(time_ns, netns)| Stamp { time_ns, kind, netns })
}

fn isns() -> impl Strategy<Value = u32> {
    prop_oneof![0..4_u32, any::<u32>()]
}

/// Where nothing is said otherwise, a field has any value.
fn events() -> impl Strategy<Value = Event> {
    let kind = prop::sample::select(Event::ALL).prop_map(|(kind, _)| kind).prop_flat_map(stamps);
    let bytes = prop::array::uniform32(any::<[u8; 4]>());
    (kind, flows(), flows(), isns(), any::<bool>(), bytes).prop_map(|(stamp, flow, other, isn, is_short, bytes)| {
        let bytes = [bytemuck::bytes_of(&stamp), bytes.as_flattened()].concat();
        let mut event = (0..bytes.len()).find_map(|size| Event::parse(&bytes[..size])).unwrap();
        match &mut event {
            Event::NatSelect(of) => (of.original, of.unused) = (flow, 0),
            Event::NatBind(of) => {
                (of.original, of.translated, of.isn) = (flow, other, isn);
                if is_short {
                    (of.range_flags, of.min_port, of.max_port) = (0, 0, 0);
                }
            }
            Event::SynRetransmit(of) => (of.flow, of.isn) = (flow, isn),
            Event::SockState(of) => (of.flow, of.isn, of.unused) = (flow, isn, [0; 2]),
            Event::Wire(of) => {
                (of.flow, of.isn) = (flow, isn);
                of.detail *= u16::from(!is_short);
            }
            Event::CtDrop(of) => {
                (of.flow, of.isn, of.unused) = (flow, isn, [0; 5]);
                of.original = if is_short { Flow::default() } else { other };
            }
            Event::Owner(of) => {
                (of.length, of.unused) = (of.length % (OWNER_TEXT as u8 + 1), [0; 5]);
                of.text[usize::from(of.length)..].fill(0);
            }
            Event::Uplink(of) => {
                of.unused = [0; 2];
                of.name[usize::from(of.ifindex as u8 % 17)..].fill(0);
            }
            Event::Address(of) => (of.addr, of.unused) = (flow.src, [0; 2]),
            Event::Process(of) => (of.flow, of.isn) = (flow, isn),
            Event::Lost(_) | Event::Tick(_) | Event::CtTable(_) => {}
        }
        event
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_events_come_back_in_order(events in prop::collection::vec(events(), 0..200)) {
        let (back, report) = read(&trace(&events)).unwrap();
        prop_assert_eq!(back, events);
        prop_assert!(!report.has_notes());
    }
}

#[test]
fn every_kind_of_event_is_in_the_sample_and_in_the_reference() {
    let docs = include_str!("../../../../docs/trace.md");
    for (kind, stem) in Event::ALL {
        let sample = attempt(0, 1);
        let found = sample.iter().any(|event| event.stem() == *stem && event.stamp().kind == *kind);
        assert!(found, "{stem} is missing in attempt()");
        assert!(docs.contains(&format!("\n| {kind} | `{stem}` |")), "docs/trace.md has no row for {stem}");
    }
}

#[test]
fn blocks_that_are_full_follow_each_other() {
    let events: Vec<Event> = (0..30_000_u64).flat_map(|n| attempt(n * 1_000, n as u16)).collect();
    let (back, report) = read(&trace(&events)).unwrap();
    assert_eq!(back, events);
    assert!(report.blocks > 2, "{report}");
    assert!(!report.has_notes(), "{report}");
}

#[test]
fn the_report_counts_what_was_read() {
    let (events, report) = read(&trace(&three_blocks())).unwrap();
    assert_eq!((report.blocks, report.events, report.files), (3, events.len() as u64, 1));
    assert_eq!(report.last_ns, 2_000_013_600);
    assert_eq!(report.to_string(), format!("read {} events in 3 blocks", 3 * EACH));
}
