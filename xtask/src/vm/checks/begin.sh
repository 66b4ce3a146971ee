# What each kernel of the matrix must pass. One check a file, run one after the other in one shell.

failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}

# Programs, links, qdiscs and namespaces, without what changes by itself.
left_behind() {
    bpftool prog show | grep -oE '^[0-9]+: .*name [^ ]+'
    bpftool link show | grep -E '^[0-9]+:'
    tc qdisc show | grep -E 'clsact|ingress'
    ip netns list
}

# What scripts inside a lab, run by `demo -- COMMAND`, have in common.
cat >/tmp/lib.sh <<'END'
node=$(basename "${SNATRACE_LAB_NODE_NETNS:-}") router=$(basename "${SNATRACE_LAB_ROUTER_NETNS:-}")
capture() {
    snatrace tail --all -o json --netns "$SNATRACE_LAB_NODE_NETNS" --allow "$SNATRACE_LAB_ALLOW" --src "$SNATRACE_LAB_SRC" "$@"
}
# Waits for a command to work, not for ever.
until_true() {
    # Half a minute: arm64 is emulated.
    tries=300
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}
# Source ports of the connections that failed, as the client knows them.
ports_failed() { grep '"ok":false' "$1" | sed 's/.*"src_port":\([0-9]*\).*/\1/' | sort; }
# Source ports of the attempts that a capture flagged.
ports_flagged() { grep '"kind":"ended"' "$1" | grep '"flagged":true' | sed 's/.*"src_port":\([0-9]*\).*/\1/' | sort; }
# Source ports of the attempts that a capture with --all gave this cause, their SYNs seen leaving.
ports_caused() { grep '"kind":"ended"' "$1" | grep "\"cause\":\"$2\"" | grep '"seen leaving' | sed 's/.*"src_port":\([0-9]*\).*/\1/' | sort; }
END

left_behind >/tmp/before
