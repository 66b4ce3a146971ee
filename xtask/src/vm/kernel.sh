#!/usr/bin/env bash
# kernel.sh DIRECTORY LABEL LINE FLAVOUR ARCH SUITE...: the newest kernel of a line that Debian's mirror has, looked up at most once a
# day, unpacked once, used offline afterwards. Prints the paths of its image and of an archive of its modules.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# Point releases replace each other on the mirror, so a name found earlier is looked up again after this.
NAME_LIVES_MINUTES=1440
# Directories of modules taken whole, so that a new nft or iptables expression needs no change here.
DIRECTORIES='netfilter|ipv4|ipv6|bridge|sched|8021q|packet|core|unix|netlink'
DRIVERS='veth|vxlan|dummy|tun|macvlan|ipvlan|geneve|wireguard|vrf'

# LINE FLAVOUR ARCH: of the names of packages, those of kernels of this line, the newest first. The metapackages of a line have two
# numbers only. `-rt` and `-dbg` are other kernels. What comes behind the version is cut off, since 6.12.100+deb12.1 is newer than
# 6.12.100+deb12.
newest_first() {
    sed -nE "s/^linux-image-([0-9]+\.[0-9]+\.[0-9]+[^-]*(-[0-9][^-]*)?)$2-$3$/\1/p" | grep "^${1//./\\.}" | sort -rV |
        sed "s/.*/linux-image-&$2-$3/"
}

# PACKAGE: sets `release` and `vmlinuz`, where the package is unpacked whole.
open() {
    release=${1#linux-image-}
    dir=$kernels/$1
    [ -e "$dir/lib/modules/$release/modules.builtin" ] || return 1
    for vmlinuz in "$dir/boot/vmlinuz-$release" "$dir/lib/modules/$release/vmlinuz"; do
        [ ! -e "$vmlinuz" ] || return 0
    done
    return 1
}

# PACKAGE: with those parts of the same kernel that newer releases keep in packages of their own.
fetch() {
    local partial=$kernels/$1.partial-$$ parts
    echo "vm: fetching $1" >&2
    parts=$(apt cache depends --important "$1" | sed -n "s/^ *Depends: \(.*${1#linux-image}\)$/\1/p")
    # shellcheck disable=SC2086 # several names
    apt_unpack "$partial" "$1" $parts || return 1
    # Newer packages lie below /usr; depmod looks for /lib.
    [ -e "$partial/lib/modules" ] || mv "$partial/usr/lib" "$partial/lib" || return 1
    rm -rf "${kernels:?}/$1"
    mv "$partial" "$kernels/$1"
    open "$1" || { echo "$1 has no kernel image at the expected path" >&2 && return 1; }
}

look_up() {
    local package
    (apt_begin "$1/apt/$label" "$arch" "${suites[@]}") || return 1
    apt_dir=$1/apt/$label apt_arch=$arch
    # A mirror's index may list releases whose files are gone: an older one is of the same line.
    for package in $(apt cache pkgnames linux-image- | newest_first "$line" "$flavour" "$arch"); do
        if open "$package" || fetch "$package"; then
            echo "$package" >"$record"
            return
        fi
        echo "vm: cannot fetch $package: trying an older version" >&2
    done
    echo "Debian's mirror has no kernel $label in ${suites[*]}" >&2
    return 1
}

# The archive with the wanted modules and everything they need; depmod lists dependencies in full.
pack_modules() {
    local base=lib/modules/$release tree
    tree=$(mktemp -d "$dir/modules.XXXXXX")
    depmod -b "$dir" "$release"
    (
        cd "$dir/$base"
        # nf_tables takes a checksum from whatever offers it, which depmod does not list as a dependency.
        grep -E "^kernel/net/($DIRECTORIES)/|^kernel/drivers/net/(.*/)?($DRIVERS)\.ko|^[^:]*/crc32c[^/:]*:" modules.dep |
            tr -s ': ' '\n' | sort -u | sed '/^$/d' | xargs cp --parents -t "$(mkdir -p "$tree/$base" && echo "$tree/$base")"
        cp modules.order modules.builtin modules.builtin.modinfo "$tree/$base"
    )
    find "$tree" -name '*.xz' -exec xz -d {} +
    depmod -b "$tree" "$release"
    # Without the root directory, whose mode is that of mktemp. Uncompressed: an emulated CPU takes longer to inflate it than QEMU to load it.
    (cd "$tree" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >"$1.partial-$$"
    mv "$1.partial-$$" "$1"
    rm -r "$tree"
}

main() {
    label=$2 line=$3 flavour=$4 arch=$5 suites=("${@:6}")
    kernels=$1/kernels record=$1/kernels/$label.name
    mkdir -p "$kernels"
    PATH=$PATH:/usr/sbin:/sbin
    name=$(cat "$record" 2>/dev/null) || true
    fresh=$(find "$record" -mmin "-$NAME_LIVES_MINUTES" 2>/dev/null) || true
    if [ -z "$fresh" ] || ! open "$name"; then
        if ! look_up "$1"; then
            if ! open "$name"; then fail "cannot fetch kernel $label, and no earlier one is here"; fi
            echo "vm: $label: using $release, which was fetched earlier" >&2
        fi
    fi
    modules=$dir/modules.cpio
    # Built again when this script has changed.
    [ "$modules" -nt "$0" ] || pack_modules "$modules"
    printf '%s\n' "$vmlinuz" "$modules"
}

[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
