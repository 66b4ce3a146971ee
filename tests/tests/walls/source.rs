//! Source files as the rules see them: without comments and without what stands between quotes.

use std::fs;
use std::path::{Path, PathBuf};

pub struct Source {
    /// From the workspace's root.
    pub path: String,
    pub text: String,
    /// The text without comments and strings; lines stay where they are.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: code(text) }
    }

    /// The directory or file directly below `tracer/src` that this belongs to.
    pub fn room(&self) -> &str {
        let inside = self.path.strip_prefix("tracer/src/").unwrap_or_default();
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Identifiers and keywords, with their line numbers.
    pub fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().flat_map(|(index, line)| {
            let words = line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            words.filter(|word| !word.is_empty()).map(move |word| (index + 1, word))
        })
    }
}

/// All Rust files below these directories of the workspace; never none, or the rules would hold for nothing.
pub fn read(directories: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for directory in directories {
        let before = sources.len();
        collect(&root().join(directory), &mut sources);
        assert!(sources.len() > before, "no Rust file below {directory}");
    }
    sources
}

pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn collect(directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
            sources.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Replaces comments, strings and characters by nothing but their line ends.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        let length = skipped.unwrap_or(first.len_utf8());
        match skipped {
            Some(length) => code.extend(rest[..length].chars().filter(|letter| *letter == '\n')),
            None => code.push(first),
        }
        // A raw string begins with a letter, which must not be the end of a longer word.
        rest = &rest[length..];
        if skipped.is_none() && (first.is_alphanumeric() || first == '_') {
            let word = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
            code.push_str(&rest[..word]);
            rest = &rest[word..];
        }
    }
    code
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| rest.find("*/").map_or(rest.len(), |end| end + 2))
}

fn string(rest: &str) -> Option<usize> {
    let prefix = ["\"", "b\"", "c\""].into_iter().find(|prefix| rest.starts_with(prefix));
    if let Some(prefix) = prefix {
        let mut escaped = false;
        let end = rest[prefix.len()..].find(|letter| {
            let is_end = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            is_end
        });
        return Some(end.map_or(rest.len(), |end| prefix.len() + end + 1));
    }
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let body = raw[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(body.find(&close).map_or(rest.len(), |end| start + end + close.len()))
}

/// A character, not a lifetime.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    let first = body.chars().next()?;
    if first == '\\' {
        return body[2..].find('\'').map(|end| end + 4);
    }
    body[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[test]
fn code_is_what_is_neither_comment_nor_quoted() {
    let text =
        "let a = \"aya \\\" x\"; // aya\nlet b = r#\"aya\"#; let c = '\"'; /* aya\n */ let d: &'static str = '\\n';";
    assert_eq!(code(text), "let a = ; \nlet b = ; let c = ; \n let d: &'static str = ;");
}
