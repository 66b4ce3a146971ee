//! A report as one HTML page that needs nothing else: no script, no font, no network.
//!
//! Every string goes through `Escaped` and then through maud, so nothing that a trace says becomes markup; and the
//! page's own policy forbids all but its style. `plot` draws, `figures` says what, `palette` has the colours.

mod figures;
mod palette;
mod parts;
mod plot;

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, tables, words};
use crate::outputs::escape::Escaped;

const STYLE: &str = include_str!("style.css");
/// Nothing is loaded, whatever is in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The report as a page.
pub fn render(report: &Report<'_>) -> Result<String> {
    let pictures = pictures(report)?;
    let (headline, tables) = (words::headline(report), tables::all(report));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "snatrace report: " (Escaped(&report.files.join(", "))) }
                style { (PreEscaped(palette::style())) (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "snatrace " span { "report" } }
                    p.headline { (headline.replace(" %", "\u{a0}%")) }
                    @if let Some(remedy) = words::remedy(report) { p.remedy { (remedy) } }
                    (parts::about(report))
                    nav { @for table in &tables { a href={ "#" (parts::anchor(table)) } { (table.title) } } }
                }
                main {
                    (parts::tiles(report))
                    (pictures)
                    @for (heading, sentences) in words::conclusions(report) { (parts::sentences(heading, &sentences)) }
                    div.tables { @for table in &tables { (parts::table(table)) } }
                    (parts::capture(report))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn pictures(report: &Report<'_>) -> Result<Markup> {
    let mut pictures = Vec::new();
    for family in report.families() {
        pictures.push(figures::ports(&family)?);
    }
    pictures.extend(figures::over_time(report)?);
    Ok(html! { @for picture in pictures { (picture) } })
}
