#!/usr/bin/env bash
# sbom.sh DIST VERSION: the components of the product and their licenses, as CycloneDX.
. "$(dirname "$0")/lib.sh"
dist=$1 name=snatrace-$2.cdx
cargo-cyclonedx cyclonedx --manifest-path tracer/Cargo.toml --format json --target all --no-build-deps --override-filename "$name"
mv "tracer/$name.json" "$dist"
# It writes one beside the manifest of each member.
rm -f {tracer-common,tracer-ebpf,xtask,tests,tests/lab,tests/fuzz}/"$name.json"
