//! What the user typed cannot be understood: one line that says so, instead of clap's paragraphs.

use std::env;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, Error};

use crate::notice::notice;
use crate::outputs::escape::Escaped;

/// Exit code for wrong usage.
pub(super) const EXIT_CODE: u8 = 2;

/// Wrong usage that only a command can see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUsage(pub String);

/// Prints help, version or the mistake.
pub(super) fn report(error: &Error, root: &Command) -> ExitCode {
    let wrong = error.use_stderr();
    if wrong && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let source = variable(error, root).map_or_else(String::new, |name| format!("{name}: "));
        notice(format_args!("{source}{}", Escaped(&one_line(&error.render().to_string(), &help_of(root)))));
    } else {
        // Nobody is there to be told when standard output is gone.
        let _ = error.print();
    }
    if wrong { ExitCode::from(EXIT_CODE) } else { ExitCode::SUCCESS }
}

/// How to see the help of the command that was typed, or of all.
fn help_of(root: &Command) -> String {
    let typed = env::args_os().skip(1).find_map(|arg| root.find_subcommand(&arg));
    let command = typed.map_or_else(String::new, |command| format!("{} ", command.get_name()));
    format!("snatrace {command}--help")
}

/// The mistake, the tips, and where all of usage is.
fn one_line(rendered: &str, help: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (index, paragraph) in rendered.trim().split("\n\n").enumerate() {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if index == 0 {
            parts.push(line.trim_start_matches("error: ").to_owned());
        } else if line.starts_with("tip: ") {
            parts.push(line);
        }
    }
    parts.push(format!("see {help}"));
    parts.join("; ")
}

/// The environment variable that the wrong value came from, if it was not typed.
fn variable(error: &Error, root: &Command) -> Option<String> {
    let wrong = error.get(ContextKind::InvalidArg)?.to_string();
    let long = wrong.split(' ').next()?.strip_prefix("--")?;
    let mut options = root.get_subcommands().flat_map(Command::get_arguments);
    let name = options.find_map(|option| option.get_env().filter(|_| option.get_long() == Some(long)))?;
    let typed = env::args_os().any(|arg| arg.to_string_lossy().split('=').next() == Some(&format!("--{long}")));
    (!typed).then(|| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_one_line() {
        let rendered =
            "error: required:\n  --write <FILE>\n\n  tip: try this\n\nUsage: snatrace\n\nFor more, try '--help'.\n";
        let shown = one_line(rendered, "snatrace record --help");
        assert_eq!(shown, "required: --write <FILE>; tip: try this; see snatrace record --help");
    }
}
