//! A whole report, as text and as a page.

use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::*;
use crate::infer::Infer;
use crate::model::{Attempt, EndedAttempt, HookState, Judgement, Outcome, Owner, Strength, example, example::FLAGGED};
use crate::tally::Counts;

/// Twenty attempts of two pods; those to ports below 32768 fail.
fn tally() -> Tally {
    let mut tally = Tally::default();
    for number in 0..20_u16 {
        let (src, port) = (format!("10.42.0.{}:5000", 7 + number % 2), 2000 + number * 3000);
        let dst = format!("203.0.113.{}:443", 80 + number % 3);
        let attempt = example::attempt(&src, &dst, &format!("192.0.2.1:{port}"), &dst);
        let answered = Attempt {
            retransmits: 0,
            outcome: Outcome::Established,
            first_ns: u64::from(number) * 1_000_000_000,
            last_ns: u64::from(number) * 1_000_000_000,
            ..attempt.clone()
        };
        let failed = Attempt { retransmits: 2, outcome: Outcome::TimedOut, ..attempt };
        let (attempt, judgement) = if port < 32768 { (&failed, FLAGGED) } else { (&answered, Judgement::default()) };
        tally.ended(0, &EndedAttempt { judgement: &judgement, ..ended(&capture(), attempt) });
    }
    tally
}

fn ended<'a>(capture: &'a Capture, attempt: &'a Attempt) -> EndedAttempt<'a> {
    EndedAttempt { capture, attempt, owner: None, judgement: &FLAGGED }
}

fn capture() -> Capture {
    let off = Some("this kernel has no kprobes: the mode of the NAT rule is unknown".to_owned());
    let hooks =
        vec![HookState { stem: "nat_select".to_owned(), off }, HookState { stem: "wire".to_owned(), off: None }];
    Capture { hooks, ..example::capture("node7") }
}

fn summary(tally: &Tally) -> Summary {
    let all = tally.all;
    Summary {
        attempts: all.attempts,
        translated: all.attempts,
        retransmitted_attempts: all.unanswered,
        flagged_attempts: all.flagged,
        by_cause: [("port_out_of_range", Counts { attempts: all.unanswered, ..all })].into(),
        by_strength: [(Strength::Proven, all.flagged)].into(),
        policies: vec![example::policy_evidence()],
        ..Summary::default()
    }
}

fn with<T>(files: &[&str], captures: &[Capture], tally: &Tally, show: impl FnOnce(&Report<'_>) -> T) -> T {
    let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
    let (summary, read) = (summary(tally), ReadReport { files: 1, events: 100, ..ReadReport::default() });
    let report = Report { files: &files, captures, summary: &summary, tally, read: &read, inference: &[], utc: false };
    show(&report)
}

fn text(captures: &[Capture], tally: &Tally) -> String {
    with(&["node7.trace"], captures, tally, |report| text::render(report, false).unwrap())
}

fn html(captures: &[Capture], tally: &Tally) -> String {
    with(&["node7.trace"], captures, tally, |report| html::render(report).unwrap())
}

/// A page as a browser reads it.
struct ParsedPage {
    elements: Vec<Handle>,
    errors: Vec<String>,
}

impl ParsedPage {
    fn parse(page: &str) -> Self {
        let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(page);
        let errors = dom.errors.borrow().iter().map(ToString::to_string).collect();
        let mut elements = vec![dom.document];
        let mut next = 0;
        while let Some(node) = elements.get(next).cloned() {
            elements.extend(node.children.borrow().iter().cloned());
            next += 1;
        }
        Self { elements, errors }
    }

    fn all(&self, name: &str) -> Vec<&Handle> {
        let is_it = |node: &&Handle| matches!(&node.data, NodeData::Element { name: of, .. } if &*of.local == name);
        self.elements.iter().filter(is_it).collect()
    }

    fn attributes(node: &Handle) -> Vec<(String, String)> {
        let NodeData::Element { attrs, .. } = &node.data else { return Vec::new() };
        attrs.borrow().iter().map(|attr| (attr.name.local.to_string(), attr.value.to_string())).collect()
    }
}

#[test]
fn the_text_is_the_golden_one() {
    expect_test::expect_file!["golden.txt"].assert_eq(&text(&[capture()], &tally()));
}

#[test]
fn pods_and_namespaces_have_tables_where_any_is_known() {
    let titles = ["Namespaces\n", "Pods\n", "Containers\n"];
    assert!(titles.iter().all(|title| !text(&[capture()], &tally()).contains(title)));
    let mut tally = tally();
    let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
    for owner in ["shop/web-0/app", "//web", "shop/\u{1b}[31m<b>/"] {
        tally.ended(0, &EndedAttempt { owner: Some(&Owner::parse(owner)), ..ended(&capture(), &attempt) });
    }
    let (text, html) = (text(&[capture()], &tally), html(&[capture()], &tally));
    // A row leads to the list of where the SYNs of a pod were retransmitted to.
    let list = html.split_once("id=\"pods-1\"").unwrap().1.split_once("</table>").unwrap().0;
    assert!(list.contains("203.0.113.80:443"), "{list}");
    assert!(titles.iter().all(|title| text.contains(title)), "{text}");
    assert!(text.contains("\nshop/web-0                         1          1"), "{text}");
    assert!(text.contains("\nweb                                1          1"), "{text}");
    assert!(text.contains(r"shop/\u{1b}[31m<b>") && !text.contains('\u{1b}'), "{text}");
    assert!(html.contains("shop/web-0") && html.contains("&lt;b&gt;") && !html.contains('\u{1b}'));
}

#[test]
fn the_text_fits_80_columns_whatever_is_in_it() {
    let mut tally = tally();
    let v6 = "[2001:db8:1111:2222:3333:4444:5555:6666]";
    let many = Attempt {
        retransmits: u32::MAX,
        ..example::attempt(&format!("{v6}:1"), &format!("{v6}:65535"), &format!("{v6}:65535"), &format!("{v6}:65535"))
    };
    let late = Capture { boot_unix_ns: i64::MAX, ..capture() };
    (0..12_345).for_each(|_| tally.ended(1, &ended(&late, &many)));
    let long = Capture { node: "n".repeat(300), session: 2, ..capture() };
    for captures in [&[capture(), long][..], &[capture()], &[]] {
        for line in text(captures, &tally).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let (captures, tally) = ([capture()], tally());
    let coloured = with(&["x"], &captures, &tally, |report| text::render(report, true).unwrap());
    let plain = with(&["x"], &captures, &tally, |report| text::render(report, false).unwrap());
    assert!(coloured.contains("\x1b[") && !plain.contains('\x1b'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn the_page_is_what_browsers_expect() {
    let empty = Tally::default();
    for (captures, tally) in [(vec![capture()], tally()), (vec![capture(), capture()], tally()), (vec![], empty)] {
        let page = html(&captures, &tally);
        let parsed = ParsedPage::parse(&page);
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        assert_eq!(parsed.all("h1").len(), 1);
        assert_eq!(parsed.all("table").len(), parsed.all("thead").len());
        let has = |attributes: &[(String, String)], name: &str, value: &str| {
            attributes.iter().any(|(of, is)| of == name && is.starts_with(value) && !is.is_empty())
        };
        let pictures = parsed.all("div").into_iter().map(ParsedPage::attributes).filter(|of| has(of, "class", "plot"));
        for picture in pictures {
            assert!(has(&picture, "role", "img") && has(&picture, "aria-label", "Answered and"), "{picture:?}");
        }
    }
}

#[test]
fn every_picture_is_a_well_formed_document_of_its_own() {
    let page = html(&[capture()], &tally());
    let pictures: Vec<&str> = page.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap()).collect();
    assert_eq!(pictures.len(), 4, "ports and time, for a wide and for a narrow page");
    for picture in pictures {
        roxmltree::Document::parse(&format!("<svg{picture}</svg>")).unwrap();
    }
}

#[test]
fn the_page_loads_nothing() {
    let page = html(&[capture()], &tally()).replace("http://www.w3.org/2000/svg", "");
    for reference in ["http:", "https:", "//", "src=", "url(", "@import", "<script", "<link", "<iframe"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn links_lead_to_tables_and_lists_of_the_same_page() {
    let parsed_page = html(&[capture()], &tally());
    let parsed = ParsedPage::parse(&parsed_page);
    let values = |element: &str, name: &str| -> Vec<String> {
        let attributes = parsed.all(element).into_iter().flat_map(ParsedPage::attributes);
        attributes.filter(|(of, _)| of == name).map(|(_, value)| value).collect()
    };
    let (links, places) = (values("a", "href"), [values("section", "id"), values("div", "id")].concat());
    for expected in ["#destinations", "#destinations-1", "#sources-1"] {
        assert!(links.contains(&expected.to_owned()), "{links:?}");
    }
    assert!(
        links.iter().all(|link| places.iter().any(|id| link.strip_prefix('#') == Some(id))),
        "{links:?} {places:?}"
    );
    assert_eq!(places.iter().collect::<std::collections::BTreeSet<_>>().len(), places.len(), "each is there once");
}

#[test]
fn rows_can_be_sorted_by_every_column_without_a_script() {
    let page = html(&[capture()], &tally());
    for column in tables::COLUMNS {
        let name = column.name;
        assert!(page.contains(&format!(":has(.by-{name}:checked) tbody tr {{ order: var(--by-{name}); }}")), "{name}");
        assert!(page.contains(&format!("class=\"by-{name}\"")) && page.contains(&format!("--by-{name}:0;")), "{name}");
    }
}

#[test]
fn what_to_do_is_below_the_headline() {
    let (captures, tally) = ([capture()], tally());
    let page = html(&captures, &tally);
    let (headline, remedy) =
        (page.find("class=\"headline\""), page.find("class=\"remedy\">port out of range: have the filter"));
    assert!(remedy.is_some() && headline < remedy, "{page}");
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\u{202e}\x1b[31m";
    let off = Some(hostile.to_owned());
    let hooks = vec![HookState { stem: hostile.to_owned(), off }];
    let (node, version, kernel) = (hostile.to_owned(), hostile.to_owned(), hostile.to_owned());
    let captures = [Capture { node, version, kernel, hooks, ..capture() }];
    let tally = tally();
    let page = with(&[hostile], &captures, &tally, |report| html::render(report).unwrap());
    let parsed = ParsedPage::parse(&page);
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    assert!(parsed.all("script").is_empty() && parsed.all("img").is_empty());
    let title = parsed.all("title")[0].children.borrow()[0].clone();
    let NodeData::Text { contents } = &title.data else { unreachable!("a title is text") };
    let title = contents.borrow().to_string();
    assert!(title.contains("<script>alert(1)</script>\"'>") && title.contains(r"\u{202e}\u{1b}"), "{title}");
    let text = with(&[hostile], &captures, &tally, |report| text::render(report, false).unwrap());
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}'));
}

#[test]
fn a_trace_without_attempts_is_reported_as_such() {
    let (text, page) = (text(&[capture()], &Tally::default()), html(&[capture()], &Tally::default()));
    for report in [&text, &page] {
        assert!(report.contains("No connection attempt was seen."), "{report}");
        assert!(report.contains("No attempt with a translated port"), "{report}");
    }
    assert!(!page.contains("<svg"));
}

#[test]
fn what_was_lost_is_said() {
    let tally = tally();
    let captures = [capture()];
    let lossy = |report: &Report<'_>| {
        let summary = Summary { lost: [1234, 0, 0, 0], evicted: 7, ..report.summary.clone() };
        let read = ReadReport { damaged_blocks: 3, ..*report.read };
        let report = Report { summary: &summary, read: &read, ..*report };
        (text::render(&report, false).unwrap().replace("\n    ", " "), html::render(&report).unwrap())
    };
    let (text, page) = with(&["x"], &captures, &tally, lossy);
    for expected in ["1,234 events were lost", "ring_full 1,234", "7 attempts and bindings", "3 damaged blocks skipped"]
    {
        assert!(text.contains(expected) && page.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn different_policies_are_not_marked_as_one() {
    let other = Capture { policy: crate::model::PolicyChange::default().over(&capture().policy), ..capture() };
    assert!(text(&[capture(), other.clone()], &tally()).contains("━"));
    let policy = crate::model::Policy { v4: PortSet::range(10, 2000), ..other.policy.clone() };
    let text = text(&[capture(), Capture { policy, ..other }], &tally());
    assert!(!text.contains("━") && text.contains("different policies"), "{text}");
}

#[test]
fn recordings_of_one_node_are_named_once() {
    let text = text(&[capture(), Capture { session: 2, ..capture() }], &tally());
    assert_eq!(text.matches("node7 (6.12.1)").count(), 1, "{text}");
}

#[test]
fn the_inference_has_a_place_of_its_own() {
    let (captures, tally) = ([capture()], tally());
    let mut infer = Infer::default();
    infer.ended(&Attempt {
        outcome: Outcome::Established,
        ..example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:40000", "203.0.113.80:443")
    });
    with(&["x"], &captures, &tally, |report| {
        let report = Report { inference: &infer.conclusions(), ..*report };
        assert!(text::render(&report, false).unwrap().contains("the path accepts\nIPv4: too few attempts"));
        assert!(html::render(&report).unwrap().contains("<p>IPv4: too few attempts"));
    });
}
