//! Hostile listings: broken, endless, circular, full of control characters. Nothing may panic or run without end.

use proptest::prelude::*;

use super::*;
use crate::ruleset::{iptables, nft, nft_text, words};

fn read_json(json: &str) -> Sources {
    Recorded::nft(json, "").read()
}

#[test]
fn what_is_no_json_is_reported_and_no_rule() {
    for json in ["", "{", "[]", "null", "{\"nftables\": 7}", "{\"nftables\": [{\"rule\": []}]}", "\u{0}\u{1b}[31m"] {
        let sources = read_json(json);
        assert!(sources.rules.is_empty() && matches!(sources.sources[0].read, Read::Failed(_)), "{json:?}");
    }
}

#[test]
fn deep_json_is_refused() {
    let json = format!("{{\"nftables\": [{{\"rule\": {}", "[".repeat(1_000_000));
    assert!(matches!(read_json(&json).sources[0].read, Read::Failed(_)));
}

#[test]
fn rules_without_their_chain_and_strange_values_are_left_out() {
    let sources = read_json(
        r#"{"nftables": [
        {"rule": {"family": "ip", "table": "t", "chain": "gone", "expr": [{"masquerade": null}]}},
        {"chain": {"family": "ip", "table": "t", "name": "p", "type": "nat", "hook": "postrouting", "prio": -9}},
        {"rule": {"family": "ip", "table": "t", "chain": "p", "handle": 1, "expr": [7, null, {"match": 3}, {"jump": []},
            {"vmap": {"data": "@gone"}}, {"snat": {"port": {"range": [70000, -1]}}}]}},
        {"rule": {"family": "ip", "table": "t", "chain": "p", "handle": 2, "expr": [{"masquerade": {"port": {"range": [9, 3]}}}]}}]}"#,
    );
    assert_eq!(rules(&sources)[0].1.ports, NatPorts::Unknown);
    assert_eq!(rules(&sources)[1].1.ports, NatPorts::Ranges(vec![(3, 9)]), "the kernel swaps them");
    assert_eq!(sources.rules.len(), 2);
}

#[test]
fn chains_that_lead_to_themselves_end() {
    let mut json = String::from(
        r#"{"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c0", "type": "nat", "hook": "postrouting", "prio": 1}}"#,
    );
    for chain in 0..40 {
        json += &format!(r#",{{"chain": {{"family": "ip", "table": "t", "name": "c{chain}"}}}}"#);
        for target in 0..40 {
            json += &format!(
                r#",{{"rule": {{"family": "ip", "table": "t", "chain": "c{chain}", "expr": [{{"jump": {{"target": "c{target}"}}}}]}}}}"#
            );
        }
        json += &format!(
            r#",{{"rule": {{"family": "ip", "table": "t", "chain": "c{chain}", "expr": [{{"masquerade": null}}]}}}}"#
        );
    }
    let sources = read_json(&(json + "]}"));
    assert!(!sources.rules.is_empty() && sources.rules.iter().all(|rule| rule.paths.len() <= 8));
}

#[test]
fn a_save_that_stops_in_the_middle_is_read_as_far_as_it_goes() {
    let save = fixture!("docker.iptables");
    for end in 0..save.len() {
        let _ = iptables::parse(&save[..end], "iptables");
    }
    assert!(iptables::parse("*security\nCOMMIT\n", "iptables").is_empty());
    let odd = ":POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j SNAT --to-source :9-70000\n-A POSTROUTING -j\n-A POSTROUTING\n-A NOWHERE -j MASQUERADE\n";
    let tables = iptables::parse(&format!("*nat\n{odd}"), "iptables");
    let Action::Nat(nat) = &tables[0].chains[0].lines[0].action else { unreachable!() };
    assert_eq!((&nat.ports, &nat.address), (&NatPorts::Unknown, &None));
}

#[test]
fn a_comment_cannot_pass_for_a_handle_or_a_statement() {
    let text =
        "table ip t {\n\tchain c {\n\t\tip saddr 10.0.0.1 masquerade comment \"snat # handle 3\" # handle 9\n\t}\n}\n";
    let texts = nft_text::parse(text).texts;
    assert_eq!(texts.keys().map(|key| key.2).collect::<Vec<_>>(), [9]);
}

#[test]
fn a_table_with_an_owner_gives_its_texts_to_no_other_table() {
    let listing = "table ip a { # handle 1\n\tchain post { # handle 1\n\t\tmasquerade random # handle 2\n\t}\n}\n\
        table inet o { # handle 2 progname nft\n\tflags owner\n\n\tchain c { # handle 1\n\t\ttcp dport 22 # handle 2\n\t}\n}\n\
        table odd\n\tchain c {\n\t\taccept # handle 2\n\t}\n";
    let listing = nft_text::parse(listing);
    let owner = &listing.tables[&("inet".to_owned(), "o".to_owned())];
    assert!(owner.is_owned && owner.program.as_deref() == Some("nft"), "{owner:?}");
    let texts = listing.texts;
    let text = |family: &str, table: &str| texts.get(&(family.to_owned(), table.to_owned(), 2)).map(String::as_str);
    assert_eq!((text("ip", "a"), text("inet", "o"), texts.len()), (Some("masquerade random"), Some("tcp dport 22"), 2));
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "(\\PC|[\\n\\t\"'\\\\*:#-]){0,200}") {
        let listing = nft_text::parse(&text);
        let _ = nft::objects(&text).map(|objects| nft::tables([objects], &listing));
        let _ = iptables::parse(&format!("*nat\n:A - [0:0]\n-A A {text}"), "iptables");
        let _ = iptables::parse(&text, "ip6tables");
    }

    #[test]
    fn a_shell_gives_back_the_word_it_was_given(word in "\\PC{0,40}") {
        let quoted = words::for_shell(&word);
        if quoted != word {
            let inside = quoted.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap();
            prop_assert_eq!(inside.replace(r"'\''", "'"), word);
        }
    }
}
