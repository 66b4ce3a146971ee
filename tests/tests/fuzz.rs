//! The fuzz targets without libFuzzer: every input of the corpus, and mutants of it that are the same in each run.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fastrand::Rng;
use tests::fuzz::{self, Target, mutate};

/// Of each target; `cargo xtask fuzz` runs millions.
const MUTANTS: usize = 200;

fn target(name: &str) -> &'static Target {
    fuzz::ALL.iter().find(|target| target.name == name).unwrap()
}

fn replay(name: &str, mutant: impl Fn(&[u8], &mut Rng) -> Vec<u8>) {
    let (target, mut rng) = (target(name), Rng::with_seed(7));
    let corpus = target.corpus().unwrap();
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    for (path, bytes) in &corpus {
        // Named where it fails: the harness shows the output of a failed test only.
        println!("{}", path.display());
        (target.check)(bytes);
    }
    for number in 0..MUTANTS {
        let (path, bytes) = &corpus[rng.usize(..corpus.len())];
        println!("mutant {number} of {}", path.display());
        (target.check)(&mutant(bytes, &mut rng));
    }
}

fn any_bytes(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    mutate::bytes(&mut bytes, rng);
    bytes
}

#[test]
fn traces_and_their_mutants_are_read_alike_by_one_thread_and_by_several() {
    replay("trace", |bytes, rng| {
        let mut any = Rng::with_seed(rng.u64(..));
        mutate::trace(bytes, rng, &mut |bytes| mutate::bytes(bytes, &mut any))
    });
}

#[test]
fn nft_rules_and_their_mutants_are_read() {
    replay("nft", any_bytes);
}

#[test]
fn iptables_rules_and_their_mutants_are_read() {
    replay("iptables", any_bytes);
}

#[test]
fn type_information_and_its_mutants_are_read() {
    replay("btf", any_bytes);
}

#[test]
fn packet_captures_and_their_mutants_are_read() {
    replay("capture", any_bytes);
}
