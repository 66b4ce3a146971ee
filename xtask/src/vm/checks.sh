# What each kernel of the matrix must pass: the scenarios of the lab, and nothing left behind by them.

# Programs, links, qdiscs and namespaces, without what changes by itself.
left_behind() {
    bpftool prog show | grep -oE '^[0-9]+: .*name [^ ]+'
    bpftool link show | grep -E '^[0-9]+:'
    tc qdisc show | grep -E 'clsact|ingress'
    ip netns list
}

failed=0
left_behind >/tmp/before
for scenario in "fully_random -n 500" ipv6 service "mixed -n 200"; do
    echo "== snatrace demo $scenario"
    # Unquoted: a scenario may carry options.
    snatrace demo $scenario || { echo "FAILED: snatrace demo $scenario: exit code $?"; failed=1; }
done

# The kernel frees programs after a grace period: wait for that, not for ever.
tries=50
while left_behind >/tmp/after; ! cmp -s /tmp/before /tmp/after && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
if ! cmp -s /tmp/before /tmp/after; then
    echo "FAILED: left behind after the scenarios:"
    diff /tmp/before /tmp/after
    failed=1
fi
exit "$failed"
