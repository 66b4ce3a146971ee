//! Lines of `conntrack -L`, `conntrack -L -o extended`, `conntrack -E` and /proc/net/nf_conntrack.
//!
//! ```text
//! ipv4     2 tcp      6 117 SYN_SENT src=10.42.0.5 dst=203.0.113.80 sport=40112 dport=443 [UNREPLIED] src=203.0.113.80 ...
//! [1700000000.123456]     [NEW] tcp      6 120 SYN_SENT src=10.42.0.5 dst=203.0.113.80 sport=40112 dport=443 [UNREPLIED] src=...
//! ```

use std::net::{IpAddr, SocketAddr};

use tracer_common::Flow;

use super::entry::{ConntrackEntry, EntryState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConntrackLine {
    Entry(ConntrackEntry),
    /// What became of one, and when, where the line has a time.
    Event(Event, ConntrackEntry, Option<u64>),
    OtherProtocol,
}

/// `conntrack -E`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    New,
    Update,
    Destroy,
}

const PROTOCOLS: [&[u8]; 8] = [b"udp", b"udplite", b"icmp", b"icmpv6", b"sctp", b"dccp", b"gre", b"unknown"];

/// Words before the protocol: a time, a host and a program of a log, the event, the address family and its number.
const MAX_WORDS_BEFORE: usize = 10;

/// One half of an entry, while it is read.
#[derive(Default)]
struct Half {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    src_port: Option<u16>,
    dst_port: Option<u16>,
}

impl Half {
    fn flow(&self) -> Option<Flow> {
        Some(Flow::new(SocketAddr::new(self.src?, self.src_port?), SocketAddr::new(self.dst?, self.dst_port?)))
    }
}

/// Whether an entry begins in this line: a protocol is among its first words.
pub(super) fn names_protocol(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(MAX_WORDS_BEFORE);
    words.any(|word| word == b"tcp" || PROTOCOLS.contains(&word))
}

/// The line; `None` for what none of them writes.
pub(super) fn parse(line: &[u8]) -> Option<ConntrackLine> {
    let (mut event, mut second, mut is_tcp, mut is_other, mut is_replied) = (None, None, false, false, true);
    let (mut state, mut remaining, mut has_number) = (EntryState::Other, None, false);
    let mut halves = [Half::default(), Half::default()];
    for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        match word {
            b"[NEW]" => event = Some(Event::New),
            b"[UPDATE]" => event = Some(Event::Update),
            b"[DESTROY]" => event = Some(Event::Destroy),
            b"[UNREPLIED]" => is_replied = false,
            b"tcp" => is_tcp = true,
            word if !is_tcp && PROTOCOLS.contains(&word) => is_other = true,
            [b'[', digits @ .., b']'] => second = second.or_else(|| number(digits.split(|byte| *byte == b'.').next()?)),
            word => match word.iter().position(|byte| *byte == b'=') {
                Some(at) => half(&mut halves, &word[..at], &word[at + 1..]),
                None if !is_tcp => {}
                // The protocol's number comes first, then what remains.
                None => match EntryState::of_name(word) {
                    Some(name) => state = name,
                    None if has_number => remaining = remaining.or_else(|| number(word)),
                    None => has_number = word == b"6",
                },
            },
        }
    }
    if is_other {
        return Some(ConntrackLine::OtherProtocol);
    }
    let remaining = remaining.and_then(|seconds| u32::try_from(seconds).ok());
    let [original, reply] = halves;
    let entry = ConntrackEntry { original: original.flow()?, reply: reply.flow()?, is_replied, state, remaining };
    is_tcp.then_some(event.map_or(ConntrackLine::Entry(entry), |event| ConntrackLine::Event(event, entry, second)))
}

/// Fills in the first half that has no such value yet.
fn half(halves: &mut [Half; 2], key: &[u8], value: &[u8]) {
    let address = || std::str::from_utf8(value).ok()?.parse().ok();
    let port = || number(value).and_then(|number| u16::try_from(number).ok());
    let [first, second] = halves;
    match key {
        b"src" => *(if first.src.is_none() { &mut first.src } else { &mut second.src }) = address(),
        b"dst" => *(if first.dst.is_none() { &mut first.dst } else { &mut second.dst }) = address(),
        b"sport" => *(if first.src_port.is_none() { &mut first.src_port } else { &mut second.src_port }) = port(),
        b"dport" => *(if first.dst_port.is_none() { &mut first.dst_port } else { &mut second.dst_port }) = port(),
        _ => {}
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.len() < 19 && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "tcp      6 117 SYN_SENT src=10.42.0.5 dst=203.0.113.80 sport=40112 dport=443 [UNREPLIED] src=203.0.113.80 dst=192.0.2.1 sport=443 dport=1200 mark=0 use=1";

    fn entry(line: &str) -> ConntrackEntry {
        let Some(ConntrackLine::Entry(entry)) = parse(line.as_bytes()) else { panic!("{line}") };
        entry
    }

    #[test]
    fn every_form_of_a_line_is_the_same_entry() {
        let entry = entry(LISTED);
        assert_eq!(
            entry.translated(),
            Flow::new("192.0.2.1:1200".parse().unwrap(), "203.0.113.80:443".parse().unwrap())
        );
        assert!(!entry.is_replied && entry.is_translated());
        assert_eq!((entry.state, entry.remaining), (EntryState::SynSent, Some(117)));
        for form in [
            format!("ipv4     2 {LISTED}\n"),
            format!("{}\n", LISTED.replace(" mark=0", " packets=3 bytes=180 mark=0 zone=1 id=77")),
        ] {
            assert_eq!(parse(form.as_bytes()), Some(ConntrackLine::Entry(entry)), "{form}");
        }
        let event = parse(format!("[1700000000.123456]\t    [NEW] {LISTED}").as_bytes());
        assert_eq!(event, Some(ConntrackLine::Event(Event::New, entry, Some(1_700_000_000))));
        let destroyed = parse(b"[DESTROY] tcp      6 src=fd00::5 dst=2001:db8::1 sport=6 dport=443 src=2001:db8::1 dst=2001:db8::9 sport=443 dport=7");
        let Some(ConntrackLine::Event(Event::Destroy, entry, None)) = destroyed else { panic!("{destroyed:?}") };
        assert_eq!((entry.is_replied, entry.translated().src_port), (true, 7));
    }

    #[test]
    fn a_remaining_time_of_six_seconds_is_not_taken_for_the_protocol() {
        assert_eq!(entry(&LISTED.replace(" 117 ", " 6 ")).remaining, Some(6));
    }

    #[test]
    fn what_is_no_entry_of_tcp_is_none() {
        let udp =
            b"udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=53 src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1";
        assert_eq!(parse(udp), Some(ConntrackLine::OtherProtocol));
        for line in [
            "",
            "conntrack v1.4.7 (conntrack-tools): 12 flow entries have been shown.",
            "tcp 6 src=1.2.3.4",
            "\u{0}=[]",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
