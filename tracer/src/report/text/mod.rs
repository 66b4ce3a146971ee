//! A report for a terminal of 80 columns.

mod picture;

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{Report, tables, words};
use crate::model::Capture;
use crate::outputs::escape::Escaped;
use crate::outputs::text::paragraphs::paragraph_of;
use crate::report::tables::{COLUMNS, ReportTable};

/// No line is wider.
const PAGE: usize = 80;

const NUMBER: usize = 10;
const LABEL: usize = PAGE - COLUMNS.len() * (NUMBER + 1);
/// The rest is a space.
const MAX_LABEL_LEN: usize = LABEL - 1;

/// Colours, or none.
#[derive(Clone, Copy, Default)]
struct Styles {
    heading: Style,
    answered: Style,
    unanswered: Style,
}

/// The report as text, with colours if asked for.
pub fn render(report: &Report<'_>, colour: bool) -> Result<String, fmt::Error> {
    let mut out = String::new();
    let styles = styles(colour);
    head(&mut out, report);
    paragraph(&mut out, &words::headline(report));
    words::remedy(report).into_iter().for_each(|remedy| paragraph(&mut out, &remedy));
    for family in report.families() {
        picture::ports(&mut out, &family, styles)?;
    }
    picture::over_time(&mut out, report, styles)?;
    for (title, sentences) in words::conclusions(report).iter().filter(|(_, sentences)| !sentences.is_empty()) {
        heading(&mut out, styles, title)?;
        sentences.iter().for_each(|line| paragraph(&mut out, line));
    }
    for of in tables::all(report) {
        table(&mut out, &of, styles)?;
    }
    capture(&mut out, report, styles)?;
    Ok(out)
}

fn styles(colour: bool) -> Styles {
    if !colour {
        return Styles::default();
    }
    Styles {
        heading: Style::new().bold(),
        answered: AnsiColor::Cyan.on_default(),
        unanswered: AnsiColor::Red.on_default().bold(),
    }
}

fn head(out: &mut String, report: &Report<'_>) {
    let files: Vec<_> = report.files.iter().map(|file| Escaped(file).to_string()).collect();
    paragraph(out, &format!("snatrace report of {}", files.join(", ")));
    words::captures(report).iter().for_each(|line| paragraph(out, line));
    if let Some(period) = words::period(report) {
        paragraph(out, &period);
    }
    out.push('\n');
}

fn capture(out: &mut String, report: &Report<'_>, styles: Styles) -> fmt::Result {
    heading(out, styles, "Capture")?;
    words::losses(report).iter().for_each(|line| paragraph(out, line));
    let several = report.captures.len() > 1;
    for of in report.captures {
        let node = if several { format!("{}: ", Escaped(&of.node)) } else { String::new() };
        paragraph(out, &format!("{node}hooks on: {}", on(of)));
        for hook in &of.hooks {
            if let Some(why) = &hook.off {
                paragraph(out, &format!("{node}without {}: {}", Escaped(&hook.stem), Escaped(why)));
            }
        }
    }
    Ok(())
}

fn on(capture: &Capture) -> String {
    let on = capture.hooks.iter().filter(|hook| hook.off.is_none());
    let on: Vec<_> = on.map(|hook| Escaped(&hook.stem).to_string()).collect();
    if on.is_empty() { "none".to_owned() } else { on.join(", ") }
}

fn heading(out: &mut String, styles: Styles, title: &str) -> fmt::Result {
    let style = styles.heading;
    writeln!(out, "\n{style}{title}{style:#}")
}

fn paragraph(out: &mut String, text: &str) {
    out.push_str(&paragraph_of(PAGE, text));
}

fn table(out: &mut String, table: &ReportTable, styles: Styles) -> fmt::Result {
    heading(out, styles, table.title)?;
    line(out, &table.label.to_uppercase(), |index| COLUMNS[index].name.to_uppercase(), styles.heading)?;
    for row in table.rows.iter().chain(&table.others) {
        line(out, &fitting(&row.label), |index| (COLUMNS[index].short)(&row.counts), Style::new())?;
    }
    table.notes.iter().for_each(|note| paragraph(out, note));
    Ok(())
}

fn line(out: &mut String, label: &str, number: impl Fn(usize) -> String, style: Style) -> fmt::Result {
    write!(out, "{style}{label:<LABEL$.MAX_LABEL_LEN$}")?;
    for index in 0..COLUMNS.len() {
        write!(out, " {:>NUMBER$}", number(index))?;
    }
    writeln!(out, "{style:#}")
}

/// A long address loses its middle: both ends distinguish it better.
fn fitting(label: &str) -> String {
    if label.len() <= MAX_LABEL_LEN || !label.is_ascii() {
        return label.to_owned();
    }
    let tail = MAX_LABEL_LEN / 2;
    format!("{}…{}", &label[..MAX_LABEL_LEN - tail - 1], &label[label.len() - tail..])
}
