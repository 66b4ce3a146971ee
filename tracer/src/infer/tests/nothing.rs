//! Where there is no filter, or too little evidence, nothing is concluded.

use fastrand::Rng;

use super::world::{Ports, World};
use crate::infer::{Infer, Verdict};
use crate::model::{example, port_distribution};

/// Anything but a filter.
fn unfiltered(seed: u64) -> World {
    let mut rng = Rng::with_seed(!seed);
    let pick = |rng: &mut Rng, of: &[f64]| of[rng.usize(..of.len())];
    let ports = match rng.u8(0..6) {
        0 => Ports::Sequential(32768..=60999),
        1 => Ports::Sequential(1024..=65535),
        2 => Ports::Drawn(32768..=60999),
        3 => Ports::Drawn(port_distribution::default_range(700)),
        _ => Ports::Drawn(port_distribution::default_range(40000)),
    };
    let destinations = [1, 2, 3, 6, 20, 64, 300][rng.usize(..7)];
    World {
        ports,
        destinations,
        dead: rng.u32(0..=destinations) / 2,
        fails: pick(&mut rng, &[0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.8]),
        loss: pick(&mut rng, &[0.0, 0.02, 0.2, 0.5]),
        ..World::new(seed, [20, 50, 100, 400, 1000, 3000][rng.usize(..6)])
    }
}

#[test]
fn a_thousand_runs_without_a_filter_conclude_nothing() {
    for seed in 0..1000 {
        let world = unfiltered(seed);
        let conclusion = world.conclude();
        assert!(!conclusion.says_something(), "{world:?}: {conclusion}");
    }
}

#[test]
fn the_test_alone_keeps_chance_out_whatever_division_is_proposed() {
    for seed in 0..300 {
        let world = World { fails: 0.3 + 0.1 * f64::from(u8::try_from(seed % 4).unwrap()), ..World::new(seed, 200) };
        assert!(world.infer().survivors() <= 1, "{world:?}");
    }
}

#[test]
fn destinations_that_die_while_ports_count_up_are_no_port_class() {
    for seed in 0..300 {
        let ports = Ports::Sequential(if seed % 2 == 0 { 32768..=60999 } else { 1024..=65535 });
        let destinations = [2, 6, 20, 64][usize::try_from(seed / 2 % 4).unwrap()];
        let outage = Some(0.2 + 0.1 * f64::from(u32::try_from(seed % 7).unwrap()));
        let world = World { ports, destinations, outage, fails: 0.02, ..World::new(seed, 3000) };
        let conclusion = world.conclude();
        assert!(conclusion.class().is_none(), "{world:?}: {conclusion}");
    }
}

#[test]
fn outages_of_the_path_while_a_batch_job_uses_low_ports_are_no_port_class() {
    let mut infer = Infer::default();
    let mut second = 1000;
    for (first_port, is_out) in [(40000, false), (20000, true), (45000, false), (21000, true), (50000, false)] {
        for number in 0..15 {
            for to in ["203.0.113.1:443", "203.0.113.2:443", "203.0.113.3:443"] {
                let from = format!("192.0.2.1:{}", first_port + number);
                infer.observe(&example::flow(&from, to), !is_out, second);
            }
            second += 1;
        }
    }
    let conclusions = infer.conclusions();
    assert!(!conclusions[0].says_something(), "{}", conclusions[0]);
}

#[test]
fn a_plain_masquerade_claims_nothing_about_ports_it_never_used() {
    for seed in 0..20 {
        let world = World { ports: Ports::Sequential(32768..=60999), ..World::new(seed, 2000) }.passing("32768-65535");
        let conclusion = world.conclude();
        assert!(matches!(conclusion.verdict, Verdict::NoClass { .. }), "{world:?}: {conclusion}");
    }
}

#[test]
fn destinations_that_never_answer_are_counted_and_left_out() {
    let conclusion = World { dead: 5, ..World::new(1, 600) }.conclude();
    assert_eq!((conclusion.destinations, conclusion.used.unanswered), (1, 0), "{conclusion}");
    assert_eq!(conclusion.left_out.silent_destinations, 5);
    assert_eq!(conclusion.left_out.silent + conclusion.used.total(), 600);
    let all = World { dead: 6, ..World::new(1, 600) }.passing("32768-65535").conclude();
    assert!(matches!(all.verdict, Verdict::TooFew { .. }), "{all}");
    assert_eq!(all.used.total(), 0);
}

#[test]
fn one_destination_alone_is_never_enough() {
    let world = World { destinations: 1, ..World::new(3, 1000) }.passing("32768-65535");
    let conclusion = world.conclude();
    assert!(matches!(conclusion.verdict, Verdict::OneDestination(_)), "{conclusion}");
    assert!(conclusion.to_string().contains("most of the evidence comes from 203.0.0.0:443"), "{conclusion}");
}

#[test]
fn the_number_of_attempts_that_are_said_to_be_missing_suffices() {
    let mut found = 0;
    for seed in 0..100 {
        let world = World { fails: 0.05, ..World::new(seed, 20) }.passing("32768-65535");
        let few = world.conclude();
        let Verdict::TooFew { more, .. } = few.verdict else { panic!("seed {seed}: {few}") };
        assert!(more < 400, "seed {seed}: {few}");
        let attempts = 20 + u32::try_from(more).unwrap();
        found += u32::from(World { attempts, ..world }.conclude().class().is_some());
    }
    println!("found with as many attempts as were said to be missing: {found} of 100");
    assert!(found >= 80, "{found} of 100");
}

#[test]
fn a_class_as_large_as_is_said_to_be_visible_is_seen() {
    for (attempts, fails) in [(400, 0.0), (1000, 0.05), (3000, 0.1)] {
        let conclusion = World { fails, ..World::new(1, attempts) }.conclude();
        let Verdict::NoClass { visible_share } = conclusion.verdict else { panic!("{conclusion}") };
        let size = (visible_share * 65536.0).ceil() as u16;
        let rest = format!("1024-{},40001-65535", 40000 - size);
        let seen = (0..100)
            .filter(|&seed| World { fails, ..World::new(seed, attempts) }.passing(&rest).conclude().class().is_some());
        let seen = seen.count();
        println!("{attempts} attempts, {fails} fail: a share of {visible_share} was seen {seen} times of 100");
        assert!(seen >= 75, "{attempts} {fails}: a share of {visible_share} was seen {seen} times of 100");
    }
}
