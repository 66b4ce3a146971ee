//! What people see: it fits the page, is harmless for a terminal, and its commands survive being pasted.

use std::process::Command;

use super::*;
use crate::checks;
use crate::model::Policy;
use crate::ruleset::testing;

fn facts() -> Facts {
    let policy = Policy { origin: Origin::Given, ..Policy::default() };
    Facts { netns: Some("/run/netns/x".into()), policy, rules: testing::docker(), ..Facts::default() }
}

#[test]
fn the_text_fits_80_columns_without_colour() {
    for rules in [testing::docker(), testing::flannel_iptables(), testing::kube_proxy_nft(), testing::variants()] {
        let facts = Facts { rules, ..facts() };
        for verbose in [false, true] {
            let text = text(&facts, verbose, false);
            let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty() && !text.contains('\u{1b}'), "{wide:#?}");
            assert!(text.lines().count() <= 100, "{text}");
            assert_eq!(text.contains("reached by: "), verbose, "{text}");
        }
    }
}

fn text(facts: &Facts, verbose: bool, colour: bool) -> String {
    let reports = checks::run(facts);
    write(facts, &reports, &checks::verdict(facts, &reports), verbose, colour)
}

#[test]
fn verdict_evidence_and_the_first_command_are_in_the_first_12_lines() {
    for rules in [testing::flannel_nft(), testing::flannel_iptables(), testing::kube_proxy_nft()] {
        let facts = Facts { rules, ..facts() };
        let reports = checks::run(&facts);
        let mut verdict = checks::verdict(&facts, &reports);
        for _ in 0..2 {
            let text = write(&facts, &reports, &verdict, false, false);
            let start = text.lines().take(12).flat_map(str::split_whitespace).filter(|word| *word != "\\");
            let start = start.collect::<Vec<_>>().join(" ");
            let is_there = |word: &str| start.contains(word);
            assert!(
                is_there(" FAIL: ") && is_there("evidence: ") && is_there("fix: ") && is_there("nsenter"),
                "{text}"
            );
            assert!(is_there("32768-65535 --random-fully") || is_there("32768-65535 fully-random"), "{text}");
            // With the evidence of the conntrack table before it, which is long.
            verdict.evidence.insert(0, "unanswered 125 of 125 below 32768, answered 160 of 160 from it ".repeat(5));
        }
    }
}

#[test]
fn colours_are_used_only_when_wanted() {
    let facts = facts();
    assert!(text(&facts, true, true).contains("\u{1b}[1m\u{1b}[31mproblem"));
}

#[test]
fn names_from_the_system_cannot_steer_the_terminal() {
    let mut facts = facts();
    facts.node = "\u{1b}]0;owned\u{7}".to_owned();
    facts.rules.rules[0].line.text = "\u{1b}[2J\u{202e}\u{9b}1m".to_owned();
    let text = text(&facts, true, false);
    assert!(text.chars().all(|char| char == '\n' || matches!(char, ' '..='~')), "{text:?}");
}

#[test]
fn a_broken_command_is_one_command_for_a_shell() {
    let long = format!("printf %s\\\\n {} 'a  quoted   word' {{ tcp, udp }} !=", "10.42.0.0/16 ".repeat(12).trim());
    let mut page = Page { text: String::new(), colour: false };
    page.command(8, 12, &long);
    assert!(page.text.lines().count() > 1, "{}", page.text);
    let words =
        |script: &str| String::from_utf8(Command::new("sh").args(["-c", script]).output().unwrap().stdout).unwrap();
    assert_eq!(words(&page.text), words(&long));
    assert!(words(&long).contains("a  quoted   word"));
}
