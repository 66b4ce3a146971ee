# Few capabilities are enough to capture where snatrace was started, with every hook, for a user who is not root.

cat >/tmp/unprivileged.sh <<'END'
. /tmp/lib.sh
only=-all,+bpf,+perfmon,+net_admin
# There maps count as locked memory.
case $(uname -r) in 5.10.*) only=$only,+sys_resource ;; esac
# `exec`: the shell that is put into the background would not pass the signal on. setpriv by its path: for the bare name the nsenter of
# busybox takes its own.
unprivileged() {
    exec nsenter --net="$SNATRACE_LAB_NODE_NETNS" "$(command -v setpriv)" --reuid=65534 --regid=65534 --clear-groups \
        --inh-caps=$only --ambient-caps=$only --bounding-set=$only \
        snatrace tail --all -o json --netns "$SNATRACE_LAB_NODE_NETNS" --allow "$SNATRACE_LAB_ALLOW" --src "$SNATRACE_LAB_SRC" "$@"
}
# FILE HOOKS [OPTIONS]: everything that fails has its cause, with so many hooks on.
play() {
    rm -f /tmp/unprivileged.ready
    unprivileged --ready-file /tmp/unprivileged.ready $3 >"$1" &
    tail=$!
    until_true [ -e /tmp/unprivileged.ready ] || return 1
    snatrace-lab traffic -n 40 --truth "$1.truth"
    kill -INT "$tail"
    wait "$tail" || return 1
    [ "$(head -n 1 "$1" | grep -o '"off":null' | wc -l)" -eq "$2" ] || { head -n 1 "$1"; return 1; }
    ports_failed "$1.truth" >"$1.due"
    ports_caused "$1" port_out_of_range | cmp - "$1.due" || return 1
    echo "$2 hooks, $(wc -l <"$1.due") failed, each has its cause"
    [ -s "$1.due" ]
}
# Which destinations a service has is only known with kprobes: without, packets to others cannot be left out.
if [ "$1" = service ]; then
    echo 2 >/proc/sys/kernel/perf_event_paranoid
    play /tmp/unprivileged.service 6 "--dport 80" || exit 1
    echo 3 >/proc/sys/kernel/perf_event_paranoid
    play /tmp/unprivileged.backend 4 "--dport 80"
    exit
fi
echo 2 >/proc/sys/kernel/perf_event_paranoid
play /tmp/unprivileged.all 6 || exit 1
# Debian's kernels leave kprobes to root then.
echo 3 >/proc/sys/kernel/perf_event_paranoid
play /tmp/unprivileged.wire 4 && grep -q 'kernel.perf_event_paranoid is 3' /tmp/unprivileged.wire
END
echo "== without root"
snatrace-lab demo fully_random -n 1 -- sh /tmp/unprivileged.sh || fail "the few capabilities are not enough"
snatrace-lab demo service -n 1 -- sh /tmp/unprivileged.sh service || fail "the few capabilities are not enough for a service"
