//! Source files as the rules see them: their text, and their tokens without comments.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

pub struct Source {
    /// From the workspace's root.
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The directory or file directly below `tracer/src` that this belongs to.
    pub fn room(&self) -> &str {
        let inside = self.path.strip_prefix("tracer/src/").unwrap_or_default();
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    pub fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_else(|error| panic!("{} is no Rust: {error}", self.path))
    }

    /// Identifiers and keywords, with their line numbers.
    pub fn words(&self) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        collect_words(self.tokens(), &mut words);
        words
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

/// The names among tokens, those within brackets included, with their line numbers.
fn collect_words(tokens: TokenStream, words: &mut Vec<(usize, String)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Ident(word) => words.push((word.span().start().line, word.to_string())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[test]
fn comments_and_what_is_quoted_are_no_words() {
    let text = "let a = \"aya \\\" x\"; // aya\nlet b = r#\"aya\"#; /* aya\n */ let d: &'static str = '\\n';";
    let words: Vec<_> = Source::new("x.rs", text).words().iter().map(|(line, word)| format!("{line} {word}")).collect();
    assert_eq!(words.join(", "), "1 let, 1 a, 2 let, 2 b, 3 let, 3 d, 3 static, 3 str");
}
