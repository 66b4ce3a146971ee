# Every hook is on, and doctor says so; it reads the rules with this kernel's modules, predicts the share that fails, and changes
# nothing.

cat >/tmp/doctor.sh <<'END'
. /tmp/lib.sh
state() { cut -d' ' -f1 /proc/modules; ip netns exec "$node" nft -s list ruleset 2>/dev/null; cat /proc/sys/net/netfilter/nf_conntrack_max; }
# `LEGACY`: one more rule, in the tables of iptables-legacy.
if [ -n "$LEGACY" ]; then
    ip netns exec "$node" iptables-legacy -t nat -A POSTROUTING -s 203.0.113.0/24 -j MASQUERADE --random-fully || exit 1
fi
capture -- true | head -n 1 >/tmp/hooks.json
[ "$(grep -o '"off":null' /tmp/hooks.json | wc -l)" -eq 6 ] && ! grep -q '"off":"' /tmp/hooks.json || { cat /tmp/hooks.json; exit 1; }
state >/tmp/state.before
snatrace doctor -o json --netns "$SNATRACE_LAB_NODE_NETNS" --allow "$SNATRACE_LAB_ALLOW" >/tmp/doctor.json || exit 1
state >/tmp/state.after
diff /tmp/state.before /tmp/state.after || exit 1
grep -q '6 of 6 hooks work here' /tmp/doctor.json || exit 1
shares=$(grep -o '"outside":[0-9.]*' /tmp/doctor.json | sort | uniq -c)
echo "predicted:" $shares
grep -q '"outside":0\.5[,}]' /tmp/doctor.json || exit 1
[ -z "$LEGACY" ] || grep -q '203.0.113.0/24' /tmp/doctor.json
END
echo "== hooks and doctor"
[ -e /sys/bus/event_source/devices/kprobe/type ] || fail "this kernel has no kprobes"
# Newer kernels may be built without the tables of iptables-legacy.
legacy=
if modprobe iptable_nat 2>/dev/null; then legacy=1; else echo "this kernel has no iptables-legacy"; fi
# The two rule sets that need most of nf_tables and of x_tables.
LEGACY=$legacy snatrace-lab demo fully_random -n 1 --rules kube-proxy-nft -- sh /tmp/doctor.sh || fail "doctor, nft: $(cat /tmp/doctor.json)"
LEGACY= snatrace-lab demo fully_random -n 1 --rules flannel-iptables -- sh /tmp/doctor.sh || fail "doctor, iptables: $(cat /tmp/doctor.json)"
