//! Every column that is exported, defined once: name, type, what it means, how it follows from an attempt. docs/columns.md has
//! the same list, and a test compares both.

use std::borrow::Cow;
use std::net::IpAddr;

use super::ExportTable;
use crate::model::{Attempt, Capture, Clock, InterfaceName, Judgement, NatMode, Owner, Strength};
use crate::tally::Answer;

/// What a value is, in every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Bool,
    Int32,
    Int64,
    Text,
    /// An address as text, in its canonical form.
    Address,
    /// The same as 4 or 16 bytes in network byte order; only where a format has bytes.
    AddressBytes,
    /// Microseconds since 1970 UTC.
    Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    Address(IpAddr),
    Time(i64),
}

/// What a row is made of: an attempt that has ended, or one of its SYN retransmits.
#[derive(Clone, Copy, Debug)]
pub struct AttemptRow<'a> {
    pub cluster: Option<&'a str>,
    pub capture: &'a Capture,
    pub attempt: &'a Attempt,
    pub owner: Option<&'a Owner>,
    pub judgement: &'a Judgement,
    /// Of the retransmit; the beginning of an attempt.
    pub time_ns: u64,
    pub ordinal: u32,
    /// It was reported before, without the original tuple.
    pub is_repeated: bool,
}

impl AttemptRow<'_> {
    /// Microseconds since 1970 UTC; `None` for a time that no calendar has.
    pub fn unix_us(&self, time_ns: u64) -> Option<i64> {
        Clock::unix_us(self.capture, time_ns)
    }
}

pub struct Column {
    pub name: &'static str,
    pub kind: ColumnType,
    pub about: &'static str,
    /// The table that has it; `None` where both have.
    only: Option<ExportTable>,
    /// `None` where it is unknown.
    pub value: for<'a> fn(&AttemptRow<'a>) -> Option<Value<'a>>,
}

impl Column {
    const fn both(
        name: &'static str,
        kind: ColumnType,
        about: &'static str,
        value: for<'a> fn(&AttemptRow<'a>) -> Option<Value<'a>>,
    ) -> Self {
        Self { name, kind, about, only: None, value }
    }

    const fn only(self, table: ExportTable) -> Self {
        Self { only: Some(table), ..self }
    }

    pub fn is_of(&self, table: ExportTable) -> bool {
        self.only.is_none_or(|only| only == table)
    }
}

const fn text(text: &str) -> Option<Value<'_>> {
    Some(Value::Text(Cow::Borrowed(text)))
}

fn int(number: impl Into<i64>) -> Option<Value<'static>> {
    Some(Value::Int(number.into()))
}

use ColumnType::{Address, AddressBytes, Bool, Int32, Int64, Text, Time};
use ExportTable::{Attempts, Retransmits};

/// All columns, in their order. Names are a promise, as those of JSON are; the same fact has the same name in both.
#[rustfmt::skip]
pub const ALL: &[Column] = &[
    Column::both("cluster", Text, "`--cluster NAME`; null without it", |row| text(row.cluster?)),
    Column::both("node", Text, "name of the node", |row| text(&row.capture.node)),
    Column::both("time", Time, "time of the SYN retransmission", |row| row.unix_us(row.time_ns).map(Value::Time)).only(Retransmits),
    Column::both("start_time", Time, "time of the first event of the attempt", |row| row.unix_us(row.attempt.first_ns).map(Value::Time)),
    Column::both("end_time", Time, "time of the last event of the attempt", |row| row.unix_us(row.attempt.last_ns).map(Value::Time)).only(Attempts),
    Column::both("flagged", Bool, "the SYN was retransmitted, and its translated port is outside the allowed ports", |row| Some(Value::Bool(row.judgement.flagged))),
    Column::both("answer", Text, "`answered`: a SYN-ACK, an RST or another segment arrived; `unanswered`: none, although the SYN was retransmitted, or its socket gave up at least 0.2 s after the SYN; `undecided`: the attempt ended too early to know", |row| text(Answer::of(row.attempt).name())).only(Attempts),
    Column::both("cause", Text, "why the SYN was retransmitted, or the attempt failed, as known at the time of the row; null where it was neither", |row| text(row.judgement.cause?)),
    Column::both("evidence_strength", Text, "where `flagged`: `proven`, `supported`, `none_yet` or `contradicted`, as known at the time of the row; else null", |row| text(row.judgement.strength.map(Strength::name)?)),
    Column::both("retransmits", Int32, "in attempts: number of SYN retransmits; in retransmits: which of the attempt this is, from 1", |row| int(row.ordinal)),
    Column::both("repeated", Bool, "the retransmit was reported before, without `src`: leave such rows out of counts", |row| Some(Value::Bool(row.is_repeated))).only(Retransmits),
    Column::both("outcome", Text, "`pending`, `established`, `timed_out`, `refused` or `closed`, as known at the time of the row", |row| text(row.attempt.outcome.name())),
    Column::both("ip_version", Int32, "4 or 6", |row| int(if row.attempt.translated.or(row.attempt.original)?.is_ipv4() { 4 } else { 6 })),
    Column::both("src", Address, "original source, before NAT; null where only the wire was seen", |row| Some(Value::Address(row.attempt.original?.src_addr()))),
    Column::both("src_port", Int32, "its port", |row| int(row.attempt.original?.src_port)),
    Column::both("dst", Address, "original destination, as the client asked for it", |row| Some(Value::Address(row.attempt.original?.dst_addr()))),
    Column::both("dst_port", Int32, "its port", |row| int(row.attempt.original?.dst_port)),
    Column::both("nat_src", Address, "translated source, after NAT", |row| Some(Value::Address(row.attempt.translated?.src_addr()))),
    Column::both("nat_port", Int32, "its port: the one that the filter sees", |row| int(row.attempt.translated?.src_port)),
    Column::both("nat_dst", Address, "destination after NAT", |row| Some(Value::Address(row.attempt.translated?.dst_addr()))),
    Column::both("nat_dst_port", Int32, "its port", |row| int(row.attempt.translated?.dst_port)),
    Column::both("src_bytes", AddressBytes, "`src` as 4 or 16 bytes in network byte order", |row| Some(Value::Address(row.attempt.original?.src_addr()))),
    Column::both("dst_bytes", AddressBytes, "`dst`, likewise", |row| Some(Value::Address(row.attempt.original?.dst_addr()))),
    Column::both("nat_src_bytes", AddressBytes, "`nat_src`, likewise", |row| Some(Value::Address(row.attempt.translated?.src_addr()))),
    Column::both("nat_dst_bytes", AddressBytes, "`nat_dst`, likewise", |row| Some(Value::Address(row.attempt.translated?.dst_addr()))),
    Column::both("translated", Bool, "NAT changed the source; null while one of the tuples is unknown", |row| row.attempt.is_translated().map(Value::Bool)),
    Column::both("port_allowed", Bool, "`nat_port` is one of the allowed ports", |row| {
        let port = row.attempt.translated?.src_port;
        Some(Value::Bool(row.capture.policy.allowed_for(row.attempt).contains(port)))
    }),
    Column::both("allowed", Text, "the allowed ports of this address family", |row| Some(Value::Text(row.capture.policy.allowed_for(row.attempt).to_string().into()))),
    Column::both("nat_mode", Text, "how the NAT rule chooses ports: `fully_random`, `random`, `preserved`, `range`, `unknown`", |row| text(NatMode::from(row.attempt.range).name())),
    Column::both("selections", Int32, "how many times NAT chose a port for this SYN and its retransmits; above 1, `nat_port` is the last one", |row| int(row.attempt.selections)),
    Column::both("isn", Int64, "initial sequence number of the SYN", |row| int(row.attempt.isn)),
    Column::both("namespace", Text, "Kubernetes namespace of the pod", |row| text(row.owner?.namespace.as_deref()?)),
    Column::both("pod", Text, "pod that owned the socket's network namespace when the attempt began", |row| text(row.owner?.pod.as_deref()?)),
    Column::both("container", Text, "container, where it is the only one of the pod, or without a pod", |row| text(row.owner?.container.as_deref()?)),
    Column::both("pid", Int64, "process that had the socket open when the SYN was retransmitted", |row| int(row.attempt.process?.pid)),
    Column::both("command", Text, "its name, any text that it gave itself", |row| Some(Value::Text(row.attempt.process?.command().into_owned().into()))),
    Column::both("netns", Int64, "inode number of the socket's network namespace", |row| int(row.attempt.socket_netns?)),
    Column::both("nat_netns", Int64, "the same for the namespace of the NAT", |row| int(row.attempt.nat_netns?)),
    Column::both("ifindex", Int64, "number of the interface that saw the SYN first", |row| int(Some(row.attempt.ifindex).filter(|&index| index != 0)?)),
    Column::both("interface", Text, "name of the interface by which the newest SYN left; known for attempts with retransmits only", |row| Some(row.attempt.egress.interface).filter(InterfaceName::is_known).map(|name| Value::Text(name.to_string().into()))),
    Column::both("syns_leaving", Int32, "how many times the SYN was seen leaving", |row| int(row.attempt.syns_leaving)),
    Column::both("syn_ack_seen", Bool, "a SYN-ACK was seen arriving", |row| Some(Value::Bool(row.attempt.syn_ack_seen))),
    Column::both("rst_seen", Bool, "an RST that answers the SYN was seen arriving", |row| Some(Value::Bool(row.attempt.rst_seen))),
    Column::both("icmp_type", Int32, "type of the ICMP error that quoted the SYN", |row| int(row.attempt.icmp?.0)),
    Column::both("icmp_code", Int32, "its code", |row| int(row.attempt.icmp?.1)),
    Column::both("syns_dropped", Int32, "SYNs dropped on this node; 255 stands for more", |row| int(row.attempt.syn_dropped.count)),
    Column::both("answers_dropped", Int32, "answers dropped on this node; 255 stands for more", |row| int(row.attempt.answer_dropped.count)),
    Column::both("send_errors", Int32, "retransmits that failed on this node", |row| int(row.attempt.send_errors)),
];

/// The columns of a table, without those that a partition's path has.
pub fn of(table: ExportTable, left_out: &[&str]) -> Vec<&'static Column> {
    ALL.iter().filter(|column| column.is_of(table) && !left_out.contains(&column.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example;

    #[test]
    fn every_column_has_a_name_of_its_own_and_its_row_in_the_docs() {
        let docs = include_str!("../../../docs/columns.md");
        let yes = |is: bool| if is { "yes" } else { "" };
        let row = |column: &Column| {
            let Column { name, kind, about, .. } = column;
            let tables = [Attempts, Retransmits].map(|table| yes(column.is_of(table)));
            let kind = format!("{kind:?}")
                .to_lowercase()
                .replace("address", if *kind == AddressBytes { "" } else { "address" });
            format!("| `{name}` | {kind} | {} | {} | {about} |", tables[0], tables[1])
        };
        let expected: Vec<String> = ALL.iter().map(row).collect();
        let documented: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(documented, expected, "docs/columns.md has exactly these rows:\n{}", expected.join("\n"));
        for (index, column) in ALL.iter().enumerate() {
            assert_eq!(ALL.iter().position(|other| other.name == column.name), Some(index), "{}", column.name);
        }
    }

    #[test]
    fn a_value_has_the_type_of_its_column_and_the_unknown_has_none() {
        let capture = example::capture("node7");
        let known = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        for attempt in [known, Attempt::default()] {
            let judgement = &Judgement::default();
            let (owner, cluster) = (None, None);
            let (time_ns, ordinal, is_repeated) = (5, 1, false);
            let row = AttemptRow {
                cluster,
                capture: &capture,
                attempt: &attempt,
                owner,
                judgement,
                time_ns,
                ordinal,
                is_repeated,
            };
            for column in ALL {
                let fits = match (column.value)(&row) {
                    None => true,
                    Some(Value::Bool(_)) => column.kind == Bool,
                    Some(Value::Int(number)) => {
                        column.kind == Int64 || column.kind == Int32 && i32::try_from(number).is_ok()
                    }
                    Some(Value::Text(_)) => column.kind == Text,
                    Some(Value::Address(_)) => [Address, AddressBytes].contains(&column.kind),
                    Some(Value::Time(_)) => column.kind == Time,
                };
                assert!(fits, "{}", column.name);
            }
            let nat_port = ALL.iter().find(|column| column.name == "nat_port").unwrap();
            assert_eq!((nat_port.value)(&row), attempt.translated.map(|_| Value::Int(1200)));
        }
    }
}
