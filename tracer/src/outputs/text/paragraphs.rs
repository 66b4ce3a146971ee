//! Paragraphs that keep to the width of the page.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// No line is wider, unless the terminal is.
pub(super) const PAGE: usize = 120;

const INDENT: &str = "    ";

/// Columns of paragraphs on a terminal of that width, if there is one.
pub(super) fn page_of(terminal: Option<usize>) -> usize {
    terminal.unwrap_or(PAGE).min(PAGE)
}

/// A paragraph for a terminal of that width, if there is one.
pub(in crate::outputs) fn paragraph(terminal: Option<usize>, text: &str) -> String {
    paragraph_of(page_of(terminal), text)
}

/// A paragraph with every line indented.
pub(super) fn indented(page: usize, text: &str) -> String {
    textwrap::fill(text, options(page).initial_indent(INDENT)) + "\n"
}

/// A paragraph of plain ASCII with its newline; lines after the first are indented.
pub(crate) fn paragraph_of(page: usize, text: &str) -> String {
    textwrap::fill(text, options(page)) + "\n"
}

/// Lines break at spaces alone, and within a word only where it is wider than the page.
pub(crate) fn options(page: usize) -> Options<'static> {
    Options::new(page)
        .subsequent_indent(INDENT)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_keeps_to_the_page_even_without_spaces() {
        let out = paragraph_of(PAGE, &format!("{} {} end", "w ".repeat(70).trim(), "x".repeat(300)));
        assert!(out.lines().all(|line| line.len() <= PAGE), "{out}");
        assert_eq!(out.matches('x').count(), 300);
        assert!(out.ends_with("x end\n"), "{out}");
    }
}
