//! What is fuzzed: each target takes any bytes, and panics where something is wrong with the answer.
//!
//! `tests/fuzz` hands them to libFuzzer (`cargo xtask fuzz`), `tests/tests/fuzz.rs` replays the corpus in a plain test.

pub mod btf;
pub mod capture;
mod framing;
pub mod mutate;
pub mod rules;
pub mod trace;

use std::fs;
use std::path::{Path, PathBuf};

/// One target.
pub struct Target {
    pub name: &'static str,
    pub check: fn(&[u8]),
    /// Directories of inputs that are well formed, below the workspace, and how their names end.
    pub seeds: &'static [(&'static str, &'static str)],
}

pub const ALL: &[Target] = &[
    Target {
        name: "trace",
        check: trace::check,
        seeds: &[("tests/golden", ".trace"), ("tests/golden/format", ".trace"), ("tests/fuzz/seeds/capture", "")],
    },
    Target { name: "nft", check: rules::check_nft, seeds: &[(RULES, ".json"), (RULES, ".txt")] },
    Target { name: "iptables", check: rules::check_iptables, seeds: &[(RULES, ".iptables"), (RULES, ".ip6tables")] },
    Target {
        name: "capture",
        check: capture::check,
        seeds: &[("tests/fuzz/seeds/capture", ""), ("tests/captures", ".gz")],
    },
    Target { name: "btf", check: btf::check, seeds: &[("tests/fuzz/seeds/btf", ".btf")] },
];

const RULES: &str = "tracer/src/ruleset/tests/fixtures";

impl Target {
    /// The seeds, and the inputs that once failed (`tests/fuzz/regressions/TARGET`), in the order of their names.
    pub fn corpus(&self) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let mut files = Vec::new();
        for (directory, suffix) in self.seeds {
            files.extend(
                files_of(&root.join(directory))?.into_iter().filter(|path| path.to_string_lossy().ends_with(suffix)),
            );
        }
        files.extend(files_of(&root.join("tests/fuzz/regressions").join(self.name)).unwrap_or_default());
        files.sort();
        files.into_iter().map(|path| fs::read(&path).map(|bytes| (path, bytes))).collect()
    }
}

fn files_of(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    Ok(entries.iter().map(fs::DirEntry::path).filter(|path| path.is_file()).collect())
}

/// What would let a name from the kernel, a trace or a rule steer a terminal.
fn unprintable(text: &str) -> Option<char> {
    let is_bad = |char: char| {
        (char.is_control() && char != '\n')
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().find(|&char| is_bad(char))
}
