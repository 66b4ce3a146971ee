//! Screens of a recorded trace at two sizes, and what keys do.

use std::path::Path;

use expect_test::expect_file;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::counts::TopCounts;
use super::screen::draw;
use super::state::ScreenState;
use crate::model::{Attempt, EndedAttempt, Filter, Judgement, Outcome, example};
use crate::outputs::testing::Judged;
use crate::outputs::{Observer, View};
use crate::pcap::PacketOptions;
use crate::pipeline::{self, Judge};
use crate::source::{self, Ahead, Source};

/// The counts at the end of a trace.
fn counts() -> TopCounts {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/fully_random-kprobes.trace");
    let traces = source::open(&[path], &PacketOptions::default()).unwrap();
    let captures = traces.captures();
    let mut updates = Ahead::new(traces).unwrap().joined(captures.len()).unwrap();
    let mut counts = TopCounts::default();
    let judge = Judge::new(captures, View::silent(Filter::default()), None).with_observer(&mut counts);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pipeline::run(&mut updates, judge)).unwrap();
    updates.stop();
    counts
}

/// The screen after these keys.
fn screen(counts: &TopCounts, (width, height): (u16, u16), keys: &str) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut state = ScreenState::default();
    for char in keys.chars() {
        state.key(KeyEvent::from(if char == '\n' { KeyCode::Enter } else { KeyCode::Char(char) }));
    }
    terminal.draw(|frame| draw(frame, counts, &mut state)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned() + "\n";
    (0..height).map(line).collect()
}

#[test]
fn a_small_and_a_large_screen() {
    let counts = counts();
    for (size, name) in [((80, 24), "80x24"), ((200, 50), "200x50")] {
        let all = ["", "l", "ll", "?"].map(|keys| screen(&counts, size, keys)).join(&"-".repeat(size.0.into()));
        expect_file![format!("{}/src/top/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"))].assert_eq(&all);
    }
}

#[test]
fn an_attempt_that_is_answered_after_a_retransmit_counts_as_answered_alone() {
    let capture = example::capture("node");
    let silent = example::attempt("10.0.0.1:2", "10.0.0.3:4", "10.0.0.5:1026", "10.0.0.3:4");
    let answered = Attempt { syn_ack_seen: true, outcome: Outcome::Established, ..silent.clone() };
    let (mut counts, judged) = (TopCounts::default(), Judged::new(&capture, &silent));
    let finding = judged.finding();
    counts.judged(&finding, &Judgement::default());
    assert_eq!(counts.ports[0].total(), (0, 1));
    counts
        .ended(&EndedAttempt { capture: &capture, attempt: &answered, owner: None, judgement: finding.judgement })
        .unwrap();
    assert_eq!(counts.ports[0].total(), (1, 0));
}

/// Where a screen is too narrow for all columns, there are fewer, and no number is cut.
#[test]
fn numbers_are_whole_on_a_narrow_screen() {
    let (wide, narrow) = (screen(&counts(), (80, 24), "l"), screen(&counts(), (40, 24), "l"));
    assert!(wide.contains("RETRANSMITTED") && !narrow.contains("RETR"), "{narrow}");
    assert!(narrow.contains(" FLAGGED SYN RTX"), "{narrow}");
}

#[test]
fn keys_select_sort_and_filter() {
    let counts = counts();
    assert!(screen(&counts, (80, 24), "ls").contains("DESTINATIONS, by retransmitted"));
    let filtered = screen(&counts, (80, 24), "l/443\n");
    assert!(filtered.contains("DESTINATIONS with 443, by flagged"), "{filtered}");
    assert!(screen(&counts, (80, 24), "l/nothing\n").lines().filter(|line| line.contains(':')).count() < 4);
    assert!(screen(&counts, (80, 24), "6").contains("IPv6 ports, allowed 32768-65535: 0 attempts"));
    let mut state = ScreenState::default();
    state.key(KeyEvent::from(KeyCode::Char('q')));
    assert!(state.is_over);
}

#[test]
fn no_size_of_the_screen_panics() {
    for size in [(1, 1), (10, 3), (39, 11), (300, 100)] {
        let _ = screen(&TopCounts::default(), size, "");
    }
}
