//! Which process has the socket.

use bytemuck::Zeroable;
use tracer_common::Event;
use tracer_common::events::Process;

use super::*;

fn process(at: u64, isn: u32, flow: Flow, pid: u32, name: &[u8]) -> Event {
    let mut command = [0; 16];
    command[..name.len()].copy_from_slice(name);
    Process { stamp: stamp(Process::KIND, at, POD_NETNS), flow, isn, pid, command, ..Zeroable::zeroed() }.into()
}

#[test]
fn the_process_is_known_from_the_retransmit_on_and_of_its_attempt_alone() {
    let mut join = Joins::new(1);
    let events = [
        bind(0, ISN, pod(50_000), node(1200)),
        retransmit(S, ISN, pod(50_000), 1),
        process(S, ISN, pod(50_000), 0, b""),
        process(S, ISN, pod(50_000), 1234, b"curl"),
        process(S, ISN + 1, pod(50_000), 9, b"other"),
        closed(2 * S, ISN, pod(50_000), ETIMEDOUT),
        tick(10 * S),
    ];
    let outcomes = feed(&mut join, &events);
    let known = |attempt: &Attempt| attempt.process.map(|process| (process.pid, process.command().into_owned()));
    assert_eq!(known(outcomes.only()), Some((1234, "curl".to_owned())));
    assert_eq!(known(&outcomes.retransmits[0].attempt), Some((1234, "curl".to_owned())));

    let next = [retransmit(20 * S, ISN + 7, pod(50_001), 1), tick(200 * S)];
    assert_eq!(feed(&mut join, &next).only().process, None, "the slot is used again");
}
