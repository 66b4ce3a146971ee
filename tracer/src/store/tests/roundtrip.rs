//! Events come out exactly as they went in, in exactly that order.

use proptest::prelude::*;
use tracer_common::events::{
    Address, COMMAND_BYTES, CtDrop, CtTable, INTERFACE_NAME, Lost, NatBind, NatSelect, OWNER_TEXT, Owner, Process,
    SockState, Stamp, SynRetransmit, Tick, Uplink, Wire,
};
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

prop_compose! {
    fn nat_select()(
        stamp in stamps(NatSelect::KIND), original in flows(), flags: u32, min_port: u16, max_port: u16, zone: u16,
    ) -> Event {
        NatSelect { stamp, original, flags, min_port, max_port, zone, unused: 0 }.into()
    }
}

prop_compose! {
    fn nat_bind()(
        stamp in stamps(NatBind::KIND), original in flows(), translated in flows(), isn in isns(), status: u32, zone: u16,
        range in prop_oneof![Just((0, 0, 0)), any::<(u16, u16, u16)>()],
    ) -> Event {
        let (range_flags, min_port, max_port) = range;
        NatBind { stamp, original, translated, isn, status, zone, range_flags, min_port, max_port }.into()
    }
}

prop_compose! {
    fn syn_retransmit()(
        stamp in stamps(SynRetransmit::KIND), flow in flows(), isn in isns(), ordinal: u32, err: i32,
    ) -> Event {
        SynRetransmit { stamp, flow, isn, ordinal, err }.into()
    }
}

prop_compose! {
    fn sock_state()(
        stamp in stamps(SockState::KIND), flow in flows(), isn in isns(), err: u32, new_state: u8, retransmits: u8,
    ) -> Event {
        SockState { stamp, flow, isn, err, new_state, retransmits, unused: [0; 2] }.into()
    }
}

prop_compose! {
    fn wire()(
        stamp in stamps(Wire::KIND), flow in flows(), isn in isns(), ifindex: u32, packet: u8, direction: u8,
        detail in prop_oneof![Just(0), any::<u16>()],
    ) -> Event {
        Wire { stamp, flow, isn, ifindex, packet, direction, detail }.into()
    }
}

prop_compose! {
    fn ct_drop()(
        stamp in stamps(CtDrop::KIND), flow in flows(), isn in isns(), reason: u32, status: u32, ifindex: u32,
        packet: u8, ctinfo: u8, place: u8, original in prop_oneof![Just(Flow::default()), flows()],
    ) -> Event {
        CtDrop { stamp, flow, original, isn, reason, status, ifindex, packet, ctinfo, place, unused: [0; 5] }.into()
    }
}

prop_compose! {
    fn ct_table()(stamp in stamps(CtTable::KIND), count: u32, max: u32) -> Event {
        CtTable { stamp, count, max }.into()
    }
}

prop_compose! {
    fn uplink()(
        stamp in stamps(Uplink::KIND), ifindex: u32, state: u8, link: u8, bytes in prop::collection::vec(1_u8.., 0..=INTERFACE_NAME),
    ) -> Event {
        let mut name = [0; INTERFACE_NAME];
        name[..bytes.len()].copy_from_slice(&bytes);
        Uplink { stamp, ifindex, state, link, unused: [0; 2], name }.into()
    }
}

prop_compose! {
    fn node_address()(stamp in stamps(Address::KIND), addr in address(), ifindex: u32, prefix: u8, state: u8) -> Event {
        Address { stamp, addr, ifindex, prefix, state, unused: [0; 2] }.into()
    }
}

prop_compose! {
    fn owner()(
        stamp in stamps(Owner::KIND), since_ns: u64, part: u8, parts: u8, bytes in prop::collection::vec(any::<u8>(), 0..=OWNER_TEXT),
    ) -> Event {
        let mut text = [0; OWNER_TEXT];
        text[..bytes.len()].copy_from_slice(&bytes);
        Owner { stamp, since_ns, part, parts, length: bytes.len() as u8, unused: [0; 5], text }.into()
    }
}

prop_compose! {
    fn process()(
        stamp in stamps(Process::KIND), flow in flows(), isn in isns(), socket: u32, pid: u32, command: [u8; COMMAND_BYTES],
    ) -> Event {
        Process { stamp, flow, isn, socket, pid, command }.into()
    }
}

fn events() -> impl Strategy<Value = Event> {
    let lost = (stamps(Lost::KIND), any::<[u64; 4]>()).prop_map(|(stamp, counts)| Lost { stamp, counts }.into());
    let tick = stamps(Tick::KIND).prop_map(|stamp| Tick { stamp }.into());
    prop_oneof![
        nat_select(),
        nat_bind(),
        syn_retransmit(),
        sock_state(),
        wire(),
        ct_drop(),
        ct_table(),
        owner(),
        uplink(),
        node_address(),
        process(),
        lost,
        tick
    ]
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
