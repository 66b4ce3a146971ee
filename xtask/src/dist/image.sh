#!/usr/bin/env bash
# image.sh DIST VERSION ARCH=BINARY...: the container image of all architectures as an OCI archive: Debian's nft and iptables, unpacked,
# and above them snatrace.
#
# No container engine builds it and no base image is pulled, so that it can be made wherever Debian's packages can be had. The image
# lists its packages with their versions in `/var/lib/dpkg/status.d`, where scanners look for them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../vm/apt.sh"
dist=$1 version=$2
work=$CARGO_TARGET_DIR/image layout=$CARGO_TARGET_DIR/image/layout
oci=application/vnd.oci.image

# FILE MEDIA-TYPE: moves a file into the layout; prints its descriptor.
blob() {
    local sum
    sum=$(sha256sum <"$1" | cut -d' ' -f1)
    jq -cn --arg type "$2" --arg sum "$sum" --argjson size "$(stat -c %s "$1")" '{mediaType: $type, digest: ("sha256:" + $sum), size: $size}'
    mv "$1" "$layout/blobs/sha256/$sum"
}

# MEDIA-TYPE: the same of JSON from standard input.
json() {
    cat >"$work/json"
    blob "$work/json" "$1"
}

# ARCH DIRECTORY: unpacks the packages without their scripts, which would have to run on the other architecture.
unpack_tools() {
    local package verb family
    apt_begin "$CARGO_TARGET_DIR/image-apt/$1" "$1" bookworm bookworm-security
    apt_unpack_with_dependencies "$2" nftables iptables
    # base-files has the directories and the name of the release; what it depends on is a shell's.
    apt_unpack "$2" base-files
    mkdir -p "$2/var/lib/dpkg/status.d"
    for package in "$apt_dir"/cache/archives/*.deb "$apt_dir"/downloads/*.deb; do
        dpkg-deb -f "$package" >"$2/var/lib/dpkg/status.d/$(dpkg-deb -f "$package" Package)"
    done
    # What update-alternatives does when iptables is installed.
    for verb in '' -save -restore; do
        for family in iptables ip6tables; do ln -s xtables-nft-multi "$2/usr/sbin/$family$verb"; done
    done
    # Not needed to run the tools; copyright files stay.
    rm -rf "$2"/usr/share/{man,locale,lintian,bug}
}

# ARCH BINARY: prints the descriptor of one architecture's image.
image() {
    local tree content='' layers='' config
    unpack_tools "$1" "$work/$1/tools"
    mkdir -p "$work/$1/own/usr/bin"
    cp -L "$2" "$work/$1/own/usr/bin/snatrace"
    for tree in "$work/$1/tools" "$work/$1/own"; do
        pack -cf "$tree.tar" -C "$tree" .
        # Of the uncompressed content.
        content+="sha256:$(sha256sum <"$tree.tar" | cut -d' ' -f1) "
        gzip -6nf "$tree.tar"
        layers+=$(blob "$tree.tar.gz" "$oci.layer.v1.tar+gzip")
    done
    config=$(jq -cn --arg arch "$1" --arg version "$version" --arg content "$content" '{
        architecture: $arch, os: "linux",
        config: {
            Entrypoint: ["/usr/bin/snatrace"], Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            Labels: {
                "org.opencontainers.image.title": "snatrace", "org.opencontainers.image.version": $version,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0"
            }
        },
        rootfs: {type: "layers", diff_ids: ($content | split(" ") | map(select(. != "")))}
    }' | json "$oci.config.v1+json")
    jq -c --arg type "$oci.manifest.v1+json" --argjson config "$config" -s \
        '{schemaVersion: 2, mediaType: $type, config: $config, layers: .}' <<<"$layers" | json "$oci.manifest.v1+json" |
        jq -c --arg arch "$1" '. + {platform: {architecture: $arch, os: "linux"}}'
}

# Descriptors from standard input.
index() {
    jq -cs --arg type "$oci.index.v1+json" '{schemaVersion: 2, mediaType: $type, manifests: .}'
}

rm -rf "$work"
mkdir -p "$layout/blobs/sha256"
for each in "${@:3}"; do image "${each%%=*}" "${each#*=}"; done >"$work/manifests"
index <"$work/manifests" | json "$oci.index.v1+json" |
    jq -c --arg version "$version" '. + {annotations: {"org.opencontainers.image.ref.name": $version}}' | index >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
pack -cf "$dist/snatrace-$version.oci.tar" -C "$layout" .
