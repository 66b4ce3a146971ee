//! What users of other tools type, and what to type instead: tcpdump, tcpretrans, conntrack, pwru, retis, kubectl.

use std::env;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};

/// By what was typed. Options that stand before the command are among them: `snatrace -i eth0`.
const ALL: &[(&[&str], &str)] = &[
    (&["port", "portrange", "tcp", "dport"], "filters are options: --dport 443,8000-8100"),
    (&["host", "net", "src", "dst", "-d"], "filters are options: --src 10.42.0.0/16 --dst 192.0.2.7"),
    (&["and", "or", "not", "ip", "ip6"], "filters are options: --src, --dst and --dport, each with a list"),
    (&["--sport", "--source-port"], "there is no filter for source ports: write --src, or use -o json and jq"),
    (&["-i", "--interface"], "a command comes first: snatrace tail -i eth0"),
    (&["-r", "print", "read", "show"], "recorded traces and packet captures are shown by `snatrace replay FILE`"),
    (&["-w", "collect", "capture", "dump"], "a trace is recorded by `snatrace record -w FILE`"),
    (&["-f", "--follow", "-l"], "`snatrace tail` follows and writes each line at once: omit it"),
    (&["logs", "watch", "monitor", "trace", "live"], "failing connections are shown live by `snatrace tail`"),
    (&["-s"], "packets are never cut; a source is --src 10.42.0.0/16"),
    (&["-p", "--pid", "--process", "--comm"], "TCP alone is watched, of all processes; `-o wide` shows the process"),
    (&["-4"], "IPv4 alone: --dst 0.0.0.0/0"),
    (&["-6"], "IPv6 alone: --dst ::/0"),
    (&["-A", "--all-namespaces"], "pods of all namespaces are shown unless --namespace is given: omit it"),
    (&["-L", "--dump"], "what a conntrack table shows: `snatrace infer --conntrack`; live: `snatrace tail`"),
    (&["--json", "--format", "--wide"], "formats are -o json, -o wide and -o text"),
    (&["--since", "--tail"], "live output begins now; what was recorded is shown by `snatrace replay FILE`"),
    (&["version"], "snatrace --version"),
    (&["-E", "--event"], "failing connections are shown live by `snatrace tail`"),
];

/// What kubectl names pods by.
const KINDS: &[&str] = &["pod", "pods", "po", "deploy", "deployment", "ds", "daemonset", "sts", "statefulset", "job"];

/// Adds what to type instead, where it is known.
pub fn with_habit(mut error: clap::Error) -> clap::Error {
    let typed = error.get(ContextKind::InvalidArg).or_else(|| error.get(ContextKind::InvalidSubcommand));
    if let Some(tip) = typed.and_then(|typed| tip(&typed.to_string())) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn tip(typed: &str) -> Option<String> {
    // A filter expression may be one argument.
    let word = typed.split(' ').next().unwrap_or_default();
    if let Some((_, tip)) = ALL.iter().find(|(words, _)| words.contains(&word)) {
        return Some((*tip).to_owned());
    }
    let arguments: Vec<_> = env::args().collect();
    if arguments.windows(2).any(|pair| pair == ["-n", typed]) {
        return Some(format!("a Kubernetes namespace: --namespace {typed}"));
    }
    if let Some((_, name)) = typed.split_once('/').filter(|(kind, _)| KINDS.contains(kind)) {
        return Some(format!("pods are chosen by a pattern of their names: --pod '{name}*'"));
    }
    if arguments.get(1).is_some_and(|command| command == "record") && !typed.starts_with('-') {
        return Some(format!("the file is an option: snatrace record -w {typed}"));
    }
    let is_file = arguments.get(1).is_some_and(|first| first == typed) && Path::new(typed).is_file();
    is_file.then(|| format!("snatrace replay {typed}"))
}
