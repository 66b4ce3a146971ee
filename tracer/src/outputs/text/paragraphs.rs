//! Paragraphs that keep to the width of the page.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// No line is wider, unless the terminal is.
pub(super) const PAGE: usize = 120;

const INDENT: &str = "    ";

/// Appends a paragraph of plain ASCII; lines after the first are indented.
pub(in crate::outputs) fn paragraph(out: &mut String, text: &str) {
    paragraph_of(PAGE, out, text);
}

/// A paragraph with every line indented.
pub(super) fn indented(page: usize, out: &mut String, text: &str) {
    fill(out, options(page).initial_indent(INDENT), text);
}

/// A paragraph for a page of another width.
pub(crate) fn paragraph_of(page: usize, out: &mut String, text: &str) {
    fill(out, options(page), text);
}

/// Lines break at spaces alone, and within a word only where it is wider than the page.
pub(crate) fn options(page: usize) -> Options<'static> {
    Options::new(page)
        .subsequent_indent(INDENT)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

fn fill(out: &mut String, options: Options<'_>, text: &str) {
    out.push_str(&textwrap::fill(text, options));
    out.push('\n');
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
