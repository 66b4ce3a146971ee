//! The walls of the architecture as tests: who may name what, who may import whom, and how long a file may be.
//!
//! Each rule is a function from a file to complaints, so that it is also shown to complain.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

#[path = "walls/circles.rs"]
mod circles;
#[path = "walls/rules.rs"]
mod rules;
#[path = "walls/source.rs"]
mod source;

use rules::Rooms;
use source::{Source, read};

/// Applies the rule to every file below these directories; all complaints at once.
fn hold(directories: &[&str], rule: impl Fn(&Source) -> Vec<String>) {
    let complaints: Vec<String> = read(directories)
        .iter()
        .flat_map(|source| rule(source).into_iter().map(|complaint| format!("{}: {complaint}", source.path)))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

const ALL: &[&str] = &["tracer", "tracer-common", "tracer-ebpf", "xtask", "tests"];

#[test]
fn only_bpf_names_aya() {
    // Of all crates only these two depend on aya; the other one is nothing but eBPF programs.
    hold(&["tracer/src"], rules::names_aya);
}

#[test]
fn pure_rooms_know_no_file_socket_or_clock() {
    hold(&["tracer/src"], rules::knows_the_world);
}

#[test]
fn imports_run_one_way() {
    let rooms = Rooms::of(&source::text("tracer/src/lib.rs"));
    hold(&["tracer/src"], |source| rooms.imports_upwards(source));
}

#[test]
fn no_files_of_a_room_import_one_another() {
    let complaints = circles::circles(&read(ALL));
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn kernel_memory_is_read_in_one_place() {
    hold(&["tracer-ebpf/src"], rules::reads_kernel_memory);
}

#[test]
fn front_doors_and_hooks_are_short() {
    hold(ALL, rules::is_too_long);
}

#[test]
fn every_file_says_what_it_is() {
    hold(ALL, rules::has_no_header);
}

#[test]
fn tuples_are_original_and_translated() {
    hold(&["tracer", "tracer-common", "tracer-ebpf"], rules::names_tuples_otherwise);
}

#[test]
fn the_list_in_lib_rs_is_the_order_of_the_design() {
    let rooms = Rooms::of(&source::text("tracer/src/lib.rs"));
    for (above, below) in [
        ("commands", "pipeline"),
        ("pipeline", "source"),
        ("outputs", "summary"),
        ("join", "causes"),
        ("causes", "model"),
    ] {
        assert!(rooms.is_above(above, below), "{above} stands above {below}");
    }
}
