//! Assessments on simulated captures, whose truth is known. Every failure names the seed.

mod changed_port;
mod refused;
mod world;

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::rc::Rc;

use self::world::{AnswerModel, Assessed, Silent, World};
use crate::model::{Assessment, Claim, Doubt, PortSet, Reason, Scope, Side, Strength};

const SEEDS: std::ops::Range<u64> = 0..40;

fn each(world: &World, check: impl Fn(u64, &Assessed)) {
    SEEDS.for_each(|seed| check(seed, &world.play(seed)));
}

/// Fewer seeds, where a world is long.
fn few(world: &World, check: impl Fn(u64, &Assessed)) {
    (0..10).for_each(|seed| check(seed, &world.play(seed)));
}

/// No flagged attempt is blamed on a filter at the end, and hardly a line while more is learnt.
fn nobody_is_blamed(world: &World, lines: usize) {
    each(world, |seed, seen| {
        assert_eq!(seen.blamed(), 0, "seed {seed}: {:?}", seen.end.iter().find(|(_, of)| of.strength().holds()));
        assert!(seen.blaming_lines() <= lines, "seed {seed}: {} lines of {}", seen.blaming_lines(), seen.lines.len());
    });
}

/// Every flagged attempt is said to be proven at the end.
fn all_are_proven(world: &World) {
    each(world, |seed, seen| {
        assert!(!seen.end.is_empty());
        assert_eq!(
            seen.end_of(Strength::Proven, None),
            seen.end.len(),
            "seed {seed}: {:?}",
            seen.end.iter().find(|(_, of)| of.strength() != Strength::Proven)
        );
    });
}

#[test]
fn a_filter_is_proven_over_several_destinations_and_at_one() {
    for destinations in [1, 2, 6] {
        all_are_proven(&World { destinations, ..World::new() });
    }
    // Of twenty, one may have been tried from outside ports only.
    each(&World { destinations: 20, ..World::new() }, |_, seen| assert_eq!(seen.blamed(), seen.end.len()));
    all_are_proven(&World { is_ipv6: true, ..World::new() });
    all_are_proven(&World { loss: 0.05, ..World::new() });
}

#[test]
fn lines_name_the_filter_from_the_first_seconds_on() {
    each(&World::new(), |seed, seen| {
        // The first SYNs are retransmitted a second time after two seconds.
        let late = seen.lines.iter().filter(|(at_ms, _, _)| *at_ms > 2200);
        assert!(late.clone().count() > 10 && late.clone().all(|(_, _, strength)| strength.holds()), "seed {seed}");
    });
}

#[test]
fn answers_that_only_come_late_on_some_ports_are_not_dropped() {
    // A shaper: low ports are answered after more than a second.
    for destinations in [1, 6] {
        let answers = Rc::new(|_, port, at_ms| port >= 32768 || at_ms >= 1000);
        each(&World { answers, destinations, attempts: 50, ..World::new() }, |seed, seen| {
            assert!(seen.lines.len() > 10, "seed {seed}");
            assert_eq!((seen.blaming_lines(), seen.blamed()), (0, 0), "seed {seed}");
        });
    }
}

#[test]
fn answers_that_become_known_after_all_failures_tell_a_filter_from_an_outage() {
    // Clients without a socket here, and packet captures: an answered attempt is over seconds later, and one without an answer after that.
    for (destinations, attempts) in [(1, 40), (2, 40), (1, 120), (3, 300)] {
        let world = World { destinations, attempts, over_ms: (2000, 9000), ..World::new() };
        each(&world, |seed, seen| {
            assert!(seen.over.len() > 8, "seed {seed}");
            let said = seen.over.iter().filter(|strength| strength.holds()).count();
            assert_eq!(said, seen.blamed(), "seed {seed}: {:?}, {:?}", seen.over, seen.end.first());
        });
    }
}

#[test]
fn a_filter_of_another_range_is_proven_where_the_policy_names_it() {
    let answers: AnswerModel = Rc::new(|_, port, _| (10000..20000).contains(&port));
    let world = World { allowed: "10000-19999", answers, attempts: 600, ..World::new() };
    all_are_proven(&world);
}

#[test]
fn few_attempts_support_what_they_cannot_prove() {
    let world = World { attempts: 8, gap_ms: 300, ..World::new() };
    each(&world, |seed, seen| {
        let has_both = seen.policies.iter().any(|of| of.inside.answered > 0);
        assert_eq!(seen.end_of(Strength::Proven, None), 0, "seed {seed}");
        assert!(seen.end.iter().all(|(_, of)| of.strength() != Strength::Contradicted) || has_both, "seed {seed}");
    });
}

#[test]
fn dead_servers_are_not_blamed_on_a_filter() {
    nobody_is_blamed(&World { answers: Rc::new(|_, _, _| false), ..World::new() }, 0);
    nobody_is_blamed(&World { answers: Rc::new(|_, _, _| false), destinations: 1, ..World::new() }, 0);
    // Without a filter, one is dead among those that live.
    nobody_is_blamed(&World { answers: Rc::new(|to, _, _| to != 0), ..World::new() }, 2);
    nobody_is_blamed(&World { answers: Rc::new(|to, _, _| to != 0), destinations: 2, ..World::new() }, 2);
}

#[test]
fn a_dead_server_behind_a_filter_is_not_blamed_on_it() {
    let world = World { answers: Rc::new(|to, port, _| to != 0 && port >= 32768), ..World::new() };
    each(&world, |seed, seen| {
        let dead = seen.end.iter().filter(|(to, _)| *to == 0).count();
        assert!(dead > 5);
        assert_eq!(seen.end_of(Strength::Contradicted, Some(0)), dead, "seed {seed}");
        assert_eq!(seen.end_of(Strength::Proven, None), seen.end.len() - dead, "seed {seed}");
    });
}

#[test]
fn a_load_balancer_without_ports_is_not_blamed_on_a_filter() {
    for destinations in [1, 6] {
        // From a moment on nothing is answered.
        nobody_is_blamed(&World { answers: Rc::new(|_, _, at_ms| at_ms < 1300), destinations, ..World::new() }, 3);
        nobody_is_blamed(
            &World { answers: Rc::new(|_, _, at_ms| at_ms < 20_000), attempts: 2000, destinations, ..World::new() },
            0,
        );
    }
}

#[test]
fn outages_while_ports_outside_are_used_are_not_blamed_on_a_filter() {
    // A batch job uses low ports; the path fails during its work, twice.
    let is_batch = |number: u32| number % 200 >= 150;
    let world = World {
        answers: Rc::new(|_, port, _| port >= 32768),
        script: (0..400).map(|n| (n % 3, if is_batch(n) { 20_000 + n as u16 } else { 40_000 + n as u16 })).collect(),
        gap_ms: 50,
        ..World::new()
    };
    let seen = world.play(1);
    assert_eq!((seen.blamed(), seen.blaming_lines()), (0, 0));
}

#[test]
fn an_outage_of_one_destination_while_it_is_tried_from_outside_is_not_blamed_on_a_filter() {
    // The others are tried from inside all the time, and answer.
    let is_batch = |number: u32| number % 120 >= 90;
    let port = move |n: u32| if n.is_multiple_of(6) && is_batch(n) { 20_000 + n as u16 } else { 40_000 + n as u16 };
    let world = World {
        answers: Rc::new(|_, port, _| port >= 32768),
        script: (0..240).map(|n| (n % 6, port(n))).collect(),
        gap_ms: 50,
        ..World::new()
    };
    let seen = world.play(1);
    assert!(!seen.lines.is_empty());
    assert_eq!((seen.blamed(), seen.blaming_lines()), (0, 0), "{:?}", seen.end);
}

#[test]
fn a_full_backlog_is_not_blamed_on_a_filter() {
    // The first two are accepted, whatever their ports.
    nobody_is_blamed(&World { answers: Rc::new(|_, _, at_ms| at_ms < 40), destinations: 1, ..World::new() }, 12);
}

#[test]
fn random_loss_is_not_blamed_on_a_filter() {
    nobody_is_blamed(&World { answers: Rc::new(|_, _, _| true), loss: 0.05, attempts: 1000, ..World::new() }, 1);
    nobody_is_blamed(&World { answers: Rc::new(|_, _, _| true), loss: 0.5, attempts: 1000, ..World::new() }, 12);
}

#[test]
fn the_first_syn_of_each_attempt_that_is_lost_is_not_blamed_on_a_filter() {
    // ECN: the first is dropped on the way, the second is answered, and each is at another second.
    let world = World {
        answers: Rc::new(|_, _, at_ms| at_ms % 2000 >= 1000),
        gap_ms: 2000,
        attempts: 60,
        destinations: 1,
        ..World::new()
    };
    nobody_is_blamed(&world, 3);
}

#[test]
fn a_policy_that_is_too_narrow_is_contradicted() {
    let narrow = World { allowed: "49152-65535", attempts: 400, ..World::new() };
    each(&narrow, |seed, seen| {
        // What is blamed is the range that is inferred.
        let inferred = seen.silent.iter().filter(|silent| silent.inferred.is_some()).count();
        assert!(seen.blamed() <= inferred, "seed {seed}");
        assert!(seen.silent.iter().all(|silent| silent.port < 32768), "seed {seed}");
        assert!(
            seen.policies.iter().all(|of| of.reason == Reason::OutsideAnswered),
            "seed {seed}: {:?}",
            seen.policies
        );
    });
    let elsewhere = World { allowed: "10000-19999", attempts: 400, ..World::new() };
    each(&elsewhere, |seed, seen| {
        let above = seen.policies.iter().find(|of| of.side == Side::Above).unwrap();
        assert_eq!(above.strength(), Strength::Contradicted, "seed {seed}: {above:?}");
        assert!(above.outside.answered * 2 > above.outside.total(), "seed {seed}: {above:?}");
    });
}

/// How many of the attempts without an answer are blamed on a filter that accepts that range, and how many there are.
fn blamed_on(seen: &Assessed, range: &PortSet) -> (usize, usize) {
    let blamed = |silent: &&Silent| {
        silent.assessment.is_some_and(|of| of.strength() == Strength::Proven)
            && silent.inferred.as_ref().is_none_or(|inferred| is_near(inferred, range))
    };
    (seen.silent.iter().filter(blamed).count(), seen.silent.len())
}

/// Edges are known to the next ports that were used.
fn is_near(one: &PortSet, other: &PortSet) -> bool {
    let edges = |ports: &PortSet| ports.ranges().flat_map(|(low, high)| [low, high]).collect::<Vec<_>>();
    let (one, other) = (edges(one), edges(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| a.abs_diff(*b) < 700)
}

#[test]
fn a_filter_of_another_range_than_the_policy_is_proven_by_what_is_answered() {
    let range: PortSet = "10000-19999".parse().unwrap();
    for (allowed, destinations) in [("32768-65535", 6), ("32768-65535", 1), ("any", 6), ("1024-65535", 6)] {
        let answers: AnswerModel = Rc::new(|_, port, _| (10000..20000).contains(&port));
        few(&World { allowed, answers, attempts: 400, destinations, ..World::new() }, |seed, seen| {
            let (blamed, silent) = blamed_on(seen, &range);
            assert!(blamed + 8 >= silent && silent > 300, "seed {seed}, {allowed}: {blamed} of {silent}");
        });
    }
}

#[test]
fn a_dead_server_behind_a_filter_of_another_range_is_not_blamed_on_it() {
    let answers: AnswerModel = Rc::new(|to, port, _| to != 0 && (10000..20000).contains(&port));
    few(&World { answers, attempts: 400, ..World::new() }, |seed, seen| {
        let holds = |silent: &&Silent| silent.assessment.is_some_and(|of| of.strength().holds());
        assert_eq!(seen.silent.iter().filter(|it| it.to == 0).filter(holds).count(), 0, "seed {seed}");
    });
}

#[test]
fn a_filter_that_appears_or_disappears_is_judged_by_the_time_when_it_is_there() {
    // Where a filter disappears, the last retransmits of two seconds are answered.
    for (attempts, gap_ms, appears) in
        [(200, 20, true), (2000, 20, true), (400, 200, true), (2000, 20, false), (400, 200, false)]
    {
        let half_ms = u64::from(attempts) * gap_ms / 2;
        let answers: AnswerModel = Rc::new(move |_, port, at_ms| port >= 32768 || (at_ms < half_ms) == appears);
        few(&World { answers, attempts, gap_ms, ..World::new() }, |seed, seen| {
            assert_eq!(seen.periods, 2, "seed {seed}, {attempts} attempts, appears: {appears}");
            let is_now = |silent: &&Silent| (silent.at_ms >= half_ms) == appears;
            let proven = |silent: &&&Silent| silent.assessment.is_some_and(|of| of.strength() == Strength::Proven);
            let now: Vec<_> = seen.silent.iter().filter(is_now).collect();
            let blamed = now.iter().filter(proven).count();
            assert!(blamed * 50 >= now.len() * 49, "seed {seed}: {blamed} of {}", now.len());
        });
    }
}

#[test]
fn a_filter_of_any_range_that_appears_or_disappears_is_too() {
    let range: PortSet = "10000-19999".parse().unwrap();
    for appears in [true, false] {
        let answers: AnswerModel =
            Rc::new(move |_, port, at_ms| (10000..20000).contains(&port) || (at_ms < 10_000) == appears);
        few(&World { answers, attempts: 1000, ..World::new() }, |seed, seen| {
            assert_eq!(seen.periods, 2, "seed {seed}, appears: {appears}");
            let (blamed, silent) = blamed_on(seen, &range);
            assert!(blamed * 20 >= silent * 19, "seed {seed}, appears: {appears}: {blamed} of {silent}");
        });
    }
}

#[test]
fn a_filter_that_appears_or_disappears_is_noticed_beside_destinations_that_bypass_it() {
    // Two destinations of six, in a private network or next to this node.
    for (is_private, appears) in [(true, true), (true, false), (false, true), (false, false)] {
        let answers: AnswerModel = Rc::new(move |to, port, at_ms| to < 2 || port >= 32768 || (at_ms < 5000) == appears);
        let of_private: fn(u32) -> bool = if is_private { |to| to < 2 } else { |_| false };
        let world = World { answers, is_private: of_private, attempts: 500, ..World::new() };
        few(&world, |seed, seen| {
            let case = format!("seed {seed}, private: {is_private}, appears: {appears}");
            assert_eq!(seen.periods, 2, "{case}");
            let is_now = |silent: &&Silent| silent.to >= 2 && (silent.at_ms >= 5000) == appears;
            let holds = |silent: &&Silent| silent.assessment.is_some_and(|of| of.strength().holds());
            let (blamed, all) =
                (seen.silent.iter().filter(is_now).filter(holds).count(), seen.silent.iter().filter(is_now).count());
            assert!(blamed * 20 >= all * 19 && blamed > 20, "{case}: {blamed} of {all}");
        });
    }
}

#[test]
fn a_filter_that_comes_and_goes_is_not_blamed_for_a_server_that_dies_meanwhile() {
    // There from 10 s to 20 s; one server dies after that.
    let answers: AnswerModel = Rc::new(|to, port, at_ms| {
        let is_filtered = (10_000..20_000).contains(&at_ms) && port < 32768;
        !(is_filtered || to == 0 && at_ms >= 20_000)
    });
    few(&World { answers, attempts: 1500, ..World::new() }, |seed, seen| {
        let holds = |silent: &&Silent| silent.assessment.is_some_and(|of| of.strength().holds());
        let late = || seen.silent.iter().filter(|silent| silent.at_ms > 20_000);
        assert_eq!((late().filter(holds).count(), late().count() > 20), (0, true), "seed {seed}");
        let during = || seen.silent.iter().filter(|it| (10_000..17_000).contains(&it.at_ms));
        let (blamed, all) = (during().filter(holds).count(), during().count());
        assert!(blamed * 50 >= all * 49 && blamed > 50, "seed {seed}: {blamed} of {all}");
    });
}

#[test]
fn each_side_of_a_policy_is_judged_by_itself() {
    // As `--allow auto` has it: too narrow above, right below.
    let world = World { allowed: "32768-60999", attempts: 400, ..World::new() };
    all_are_proven(&world);
    each(&world, |seed, seen| {
        let of = |side| seen.policies.iter().find(|of| of.side == side).map(Assessment::strength);
        assert_eq!(
            (of(Side::Below), of(Side::Above)),
            (Some(Strength::Proven), Some(Strength::Contradicted)),
            "seed {seed}"
        );
    });
}

#[test]
fn a_policy_that_is_too_wide_flags_what_it_names_only() {
    let world = World { allowed: "16384-65535", attempts: 400, ..World::new() };
    each(&world, |seed, seen| {
        let wrong = seen
            .end
            .iter()
            .filter(|(_, of)| of.strength() == Strength::Contradicted && of.reason != Reason::InsideUnanswered);
        assert_eq!(wrong.count(), 0, "seed {seed}");
    });
}

#[test]
fn a_destination_that_bypasses_the_filter_spoils_nothing() {
    let world = World { answers: Rc::new(|to, port, _| to == 0 || port >= 32768), ..World::new() };
    all_are_proven(&world);
    // Also where it has most of the traffic: three destinations, one of them bypasses.
    all_are_proven(&World {
        answers: Rc::new(|to, port, _| to == 0 || port >= 32768),
        destinations: 3,
        ..World::new()
    });
    each(&world, |seed, seen| assert!(seen.end.iter().all(|(to, _)| *to != 0), "seed {seed}"));
}

#[test]
fn a_destination_that_bypasses_the_filter_is_not_blamed_on_it() {
    let answers: AnswerModel =
        Rc::new(|to, port, _| if to == 0 { at_most_nine_in_ten(to, port) } else { port >= 32768 });
    each(&World { answers, attempts: 600, ..World::new() }, |seed, seen| {
        let here = seen.end.iter().filter(|(to, _)| *to == 0).count();
        assert!(here > 0 && seen.end_of(Strength::Contradicted, Some(0)) == here, "seed {seed}");
        assert_eq!(seen.end_of(Strength::Proven, None), seen.end.len() - here, "seed {seed}");
    });
}

#[test]
fn a_destination_that_failed_once_inside_is_not_judged_by_the_others() {
    // The last of seven is dead, and was tried once from an inside port.
    for (inside, strength) in [(0, Strength::Supported), (1, Strength::NoneYet), (2, Strength::Contradicted)] {
        let world = World {
            answers: Rc::new(|to, port, _| to != 6 && port >= 32768),
            script: (0..120)
                .map(|number| (number % 6, 2000 + number as u16 * 67 % 120 * 500))
                .chain((0..5).map(|number| (6, if number < inside { 40000 } else { 3000 } + number as u16)))
                .collect(),
            ..World::new()
        };
        let seen = world.play(1);
        assert_eq!(seen.end_of(strength, Some(6)), 5 - inside as usize, "{inside} inside: {:?}", seen.end.last());
    }
}

#[test]
fn destinations_that_bypass_the_filter_acquit_it_for_no_other() {
    // Six are in a private network or on the link, five are beyond the filter.
    let answers: AnswerModel = Rc::new(|to, port, _| to < 6 || port >= 32768);
    let world = World { answers, destinations: 11, attempts: 110, ..World::new() };
    let (blamed, all) = (Cell::new(0), Cell::new(0));
    each(&world, |seed, seen| {
        blamed.set(blamed.get() + seen.blamed());
        all.set(all.get() + seen.end.len());
        assert_eq!(seen.end_of(Strength::Contradicted, None), 0, "seed {seed}: {:?}", seen.end);
        // That others are behind a filter does not prove that this one is.
        let of_others = |it: &Assessment| it.claim == Claim::Policy && it.scope == Scope::Capture;
        let proven = seen.end.iter().filter(|(_, it)| it.strength() == Strength::Proven);
        assert!(proven.clone().all(|(_, it)| !of_others(it)), "seed {seed}: {:?}", seen.end);
        assert!(seen.policies.iter().all(|policy| policy.strength().holds()), "seed {seed}: {:?}", seen.policies);
    });
    assert!(blamed.get() * 10 >= all.get() * 9, "{blamed:?} of {all:?}");
    // Without it they are as good as any.
    nobody_is_blamed(&World { answers: Rc::new(|to, _, _| to != 8), ..world.clone() }, 2);
    nobody_is_blamed(&World { answers: Rc::new(|_, _, _| true), loss: 0.1, attempts: 400, ..world }, 3);
}

#[test]
fn a_filter_for_one_of_two_source_addresses_is_proven_for_that_one() {
    let answers: AnswerModel = Rc::new(|to, port, _| to % 2 == 0 || port >= 32768);
    // The same two destinations, from two addresses of the uplink.
    let world = World { answers, destinations: 4, sources: 2, attempts: 160, ..World::new() };
    each(&world, |seed, seen| {
        assert!(seen.end.iter().all(|(to, _)| to % 2 == 1));
        assert_eq!(seen.blamed(), seen.end.len(), "seed {seed}: {:?}", seen.end.first());
    });
}

#[test]
fn a_filter_for_one_destination_is_proven_there_and_nowhere_else() {
    let answers: AnswerModel =
        Rc::new(|to, port, _| to != 0 && at_most_nine_in_ten(to, port) || to == 0 && port >= 32768);
    each(&World { answers, attempts: 400, ..World::new() }, |seed, seen| {
        let here = seen.end.iter().filter(|(to, _)| *to == 0).count();
        assert_eq!(seen.end_of(Strength::Proven, Some(0)), here, "seed {seed}");
        assert_eq!(seen.blamed(), here, "seed {seed}");
    });
}

/// Fails now and then, whatever the side of the port.
const fn at_most_nine_in_ten(to: u32, port: u16) -> bool {
    !(port as u32 + to).is_multiple_of(10)
}

#[test]
fn what_was_never_tried_inside_is_supported_by_the_others() {
    let world = World { ports_to: Some((0, 1024..=20000)), ..World::new() };
    each(&world, |seed, seen| {
        let here = seen.end.iter().filter(|(to, _)| *to == 0).count();
        assert!(here > 5);
        assert_eq!(seen.end_of(Strength::Supported, Some(0)), here, "seed {seed}");
    });
}

#[test]
fn many_destinations_tried_once_support_a_filter_and_dead_ones_do_not() {
    let many = World { destinations: 5000, attempts: 400, ..World::new() };
    each(&many, |seed, seen| {
        assert_eq!(seen.blamed(), seen.end.len(), "seed {seed}");
    });
    nobody_is_blamed(&World { answers: Rc::new(|to, _, _| !to.is_multiple_of(3)), ..many.clone() }, 3);
    nobody_is_blamed(&World { answers: Rc::new(|_, _, _| false), ..many }, 0);
}

#[test]
fn many_dead_destinations_behind_a_filter_do_not_hide_it() {
    // A peer-to-peer program: each peer is tried once or twice, and 60 % are gone.
    let is_there = |to: u32| to * 7 % 10 < 4;
    let world = World {
        answers: Rc::new(move |to, port, _| is_there(to) && port >= 32768),
        script: (0..300).map(|number| (number % 180, 1024 + (number as u16).wrapping_mul(48_271) % 64_511)).collect(),
        ..World::new()
    };
    let seen = world.play(1);
    assert!(seen.blamed() * 2 > seen.end.len(), "{} of {}", seen.blamed(), seen.end.len());
    let unfiltered = World { answers: Rc::new(move |to, _, _| is_there(to)), ..world }.play(1);
    assert_eq!((unfiltered.blamed(), unfiltered.blaming_lines()), (0, 0));
}

#[test]
fn dead_servers_of_a_job_with_ports_of_its_own_are_not_blamed_on_a_filter() {
    // The job binds low ports, and only it talks to servers that are gone; the others, with high ports, talk to three that are there.
    for (dead, each) in [(2, 40), (12, 3)] {
        let job = (0..dead * each).map(|number| (10 + number % dead, 10_000 + number as u16));
        let others = (0..90).map(|number| (number % 3, 40_000 + number as u16));
        let script = job.zip(others.cycle()).flat_map(|(job, other)| [job, other]).collect();
        let seen = World { answers: Rc::new(|to, _, _| to < 3), script, keeps_ports: true, ..World::new() }.play(1);
        assert!(seen.end.len() >= 36);
        assert_eq!(seen.blamed(), 0, "{dead} dead: {:?}", seen.end.first());
        assert!(seen.blaming_lines() <= 4, "{dead} dead: {} lines", seen.blaming_lines());
        assert!(seen.policies.iter().all(|policy| !policy.strength().holds()), "{:?}", seen.policies);
    }
}

#[test]
fn destinations_that_are_counted_together_say_nothing_about_one_of_them() {
    // 1,600 of one network are there and are tried once from high ports; in the end, a job tries 60 that are gone from low ones.
    let others = |range: std::ops::Range<u32>| range.map(|number| (number, 40_000 + number as u16));
    let job = (0..120).map(|number| (2000 + number % 60, 10_000 + number as u16));
    let both = job.zip(others(1480..1600)).flat_map(|(job, other)| [job, other]);
    let script: Vec<_> = others(0..1480).chain(both).collect();
    let world = World { answers: Rc::new(|to, _, _| to < 2000), script, keeps_ports: true, ..World::new() };
    let seen = world.play(1);
    assert_eq!((seen.blamed(), seen.end.len()), (0, 120), "{:?}", seen.end.first());
    // Ports that are drawn show a filter: as for a destination that is tried once.
    let crawler = World { destinations: 4000, attempts: 3000, gap_ms: 5, ..World::new() }.play(1);
    assert_eq!(crawler.blamed(), crawler.end.len());
}

#[test]
fn a_job_that_tries_servers_just_while_they_are_down_shows_no_filter() {
    // Six servers come up after 6 s, or go down then; a job with low ports tries them while they are down, others with high ports while they are
    // up. Two more are up all the time.
    let both = |number: u32, job: bool| {
        let port = if job { 20_000 } else { 40_000 } + number as u16;
        [(number % 6, port), (6 + number % 2, 45_000 + number as u16)]
    };
    for comes_up in [true, false] {
        let script = (0..240).flat_map(|number| both(number, (number < 120) == comes_up)).collect();
        let answers: AnswerModel = Rc::new(move |to, _, at_ms| to >= 6 || (at_ms >= 6000) == comes_up);
        let world = World { answers, script, gap_ms: 25, keeps_ports: true, ..World::new() };
        let seen = world.play(1);
        assert_eq!(seen.blamed(), 0, "{:?}", seen.end.first());
        assert!(seen.end.len() >= 60, "{}", seen.end.len());
        assert!(seen.policies.iter().all(|policy| !policy.strength().holds()), "{:?}", seen.policies);
        assert!(seen.conclusions.iter().all(|conclusion| conclusion.class().is_none()), "{}", seen.conclusions[0]);
    }
}

/// Each of these ports to each destination, so many times.
fn retried(ports: &[u16], destinations: u32, times: u32) -> Vec<(u32, u16)> {
    let tuples = || (0..destinations).flat_map(|to| ports.iter().map(move |port| (to, *port)));
    (0..times).flat_map(|_| tuples()).collect()
}

#[test]
fn clients_that_retry_from_fixed_ports_are_not_blamed_on_a_filter_where_a_load_balancer_chooses_by_them() {
    let ports = [20_000, 20_011, 20_022, 40_000, 41_000, 42_000, 43_000, 44_000, 45_000];
    for (keeps_ports, gap_ms) in [(true, 50), (true, 200), (false, 100)] {
        let world = World { script: retried(&ports, 2, 9), keeps_ports, gap_ms, ..World::new() };
        let seen = world.play(1);
        assert_eq!((seen.blamed(), seen.end.len()), (0, 54), "{:?}", seen.end.first());
        assert!(seen.policies.iter().all(|policy| !policy.strength().holds()), "{:?}", seen.policies);
        assert!(seen.silent.iter().all(|silent| silent.inferred.is_none()));
    }
    // Behind a filter, many ports prove it, and few do not spoil what others prove.
    let many: Vec<u16> = (0..40).map(|number| 1024 + number * 1600).collect();
    let world = World { script: retried(&many, 2, 6), keeps_ports: true, ..World::new() };
    all_are_proven(&world);
    let drawn = (0..200).map(|number: u16| (2, 1024 + number.wrapping_mul(48_271) % 64_511));
    let script = retried(&ports, 2, 9).into_iter().chain(drawn).collect();
    assert_eq!(World { script, ..World::new() }.play(1).end_of(Strength::NoneYet, None), 0);
}

#[test]
fn answers_after_failures_of_the_same_port_contradict_a_filter() {
    let ports: Vec<u16> = (0..40).map(|number| 1024 + number * 1600).collect();
    let answers: AnswerModel = Rc::new(|_, port, at_ms| port >= 32768 || at_ms > 3000);
    let world = World { answers, script: retried(&ports, 2, 8), gap_ms: 10, keeps_ports: true, ..World::new() };
    let seen = world.play(1);
    assert!(seen.policies.iter().any(|policy| policy.strength() == Strength::Contradicted), "{:?}", seen.policies);
}

#[test]
fn clients_with_ports_of_their_own_may_be_the_reason() {
    let client = |port: u16| if port < 32768 { 8 } else { 7 };
    each(&World { client, ..World::new() }, |seed, seen| {
        assert_eq!(seen.blamed(), 0, "seed {seed}: {:?}", seen.end.first());
        assert!(
            seen.policies.iter().all(|policy| policy.reason == Reason::Doubted(Doubt::ClientsDiffer)),
            "{:?}",
            seen.policies
        );
    });
    // Many clients whose ports are drawn, each of which connects once or twice.
    all_are_proven(&World { client: |port| (port % 101) as u8, ..World::new() });
}

/// Attempts to six destinations, by turns from ports of a program's own and from the others.
fn of_two_programs(own: RangeInclusive<u16>, others: RangeInclusive<u16>) -> World {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut port = |number: u32| rng.u16(if number.is_multiple_of(2) { own.clone() } else { others.clone() });
    let script = (0..300).map(|number| (number / 2 % 6, port(number))).collect();
    World { script, keeps_ports: true, ..World::new() }
}

#[test]
fn programs_with_ports_of_their_own_may_be_the_reason() {
    for own in [20_000..=20_299, 1024..=29_999, 700..=1023] {
        let seen = of_two_programs(own.clone(), 32_768..=60_999).play(1);
        assert_eq!((seen.blamed(), seen.end.len()), (0, 150), "{own:?}: {:?}", seen.end.first());
        assert!(
            seen.policies.iter().all(|policy| policy.reason == Reason::Doubted(Doubt::ProgramsDiffer)),
            "{:?}",
            seen.policies
        );
    }
    let above = of_two_programs(61_000..=61_299, 32_768..=60_999);
    let world = World { answers: Rc::new(|_, port, _| port < 61_000), allowed: "32768-60999", ..above };
    assert_eq!(world.play(1).blamed(), 0);
    // A gap in a pool that is larger than that of Linux.
    assert_eq!(of_two_programs(10_000..=19_999, 32_768..=65_535).play(1).blamed(), 0);
    // Neighbouring pools: a batch job has all ports below those of the kernel.
    let neighbours = of_two_programs(1024..=9_999, 10_000..=65_535);
    let seen = World { answers: Rc::new(|_, port, _| port >= 10_000), ..neighbours }.play(1);
    assert_eq!(
        seen.silent.iter().filter(|silent| silent.assessment.is_some_and(|it| it.strength().holds())).count(),
        0
    );
    assert!(seen.silent.len() > 100);
    // One pool on both sides of the filter's edge is as good as ports that are drawn.
    all_are_proven(&World { keeps_ports: true, ..World::new() });
    all_are_proven(&World { keeps_ports: true, ports: 10_000..=65_535, ..World::new() });
}

#[test]
fn rules_with_ports_of_their_own_may_be_the_reason() {
    // Two gateways, or two classes of service, each with its part of the ports.
    let two: fn(u16) -> Option<(u16, u16)> = |port| Some(if port < 32_768 { (1024, 32_767) } else { (32_768, 65_535) });
    let world = World { rule: two, ..World::new() };
    nobody_is_blamed(&world, 0);
    let is_of_rules = |of: &Assessment| of.reason == Reason::Doubted(Doubt::RulesDiffer);
    each(&world, |seed, seen| assert!(seen.policies.iter().all(is_of_rules), "seed {seed}: {:?}", seen.policies));
    // A rule that has ports on both sides, alone or beside another.
    all_are_proven(&World { rule: |_| Some((20_000, 60_000)), ports: 20_000..=60_000, ..World::new() });
    let repaired: fn(u16) -> Option<(u16, u16)> = |port| (port >= 32_768 && port % 3 > 0).then_some((32_768, 65_535));
    all_are_proven(&World { rule: repaired, ..World::new() });
}

#[test]
fn private_destinations_that_answer_on_all_ports_acquit_no_filter_of_public_ones() {
    // Six private services, used all the time, and forty public hosts, each tried once.
    let script = (0..200_u32).map(|number| {
        let to = if number % 5 == 0 { 10 + number / 5 } else { number % 6 };
        (to, 1024 + (number as u16).wrapping_mul(48_271) % 64_511)
    });
    let world = World {
        answers: Rc::new(|to, port, _| to < 10 || port >= 32_768),
        is_private: |to| to < 10,
        script: script.collect(),
        ..World::new()
    };
    let seen = world.play(1);
    assert!(seen.end.len() > 10 && seen.end_of(Strength::Supported, None) == seen.end.len(), "{:?}", seen.end);
    let said: Vec<_> = seen.policies.iter().map(|policy| (policy.scope, policy.strength())).collect();
    assert_eq!(said, [(Scope::Public, Strength::Supported), (Scope::Private, Strength::Contradicted)]);
}

#[test]
fn what_drops_some_attempts_to_every_destination_is_no_filter() {
    // One attempt in five from a low port gets through, to any destination: a policer, or one of several paths.
    let answers: AnswerModel = Rc::new(|to, port, _| port >= 32_768 || (u32::from(port) / 7 + to) % 5 == 0);
    let world = World { answers, destinations: 20, attempts: 160, ..World::new() };
    each(&world, |seed, seen| {
        let claimed = seen.policies.iter().filter(|policy| policy.strength().holds()).count();
        assert_eq!((claimed, seen.end_of(Strength::Proven, None)), (0, 0), "seed {seed}: {:?}", seen.policies);
    });
}

#[test]
fn a_balancer_with_a_dead_server_beside_a_filter_acquits_it_for_nobody() {
    // It bypasses the filter, and drops every other attempt whatever its port.
    let answers: AnswerModel = Rc::new(|to, port, _| if to == 0 { port.count_ones() % 2 == 0 } else { port >= 32_768 });
    each(&World { answers, destinations: 12, attempts: 300, ..World::new() }, |seed, seen| {
        let others = seen.end.iter().filter(|(to, _)| *to != 0).count();
        assert_eq!(seen.blamed(), others, "seed {seed}");
        let failed = seen.end.len() - others;
        assert!(failed > 0 && seen.end_of(Strength::Contradicted, Some(0)) == failed, "seed {seed}");
    });
}

#[test]
fn a_rate_limit_that_meets_the_bursts_of_a_job_is_no_filter() {
    // Every tenth time a job has six connections at once, of which the limit drops all; what is steady is answered.
    const fn is_in_burst(number: u32) -> bool {
        number % 16 < 6
    }
    let script = (0..320_u32).map(|number| {
        let drawn = (number as u16).wrapping_mul(48_271);
        (number * 7 % 10, if is_in_burst(number) { 1024 + drawn % 31_000 } else { 32_768 + drawn % 32_000 })
    });
    let at_ms =
        |number| u64::from(number / 16) * 1000 + if is_in_burst(number) { 0 } else { u64::from(number % 16) * 60 };
    let world = World { script: script.collect(), begins: Some(at_ms), ..World::new() };
    nobody_is_blamed(&world, 4);
    // Where ports are drawn for each attempt, bursts are of both sides.
    all_are_proven(&World { begins: Some(|number| u64::from(number / 6) * 1000), attempts: 320, ..World::new() });
}

#[test]
fn packets_of_another_class_may_be_the_reason() {
    // Each class of service, or each gateway, has its part of the ports: where the kernel does not tell the rules.
    let world = World { class: |port| if port < 32_768 { 3 } else { 9 }, ..World::new() };
    nobody_is_blamed(&world, 0);
    let is_of_packets = |of: &Assessment| of.reason == Reason::Doubted(Doubt::PacketsDiffer);
    each(&world, |seed, seen| assert!(seen.policies.iter().all(is_of_packets), "seed {seed}: {:?}", seen.policies));
    // An address that is not routed back, and a host of its own for each connection.
    nobody_is_blamed(
        &World { class: |port| if port < 32_768 { 3 } else { (port % 200) as u8 + 5 }, ..World::new() },
        0,
    );
    all_are_proven(&World { class: |port| (port % 200) as u8 + 1, ..World::new() });
    // A program that draws what else its packets have, as a tracer does its TTL; or the node draws their source address.
    nobody_is_blamed(
        &World { class: |port| if port < 32_768 { (port % 20) as u8 + 5 } else { 3 }, attempts: 120, ..World::new() },
        4,
    );
    let apart = |port| if port < 32_768 { 3 } else { 9 };
    nobody_is_blamed(&World { class: apart, sources: 32, destinations: 640, attempts: 120, ..World::new() }, 2);
    // Several gateways, each used from all ports; or one of them is not known.
    all_are_proven(&World { class: |port| (port % 5) as u8 + 1, ..World::new() });
    all_are_proven(&World { class: |port| (port % 3) as u8, ..World::new() });
}

#[test]
fn ports_that_fail_often_on_one_of_several_paths_are_not_all_blamed() {
    // One connection in four from a low port takes a path without the filter.
    let answers: AnswerModel = Rc::new(|_, port, at_ms| port >= 32_768 || at_ms / 20 % 4 == 0);
    nobody_is_blamed(&World { answers, attempts: 400, ..World::new() }, 8);
}

#[test]
fn a_service_that_answers_nobody_is_not_blamed_on_a_filter() {
    // Mail servers, once each, whose port a provider closes; the others are behind a filter of ports.
    let script = (0..240).map(|number: u32| {
        let to = if number.is_multiple_of(3) { 100 + number / 3 } else { number % 9 };
        (to, 1024 + (number as u16).wrapping_mul(48_271) % 64_511)
    });
    let world = World {
        answers: Rc::new(|to, port, _| to < 100 && port >= 32768),
        dst_port: |to| if to < 100 { 443 } else { 25 },
        script: script.collect(),
        ..World::new()
    };
    let seen = world.play(1);
    let (mail, web): (Vec<_>, Vec<_>) = seen.end.iter().partition(|(to, _)| *to >= 100);
    assert!(mail.iter().all(|(_, of)| of.reason == Reason::ServiceSilent) && mail.len() > 20, "{mail:?}");
    assert!(web.iter().all(|(_, of)| of.strength() == Strength::Proven) && web.len() > 20, "{web:?}");
}

#[test]
fn destinations_that_have_nothing_to_do_with_it_prove_nothing() {
    // One dead destination is tried from outside ports only; the others answer, from inside ports only.
    for destinations in 1..40 {
        let world = World {
            answers: Rc::new(|to, _, _| to != 0),
            destinations,
            ports: 32768..=65535,
            ports_to: Some((0, 1024..=32767)),
            attempts: 60,
            ..World::new()
        };
        each(&world, |seed, seen| {
            assert_eq!(seen.end_of(Strength::Proven, None), 0, "seed {seed}, {destinations} destinations");
        });
    }
}

/// No filter, but anything else that goes wrong: dead destinations, loss, an outage or an exhausted load balancer from a moment
/// on, ports that are drawn or count up, few attempts or many.
fn unfiltered(seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(!seed);
    let mut pick = |of: &[u32]| of[rng.usize(..of.len())];
    let destinations = pick(&[1, 2, 3, 6, 20, 100]);
    let (dead, attempts, gap_ms) = (pick(&[0, 2, 3, 10]), pick(&[10, 30, 100, 400]), pick(&[5, 20, 200, 2000]).into());
    let until_ms = gap_ms * u64::from(attempts) * u64::from(pick(&[1, 3, 5, 9, 20])) / 10;
    World {
        answers: Rc::new(move |to, _, at_ms| !(dead > 0 && to.is_multiple_of(dead)) && at_ms <= until_ms),
        destinations,
        attempts,
        gap_ms,
        loss: f64::from(pick(&[0, 0, 2, 5, 20])) / 100.0,
        counts_up: pick(&[0, 1]) == 1,
        ..World::new()
    }
}

#[test]
fn a_thousand_worlds_without_a_filter_prove_none_and_support_hardly_one() {
    let (mut flagged, mut blamed, mut worlds) = (0, 0, 0);
    for seed in 0..1000 {
        let seen = unfiltered(seed).play(seed);
        assert_eq!(seen.end_of(Strength::Proven, None), 0, "seed {seed}: {:?}", seen.end);
        (flagged, blamed) = (flagged + seen.end.len(), blamed + seen.blamed());
        worlds += usize::from(seen.blamed() > 0);
    }
    println!("{blamed} of {flagged} flagged attempts blamed, in {worlds} of 1000 worlds");
    assert!(blamed * 200 < flagged, "{blamed} of {flagged}, in {worlds} worlds");
}

#[test]
fn each_uplink_is_judged_by_itself() {
    // Six destinations by the provider's uplink and thirty by a VPN, which has no filter.
    let world = World {
        answers: Rc::new(|to, port, _| to >= 6 || port >= 32768),
        uplink: |to| if to < 6 { 2 } else { 7 },
        destinations: 36,
        attempts: 300,
        ..World::new()
    };
    each(&world, |seed, seen| {
        assert!(seen.end.iter().all(|(to, of)| *to < 6 && of.strength().holds()), "seed {seed}: {:?}", seen.end);
        let strengths: Vec<_> = seen.policies.iter().map(Assessment::strength).collect();
        assert_eq!(strengths.iter().filter(|&&of| of == Strength::Contradicted).count(), 1, "seed {seed}");
        assert_eq!(strengths.iter().filter(|&&of| of == Strength::Proven).count(), 1, "seed {seed}");
    });
    // However many there are.
    let seen = World { uplink: |to| to, destinations: 1000, attempts: 3000, ..World::new() }.play(1);
    assert!(seen.policies.len() <= 33, "{}", seen.policies.len());
}

#[test]
fn memory_is_bounded() {
    let seen = World { destinations: 62_000, attempts: 20_000, gap_ms: 1, ..World::new() }.play(1);
    assert!(seen.bytes < 740 << 10, "{}", seen.bytes);
}

#[test]
fn a_policy_of_all_ports_costs_and_says_nothing() {
    let seen = World { allowed: "any", ..World::new() }.play(1);
    assert!(seen.lines.is_empty() && seen.end.is_empty() && seen.policies.is_empty());
}

#[test]
fn a_few_failures_after_many_answers_are_looked_at_while_they_come() {
    // Destinations that bypass the filter come first.
    let mut script: Vec<(u32, u16)> = (0..90).map(|number| (number % 6, 20_000 + 331 * (number as u16 % 90))).collect();
    script.extend(
        (0..30).map(|number| (6 + number / 2 % 5, if number % 2 == 0 { 2_000 } else { 40_000 } + 97 * number as u16)),
    );
    let answers = Rc::new(|to, port, _| to < 6 || port >= 32768);
    each(&World { answers, script, destinations: 11, ..World::new() }, |seed, seen| {
        let named = seen.over.iter().filter(|strength| strength.holds()).count();
        assert!(named >= 10 && seen.over.len() == 15, "seed {seed}: {named} of {}", seen.over.len());
    });
}
