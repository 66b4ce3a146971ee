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

# A killed run leaves nothing but, where the kernel has no TCX, its filters; the next start removes those.
# Runs inside a lab, which `demo -- COMMAND` holds up; the number of filters that a killed run leaves is 0 or 2.
cat >/tmp/killed.sh <<'END'
node=$(basename "$SNATRACE_LAB_NODE_NETNS")
attached() {
    for direction in ingress egress; do ip netns exec "$node" tc filter show dev eth0 $direction; done | grep -c 'wire_'
}
qdiscs() { ip netns exec "$node" tc qdisc show dev eth0 | grep -c clsact; }

snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" --ready-file /tmp/ready >/dev/null &
killed=$!
tries=100
until [ -e /tmp/ready ] || [ "$tries" -eq 0 ]; do tries=$((tries - 1)); sleep 0.1; done
kill -9 "$killed"
wait "$killed"
left=$(attached)
echo "left by a killed run: $left filters, $(qdiscs) qdiscs"
snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" -- true >/dev/null || exit 1
echo "left by the next one: $(attached) filters, $(qdiscs) qdiscs"
[ -e /tmp/ready ] && [ "$(attached)" -eq 0 ] && [ "$(qdiscs)" -eq 0 ] || exit 1
# The filter of a run that goes on is not taken for a leftover.
snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" -- sh -c "snatrace tail --netns '$SNATRACE_LAB_NODE_NETNS' -- true; \
    for direction in ingress egress; do ip netns exec $node tc filter show dev eth0 \$direction; done | grep -c wire_ >/tmp/kept || true" >/dev/null
echo "kept while in use: $(cat /tmp/kept) filters"
[ "$(cat /tmp/kept)" -eq "$left" ] && [ "$(qdiscs)" -eq 0 ]
END
echo "== a killed run"
snatrace demo fully_random -n 1 -- sh /tmp/killed.sh || { echo "FAILED: a killed run leaves something behind for ever"; failed=1; }

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
