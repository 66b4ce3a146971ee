//! The rules themselves, each with a test that it complains.

use proc_macro2::{TokenStream, TokenTree};

use super::source::Source;

pub fn names_aya(source: &Source) -> Vec<String> {
    if source.room() == "bpf" {
        return Vec::new();
    }
    found(source, |word| word == "aya" || word.starts_with("aya_"), "only tracer/src/bpf names aya")
}

/// Rooms whose decisions depend on events alone, so that a replay says what the live tail said.
const PURE: &[&str] = &["join", "causes", "model", "infer", "summary", "tally"];
const WORLD: &[&str] = &[
    "fs",
    "File",
    "OpenOptions",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "Instant",
    "SystemTime",
    "tokio",
    "aya",
    "kube",
    "k8s_openapi",
    "nix",
    "env",
];

const PURITY: &str = "this room is pure: it takes what it knows from events";

pub fn knows_the_world(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.room()) {
        return Vec::new();
    }
    let mut wrong = found(source, |word| WORLD.contains(&word), PURITY);
    // Processes are a noun of the model too.
    let lines = source.text.lines().zip(1..).filter(|(line, _)| line.contains("std::") && line.contains("process"));
    wrong.extend(lines.map(|(_, number)| format!("line {number}: `process`: {PURITY}")));
    wrong
}

pub fn reads_kernel_memory(source: &Source) -> Vec<String> {
    if source.path.starts_with("tracer-ebpf/src/kernel/") {
        return Vec::new();
    }
    found(source, |word| word.starts_with("bpf_probe_read"), "kernel memory is read in tracer-ebpf/src/kernel only")
}

const FRONT_DOOR: usize = 60;
const HOOK: usize = 120;

pub fn is_too_long(source: &Source) -> Vec<String> {
    let limit = match () {
        () if source.path.ends_with("/main.rs") => FRONT_DOOR,
        () if source.path.starts_with("tracer-ebpf/src/hooks/") => HOOK,
        () => return Vec::new(),
    };
    let lines = source.text.lines().count();
    if lines < limit { Vec::new() } else { vec![format!("{lines} lines: this file stays below {limit}")] }
}

pub fn has_no_header(source: &Source) -> Vec<String> {
    let has = source.text.starts_with("//! ");
    if has { Vec::new() } else { vec!["opens without a `//!` line that says what it is".to_owned()] }
}

const OTHER_WORDS: &[&str] = &["local", "remote", "inner", "outer"];
const TUPLE_PARTS: &[&str] = &["port", "ports", "addr", "address", "ip", "src", "dst", "flow", "tuple"];
/// Names given by the standard library and by the kernel.
const GIVEN: &[&str] = &["local_addr", "ip_local_port_range"];

pub fn names_tuples_otherwise(source: &Source) -> Vec<String> {
    let is_other = |word: &str| {
        let has = |words: &[&str]| word.split('_').any(|part| words.contains(&part.to_lowercase().as_str()));
        has(OTHER_WORDS) && has(TUPLE_PARTS) && !GIVEN.contains(&word)
    };
    found(source, is_other, "before NAT is `original`, after NAT is `translated`")
}

fn found(source: &Source, is_wrong: impl Fn(&str) -> bool, rule: &str) -> Vec<String> {
    let words = source.words();
    let wrong = words.iter().filter(|(_, word)| is_wrong(word));
    wrong.map(|(line, word)| format!("line {line}: `{word}`: {rule}")).collect()
}

/// The modules of the library, from the top of the house to its ground.
pub struct Rooms {
    names: Vec<String>,
}

impl Rooms {
    pub fn of(lib: &str) -> Self {
        let names =
            lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
        Self { names: names.map(str::to_owned).collect() }
    }

    pub fn is_above(&self, above: &str, below: &str) -> bool {
        self.floor(above).zip(self.floor(below)).is_some_and(|(above, below)| above < below)
    }

    pub fn imports_upwards(&self, source: &Source) -> Vec<String> {
        let Some(own) = self.floor(source.room()) else { return Vec::new() };
        let imports = imports(source.tokens());
        let upwards = imports.iter().filter(|name| self.floor(name).is_some_and(|floor| floor < own));
        upwards.map(|name| format!("imports {name}, which stands above {} in lib.rs", source.room())).collect()
    }

    fn floor(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|room| room == name)
    }
}

/// The first names of all paths that begin at the crate's root, `crate::{a::X, b}` included.
fn imports(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1), tokens.get(at + 3)) {
            (TokenTree::Group(group), ..) => names.extend(imports(group.stream())),
            (TokenTree::Ident(root), Some(TokenTree::Punct(_)), Some(next)) if root == "crate" => {
                names.extend(heads(next));
            }
            (TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_), ..) => {}
        }
    }
    names
}

/// The name itself, or the first name of each part of a braced list.
fn heads(next: &TokenTree) -> Vec<String> {
    let TokenTree::Group(list) = next else { return vec![next.to_string()] };
    let list: Vec<TokenTree> = list.stream().into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ',');
    list.split(is_comma).filter_map(|part| Some(part.first()?.to_string())).collect()
}

fn complains(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) -> bool {
    !rule(&Source::new(path, text)).is_empty()
}

#[test]
fn aya_outside_bpf_is_found() {
    assert!(complains(names_aya, "tracer/src/source.rs", "use aya::Ebpf;"));
    assert!(complains(names_aya, "tracer/src/main.rs", "aya_log::EbpfLogger::init();"));
    assert!(!complains(names_aya, "tracer/src/bpf/load.rs", "use aya::Ebpf;"));
    assert!(!complains(names_aya, "tracer/src/source.rs", "// aya\nlet ayatana = \"aya\";"));
}

#[test]
fn a_clock_in_a_pure_room_is_found() {
    assert!(complains(knows_the_world, "tracer/src/join/expiry.rs", "use std::time::{Duration, Instant};"));
    assert!(complains(knows_the_world, "tracer/src/summary.rs", "std::fs::read(x)"));
    assert!(complains(knows_the_world, "tracer/src/model/policy.rs", "use std::net::{IpAddr, TcpStream};"));
    assert!(!complains(knows_the_world, "tracer/src/model/policy.rs", "use std::{net::IpAddr, time::Duration};"));
    assert!(complains(knows_the_world, "tracer/src/model/process.rs", "let pid = std::process::id();"));
    assert!(!complains(knows_the_world, "tracer/src/model/process.rs", "use std::fmt;\npub struct A { process: u32 }"));
    assert!(!complains(knows_the_world, "tracer/src/pipeline.rs", "use std::time::Instant;"));
}

#[test]
fn an_import_upwards_is_found() {
    let rooms =
        Rooms::of("pub mod commands;\npub mod join;\n#[cfg(feature = \"ebpf\")]\npub mod bpf;\npub mod model;\n");
    let upwards = |path, text| complains(|source| rooms.imports_upwards(source), path, text);
    assert!(upwards("tracer/src/model/attempt.rs", "use crate::join::Join;"));
    assert!(upwards("tracer/src/bpf/mod.rs", "use crate::{model::{Attempt, Policy}, join::Join};"));
    assert!(upwards("tracer/src/model/mod.rs", "fn f() { crate::commands::main() }"));
    assert!(!upwards("tracer/src/join/mod.rs", "use crate::{model::{Attempt, commands}, bpf};"));
    assert!(!upwards("tracer/src/join/mod.rs", "use crate::join::table::Table;"));
}

#[test]
fn kernel_memory_read_in_a_hook_is_found() {
    let read = "unsafe { bpf_probe_read_kernel(pointer) }";
    assert!(complains(reads_kernel_memory, "tracer-ebpf/src/hooks/nat_bind.rs", read));
    assert!(!complains(reads_kernel_memory, "tracer-ebpf/src/kernel/mod.rs", read));
}

#[test]
fn a_long_hook_is_found() {
    assert!(complains(is_too_long, "tracer-ebpf/src/hooks/wire.rs", &"\n".repeat(120)));
    assert!(!complains(is_too_long, "tracer-ebpf/src/hooks/wire.rs", &"\n".repeat(119)));
    assert!(complains(is_too_long, "xtask/src/main.rs", &"\n".repeat(60)));
}

#[test]
fn a_missing_header_is_found() {
    assert!(complains(has_no_header, "tracer/src/x.rs", "use std::fs;"));
    assert!(!complains(has_no_header, "tracer/src/x.rs", "//! What it is.\n"));
}

#[test]
fn other_words_for_tuples_are_found() {
    assert!(complains(names_tuples_otherwise, "tracer/src/x.rs", "let remote_port = 1;"));
    assert!(complains(names_tuples_otherwise, "tracer/src/x.rs", "const INNER_TUPLE: u8 = 1;"));
    assert!(!complains(
        names_tuples_otherwise,
        "tracer/src/x.rs",
        "listener.local_addr(); jiff::Zoned::local(); let inner = 1;"
    ));
}
