//! The command line as people and scripts meet it: help, mistakes, exit codes, where output goes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

fn snatrace() -> Command {
    tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"))
}

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn outcome(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(args: &[&str]) -> Outcome {
    outcome(snatrace().args(args))
}

/// clap's report on standard error, nothing on standard output.
fn assert_wrong_usage(outcome: &Outcome, expected: &str) {
    let Outcome { code, stdout, stderr } = outcome;
    assert_eq!((*code, stdout.as_str()), (Some(2), ""), "{stderr}");
    let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.starts_with("error: ") && words.contains(expected), "{expected} is not in: {stderr}");
    assert!(words.ends_with("For more information, try '--help'."), "{stderr}");
}

/// One line on standard error, nothing on standard output.
fn assert_failed(outcome: &Outcome, code: i32, expected: &str) {
    let Outcome { code: actual, stdout, stderr } = outcome;
    assert_eq!((*actual, stdout.as_str()), (Some(code), ""), "{stderr}");
    assert!(stderr.starts_with("snatrace: ") && stderr.contains(expected), "{expected} is not in: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

fn commands() -> Vec<String> {
    let help = run(&["--help"]).stdout;
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = list.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.contains(&"tail".to_owned()) && names.contains(&"help".to_owned()), "{help}");
    names.into_iter().filter(|name| name != "help").collect()
}

#[test]
fn help_of_every_command_fits_100_columns() {
    let mut calls = vec![vec!["--help".to_owned()], vec!["-h".to_owned()]];
    calls.extend(
        commands().into_iter().flat_map(|name| [vec![name.clone(), "--help".to_owned()], vec![name, "-h".to_owned()]]),
    );
    for args in calls {
        let Outcome { code, stdout, stderr } = outcome(snatrace().args(&args));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(stdout.contains("Usage: snatrace"), "{args:?}: {stdout}");
        for line in stdout.lines() {
            assert!(line.chars().count() <= 100, "{args:?}: {} columns: {line}", line.chars().count());
        }
    }
}

#[test]
fn help_of_a_command_can_be_asked_for_either_way() {
    assert_eq!(run(&["help", "tail"]).stdout, run(&["tail", "--help"]).stdout);
}

#[test]
fn without_arguments_help_is_shown_as_a_mistake() {
    let Outcome { code, stdout, stderr } = run(&[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("Usage: snatrace") && stderr.contains("tail"), "{stderr}");
}

#[test]
fn bash_completes_commands_options_and_values() {
    let script = r#"eval "$SCRIPT"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _snatrace "$1" "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[@]}""#;
    let completions = run(&["completions", "bash"]).stdout;
    for (typed, expected) in [
        (&["snatrace", "ta"][..], "tail"),
        (&["snatrace", "tail", "--ready-"], "--ready-file"),
        (&["snatrace", "replay", "--output", ""], "text json wide"),
    ] {
        let mut bash = Command::new("bash");
        let completed = outcome(bash.args(["-c", script, "bash"]).args(typed).env("SCRIPT", &completions));
        assert_eq!(completed.stdout.trim(), expected, "{typed:?}: {}", completed.stderr);
    }
}

#[test]
fn the_version_is_data() {
    let Outcome { code, stdout, stderr } = run(&["--version"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("snatrace ") && stdout.lines().count() == 1, "{stdout}");
}

#[test]
fn wrong_usage_is_answered_with_what_is_right() {
    for (args, expected) in [
        (&["tial"][..], "unrecognized subcommand 'tial' tip: a similar subcommand exists: 'tail'"),
        (&["-v"], "requires a subcommand"),
        (&["tail", "--alow", "any"], "tip: a similar argument exists: '--allow'"),
        (
            &["tail", "--allow", "70000-1"],
            "'70000-1' for '--allow <RANGES>': 70000 is too high for a port: the highest is 65535",
        ),
        (&["tail", "--allow", "5-3"], "5-3 runs backwards: write 3-5"),
        (&["tail", "--allow", ""], "a port is missing: write a range such as 32768-65535"),
        (&["tail", "--allow", "abc"], "abc is neither a port nor a range: write 443"),
        (&["tail", "--allow", "1-2-3"], "1-2-3 is neither a port nor a range: write 443"),
        (&["tail", "--allow", "-5"], "-5 has an open end: write both ends"),
        (&["tail", "--allow6", "5-"], "5- has an open end: write both ends"),
        (&["tail", "-o", "xml"], "'xml' for '--output <FORMAT>' [possible values: text, json, wide]"),
        (&["tail", "--columns", "time,hue"], "'hue' for '--columns <LIST>' [possible values: time, node,"),
        (&["tail", "--duration", "30"], "not a duration: write 30s, 5m or 1h"),
        (&["tail", "-c", "0"], "0 is not in 1.."),
        (&["tail", "--src", "10.0.0.0/33"], "not an address or prefix: write 10.42.0.0/16"),
        (&["tail", "--dport", "99999"], "99999 is too high for a port"),
        (&["tail", "--dport", "80,nosuch"], "nosuch is neither a port, a range nor a service in /etc/services"),
        (&["tail", "stray"], "unexpected argument 'stray'"),
        (&["tail", "port", "443"], "tip: filters are options: --dport 443,8000-8100"),
        (&["tail", "dst host 192.0.2.7 and tcp"], "tip: filters are options: --src 10.42.0.0/16 --dst"),
        (&["tail", "-w", "x.pcap"], "tip: a trace is recorded by `snatrace record -w FILE`"),
        (&["tail", "-f"], "tip: `snatrace tail` follows"),
        (&["tail", "-4"], "tip: IPv4 alone: --dst 0.0.0.0/0"),
        (&["tail", "-n", "shop"], "tip: a Kubernetes namespace: --namespace shop"),
        (&["tail", "--pid", "7"], "`-o wide` shows the process"),
        (&["replay", "-r", "x"], "`snatrace replay FILE`"),
        (&["-i", "any"], "tip: a command comes first: snatrace tail -i eth0"),
        (&["-L"], "`snatrace infer --conntrack`"),
        (&["tail", "deploy/checkout"], "names: --pod 'checkout*'"),
        (&["tail", "--json"], "tip: formats are -o json"),
        (&["record", "x.trace"], "tip: the file is an option: snatrace record -w x.trace"),
        (&["collect"], "`snatrace record -w FILE`"),
        (&[&golden("service-wire.trace")], "tip: snatrace replay /"),
        (&["record"], "required arguments were not provided: --write <FILE>"),
        (&["record", "-w", "x", "-C", "1"], "too small: write at least 64K"),
        (&["record", "-w", "x", "-W", "3"], "required arguments were not provided: <-C <SIZE>|--segment <TIME>>"),
        (&["record", "-w", "-", "--print"], "--print: the trace goes to standard output"),
        (&["record", "-w", "-", "-C", "1M"], "-C: standard output cannot be split into several files"),
        (&["tail", "--pod", "shop/checkout-0"], "a name has no slash: write --namespace NAMESPACE --pod POD"),
        (&["tail", "--namespace", "shop,"], "a name is missing"),
        (&["tail", "--node", ""], "a name is missing: write the node's name"),
        (&["tail", "--netns", ""], "write one that `ip netns` lists"),
        (&["completions", "basic"], "'basic' for '<SHELL>' [possible values: bash,"),
        (&["-v", "record"], "Usage: snatrace record"),
        (&["--nosuch"], "Usage: snatrace [OPTIONS] <COMMAND>"),
        (&["replay"], "required arguments were not provided: <FILE>..."),
        (
            &["replay", "x", "--allow", "auto"],
            "auto is neither a port nor a range: it is the range of the capturing node",
        ),
        (&["report"], "required arguments were not provided: <FILE>..."),
        (&["infer"], "or use --conntrack for the conntrack table of this node or a listing of one"),
        (&["infer", "x", "-o", "xml"], "'xml' for '--output <FORMAT>' [possible values: text, json]"),
        (&["probe"], "required arguments were not provided: <HOST:PORT>..."),
        (&["probe", "example.com"], "write HOST:PORT, such as example.com:443"),
        (&["probe", "127.0.0.1:80", "-n", "5"], "5 is not in 20..=10000"),
        (&["probe", "127.0.0.1:80", "--from", "0"], "0 is no port to connect from"),
        (&["replay", "x", "--duration", "5s"], "unexpected argument '--duration'"),
    ] {
        assert_wrong_usage(&run(args), expected);
    }
}

fn golden(name: &str) -> String {
    format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_filter_that_matches_nothing_is_reported_with_what_there_was() {
    let trace = golden("fully_random-wire.trace");
    let replay = |options: &[&str]| run(&[&["replay", &trace, "-nn"], options].concat());
    let hint = "snatrace: no attempt matches --pod: 8 other attempts were seen; none has a known pod or container\n";
    assert_eq!(replay(&["--pod", "shop-*"]).stderr, hint);
    assert!(replay(&["--dport", "https,ssh"]).stderr.contains("no attempt matches --dport: 8 other"));
    assert_eq!(replay(&["--dport", "http-alt"]).stderr, "", "8080");
}

#[test]
fn no_tip_takes_an_option_for_a_command() {
    for command in ["tail", "record", "replay"] {
        let stderr = run(&[command, "--nosuch"]).stderr;
        assert!(stderr.contains("unexpected argument '--nosuch'") && !stderr.contains("-- --nosuch"), "{stderr}");
    }
}

#[test]
fn a_wrong_value_from_the_environment_names_its_variable() {
    let wrong = outcome(snatrace().arg("tail").env("SNATRACE_ALLOW", "5-3"));
    assert_wrong_usage(&wrong, "invalid value '5-3'");
    assert_wrong_usage(&wrong, "tip: the value is from the environment variable SNATRACE_ALLOW");
    let typed = outcome(snatrace().args(["tail", "--allow=6-3"]).env("SNATRACE_ALLOW", "any"));
    assert_wrong_usage(&typed, "invalid value '6-3'");
    assert!(!typed.stderr.contains("SNATRACE_ALLOW"), "{}", typed.stderr);
}

#[test]
fn too_many_prefixes_for_the_kernel_are_refused() {
    let many = (0..257).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect::<Vec<_>>().join(",");
    assert_wrong_usage(&run(&["replay", "x", "--src", &many]), "--src: 257 values exceed the limit of 256");
}

#[test]
fn ports_that_are_none_are_wrong_usage() {
    for ports in ["70000-1", "5-3", "", "-1", "1-", "1,,2", "0x10", "65536"] {
        let Outcome { code, stderr, .. } = outcome(snatrace().arg("tail").arg(format!("--allow={ports}")));
        assert_eq!(code, Some(2), "{ports}: {stderr}");
        assert!(stderr.contains("for '--allow <RANGES>'"), "{ports}: {stderr}");
    }
}

#[test]
fn what_was_typed_cannot_steer_the_terminal() {
    for hostile in [&b"\x1b]0;owned\x07"[..], b"a\rb", b"\xff\xfe", "\u{202e}".as_bytes()] {
        let Outcome { code, stderr, .. } =
            outcome(snatrace().args(["tail", "--allow"]).arg(OsStr::from_bytes(hostile)));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{stderr:?}");
    }
}

#[test]
fn help_into_a_closed_pipe_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let Outcome { code, stderr, .. } = {
        let output =
            snatrace().arg("--help").stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        Outcome { code: output.status.code(), stdout: String::new(), stderr: String::from_utf8(output.stderr).unwrap() }
    };
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_trace_that_is_not_there_is_a_failure_in_one_line() {
    let outcome = run(&["replay", "/nonexistent/x.trace"]);
    assert_failed(&outcome, 1, "snatrace: ");
}

#[test]
fn a_server_that_refuses_answers_every_port() {
    // Nothing listens on port 1 of this machine.
    let args =
        ["probe", "127.0.0.1:1", "--from", "40000-40999", "-n", "40", "--rate", "1000", "-o", "json", "--exit-code"];
    let Outcome { code, stdout, stderr } = run(&args);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.starts_with("snatrace: connecting to 127.0.0.1:1 from ports 40000-40999: at most 40 connections"),
        "{stderr}"
    );
    assert!(stdout.contains(r#""kind":"probe""#) && stdout.contains(r#""unanswered":0"#), "{stdout}");
}
