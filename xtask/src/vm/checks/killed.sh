# A killed run leaves nothing but, where the kernel has no TCX, its filters; the next start removes those.
# Runs inside a lab, which `demo -- COMMAND` holds up; the number of filters that a killed run leaves is 0 or 2.
cat >/tmp/killed.sh <<'END'
. /tmp/lib.sh
attached() {
    for direction in ingress egress; do ip netns exec "$node" tc filter show dev eth0 $direction; done | grep -c 'wire_'
}
qdiscs() { ip netns exec "$node" tc qdisc show dev eth0 | grep -c clsact; }

snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" --ready-file /tmp/killed.ready >/dev/null &
killed=$!
until_true [ -e /tmp/killed.ready ] || exit 1
kill -9 "$killed"
wait "$killed"
left=$(attached)
echo "left by a killed run: $left filters, $(qdiscs) qdiscs"
snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" -- true >/dev/null || exit 1
echo "left by the next run: $(attached) filters, $(qdiscs) qdiscs"
[ "$(attached)" -eq 0 ] && [ "$(qdiscs)" -eq 0 ] || exit 1
# The filter of a run that goes on is not taken for a leftover.
snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" -- sh -c "snatrace tail --netns '$SNATRACE_LAB_NODE_NETNS' -- true; \
    for direction in ingress egress; do ip netns exec $node tc filter show dev eth0 \$direction; done | grep -c wire_ >/tmp/kept || true" >/dev/null
echo "kept while in use: $(cat /tmp/kept) filters"
[ "$(cat /tmp/kept)" -eq "$left" ] && [ "$(qdiscs)" -eq 0 ] || exit 1
# Nor is that of another container, where snatrace is process 1 as well; one of a container that was killed is.
contained() { unshare -p -f -m --mount-proc snatrace tail --netns "$SNATRACE_LAB_NODE_NETNS" "$@" >/dev/null; }
contained --ready-file /tmp/contained.ready &
until_true [ -e /tmp/contained.ready ] || exit 1
contained -- true || exit 1
echo "kept while in use by another container: $(attached) filters"
[ "$(attached)" -eq "$left" ] || exit 1
of_container() { grep -l 'contained[.]ready' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }
is_gone() { [ -z "$(of_container)" ]; }
kill -9 $(of_container) 2>/dev/null
until_true is_gone || exit 1
contained -- true || exit 1
echo "left by the next container: $(attached) filters, $(qdiscs) qdiscs"
[ "$(attached)" -eq 0 ] && [ "$(qdiscs)" -eq 0 ]
END
echo "== a killed run"
snatrace-lab demo fully_random -n 1 -- sh /tmp/killed.sh || fail "filters of a killed run stay, or filters in use are removed"
