# shellcheck shell=bash
# Sourced by what fetches Debian's packages: apt with a state of its own, which sees suites that the machine itself does not use, and
# changes nothing outside its directory.

fail() {
    echo "$*" >&2
    exit 1
}

# DIRECTORY ARCH SUITE...: fetches the package lists of these suites from the mirror that the machine itself is configured with.
apt_begin() {
    apt_dir=$1 apt_arch=$2
    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"
    : >"$apt_dir/status"
    sources "${@:3}" >"$apt_dir/sources.list"
    apt get update >/dev/null || fail "cannot fetch Debian's package lists"
}

# `get` or `cache`, and its arguments.
apt() {
    "apt-$1" -qq -o "Dir::State::lists=$apt_dir/lists" -o "Dir::State::status=$apt_dir/status" -o "Dir::Cache=$apt_dir/cache" \
        -o "Dir::Etc::sourcelist=$apt_dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o "APT::Architecture=$apt_arch" -o "APT::Architectures=$apt_arch" -o APT::Sandbox::User= -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Check-Valid-Until=false "${@:2}"
}

sources() {
    local codename targets main security signed='' suite
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ -n "$codename" ] || fail "/etc/os-release names no Debian release: run this on Debian, whose packages are needed"
    targets=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages')
    main=$(mirror "$codename" stable <<<"$targets") security=$(mirror "$codename-security" stable-security <<<"$targets")
    [ -n "$main" ] || fail "apt's sources name no mirror of this Debian release: cannot fetch packages: add a mirror to /etc/apt"
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    if [ -e "$keyring" ]; then signed="[signed-by=$keyring] "; fi
    for suite; do
        case $suite in
        *-security) [ -z "$security" ] || echo "deb $signed$security $suite main" ;;
        *) echo "deb $signed$main $suite main" ;;
        esac
    done
}

# SUITE OTHER-NAME: the address of the suite, from lines of `address suite`.
mirror() {
    awk -v suite="$1" -v other="$2" '$2 == suite && !one { one = $1 } $2 == other && !two { two = $1 } END { print (one ? one : two) }'
}

# DIRECTORY PACKAGE...: downloads the packages and everything that they depend on, and unpacks them without their scripts.
apt_unpack_with_dependencies() {
    apt get clean
    apt get install --yes --download-only --no-install-recommends "${@:2}" >/dev/null
    unpack_all "$1" "$apt_dir"/cache/archives/*.deb
}

# DIRECTORY PACKAGE...: the same without what they depend on.
apt_unpack() {
    rm -rf "$apt_dir/downloads"
    mkdir "$apt_dir/downloads" && (cd "$apt_dir/downloads" && apt get download "${@:2}" >/dev/null) &&
        unpack_all "$1" "$apt_dir"/downloads/*.deb
}

unpack_all() {
    local package
    mkdir -p "$1"
    for package in "${@:2}"; do dpkg-deb -x "$package" "$1" || return 1; done
}
