//! Sweeps over all commands and options.

use clap_complete::Shell;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_every_option_has_help() {
    let root = Cli::command();
    assert!(root.get_subcommands().count() >= 3);
    for command in root.get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for option in command.get_arguments() {
            assert!(option.get_help().is_some(), "{} {}", command.get_name(), option.get_id());
        }
    }
}

#[test]
fn the_reference_names_every_command_every_option_and_every_value() {
    let reference = include_str!("../../../docs/cli.md");
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        assert!(reference.contains(&format!("## snatrace {}", command.get_name())), "{}", command.get_name());
        for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
            let name = match (option.get_long(), option.get_short()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("`-{short} "),
                (None, None) => option.get_value_names().unwrap()[0].to_string(),
            };
            assert!(reference.contains(&name), "{} {name}", command.get_name());
            let values = option.get_possible_values();
            for value in values.iter().filter(|_| option.get_action().takes_values()) {
                let value = format!("`{}`", value.get_name());
                assert!(reference.contains(&value), "{} {name} {value}", command.get_name());
            }
        }
    }
}

/// `--all`, `-c`, or the name of a value, as people type it.
fn typed(option: &clap::Arg) -> String {
    match (option.get_long(), option.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => option.get_value_names().map_or(option.get_id().as_str(), |names| &names[0]).to_owned(),
    }
}

#[test]
fn the_man_pages_have_every_command_and_every_option() {
    let directory = tempfile::tempdir().unwrap();
    man::run(&man::Args { dir: directory.path().to_owned() }).unwrap();
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let page = directory.path().join(format!("snatrace-{}.1", command.get_name()));
        let page = std::fs::read_to_string(page).unwrap().replace('\\', "").to_lowercase();
        for option in command.get_arguments() {
            assert!(page.contains(&typed(option).to_lowercase()), "{} {}", command.get_name(), typed(option));
        }
    }
}

#[test]
fn completions_have_every_command_and_every_option() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = completions::script(shell);
        // fish writes `-l all` and `-s c`.
        let has = |name: &str| match name.strip_prefix("--").or_else(|| name.strip_prefix('-')) {
            Some(bare) if shell == Shell::Fish => {
                [" -l ", " -s "].iter().any(|kind| script.contains(&format!("{kind}{bare}")))
            }
            _ => script.contains(name),
        };
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(has(command.get_name()), "{shell} {}", command.get_name());
            for option in command.get_arguments().filter(|option| !option.is_positional()) {
                assert!(has(&typed(option)), "{shell} {} {}", command.get_name(), typed(option));
            }
        }
    }
}

#[test]
fn a_command_after_two_dashes_keeps_its_own_options() {
    let Cli { command, .. } = parse("snatrace tail --all -- curl --all -o x").unwrap();
    assert!(format!("{command:?}").contains(r#"command: ["curl", "--all", "-o", "x"]"#), "{command:?}");
}

#[test]
fn only_flagged_retransmits_change_the_exit_code() {
    let flagged = Summary { flagged_retransmits: 1, ..Summary::default() };
    assert_eq!(end(&flagged, &Filter::default(), true), End::Flagged);
    assert_eq!(end(&flagged, &Filter::default(), false), End::Done);
    assert_eq!(end(&Summary::default(), &Filter::default(), true), End::Done);
}

#[test]
fn a_broken_pipe_is_found_under_its_context() {
    let failure = |kind: io::ErrorKind| Error::new(io::Error::from(kind)).context("standard output");
    assert!(is_broken_pipe(&failure(io::ErrorKind::BrokenPipe)));
    assert!(!is_broken_pipe(&failure(io::ErrorKind::StorageFull)));
}
