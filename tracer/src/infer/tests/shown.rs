//! The sentences.

use super::world::{Ports, World};

fn text(world: &World) -> String {
    world.conclude().to_string()
}

#[test]
fn a_class_is_told_with_counts_bracket_and_likely_rule() {
    assert_eq!(
        text(&World::new(1, 842).passing("32768-65535")),
        "x"
    );
    assert_eq!(
        text(&World::new(1, 2000).passing("10000-19999")),
        "x"
    );
}

#[test]
fn no_class_is_told_with_what_would_have_been_seen() {
    assert_eq!(text(&World { fails: 0.02, ..World::new(1, 1000) }), "x");
}

#[test]
fn too_few_attempts_are_told_with_what_is_missing() {
    assert_eq!(text(&World { destinations: 2, ..World::new(1, 12) }), "x");
    assert_eq!(text(&World { destinations: 3, dead: 1, ..World::new(2, 70) }.passing("32768-65535")), "x");
    assert_eq!(text(&World { destinations: 1, ports: Ports::Drawn(32768..=60999), ..World::new(1, 500) }), "x");
}
