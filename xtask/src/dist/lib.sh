# shellcheck shell=bash
# Sourced by the scripts of `cargo xtask dist`, which run in the project's root. From the environment: SOURCE_DATE_EPOCH, the time of
# all files, so that two builds of one commit are alike.
set -euo pipefail

# `tar` as a release uses it.
pack() {
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" "$@"
}
