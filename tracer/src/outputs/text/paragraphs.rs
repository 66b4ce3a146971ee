//! Paragraphs that keep to the width of the page.

/// No line is wider.
pub(super) const PAGE: usize = 120;

const INDENT: &str = "    ";

/// Appends a paragraph of plain ASCII, broken at spaces where it can be; lines after the first are indented.
pub(in crate::outputs) fn paragraph(out: &mut String, text: &str) {
    paragraph_of(PAGE, out, text);
}

/// The same with every line indented.
pub(super) fn indented(out: &mut String, text: &str) {
    out.push_str(INDENT);
    fill(PAGE, INDENT.len(), out, text);
}

/// A paragraph for a page of another width.
pub(crate) fn paragraph_of(page: usize, out: &mut String, text: &str) {
    fill(page, 0, out, text);
}

fn fill(page: usize, mut column: usize, out: &mut String, text: &str) {
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && column + 1 + word.len() <= page {
            out.push(' ');
            column += 1;
        } else if index > 0 {
            column = break_line(out);
        }
        let mut rest = word;
        while rest.len() > page - column {
            let (head, tail) = rest.split_at(page - column);
            out.push_str(head);
            column = break_line(out);
            rest = tail;
        }
        out.push_str(rest);
        column += rest.len();
    }
    out.push('\n');
}

fn break_line(out: &mut String) -> usize {
    out.push('\n');
    out.push_str(INDENT);
    INDENT.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_keeps_to_the_page_even_without_spaces() {
        let mut out = String::new();
        paragraph(&mut out, &format!("{} {} end", "w ".repeat(70).trim(), "x".repeat(300)));
        assert!(out.lines().all(|line| line.len() <= PAGE), "{out}");
        assert_eq!(out.matches('x').count(), 300);
        assert!(out.ends_with("x end\n"), "{out}");
    }
}
