#!/usr/bin/env bash
# initramfs.sh OUT MODULES LABEL CONSOLE [PROGRAM...]: what a guest consists of: a shell, the networking tools with their libraries,
# snatrace and its lab, and the script to run. From the environment: SCRIPT; ARCH, Debian's name of the architecture; BINARY, a snatrace
# with its lab beside it, or nothing; STRIP, a strip for it; IMAGE, a container image of `cargo xtask dist`, or nothing; CACHE, a directory.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
here=$(cd "$(dirname "$0")" && pwd)
out=$1 modules=$2 label=$3 console=$4
shift 4
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
PROGRAMS='busybox kmod dash ip tc nft conntrack bpftool wg setpriv xtables-nft-multi xtables-legacy-multi'

# The programs of this machine with their libraries, and the plugins of iptables and tc.
copy_own_programs() {
    local program files=()
    for program in $PROGRAMS "$@"; do
        program=$(command -v "$program") || fail "$program is missing: the VM needs it: install it"
        cp -L "$program" usr/sbin/
        files+=("$program")
    done
    # What the loader would load, itself included. ldd fails for a static program, which needs nothing.
    { ldd "${files[@]}" 2>/dev/null || true; } | grep -oE '(^|[[:space:]])/[^ :]+' | tr -d '[:blank:]' | sort -u >libraries
    find -L /usr/lib/*/xtables /usr/lib/tc /usr/lib/xtables -maxdepth 1 -type f >>libraries 2>/dev/null || true
    grep -vxFf <(printf '%s\n' "${files[@]}") libraries | xargs cp -L --parents -t .
    rm libraries
}

# Debian's packages of another architecture, unpacked once.
copy_foreign_programs() {
    local root=$CACHE/userland/$ARCH program dir file
    if [ ! -e "$root" ]; then
        echo "vm: fetching the guest's programs for $ARCH" >&2
        apt_begin "$CACHE/apt/userland/$ARCH" "$ARCH" bookworm bookworm-security
        apt_unpack_with_dependencies "$root.partial-$$" busybox-static kmod dash iproute2 nftables iptables conntrack bpftool \
            wireguard-tools util-linux
        mv "$root.partial-$$" "$root"
    fi
    for program in $PROGRAMS; do
        # `sbin/ip` is a link to `/bin/ip`, which would be this machine's.
        file=$(find "$root"/{usr/sbin,usr/bin,sbin,bin} -maxdepth 1 -type f -name "$program" | head -n 1)
        [ -n "$file" ] || fail "no package has $program for $ARCH"
        cp "$file" usr/sbin/
    done
    # The loader, the libraries with the plugins of iptables, and those of tc.
    for dir in lib usr/lib; do
        mkdir -p "$dir"
        find "$root/$dir" -maxdepth 1 \( -name 'ld-linux*' -o -name '*-linux-gnu' -o -name tc \) -exec cp -a -t "$dir" {} +
    done
}

# Unpacks one architecture's image, as a container engine would.
unpack_image() {
    local layout digest layer
    layout=$(mktemp -d "$tree.image.XXXXXX")
    tar -xf "$IMAGE" -C "$layout"
    blob() { echo "$layout/blobs/${1/://}"; }
    digest=$(jq -r '.manifests[0].digest' "$layout/index.json")
    digest=$(jq -r --arg arch "$ARCH" '.manifests[] | select(.platform.architecture == $arch).digest' "$(blob "$digest")")
    [ -n "$digest" ] || fail "$IMAGE has no image for $ARCH"
    mkdir image
    for layer in $(jq -r '.layers[].digest' "$(blob "$digest")"); do tar -xf "$(blob "$layer")" -C image; done
    rm -r "$layout"
}

tree=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$tree"*' EXIT
# It becomes the root directory, which is not root's alone.
chmod 755 "$tree"
cd "$tree"
mkdir -p usr/sbin bin sbin etc
printf '%s' "$SCRIPT" >script
if [ "$ARCH" = "$(dpkg --print-architecture)" ]; then copy_own_programs "$@"; else copy_foreign_programs; fi
ln -s /usr/sbin/dash bin/sh
ln -s /usr/sbin/kmod sbin/modprobe
for verb in '' -save -restore; do
    for family in iptables ip6tables; do
        ln -s xtables-nft-multi "usr/sbin/$family$verb"
        ln -s xtables-nft-multi "usr/sbin/$family-nft$verb"
        ln -s xtables-legacy-multi "usr/sbin/$family-legacy$verb"
    done
done
if [ -n "$BINARY" ]; then
    cp -L "$BINARY" usr/sbin/snatrace
    cp -L "$(dirname "$BINARY")/snatrace-lab" usr/sbin/snatrace-lab
    # Symbols only cost memory in the guest; where strip is missing they stay.
    "$STRIP" usr/sbin/snatrace usr/sbin/snatrace-lab 2>/dev/null || true
fi
if [ -n "$IMAGE" ]; then unpack_image; fi
echo "vm-$label" >etc/hostname
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
printf '127.0.0.1 localhost\n::1 localhost\n' >etc/hosts
sed "s/ttyS0/$console/" "$here/init.sh" >init
chmod 755 init
# One archive after the other: the kernel unpacks them all.
{ find . | cpio --quiet -o -H newc -R 0:0 && cat "$modules"; } >"$out"
