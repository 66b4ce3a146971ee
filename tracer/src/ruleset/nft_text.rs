//! `nft -a list ruleset`: the text of each rule as nft itself writes it, found by the rule's handle.

use std::collections::HashMap;

use super::words;

/// Texts by family, table and handle. A rule that spans several lines becomes one.
pub(super) fn parse(listing: &str) -> HashMap<(String, String, u64), String> {
    let mut texts = HashMap::new();
    let mut table = None;
    let mut is_in_chain = false;
    let mut rule = String::new();
    for line in listing.lines() {
        let (indent, line) = (line.len() - line.trim_start_matches('\t').len(), line.trim());
        let (body, handle) = split_handle(line);
        match indent {
            // `table inet o { # progname nft`: a rule of a table whose name is not understood has no text.
            0 if !line.is_empty() => {
                table = opening(body, "table");
                is_in_chain = false;
                rule.clear();
            }
            0 => {}
            1 => is_in_chain = body.starts_with("chain ") && body.ends_with('{'),
            _ if is_in_chain => {
                rule = if rule.is_empty() { body.to_owned() } else { format!("{rule} {body}") };
                if let (Some((family, name)), Some(handle)) = (&table, handle) {
                    texts.insert((family.clone(), name.clone(), handle), std::mem::take(&mut rule));
                } else if rule.ends_with(';') {
                    // `type nat hook postrouting priority srcnat; policy accept;`
                    rule.clear();
                }
            }
            _ => {}
        }
    }
    texts
}

/// `table ip nat {`
fn opening(body: &str, word: &str) -> Option<(String, String)> {
    let mut words = body.split(' ');
    let is_table = words.next() == Some(word);
    let (family, name) = (words.next().filter(|_| is_table)?, words.next()?);
    (words.next() == Some("{")).then(|| (family.to_owned(), name.to_owned()))
}

/// The line without its `# handle 7`, and the number.
fn split_handle(line: &str) -> (&str, Option<u64>) {
    let split = line.rsplit_once("# handle ");
    match split.and_then(|(body, number)| Some((body.trim_end(), number.parse().ok()?))) {
        Some((body, handle)) => (body, Some(handle)),
        None => (line, None),
    }
}

/// What stands before the NAT statement, without counters: what a rule has to ask for to meet the same packets.
pub(super) fn matches(text: &str) -> Vec<String> {
    let words = words::split(text);
    let is_statement = |word: &words::Word| !word.quoted && ["masquerade", "snat", "xt"].contains(&word.text.as_str());
    let end = words.iter().rposition(is_statement).unwrap_or(words.len());
    let mut matches = Vec::new();
    let mut words = words.into_iter().take(end).peekable();
    while let Some(word) = words.next() {
        if !word.quoted && word.text == "counter" {
            // counter packets 0 bytes 0
            while words.next_if(|word| word.text == "packets" || word.text == "bytes").is_some() {
                words.next();
            }
        } else {
            matches.push(if word.quoted { format!("\"{}\"", word.text) } else { word.text });
        }
    }
    matches
}
