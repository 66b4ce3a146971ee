//! The parts of the page that are not pictures.

use maud::{Markup, html};

use crate::model::{Capture, percent};
use crate::outputs::escape::Escaped;
use crate::report::numbers::{grouped, share};
use crate::report::tables::{COLUMNS, ReportTable, Row, TableColumn};
use crate::report::{Report, words};

/// A word that explains itself when it is pointed at, tapped or reached by Tab.
pub(super) fn term(name: &str, class: &str, about: &str) -> Markup {
    html! { span class={ "term " (class) } tabindex="0" { (name) span.bubble role="tooltip" { (about) } } }
}

/// What was read, and with which policy.
pub(super) fn about(report: &Report<'_>) -> Markup {
    let files: Vec<_> = report.files.iter().map(|file| Escaped(file).to_string()).collect();
    html! {
        ul.about {
            @if let Some(period) = words::period(report) { li { (period.replace(" s)", "\u{a0}s)")) } }
            @for capture in words::captures(report) { li { (capture) } }
            li { "from " (files.join(", ")) }
        }
    }
}

/// The counts that matter, large.
pub(super) fn tiles(report: &Report<'_>) -> Markup {
    let (summary, all) = (report.summary, report.tally.all);
    let attempts = summary.attempts;
    let tiles = [
        ("attempts", "", attempts, 0, "TCP connection attempts in the trace."),
        ("translated", "", summary.translated, attempts, "Attempts whose translated tuple is known."),
        (
            "retransmitted",
            "",
            summary.retransmitted_attempts,
            attempts,
            "Attempts whose SYN was retransmitted at least once.",
        ),
        (
            "unanswered",
            "bad",
            all.unanswered,
            attempts,
            "Attempts without a SYN-ACK or RST after at least one retransmit or a timeout.",
        ),
        (
            "flagged",
            "bad",
            summary.flagged_attempts,
            attempts,
            "Attempts with a retransmitted SYN whose translated port is outside the allowed ports.",
        ),
        (
            "lost events",
            "bad",
            summary.lost_total(),
            0,
            "Events that the kernel saw and snatrace did not receive; if there are any, all other numbers may be too low.",
        ),
    ];
    html! {
        section.tiles aria-label="Counts" {
            @for (name, class, count, of, about) in tiles {
                div class={ "tile" @if count > 0 { " " (class) } } {
                    (term(name, "", about))
                    strong { (grouped(count)) }
                    small { @if of > 0 { (share(count, of)) } @else { "\u{a0}" } }
                }
            }
        }
    }
}

/// Sentences under a heading, where there are any.
pub(super) fn sentences(heading: &str, sentences: &[String]) -> Markup {
    html! {
        @if !sentences.is_empty() {
            section {
                h2 { (heading) }
                @for sentence in sentences { p { (sentence) } }
            }
        }
    }
}

/// What links to a table name it by.
pub(super) fn anchor(table: &ReportTable) -> String {
    table.title.replace(' ', "-").to_lowercase()
}

/// Buttons that sort a table by a column. The style does it, so that the page needs no script.
fn sort(table: &ReportTable) -> Markup {
    html! {
        @if table.rows.len() > 1 {
            fieldset.sort {
                legend { "Sort by" }
                @for (number, name) in ["worst"].into_iter().chain(COLUMNS.iter().map(|column| column.name)).enumerate() {
                    label {
                        input type="radio" name={ "sort-" (anchor(table)) } class={ "by-" (name) } checked[number == 0];
                        (name)
                    }
                }
            }
        }
    }
}

/// Where a row stands by each column, highest first, as variables of its style.
fn ranks(rows: &[Row], row: &Row) -> String {
    let rank = |column: &TableColumn| {
        rows.iter().filter(|other| (column.value)(&other.counts) > (column.value)(&row.counts)).count()
    };
    COLUMNS.iter().map(|column| format!("--by-{}:{};", column.name, rank(column))).collect()
}

/// A table, each number with what it is. The roles stay when a narrow page lays rows out as grids.
pub(super) fn table(table: &ReportTable) -> Markup {
    html! {
        section id=(anchor(table)) {
            h2 { (table.title) }
            p.note { (table.about) }
            (sort(table))
            div.scroll {
                table.counts role="table" {
                    thead role="rowgroup" {
                        tr role="row" {
                            th role="columnheader" scope="col" { (table.label) }
                            @for column in &COLUMNS { th.number role="columnheader" scope="col" { (term(column.name, "end", column.about)) } }
                        }
                    }
                    tbody role="rowgroup" {
                        @for (number, row) in table.rows.iter().enumerate() {
                            (counts(row, &ranks(&table.rows, row), (!row.list.is_empty()).then(|| list_anchor(table, number))))
                        }
                        @if let Some(row) = &table.others { (counts(row, OTHERS, None)) }
                    }
                }
            }
            @for (number, row) in table.rows.iter().enumerate() { (list(table, number, row)) }
            @for note in &table.notes { p.note { (note) } }
        }
    }
}

fn list_anchor(table: &ReportTable, number: usize) -> String {
    format!("{}-{}", anchor(table), number + 1)
}

/// What the label of a row leads to; only the list that was chosen is shown.
fn list(table: &ReportTable, number: usize, row: &Row) -> Markup {
    html! {
        @if !row.list.is_empty() {
            div.list id=(list_anchor(table, number)) {
                h3 { (row.label) " " a href={ "#" (anchor(table)) } { "close" } }
                p.note { "The " (table.listed) ", the worst first." }
                table {
                    thead { tr { th scope="col" { "" } th.number scope="col" { "unanswered" } th.number scope="col" { "flagged" } th.number scope="col" { "rtx" } } }
                    tbody {
                        @for (label, counts) in &row.list {
                            tr {
                                th scope="row" { (label) }
                                td.number { (grouped(counts.unanswered)) }
                                td.number { (grouped(counts.flagged)) }
                                td.number { (grouped(counts.retransmits)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Below all others, whatever they are sorted by.
const OTHERS: &str = "order:1000 !important;";

fn counts(row: &Row, order: &str, list: Option<String>) -> Markup {
    let bar = percent(row.counts.unanswered, row.counts.attempts).unwrap_or(0.0);
    html! {
        tr role="row" style={ "--bar:" (format!("{bar:.1}")) "%;" (order) } {
            th role="rowheader" scope="row" {
                @if let Some(list) = list { a href={ "#" (list) } { (row.label) } } @else { (row.label) }
            }
            @for column in &COLUMNS {
                @let number = (column.full)(&row.counts);
                td.number.share[column.name == "share"] role="cell" tabindex="-1"
                    data-tip={ (row.label) ": " (number) " " (column.name) ". " (column.about) } { (number) }
            }
        }
    }
}

/// What was hooked, what was not, and what was lost.
pub(super) fn capture(report: &Report<'_>) -> Markup {
    html! {
        section {
            h2 { "Capture" }
            @for line in words::losses(report) { p { (line) } }
            @if report.captures.iter().any(|capture| !capture.hooks.is_empty()) {
                div.scroll {
                    table {
                        thead { tr { th scope="col" { "node" } th scope="col" { "hook" } th scope="col" { "state" } } }
                        tbody { @for capture in report.captures { (hooks(capture)) } }
                    }
                }
            }
        }
    }
}

fn hooks(capture: &Capture) -> Markup {
    html! {
        @for hook in &capture.hooks {
            tr {
                th scope="row" { (Escaped(&capture.node)) }
                td { code { (Escaped(&hook.stem)) } }
                td { @match &hook.off { None => "on", Some(why) => { "off: " (Escaped(why)) } } }
            }
        }
    }
}
