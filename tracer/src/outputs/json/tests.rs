//! Golden lines, and that the reference names every field.

use serde_json::{Value, json};
use tracer_common::config::Loss;

use crate::causes;
use crate::infer::Infer;
use crate::model::{
    Attempt, Capture, Diagnosis, Finding, HookState, NatMode, Origin, Outcome, PortSet, Strength, example,
};
use crate::outputs::inference;
use crate::outputs::testing::{Judged, attempts, view, written};
use crate::summary::Summary;

fn service() -> Attempt {
    example::attempt("10.42.0.7:51234", "10.96.0.10:443", "192.0.2.1:1200", "203.0.113.80:8443")
}

fn retransmit(capture: &Capture, attempt: &Attempt) -> String {
    written(&view("json"), |output| {
        output.start(&[capture])?;
        output.finding(&Judged::new(capture, attempt).finding())
    })
    .lines()
    .last()
    .unwrap()
    .to_owned()
}

#[test]
fn a_retransmit_line_has_the_promised_fields_in_their_order() {
    assert_eq!(
        retransmit(&example::capture("node7"), &service()),
        concat!(
            r#"{"kind":"retransmit","time":"2026-03-01T02:00:01.234567+02:00","node":"node7","flagged":true,"#,
            r#""cause":"port_out_of_range","src":"10.42.0.7","src_port":51234,"dst":"10.96.0.10","dst_port":443,"#,
            r#""nat_src":"192.0.2.1","nat_port":1200,"nat_dst":"203.0.113.80","nat_dst_port":8443,"#,
            r#""allowed":"32768-65535","retransmits":1,"outcome":"pending","nat_mode":"fully_random","#,
            r#""selections":1,"isn":4000000001,"netns":4026532300,"nat_netns":4026531840,"#,
            r#""pod":null,"namespace":null,"container":null,"process":null,"#,
            r#""explanation":null,"advice":null,"evidence":[],"evidence_strength":"proven"}"#
        )
    );
}

#[test]
fn what_is_unknown_is_null() {
    let bare = Attempt {
        original: None,
        translated: None,
        range: None,
        socket_netns: None,
        nat_netns: None,
        syns_leaving: 0,
        outcome: Outcome::TimedOut,
        ..service()
    };
    let line: Value = serde_json::from_str(&retransmit(&example::capture("node7"), &bare)).unwrap();
    for field in ["src", "src_port", "dst", "dst_port", "nat_src", "nat_port", "nat_dst", "netns", "nat_netns", "pod"] {
        assert_eq!(line.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(
        (&line["nat_mode"], &line["cause"], &line["outcome"]),
        (&json!("unknown"), &json!("unknown"), &json!("timed_out"))
    );
}

#[test]
fn a_diagnosis_and_the_end_of_an_attempt_are_told_with_evidence() {
    let (capture, attempt) = (example::capture("node7"), service());
    let evidence = vec!["SYN sent 2 times".to_owned()];
    let diagnosis = Diagnosis { explanation: "it is late".to_owned(), advice: "wait", evidence };
    let line = written(&view("json"), |output| {
        output.start(&[&capture])?;
        output.finding(&Finding {
            diagnosis: Some(&diagnosis),
            is_over: true,
            ..Judged::new(&capture, &attempt).finding()
        })
    });
    let line: Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    assert_eq!((&line["kind"], &line["src_port"]), (&json!("ended"), &json!(51234)));
    assert_eq!((&line["explanation"], &line["advice"]), (&json!("it is late"), &json!("wait")));
    assert_eq!(line["evidence"], json!(["SYN sent 2 times"]));
}

#[test]
fn the_advice_for_a_cause_is_on_its_first_line_only() {
    let (capture, attempt) = (example::capture("node7"), service());
    let diagnosis = Diagnosis { explanation: "it is late".to_owned(), advice: "wait", evidence: Vec::new() };
    let lines = written(&view("json"), |output| {
        let judged = Judged::new(&capture, &attempt);
        let finding = Finding { diagnosis: Some(&diagnosis), ..judged.finding() };
        output.finding(&finding)?;
        output.finding(&Finding { is_over: true, ..finding })
    });
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["advice"], &lines[1]["advice"]), (&json!("wait"), &Value::Null));
    assert_eq!((&lines[0]["explanation"], &lines[1]["explanation"]), (&json!("it is late"), &json!("it is late")));
}

#[test]
fn the_summary_names_its_node_unless_there_are_several() {
    let [node7, node8] = ["node7", "node8"].map(example::capture);
    for (captures, node) in [(vec![&node7, &node7], json!("node7")), (vec![&node7, &node8], Value::Null)] {
        let out = written(&view("json"), |output| {
            output.start(&captures)?;
            output.finish(&Summary::default())
        });
        let line: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        assert_eq!((&line["node"], &line["time"]), (&node, &Value::Null));
    }
}

#[test]
fn the_capture_line_says_what_was_allowed_and_which_hooks_were_on() {
    let mut node = example::capture("node7");
    node.policy.v6 = PortSet::range(0, u16::MAX);
    node.hooks.push(HookState { stem: "nat_bind".to_owned(), off: Some("no kprobes".to_owned()) });
    assert_eq!(
        written(&view("json"), |output| output.start(&[&node])),
        concat!(
            r#"{"kind":"capture","time":"2026-03-01T02:00:00.000000+02:00","version":"0.1.0","node":"node7","kernel":"6.12.1","allowed":"32768-65535","#,
            r#""allowed6":"any","allowed_from":"default","hooks":[{"hook":"wire","off":null},"#,
            r#"{"hook":"nat_bind","off":"no kprobes"}]}"#,
            "\n"
        )
    );
}

#[test]
fn the_summary_line_has_the_promised_fields_in_their_order() {
    let summary = Summary {
        end_unix_ns: Some(1_772_323_203_000_000_000),
        attempts: 10,
        translated: 9,
        retransmitted_attempts: 5,
        flagged_attempts: 4,
        flagged_retransmits: 12,
        by_cause: [("port_out_of_range", attempts(4)), ("unknown", attempts(1))].into(),
        by_strength: [(Strength::Proven, 3), (Strength::Contradicted, 1)].into(),
        policies: vec![example::policy_evidence()],
        failed_by_cause: [("refused", 2)].into(),
        lost: [1, 2, 3, 4],
        evicted: 7,
        ..Summary::default()
    };
    assert_eq!(
        written(&view("json"), |output| output.finish(&summary)),
        concat!(
            r#"{"kind":"summary","time":"2026-03-01T00:00:03.000000Z","node":null,"attempts":10,"translated":9,"retransmitted_attempts":5,"flagged_attempts":4,"#,
            r#""flagged_retransmits":12,"by_cause":{"port_out_of_range":4,"unknown":1},"failed_by_cause":{"refused":2},"lost":6,"#,
            r#""lost_by_kind":{"ring_full":1,"table_full":3,"unreadable":2},"skipped":4,"evicted":7,"unseen_attempts":0,"gave_up_attempts":0,"is_blind":false,"inference":null,"#,
            r#""evidence_strength":"proven","flagged_by_strength":{"contradicted":1,"proven":3},"policies":[{"node":"node7","#,
            r#""family":"ipv4","netns":null,"ifindex":2,"from":null,"until":null,"allowed":"32768-65535","allowed_from":"default","evidence_strength":"proven","#,
            r#""sides":[{"ports":"below 32768","evidence_strength":"proven","inside":{"answered":29,"unanswered":0},"#,
            r#""outside":{"answered":0,"unanswered":31},"filtered_destinations":3,"passing_destinations":1,"p_below_1e":-12,"#,
            r#""text":"IPv4: the assumed range 32768-65535 (default) holds for most destinations below 32768: over destinations tried from "#,
            r#"both sides, 0 of 31 attempts from ports below 32768 were answered, and 29 of 29 "#,
            r#"from ports in the range (by chance: p < 1e-12); "#,
            r#"these are attempts to 3 destinations, and 1 more answered such ports","destinations":"all"}],"not_passed":null,"own_sockets":false}]}"#,
            "\n"
        )
    );
}

#[test]
fn a_hostile_node_name_is_escaped_and_reads_back_unchanged() {
    let name = "\x1b[31m\u{9b}2J\u{202e}n\u{f6}de\u{1f600}\"\\\n";
    let line = retransmit(&example::capture(name), &service());
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["node"], json!(name));
}

#[test]
fn the_reference_names_every_value() {
    let reference = include_str!("../../../../docs/json.md");
    let outcomes = [Outcome::Pending, Outcome::Established, Outcome::TimedOut, Outcome::Refused, Outcome::Closed];
    let modes = [NatMode::FullyRandom, NatMode::Random, NatMode::Preserved, NatMode::Range, NatMode::Unknown];
    let origins = [Origin::Default, Origin::Given, Origin::Auto];
    let names = (causes::ALL.iter().map(|cause| cause.id))
        .chain(outcomes.map(Outcome::name))
        .chain(modes.map(NatMode::name))
        .chain(origins.map(Origin::name))
        .chain(Loss::ALL.map(Loss::name));
    for name in names {
        assert!(reference.contains(&format!("`{name}`")), "{name}");
    }
}

/// Sixty attempts to each of three destinations, of which those below 32768 go unanswered.
fn filtered() -> Infer {
    let mut infer = Infer::default();
    for number in 0..180_u16 {
        let mut attempt = service();
        let mut flow = attempt.translated.unwrap();
        flow.src_port = 1024 + number * 358;
        flow.dst_port = 443 + number % 3;
        attempt.outcome = if flow.src_port < 32768 { Outcome::TimedOut } else { Outcome::Established };
        attempt.first_ns = u64::from(number * 101 % 180) * 1_000_000;
        let waited_ms = if flow.src_port < 32768 { 1100 } else { 20 };
        attempt.last_ns = attempt.first_ns + waited_ms * 1_000_000;
        attempt.translated = Some(flow);
        infer.ended(&attempt);
    }
    infer
}

#[test]
fn the_summary_line_tells_what_can_be_inferred() {
    let summary = Summary { infer: filtered(), ..Summary::default() };
    let line: Value = serde_json::from_str(&written(&view("json"), |output| output.finish(&summary))).unwrap();
    let ipv4 = &line["inference"]["ipv4"];
    assert_eq!((&ipv4["verdict"], &ipv4["likely"]), (&json!("class"), &json!("32768-65535")), "{line}");
    assert_eq!(ipv4["outside"], json!({"answered": 0, "unanswered": 89}));
    assert_eq!(line["inference"]["ipv6"], Value::Null);
}

#[test]
fn the_reference_names_every_field_and_no_other() {
    let reference = include_str!("../../../../docs/json.md");
    let node = example::capture("node7");
    let all = written(&view("json"), |output| {
        output.start(&[&node])?;
        output.finding(&Judged::new(&node, &service()).finding())?;
        output.finish(&Summary::default())
    });
    let mut inferred = Vec::new();
    inference::write_conclusions(&filtered().conclusions(), inference::ConclusionFormat::Json, &mut inferred).unwrap();
    for line in all.lines().chain(str::from_utf8(&inferred).unwrap().lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line["kind"].as_str().unwrap();
        let section = reference.split("\n## ").find(|section| section.starts_with(&format!("`{kind}`"))).unwrap();
        let documented = section.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next());
        let mut documented: Vec<_> = documented.collect();
        let mut fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        documented.sort_unstable();
        fields.sort_unstable();
        assert_eq!(documented, fields, "{kind}");
    }
}
