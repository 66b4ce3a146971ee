#!/usr/bin/env bash
# packages.sh DIST VERSION BIN TRIPLE...: the .deb, the .rpm and the archives of these architectures. BIN is a snatrace that runs on
# this machine. What is in a package: `tracer/Cargo.toml`. From the environment also DATE, as Debian's changelog writes it.
. "$(dirname "$0")/lib.sh"
dist=$1 version=$2 own=$3
maintainer='The snatrace authors <snatrace@users.noreply.invalid>'

# DIRECTORY: what is generated: man pages, completions, changelogs, SBOM.
stage() {
    rm -rf "$1"
    mkdir -p "$1/man" "$1/completions"
    "$own" man "$1/man" >/dev/null
    "$own" completions bash >"$1/completions/snatrace"
    "$own" completions zsh >"$1/completions/_snatrace"
    "$own" completions fish >"$1/completions/snatrace.fish"
    printf 'snatrace (%s-1) unstable; urgency=medium\n\n  * Version %s: see changelog.gz.\n\n -- %s  %s\n' \
        "$version" "$version" "$maintainer" "$DATE" >"$1/changelog.Debian"
    cp CHANGELOG.md "$1/changelog"
    cp "$dist/snatrace-$version.cdx.json" "$1/sbom.cdx.json"
    # Without the time of the file, which gzip would write into it.
    gzip -9n "$1"/man/* "$1/changelog" "$1/changelog.Debian"
}

# TRIPLE DIRECTORY: the binaries with documentation, and their debug information.
archives() {
    local name=snatrace-$version-${1%%-*}
    mkdir "$dist/$name"
    cp -RL "$2/snatrace" "$2/snatrace-lab" LICENSE-MIT LICENSE-APACHE "$2/package/man" "$2/package/completions" "$dist/$name"
    pack --mode=u+w,go=rX -cJf "$dist/$name.tar.xz" -C "$dist" "$name"
    rm -r "${dist:?}/$name"
    pack --mode=u+w,go=rX -cJf "$dist/$name-debug.tar.xz" -C "$2" snatrace.debug snatrace-lab.debug
}

export XZ_OPT=-T0
for triple in "${@:4}"; do
    # Packagers know the target directory already: `tracer/Cargo.toml` names files below it.
    stage "$CARGO_TARGET_DIR/$triple/release/package"
    cargo-deb --no-build --no-strip --no-dbgsym --package snatrace --maintainer "$maintainer" --target "$triple" --output "$dist"
    cargo-generate-rpm generate-rpm --package tracer --auto-req no --target "$triple" --source-date "$SOURCE_DATE_EPOCH" --output "$dist/"
    archives "$triple" "$CARGO_TARGET_DIR/$triple/release"
done
