//! Golden lines.

use super::paragraphs::PAGE;
use crate::causes::{self, Case};
use crate::model::{Attempt, Capture, Diagnosis, Finding, HookState, Origin, Outcome, PortSet, Strength, example};
use crate::outputs::View;
use crate::outputs::testing::{Judged, attempts, view, written};
use crate::summary::Summary;

fn text(view: &View, captures: &[&Capture], attempts: &[(&Capture, &Attempt)]) -> String {
    let judged: Vec<_> = attempts.iter().map(|(capture, attempt)| Judged::new(capture, attempt)).collect();
    text_of(view, captures, &judged)
}

fn text_of(view: &View, captures: &[&Capture], judged: &[Judged<'_>]) -> String {
    let text = written(view, |output| {
        output.start(captures)?;
        judged.iter().try_for_each(|judged| output.finding(&judged.finding()))
    });
    for line in text.lines() {
        assert!(view.colour || line.chars().count() <= PAGE, "{} columns: {line}", line.chars().count());
        assert!(!line.ends_with(' '), "{line:?}");
    }
    text
}

/// The last line.
fn line(attempt: &Attempt) -> String {
    let node = example::capture("node7");
    text(&view("text"), &[&node], &[(&node, attempt)]).lines().last().unwrap().to_owned()
}

/// The lines below the header.
fn page(captures: &[&Capture], judged: &[Judged<'_>]) -> Vec<String> {
    let text = text_of(&view("text"), captures, judged);
    let lines: Vec<String> = text.lines().skip(captures.len()).map(str::to_owned).collect();
    assert_eq!(lines[0], super::LEGEND);
    lines[1..].to_vec()
}

fn header(capture: &Capture) -> String {
    let text = text(&view("text"), &[capture], &[]);
    text.lines().take_while(|line| !line.starts_with("TIME")).collect::<Vec<_>>().join("\n")
}

fn ipv4() -> Attempt {
    example::attempt("10.42.0.7:51234", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443")
}

#[test]
fn a_flagged_retransmit_is_one_aligned_line_under_titles() {
    let node = example::capture("node7");
    assert_eq!(
        text(&view("text"), &[&node], &[(&node, &ipv4())]),
        "\
snatrace 0.1.0 on node7 (6.12.1): allowed translated ports 32768-65535 (default; set with --allow)
mark after a cause: evidence that a filter drops such ports: + proven, ~ supported, ? none yet, ! contradicted
TIME         ORIGINAL SOURCE       TRANSLATED SOURCE     DESTINATION                 RTX NAT MODE     CAUSE
2026-03-01, UTC+02:00
02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        203.0.113.80:443              1 fully random port out of range+
"
    );
}

#[test]
fn a_line_shows_addresses_as_far_as_they_fit_and_a_dash_for_what_is_unknown() {
    let (widest, long) = ("255.255.255.255:10000", "[2001:db8:1111:2222:3333:4444:5555:6666]:10000");
    let forwarded = Attempt { original: None, range: None, ..ipv4() };
    let unseen = Attempt { translated: None, range: None, syns_leaving: 0, ..ipv4() };
    for (attempt, expected) in [
        (
            Attempt { retransmits: 127, ..example::attempt(widest, widest, widest, widest) },
            "02:00:01.234 255.255.255.255:10000 255.255.255.255:10000 255.255.255.255:10000       127 fully random port out of range+",
        ),
        (
            example::attempt(long, long, "[2001:db8::7]:80", long),
            "02:00:01.234 [2001:d…5:6666]:10000 [2001:db8::7]:80      [2001:db8:…5555:6666]:10000   1 fully random port out of range+",
        ),
        (
            example::attempt("10.42.0.7:51234", "10.96.0.10:443", "192.0.2.1:1200", "203.0.113.80:443"),
            "02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        10.96.0.10>203.0.113.80:443   1 fully random port out of range+",
        ),
        (
            example::attempt("10.42.0.7:51234", "10.96.0.1:80", "192.0.2.1:1200", "192.0.2.7:8080"),
            "02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        10.96.0.1:80>192.0.2.7:8080   1 fully random port out of range+",
        ),
        (
            example::attempt("10.42.0.7:51234", "10.96.0.10:443", "192.0.2.1:1200", "203.0.113.80:8443"),
            "02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        10.96.0.10:443>…              1 fully random port out of range+",
        ),
        (
            forwarded,
            "02:00:01.234 -                     192.0.2.1:1200        203.0.113.80:443              1 -            port out of range+",
        ),
        (
            unseen.clone(),
            "02:00:01.234 10.42.0.7:51234       -                     203.0.113.80:443              1 -            unknown",
        ),
        (
            Attempt { original: None, ..unseen },
            "02:00:01.234 -                     -                     -                             1 -            unknown",
        ),
    ] {
        assert_eq!(line(&attempt), expected);
    }
}

#[test]
fn merged_captures_name_their_node_and_agree_on_utc() {
    let (first, second) = (example::capture("node7"), example::capture("a-rather-long-name.example"));
    let second = Capture { utc_offset_s: 0, ..second };
    let attempt = ipv4();
    assert_eq!(
        page(&[&first, &second], &[Judged::new(&first, &attempt), Judged::new(&second, &attempt)]),
        [
            "TIME         NODE            ORIGINAL SOURCE       NAT   DESTINATION                 RTX NAT MODE     CAUSE",
            "2026-03-01, UTC",
            "00:00:01.234 node7           10.42.0.7:51234       1200  203.0.113.80:443              1 fully random port out of range+",
            "00:00:01.234 a-rather-long-… 10.42.0.7:51234       1200  203.0.113.80:443              1 fully random port out of range+",
        ]
    );
}

#[test]
fn names_have_a_column_from_the_first_that_is_known() {
    let node = example::capture("node7");
    let attempt = ipv4();
    let (unowned, owned) = (|| Judged::new(&node, &attempt), |names| Judged::owned(&node, &attempt, names));
    let judged = [unowned(), owned("shop/checkout-0/app"), unowned(), owned("//web")];
    assert_eq!(
        page(&[&node], &judged),
        [
            "TIME         ORIGINAL SOURCE       TRANSLATED SOURCE     DESTINATION                 RTX NAT MODE     CAUSE",
            "2026-03-01, UTC+02:00",
            "02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        203.0.113.80:443              1 fully random port out of range+",
            "TIME         ORIGINAL SOURCE       NAT   POD OR CONTAINER             DESTINATION                 RTX CAUSE",
            "02:00:01.234 10.42.0.7:51234       1200  shop/checkout-0              203.0.113.80:443              1 port out of range+",
            "02:00:01.234 10.42.0.7:51234       1200  -                            203.0.113.80:443              1 port out of range+",
            "02:00:01.234 10.42.0.7:51234       1200  web                          203.0.113.80:443              1 port out of range+",
        ]
    );
}

#[test]
fn with_several_nodes_a_name_takes_the_place_of_the_address() {
    let (first, second) = (example::capture("node7"), example::capture("node8"));
    let attempt = ipv4();
    let long = Judged::owned(&first, &attempt, "kube-system/coredns-with-a-long-name-5d78c9869d-abcde/");
    assert_eq!(
        page(&[&first, &second], &[long, Judged::new(&second, &attempt)]),
        [
            "TIME         NODE            POD, CONTAINER OR ORIGINAL SOURCE  NAT   DESTINATION                 RTX CAUSE",
            "2026-03-01, UTC+02:00",
            "02:00:01.234 node7           kube-system/coredns-wi…9869d-abcde 1200  203.0.113.80:443              1 port out of range+",
            "02:00:01.234 node8           10.42.0.7:51234                    1200  203.0.113.80:443              1 port out of range+",
        ]
    );
}

#[test]
fn a_hostile_pod_name_cannot_steer_the_terminal() {
    let (node, attempt) = (example::capture("node7"), ipv4());
    let line = |names: &str| {
        let text = text_of(&view("text"), &[&node], &[Judged::owned(&node, &attempt, names)]);
        text.lines().last().unwrap().to_owned()
    };
    let shown = line("\x1b[2J\n/\u{202e}dop/");
    assert!(shown.contains(r"\u{1b}[2J\n/\u{202e}dop"), "{shown}");
    let long = line(&format!("{}/{}/", "\x1b".repeat(99), "\u{9b}".repeat(99)));
    assert!(long.chars().all(|char| char == '…' || (' '..='~').contains(&char)), "{long:?}");
}

#[test]
fn titles_are_there_even_if_no_line_is() {
    let text = written(&view("text"), |output| output.finish(&Summary::default()));
    assert!(text.starts_with("TIME  "), "{text}");
}

#[test]
fn a_hostile_node_name_cannot_steer_the_terminal() {
    let hostile = example::capture("\x1b]0;owned\x07\n\u{202e}edon");
    let both = text(&view("text"), &[&hostile, &hostile], &[(&hostile, &ipv4())]);
    assert!(both.bytes().all(|byte| byte == b'\n' || byte >= b' '), "{both:?}");
    assert!(!both.contains('\u{202e}'));
    assert!(header(&hostile).contains(r"on \u{1b}]0;owned\u{7}\n\u{202e}edon ("), "{both}");
}

#[test]
fn the_header_says_where_the_policy_came_from_and_keeps_to_the_page() {
    let mut node = example::capture("node7");
    node.policy.v6 = PortSet::range(0, u16::MAX);
    assert!(header(&node).ends_with("IPv4 32768-65535 (default; set with --allow), IPv6 any\n    (--allow6)"));
    node.policy.origin = Origin::Given;
    node.policy.v4 = (0..200).map(|port| (port * 2).to_string()).collect::<Vec<_>>().join(",").parse().unwrap();
    assert!(header(&node).contains("398 (--allow)"));
}

#[test]
fn a_hook_that_is_off_is_named_with_its_reason() {
    let mut node = example::capture("node7");
    node.hooks.push(HookState { stem: "nat_bind".to_owned(), off: Some("this kernel has no kprobes".to_owned()) });
    assert!(header(&node).ends_with("\nwithout nat_bind: this kernel has no kprobes"));
}

#[test]
fn a_new_day_has_a_heading_of_its_own() {
    let node = example::capture("node7");
    let attempt = ipv4();
    let judged = Judged::new(&node, &attempt);
    let text = written(&view("text"), |output| {
        output.start(&[&node])?;
        for hours in [1, 2, 23] {
            let time_ns = hours * 3_600_000_000_000;
            output.finding(&Finding { time_ns, ..judged.finding() })?;
        }
        Ok(())
    });
    assert_eq!(text.lines().filter(|line| line.starts_with("2026-")).count(), 2, "{text}");
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let node = example::capture("node7");
    let mut view = view("text");
    let plain = text(&view, &[&node], &[(&node, &ipv4())]);
    view.colour = true;
    let coloured = text(&view, &[&node], &[(&node, &ipv4())]);
    assert!(coloured.contains("\x1b[1m\x1b[31m192.0.2.1:1200\x1b[0m "), "{coloured:?}");
    let stripped = coloured
        .split('\x1b')
        .map(|part| part.split_once('m').map_or(part, |(code, rest)| if code.starts_with('[') { rest } else { part }));
    assert_eq!(stripped.collect::<String>(), plain);
}

/// What is written of findings about the attempt, each with its cause in words.
fn findings_of(view: &View, change: impl Fn(&mut Finding<'_>, u32), attempt: &Attempt) -> Vec<String> {
    let node = example::capture("node7");
    let judged = Judged::new(&node, attempt);
    let text = written(view, |output| {
        output.start(&[&node])?;
        for index in 0..2 {
            let case = Case::new(attempt, &node).assessed(Some(example::PROVEN), None);
            let diagnosis = causes::diagnose(causes::cause_of(&case), &case);
            let mut finding = Finding { diagnosis: Some(&diagnosis), ..judged.finding() };
            change(&mut finding, index);
            output.finding(&finding)?;
        }
        Ok(())
    });
    assert!(text.lines().all(|line| line.chars().count() <= PAGE), "{text}");
    text.lines().skip(3).filter(|line| !line.starts_with("2026-")).map(str::to_owned).collect()
}

#[test]
fn with_all_the_reason_of_a_cause_is_told_once_below_its_line() {
    let view = View { all: true, ..view("text") };
    let lines = findings_of(&view, |finding, index| finding.is_news = index == 0, &ipv4());
    assert_eq!(
        lines[1..6],
        [
            "    a filter on the path drops SYNs from port 1200, or the return traffic to it: port 1200 is outside the assumed range",
            "    32768-65535 (default); to 203.0.113.80:443, 0 of 31 attempts from ports below 32768 were answered, and 29 of 29 from",
            "    ports in the range (by chance: p < 1e-12)",
            "    evidence: SYN sent 2 times; seen leaving 2 times as 192.0.2.1:1200 by interface 2; no SYN-ACK, RST or ICMP error",
            "    seen arriving",
        ]
    );
    assert!(lines.len() == 7 && lines[0] == lines[6], "{lines:?}");
}

#[test]
fn without_all_a_finding_is_one_line() {
    assert_eq!(findings_of(&view("text"), |_, _| (), &ipv4()).len(), 2);
}

#[test]
fn an_attempt_that_is_over_has_a_line_where_that_is_news() {
    let view = View { all: true, ..view("text") };
    let refused = Attempt { retransmits: 0, rst_seen: true, outcome: Outcome::Refused, ..ipv4() };
    let ended = |finding: &mut Finding<'_>, index| (finding.is_over, finding.is_news) = (true, index == 0);
    let lines = findings_of(&view, ended, &refused);
    assert_eq!(lines.iter().filter(|line| !line.starts_with(' ')).count(), 1, "{lines:?}");
    assert_eq!(
        lines[0],
        "02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        203.0.113.80:443            end fully random refused"
    );
}

#[test]
fn how_an_attempt_ended_is_a_line_where_asked_for() {
    let view = View { ends: true, ..view("text") };
    let answered = Attempt { retransmits: 3, outcome: Outcome::Established, ..ipv4() };
    let over = |finding: &mut Finding<'_>, index| (finding.is_over, finding.is_news) = (index == 1, false);
    let lines = findings_of(&view, over, &answered);
    assert_eq!(
        lines[1],
        "02:00:01.234 10.42.0.7:51234       192.0.2.1:1200        203.0.113.80:443            end fully random answered after 3"
    );
    assert_eq!(findings_of(&view, over, &ipv4()).len(), 1, "how it ended is not known");
}

#[test]
fn what_is_left_out_unasked_is_in_the_header() {
    let mut view = view("text");
    view.layout.left_out = Some("shown: at most 50 lines a second".to_owned());
    let node = example::capture("node7");
    assert!(text(&view, &[&node], &[]).ends_with(")\nshown: at most 50 lines a second\n"));
    view.layout.has_header = false;
    let alone = text(&view, &[&node], &[(&node, &ipv4())]);
    assert_eq!(alone.lines().count(), 1, "{alone}");
}

#[test]
fn a_hostile_drop_reason_cannot_steer_the_terminal() {
    let view = View { all: true, ..view("text") };
    let hostile = Diagnosis {
        explanation: "\x1b]0;owned\x07".to_owned(),
        advice: "",
        evidence: vec!["\n\u{202e}".to_owned(), "x".repeat(500)],
    };
    let (node, attempt) = (example::capture("node7"), ipv4());
    let judged = Judged::new(&node, &attempt);
    let finding = Finding { diagnosis: Some(&hostile), ..judged.finding() };
    let text = written(&view, |output| output.finding(&finding));
    assert!(text.contains(r"    \u{1b}]0;owned\u{7}") && text.contains(r"    evidence: \n\u{202e};"), "{text}");
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= PAGE), "{text}");
}

#[test]
fn the_end_has_all_counts() {
    let summary = Summary {
        attempts: 1000,
        translated: 1000,
        retransmitted_attempts: 500,
        flagged_attempts: 497,
        flagged_retransmits: 1491,
        by_cause: [("port_out_of_range", attempts(497)), ("unknown", attempts(3))].into(),
        by_strength: [(Strength::Proven, 490), (Strength::Supported, 7)].into(),
        policies: vec![example::policy_evidence()],
        ..Summary::default()
    };
    assert_eq!(
        written(&view("text"), |output| output.finish(&summary)),
        "\
TIME         ORIGINAL SOURCE       TRANSLATED SOURCE     DESTINATION                 RTX NAT MODE     CAUSE

attempts            1000
translated          1000  100.0 %
retransmitted        500   50.0 %
flagged              497   49.7 %  with 1491 retransmits
evidence             490   98.6 %  + proven: a filter drops return traffic to these ports
                       7    1.4 %  ~ supported: allowed ports are answered, these are not; this is no proof yet
by cause             497   99.4 %  port out of range
                       3    0.6 %  unknown
lost                   0
evicted                0
IPv4: the assumed range 32768-65535 (default) holds for most destinations below 32768: over destinations tried from both
    sides, 0 of 31 attempts from ports below 32768 were answered, and 29 of 29 from ports in the range (by chance: p <
    1e-12); these are attempts to 3 destinations, and 1 more answered such ports
port out of range: have the filter allow 1024-65535 for established connections, or let the NAT rule choose only ports
    that the filter passes (--to-ports LO-HI, nft: masquerade to :LO-HI): snatrace doctor names the rule and has the
    commands.
unknown: watch the interface that the SYN should leave through (--iface), check which hooks are off, or follow one SYN
    by its sequence number (isn) with tcpdump.
"
    );
}

#[test]
fn losses_are_loud() {
    let summary = Summary { lost: [7, 0, 5, 0], ..Summary::default() };
    let text = written(&view("text"), |output| output.finish(&summary));
    assert!(
        text.contains(
            "\nLOST                  12  events, so attempts may be missing or incomplete: ring_full 7 table_full 5\n"
        ),
        "{text}"
    );
}
