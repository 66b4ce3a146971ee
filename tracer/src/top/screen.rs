//! Draws the counts: two lines of totals, the picture of the ports, a table, the keys. Readable without colours.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Row, Table, TableState};

use super::counts::{RowCounts, TopCounts};
use super::state::{ScreenState, Tab};
use crate::model::percent;
use crate::outputs::escape::Escaped;
use crate::tally::{HIGHEST, LOWEST};

const HELP: &str = "\
keys\n\n  left, right, tab   pods, destinations, causes\n  up, down, k, j     select; page up, page down, home\n  s                  sort by flagged, \
retransmitted, attempts, name\n  /                  show only names that contain a text; esc shows all\n  6                  ports of IPv6 or \
IPv4\n  q, ctrl-c          end\n\nports, a range in each column: # answered, x unanswered, % both, . not tried\nany key closes this";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, counts: &TopCounts, state: &mut ScreenState) {
    let rows = [Constraint::Length(3), Constraint::Length(3), Constraint::Min(3), Constraint::Length(1)];
    let [head, ports, table, keys] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(totals(counts)), head);
    frame.render_widget(Paragraph::new(picture(counts, state.is_ipv6, ports.width)), ports);
    draw_table(frame, counts, state, table);
    let line = match state.is_typing {
        true => format!("show names with: {}_", Escaped(&state.filter)),
        false => "left/right view  up/down select  s sort  / filter  6 family  ? help  q quit".to_owned(),
    };
    frame.render_widget(Paragraph::new(line).style(Style::new().add_modifier(Modifier::REVERSED)), keys);
    if state.has_help {
        frame.render_widget(Clear, table);
        frame.render_widget(Paragraph::new(HELP), table);
    }
}

fn share(row: RowCounts) -> String {
    percent(row.retransmitted, row.attempts()).map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1} %"))
}

fn totals(counts: &TopCounts) -> Vec<Line<'static>> {
    let (all, recent) = (counts.all, counts.recent());
    let seconds = counts.now_ns.saturating_sub(counts.first_ns.unwrap_or(counts.now_ns)) / 1_000_000_000;
    let node = counts.capture.as_ref().map_or_else(|| "starting".to_owned(), |of| Escaped(&of.node).to_string());
    let first = format!(
        "{node}  {seconds} s  attempts {}  open {}  retransmitted {} ({})  flagged {}",
        all.attempts(),
        counts.open,
        all.retransmitted,
        share(all),
        all.flagged
    );
    let second = format!(
        "last 60 s: {} of {} attempts retransmitted ({}), {} flagged",
        recent.retransmitted,
        recent.attempts(),
        share(recent),
        recent.flagged
    );
    let evidence =
        counts.evidence.iter().map(|(family, strength)| format!("{family} {}", strength.name().replace('_', " ")));
    let evidence = evidence.collect::<Vec<_>>().join(", ");
    let evidence = if evidence.is_empty() { "none yet".to_owned() } else { evidence };
    let lost = counts.progress.lost_total();
    let blind = if counts.is_blind { "  NO INTERFACE IS WATCHED" } else { "" };
    let alert = if lost > 0 || counts.is_blind { Style::new().fg(Color::Red) } else { Style::new() };
    vec![
        Line::styled(first, Style::new().add_modifier(Modifier::BOLD)),
        Line::from(second),
        Line::from(vec![
            Span::from(format!("evidence of a filter: {evidence}")),
            Span::styled(format!("  lost {lost}{blind}"), alert),
        ]),
    ]
}

/// One character for each range of ports.
fn picture(counts: &TopCounts, is_ipv6: bool, width: u16) -> Vec<Line<'static>> {
    let ports = &counts.ports[usize::from(is_ipv6)];
    let columns = ports.columns((HIGHEST + 1 - LOWEST).div_ceil(u32::from(width.max(1))));
    let column = |(_, _, count): (u32, u32, (u64, u64))| match count {
        (0, 0) => Span::from("."),
        (_, 0) => Span::styled("#", Style::new().fg(Color::Green)),
        (0, _) => Span::styled("x", Style::new().fg(Color::Red)),
        (_, _) => Span::styled("%", Style::new().fg(Color::Yellow)),
    };
    let (answered, unanswered) = ports.total();
    let family = if is_ipv6 { "IPv6" } else { "IPv4" };
    let allowed = counts.capture.as_ref().map(|of| format!(", allowed {}", of.policy.allowed(!is_ipv6)));
    let allowed = allowed.unwrap_or_default();
    let title = format!("{family} ports{allowed}: {answered} attempts answered (#), {unanswered} not (x)");
    let (low, high) = (LOWEST.to_string(), HIGHEST.to_string());
    let scale = format!("{low}{high:>width$}", width = usize::from(width).saturating_sub(low.len()));
    vec![Line::from(title), Line::from(columns.map(column).collect::<Vec<_>>()), Line::from(scale)]
}

/// Columns of a screen that has all columns of a table, with 20 for names.
const MIN_ALL_COLUMNS: u16 = 64;

fn draw_table(frame: &mut Frame<'_>, counts: &TopCounts, state: &mut ScreenState, area: Rect) {
    let rows = state.rows(counts);
    let filter = if state.filter.is_empty() { String::new() } else { format!(" with {}", Escaped(&state.filter)) };
    let title = format!("{}{filter}, by {}", state.tab.title(), state.sort.title());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let cells = |name: String, row: RowCounts| match state.tab {
        Tab::Causes => [name, String::new(), String::new(), String::new(), row.retransmits.to_string()],
        Tab::Pods | Tab::Destinations => [
            name,
            row.attempts().to_string(),
            format!("{} {:>7}", row.retransmitted, share(row)),
            row.flagged.to_string(),
            row.retransmits.to_string(),
        ],
    };
    let right = |[name, rest @ ..]: [String; 5]| {
        let [a, b, c, d] = rest;
        Row::new([name, format!("{a:>9}"), format!("{b:>15}"), format!("{c:>8}"), format!("{d:>7}")])
    };
    let titles = match state.tab {
        Tab::Causes => [title, String::new(), String::new(), String::new(), "SYN RTX".to_owned()],
        Tab::Pods | Tab::Destinations => {
            [title, "ATTEMPTS".to_owned(), "RETRANSMITTED".to_owned(), "FLAGGED".to_owned(), "SYN RTX".to_owned()]
        }
    };
    // Rather fewer columns than numbers that are cut.
    let if_wide = |width| Constraint::Length(if area.width < MIN_ALL_COLUMNS { 0 } else { width });
    let widths = [Constraint::Fill(1), if_wide(9), if_wide(15), Constraint::Length(8), Constraint::Length(7)];
    let body = rows.into_iter().map(|(name, row)| {
        let style = if row.flagged > 0 { Style::new().fg(Color::Red) } else { Style::new() };
        right(cells(Escaped(&name).to_string(), row)).style(style)
    });
    let table = Table::new(body, widths)
        .header(right(titles).style(bold))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(Some(state.selected)));
}
