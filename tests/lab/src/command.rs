//! Runs the programs the lab is built with: `ip`, `nft` and, for two of the rule sets, `iptables`.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::net::Family;

/// Runs a program with the given input and returns what it printed.
pub fn run(program: &str, args: &[&str], input: &str) -> Result<String> {
    let line = || format!("`{program} {}`", args.join(" "));
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", line()))?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // The program ended early; its exit status says why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            other => other.with_context(|| format!("cannot write the input of {}", line()))?,
        }
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {}", line()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}", line(), words.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs many `ip` commands in a namespace, one per line.
pub fn ip_batch(namespace: &str, lines: &[String]) -> Result<()> {
    run("ip", &["-n", namespace, "-batch", "-"], &(lines.join("\n") + "\n")).map(drop)
}

/// Runs `ip` commands whose address family does not follow from their arguments.
pub fn ip_batch_of(family: Family, namespace: &str, lines: &[String]) -> Result<()> {
    let family = match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    };
    run("ip", &["-n", namespace, family, "-batch", "-"], &(lines.join("\n") + "\n")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_reaches_the_program() {
        assert_eq!(run("cat", &[], "words\n").unwrap(), "words\n");
    }

    #[test]
    fn failure_repeats_the_words_of_the_program() {
        let error = run("sh", &["-c", "echo no such thing >&2; exit 3"], "").unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
    }
}
