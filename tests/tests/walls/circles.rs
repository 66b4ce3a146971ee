//! Circles of files: which files of a room import one another.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use super::source::Source;

/// The files that each file imports, by their paths as modules: `tracer/join/nat`, and `tracer/join` for `join/mod.rs`.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Files that import one another, one complaint for each file of such a circle. Rooms are `tracer/src/*`, and each other crate; what
/// is only compiled for tests does not count.
pub fn circles(sources: &[Source]) -> Vec<String> {
    let files: BTreeMap<String, &Source> =
        sources.iter().filter_map(|source| Some((module(&source.path)?, source))).collect();
    let imports: Imports = files.iter().map(|(name, source)| (name.clone(), imported(name, source, &files))).collect();
    let back = |name: &String| {
        let reachable = reachable(name, &imports);
        reachable.contains(name).then(|| {
            let others: Vec<_> = imports[name].iter().filter(|other| reaches(other, name, &imports)).cloned().collect();
            format!("{name} imports {}, which leads back to {name}", others.join(", "))
        })
    };
    files.keys().filter_map(back).collect()
}

/// `None` for what is only there for tests.
fn module(path: &str) -> Option<String> {
    let (root, name) = path.strip_suffix(".rs")?.split_once("/src/")?;
    let name = name.strip_suffix("/mod").unwrap_or(name);
    let is_test = name.split('/').any(|part| ["tests", "testing", "example"].contains(&part));
    (!is_test && !["lib", "main"].contains(&name))
        .then(|| format!("{}/{name}", root.rsplit('/').next().unwrap_or(root)))
}

fn room(name: &str) -> Vec<&str> {
    name.split('/').take(if name.starts_with("tracer/") { 2 } else { 1 }).collect()
}

/// Files of the same room alone: what rooms import from one another is checked elsewhere.
fn imported(name: &str, source: &Source, files: &BTreeMap<String, &Source>) -> BTreeSet<String> {
    let found = paths(source.tokens()).into_iter().filter_map(|path| file_of(name, &path, files));
    found.filter(|other| other != name && room(other) == room(name)).collect()
}

/// The paths that begin with `crate`, `super` or `self`, but for those in `mod tests`.
fn paths(tokens: TokenStream) -> Vec<Vec<String>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map(ToString::to_string);
        match token {
            TokenTree::Group(_) if before.as_deref() == Some("tests") => {}
            TokenTree::Group(group) => found.extend(paths(group.stream())),
            TokenTree::Ident(start) if ["crate", "super", "self"].iter().any(|root| start == root) => {
                // `pub(super)` and `self.x` are no paths, and `super::super` is one.
                let goes_on = at > 1 && tokens[at - 2..at].iter().all(|token| token.to_string() == ":");
                found.extend(path(&tokens[at..]).into_iter().filter(|path| path.len() > 1 && !goes_on));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// The path that these tokens begin with; `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn path(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let is_sign = |token: &TokenTree, of: char| matches!(token, TokenTree::Punct(sign) if sign.as_char() == of);
    let ends = match tokens {
        [TokenTree::Ident(_), one, other, rest @ ..] if is_sign(one, ':') && is_sign(other, ':') => path(rest),
        [TokenTree::Group(list), ..] => {
            let list: Vec<TokenTree> = list.stream().into_iter().collect();
            return list.split(|token| is_sign(token, ',')).flat_map(path).collect();
        }
        [TokenTree::Ident(_), ..] => vec![Vec::new()],
        _ => return Vec::new(),
    };
    let first = tokens[0].to_string();
    ends.into_iter().map(|end| [vec![first.clone()], end].concat()).collect()
}

/// The file that a path leads to: that of the longest part of it which is one.
fn file_of(name: &str, path: &[String], files: &BTreeMap<String, &Source>) -> Option<String> {
    let mut at: Vec<&str> = name.split('/').collect();
    for part in path {
        match part.as_str() {
            "crate" => at.truncate(1),
            "self" => {}
            "super" => {
                at.pop();
            }
            part => at.push(part),
        }
    }
    (1..=at.len()).rev().map(|length| at[..length].join("/")).find(|name| files.contains_key(name))
}

fn reachable(name: &str, imports: &Imports) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = next.pop() {
        next.extend(imports.get(&name).into_iter().flatten().filter(|other| found.insert((*other).clone())).cloned());
    }
    found
}

fn reaches(from: &str, to: &str, imports: &Imports) -> bool {
    from == to || reachable(from, imports).contains(to)
}

#[test]
fn files_that_import_one_another_are_found() {
    let file = |name: &str, text: &str| Source::new(&format!("tracer/src/join/{name}.rs"), text);
    let front = || file("mod", "pub use self::{nat::Nat, slot::Slot};");
    let slot = || file("slot", "use super::{tuple::{Key, Tuple}, nat64};");
    assert!(
        circles(&[front(), file("nat", "use super::slot::Slot;"), slot(), file("tuple", ""), file("nat64", "")])
            .is_empty()
    );
    let tuple = file("tuple", "fn tuple(slot: super::slot::Slot) {}");
    let circle = circles(&[front(), slot(), tuple, file("nat64", "")]);
    assert_eq!(circle.len(), 2, "{circle:?}");
    assert!(!circles(&[front(), file("nat", "use super::Slot;")]).is_empty(), "by way of the front page");
    let test = "#[cfg(test)]\nmod tests {\n    use super::super::nat::Nat;\n}";
    assert!(circles(&[file("nat", "use super::slot::Slot;"), file("slot", test)]).is_empty());
}
