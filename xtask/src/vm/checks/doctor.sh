# doctor reads the rules with this kernel's modules, predicts the share that fails, and changes nothing.

cat >/tmp/doctor.sh <<'END'
. /tmp/lib.sh
state() { cut -d' ' -f1 /proc/modules; ip netns exec "$node" nft -s list ruleset 2>/dev/null; cat /proc/sys/net/netfilter/nf_conntrack_max; }
# `LEGACY`: one more rule, in the tables of iptables-legacy.
if [ -n "$LEGACY" ]; then
    ip netns exec "$node" iptables-legacy -t nat -A POSTROUTING -s 203.0.113.0/24 -j MASQUERADE --random-fully || exit 1
fi
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
echo "== doctor"
for rules in flannel-nft flannel-iptables kube-proxy-nft kube-proxy-iptables; do
    snatrace demo fully_random -n 1 --rules "$rules" -- sh /tmp/doctor.sh || fail "doctor on the rules of $rules: $(cat /tmp/doctor.json)"
done
# Kernels from 6.17 on may be built without the tables of iptables-legacy.
if modprobe iptable_nat 2>/dev/null; then
    LEGACY=1 snatrace demo fully_random -n 1 -- sh /tmp/doctor.sh || fail "doctor does not see iptables-legacy: $(cat /tmp/doctor.json)"
else
    echo "no iptables-legacy here"
fi
